"""Methods of others as arms: each acts on the random Llama with what is made up for it, and writes as much as plain decoding does."""

from functools import cache

import pytest

from analysis.efficiency.__main__ import measure
from analysis.efficiency.arms import Case, StepClock, arm
from analysis.efficiency.config import EfficiencyConfig
from analysis.efficiency.others import BEAMS
from analysis.efficiency.shapes import build
from kvsmooth.baselines import METHODS
from kvsmooth.decoding.attention import innermost_decoder
from probes.command.cli import BadInput

FEW = EfficiencyConfig(image=True, prompt_tokens=580, new_tokens=3, hidden=32, layers=6, heads=2, vocabulary=64)
built = cache(lambda: build(FEW))


@pytest.mark.parametrize("name", ["beams", *METHODS])
def test_every_method_can_be_an_arm(name):
    (model, inputs), clock, rows = built(), StepClock(), []
    hook = innermost_decoder(model).register_forward_hook(lambda module, given, output: rows.append(len(output.last_hidden_state)))
    with hook:
        arm(name)(Case(model, inputs, FEW.new_tokens), clock)  # a method that touched nothing would raise
    assert len(clock.stamps) == FEW.new_tokens
    assert (max(rows) >= BEAMS) == (name in ("beams", "opera"))


def test_what_is_no_arm_is_refused_with_all_that_are():
    with pytest.raises(BadInput, match=r"there is no arm 'quick'; choose from plain, .*, beams, image_bias, .*, deco"):
        arm("quick")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"arms": ("pai",)}, r"arms: pai cannot be timed so: pai changes .* \(--image shows one"),
        ({"arms": ("deco", "opera"), "prefilled": True}, "arms: opera cannot be timed so: opera goes back on a cache of its own"),
    ],
)
def test_what_a_method_refuses_is_told_before_anything_is_timed(options, why):
    few = {"prompt_tokens": 12, "new_tokens": 3, "rounds": 1, "hidden": 32, "layers": 6, "heads": 2, "vocabulary": 64, "memory": False}
    with pytest.raises(BadInput, match=why):
        measure(EfficiencyConfig(**few, **options))
