"""One decoding step as recorders see it: the newest position of every layer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from probes.objects import ObjectVocabulary


@dataclass(frozen=True)
class GenerationSetting:
    """What stays fixed during one generation.

    Attributes
    ----------
    groups : group of every prompt position, an index into `kvsmooth.spans.GROUPS`; -1 is padding
    layers : numbers of the decoder layers that are read
    max_new_tokens : bound of the number of steps
    sink_channels : by layer, the channels of the hidden state that masked drift leaves out; None: found on this prompt
    objects : the objects that a lens looks for; None where nobody looks
    speaker : the module that owns decoder and output embeddings, for recorders that read states through them
    """

    groups: Int[Tensor, "row position"]
    layers: tuple[int, ...]
    max_new_tokens: int
    sink_channels: tuple[tuple[int, ...], ...] | None = None
    objects: ObjectVocabulary | None = None
    speaker: nn.Module | None = field(default=None, repr=False)

    @property
    def prompt_length(self) -> int:
        """Padded positions of the prompt."""
        return self.groups.shape[1]


@dataclass(frozen=True)
class Rows:
    """Attention rows of the newest position in those layers that see the same keys (all layers, or all sliding ones).

    Attributes
    ----------
    layers : indices into the layer axis
    first : padded position of the first key; above 0 where a sliding window has dropped older ones
    """

    layers: list[int]
    probabilities: Float[Tensor, "layer row head key"]
    visible: Bool[Tensor, "row key"]
    first: int


@dataclass(frozen=True)
class Step:
    """The newest position of every layer at one decoding step; a part is None where no recorder asked for it.

    Attributes
    ----------
    number : 0 is the prompt's last position, which predicts the first new token; t is the t-th generated token fed
    positions : padded positions so far, the newest included
    key, value : as cached, before any smoothing of this step
    key_smoothed, value_smoothed : as the cache holds them when the forward pass has ended; the same where nothing was smoothed
    hidden : output of each decoder layer
    logits : of the next token, as it is chosen from
    own_logits : of the next token, as the model gives them: before a method has changed them
    """

    number: int
    positions: int
    rows: tuple[Rows, ...] = ()
    key: Float[Tensor, "layer row head dim"] | None = None
    value: Float[Tensor, "layer row head dim"] | None = None
    key_smoothed: Float[Tensor, "layer row head dim"] | None = None
    value_smoothed: Float[Tensor, "layer row head dim"] | None = None
    hidden: Float[Tensor, "layer row channel"] | None = None
    logits: Float[Tensor, "row token"] | None = None
    own_logits: Float[Tensor, "row token"] | None = None

    def over_layers(self, measure: Callable[[Rows], Tensor]) -> Tensor:
        """`measure` gives "layer ..." for one set of rows; put together in the order of the layers."""
        if len(self.rows) == 1:
            return measure(self.rows[0])
        whole = None
        for rows in self.rows:
            part = measure(rows)
            if whole is None:
                whole = part.new_empty((sum(len(r.layers) for r in self.rows), *part.shape[1:]))
            whole[rows.layers] = part
        return whole
