"""What a `with` block of the method did: rates, scores and relative changes by step, layer and row."""

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.errors import NothingSmoothed

FIELDS = ("rates", "entropies", "change_keys", "change_values")


class Run:
    """The record of a `with` block; its arrays belong to the latest sequence batch that decoded in it.

    Step 0 is the first pass that was fed a generated token. Under beam search a row is a beam's place at that step, not a hypothesis.

    Attributes
    ----------
    layers : the decoder layers of the layer axis
    bounds : floor and ceiling of the rate
    """

    def __init__(self, layers: tuple[int, ...], bounds: tuple[float, float]):
        self.layers, self.bounds = layers, bounds
        self._states: list = []

    def begin(self, state) -> None:
        """Take over the record of a sequence batch that begins."""
        self._states.append(state)

    @property
    def generations(self) -> tuple[dict[str, Float[Tensor, "step layer row"]], ...]:
        """One mapping of arrays for each sequence batch that decoded in the block, in their order; keys as in `FIELDS`."""
        records = (state.record() for state in self._states)
        return tuple(dict(zip(FIELDS, record.unbind(1), strict=True)) for record in records if len(record))

    def _latest(self, name: str) -> Float[Tensor, "step layer row"]:
        for state in reversed(self._states):
            record = state.record()
            if len(record):
                return record[:, FIELDS.index(name)]
        return torch.empty(0, len(self.layers), 0)

    @property
    def rates(self) -> Float[Tensor, "step layer row"]:
        """The lambdas applied, in [0, 1], float32 on the CPU; with heads="per_head" their mean over heads."""
        return self._latest("rates")

    @property
    def entropies(self) -> Float[Tensor, "step layer row"]:
        """The scores that were ranked (nat for the default score); with heads="per_head" their mean over heads."""
        return self._latest("entropies")

    @property
    def change_keys(self) -> Float[Tensor, "step layer row"]:
        """||K_new - K_raw|| / ||K_raw|| of the newest token, over all key/value heads, 1; 0 where keys are not smoothed."""
        return self._latest("change_keys")

    @property
    def change_values(self) -> Float[Tensor, "step layer row"]:
        """||V_new - V_raw|| / ||V_raw|| of the newest token, over all key/value heads, 1; 0 where values are not smoothed."""
        return self._latest("change_values")

    def report(self) -> dict:
        """Summary over all sequence batches of the block; shares are fractions, means weigh every step, layer and row alike."""
        generations = self.generations
        flat = {name: torch.cat([generation[name].flatten() for generation in generations]) if generations else None for name in FIELDS}
        mean = {name: None if values is None else float(values.mean()) for name, values in flat.items()}
        rates, (floor, ceiling) = flat["rates"], self.bounds
        return {
            "generations": len(generations),
            "steps": sum(len(generation["rates"]) for generation in generations),
            "layers": list(self.layers),
            "rows": generations[-1]["rates"].shape[-1] if generations else 0,
            "lambda_mean": mean["rates"],
            "share_floor": None if rates is None else float((rates <= floor + 1e-6).float().mean()),
            "share_ceiling": None if rates is None else float((rates >= ceiling - 1e-6).float().mean()),
            "entropy_mean": mean["entropies"],
            "change_key_mean": mean["change_keys"],
            "change_value_mean": mean["change_values"],
        }

    def check(self, decoded: bool) -> None:
        """Refuse silence: raise when the model decoded and no record was made."""
        if decoded and not any(state.applied for state in self._states):
            raise NothingSmoothed(
                "KVSmooth smoothed nothing although the model decoded: its attention did not pass through the registered function; "
                "check that no other code sets the model's attn_implementation inside the `with`."
            )
