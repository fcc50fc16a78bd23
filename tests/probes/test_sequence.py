"""Whole texts, layer by layer: equal to transformers' own maps and states, and to the rows that decoding step by step attends with."""

import gc
import weakref

import pytest
import torch

from kvsmooth.spans import GENERATED, PADDING, token_groups
from probes.command.cli import BadInput
from probes.regimes import record_inputs
from probes.sequence import LayerView, layers_of, texts, with_captions
from probes.tracing.tracing import Tracing
from tests.rounding import SUM, assert_close
from tests.zoo import FAMILIES, IMAGE, build, decoder_of, turns

CAPTIONS = ([7, 9, 30, 22, 8, 40, 33], [12, 13, 41, 5])
FEW = ("llava", "gemma3")
BOTH = ("sdpa", "eager")
OTHERS = [name for name in FAMILIES if name not in FEW]
TIERS = [*FEW, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]


def views(model, inputs) -> list[LayerView]:
    kept: list[LayerView] = []
    layers_of(model, inputs, kept.append)
    return kept


def plain_hooks(model) -> dict[int, torch.Tensor]:
    """The input of every layer; transformers' `hidden_states` lack what Qwen3-VL adds to it between layers."""
    seen: dict[int, torch.Tensor] = {}
    for i, layer in enumerate(decoder_of(model).layers):

        def note(module, given, named, i=i):
            seen[i] = (given[0] if given else named["hidden_states"]).clone()

        layer.register_forward_pre_hook(note, with_kwargs=True)
    return seen


@pytest.mark.parametrize(
    ("family", "attn"),
    [(family, attn) for family in FEW for attn in BOTH] + [pytest.param(*one, marks=pytest.mark.slow) for one in turns(OTHERS, BOTH)],
)
def test_a_layer_is_what_transformers_own_outputs_say_it_is(family, attn):
    slow, inputs = build(family, attn="eager", batch=2)
    whole, _ = with_captions(slow, inputs, CAPTIONS)
    inputs_of_layers = plain_hooks(slow)
    said = slow.generate(**whole, max_new_tokens=1, output_attentions=True, return_dict_in_generate=True, use_cache=True)
    model, _ = build(family, attn=attn, batch=2)
    found = views(model, whole)
    assert [view.layer for view in found] == list(range(len(decoder_of(slow).layers)))
    for view in found:
        real = view.visible
        probabilities, maps = view.probabilities(), said.attentions[0][view.layer]
        hidden, cached = inputs_of_layers[view.layer], said.past_key_values.layers[view.layer]
        for row in range(2):
            assert_close(probabilities[row][:, real[row]], maps[row][:, real[row]])
            assert not probabilities[row][:, ~real[row]].any()
            assert not probabilities[row][..., ~real[row]].any()
            assert_close(view.hidden[row][real[row]], hidden[row][real[row]])
            for mine, theirs in ((view.key, cached.keys), (view.value, cached.values)):
                held = theirs.shape[2]  # a sliding layer keeps the last positions only
                keep = real[row][-held:]
                assert_close(mine[row, :, -held:][:, keep], theirs[row][:, keep])


@pytest.mark.parametrize("family", TIERS)
def test_rows_and_keys_are_those_of_decoding_step_by_step(family):
    model, inputs = build(family, batch=2)
    tracing = Tracing(model)
    whole, _ = with_captions(model, inputs, CAPTIONS)
    # what is fed is all that is predicted, but the last token
    trace = record_inputs(tracing, inputs, captions=[[*caption, 3] for caption in CAPTIONS], recorders=("entropy", "mass", "norms"))
    for view in views(tracing, whole):
        probabilities = view.probabilities()
        norms = view.key.float().square().sum(-1).mean(1).sqrt()
        for row, caption in enumerate(CAPTIONS):
            steps = len(caption) + 1
            entropy = torch.special.entr(probabilities[row]).sum(-1)[:, -steps:].T
            assert_close(entropy, trace.values["row_entropy"][:steps, view.layer, row])
            own = probabilities[row].diagonal(dim1=-2, dim2=-1)[:, -steps:].T
            assert_close(own, trace.values["mass"][:steps, view.layer, row, :, -1])
            assert_close(norms[row, -steps:], trace.values["norm_key"][:steps, view.layer, row])


@pytest.mark.parametrize("family", ["llava", "gemma3", "mistral"])
def test_without_padding_there_may_be_no_mask_and_a_query_still_sees_nothing_behind_it(family):
    model, inputs = build(family, batch=1)
    whole, _ = with_captions(model, inputs, CAPTIONS[:1])
    generated = len(CAPTIONS[0])
    found = views(model, whole)
    for view in found:
        probabilities = view.probabilities()
        assert_close(probabilities.sum(-1), torch.ones(probabilities.shape[:-1]))
        assert not probabilities[..., -generated:, :].triu(probabilities.shape[-1] - generated + 1).any()
    if family == "llava":
        assert all(view.mask is None and view.causal for view in found)


def test_a_slow_reference_of_logits_with_a_cap_an_additive_mask_and_grouped_heads():
    draw = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(2, heads, 5, 4, generator=draw) for heads in (4, 2, 2))
    visible = torch.tensor([[True] * 5, [False, True, True, True, True]])
    mask = torch.zeros(2, 1, 5, 5).masked_fill(~torch.ones(5, 5).tril().bool(), torch.finfo(torch.float32).min)
    mask[:, :, 4, 2] = 0.5  # a bias that is no hiding
    view = LayerView(0, torch.zeros(2, 5, 3), query, key, value, mask, visible, scaling=0.3, softcap=2.0)
    logits, probabilities = view.logits(), view.probabilities()
    for row in range(2):
        for head in range(4):
            for q in range(5):
                seen = [k for k in range(q + 1) if visible[row, q] and visible[row, k]]
                scores = {}
                for k in seen:
                    product = sum(query[row, head, q, c].double() * key[row, head // 2, k, c].double() for c in range(4)) * 0.3
                    scores[k] = 2 * torch.tanh(product / 2) + mask[row, 0, q, k].double()
                total = sum(score.exp() for score in scores.values())
                for k in range(5):
                    expected = scores.get(k, torch.tensor(-torch.inf)).item()
                    assert logits[row, head, q, k].item() == pytest.approx(expected, abs=SUM)
                    share = scores[k].exp() / total if k in scores else 0.0
                    assert probabilities[row, head, q, k].item() == pytest.approx(float(share), abs=SUM)


def test_the_batch_ends_at_one_position_and_says_what_every_position_is():
    model, inputs = build("llava", batch=2)
    whole, groups = with_captions(model, inputs, CAPTIONS)
    prompts = token_groups(model, inputs["input_ids"], inputs["attention_mask"])
    for row, caption in enumerate(CAPTIONS):
        n = len(caption)
        assert whole["input_ids"][row, -n:].tolist() == caption
        assert groups[row, -n:].tolist() == [GENERATED] * n
        real = prompts[row] != PADDING
        assert groups[row][groups[row] != PADDING].tolist() == prompts[row][real].tolist() + [GENERATED] * n
        assert ((groups[row] == PADDING) == (whole["attention_mask"][row] == 0)).all()
    assert whole["pixel_values"] is inputs["pixel_values"]
    with pytest.raises(BadInput, match="one caption a row"):
        with_captions(model, inputs, CAPTIONS[:1])


def test_a_caption_with_the_models_own_image_token_is_refused():
    model, inputs = build("llava", batch=2)
    with pytest.raises(BadInput, match=rf"row 1 holds the model's own image token {IMAGE}, .*suppress_tokens \[{IMAGE}\]"):
        with_captions(model, inputs, [[9, 8], [9, IMAGE, 8]])


@pytest.mark.slow
def test_nothing_of_a_layer_is_kept_after_its_visit():
    model, inputs = build("llava", batch=1)
    whole, _ = with_captions(model, inputs, CAPTIONS[:1])
    alive: list = []

    def visit(view: LayerView) -> None:
        gc.collect()
        assert sum(reference() is not None for reference in alive) <= 1, "the layer before the last is still held"
        alive.append(weakref.ref(view.key))

    layers_of(model, whole, visit)
    gc.collect()
    assert not any(reference() is not None for reference in alive)


def test_texts_of_a_subject_are_its_items_with_captions(subject, items):
    captions = [[5, 6, 7], [8], []]
    whole, groups = texts(subject, items[:3], captions)
    assert [(groups[row] == GENERATED).sum().item() for row in range(3)] == [3, 1, 0]
    seen = []
    layers_of(subject, whole, lambda view: seen.append(view.probabilities().shape))
    length = whole["input_ids"].shape[1]
    assert seen == [(3, 4, length, length)] * 12
