"""The subject as users meet it: the same doors as the toy's, on 30 layers with a sink and massive activations."""

import pytest
import torch

from analysis.captions.mentions import mentions
from kvsmooth import KVSmooth
from probes import load_subject, record
from probes.regimes import record_inputs
from probes.subjects.bundled import own_scenes
from probes.tracing.tokens import end_tokens, free_captions
from tests.kvsmooth.reference import reference_of
from tests.probes.recorders.reference import slow_statistics
from tests.rounding import assert_close, of_model

pytestmark = pytest.mark.slow
NAMED = 16
"""Steps of a caption in which "potted plant" has been said."""
TOKENS = 6
"""Mostly of a single scene: the pass over a prompt is dear here, and rows of a batch are kept apart in the tests over the zoo."""


@pytest.fixture(scope="module")
def subject(read_once):
    return load_subject("smollm2")


@pytest.fixture(scope="module")
def inputs(subject):
    return subject.encode(subject.items(1))


@pytest.fixture
def eager(subject):
    """The model on eager attention, for a test."""
    before = subject.model.config._attn_implementation
    subject.model.set_attn_implementation("eager")
    yield subject.model
    subject.model.set_attn_implementation(before)


def greedy(model, inputs, **options):
    with torch.no_grad():
        return model.generate(**inputs, do_sample=False, max_new_tokens=TOKENS, output_logits=True, return_dict_in_generate=True, **options)


def test_kvsmooth_equals_the_slow_reference(subject, eager):
    model, inputs = eager, subject.encode(subject.items(2))
    options = KVSmooth(lambda_ref=0.5, margin=0.5, window=4, layers=range(3, 29))
    expected, rates = reference_of(model, inputs, options, TOKENS)
    model.set_attn_implementation("sdpa")
    with options(model) as run:
        out = greedy(model, inputs)
    with KVSmooth()(model) as default:
        pass
    assert run.layers == default.layers
    assert_close(torch.stack(out.logits), expected, of_model(model))
    torch.testing.assert_close(run.rates, rates, atol=1e-6, rtol=0)


def test_a_neutral_method_changes_nothing(subject, inputs):
    plain = greedy(subject.model, inputs)
    with KVSmooth(lambda_ref=0.0, margin=0.0)(subject.model):
        neutral = greedy(subject.model, inputs)
    assert torch.equal(plain.sequences, neutral.sequences)
    assert all(torch.equal(a, b) for a, b in zip(plain.logits, neutral.logits, strict=True))


@pytest.mark.parametrize("arm", [None, KVSmooth(window=3)], ids=["baseline", "kvsmooth"])
def test_probes_equal_eager_maps(inputs, eager, arm, monkeypatch):
    found, new, _ = slow_statistics(eager, inputs, arm, TOKENS, monkeypatch)
    eager.set_attn_implementation("sdpa")
    trace = record_inputs(eager, inputs, arm, max_new_tokens=TOKENS)
    assert trace.tokens.tolist() == new.tolist()
    for name in ("row_entropy", "mass", "norm_key", "norm_value"):
        for cell, expected in found[name].items():
            assert_close(trace.values[name][cell], torch.tensor(expected, dtype=torch.float64), 1e-5, told=f"{name} at {cell}")


def test_a_replay_of_its_own_caption_is_the_free_recording(subject, tmp_path):
    items = subject.items(1)
    options = {"max_new_tokens": TOKENS, "recorders": ("entropy", "mass"), "progress": False, "out": tmp_path}
    free, replay = (record(subject, items, regime=regime, **options) for regime in ("free", "replay"))
    assert free["token_predicted"].values.tolist() == replay["token_predicted"].values.tolist()
    assert_close(torch.tensor(free["row_entropy"].values), torch.tensor(replay["row_entropy"].values), 1e-5)
    assert float(free["mass"].sel(group="bos").isel(layer=slice(12, 29)).mean()) > 0.3, "a sink at the first token"


def test_a_saved_folder_says_the_same_and_names_of_several_tokens_are_found(subject, tmp_path):
    _, scene = own_scenes("smollm2", 2)  # with a potted plant
    inputs = subject.encode(subject.items(2)[1:])
    given = {"do_sample": False, "num_beams": 1, "max_new_tokens": NAMED}
    (said,) = free_captions(subject.model, inputs, end_tokens(subject.speaker), **given)
    named = mentions(subject, said, scene.names)
    assert {mention.object for mention in named} & scene.names
    assert any(mention.last_step > mention.step for mention in named), "no name of several tokens"
    subject.model.save_pretrained(tmp_path)
    subject.processor.save_pretrained(tmp_path)
    copy = load_subject(str(tmp_path))
    again = copy.encode(subject.items(2)[1:])
    assert free_captions(copy.model, again, end_tokens(copy.speaker), **given) == [said]
