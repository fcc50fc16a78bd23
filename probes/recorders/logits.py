"""Level and spread of the logits, which raw logits share and probabilities do not have."""

from probes.recorders.recorder import Recorder
from probes.tracing.steps import Step


class Logits(Recorder):
    """Mean and variance of a step's logits over the whole vocabulary.

    A softmax is blind to the mean: a raw logit that falls may fall with all others. The variance is that of the population.
    """

    name = "logits"
    needs = frozenset({"logits"})
    variables = ("logit_mean", "logit_variance")

    def reduce(self, step: Step):
        """Both "row", 1."""
        logits = step.logits.float()
        return {"logit_mean": logits.mean(-1), "logit_variance": logits.var(-1, correction=0)}
