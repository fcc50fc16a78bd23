"""Received attention, displacement, logit spread, jumps and the contextual lens, on every family, against maps, states and caches."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from kvsmooth import KVSmooth
from kvsmooth.spans import IMAGE, token_groups
from probes.recorders import RECORDERS
from probes.recorders.received import Received
from probes.recordings.schema import LAGS, RECEIVED_WINDOW
from probes.regimes import record_inputs
from probes.session import record
from tests.probes.recorders.reference_replay import replayed
from tests.rounding import assert_close, bound
from tests.zoo import FAMILIES, build, decoder_of, turns

QUICK = ("llava", "gemma3")
OTHERS = [name for name in FAMILIES if name not in QUICK]
NAMES = ("received", "displacement", "logits", "gain", "patches")
CAPTIONS = [[7, 9, 30, 22, 8, 40, 33, 12, 13, 41], [12, 13, 41, 5, 9]]
WINDOW = 3
STEPS = RECEIVED_WINDOW + 3


def arm_of(name, layers):
    return {
        "baseline": None,
        "after": KVSmooth(layers=range(layers - 1), window=3),
        "recompute": KVSmooth(layers=range(1, layers), window=3, timing="recompute"),
    }[name]


def windows_of(model):
    """How many keys each layer lets a query see."""
    text = model.config.get_text_config()
    layers = len(decoder_of(model).layers)
    kinds = getattr(text, "layer_types", None) or ["sliding_attention"] * layers
    return [text.sliding_window if kind == "sliding_attention" and getattr(text, "sliding_window", None) else 10**9 for kind in kinds]


def cells(trace, found):
    for row, caption in enumerate(CAPTIONS):
        for step in range(len(caption)):
            for layer in range(len(found.rows[0])):
                yield step, layer, row


def close(got, wanted, scale=1.0):
    """Equal but for rounding of values of this size, or both NaN."""
    return (math.isnan(got) and math.isnan(wanted)) or got == pytest.approx(wanted, abs=bound([wanted, scale]))


def check_received(trace, found, windows):
    for step, layer, row in cells(trace, found):
        wanted = math.nan
        # all queries are the caption's own, and the last of them still sees the token
        if step + WINDOW < len(CAPTIONS[row]) and windows[layer] > WINDOW:
            shares = []
            for query in range(step + 1, step + WINDOW + 1):
                weights = found.rows[query][layer][row]
                key = weights.shape[-1] - 1 - (query - step)
                shares.append(np.mean([head[key].item() for head in weights]))
            wanted = float(np.mean(shares))
        assert close(trace.values["received"][step, layer, row].item(), wanted), (step, layer, row)


def check_displacement(trace, found):
    for step, layer, row in cells(trace, found):
        state = [found.hidden[i][layer][row, -1].double().numpy() for i in range(step + 1)]
        for i, lag in enumerate(LAGS):
            moved = math.nan if step < lag else sum((state[step] - state[step - lag]) ** 2)
            product = math.nan
            if step > lag:
                product = sum((state[step] - state[step - 1]) * (state[step - lag] - state[step - lag - 1]))
            scale = sum(state[step] ** 2)  # a difference of states errs as the states do
            assert close(trace.values["displacement"][step, layer, row, i].item(), moved, scale=scale)
            assert close(trace.values["increment_product"][step, layer, row, i].item(), product, scale=scale)


def check_logits(trace, found):
    for step, row in {(step, row) for step, _, row in cells(trace, found)}:
        logits = found.logits[step][row].double().numpy()
        assert close(trace.values["logit_mean"][step, row].item(), float(np.mean(logits)))
        assert close(trace.values["logit_variance"][step, row].item(), float(np.var(logits)))


def check_patches(trace, found, groups):
    for step, layer, row in cells(trace, found):
        state = found.hidden[step][layer][row, -1].double()
        image = found.hidden[0][layer][row][groups[row] == IMAGE].double()
        cosines = [(state @ patch / state.norm() / patch.norm()).item() for patch in image]
        assert close(trace.values["patch_cosine"][step, layer, row].item(), max(cosines, default=math.nan))


def check_gain(trace, found):
    smoothed = () if found.run is None else found.run.layers
    last = len(CAPTIONS[0]) - 1
    for step, layer, row in cells(trace, found):
        for part, name in enumerate(("jump_key", "jump_value")):
            wanted = math.nan
            if step:
                wanted = (found.raw[layer, step][part][row] - found.raw[layer, step - 1][part][row]).double().norm().item()
            assert close(trace.values[name][step, layer, row].item(), wanted)
            # the cache at the end still holds what smoothing left; a sliding one the last positions only
            states = (found.cache.layers[layer].keys, found.cache.layers[layer].values)[part]
            newest = states.shape[2] - 1 - (last - step)
            got = trace.values[f"{name}_smoothed"][step, layer, row].item()
            if layer not in smoothed or step == 0:
                assert math.isnan(got)
            elif newest >= 1:
                wanted = (states[row, :, newest] - states[row, :, newest - 1]).double().norm().item()
                assert close(got, wanted), (name, step, layer, row)


# what is recorded of an arm that smooths is recorded of the baseline too: on the rest of the zoo the arms that smooth, in turn
@pytest.mark.parametrize(
    ("family", "arm"),
    [(family, arm) for family in QUICK for arm in ("baseline", "after", "recompute")]
    + [pytest.param(*one, marks=pytest.mark.slow) for one in turns(OTHERS, ("after", "recompute"))],
)
def test_recorded_numbers_equal_those_of_maps_states_and_caches(family, arm, monkeypatch):
    model, inputs = build(family, batch=2)
    slow, _ = build(family, attn="eager", batch=2)
    method = arm_of(arm, len(decoder_of(model).layers))
    found = replayed(slow, inputs, CAPTIONS, method, monkeypatch)
    monkeypatch.setitem(RECORDERS, "received", partial(Received, window=WINDOW))
    trace = record_inputs(model, inputs, method, captions=CAPTIONS, recorders=NAMES)
    check_received(trace, found, windows_of(slow))
    check_displacement(trace, found)
    check_logits(trace, found)
    check_patches(trace, found, token_groups(model, inputs["input_ids"], inputs["attention_mask"]))
    check_gain(trace, found)


def test_windows_longer_than_the_caption_and_the_prompt_give_nothing():
    model, inputs = build("llava", batch=2)
    short = [CAPTIONS[0][:2], CAPTIONS[1][:1]]
    trace = record_inputs(model, inputs, captions=short, recorders=("received", "displacement"))
    assert trace.values["received"].isnan().all()
    assert trace.values["displacement"][0].isnan().all()
    assert trace.values["displacement"][1, ..., 0].isfinite().all()
    assert trace.values["displacement"][1, ..., 1:].isnan().all()


@pytest.mark.slow
def test_a_rate_of_one_leaves_no_jump_and_smoothing_nothing_leaves_them_as_they_are():
    model, inputs = build("llava", batch=2)
    held, neutral = (KVSmooth(lambda_ref=rate, margin=0.0, layers=[1], window=3) for rate in (1.0, 0.0))
    still = record_inputs(model, inputs, held, captions=CAPTIONS, recorders=("gain",))
    assert still.values["jump_key_smoothed"][1:, 1].max() < 1e-6
    assert still.values["jump_key"][1:, 1].min() > 0.1
    moving = record_inputs(model, inputs, neutral, captions=CAPTIONS, recorders=("gain",))
    assert torch.equal(moving.values["jump_value_smoothed"][1:, 1], moving.values["jump_value"][1:, 1])


@pytest.mark.parametrize("options", [{"cache_implementation": "static"}, {"prefill_chunk_size": 3}])
def test_static_caches_and_chunked_prompts_give_the_same_numbers(options):
    model, inputs = build("llava", batch=2)
    method = KVSmooth(layers=[1, 2], window=3)
    names = (*NAMES, "dependency")
    plain = record_inputs(model, inputs, method, captions=CAPTIONS, recorders=names)
    other = record_inputs(model, inputs, method, captions=CAPTIONS, recorders=names, **options)
    for name, value in plain.values.items():
        assert_close(value, other.values[name], told=name)


@pytest.mark.slow
def test_a_padded_row_is_recorded_as_it_would_be_alone():
    model, inputs = build("llava", batch=2)
    method = KVSmooth(layers=[1, 2], window=3)
    whole = record_inputs(model, inputs, method, captions=CAPTIONS, recorders=(*NAMES, "dependency"))
    own = inputs["attention_mask"][1].bool()
    alone = {"input_ids": inputs["input_ids"][1:, own], "attention_mask": inputs["attention_mask"][1:, own]}
    alone["pixel_values"] = inputs["pixel_values"][1:]
    single = record_inputs(model, alone, method, captions=CAPTIONS[1:], recorders=(*NAMES, "dependency"))
    for name, value in single.values.items():
        among = whole.values[name][: len(CAPTIONS[1])]
        among = among[:, 1:] if value.dim() == 2 else among[:, :, 1:]
        assert_close(among, value, told=name)


@pytest.mark.slow
def test_recorders_agree_with_each_other_in_a_whole_recording(subject, items):
    every = tuple(name for name in RECORDERS if name not in ("lens", "layer_lens"))
    arms = {"baseline": None, "kvsmooth": KVSmooth()}
    found = record(subject, items[:2], arms, "replay", max_new_tokens=STEPS, recorders=every, progress=False)
    norm, moved = found.norm_hidden, found.displacement.sel(lag=1)
    before = norm.shift(step=1)
    cosine = np.cos(found.drift_step.sel(channels="all"))
    assert np.allclose(moved[:, :, 1:], (norm**2 + before**2 - 2 * norm * before * cosine)[:, :, 1:], rtol=1e-3, atol=1e-3)
    # K~_t - K~_{t-1} = (1 - rate) (K_t - K~_{t-1}) and K~_t - K_t = rate (K~_{t-1} - K_t)
    smoothed = found.sel(arm="kvsmooth")
    heads = decoder_of(subject.model).config.num_key_value_heads
    whole = smoothed.norm_key * heads**0.5
    expected = (1 - smoothed.rate) / smoothed.rate * smoothed.change_key * whole
    acts = smoothed.rate.notnull()
    assert acts.any()
    assert (smoothed.jump_key_smoothed.notnull() == acts).all()
    assert np.allclose(smoothed.jump_key_smoothed.where(acts), expected.where(acts), rtol=1e-3, equal_nan=True)
    assert found.jump_key_smoothed.sel(arm="baseline").isnull().all()
    bounds = {"received": (0, 1), "patch_cosine": (-1, 1), "dependency_jsd": (0, math.log(2)), "dependency_hellinger": (0, 1)}
    for name, (low, high) in bounds.items():
        values = found[name].values[np.isfinite(found[name].values)]
        assert len(values), name
        assert values.min() >= low - 1e-6, name
        assert values.max() <= high + 1e-6, name
    # of the first tokens fed alone do all of the queries that are asked follow
    assert found.received.notnull().all(("arm", "image", "layer")).values.tolist() == [
        step < STEPS - RECEIVED_WINDOW for step in range(STEPS)
    ]
