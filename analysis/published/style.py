"""What the figures of this question look like: a colour a verdict, a mark a model, a look an omission line."""

from analysis.plots import style
from analysis.published.verdict import BETTER, LESS, MIXTURE, NOT_LOWER, RAISES, REPEATS, UNTOLD

VERDICT_COLOURS = {
    BETTER: style.BETTER,
    LESS: style.SAND,
    REPEATS: style.WINE,
    MIXTURE: style.INDIGO,
    UNTOLD: "#FFFFFF",
    NOT_LOWER: "#BBBBBB",
    RAISES: style.WORSE,
}
MARKERS = "osD^vP"
LINE_LOOKS = {
    "random mention": ("random mentions", "-"),
    "late mention": ("late mentions first", "--"),
    "random sentence": ("random sentences", "-."),
    "late sentence": ("late sentences first", (0, (4, 1, 1, 1, 1, 1))),
    "background sentence": ("background sentences first", (0, (1, 2))),
    "positions mention": ("the worst positions first", (0, (3, 1, 1, 1))),
    "oracle mention": ("oracle: absent mentions first", "-"),
}
"""By line, its name and dashes."""
LINE_COLOUR, ORACLE_COLOUR = "#888888", "#222222"
"""Of the lines that know nothing of the single mention, and of the bound that knows all."""
