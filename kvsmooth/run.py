"""What a `with` block of the method did: rates, scores and relative changes by step, layer and row."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.errors import NothingSmoothed, Unsupported

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
        self._closed: tuple[Tensor, ...] = ()

    def begin(self, state) -> None:
        """Take over the record of a sequence batch that begins."""
        self._states.append(state)

    def close(self) -> None:
        """Keep the records alone: queues, previous states and what is known of prompts end with the block."""
        self._closed, self._states = tuple(state.record() for state in self._states), []

    @property
    def generations(self) -> tuple[dict[str, Float[Tensor, "step layer row"]], ...]:
        """One mapping of arrays for each sequence batch that decoded in the block, in their order; keys as in `FIELDS`."""
        return tuple(dict(zip(FIELDS, record.unbind(1), strict=True)) for record in self._latest_first() if len(record))[::-1]

    def _latest(self, name: str) -> Float[Tensor, "step layer row"]:
        latest = next((record for record in self._latest_first() if len(record)), torch.empty(0, len(FIELDS), len(self.layers), 0))
        return latest[:, FIELDS.index(name)]

    def _latest_first(self) -> Iterator[Float[Tensor, "step field layer row"]]:
        yield from (state.record() for state in reversed(self._states))
        yield from reversed(self._closed)

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
        """Refuse what no number tells: that nothing was smoothed, or that it was by scores and rates that are none.

        Raises
        ------
        NothingSmoothed : the model decoded and no state was touched
        Unsupported : a score is NaN, or a rate outside [0, 1]; asked once, since at every step it would wait for the device
        """
        if decoded and not any(state.applied for state in self._states):
            raise NothingSmoothed(
                "KVSmooth smoothed nothing although the model decoded: its attention did not pass through the registered function; "
                "check that no other code sets the model's attn_implementation inside the `with`."
            )
        for generation in self.generations:
            no_score = generation["entropies"].isnan().flatten(1).any(1)
            no_rate = ~((generation["rates"] >= 0) & (generation["rates"] <= 1)).flatten(1).all(1)
            wrong = (no_score | no_rate).nonzero()
            if not len(wrong):
                continue
            # the first one is the cause: a rate that is NaN makes later scores NaN
            step = int(wrong[0])
            if no_score[step]:
                raise Unsupported(f"KVSmooth.score gave NaN at step {step}, which has no rank; mend the detector or the model's precision.")
            raise Unsupported(f"KVSmooth.policy gave a rate outside [0, 1], or NaN, at step {step}; mend the policy.")
