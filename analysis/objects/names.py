"""Names that questions about objects share: in their data, tests and figures."""

CLASSES = ("present", "hallucinated", "typical", "other")
"""A partition of the vocabulary, by image: see `classes`."""

AT_RISK = ("present", "hallucinated")
"""Classes that captions name, so that "not yet said" leaves something out."""

SETS = ("present", "present unsaid", "hallucinated", "hallucinated unsaid", "typical", "other")
"""Class, at every step, or at the steps before the caption says the object; the last two are named by no caption."""

CONTRAST_OF_CLASSES = ("hallucinated - present", "hallucinated unsaid - present unsaid")

VOCABULARY = "vocabulary"
"""The mean logit of the whole vocabulary: the arbitrary shift that every raw logit of a step shares."""

OUTCOMES = {
    "logit": "logit",
    "centred": "logit",
    "relative": "logit",
    "logprob": "nat",
    "rank": "places",
    "variance": "logit²",
}
"""What has a slope over steps, and its unit.

logit: raw. centred: less the vocabulary's mean logit of the step. relative: less the mean logit of the image's `other` objects at the step.
logprob, rank: as recorded, rank 1 is the most probable token. variance: squared distance of the logit from the mean of its set at the step.
"""

CURVES = ("logit", "variance", "logprob", "rank", "relative")
"""What is drawn over steps; variance is that of the raw logits, over objects and images."""

BIN = 5
"""Steps a point of a curve: from one step to the next the kind of word that follows decides, which drowns everything else."""

PRIMARY = (
    ("replay", "logprob", "present unsaid", "baseline"),
    ("replay", "logprob", "hallucinated unsaid", "baseline"),
    ("replay", "logprob", "present unsaid", "kvsmooth - baseline"),
    ("replay", "logprob", "hallucinated unsaid", "kvsmooth - baseline"),
)
"""The slope of the log-probability of objects not yet said, in the plain model; and what smoothing changes of it where both arms read the
same tokens. The replay's baseline is the plain model on its own whole captions: after a pilot of 40 scenes it took the place of the free
regime, which is cut to the steps that both arms have. All else is exploratory."""


def class_of(which: str) -> str:
    """The class that a set is taken from."""
    return which.removesuffix(" unsaid")


def unsaid(which: str) -> bool:
    """Whether a set is confined to the steps before the object is said."""
    return which.endswith(" unsaid")
