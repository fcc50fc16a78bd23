"""Attention rows of the newest token as data, and attention computed from rows that are put in."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth import Unsupported
from kvsmooth.measures import TINY, newest_row_probabilities
from probes.command.cli import BadInput


@dataclass(frozen=True)
class Scored:
    """What a newest attention row is computed from.

    Attributes
    ----------
    query : "row head query dim"; the last one counts
    key : "row kv_head key dim"
    mask : as the attention function is given it
    scaling, softcap : of the scores; None: the default, none
    """

    query: Tensor
    key: Tensor
    mask: Tensor | None
    scaling: float | None
    softcap: float | None


@dataclass(frozen=True)
class RecordedRows:
    """Attention rows of the newest token of one batch, float32, by step and layer; step 0 is the prompt's last position.

    A row sums to one over its keys, whose number grows from step to step. Layers may see different keys: a sliding one the last ones only.
    """

    steps: tuple[tuple[Float[Tensor, "row head _"], ...], ...]

    def at(self, step: int, layer: int) -> Float[Tensor, "row head key"]:
        """The rows of one call.

        Raises
        ------
        BadInput : the text that they were recorded on was shorter
        """
        if step >= len(self.steps):
            raise BadInput(f"rows were recorded on {len(self.steps)} steps; step {step} has none: record them on the same captions.")
        return self.steps[step][layer]


@dataclass
class Substitution:
    """Decides attention outputs from recorded rows, and counts the calls that it decided.

    Attributes
    ----------
    rows : put in the place of the arm's own; or None
    mass : the arm's own rows, with the image's mass of these; or None
    image : prompt positions that belong to the image
    counts : calls decided so far, by layer; other layers are left alone
    """

    rows: RecordedRows | None
    mass: RecordedRows | None
    image: Bool[Tensor, "row position"]
    counts: dict[int, int]

    def output(
        self,
        layer: int,
        step: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scaling: float | None,
        softcap: float | None,
    ) -> Float[Tensor, "row 1 head channel"] | None:
        """Rows that are put in, times the values as given."""
        if layer not in self.counts:
            return None
        recorded = (self.rows or self.mass).at(step, layer)
        held = min(key.shape[2], self.image.shape[1] + step)
        expected = (*query.shape[:2], held)
        if recorded.shape != expected:
            raise BadInput(
                f"rows of layer {layer} at step {step} have the shape {tuple(recorded.shape)}; {expected} is due: "
                "record them on the same inputs and captions."
            )
        if self.rows is not None:
            probabilities = recorded
        else:
            own = newest_row_probabilities(query, key[:, :, :held], newest_mask(mask, held), scaling, softcap)
            probabilities = clamped(own, recorded, self._image_keys(held, step))
        self.counts[layer] += 1
        return attention_output(probabilities, value[:, :, :held])

    def _image_keys(self, held: int, step: int) -> Bool[Tensor, "row key"]:
        flags = torch.nn.functional.pad(self.image, (0, step))
        return flags[:, flags.shape[1] - held :]  # a sliding layer has dropped the oldest


def newest_mask(mask: Any, held: int) -> Tensor | None:
    """The last query's row of a mask over `held` keys, "row head 1 key"; a mask over keys alone (row key) is that of every query.

    Raises
    ------
    Unsupported : it is no tensor, as under flex attention
    """
    if mask is None:
        return None
    if not isinstance(mask, Tensor):
        raise Unsupported(f'attention rows by a {type(mask).__name__} are not known; call model.set_attn_implementation("sdpa") first.')
    return mask[:, None, None, -held:].bool() if mask.dim() == 2 else mask[:, :, -1:, :held]


def clamped(
    own: Float[Tensor, "row head key"], recorded: Float[Tensor, "row head key"], image: Bool[Tensor, "row key"]
) -> Float[Tensor, "row head key"]:
    """`own` with each head's mass on the image set to that of `recorded`, and its proportions inside and outside of it kept.

    A head that sees no image key, or nothing else, stays as it is.
    """
    flags = image[:, None].to(own.dtype)
    mass, wanted = (own * flags).sum(-1, keepdim=True), (recorded * flags).sum(-1, keepdim=True)
    rest = (own * (1 - flags)).sum(-1, keepdim=True)  # not 1 - mass, which cancels
    inside, outside = wanted / mass.clamp_min(TINY), (recorded * (1 - flags)).sum(-1, keepdim=True) / rest.clamp_min(TINY)
    scaled = own * (flags * inside + (1 - flags) * outside)
    return torch.where((mass > TINY) & (rest > TINY), scaled, own)


def attention_output(
    probabilities: Float[Tensor, "row head key"], value: Float[Tensor, "row kv key channel"]
) -> Float[Tensor, "row 1 head channel"]:
    """probabilities @ values, grouped-query heads included, computed in float32, in the values' own precision."""
    batch, heads, keys = probabilities.shape
    kv = value.shape[1]
    grouped = probabilities.view(batch, kv, heads // kv, keys)
    return torch.matmul(grouped, value.float()).view(batch, 1, heads, value.shape[-1]).to(value.dtype)
