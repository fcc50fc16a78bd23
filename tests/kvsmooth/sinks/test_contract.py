"""What every detector promises: declared needs, a time at which it is known, a unit, frozen options, a score for each token."""

import dataclasses
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

import kvsmooth.sinks
from kvsmooth.sinks import SINKS, BosCosine, FirstTokens, KeyNorm, MeanReceived, Punctuation, RowEntropy, SinkGap, View, VisualSink
from kvsmooth.sinks.detector import KNOWN
from kvsmooth.sinks.prompt import prompt_statistics
from kvsmooth.sinks.toy import STOP, planted
from kvsmooth.sinks.whole import whole
from probes.subjects.emoji import WEIGHTS

FIELDS = {field.name for field in dataclasses.fields(View)}
ONE_FILE = {"__init__", "channels", "chosen", "detector", "needs", "positions", "prompt", "view", "toy", "whole"}
"""Files of the folder that are no detector."""


def detector(name: str):
    return SINKS[name](ids=(STOP,)) if name == "punctuation" else SINKS[name]()


@pytest.mark.parametrize("name", SINKS)
def test_a_detector_says_what_it_is(name):
    entry = SINKS[name]
    assert entry.name == name
    assert entry.needs
    assert entry.needs <= FIELDS
    assert entry.known in KNOWN
    assert entry.unit
    assert entry.__dataclass_params__.frozen
    assert entry.__module__ == f"kvsmooth.sinks.{name}"
    threshold = detector(name).threshold
    assert threshold is None or isinstance(threshold, float)


def test_one_detector_a_file():
    files = {path.stem for path in Path(kvsmooth.sinks.__file__).parent.glob("*.py")}
    assert files - ONE_FILE == set(SINKS)


@pytest.mark.parametrize("name", SINKS)
def test_needs_are_enough(name):
    """With the named parts and the masks alone the score is the same."""
    seen, one = planted(), detector(name)
    named = View(**{part: getattr(seen, part) for part in one.needs})
    torch.testing.assert_close(one(named), one(seen), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in SINKS if SINKS[name].known != "later"])
def test_the_newest_token_alone_scores_as_in_the_whole_text(name):
    """While decoding one token is seen, and a static cache has room behind it."""
    seen, one = planted(), detector(name)
    rows, keys, room = 1, seen.probabilities.shape[-1], 5
    expected = one(seen)
    for token in range(6, keys):
        held = torch.arange(keys + room) <= token

        def longer(states, axis, fill=0.0, size=token + 1):
            kept = states.narrow(axis, 0, size)
            return torch.cat((kept, torch.full_like(states.narrow(axis, 0, 1), fill).repeat_interleave(keys + room - size, axis)), axis)

        newest = View(
            probabilities=longer(seen.probabilities[..., token : token + 1, :], 4),
            logits=longer(seen.logits[..., token : token + 1, :], 4, -torch.inf),
            keys=longer(seen.keys, 3, 7.0),
            values=longer(seen.values, 3, 7.0),
            key=seen.key[..., token : token + 1, :],
            value=seen.value[..., token : token + 1, :],
            hidden=seen.hidden[:, :, token : token + 1],
            prompt=seen.prompt,
            tokens=seen.tokens[:, token : token + 1],
            visible=held[None].expand(rows, -1),
        )
        torch.testing.assert_close(one(newest), expected[..., token : token + 1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in SINKS if SINKS[name].known == "later"])
def test_what_only_later_queries_tell_refuses_one_row(name):
    row = planted().probabilities[..., -1:, :]
    with pytest.raises(ValueError, match="later ones included; got 1 row "):
        detector(name)(View(row))


@pytest.mark.parametrize(
    ("name", "options", "law"),
    [
        ("first_tokens", {"n_sink": 0}, "positive integer"),
        ("sink_head", {"n_sink": 0}, "positive integer"),
        ("column_product", {"scale": 0.0}, "above 0"),
        ("column_product", {"form": "sum"}, "one of"),
        ("column_product", {"form": "reference", "per_row": True}, "per_row must be False"),
        ("visual_sink", {"channels": ()}, "channel numbers"),
        ("visual_sink", {"energy": 1.5}, r"\[0, 1\)"),
        ("row_entropy", {"keys": "some"}, "one of"),
    ],
)
def test_options_are_checked(name, options, law):
    with pytest.raises(ValueError, match=law):
        SINKS[name](**options)


def test_punctuation_needs_ids_and_finds_them_in_a_tokenizer():
    with pytest.raises(ValueError, match="use Punctuation"):
        Punctuation()
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    assert sorted(tokenizer.convert_ids_to_tokens(Punctuation.of(tokenizer).ids)) == [",", ".", ":"]


def test_a_threshold_as_energy_fires_where_the_width_forbids_the_published_one():
    """phi is at most the root of the width."""
    hidden = torch.randn(1, 1, 6, 64, generator=torch.Generator().manual_seed(0))
    hidden[0, 0, 2, 5] = 1e4
    seen = View(hidden=hidden)
    assert not VisualSink(channels=(5,)).fires(seen).any()
    assert VisualSink(channels=(5,), energy=0.1).fires(seen).nonzero().tolist() == [[0, 0, 0, 2]]
    share = VisualSink(channels=(5,))(seen)[0, 0, 0, 2].square() / 64
    assert float(share) == pytest.approx(1.0, abs=1e-3)


def test_energy_and_threshold_are_one_scale():
    """tau = 20 is 400 / D of the energy."""
    seen = planted()
    width = seen.hidden.shape[-1]
    assert torch.equal(VisualSink().fires(seen), VisualSink(energy=400 / width).fires(seen))


def test_a_detector_without_a_threshold_only_ranks():
    with pytest.raises(ValueError, match=r"KeyNorm.threshold must be a number.*use ranks"):
        KeyNorm().fires(planted())


def test_padding_never_fires():
    """Not even below a threshold of less than nothing."""
    states = torch.randn(2, 2, 2, 9, 8, generator=torch.Generator().manual_seed(0))
    hidden = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(1))
    visible = torch.tensor([[1] * 9, [0] * 4 + [1] * 5]).bool()
    seen = whole(states[0], states[1], states[1], hidden, visible=visible, prompt=prompt_statistics(hidden, visible))
    for one in (BosCosine(threshold=-2.0), SinkGap(threshold=-100.0), MeanReceived(threshold=-1.0)):
        fired = one.fires(seen)
        assert torch.equal(fired, visible[:, None].expand_as(fired[0])[None])


def test_rows_are_normalised_by_the_keys_they_see():
    """Exactly uniform rows score 1, past a sliding window too."""
    query, key = torch.zeros(1, 2, 12, 4), torch.zeros(1, 2, 12, 4)
    distance = torch.arange(12)[:, None] - torch.arange(12)
    window = ((distance >= 0) & (distance < 5))[None, None]
    seen = whole(query, key, key, mask=window)
    torch.testing.assert_close(RowEntropy(normalise=True)(seen)[..., 1:], torch.ones(1, 1, 2, 11))


def test_a_mask_of_keys_tells_padding_by_itself():
    """First tokens are first among tokens, not among padded positions."""
    states = torch.randn(2, 2, 7, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1] * 7, [0, 0, 1, 1, 1, 1, 1]])
    alone, told = whole(states, states, states, mask=mask), whole(states, states, states, visible=mask.bool())
    assert torch.equal(alone.visible, mask.bool())
    assert torch.equal(alone.probabilities, told.probabilities)
    assert FirstTokens(n_sink=1)(alone)[0, :, 0].argmax(-1).tolist() == [0, 2]


def test_channels_beyond_the_width_are_refused():
    with pytest.raises(ValueError, match=r"VisualSink.channels must lie below 16, the width of the model; got \(3, 16\)."):
        VisualSink(channels=(3, 16))(View(hidden=torch.randn(1, 1, 4, 16)))


def test_whole_reads_every_kind_of_mask_alike():
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, 7, 8, generator=draw)
    key, value = torch.randn(2, 2, 2, 7, 8, generator=draw).unbind(0)
    visible = torch.tensor([[1] * 7, [0, 0, 1, 1, 1, 1, 1]]).bool()
    causal = torch.ones(7, 7).tril().bool() & visible[:, None, None]
    additive = torch.zeros(2, 1, 7, 7).masked_fill(~causal, torch.finfo(torch.float32).min)
    low = torch.zeros(2, 1, 7, 7, dtype=torch.float16).masked_fill(~causal, torch.finfo(torch.float16).min)
    expected = whole(query, key, value, visible=visible, softcap=2.0)
    assert torch.equal(expected.probabilities.sum(-1) > 0.5, visible[None, :, None].expand(1, 2, 4, 7))
    for mask in (causal, additive, low, visible.long()):
        seen = whole(query, key, value, mask=mask, visible=visible, softcap=2.0)
        assert torch.equal(seen.probabilities, expected.probabilities)
        assert torch.equal(seen.logits, expected.logits)
