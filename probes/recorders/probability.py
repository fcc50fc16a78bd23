"""How likely the model held the token that came next."""

from collections import deque

from jaxtyping import Int
from torch import Tensor

from probes.recorders.recorder import Recorder
from probes.tracing.steps import Step


class Probability(Recorder):
    """Log-probability of the predicted token under the model's own distribution, before temperature, bans or forcing."""

    name = "probability"
    needs = frozenset({"logits"})
    variables = ("log_probability",)

    def __init__(self, setting):
        super().__init__(setting)
        self.waiting: deque[Tensor] = deque()

    def reduce(self, step: Step):
        """Nothing yet: the token is chosen after the step."""
        self.waiting.append(step.logits.float().log_softmax(-1))
        return {}

    def predicted(self, tokens: Int[Tensor, " row"]) -> None:
        """Keep the log-probability of the token that was chosen, in nat, "row"; let the distribution go."""
        distribution = self.waiting.popleft()
        self.kept["log_probability"].append(distribution.gather(1, tokens.to(distribution.device)[:, None])[:, 0])
