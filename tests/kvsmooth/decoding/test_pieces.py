"""Pieces of decoding by themselves: masks by position, prompts in pieces, places in caches, rows that leave, branches."""

import pytest
import torch
import transformers as hf
from transformers import DynamicCache, StaticCache

from kvsmooth import Unsupported
from kvsmooth.decoding.cache_slots import capacity, newest_pair, newest_slots, write_newest
from kvsmooth.decoding.calls import given_ids
from kvsmooth.decoding.hidden import PromptStates, visible_positions
from kvsmooth.decoding.refusals import refuse_right_padding
from kvsmooth.decoding.stream import Stream, writing
from kvsmooth.decoding.text import Text
from kvsmooth.sinks.prompt import prompt_statistics
from tests import zoo

MASK = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
CAUSAL = torch.ones(6, 6).tril().bool() & MASK.bool()[:, None, None]
"""As attention has it, "row 1 query key": a padded token does not see itself."""


def additive(dtype):
    return torch.zeros(2, 1, 6, 6, dtype=dtype).masked_fill(~CAUSAL, torch.finfo(dtype).min)


@pytest.mark.parametrize("length", [1, 3, 6])
@pytest.mark.parametrize("room", [0, 2], ids=["exact", "static"])
@pytest.mark.parametrize("kind", ["positions", "boolean", "float32", "float16", "by kind of layer", "by another kind"])
def test_every_mask_tells_the_same_positions(length, room, kind):
    whole = {"positions": MASK, "float32": additive(torch.float32), "float16": additive(torch.float16)}.get(kind, CAUSAL)
    mask = torch.nn.functional.pad(whole[..., :6], (0, room))
    if mask.dim() == 4:
        mask = mask[:, :, 6 - length :]
    other = torch.zeros_like(mask)
    mask = {"by kind of layer": {"sliding_attention": other, "full_attention": mask}, "by another kind": {"chunked_attention": mask}}.get(
        kind, mask
    )
    assert torch.equal(visible_positions(mask, length, 6), MASK[:, 6 - length :].bool())


def test_a_mask_that_tells_nothing_is_refused_and_none_shows_all():
    assert visible_positions(None, 3, 6) is None
    for mask, told in ((MASK[:, :5], r"shape \(2, 5\)"), (CAUSAL, r"shape \(2, 1, 6, 6\)"), (MASK[0], r"shape \(6,\)"), ("full", "str")):
        with pytest.raises(Unsupported, match=rf"^KVSmooth\.score needs the attention_mask of all 6 positions .*; got {told}\.$"):
            visible_positions(mask, 3, 6)


def test_a_prompt_in_pieces_has_the_statistics_of_the_whole():
    hidden, kept = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0)), PromptStates()
    kept.note(4, hidden[:, :2], MASK[:, :2].bool())
    kept.note(4, hidden[:, 2:], None)
    kept.summarise()
    expected = prompt_statistics(hidden, MASK.bool())
    (told,) = kept.of((4,))
    for part in ("first", "norm", "magnitude", "massive"):
        assert torch.equal(getattr(told, part), getattr(expected, part))
    kept.forget_pieces()
    kept.summarise()  # nothing new to tell
    kept.reorder(torch.tensor([1, 1, 0]))
    assert torch.equal(kept.of((4,))[0].first, expected.first[:, [1, 1, 0]])
    with pytest.raises(Unsupported, match="needs the hidden states of the whole prompt"):
        kept.of((4, 5))


def states(tokens):
    return torch.arange(float(2 * tokens)).view(1, 2, tokens, 1)


def test_the_newest_token_lies_last_or_where_a_static_layer_has_come_to():
    config = hf.LlamaConfig(**zoo.TEXT)
    dynamic, static = DynamicCache(config=config), StaticCache(config=config, max_cache_len=7)
    for cache in (dynamic, static):
        cache.update(states(3), states(3), 0)
        cache.update(states(1) + 90, states(1) + 95, 0)
    assert newest_slots(dynamic.layers[0]) is None
    slots = newest_slots(static.layers[0])
    assert slots.tolist() == [2, 3]
    for cache, places in ((dynamic, None), (static, slots)):
        keys = cache.layers[0].keys
        assert newest_pair(keys, places)[0, :, :, 0].tolist() == [[2, 90], [5, 91]]
        before = keys.clone()
        write_newest(keys, places, torch.full((1, 2, 1), -1.0))
        assert (keys != before).nonzero()[:, 2].tolist() == [3, 3]
        assert keys[0, :, 3, 0].tolist() == [-1, -1]


def test_steps_that_a_cache_may_see():
    config = hf.LlamaConfig(**zoo.TEXT)
    assert capacity(DynamicCache(config=config), 50) is None
    assert capacity(StaticCache(config=config, max_cache_len=7), 50) == 7
    sliding = hf.MistralConfig(**zoo.TEXT, sliding_window=4)
    assert capacity(StaticCache(config=sliding, max_cache_len=7), 50) == 50


def test_ids_of_a_prompt_are_found_under_either_name():
    ids, mask = torch.zeros(2, 9, dtype=torch.long), torch.ones(2, 9)
    assert given_ids({"input_ids": ids, "attention_mask": mask}) == (ids, mask)
    assert given_ids({"inputs": ids}) == (ids, None)
    assert given_ids({}) is None
    assert given_ids({"input_ids": ids[:, :0]}) is None


def test_padding_behind_a_prompt_is_refused_by_its_row():
    refuse_right_padding(None)
    refuse_right_padding(MASK)
    refuse_right_padding(MASK[:, :0])
    refuse_right_padding(torch.zeros(2, 1, 6, 6))
    with pytest.raises(Unsupported, match=r'which is padding in row 1; pad with padding_side="left"\.$'):
        refuse_right_padding(torch.tensor([[0, 1], [1, 0], [1, 0]]))


def text(*tokens, ends=(1,)):
    made = Text(ends)
    for token in tokens:
        made.feed(torch.tensor(token))
    return made


def test_a_branch_follows_a_text_that_it_is_fed_but_for_a_last_token():
    whole = text([5], [6], [7], [8])
    for tokens, follows in (
        ([5, 6, 7, 8], True),
        ([6, 7], True),
        ([8, 9], True),
        ([7, 8, 9], True),
        ([6, 9, 9], False),
        ([7, 8, 9, 9], False),
    ):
        assert text(*[[token] for token in tokens]).follows(whole) is follows, tokens
    whole.feed(None)
    assert text([9], [9], [9]).follows(whole)


def test_rows_that_leave_are_fed_what_ended_them():
    left = text([5, 6, 7])
    left.keep(torch.tensor([0, 2]))
    left.feed(torch.tensor([8, 9]))
    left.keep(torch.tensor([1]))
    left.feed(torch.tensor([4]))
    assert torch.stack(left.fed).tolist() == [[5, 6, 7], [8, 1, 9], [1, 1, 4]]
    for other in (text([5, 6], ends=()), text()):
        with pytest.raises(Unsupported, match="follows rows that leave a batch only in plain decoding"):
            other.keep(torch.tensor([0]))
    beams = text([5, 6])
    beams.reorder(torch.tensor([1, 0]))
    beams.reorder(torch.tensor([1, 1]))
    assert beams.moves[1].tolist() == [0, 0]
    with pytest.raises(Unsupported, match="rows that leave"):
        beams.keep(torch.tensor([0]))


def test_a_stream_is_ready_when_its_prompt_is_fed():
    stream = Stream(2, 5)
    assert [stream.ready, Stream(2, 0).ready] == [False, True]
    stream.feed(4)
    assert not stream.ready
    stream.feed(1)
    assert (stream.ready, stream.fed) == (True, 5)
    with pytest.raises(RuntimeError, match="before its first pass"):
        _ = stream.kept
    with pytest.raises(Unsupported, match="needs the token ids of all 7 prompt positions; got 0"):
        stream.groups(zoo.build("llama")[0])


def test_a_branch_is_one_that_began_within_a_text_and_is_fed_it():
    first, second, third = Stream(0, 3), Stream(0, 3), Stream(0, 3)
    for stream, began, last in ((first, 1, 9), (second, 2, 8), (third, 2, 8)):
        stream.began, stream.last = began, last
    first.text, second.text, third.text = text([5], [6], [7]), text([6], [7]), text([6], [9], [9])
    assert writing([first, second, third]) == [first, third]
    second.began = 9
    assert writing([first, second, third]) == [first, second, third]
    third.aside = True
    assert writing([first, second, third]) == [first, second]
