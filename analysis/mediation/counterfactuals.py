"""The counterfactuals of mediation: which arm computes keys and values, and whose attention rows read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from analysis.mediation.names import ARMS, CONSTANT, METHOD, WORLDS
from kvsmooth import KVSmooth
from kvsmooth.policies import FirstPass, Mean
from kvsmooth.policies.first_pass import Schedule, check_first
from kvsmooth.policies.policy import PolicySetting
from probes.patching import patched


@dataclass(frozen=True)
class Replayed:
    """The first pass's own rates once more: what is smoothed stays the same when attention rows are changed.

    Without it, rows that are put in would change later queries and keys, these the scores, and these the rates: the treatment itself.

    Parameters
    ----------
    first : what the first pass applied
    """

    first: FirstPass
    name: ClassVar[str] = "replayed"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False

    def start(self, setting: PolicySetting) -> Schedule:
        """The table as it is."""
        check_first(self, setting)
        return Schedule("Replayed", self.first.rates, self.first.steps, setting)


@dataclass(frozen=True)
class Worlds:
    """Every world of one batch.

    Attributes
    ----------
    log_probabilities : by arm and world, of the tokens asked for
    rates : mean rate of each row in each arm, over its own steps and the band
    patched : calls of attention that were replaced, over arms, worlds and layers
    """

    log_probabilities: Mapping[str, Mapping[str, Float[Tensor, "step row token"]]]
    rates: Mapping[str, Float[Tensor, " row"]]
    patched: int


def worlds(
    model: Any,
    inputs: Mapping[str, Any],
    captions: Sequence[Sequence[int]],
    method: KVSmooth,
    tokens: Sequence[int],
    layers: Sequence[int] | None = None,
) -> Worlds:
    """Replay the captions in every world of the method and of its controls: a constant rate, the method's mean of each row and layer, and
    the method with another mix.

    Parameters
    ----------
    captions : two tokens or more each; nothing is smoothed before the second
    method : arm of the treated worlds
    tokens : whose log-probabilities are kept
    layers : where rows are put in or clamped; all if None
    """
    shared: dict[str, Any] = {"tokens": tokens}
    baseline = patched(model, inputs, captions, keep_rows=True, **shared)
    found, rates, counts, arms = {}, {}, 0, {METHOD: method}
    for arm in ARMS:
        treated = arms.get(arm) or replace(method, mix=arm)
        first = patched(model, inputs, captions, treated, keep_rows=True, **shared)
        applied = FirstPass(first.run.rates, first.n_steps - 1)
        if arm == METHOD:
            arms[CONSTANT] = replace(method, policy=Mean(applied))
        fixed = replace(treated, policy=Replayed(applied))
        direct = patched(model, inputs, captions, fixed, rows=baseline.rows, layers=layers, **shared)
        indirect = patched(model, inputs, captions, rows=first.rows, layers=layers, **shared)
        clamped = patched(model, inputs, captions, fixed, visual_mass=baseline.rows, layers=layers, **shared)
        replays = (baseline, first, direct, indirect, clamped)
        found[arm] = {world: replay.log_probabilities for world, replay in zip(WORLDS, replays, strict=True)}
        rates[arm] = torch.as_tensor(applied.means()).mean(0)
        counts += sum(sum(replay.patched.values()) for replay in replays)
    return Worlds(found, rates, counts)
