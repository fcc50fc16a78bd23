"""What a block leaves behind: a whole record, no state, and no silence about scores and rates that are none."""

import gc
import weakref
from dataclasses import dataclass

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.policies import Percentile
from kvsmooth.sinks import RowEntropy
from tests import zoo
from tests.kvsmooth.cases import MOVING

STEPS = 4


@dataclass(frozen=True)
class Own:
    """A user's policy: whatever `rate` makes of the scores at a step."""

    rate: object
    name, two_pass, needs_tokens = "own", False, False

    def start(self, setting):
        return OwnRates(self.rate)


class OwnRates:
    def __init__(self, rate):
        self.rate, self.step = rate, -1

    def push(self, scores, tokens):
        self.step += 1
        return self.rate(self.step, scores)

    def reorder(self, rows):
        pass


class NaNFrom:
    """A score that is NaN in one layer and row from a step on."""

    def __init__(self, step):
        self.step, self.calls = step, 0

    def __call__(self, seen):
        scores = RowEntropy()(seen)
        scores[1, 1] += torch.nan if self.calls >= self.step else 0.0
        self.calls += 1
        return scores


NONE = {
    "nan score": (NaNFrom, Percentile(), "KVSmooth.score gave NaN at step 2, which has no rank"),
    "and its rate": (NaNFrom, Own(lambda step, scores: scores.clamp(0, 1)), "KVSmooth.score gave NaN at step 2"),
    "above 1": (None, Own(lambda step, scores: torch.full_like(scores, 1.5 if step == 1 else 0.5)), r"rate outside \[0, 1\], .* at step 1"),
    "below 0": (None, Own(lambda step, scores: torch.full_like(scores, -0.1)), r"gave a rate outside \[0, 1\], or NaN, at step 0"),
    "nan rate": (None, Own(lambda step, scores: scores * torch.nan), r"gave a rate outside \[0, 1\], or NaN, at step 0"),
}


@pytest.mark.parametrize(("case", "cache"), [*[(case, None) for case in NONE], ("nan score", "static")])
def test_scores_and_rates_that_are_none_are_told_at_the_end(case, cache):
    score, policy, message = NONE[case]
    method = KVSmooth(**MOVING, score=score(2) if score else RowEntropy(), policy=policy)
    model, inputs = zoo.build("llama", batch=2)
    with pytest.raises(Unsupported, match=message) as caught, method(model) as run:
        out = model.generate(**inputs, max_new_tokens=STEPS + 1, cache_implementation=cache)
    assert "\n" not in str(caught.value)
    assert out.shape[1] == inputs["input_ids"].shape[1] + STEPS + 1
    assert run.rates.shape == (STEPS, 3, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"policy": Own(lambda step, scores: scores[0])},
            r"KVSmooth.policy must give a rate for .*: rates \(2,\) for scores \(3, 2\)",
        ),
        ({"policy": Own(lambda step, scores: scores[..., None])}, r"rates \(3, 2, 1\) for scores \(3, 2\)"),
        ({"score": lambda seen: seen.probabilities.amax(-1)[..., 0]}, r"KVSmooth.score must give .* = \(3, 2\).*got \(3, 2, 4\)"),
        ({"score": lambda seen: seen.probabilities[0].amax(-1)[None]}, r"got \(1, 2, 4, 1\)"),
        ({"score": lambda seen: 1.0}, r"got \(\)"),
    ],
)
def test_other_shapes_are_refused_at_once(change, message):
    model, inputs = zoo.build("llama", batch=2)
    with pytest.raises(Unsupported, match=message) as caught, KVSmooth(**MOVING, **change)(model):
        model.generate(**inputs, max_new_tokens=3)
    assert "\n" not in str(caught.value)


class Watched(Percentile):
    """The percentile, with a list of its states as long as they live."""

    states: list = []  # noqa: RUF012

    def start(self, setting):
        state = super().start(setting)
        self.states.append(weakref.ref(state))
        return state


def alive(references):
    gc.collect()
    return [reference for reference in references if reference() is not None]


def test_a_run_outlives_its_block_without_states_and_model():
    model, inputs = zoo.build("llama", batch=2)
    Watched.states.clear()
    with KVSmooth(**MOVING, policy=Watched(), score=RowEntropy("without_bos"))(model) as run:
        for tokens in (5, 3):
            model.generate(**inputs, max_new_tokens=tokens)
        inside = [run.rates, run.entropies, run.change_keys, run.change_values], run.report(), run.generations
    assert len(Watched.states) == 2
    assert not alive(Watched.states)
    gone = weakref.ref(model)
    del model
    assert not alive([gone])
    for before, after in zip(inside[0], (run.rates, run.entropies, run.change_keys, run.change_values), strict=True):
        assert torch.equal(before, after)
    assert run.report() == inside[1]
    assert run.report()["steps"] == 6
    assert [len(generation["rates"]) for generation in run.generations] == [4, 2]
    for before, after in zip(inside[2], run.generations, strict=True):
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_prints_its_report():
    model, inputs = zoo.build("llama")
    with KVSmooth(**MOVING)(model) as run:
        before = repr(run)
        model.generate(**inputs, max_new_tokens=STEPS + 1)
    assert before.startswith("Run(generations=0, steps=0, tokens=0, layers=[0, 1, 2], rows=0, lambda_mean=None")
    for name, value in run.report().items():
        assert f"{name}={value:.4g}" in repr(run) if isinstance(value, float) else f"{name}={value}" in repr(run)
    assert "\n" not in repr(run)


def stop_at(length):
    def stop(input_ids, scores):
        if input_ids.shape[1] == length:
            raise InterruptedError
        return scores

    return stop


@pytest.mark.parametrize("name", ["llama", "gemma3"])
@pytest.mark.parametrize("caught_inside", [True, False])
@pytest.mark.parametrize("timing", ["after", "recompute"])
def test_the_record_of_a_generation_that_broke_off_is_whole(name, caught_inside, timing):
    """Three steps are done when the sampler raises; with an exception of the score in the middle of a step, the steps before count."""
    method = KVSmooth(**MOVING, policy=Watched(), timing=timing)
    model, inputs = zoo.build(name, batch=2)
    with method(model) as whole:
        model.generate(**inputs, max_new_tokens=6)
    Watched.states.clear()
    stop = stop_at(inputs["input_ids"].shape[1] + 3)
    if caught_inside:
        with method(model) as run, pytest.raises(InterruptedError):
            model.generate(**inputs, max_new_tokens=6, logits_processor=[stop])
    else:
        with pytest.raises(InterruptedError), method(model) as run:
            model.generate(**inputs, max_new_tokens=6, logits_processor=[stop])
    assert torch.equal(run.rates, whole.rates[:3])
    assert torch.equal(run.change_values, whole.change_values[:3])
    assert run.report()["steps"] == 3
    if caught_inside:  # an exception's traceback keeps its frames
        assert not alive(Watched.states)


def test_a_step_cut_short_is_left_out():
    calls = []

    def score(seen):
        calls.append(0)
        if len(calls) == 3 * 2 + 2:  # the second of three layers, in the third step
            raise InterruptedError
        return RowEntropy()(seen)

    model, inputs = zoo.build("llama")
    with pytest.raises(InterruptedError), KVSmooth(**MOVING, score=score, timing="recompute")(model) as run:
        model.generate(**inputs, max_new_tokens=6)
    assert run.rates.shape == run.entropies.shape == (2, 3, 1)
    assert run.report()["steps"] == 2
