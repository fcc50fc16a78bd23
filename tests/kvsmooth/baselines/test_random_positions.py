"""The control of PAI: drawn columns of the text gain exactly what PAI would give the image, whatever the padding, and in every head."""

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kvsmooth.baselines import PAI, RandomPositions
from kvsmooth.baselines.random_positions import HALF, HIDDEN, MOST, chosen, draw, raised
from tests import zoo
from tests.kvsmooth.baselines.cases import TEXT_ONLY, forced, in_batch, in_turn, one_row, said, shared, strong
from tests.kvsmooth.baselines.slow_loop import SlowLoop
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import SUM, assert_close

LAYER = 1
SEEING = [family for family in FAMILIES if family.values[0] not in TEXT_ONLY]


def number(seed, layer, place):
    """MurmurHash3's finalizer, of one place, in plain integers."""
    mixed = (random.Random(f"random_positions {seed} {layer}").getrandbits(32) + place) % 2**32
    mixed = (mixed ^ mixed // 2**16) * 0x85EBCA6B % 2**32
    mixed = (mixed ^ mixed // 2**13) * 0xC2B2AE35 % 2**32
    return mixed ^ mixed // 2**16


def drawn_of(method, layer, free, prompt):
    """The drawn ones of some positions of a text."""
    numbers = {place: number(method.seed, layer, place - prompt) for place in free}
    return [place for place in free if numbers[place] < 2**31] or sorted(free, key=numbers.get)[:1]


class Slow(SlowLoop):
    """Weights are scaled after the softmax: those of drawn columns up to what they shall have, all others down."""

    def __init__(self, method, inputs):
        super().__init__(method, inputs)
        self.ids = inputs["input_ids"].tolist()

    def weigh(self, layer, query, key, scores, mask):
        queries, keys, prompt = query.shape[2], key.shape[2], len(self.ids[0])
        weights = (scores + mask).softmax(-1)
        if layer not in self.method.layers or self.fed < prompt:
            return weights
        for row, ids in enumerate(self.ids):
            seen = mask[min(row, len(mask) - 1), 0, -1] > -1e30
            places = [self.fed - keys + column for column in range(keys) if seen[column]]
            image = [place for place in places if place < prompt and ids[place] == zoo.IMAGE]
            drawn = drawn_of(self.method, layer, [place for place in places if place not in image], prompt)
            for head in range(scores.shape[1]):
                old, to = weights[row, head, -1].clone(), [place - self.fed + keys for place in drawn]
                changed = (scores + mask)[row, head, -1].clone()
                for place in image:
                    changed[place - self.fed + keys] += self.method.alpha * abs(scores[row, head, -1, place - self.fed + keys])
                at = [place - self.fed + keys for place in image]
                had = float(old[to].sum())
                wanted = min(had + float(changed.softmax(-1)[at].sum() - old[at].sum()), 1 - 1e-6)
                if image and had < wanted:
                    weights[row, head, -1] = old * (1 - wanted) / (1 - had)
                    weights[row, head, -1, to] = old[to] * wanted / had
        assert queries == 1 or self.fed == queries, "a prompt is read at once"
        return weights


@pytest.mark.parametrize(("family", "attn"), in_turn(SEEING))
def test_it_equals_its_slow_reference(family, attn):
    ours, tokens, run = in_batch("random_positions", family, attn)
    slow, inputs = shared(family, "eager", 2)
    with Slow(strong("random_positions"), inputs).on(slow):
        assert_close(ours[:4], forced(slow, inputs, tokens[:, :4]))
    report = run.report()
    assert report["drawn_mass"] > report["drawn_mass_without"]
    assert report["image_mass"] < report["image_mass_without"], "the image is among those that give"


def first_row(method, row=None, batch=2):
    """Attention of the first decode step in one layer, "row head key"; nothing was changed before it. And the inputs."""
    model, inputs = zoo.build("llava", attn="eager", batch=batch)
    inputs = inputs if row is None else one_row(inputs, row)
    wanted = {"max_new_tokens": 2, "min_new_tokens": 2, "output_attentions": True, "return_dict_in_generate": True}
    if method is None:
        out = model.generate(**inputs, **wanted)
    else:
        with method(model):
            out = model.generate(**inputs, **wanted)
    return out.attentions[1][LAYER][:, :, -1], inputs


def control(seed=3, alpha=0.4):
    return RandomPositions(alpha=alpha, layers=(LAYER,), prompt=False, seed=seed)


@pytest.mark.parametrize("seed", range(4))
def test_in_every_head_the_drawn_gain_exactly_what_pai_would_give_the_image(seed):
    plain, inputs = first_row(None)
    pai, _ = first_row(PAI(alpha=0.4, layers=(LAYER,), prompt=False))
    ours, _ = first_row(control(seed))
    prompt = inputs["input_ids"].shape[1]
    gains = []
    for row, ids in enumerate(inputs["input_ids"].tolist()):
        image = [place for place, token in enumerate(ids) if token == zoo.IMAGE]
        real = [place for place in range(prompt + 1) if place == prompt or inputs["attention_mask"][row, place]]
        drawn = drawn_of(control(seed), LAYER, [place for place in real if place not in image], prompt)
        given_to = (pai - plain)[row, :, image].sum(-1)
        gained = (ours - plain)[row, :, drawn].sum(-1)
        had = plain[row, :, drawn].sum(-1)
        assert_close(gained, torch.minimum(given_to, MOST - had), SUM)
        rest = [place for place in real if place not in drawn]
        share = (1 - (had + given_to).clamp_max(MOST)) / plain[row, :, rest].sum(-1)
        assert_close(ours[row, :, rest], share[:, None] * plain[row, :, rest], SUM)
        gains.append(torch.where(had + given_to < MOST, given_to, 0.0))
    gained = torch.stack(gains)
    assert float(gained.max()) > 0.05, "or nothing is tested"
    assert float((gained > 0).float().mean()) > 0.7, "the bound is met in few heads"


def rising(method, row=None):
    """The columns that a method raises in some head, by row, counted from the key axis's end."""
    rose = ((first_row(method, row)[0] - first_row(None, row)[0]) > 1e-6).any(1)
    return [{place - len(columns) for place, more in enumerate(columns.tolist()) if more} for columns in rose]


def test_padding_does_not_change_the_draw():
    together = rising(control())
    _, inputs = first_row(None)
    assert not inputs["attention_mask"].all(), "a row is padded"
    for row in range(2):
        assert together[row]
        assert [together[row]] == rising(control(), row)


def test_seeds_and_layers_draw_other_columns_and_places_stand_for_themselves():
    places = torch.arange(-3000, 1000)
    first, second, other = draw(0, 2, places), draw(1, 2, places), draw(0, 3, places)
    for one in (first, second, other):
        assert int(one.min()) >= 0
        assert int(one.max()) < 2 * HALF
        assert abs(float((one < HALF).float().mean()) - 0.5) < 4 * math.sqrt(0.25 / len(places))
    for one in (second, other):
        agree = float(((one < HALF) == (first < HALF)).float().mean())
        assert abs(agree - 0.5) < 4 * math.sqrt(0.25 / len(places))
    assert torch.equal(draw(0, 2, places[1000:1010]), first[1000:1010])
    assert first[:5].tolist() == [number(0, 2, place) for place in range(-3000, -2995)]
    model, inputs = zoo.build("llava")
    one, two = (said(model, inputs, RandomPositions(alpha=0.7, seed=seed))[0] for seed in (0, 1))
    assert not torch.allclose(one, two, atol=0.1)


def test_where_none_is_drawn_the_lowest_number_is():
    numbers = torch.tensor([HALF + 5, 3, HALF + 1, HALF - 1, HALF])
    free = torch.tensor([[True] * 5, [True, False, True, False, True], [False] * 5])
    expected = [[False, True, False, True, False], [False, False, False, False, True], [False] * 5]
    assert chosen(numbers, free).tolist() == expected


@given(st.integers(0, 2**31), st.floats(0, 20), st.floats(0.01, 3))
def test_what_is_added_keeps_the_mass_and_its_bound(seed, scale, alpha):
    generator = torch.Generator().manual_seed(seed)
    scores = scale * torch.randn(1, 3, 1, 12, generator=generator)
    scores[..., 0] = -torch.inf
    scores[..., 1] = torch.finfo(torch.float32).min
    image = torch.zeros(1, 1, 1, 12, dtype=torch.bool)
    image[..., [1, 4, 5]] = True
    drawn = chosen(draw(seed, 0, torch.arange(12)), (scores > HIDDEN) & ~image)
    added = raised(scores, image, drawn, alpha)
    assert (added >= 0).all()
    assert not added[~drawn].any()
    exact = scores.double()
    more = exact + alpha * exact.abs().masked_fill(~(image & (scores > HIDDEN)), 0.0)
    moved = (more.softmax(-1) - exact.softmax(-1)).masked_fill(~image, 0.0).sum(-1)
    had, has = ((exact + extra).softmax(-1).masked_fill(~drawn, 0.0).sum(-1) for extra in (0.0, added.double()))
    assert_close(has, torch.maximum(had, (had + moved).clamp_max(MOST)), SUM)


def test_nothing_is_added_where_there_is_nothing_to_move_or_nobody_to_have_it():
    scores, image = torch.randn(1, 2, 1, 6), torch.zeros(1, 1, 1, 6, dtype=torch.bool)
    drawn = torch.zeros(1, 2, 1, 6, dtype=torch.bool)
    drawn[..., 3:] = True
    assert not raised(scores, image, drawn, 2.0).any(), "no image is seen"
    image[..., :3] = True
    assert not raised(scores, image, drawn & False, 2.0).any(), "no column is drawn"
    hidden = torch.full_like(scores, -torch.inf)
    assert not raised(hidden, image, chosen(draw(0, 0, torch.arange(6)), hidden > HIDDEN), 2.0).any(), "a row of padding alone"


def test_a_static_cache_and_chunks_of_a_prompt_give_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("random_positions", "llava")
    assert_close(said(model, inputs, strong("random_positions"), cache_implementation="static", disable_compile=True)[0], ours)
    assert_close(said(model, inputs, strong("random_positions"), prefill_chunk_size=4)[0], ours)


@pytest.mark.parametrize("options", [{"alpha": -0.1}, {"seed": -1}, {"layers": (1, 1)}])
def test_options_that_are_none_are_refused(options):
    with pytest.raises(ValueError, match=f"RandomPositions.{next(iter(options))} must be"):
        RandomPositions(**options)
