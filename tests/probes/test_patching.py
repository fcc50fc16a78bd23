"""Rows put in place of an arm's own: equal to a plain attention function that does it, neutral with own rows, exact in planted cases."""

import itertools

import pytest
import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from kvsmooth import KVSmooth, Unsupported
from probes.command.cli import BadInput
from probes.patching import NothingPatched, patched
from probes.regimes import record_inputs
from probes.tracing.rows import RecordedRows, Substitution, attention_output, clamped
from probes.tracing.tracing import Tracing
from tests.rounding import SUM, assert_close, bound
from tests.zoo import FAMILIES, build, decoder_of, turns

CAPTIONS = ([7, 9, 30, 22, 8], [12, 13, 41])
FEW = ("llava",)
OTHERS = [name for name in FAMILIES if name not in FEW]
OWN = ("rows", "visual_mass")
TIERS = [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
ATTENTIONS = dict.fromkeys(FEW, ("sdpa", "eager")) | {family: (attn,) for family, attn in turns(OTHERS, ("sdpa", "eager"))}


def gap(one, other) -> float:
    """Largest difference of log-probabilities over the steps that are a row's own, in units of what rounding explains."""
    differences = (one.log_probabilities - other.log_probabilities).abs() / bound(other.log_probabilities)
    return max(differences[:n, row].max().item() for row, n in enumerate(one.n_steps.tolist()))


def methods(n_layers: int) -> dict:
    return {
        "baseline": None,
        "after": KVSmooth(layers=range(n_layers), window=4),
        "recompute": KVSmooth(layers=range(n_layers), window=4, timing="recompute"),
    }


@pytest.mark.parametrize(
    ("family", "arm", "changed"),
    [(family, arm, OWN) for family in FEW for arm in ("baseline", "after", "recompute")]
    + [
        pytest.param(family, arm, (own,), marks=pytest.mark.slow)
        for family, (own, arm) in turns(OTHERS, list(itertools.product(OWN, ("after", "recompute"))))
    ],
)
def test_an_arm_with_its_own_rows_or_its_own_visual_mass_is_itself(family, arm, changed):
    model, inputs = build(family, batch=2)
    tracing = Tracing(model)
    method = methods(len(tracing.layers))[arm]
    plain = patched(tracing, inputs, CAPTIONS, method, keep_rows=True)
    # on the rest of the zoo one arm that smooths and one change in turn: they share the place in the layer, which a family may hide
    for name in changed:
        again = patched(tracing, inputs, CAPTIONS, method, **{name: plain.rows})
        assert gap(again, plain) <= 1
        # two captions of at most five tokens: four steps after the prompt
        assert again.patched == dict.fromkeys(tracing.layers, 4)


@pytest.mark.parametrize("family", TIERS)
def test_foreign_rows_act_as_in_a_plain_attention_function_that_uses_them(family):
    model, inputs = build(family, batch=2)
    rows = patched(model, inputs, CAPTIONS, methods(len(decoder_of(model).layers))["after"], keep_rows=True).rows
    baseline = patched(model, inputs, CAPTIONS)
    fresh, _ = build(family, batch=2)
    slow = plainly_patched(fresh, inputs, rows)
    for attn in ATTENTIONS[family]:
        if attn == "eager":
            model, _ = build(family, attn=attn, batch=2)
        found = patched(model, inputs, CAPTIONS, rows=rows)
        for row, caption in enumerate(CAPTIONS):
            assert_close(found.log_probabilities[: len(caption), row], slow[: len(caption), row])
        assert gap(found, baseline) > 10


def plainly_patched(model, inputs, rows: RecordedRows) -> torch.Tensor:
    """Log-probabilities "step row token" from a registered attention function with loops over rows and heads; no nnsight."""
    step = {"number": -1}
    base = AttentionInterface._global_mapping["sdpa"]

    def attend(module, query, key, value, mask, **options):
        if module.layer_idx == 0:
            step["number"] += 1
        if step["number"] == 0:
            return base(module, query, key, value, mask, **options)
        given = rows.steps[step["number"]][module.layer_idx].double()
        heads = query.shape[1]
        out = torch.zeros(len(query), 1, heads, value.shape[-1])
        for row in range(len(query)):
            for head in range(heads):
                for k in range(key.shape[2]):
                    out[row, 0, head] += (given[row, head, k] * value[row, head * value.shape[1] // heads, k].double()).float()
        return out, None

    AttentionInterface.register("plainly", attend)
    AttentionMaskInterface.register("plainly", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    decoder_of(model).set_attn_implementation("plainly")
    longest = max(map(len, CAPTIONS))
    forced = torch.tensor([[*caption, *[0] * (longest - len(caption))] for caption in CAPTIONS])
    logits, prompt = [], inputs["input_ids"].shape[1]

    def force(ids, scores):
        logits.append(scores.float().log_softmax(-1))
        return torch.full_like(scores, -torch.inf).scatter(1, forced[:, len(logits) - 1, None], 0.0)

    said = model.generate(**inputs, max_new_tokens=longest, logits_processor=[force])
    assert said[:, -longest:].tolist() == forced.tolist()
    assert prompt
    return torch.stack(logits)


@pytest.mark.parametrize("family", [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in ("gemma3", "qwen2_vl", "instructblip"))])
def test_smoothing_keys_has_no_direct_effect_and_values_of_one_layer_no_indirect_one(family):
    model, inputs = build(family, batch=2)
    tracing = Tracing(model)
    baseline = patched(tracing, inputs, CAPTIONS, keep_rows=True)
    keys = KVSmooth(layers=[1, 2], values=False, window=4)
    assert gap(patched(tracing, inputs, CAPTIONS, keys), baseline) > 10
    assert gap(patched(tracing, inputs, CAPTIONS, keys, rows=baseline.rows), baseline) <= 1
    # the rows of the layer whose values are smoothed depend on lower layers only, which are as they were
    values = KVSmooth(layers=[1], keys=False, window=4)
    smoothed = patched(tracing, inputs, CAPTIONS, values, keep_rows=True)
    assert gap(smoothed, baseline) > 10
    assert gap(patched(tracing, inputs, CAPTIONS, rows=smoothed.rows, layers=[1]), baseline) <= 1
    assert gap(patched(tracing, inputs, CAPTIONS, rows=smoothed.rows, layers=[2]), baseline) > 2


def test_at_the_first_smoothed_step_nothing_has_changed_yet_with_timing_after():
    model, inputs = build("llava", batch=2)
    tracing = Tracing(model)
    baseline = patched(tracing, inputs, CAPTIONS, keep_rows=True)
    smoothed = patched(tracing, inputs, CAPTIONS, methods(3)["after"], keep_rows=True)
    for step in (0, 1):  # the prompt's last position, and the first generated token, smoothed after its own attention
        for layer in range(3):
            assert_close(smoothed.rows.at(step, layer), baseline.rows.at(step, layer))
    assert (smoothed.rows.at(2, 0) - baseline.rows.at(2, 0)).abs().max() > 0.01
    values = patched(tracing, inputs, CAPTIONS, KVSmooth(layers=range(3), keys=False, window=4), keep_rows=True)
    indirect = patched(tracing, inputs, CAPTIONS, rows=values.rows)
    assert_close(indirect.log_probabilities[:2], baseline.log_probabilities[:2])
    assert_close(values.rows.at(2, 0), baseline.rows.at(2, 0))


@pytest.mark.slow
def test_the_rows_and_probabilities_are_those_that_a_recording_has():
    model, inputs = build("gemma3", batch=2)
    tracing = Tracing(model)
    method = KVSmooth(layers=[1, 2], window=4)
    replay = patched(tracing, inputs, CAPTIONS, method, keep_rows=True, tokens=range(64))
    trace = record_inputs(tracing, inputs, method, captions=CAPTIONS, recorders=("entropy", "probability"))
    assert torch.equal(replay.run.rates, patched(tracing, inputs, CAPTIONS, method).run.rates)
    for row, caption in enumerate(CAPTIONS):
        for step, token in enumerate(caption):
            assert replay.log_probabilities[step, row, token].item() == trace.values["log_probability"][step, row].item()
            for layer in range(4):
                entropy = torch.special.entr(replay.rows.at(step, layer)[row]).sum(-1)
                assert_close(entropy, trace.values["row_entropy"][step, layer, row])
    some = patched(tracing, inputs, CAPTIONS, method, tokens=[5, 3])
    assert torch.equal(some.log_probabilities, replay.log_probabilities[..., [5, 3]])


def test_a_clamped_row_has_the_mass_and_keeps_its_proportions():
    draw = torch.Generator().manual_seed(0)
    own, recorded = (torch.rand(2, 3, 7, generator=draw).softmax(-1) for _ in range(2))
    image = torch.tensor([[False, True, True, False, False, False, True], [False] * 7])
    found = clamped(own, recorded, image)
    for head in range(3):
        there = [k for k in range(7) if image[0, k]]
        elsewhere = [k for k in range(7) if not image[0, k]]
        for keys in (there, elsewhere):
            wanted, had = (sum(row[0, head, k].double() for k in keys) for row in (recorded, own))
            for k in keys:
                assert found[0, head, k].item() == pytest.approx((own[0, head, k] * wanted / had).item(), rel=SUM)
        assert found[0, head].sum().item() == pytest.approx(1, abs=SUM)
    assert torch.equal(found[1], own[1])


def test_a_mask_over_keys_alone_clamps_as_its_row_over_queries_does():
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 4, 1, 8), torch.randn(2, 2, 6, 8), torch.randn(2, 2, 6, 8)
    seen = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
    image = torch.tensor([[False, True, True, False, False], [False, False, True, True, False]])
    recorded = RecordedRows((((torch.randn(2, 4, 6) + seen[:, None].log()).softmax(-1),),) * 2)
    # for flash attention a model makes a mask (row key), for others one (row 1 query key), bool or added to the scores
    masks = (seen, seen[:, None, None].bool(), seen[:, None, None].float().log().clamp_min(torch.finfo(torch.float32).min))
    outputs = []
    for mask in masks:
        substitution = Substitution(None, recorded, image, {0: 0})
        outputs.append(substitution.output(0, 1, query, key, value, mask, None, None))
    for other in outputs[1:]:
        assert_close(other, outputs[0])


def test_outputs_of_grouped_heads_are_weighted_sums():
    draw = torch.Generator().manual_seed(1)
    probabilities, value = torch.rand(2, 4, 5, generator=draw).softmax(-1), torch.randn(2, 2, 5, 3, generator=draw)
    found = attention_output(probabilities, value)
    for row in range(2):
        for head in range(4):
            for channel in range(3):
                expected = sum(probabilities[row, head, k].double() * value[row, head // 2, k, channel].double() for k in range(5))
                assert found[row, 0, head, channel].item() == pytest.approx(expected.item(), abs=SUM)


def test_patching_is_never_silent():
    model, inputs = build("llava", batch=2)
    tracing = Tracing(model)
    rows = patched(tracing, inputs, CAPTIONS, keep_rows=True).rows
    with pytest.raises(NothingPatched, match=r"layers \[0, 1, 2\]"):
        patched(tracing, inputs, [[7], [12]], rows=rows)
    with pytest.raises(BadInput, match="5 steps"):
        patched(tracing, inputs, [[7] * 9, [12]], rows=rows)
    with pytest.raises(BadInput, match="same inputs"):
        patched(tracing, inputs, CAPTIONS, rows=RecordedRows(tuple(tuple(layer[:, :, 1:] for layer in step) for step in rows.steps)))
    with pytest.raises(BadInput, match="not both"):
        patched(tracing, inputs, CAPTIONS, rows=rows, visual_mass=rows)
    for layers in ([3], []):
        with pytest.raises(BadInput, match="layers must be one or more of"):
            patched(tracing, inputs, CAPTIONS, rows=rows, layers=layers)
    with pytest.raises(BadInput, match="one caption"):
        patched(tracing, inputs, CAPTIONS[:1])
    with pytest.raises(Unsupported, match="output=True"):
        patched(tracing, inputs, CAPTIONS, KVSmooth(layers=[1], output=True), rows=rows)
    assert patched(tracing, inputs, CAPTIONS, rows=rows, layers=[1]).patched == {1: 4}
