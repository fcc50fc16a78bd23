"""While decoding, each detector says of a token what it says of it in the whole text afterwards."""

import functools

import pytest
import torch

from kvsmooth import KVSmooth
from kvsmooth.sinks import SINKS
from tests import zoo
from tests.kvsmooth.cases import shared
from tests.kvsmooth.sinks import capture
from tests.rounding import assert_close

FAST = ("gemma3",)  # sliding windows and a prefix seen from both sides
CASES = [
    ("first_tokens", {"n_sink": 2}),
    ("row_entropy", {}),
    ("row_entropy", {"normalise": True}),
    ("row_entropy", {"keys": "without_bos"}),
    ("row_entropy", {"keys": "text", "normalise": True}),
    ("massive_activation", {}),
    ("visual_sink", {}),
    ("visual_sink", {"channels": (3, 17)}),
    ("value_drain", {}),
    ("key_norm", {}),
    ("key_outlier", {}),
    ("key_outlier", {"directions": True}),
    ("sink_gap", {}),
    ("residual_peak", {}),
    ("sink_head", {"n_sink": 3}),
    ("tag_variance", {}),
    ("bos_cosine", {}),
    ("punctuation", {"ids": (*range(8, 40),)}),
]
TOKENS = 5


@functools.cache
def afterwards(name: str):
    model, inputs, said = capture.generated(name, TOKENS)
    return said, capture.of(model, inputs, said)


def counted(text, keys: str):
    """Positions that a `keys` option counts."""
    kinds = {"image": text.ids == zoo.IMAGE, "text": text.ids != zoo.IMAGE, "without_bos": text.ids != zoo.BOS}
    return kinds.get(keys)


def keys_of(detector) -> str:
    return getattr(detector, "keys", "all")


def check(name: str, detector, **generation):
    """One run that smooths nothing, and one pass over what it said."""
    said, text = afterwards(name)
    model, inputs = shared(name, batch=2)
    layers = range(len(text.layers))
    with KVSmooth(lambda_ref=0.0, margin=0.0, layers=layers, score=detector)(model) as run:
        out = model.generate(**inputs, max_new_tokens=TOKENS, suppress_tokens=capture.NOT_SAID, **generation)
    assert torch.equal(out[:, -TOKENS:], said)
    live = run.entropies
    assert live.shape == (TOKENS - 1, len(layers), 2)
    for layer in layers:
        scores = detector(text.seen(layer, counted(text, keys_of(detector))))[0].mean(1)
        assert_close(live[:, layer].T, scores[:, text.start :], told=f"{name}, layer {layer}, {detector}")


@pytest.mark.parametrize(("sink", "options"), CASES)
@pytest.mark.parametrize("name", FAST)
def test_live_scores_are_those_of_the_whole_text(name, sink, options):
    check(name, SINKS[sink](**options))


class Together:
    """Detectors that count the same keys, as one: sees what any of them needs, keeps what each says, and scores by the first."""

    known = "step"

    def __init__(self, detectors):
        self.detectors, self.said = detectors, []
        self.needs = frozenset().union(*(detector.needs for detector in detectors))
        self.keys = keys_of(detectors[0])

    def __call__(self, seen):
        self.said.append([detector(seen) for detector in self.detectors])
        return self.said[-1][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in zoo.FAMILIES if name not in FAST])
def test_live_scores_are_those_of_the_whole_text_in_every_family(name):
    detectors = [SINKS[sink](**options) for sink, options in CASES]
    said, text = afterwards(name)
    for keys in sorted(set(map(keys_of, detectors))):
        model, inputs = shared(name, batch=2)
        layers = range(len(text.layers))
        together = Together([detector for detector in detectors if keys_of(detector) == keys])
        # one layer at a time, so that calls come in the order of layers
        with KVSmooth(lambda_ref=0.0, margin=0.0, layers=layers, score=together, timing="recompute")(model):
            out = model.generate(**inputs, max_new_tokens=TOKENS, suppress_tokens=capture.NOT_SAID)
        assert torch.equal(out[:, -TOKENS:], said)
        assert len(together.said) == (TOKENS - 1) * len(layers)
        for layer in layers:
            for number, detector in enumerate(together.detectors):
                live = torch.cat([call[number][0].mean(1) for call in together.said[layer :: len(layers)]], -1)
                scores = detector(text.seen(layer, counted(text, keys)))[0].mean(1)
                assert_close(live, scores[:, text.start :], told=f"{name}, layer {layer}, {detector}")


@pytest.mark.slow
@pytest.mark.parametrize("sink", [sink for sink in SINKS if SINKS[sink].known != "later"])
def test_a_static_cache_shows_the_same(sink):
    options = {"punctuation": {"ids": (*range(8, 40),)}}.get(sink, {})
    check("llava", SINKS[sink](**options), cache_implementation="static")


def test_the_cases_name_every_detector_of_real_time():
    assert {sink for sink, _ in CASES} == {sink for sink in SINKS if SINKS[sink].known != "later"}
