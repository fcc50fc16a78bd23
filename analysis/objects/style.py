"""Colours and labels of sets of objects, outcomes and regimes in figures of `analysis.logits` and `analysis.coupling`."""

from analysis.objects.names import VOCABULARY
from analysis.plots.style import INDIGO, NULL_COLOUR, OBJECT_COLOURS

SET_COLOURS = {
    "present": OBJECT_COLOURS["present"],
    "present unsaid": OBJECT_COLOURS["present"],
    "hallucinated": OBJECT_COLOURS["hallucinated"],
    "hallucinated unsaid": OBJECT_COLOURS["hallucinated"],
    "typical": INDIGO,
    "other": NULL_COLOUR,
}
SET_LABELS = {
    "present": "present",
    "present unsaid": "present, not yet said",
    "hallucinated": "hallucinated",
    "hallucinated unsaid": "hallucinated, not yet said",
    "typical": "absent, typical",
    "other": "absent, other",
    "hallucinated - present": "hallucinated − present",
    "hallucinated unsaid - present unsaid": "the same, not yet said",
    VOCABULARY: "mean of vocabulary",
}
SHORT = {
    "present": "present",
    "present unsaid": "present",
    "hallucinated": "hallucinated",
    "hallucinated unsaid": "hallucinated",
    "typical": "absent, typical",
    "other": "absent, other",
}
OUTCOME_LABELS = {
    "logit": "raw logit",
    "centred": "logit − vocabulary mean",
    "relative": "logit − mean of absent, other",
    "logprob": "log-probability (nat)",
    "rank": "rank (1 = most probable)",
    "variance": "variance of raw logit",
}
OUTCOME_TITLES = {
    "logit": "raw logit",
    "centred": "− vocabulary",
    "relative": "− absent",
    "logprob": "log-prob.",
    "rank": "rank",
    "variance": "variance",
}
REGIME_LOOK = {"replay": ("o", "#222222", "same tokens"), "free": ("s", "#8C8C8C", "own tokens")}
