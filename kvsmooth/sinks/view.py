"""`View`: the data that a detector may use, in one form for the newest token while decoding and for a whole text afterwards."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

Kind = TypeVar("Kind")
if TYPE_CHECKING:  # a detector sees the parts that it names, and reads no other
    Part = Annotated[Kind, "None unless a detector names it"]
else:
    Part = Kind | None
ABSENT: Any = None


@dataclass(frozen=True)
class Prompt:
    """What is kept of a prompt's hidden states at the input of each layer, over visible positions.

    Parameters
    ----------
    first : of the first visible position
    norm : median over positions of the L2 norm
    magnitude : median over positions and channels of |x|
    massive : channels that carry massive activations at some position
    """

    first: Float[Tensor, "layer row channel"]
    norm: Float[Tensor, "layer row"]
    magnitude: Float[Tensor, "layer row"]
    massive: Bool[Tensor, "layer row channel"]


@dataclass(frozen=True)
class View:
    """Tokens whose scores are asked for, in several layers at once, and what stood in the cache when they attended.

    While decoding there is one token, the newest. Afterwards the tokens are all positions of a text, and tokens are keys. A part is None
    unless the detector names it in `needs`.

    Parameters
    ----------
    probabilities : float32 attention rows, each sums to one (zeros for a padded query); one head where rows were averaged before scoring
    logits : the same rows before softmax, hidden keys at -inf
    keys, values : of every cached position, keys rotated as cached; earlier ones may have been smoothed
    key, value : of the tokens themselves, before any smoothing of theirs
    hidden : of the tokens, at the input of the layer
    prompt : what is kept of the prompt's hidden states
    tokens : ids
    visible : positions that hold a token (no padding, no room of a static cache); None where all do
    counted : positions that a detector with a `keys` option counts, padding not yet excluded; None where it counts all
    """

    probabilities: Part[Float[Tensor, "layer row head token key"]] = ABSENT
    logits: Part[Float[Tensor, "layer row head token key"]] = ABSENT
    keys: Part[Float[Tensor, "layer row kv key channel"]] = ABSENT
    values: Part[Float[Tensor, "layer row kv key channel_v"]] = ABSENT
    key: Part[Float[Tensor, "layer row kv token channel"]] = ABSENT
    value: Part[Float[Tensor, "layer row kv token channel_v"]] = ABSENT
    hidden: Part[Float[Tensor, "layer row token width"]] = ABSENT
    prompt: Part[Prompt] = ABSENT
    tokens: Part[Int[Tensor, "row token"]] = ABSENT
    visible: Bool[Tensor, "row key"] | None = None
    counted: Bool[Tensor, "row key"] | None = None

    def counted_keys(self) -> Bool[Tensor, "row key"] | None:
        """Positions that are both visible and counted; None where all are."""
        if self.visible is None or self.counted is None:
            return self.counted if self.visible is None else self.visible
        return self.visible & self.counted
