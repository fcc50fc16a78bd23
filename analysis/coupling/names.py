"""Names that the data, the tests and the figures of this question share."""

from analysis.question.arms import BAND

KINDS = ("cosine", "permuted", "plain", "partial", "adjusted", "specific")
"""Coefficients of row entropy with the rank of an object over the steps of a caption, one an object, then their mean over a set.

cosine: uncentred, the paper's. permuted: the mean of that cosine over all orders of the caption's steps. plain: Spearman's. partial:
Spearman's given the step. adjusted: the same, after entropy and logarithm of the rank have lost their means over images at each step.
specific: adjusted, of the distance of the logit below the mean logit of the image's `other` objects at the step instead of the rank: what
the next word being a noun or not does to all objects alike is gone.
"""

WITHOUT_FIRST = f"{BAND} without the first token"
"""The place whose entropy leaves out the token that begins the text, the usual sink; tested by itself, apart from layers and their mean."""

RANKED = ("plain", "partial", "adjusted", "specific")
TURNED = ("partial", "adjusted", "specific")
"""Kinds that are also tested by turning one series round within its caption."""

CONTRAST_OF_CLASSES = "hallucinated - present"

PRIMARY = (
    f"free/adjusted/hallucinated/baseline/{BAND}",
    f"free/adjusted/present/baseline/{BAND}",
    f"replay/adjusted/hallucinated/kvsmooth - baseline/{BAND}",
)
"""Named before any result was seen: the two signs that Observation 3 states, in the plain model; and what smoothing changes of the first.
All else is exploratory."""
