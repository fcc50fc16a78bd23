"""How large the newest token's states are."""

from torch import Tensor

from probes.recorders.recorder import Recorder
from probes.tracing.steps import Step


class Norms(Recorder):
    """L2 norms of the newest token: its hidden state, and its key and value as cached before any smoothing.

    Of keys and values it is the root mean square over key/value heads of each head's norm. A token with a small value norm and a
    large share of the attention is a drain: attention that carries nothing.
    """

    name = "norms"
    needs = frozenset({"hidden", "key", "value"})
    variables = ("norm_hidden", "norm_key", "norm_value")

    def reduce(self, step: Step):
        """Norms, "layer row"."""
        return {
            "norm_hidden": step.hidden.float().norm(dim=-1),
            "norm_key": _over_heads(step.key),
            "norm_value": _over_heads(step.value),
        }


def _over_heads(state: Tensor) -> Tensor:
    return state.float().square().sum(-1).mean(-1).sqrt()
