"""Detects NaN in the scores of a model's next token."""

from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import LogitsProcessor

from kvsmooth import Unsupported
from kvsmooth.loading.weights import nonfinite


class FiniteScores(LogitsProcessor):
    """Leaves the scores as they are, and refuses those that are NaN: whatever token were chosen of them would be chosen without a word.

    At the first step it refuses at once, since no method has changed anything yet. Later ones are kept for `check`, behind the block of a
    method, which knows its own reasons better.

    Parameters
    ----------
    model : that is searched for the parameter that is the cause
    """

    def __init__(self, model: nn.Module):
        self.model, self.step = model, 0
        self.broken: int | None = None

    def __call__(self, input_ids: Int[Tensor, "row position"], scores: Float[Tensor, "row token"]) -> Float[Tensor, "row token"]:
        if self.broken is None and bool(scores.isnan().any()):
            self.broken = self.step
            if not self.step:
                self.check()
        self.step += 1
        return scores

    def check(self) -> None:
        """Refuse a generation in which scores were NaN.

        Raises
        ------
        Unsupported
        """
        if self.broken is None:
            return
        broken = nonfinite(self.model)
        dtype = str(next(self.model.parameters()).dtype).removeprefix("torch.")
        narrow = f"no parameter is: its activations leave what {dtype} holds; take {'bfloat16 or ' if dtype == 'float16' else ''}float32"
        cause = f"{broken[0]} has such values, or infinite ones ({len(broken)} parameters do); restore the weights" if broken else narrow
        raise Unsupported(f"{type(self.model).__name__} gave NaN for the next token's scores at step {self.broken}: {cause}.")
