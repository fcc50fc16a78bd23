"""Rows under methods of others are those that attention was computed with, by the weights that eager attention hands out; or refused."""

import contextlib
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import PAI, FarSight, ImageBias
from kvsmooth.measures import group_mass, row_entropy
from kvsmooth.spans import GENERATED, GROUPS, SELF, token_groups
from probes.patching import patched
from probes.recorders import DEFAULT_RECORDERS
from probes.regimes import record_inputs
from probes.tracing.attended import REWEIGHTED
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, GENERATION, Forced, neutral, said, some_pairs, strong
from tests.rounding import assert_close

ROWS = ("entropy", "mass")


def slowly(family: str, method: Any, tokens: torch.Tensor) -> Any:
    """What transformers itself hands out while the method is at work: weights, states and logits of every step."""
    model, inputs = zoo.build(family, attn="eager", batch=2)
    told = {"output_attentions": True, "output_hidden_states": True}
    with method(model):
        return model.generate(**inputs, **GENERATION, **told, max_new_tokens=tokens.shape[1], logits_processor=[Forced(tokens)])


def recorded(family: str, method: Any, tokens: torch.Tensor, recorders=ROWS, attn: str = "sdpa"):
    model, inputs = zoo.build(family, attn=attn, batch=2)
    return record_inputs(model, inputs, method, captions=tokens.tolist(), recorders=recorders, eos_token_id=zoo.EOS)


def spoken(family: str) -> torch.Tensor:
    model, inputs = zoo.build(family, batch=2)
    return said(model, inputs)[1]


@pytest.mark.parametrize(("method", "family"), some_pairs())
def test_what_is_recorded_is_what_the_method_does(method, family):
    """Rows, states and logits; passes of the method's own, beside the text, are none of its steps."""
    tokens = spoken(family)
    known = method not in REWEIGHTED
    if not known:
        with pytest.raises(Unsupported, match=f"attention rows under {method} are not known"):
            recorded(family, strong(method), tokens)
    trace = recorded(family, strong(method), tokens, ("probability", "norms", *(ROWS if known else ())))
    expected = slowly(family, strong(method), tokens)
    said_at = torch.stack(expected.logits).float().log_softmax(-1).gather(-1, tokens.T[..., None])[..., 0]
    assert_close(trace.values["log_probability"], said_at)
    for step, states in enumerate(expected.hidden_states):
        # transformers' last state is behind the final norm
        slow = torch.stack([torch.linalg.vector_norm(state[:, -1].float(), dim=-1) for state in states[1:-1]])
        assert_close(trace.values["norm_hidden"][step, :-1], slow)
    if not known:
        return
    model, inputs = zoo.build(family, batch=2)
    groups = token_groups(model, inputs["input_ids"], inputs["attention_mask"])
    for step, layers in enumerate(expected.attentions):
        told = torch.nn.functional.pad(groups, (0, step), value=GENERATED)
        told[:, -1] = SELF
        for layer, row in enumerate(one[:, :, -1].float() for one in layers):
            assert_close(trace.values["row_entropy"][step, layer], row_entropy(row))
            seen = told[:, told.shape[1] - row.shape[-1] :]
            assert_close(trace.values["mass"][step, layer], group_mass(row, seen, len(GROUPS)))


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
