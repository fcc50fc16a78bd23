"""OPERA equals its authors' algorithm, replayed from the prompt for every candidate; what it cannot serve is refused."""

import math
from dataclasses import replace

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import METHODS, OPERA, EosBias, ImageBias, NothingChanged
from kvsmooth.baselines.over_trust import commonest, over_trust, trusted_places
from kvsmooth.baselines.retrospection import Retrospection
from tests import zoo
from tests.kvsmooth.baselines.cases import TEXT_ONLY, one_row
from tests.kvsmooth.cases import FAMILIES, Forced, shared

BEAMS, TOKENS = 2, 9
STRONG = OPERA(alpha=1.0, scale=20.0, threshold=1, candidates=2, first=0)
"""Goes back soon: of long products the first place is the largest."""
LATER = OPERA(alpha=1.0, scale=10.0, threshold=0, candidates=2, first=2)
"""Looks at the image first, and goes back to places behind, in some families."""
WITH_IMAGE = [family for family in FAMILIES if family.values[0] not in TEXT_ONLY]


def search(model, inputs, method=None, tokens=TOKENS, **options):
    """New tokens of beam search over one prompt, without an end; and the receipts."""
    wanted = {"max_new_tokens": tokens, "min_new_tokens": tokens, "num_beams": BEAMS, "length_penalty": 0.0, "eos_token_id": zoo.EOS}
    if method is None:
        return model.generate(**inputs, **(wanted | options)), None
    with method(model) as run:
        return model.generate(**inputs, **(wanted | options)), run


def by_hand(method, family, inputs, wanted):
    """New tokens of the authors' algorithm in plain Python, and how often it went back."""
    model, _ = shared(family, "eager", 2)
    prompt = inputs["input_ids"].shape[1]
    image = [place for place, token in enumerate(inputs["input_ids"][0].tolist()) if token == zoo.IMAGE]

    known = {}

    def look(prefixes):
        """Of each of these responses, of one length: the logits behind it, and the last layer's rows of its tokens.

        They are rows of one batch; that rows do not hang on one another is tested by itself.
        """
        new = [prefix for prefix in dict.fromkeys(prefixes) if prefix not in known]
        if new:
            forced = Forced(torch.tensor([(*prefix, 0) for prefix in new]))
            out = model.generate(
                **{name: torch.cat([value] * len(new)) for name, value in inputs.items()},
                max_new_tokens=len(new[0]) + 1,
                logits_processor=[forced],
                output_attentions=True,
                return_dict_in_generate=True,
            )
            for number, prefix in enumerate(new):
                rows = []
                for said, step in enumerate(out.attentions[1:]):
                    highest = step[-1][number, :, -1].double().amax(0)
                    row = (highest / highest.sum()).tolist()
                    rows.append([0.0] * (prompt + said + 1 - len(row)) + row)
                known[prefix] = forced.seen[-1][number], rows
        return [known[prefix] for prefix in prefixes]

    def trusted(rows):
        products = [1e-7 * math.prod(method.scale * row[prompt + j] for row in rows[j:]) for j in range(len(rows))]
        held = torch.tensor(products).half().tolist()
        return max(held), held.index(max(held))

    hypotheses = [((), 0.0)] + [((), -1e9)] * (BEAMS - 1)
    states, history, times, rejected, went_back = [], [], [0] * 512, {}, 0
    while len(hypotheses[0][0]) < wanted:
        found, beam_places = [], []
        behind = [logits for logits, _ in look([prefix for prefix, _ in hypotheses])]
        best = [logits.topk(method.candidates).indices.tolist() for logits in behind]
        look([(*prefix, token) for (prefix, _), tokens in zip(hypotheses, best, strict=True) for token in tokens])
        for (prefix, _), logits, tokens in zip(hypotheses, behind, best, strict=True):
            changed, places = torch.full_like(logits, -999.0), []
            for token in tokens:
                rows = known[(*prefix, token)][1]
                largest, place = trusted(rows)
                seen = sum(rows[-1][column] for column in image)
                penalty = -seen if len(rows) <= method.first else min(largest, 65504.0)
                changed[token] = logits[token] - method.alpha * penalty
                places.append(place)
            found.append(changed)
            beam_places.append(max(sorted(set(places)), key=places.count))
        length = len(hypotheses[0][0]) + 1
        history.append(beam_places)
        states.append(hypotheses)
        now = max(sorted(set(beam_places)), key=beam_places.count)
        back = None
        if now >= method.first and all(sum(then[beam] == now for then in history) > method.threshold for beam in range(BEAMS)):
            for position in (now + 1, now):
                if times[position] < method.candidates:
                    times[position] += 1
                    back = position
                    break
        if back is not None:
            went_back += 1
            step = min(back, length - 2)
            chosen = states[step + 1]
            states, history = states[: step + 1], history[: step + 1]
            hypotheses = states[step]
            rejected[back + 1] = []
            for prefix, _ in chosen:
                beam = next(number for number, (before, _) in enumerate(hypotheses) if before == prefix[:-1])
                rejected.setdefault(back, []).append((beam, prefix[-1]))
            found = [logits - logits.min() - 999.0 for logits, _ in look([prefix for prefix, _ in hypotheses])]
            for beam, token in rejected[back]:
                found[beam] = found[beam].index_fill(0, torch.tensor([token]), -999.0)
        grown = [
            ((*prefix, token), score + gain)
            for (prefix, score), changed in zip(hypotheses, found, strict=True)
            for token, gain in enumerate(changed.log_softmax(-1).tolist())
            if token != zoo.EOS
        ]
        hypotheses = sorted(grown, key=lambda one: -one[1])[:BEAMS]
    return list(hypotheses[0][0]), went_back


@pytest.mark.parametrize("family", WITH_IMAGE)
def test_it_equals_the_authors_algorithm(family):
    model, inputs = shared(family, batch=2)
    soon = TOKENS if family == "paligemma" else 6  # tokens until which it has gone back
    for row, (method, tokens) in enumerate(((STRONG, soon), (LATER, 7))):
        alone = one_row(inputs, row)
        expected, went_back = by_hand(method, family, alone, tokens)
        if not went_back and method is STRONG:  # with other weights than the usual ones
            tokens = TOKENS
            expected, went_back = by_hand(method, family, alone, tokens)
        out, run = search(model, alone, method, tokens)
        assert went_back > 0 or method is LATER
        assert out[0, -tokens:].tolist() == expected
        report = run.report()
        assert report["texts"] == 1
        assert report["rolled_back"] * (report["steps"] + 1) == pytest.approx(went_back, abs=1e-3)


@pytest.mark.parametrize(("method", "family"), [(STRONG, "llava"), (LATER, "idefics3")], ids=["strong", "later"])
def test_it_goes_back_and_says_something_else(method, family):
    """Or the test above would hold of a search that never does. Of which text it is so hangs on the models' seed."""
    model, both = shared(family, batch=2)
    different = 0
    for row in range(2):
        inputs = one_row(both, row)
        plain, _ = search(model, inputs)
        without, still = search(model, inputs, replace(method, threshold=99))
        out, run = search(model, inputs, method)
        assert still.report()["rolled_back"] == 0
        apart = len({tuple(found[0].tolist()) for found in (plain, without, out)}) == 3
        different += apart and run.report()["rolled_back"] > 0
    assert different


def test_padding_on_the_left_changes_nothing():
    model, inputs = zoo.build("llava", batch=2)
    padded = {name: value[1:] for name, value in inputs.items()}
    assert not padded["attention_mask"].all()
    assert torch.equal(search(model, padded, STRONG)[0][:, -TOKENS:], search(model, one_row(inputs, 1), STRONG)[0][:, -TOKENS:])


@pytest.mark.parametrize("family", WITH_IMAGE)
def test_neutral_options_are_the_identity(family):
    model, inputs = shared(family)
    out, run = search(model, inputs, OPERA(alpha=0.0, candidates=0), 5)
    assert torch.equal(out, search(model, inputs, None, 5)[0])
    assert run.report()["steps"] == 4


@pytest.mark.parametrize(
    "options",
    [
        {"length_penalty": 1.0, "num_return_sequences": 2},
        {"early_stopping": True, "length_penalty": 1.0},
        {"early_stopping": "never", "length_penalty": 2.0, "num_beams": 3},
        {"repetition_penalty": 1.3},
    ],
    ids=["lengths", "early", "never", "processor"],
)
def test_without_a_penalty_it_is_beam_search(options):
    """Its own loop, all tokens candidates, never going back; texts that end included."""
    model, inputs = zoo.build("llava")
    ends = search(model, inputs)[0][0, -3].item()
    free = OPERA(alpha=0.0, candidates=zoo.VOCABULARY, threshold=10**6)
    asked = {**options, "min_new_tokens": 1, "max_new_tokens": 6, "eos_token_id": [zoo.EOS, ends], "return_dict_in_generate": True}
    ours, plain = search(model, inputs, free, **asked)[0], search(model, inputs, **asked, output_scores=True)[0]
    lengths = [len(row) - len(row.flip(0).cumsum(0).eq(0).nonzero()) for row in ours.sequences]
    for mine, its, length in zip(ours.sequences, plain.sequences, lengths, strict=True):
        assert torch.equal(mine[:length], its[:length])
    torch.testing.assert_close(ours.sequences_scores, plain.sequences_scores, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("broken", [False, True])
def test_nothing_is_left_behind(broken):
    model, inputs = zoo.build("llava")
    expected, _ = search(model, inputs)

    def stop(ids, scores):
        raise KeyError("stop")

    if broken:
        with pytest.raises(KeyError):
            search(model, inputs, STRONG, logits_processor=[stop])
    else:
        search(model, inputs, STRONG)
    assert "generate" not in vars(model)
    assert zoo.decoder_of(model).config._attn_implementation == "sdpa"
    assert torch.equal(search(model, inputs)[0], expected)


def test_a_loop_of_ones_own_raises():
    model, inputs = zoo.build("llava")

    def loop():
        out = model(**inputs, use_cache=True)
        model(input_ids=torch.tensor([[5]]), past_key_values=out.past_key_values)

    with pytest.raises(NothingChanged, match="opera changed nothing although the model decoded"), STRONG(model), torch.no_grad():
        loop()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num_beams": 1}, "opera is a beam search and this call has no beams; pass num_beams=5"),
        ({"do_sample": True}, "opera is a beam search and does not sample"),
        ({"cache_implementation": "static"}, "opera goes back on a cache of its own"),
        ({"return_dict_in_generate": True, "output_logits": True}, "leave output_logits out"),
        ({"guidance_scale": 2.0}, "leave guidance_scale out"),
    ],
)
def test_what_it_cannot_serve_is_refused(options, told):
    model, inputs = zoo.build("llava")
    with STRONG(model), pytest.raises(Unsupported, match=told) as refused:
        model.generate(**inputs, **{"max_new_tokens": 3, "num_beams": 2, **options})
    assert "\n" not in str(refused.value)


def test_a_batch_is_refused():
    model, inputs = zoo.build("llava", batch=2)
    with STRONG(model), pytest.raises(Unsupported, match="goes back in one text at a time and got 2 prompts"):
        model.generate(**inputs, max_new_tokens=3, num_beams=2)


@pytest.mark.parametrize("family", TEXT_ONLY)
def test_a_prompt_without_an_image_is_refused(family):
    model, inputs = zoo.build(family)
    with STRONG(model), pytest.raises(Unsupported, match="opera changes what is seen of an image"):
        model.generate(**inputs, max_new_tokens=3, num_beams=2)


@pytest.mark.parametrize("other", [KVSmooth(layers=(0, 1, 2)), ImageBias(), EosBias()], ids=["kvsmooth", "image_bias", "eos_bias"])
@pytest.mark.parametrize("first", [False, True])
def test_no_other_method_goes_with_it(other, first):
    model, inputs = zoo.build("llava")
    opened = (STRONG, other) if first else (other, STRONG)
    with pytest.raises(Unsupported, match=r"which no other method follows|cannot be nested|open one of them alone") as refused:
        nested(model, inputs, opened)
    assert "\n" not in str(refused.value)


def nested(model, inputs, opened):
    with opened[0](model), opened[1](model):
        model.generate(**inputs, max_new_tokens=3, num_beams=2)


def test_the_penalty_is_the_largest_product_of_a_column():
    local = torch.tensor([[[0.5, 0.0], [0.25, 0.125]]])
    newest = torch.tensor([[[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]]])
    trust = over_trust(local, newest, 40.0)
    expected = torch.tensor([[[20 * 10 * 20, 5 * 10, 10], [0, 5 * 20, 20]]]) * 1e-7
    torch.testing.assert_close(trust, expected.half().float())
    assert trusted_places(trust).tolist() == [[0, 1]]
    assert trusted_places(torch.zeros(1, 1, 3)).tolist() == [[0]]
    assert commonest([4, 2, 2, 4, 9]) == 2


def test_candidates_may_be_none_only_without_a_penalty():
    with pytest.raises(ValueError, match=r"OPERA\.candidates must be at least 1, or alpha 0"):
        OPERA(candidates=0)
    assert METHODS["opera"] is OPERA


def test_what_was_given_up_one_place_further_on_is_forgotten():
    """Texts differ from here on, so that what was wrong there may be right now."""
    search = Retrospection(first=0, threshold=1, candidates=9)
    assert search.reject(5, 0, [(0, 7)]) == [(0, 7)]
    assert search.reject(7, 0, [(2, 3)]) == [(2, 3)]
    assert search.reject(4, 0, [(1, 2)]) == [(1, 2)]
    assert search.reject(5, 0, [(0, 9)]) == [(0, 9)]
    assert search.reject(5, 0, [(1, 1)]) == [(0, 9), (1, 1)]
    assert search.reject(7, 0, [(0, 4)]) == [(2, 3), (0, 4)]
