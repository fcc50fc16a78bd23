"""What a card holds of each bundled subject: its page, the bars it was made for, and how its sentences are read back."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from probes.command.cli import BadInput
from probes.subjects.bundled import DEFAULT, bundled
from probes.subjects.emoji import Scene

Bar = tuple[float, float]
Shares = Callable[[Sequence[str], Sequence[Scene]], dict[str, float]]


@dataclass(frozen=True)
class Card:
    """How the card of one subject is made.

    Attributes
    ----------
    page : of the docs, without its ending
    bars : by measure, the range that the subject was made for
    shares : from captions and their scenes, "<kind>_claims" a caption and "<kind>_true", "<kind>_itself" shares of these
    claims : by kind of claim, its words on the page
    smoothing : whether the card holds arms that smooth; a subject with dose curves of its own needs none
    """

    page: str
    bars: Mapping[str, Bar]
    shares: Shares
    claims: Mapping[str, str] = field(default_factory=dict)
    smoothing: bool = True


def _emoji() -> Card:
    from analysis.card.claims import shares

    bars = {
        "recall": (0.60, math.inf),
        "precision": (0.70, math.inf),
        "chair_s": (0.20, 0.60),
        "length": (80.0, math.inf),
        "late_minus_early": (0.0, math.inf),
        "repeated_sentences": (0.0, 0.05),
    }
    return Card("subject", bars, shares, {"side": "to the right or left of", "height": "higher or lower than", "number": "how many"})


def _smollm2() -> Card:
    from analysis.card.sentences import KINDS, shares

    bars = {
        "recall": (0.70, math.inf),
        "precision": (0.75, math.inf),
        "chair_s": (0.15, 0.60),
        "length": (80.0, math.inf),
        "late_minus_early": (0.0, math.inf),
        "repeated_4grams": (0.0, 0.02),
    }
    return Card("subjects/smollm2", bars, shares, KINDS, smoothing=False)


CARDS: dict[str, Callable[[], Card]] = {"emoji": _emoji, "smollm2": _smollm2}
"""By name of a bundled subject; a further one is one entry."""


def card_of(subject: str) -> Card:
    """The card of a bundled subject, of a point of its training, or of a folder with other weights of the first one.

    Raises
    ------
    BadInput : another subject
    """
    found = bundled(subject)
    if found is None and "/" not in subject:
        raise BadInput(f"--subject {subject}: a card is made of a bundled subject ({', '.join(CARDS)}), or of a folder with other weights.")
    return CARDS[DEFAULT if found is None else found.name]()
