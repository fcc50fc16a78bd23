"""Free running and replay: who chooses the tokens, and where a row ends."""

import pytest
import torch
from transformers import GenerationConfig

from kvsmooth import KVSmooth, Unsupported
from probes.command.cli import BadInput
from probes.regimes import record_inputs
from probes.tracing.tokens import free_captions, lengths
from probes.tracing.tracing import Tracing
from tests.rounding import assert_close
from tests.zoo import build

CAPTIONS = [[7, 9, 11, 5, 2], [8, 8, 2]]
METHOD = KVSmooth(layers=range(3), lambda_ref=0.9)


def test_replay_feeds_every_arm_the_same_tokens():
    model, inputs = build("llava", batch=2)
    tracing = Tracing(model)
    base, smoothed = (record_inputs(tracing, inputs, arm, captions=CAPTIONS) for arm in (None, METHOD))
    for trace in (base, smoothed):
        assert trace.n_steps.tolist() == [5, 3]
        assert trace.tokens.tolist() == [CAPTIONS[0], [*CAPTIONS[1], -1, -1]]
    # the first layer sees the tokens alone until its own cache is smoothed; at step 0 nothing is
    for name in ("row_entropy", "drift_image", "norm_key"):
        assert torch.equal(base.values[name][0], smoothed.values[name][0])
        assert not torch.equal(base.values[name][2:], smoothed.values[name][2:])


def test_replay_of_the_free_caption_is_the_free_recording():
    model, inputs = build("qwen2_vl", batch=2)
    tracing = Tracing(model)
    free = record_inputs(tracing, inputs, max_new_tokens=5)
    replay = record_inputs(tracing, inputs, captions=free.tokens.tolist(), max_new_tokens=5)
    assert replay.tokens.tolist() == free.tokens.tolist()
    for name, value in free.values.items():
        assert torch.equal(value.nan_to_num(-9), replay.values[name].nan_to_num(-9)), name


def test_replay_reports_the_probability_of_the_forced_token_under_the_model():
    model, inputs = build("llama", batch=1)
    trace = record_inputs(model, inputs, captions=[[40, 41, 42]])
    whole = torch.cat((inputs["input_ids"], torch.tensor([[40, 41, 42]])), 1)
    logits = model(whole).logits[0, -4:-1].log_softmax(-1)
    assert_close(trace.values["log_probability"][:, 0], logits[range(3), [40, 41, 42]])


def test_a_caption_longer_than_the_bound_is_refused_and_not_cut():
    model, inputs = build("llama", batch=2)
    with pytest.raises(
        BadInput, match=rf"the caption of row 0 has {len(CAPTIONS[0])} tokens and max_new_tokens is 2; raise that, or shorten"
    ):
        record_inputs(model, inputs, captions=CAPTIONS, max_new_tokens=2)
    trace = record_inputs(model, inputs, captions=[[40, 2, 9, 9], [41, 2, 8]], max_new_tokens=2, eos_token_id=2)
    assert trace.tokens.tolist() == [[40, 2], [41, 2]], "what is behind the end is no part of a caption"


def test_captions_and_rows_belong_together():
    model, inputs = build("llama", batch=2)
    with pytest.raises(BadInput, match="one caption a row; got 1 for 2 rows"):
        record_inputs(model, inputs, captions=CAPTIONS[:1])


def test_captions_end_at_their_first_end_token():
    model, inputs = build("llama", batch=2)
    trace = record_inputs(model, inputs, captions=[[7, 2, 9, 9], [8, 8, 8, 2]], eos_token_id=2)
    assert trace.tokens.tolist() == [[7, 2, -1, -1], [8, 8, 8, 2]]
    assert trace.n_steps.tolist() == [2, 4]


def test_an_empty_caption_is_refused():
    model, inputs = build("llama", batch=2)
    with pytest.raises(BadInput, match="at least one token; that of row 1 is empty"):
        record_inputs(model, inputs, captions=[[5], []])


@pytest.mark.parametrize("method", [None, METHOD], ids=["baseline", "kvsmooth"])
def test_a_caption_of_one_token_is_one_step(method):
    model, inputs = build("llava", batch=2)
    trace = record_inputs(model, inputs, method, max_new_tokens=1)
    assert trace.n_steps.tolist() == [1, 1]
    assert all(len(value) == 1 for value in trace.values.values())


def test_a_row_that_ends_early_is_cut_at_its_own_end():
    model, inputs = build("llava", batch=2)
    free = model.generate(**inputs, max_new_tokens=8)[:, -8:]
    end = int(next(token for token in free[1] if token not in free[0]))
    trace = record_inputs(model, inputs, max_new_tokens=8, eos_token_id=end)
    length = free[1].tolist().index(end) + 1
    assert trace.n_steps.tolist() == [8, length]
    assert trace.tokens[1, :length].tolist() == free[1, :length].tolist()
    assert (trace.tokens[1, length:] == -1).all()


def test_generation_stops_when_every_row_has_ended():
    model, inputs = build("llama", batch=1)
    end = int(model.generate(**inputs, max_new_tokens=3)[0, -1])
    first = model.generate(**inputs, max_new_tokens=8)[0, -8:].tolist().index(end) + 1
    trace = record_inputs(model, inputs, max_new_tokens=8, eos_token_id=end)
    assert trace.n_steps.tolist() == [first]
    assert len(trace.values["row_entropy"]) == first


@pytest.mark.parametrize("whole", [{"eos_token_id": 2}, {"num_beams": 2}, {"do_sample": True}], ids=str)
@pytest.mark.parametrize("captions", [None, CAPTIONS], ids=["free", "replay"])
def test_a_whole_generation_configuration_is_refused(whole, captions):
    """Ends and beams hidden in it would be booked wrongly: a row that ended after one token had all the steps of its batch."""
    model, inputs = build("llama", batch=2)
    with pytest.raises(Unsupported, match="generation_config: recording takes its options one by one") as caught:
        record_inputs(model, inputs, captions=captions, generation_config=GenerationConfig(**whole))
    assert "\n" not in str(caught.value)


def test_ends_and_beams_of_the_models_own_configuration_count():
    model, inputs = build("llama", batch=1)
    model.generation_config.eos_token_id = int(model.generate(**inputs, max_new_tokens=1)[0, -1])
    assert record_inputs(model, inputs, max_new_tokens=8, generation_config=None).n_steps.tolist() == [1]
    model.generation_config.num_beams = 2
    with pytest.raises(Unsupported, match="num_beams=2"):
        record_inputs(model, inputs)


@pytest.mark.parametrize("family", ["llava", "instructblip"])
def test_the_models_own_captions_are_those_that_a_recording_hears(family):
    model, inputs = build(family, batch=2)
    spoken = free_captions(model, inputs, (), max_new_tokens=4)
    assert spoken == record_inputs(model, inputs, max_new_tokens=4).tokens.tolist()


def test_lengths_count_the_end_token():
    tokens = torch.tensor([[5, 2, 0], [5, 6, 7], [3, 5, 2]])
    assert lengths(tokens, (2, 3)).tolist() == [2, 3, 1]
    assert lengths(tokens, ()).tolist() == [3, 3, 3]


@pytest.mark.parametrize("by_the_model", [False, True])
def test_guidance_is_refused_by_its_name(by_the_model):
    """Its second forward would be read as the text's next step."""
    model, inputs = build("llama", batch=1)
    given = {} if by_the_model else {"guidance_scale": 1.5}
    model.generation_config.guidance_scale = 1.5 if by_the_model else None
    with pytest.raises(Unsupported, match=r"guidance_scale=1\.5: recording follows one sequence a row and one token a step"):
        record_inputs(model, inputs, **given)
