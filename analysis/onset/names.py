"""What the onset question names: aligned quantities, scores and the direction expected of each, strata, outcomes fixed in advance."""

from dataclasses import dataclass

REACH = 20
"""Steps shown before and after a mention."""

STRATUM = 4
"""Positions that count as one: a hallucinated mention and its controls are at most 3 tokens apart."""

WINDOWS = {"before": range(-10, 0), "after": range(1, 11)}
"""Offsets that are summed up in one number each."""

ALIGNED = {
    "entropy": ("row entropy", "nat"),
    "excess": ("visual mass excess", "ln"),
    "jsd": ("prompt dependency", "nat"),
    "nll": ("NLL of the token", "nat"),
    "drift_step": ("angle to last state", "rad"),
    "drift_image": ("angle to image", "rad"),
    "rate": ("smoothing rate λ", "1"),
}
"""Quantity -> words, unit; attention and states are means over the smoothed layers."""


@dataclass(frozen=True)
class MentionScore:
    """A detector of hallucinated mentions, read at the step that predicts the mention's first sub-token unless said otherwise.

    Attributes
    ----------
    label : words for figures
    sign : +1 or -1, fixed before any result: the score times its sign was expected to be higher at hallucinated mentions
    known : "before" the word is chosen, with the "word", or only "later"
    """

    label: str
    sign: int
    known: str = "before"


SCORES = {
    "entropy": MentionScore("row entropy", +1),
    "excess": MentionScore("visual mass excess", -1),
    "mass": MentionScore("visual mass", -1),
    "svar": MentionScore("SVAR, middle layers", -1),
    "nll": MentionScore("NLL of the word", +1, "word"),
    "jsd": MentionScore("prompt dependency", -1),
    "cosine": MentionScore("contextual lens, state before", -1),
    "cosine_word": MentionScore("contextual lens, word's state", -1, "word"),
    "drift_step": MentionScore("angle to last state", +1),
    "drift_image": MentionScore("angle to image", +1),
    "drift_prompt": MentionScore("angle to prompt", +1),
    "rate": MentionScore("smoothing rate", +1),
    "received": MentionScore("attention received next", +1, "later"),
    "position": MentionScore("position alone", +1),
}
"""The contextual lens is read at the middle layer, number L // 2; SVAR adds up visual mass from 5/32 to 18/32 of the depth."""

MATCHED = ("mass", "excess", "entropy", "position")
"""Scores that are also compared within each of `STRATA`; position says what a stratum leaves of it."""

STRATA = {"sentence": ("sentence",), "word": ("word",), "sentence and word": ("sentence", "word")}
"""Mentions that are compared: of the same sentence of the caption, of the same object, of both; and the variables that say so."""

ADJUSTED = ("entropy", "excess", "jsd", "nll")
"""Scores whose odds ratios are adjusted for position and for how many objects were named before."""

CONDITIONAL = ("entropy", "excess")
"""Those of them that are also fitted within images: statsmodels' conditional logit takes seconds a fit."""

PRIMARY = (
    "auroc/stratified/entropy/baseline",
    "auroc/stratified/excess/baseline",
    "aligned/entropy/baseline/before",
    "survival/restricted mean/kvsmooth - baseline",
)
"""Fixed before any result was seen; all else is exploratory."""
