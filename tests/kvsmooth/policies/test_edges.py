"""The edges of what policies take, rows that never decoded, and draws written out with Python's own generator."""

import random
from collections import deque

import pytest
import torch

from kvsmooth.policies import (
    Constant,
    FirstPass,
    Mean,
    Percentile,
    Permuted,
    PolicySetting,
    Position,
    Random,
    Shifted,
    TokenClass,
    Top,
)
from tests.kvsmooth.cases import applied, changed

RATES, STEPS = torch.rand(6, 2, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([6, 0, 4])
FIRST = FirstPass(RATES, STEPS)
SETTING = PolicySetting((2, 3))


def test_options_at_their_bounds_are_taken_and_beyond_them_refused():
    for rate in (0.0, 1.0):
        assert applied(Constant(rate), 1, SETTING).eq(rate).all()
        assert Top(1.0, rate).rate == rate
    refusals = [
        (lambda: Constant(-0.1), r"Constant\.rate must lie in \[0, 1\]; got -0\.1"),
        (lambda: Constant(1.1), r"Constant\.rate must lie in \[0, 1\]; got 1\.1"),
        (lambda: Top(1.1, 0.5), r"Top\.q must lie in \(0, 1\]; got 1\.1"),
        (lambda: Top(0.5, -0.1), r"Top\.rate must lie in \[0, 1\]; got -0\.1"),
        *(
            (lambda kind=kind: kind(FIRST, True), rf"{kind.__name__}\.seed must be an integer; got True")
            for kind in (Permuted, Shifted, Random)
        ),
    ]
    for refused, message in refusals:
        with pytest.raises((ValueError, TypeError), match=rf"^{message}"):
            refused()


def test_first_passes_are_refused_by_what_is_wrong_with_them():
    for rates, steps, message in (
        (RATES, STEPS - 1, r"FirstPass.steps must lie in \[0, 6\], the steps of rates; got \[5, -1, 3\]"),
        (RATES - 0.5, STEPS, r"FirstPass.rates must lie in \[0, 1\] at each row's own steps"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            FirstPass(rates, steps)
    with pytest.raises(ValueError, match=r"^FirstPass\.steps must hold a number for each of 3 rows; got \(2,\)\.$"):
        changed(FIRST, steps=STEPS[:2])
    assert FirstPass(RATES.round(), STEPS.to(torch.int16)).rates.unique().tolist() == [0, 1]
    assert FirstPass(RATES.bfloat16(), STEPS).rates.dtype == torch.float32


def test_a_row_that_never_decoded_has_rates_of_zero():
    assert FIRST.means()[:, 1].eq(0).all()
    torch.testing.assert_close(FIRST.means()[:, 2], RATES[:4, :, 2].mean(0))
    for policy in (Mean(FIRST), Permuted(FIRST), Shifted(FIRST), Random(FIRST)):
        assert applied(policy, 8, SETTING)[:, :, 1].eq(0).all()
    described = FIRST.describe()
    assert described["mean"] == pytest.approx(float(torch.cat((RATES[:, :, 0].flatten(), RATES[:4, :, 2].flatten())).mean()))
    assert len(described["digest"]) == 24
    assert FirstPass(RATES, 0 * STEPS).describe()["mean"] == 0
    other = FirstPass(RATES, torch.tensor([6, 0, 3])).describe()["digest"]
    assert other[:12] != described["digest"][:12]  # a step that is not a row's own is 0
    assert other[12:] != described["digest"][12:]


def test_draws_are_those_of_the_row_the_layer_and_the_seed():
    """Committed results were made with them: another name of the generator is another order."""
    for row, steps in ((0, 6), (2, 4)):
        for layer in range(2):
            own = RATES[:steps, layer, row]
            orders = {
                Permuted: random.Random(f"permuted 3 {row} {layer}").sample(range(steps), steps),
                Shifted: [(place - random.Random(f"shifted 3 {row} {layer}").randrange(1, steps)) % steps for place in range(steps)],
                Random: random.Random(f"random 3 {row} {layer}").choices(range(steps), k=6),
            }
            for policy, order in orders.items():
                rates = applied(policy(FIRST, 3), len(order), SETTING)
                assert torch.equal(rates[:, layer, row], own[order])
    together = random.Random("permuted 3 2 together").sample(range(4), 4)
    assert torch.equal(applied(Permuted(FIRST, 3, True), 4, SETTING)[:, :, 2], RATES[together, :, 2])


def test_random_rates_begin_again_after_the_longest_row():
    rates = applied(Random(FIRST, 3), 12, SETTING)
    assert torch.equal(rates[6:], rates[:6])


BY_CLASS = TokenClass(FIRST, torch.zeros(6, 3, dtype=torch.long), torch.tensor([0]))


@pytest.mark.parametrize("policy", [Mean(FIRST), Permuted(FIRST), Position(FIRST), BY_CLASS], ids=lambda one: one.name)
def test_heads_have_the_rates_of_their_layer_and_row(policy):
    tokens = torch.zeros(4, 3, dtype=torch.long)
    plain, by_head = (applied(policy, 4, PolicySetting(shape), tokens) for shape in ((2, 3), (2, 3, 5)))
    assert torch.equal(by_head, plain[..., None].expand(4, 2, 3, 5))


def test_positions_that_no_row_reached_take_the_last_that_was():
    first = FirstPass(RATES, torch.tensor([2, 0, 3]))
    rates = applied(Position(first), 5, SETTING)
    torch.testing.assert_close(rates[0, :, 0], (RATES[0, :, 0] + RATES[0, :, 2]) / 2)
    for step in (2, 3, 4):
        torch.testing.assert_close(rates[step], RATES[2, :, 2, None].expand(2, 3))


def test_tokens_beyond_a_row_s_own_steps_may_be_anything():
    tokens, classes = torch.zeros(6, 3, dtype=torch.long), torch.tensor([2, 0])
    beyond = tokens.clone()
    beyond[:, 1], beyond[4:, 2] = -1, 99
    assert torch.equal(TokenClass(FIRST, beyond, classes).table(), TokenClass(FIRST, tokens, classes).table())
    assert TokenClass(FIRST, tokens, classes).table().shape == (3, 2)
    for token, told in ((-1, "got 0"), (2, "got 2")):
        with pytest.raises(ValueError, match=rf"^TokenClass\.tokens must be ids below 2, the length of classes; {told}\.$"):
            TokenClass(FIRST, torch.where(torch.arange(6)[:, None] == 0, token, tokens), classes)
    for wrong in (classes[None], classes[:0], classes - 1):
        with pytest.raises((ValueError, TypeError), match="classes"):
            TokenClass(FIRST, tokens, wrong)


def test_token_classes_are_equal_where_all_their_parts_are():
    def made(first=FIRST, token=0, kind=0):
        return TokenClass(first, torch.full((6, 3), token), torch.tensor([0, kind]))

    assert made() == made()
    assert hash(made()) == hash(made())
    assert len({hash(one) for one in (made(), made(token=1), made(kind=1), made(FirstPass(1 - RATES, STEPS)))}) > 1
    for other in (made(FirstPass(1 - RATES, STEPS)), made(token=1), made(kind=1), FIRST):
        assert made() != other


@pytest.mark.parametrize(("rank", "least"), [("strict", 0.25), ("mid", 0.125), ("inclusive", 0.1)])
def test_the_top_reaches_down_to_what_percentiles_reach(rank, least):
    setting = PolicySetting((1, 1), window=4, rank=rank)
    rates = applied(Top(least, 0.5), 9, setting, scores=torch.arange(9.0).view(9, 1, 1))
    assert rates[4:].eq(0.5).all()
    if rank != "inclusive":
        with pytest.raises(ValueError, match=rf"^Top\.q must be at least {least:.4g} where percentiles end at {1 - least:.4g} \(window=4"):
            Top(least - 0.01, 0.5).start(setting)


@pytest.mark.parametrize("rank", ["strict", "mid", "inclusive"])
@pytest.mark.parametrize("warmup", ["window", "length"])
def test_percentiles_equal_a_queue(rank, warmup):
    scores = torch.randint(0, 5, (12, 2, 2), generator=torch.Generator().manual_seed(1)).float()
    rates = applied(Percentile(), 12, PolicySetting((2, 2), window=5, rank=rank, warmup=warmup, bounds=(0.15, 0.7)), scores=scores)
    for layer in range(2):
        for row in range(2):
            queue = deque(maxlen=5)
            for step in range(12):
                score = float(scores[step, layer, row])
                queue.append(score)
                below, not_above = sum(s < score for s in queue), sum(s <= score for s in queue)
                share = {"strict": below, "inclusive": not_above, "mid": (below + not_above) / 2}[rank]
                share /= 5 if warmup == "window" else len(queue)
                assert float(rates[step, layer, row]) == pytest.approx(min(0.7, max(0.15, share)))


def test_a_setting_names_each_layer_s_place_in_the_band():
    whole = PolicySetting((3, 2))
    assert (whole.places, whole.band, whole.bounds, whole.window) == ((0, 1, 2), 3, (0.0, 1.0), 15)
    assert PolicySetting((2, 1), places=(0, 3), band=4).places == (0, 3)
    for places in ((0,), (0, 4), (-1, 0)):
        with pytest.raises(ValueError, match=r"^PolicySetting\.places must be 2 positions in a band of 4 layers, one a layer; got"):
            PolicySetting((2, 1), places=places, band=4)
