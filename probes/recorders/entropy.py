"""How diffuse the newest token's attention is."""

from kvsmooth.measures import row_entropy
from probes.recorders.recorder import Recorder
from probes.tracing.steps import Step


class Entropy(Recorder):
    """Shannon entropy of each head's newest attention row, and the number of keys that it can see (its bound is their logarithm)."""

    name = "entropy"
    needs = frozenset({"row"})
    variables = ("row_entropy", "n_keys")

    def reduce(self, step: Step):
        """Entropy in nat, "layer row head"; keys, "layer row"."""
        keys = step.over_layers(lambda rows: rows.visible.sum(-1).float().expand(len(rows.layers), -1))
        return {"row_entropy": step.over_layers(lambda rows: row_entropy(rows.probabilities)), "n_keys": keys}
