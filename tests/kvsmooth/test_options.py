"""Options are frozen, checked, described; policies and detectors do what their names say."""

import dataclasses
import json

import numpy as np
import pytest
import torch

import kvsmooth
from kvsmooth import KVSmooth, Unsupported
from kvsmooth.description import described
from kvsmooth.policies import Constant, FirstPass, Inverse, Percentile, Permuted, PolicySetting, Random, Shifted
from kvsmooth.presets import PRESETS
from kvsmooth.sinks import FirstTokens, Punctuation, RowEntropy, SinkHead, View, VisualSink
from tests import zoo
from tests.kvsmooth.cases import changed

FIRST = FirstPass(torch.rand(2, 1, 1), torch.tensor([2]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lambda_ref": 1.5}, r"KVSmooth.lambda_ref must lie in \[0, 1\]; got 1.5."),
        ({"margin": -0.1}, "KVSmooth.margin must be at least 0; got -0.1."),
        ({"window": 0}, "KVSmooth.window must be a positive integer; got 0."),
        ({"layers": ()}, r"KVSmooth.layers must be None or distinct layer numbers from 0; got \(\)."),
        ({"layers": (1, 1)}, "KVSmooth.layers must be None or distinct"),
        ({"layers": (-1,)}, "KVSmooth.layers must be None or distinct"),
        ({"keys": False, "values": False}, "KVSmooth.keys, values or output must be True"),
        ({"previous": "old"}, r"KVSmooth.previous must be one of \('smoothed', 'raw'\); got 'old'."),
        ({"rope": "none"}, "KVSmooth.rope must be one of"),
        ({"timing": "before"}, "KVSmooth.timing must be one of"),
        ({"heads": "max"}, "KVSmooth.heads must be one of"),
        ({"rank": "dense"}, "KVSmooth.rank must be one of"),
        ({"warmup": "none"}, "KVSmooth.warmup must be one of"),
    ],
)
def test_a_wrong_option_is_named_with_its_law(change, message):
    with pytest.raises(ValueError, match=message):
        KVSmooth(**change)


@pytest.mark.parametrize(
    ("whole", "change", "message"),
    [
        (KVSmooth(), {"score": "row_entropy"}, r"KVSmooth.score must be a detector, such as RowEntropy\(\), .*; got 'row_entropy'."),
        (KVSmooth(), {"score": RowEntropy}, "KVSmooth.score must be a detector"),
        (KVSmooth(), {"policy": "constant"}, r"KVSmooth.policy must be a policy, such as Percentile\(\); got 'constant'."),
        (KVSmooth(), {"policy": Percentile}, "KVSmooth.policy must be a policy"),
        (Inverse(), {"of": Percentile}, r"Inverse.of must be a policy, such as Percentile\(\); got <class"),
        (FIRST, {"steps": FIRST.steps.float()}, "FirstPass.steps must be integers; got torch.float32"),
        (FIRST, {"steps": [2]}, "FirstPass.steps must be a tensor; got list"),
        (KVSmooth(), {"window": 15.0}, "KVSmooth.window must be a positive integer; got 15.0"),
        (KVSmooth(), {"window": True}, "KVSmooth.window must be a positive integer; got True"),
        (KVSmooth(), {"layers": (1, 2.5)}, "KVSmooth.layers must be None or distinct layer numbers"),
        (KVSmooth(), {"mix_seed": 0.5}, "KVSmooth.mix_seed must be an integer; got 0.5"),
        (FirstTokens(), {"n_sink": 1.5}, "FirstTokens.n_sink must be a positive integer; got 1.5"),
        (SinkHead(), {"n_sink": True}, "SinkHead.n_sink must be a positive integer; got True"),
        (VisualSink((1,)), {"channels": (1.5,)}, "VisualSink.channels must be None or channel numbers from 0"),
        (Punctuation((1,)), {"ids": (3, 1.5)}, "Punctuation.ids must be integers; got 1.5"),
        (Shifted(FIRST), {"seed": 0.5}, "Shifted.seed must be an integer; got 0.5"),
        (Permuted(FIRST), {"seed": True}, "Permuted.seed must be an integer; got True"),
        (Random(FIRST), {"seed": None}, "Random.seed must be an integer; got None"),
    ],
)
def test_a_part_of_another_type_is_named(whole, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        changed(whole, **change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("whole", "change"),
    [
        (KVSmooth(), {"window": np.int64(15), "layers": np.arange(3, 5), "mix_seed": np.uint8(1), "lambda_ref": np.float32(0.5)}),
        (FirstTokens(), {"n_sink": np.int32(2)}),
        (VisualSink((1,)), {"channels": np.array([1, 2])}),
        (Permuted(FIRST), {"seed": np.int64(3)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numbers_of_numpy_are_numbers_and_are_described_as_such(whole, change):
    told = described(changed(whole, **change))
    for name, value in change.items():
        assert json.loads(json.dumps(told))[name] == (value.tolist() if isinstance(value, np.ndarray) else value)


def test_options_of_parts_are_checked_too():
    with pytest.raises(ValueError, match=r"RowEntropy.keys must be one of"):
        RowEntropy("pixels")
    with pytest.raises(ValueError, match=r"Constant.rate must lie in \[0, 1\]; got 2"):
        Constant(2.0)


def test_options_are_frozen_and_hashable():
    method = KVSmooth(layers=range(2, 5))
    assert method.layers == (2, 3, 4)
    assert hash(method) == hash(KVSmooth(layers=[4, 3, 2]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.window = 3


def test_description_is_json_and_complete():
    method = KVSmooth(layers=range(2), policy=Constant(0.5), score=RowEntropy("image"))
    described = json.loads(json.dumps(method.describe()))
    assert set(described) == {"method", *(field.name for field in dataclasses.fields(KVSmooth))}
    assert described["layers"] == [0, 1]
    assert described["policy"] == {"name": "constant", "rate": 0.5}
    assert described["score"] == {"name": "row_entropy", "keys": "image", "normalise": False}


def test_the_paper_s_band_and_bounds():
    assert KVSmooth().band(32) == tuple(range(3, 31))
    assert KVSmooth(lambda_ref=0.9).bounds == (0.7, 1.0)
    assert KVSmooth(lambda_ref=0.1).bounds == (0.0, 0.3)
    with pytest.raises(Unsupported, match=r"range\(3, 2\), empty for a decoder of 3 layers; pass layers="):
        KVSmooth().band(3)
    with pytest.raises(Unsupported, match=r"KVSmooth.layers must lie below 3"):
        KVSmooth(layers=(1, 3)).band(3)


def test_presets_hold_the_published_values_and_their_source():
    assert KVSmooth.preset("llava-1.5").lambda_ref == 0.9
    assert KVSmooth.preset("minigpt-4").lambda_ref == 0.5
    assert KVSmooth.preset("instructblip", exact=False) == KVSmooth(lambda_ref=0.7, window=15, exact=False)
    assert all("2602.04268" in preset.source for preset in PRESETS.values())
    with pytest.raises(ValueError, match=r"KVSmooth.preset must be one of"):
        KVSmooth.preset("gpt")


@pytest.mark.parametrize(("lambda_ref", "mean", "floor"), [(0.9, 0.74, 0.73), (0.7, 0.61, 0.53), (0.5, 0.49, 0.33)])
def test_the_mean_rate_of_independent_scores_is_the_documented_one(lambda_ref, mean, floor):
    """A clip is not its centre."""
    bounds = KVSmooth(lambda_ref=lambda_ref).bounds
    queue = Percentile().start(PolicySetting((1, 64), bounds=bounds))
    rates = torch.stack([queue.push(torch.rand(1, 64)) for _ in range(300)])[15:]
    assert float(rates.mean()) == pytest.approx(mean, abs=0.006)
    assert float((rates <= bounds[0] + 1e-6).float().mean()) == pytest.approx(floor, abs=0.02)


def test_queues_follow_their_rows():
    queue = Percentile().start(PolicySetting((1, 3), window=2))
    queue.push(torch.tensor([[1.0, 5.0, 9.0]]))
    queue.reorder(torch.tensor([2, 0, 0]))
    assert queue.push(torch.tensor([[6.0, 6.0, 0.5]])).tolist() == [[0.0, 0.5, 0.0]]


def test_constant_rates_depend_on_nothing():
    rates = Constant(0.3).start(PolicySetting((2, 3), window=1, bounds=(0.9, 1.0)))
    rates.reorder(torch.tensor([1, 0, 2]))
    assert torch.equal(rates.push(torch.randn(2, 3)), torch.full((2, 3), 0.3))


def test_a_normalised_uniform_row_scores_one_whatever_its_length():
    for keys in (2, 10, 500):
        score = RowEntropy(normalise=True)(View(torch.full((1, 1, 1, 1, keys), 1 / keys)))
        assert float(score) == pytest.approx(1.0, abs=1e-5)


def test_report_summarises_what_was_applied():
    model, inputs = zoo.build("llama", batch=2)
    with KVSmooth(lambda_ref=0.5, margin=0.5, window=4, layers=(0, 2))(model) as run:
        assert run.rates.shape == (0, 2, 0)
        assert run.report()["lambda_mean"] is None
        model.generate(**inputs, max_new_tokens=9)
    report = run.report()
    json.dumps(report)
    assert (report["steps"], report["layers"], report["rows"]) == (8, [0, 2], 2)
    assert report["lambda_mean"] == pytest.approx(float(run.rates.mean()))
    assert report["share_floor"] == pytest.approx(float((run.rates == 0).float().mean()))
    assert report["share_ceiling"] == pytest.approx(float((run.rates == 1).float().mean()))
    assert report["change_key_mean"] == pytest.approx(float(run.change_keys.mean()))
    assert report["change_value_mean"] == pytest.approx(float(run.change_values.mean()))


def test_public_names():
    assert set(kvsmooth.__all__) == {"KVSmooth", "NothingSmoothed", "Run", "Unsupported"}
