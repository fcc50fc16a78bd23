"""Rows under methods of others are those that attention was computed with, by the weights that eager attention hands out; or refused."""

import contextlib
import gc
import weakref
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import OPERA, PAI, FarSight, ImageBias, RepetitionPenalty
from kvsmooth.measures import group_mass, row_entropy
from kvsmooth.spans import GENERATED, GROUPS, SELF, token_groups
from probes.patching import patched
from probes.recorders import DEFAULT_RECORDERS, RECORDERS
from probes.regimes import record_inputs
from probes.tracing.attended import REWEIGHTED, Attended, opened
from probes.tracing.collector import StepCollector
from probes.tracing.rows import Scored, newest_mask
from probes.tracing.steps import GenerationSetting
from probes.tracing.tokens import Forcing
from probes.tracing.tracing import Tracing
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, GENERATION, Forced, neutral, said, shared, some_pairs, strong
from tests.rounding import assert_close

ROWS = ("entropy", "mass")


def slowly(family: str, method: Any, tokens: torch.Tensor) -> Any:
    """What transformers itself hands out while the method is at work: weights, states and logits of every step."""
    model, inputs = shared(family, "eager", 2)
    told = {"output_attentions": True, "output_hidden_states": True}
    with method(model):
        return model.generate(**inputs, **GENERATION, **told, max_new_tokens=tokens.shape[1], logits_processor=[Forced(tokens)])


def recorded(family: str, method: Any, tokens: torch.Tensor, recorders=ROWS, attn: str = "sdpa"):
    model, inputs = zoo.build(family, attn=attn, batch=2)
    return record_inputs(model, inputs, method, captions=tokens.tolist(), recorders=recorders, eos_token_id=zoo.EOS)


@cache
def spoken(family: str) -> torch.Tensor:
    """What a model says by itself, the same for every method; llava, which meets them all, says more."""
    model, inputs = shared(family, batch=2)
    return said(model, inputs, tokens=4 if family == "llava" else 3)[1]


def check_states_and_logits(trace: Any, expected: Any, tokens: torch.Tensor) -> None:
    """Passes of the method's own, beside the text, are none of its steps."""
    said_at = torch.stack(expected.logits).float().log_softmax(-1).gather(-1, tokens.T[..., None])[..., 0]
    assert_close(trace.values["log_probability"], said_at)
    for step, states in enumerate(expected.hidden_states):
        # transformers' last state is behind the final norm
        slow = torch.stack([torch.linalg.vector_norm(state[:, -1].float(), dim=-1) for state in states[1:-1]])
        assert_close(trace.values["norm_hidden"][step, :-1], slow)


@pytest.mark.parametrize(("method", "family"), [pair for pair in some_pairs(every=8) if pair.values[0] not in REWEIGHTED])
def test_what_is_recorded_is_what_the_method_does(method, family):
    """Rows, states and logits."""
    tokens = spoken(family)
    trace = recorded(family, strong(method), tokens, ("probability", "norms", *ROWS))
    expected = slowly(family, strong(method), tokens)
    check_states_and_logits(trace, expected, tokens)
    model, inputs = shared(family, batch=2)
    groups = token_groups(model, inputs["input_ids"], inputs["attention_mask"])
    for step, layers in enumerate(expected.attentions):
        told = torch.nn.functional.pad(groups, (0, step), value=GENERATED)
        told[:, -1] = SELF
        for layer, row in enumerate(one[:, :, -1].float() for one in layers):
            assert_close(trace.values["row_entropy"][step, layer], row_entropy(row))
            seen = told[:, told.shape[1] - row.shape[-1] :]
            assert_close(trace.values["mass"][step, layer], group_mass(row, seen, len(GROUPS)))


@pytest.mark.parametrize(("method", "family"), [pair for pair in some_pairs(every=8) if pair.values[0] in REWEIGHTED])
def test_rows_that_are_not_known_are_refused_and_all_else_is_what_the_method_does(method, family):
    tokens = spoken(family)
    with pytest.raises(Unsupported, match=f"attention rows under {method} are not known"):
        recorded(family, strong(method), tokens)
    trace = recorded(family, strong(method), tokens, ("probability", "norms"))
    check_states_and_logits(trace, slowly(family, strong(method), tokens), tokens)


def test_the_method_is_seen_in_the_rows():
    """Not the plain row of states that the method has moved: a bias shows in the very first layer, whose states nothing has moved."""
    tokens = spoken("llava")
    plain, biased = (recorded("llava", arm, tokens).values["mass"][1:, 0, :, :, GROUPS.index("image")] for arm in (None, ImageBias(3.0)))
    assert_close(torch.logit(biased), torch.logit(plain) + 3.0)
    assert_close(recorded("llava", ImageBias(3.0), tokens).values["mass"][0], recorded("llava", None, tokens).values["mass"][0])


@pytest.mark.parametrize("method", REWEIGHTED)
def test_what_has_no_row_is_recorded_without_rows(method):
    tokens = spoken("llava")
    trace = recorded("llava", strong(method), tokens, ("drift", "probability"))
    plain = recorded("llava", None, tokens, ("drift", "probability"))
    assert not torch.equal(trace.values["drift_image"][1:], plain.values["drift_image"][1:])
    assert_close(recorded("llava", neutral(method), tokens).values["row_entropy"], recorded("llava", None, tokens).values["row_entropy"])


def test_every_default_recorder_serves_methods_that_do_not_smooth():
    trace = recorded("llava", PAI(alpha=0.7, layers=ALL), spoken("llava"), DEFAULT_RECORDERS)
    assert trace.values["rate"].isnan().all()
    assert trace.values["row_entropy"].isfinite().all()


@dataclass(frozen=True)
class Both:
    """An arm of one's own that opens a method within KVSmooth."""

    @contextlib.contextmanager
    def __call__(self, model):
        with KVSmooth(layers=ALL)(model) as run, PAI(alpha=0.7, layers=ALL)(model):
            yield run


def test_rows_of_a_method_inside_another_arm_are_refused():
    with pytest.raises(Unsupported, match="that another arm opens are not known"):
        recorded("llava", Both(), spoken("llava"))
    assert recorded("llava", Both(), spoken("llava"), ("drift",)).values["drift_image"].isfinite().any()


@pytest.mark.parametrize("arm", [None, neutral("image_bias"), ImageBias(1.0), KVSmooth(layers=ALL)])
def test_rows_under_a_method_that_is_open_around_the_recording_are_refused(arm):
    """They were recorded as if it were not there."""
    model, inputs = zoo.build("llava", batch=2)
    tokens = spoken("llava").tolist()
    with PAI(alpha=0.7, layers=ALL)(model):
        with pytest.raises(Unsupported, match=r"that is open already are not known; leave its `with` and name it as the arm"):
            record_inputs(model, inputs, arm, captions=tokens, recorders=ROWS)
        record_inputs(model, inputs, None, captions=tokens, recorders=("drift",))
    assert record_inputs(model, inputs, None, captions=tokens, recorders=ROWS).values["row_entropy"].isfinite().any()


def test_kvsmooth_around_the_recording_is_recorded_as_the_arm_is_and_takes_no_method_beside_it():
    tokens, method = spoken("llava"), KVSmooth(layers=ALL, timing="recompute", window=3)
    model, inputs = zoo.build("llava", batch=2)
    with method(model):
        around = record_inputs(model, inputs, None, captions=tokens.tolist(), recorders=ROWS)
        with pytest.raises(Unsupported, match="image_bias inside KVSmooth are not known"):
            record_inputs(model, inputs, ImageBias(1.0), captions=tokens.tolist(), recorders=ROWS)
    expected = recorded("llava", method, tokens)
    assert_close(around.values["mass"], expected.values["mass"])
    assert not torch.equal(expected.values["mass"], recorded("llava", None, tokens).values["mass"])


@dataclass(frozen=True)
class Wrapped:
    """An arm of one's own that says nothing of when KVSmooth acts."""

    of: Any

    def __call__(self, model):
        return self.of(model)


def test_when_kvsmooth_acts_is_seen_within_another_arm():
    tokens, method = spoken("llava"), KVSmooth(layers=ALL, timing="recompute", window=3)
    assert_close(recorded("llava", Wrapped(method), tokens).values["mass"], recorded("llava", method, tokens).values["mass"])


def test_a_method_that_searches_with_beams_is_refused_by_what_it_is():
    for recorders in (ROWS, ("drift",)):
        with pytest.raises(Unsupported, match=r"^opera searches with beams, and recording follows one sequence a row; record another"):
            recorded("llava", OPERA(), spoken("llava"), recorders)


def test_nan_is_told_as_without_the_method():
    model, inputs = zoo.build("llava", batch=2)
    with torch.no_grad():
        zoo.decoder_of(model).layers[1].self_attn.q_proj.weight[0, 0] = torch.nan
    with pytest.raises(Unsupported, match="gave NaN for the next token's scores"):
        record_inputs(model, inputs, ImageBias(1.0), max_new_tokens=3, recorders=ROWS)


def test_attention_that_cannot_be_heard_is_refused_in_the_method_s_name_or_by_its_mask():
    model, inputs = zoo.build("llava", batch=2)
    zoo.decoder_of(model).set_attn_implementation("flex_attention")
    with pytest.raises(Unsupported, match=r'^repetition_penalty needs "sdpa" or "eager" attention; got'):
        record_inputs(model, inputs, RepetitionPenalty(1.5), max_new_tokens=3, recorders=ROWS)
    blocks = create_block_mask(lambda row, head, query, key: query >= key, 1, 1, 8, 8, device="cpu")
    with pytest.raises(Unsupported, match="rows by a BlockMask are not known"):
        newest_mask(blocks, 8)


def test_a_call_is_handed_on_as_it_was_made_and_only_for_the_output_that_came_of_it():
    attended, query, key, mask = Attended("mine"), torch.randn(1, 2, 3, 4), torch.randn(1, 1, 3, 4), torch.zeros(1, 1, 3, 3)
    heard = attended.on(lambda module, query, *given, **more: (query.transpose(1, 2), None))
    for changed in (0.0, 1.0):
        output, _ = heard(SimpleNamespace(layer_idx=7), query, key, key, mask, scaling=0.25, softcap=30.0)
        if changed:
            with pytest.raises(Unsupported, match="attention rows under mine are not known"):
                attended.take(7, output + changed)
        else:
            assert attended.take(7, output) == Scored(query, key, mask, 0.25, 30.0)


def test_neither_the_text_s_cache_nor_a_branch_s_outlives_the_generation():
    model, inputs = zoo.build("llava", batch=2)
    tracing, caches = Tracing(model), []
    watch = lambda module, args, kwargs: caches.append(weakref.ref(kwargs["past_key_values"]))  # noqa: E731
    zoo.decoder_of(model).register_forward_pre_hook(watch, with_kwargs=True)
    tokens = spoken("llava").tolist()
    groups = token_groups(model, inputs["input_ids"], inputs["attention_mask"])
    setting = GenerationSetting(groups, tracing.layers, 4)
    collector = StepCollector(setting, [RECORDERS["mass"](setting)], recompute=True)
    with opened(model, strong("vcd"), rows=True) as block:
        forcing = [Forcing(tokens, 4, zoo.EOS)]
        tracing.generate(dict(inputs), collector, attended=block.attended, max_new_tokens=4, logits_processor=forcing)
    assert collector.steps == 4
    gc.collect()
    assert len(caches) == 8, "the text's passes and the branch's"
    assert not any(one() for one in caches)
    assert not block.attended._calls


def test_a_patch_clamps_the_rows_that_the_method_makes():
    """With the image's mass of the method's own rows nothing changes; with that of plain rows the plain distribution comes back in part."""
    model, inputs = zoo.build("llava", batch=2)
    captions, method = spoken("llava").tolist(), ImageBias(2.0)
    own = patched(model, inputs, captions, method, keep_rows=True)
    same = patched(model, inputs, captions, method, visual_mass=own.rows)
    assert_close(same.log_probabilities, own.log_probabilities)
    plain = patched(model, inputs, captions, keep_rows=True)
    clamped = patched(model, inputs, captions, method, visual_mass=plain.rows)
    # a bias changes nothing but the image's mass, so that its clamp takes all of it back
    assert_close(clamped.log_probabilities, plain.log_probabilities)
    with pytest.raises(Unsupported, match="farsight"):
        patched(model, inputs, captions, FarSight(), keep_rows=True)
