"""Policies against slow references, and what each refuses; what they do inside a model is in test_replay.py and test_reference.py."""

import json
from collections import Counter

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.policies import (
    POLICIES,
    Constant,
    FirstPass,
    Inverse,
    Mean,
    Percentile,
    Permuted,
    Policy,
    PolicySetting,
    Position,
    Random,
    Shifted,
    Swapped,
    TokenClass,
    Top,
)
from kvsmooth.policies.first_pass import digest
from tests.kvsmooth.cases import applied

STEPS, LAYERS, ROWS = 9, 3, 4
LENGTHS = torch.tensor([9, 4, 1, 6])
BY_ROW = {"mean": Mean, "permuted": Permuted, "shifted": Shifted, "swapped": Swapped, "random": Random}


def first_pass(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return FirstPass(torch.rand(STEPS, LAYERS, ROWS, generator=generator), LENGTHS)


def token_class():
    tokens = torch.randint(0, 5, (STEPS, ROWS), generator=torch.Generator().manual_seed(1))
    return TokenClass(first_pass(), tokens, torch.tensor([0, 0, 1, 2, 1, 3]))


EXAMPLES = {
    "percentile": Percentile,
    "constant": lambda: Constant(0.4),
    "inverse": Inverse,
    "top": lambda: Top(0.2, 0.7),
    "position": lambda: Position(first_pass()),
    "token_class": token_class,
    **{name: lambda policy=policy: policy(first_pass()) for name, policy in BY_ROW.items()},
}


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_keeps_the_protocol(name):
    policy = EXAMPLES[name]()
    assert type(policy) is POLICIES[name]
    assert policy.name == name
    assert isinstance(policy, Policy)
    assert policy.two_pass == ("first" in policy.__dataclass_fields__)
    assert policy == EXAMPLES[name]()
    assert hash(policy) == hash(EXAMPLES[name]())
    tokens = torch.zeros(ROWS, dtype=torch.long)
    for shape in ((LAYERS, ROWS), (LAYERS, ROWS, 2)):
        rates = policy.start(PolicySetting(shape)).push(torch.randn(shape), tokens)
        assert rates.shape == shape
        assert ((rates >= 0) & (rates <= 1)).all()


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_describes_itself_briefly(name):
    described = json.dumps(KVSmooth(policy=EXAMPLES[name]()).describe()["policy"])
    assert json.loads(described)["name"] == name
    assert len(described) < 300


def test_a_description_tells_first_passes_apart():
    one, same, other = (KVSmooth(policy=Permuted(first_pass(seed))).describe()["policy"]["first"] for seed in (0, 0, 1))
    assert one == same != other
    assert one["shape"] == [STEPS, LAYERS, ROWS]
    own = [first_pass().rates[:steps, :, row].flatten() for row, steps in enumerate(LENGTHS.tolist())]
    assert one["mean"] == pytest.approx(float(torch.cat(own).mean()))


def test_the_mean_is_that_of_each_row_s_own_steps():
    rates = applied(Mean(first_pass()), 12)
    for row, steps in enumerate(LENGTHS.tolist()):
        for layer in range(LAYERS):
            mean = sum(float(rate) for rate in first_pass().rates[:steps, layer, row]) / steps
            assert rates[:, layer, row].tolist() == pytest.approx([mean] * 12, abs=1e-6)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("policy", [Permuted, Shifted])
def test_a_row_gets_its_own_multiset_in_another_order_and_then_again(policy, together):
    for seed in range(5):
        rates = applied(policy(first_pass(), seed, together), 2 * STEPS)
        for row, steps in enumerate(LENGTHS.tolist()):
            for layer in range(LAYERS):
                own, got = first_pass().rates[:steps, layer, row].tolist(), rates[:steps, layer, row].tolist()
                assert Counter(got) == Counter(own)
                assert rates[steps : 2 * steps, layer, row].tolist() == got
                if policy is Shifted and steps > 1:
                    turned = [own[-offset:] + own[:-offset] for offset in range(1, steps)]
                    assert got in turned


def test_orders_differ_by_seed_row_and_layer_and_hang_on_nothing_else():
    first = FirstPass(torch.arange(20.0)[:, None, None].expand(20, 2, 3) / 20, torch.tensor([20, 20, 20]))
    for policy in (Permuted, Shifted, Random):
        orders = [
            applied(policy(first, seed), 20, PolicySetting((2, 3)))[:, layer, row]
            for seed in range(4)
            for layer in (0, 1)
            for row in range(3)
        ]
        assert len({tuple(order.tolist()) for order in orders}) >= 12  # two offsets of 19 are often the same
        assert torch.equal(applied(policy(first, 3), 20, PolicySetting((2, 3))), applied(policy(first, 3), 20, PolicySetting((2, 3))))


@pytest.mark.parametrize("policy", [Permuted, Shifted])
def test_layers_moved_together_go_on_agreeing_and_rows_do_not(policy):
    """A first pass whose rates tell the step: the order can be read off."""
    first = FirstPass(torch.arange(20.0)[:, None, None].expand(20, 3, 3) / 20, torch.tensor([20, 20, 20]))
    for seed in range(4):
        rates = applied(policy(first, seed, together=True), 20, PolicySetting((3, 3)))
        for layer in range(3):
            assert torch.equal(rates[:, layer], rates[:, 0])
        assert len({tuple(rates[:, 0, row].tolist()) for row in range(3)}) > 1
        assert not torch.equal(rates, first.rates)
        odd = applied(policy(first, seed, together=True), 20, PolicySetting((1, 3), places=(1,), band=3))
        assert torch.equal(odd[:, 0], rates[:, 1])


def test_permutations_move_every_rate_everywhere():
    """Mean over seeds of the rate at each step is the row's mean: no step is favoured."""
    first = FirstPass(torch.linspace(0, 1, 5).view(5, 1, 1), torch.tensor([5]))
    for policy in (Permuted, Random):
        rates = torch.stack([applied(policy(first, seed), 5, PolicySetting((1, 1))) for seed in range(300)])
        torch.testing.assert_close(rates.mean(0).flatten(), torch.full((5,), 0.5), atol=0.08, rtol=0)


def test_swapped_rows_take_the_next_row_s_rates():
    rates = applied(Swapped(first_pass()), 2 * STEPS)
    for row in range(ROWS):
        donor = (row + 1) % ROWS
        for step in range(2 * STEPS):
            expected = first_pass().rates[step % int(LENGTHS[donor]), :, donor]
            assert torch.equal(rates[step, :, row], expected)


def test_random_rates_are_drawn_from_their_own_row_and_layer():
    rates = applied(Random(first_pass()), STEPS)
    for row, steps in enumerate(LENGTHS.tolist()):
        for layer in range(LAYERS):
            assert set(rates[:, layer, row].tolist()) <= set(first_pass().rates[:steps, layer, row].tolist())


def test_position_is_the_mean_over_rows_still_running():
    first = first_pass()
    rates = applied(Position(first), 12, PolicySetting((LAYERS, 2)))
    for step in range(12):
        at = min(step, STEPS - 1)
        running = [row for row in range(ROWS) if LENGTHS[row] > at]
        for layer in range(LAYERS):
            mean = sum(float(first.rates[at, layer, row]) for row in running) / len(running)
            assert rates[step, layer].tolist() == pytest.approx([mean] * 2, abs=1e-6)


def test_token_class_is_the_mean_over_tokens_of_the_class():
    policy = token_class()
    fed = torch.tensor([[5, 0, 3, 1], [2, 4, 4, 2]])
    rates = applied(policy, 2, tokens=fed)
    for step in range(2):
        for row in range(ROWS):
            wanted = policy.classes[fed[step, row]]
            for layer in range(LAYERS):
                every = [
                    (float(policy.first.rates[s, layer, r]), int(policy.classes[policy.tokens[s, r]]))
                    for r in range(ROWS)
                    for s in range(int(LENGTHS[r]))
                ]
                # class 3 was never written: the layer's mean
                chosen = [rate for rate, kind in every if kind == wanted] or [rate for rate, _ in every]
                assert float(rates[step, layer, row]) == pytest.approx(sum(chosen) / len(chosen), abs=1e-6)


@pytest.mark.parametrize("name", [*BY_ROW, "position", "token_class"])
def test_layers_that_start_apart_get_their_own_rates(name):
    """Sliding and full layers are served in groups; a first pass knows the whole band."""
    policy, tokens = EXAMPLES[name](), torch.zeros(5, ROWS, dtype=torch.long)
    whole = applied(policy, 5, tokens=tokens)
    odd = applied(policy, 5, PolicySetting((1, ROWS), places=(1,), band=LAYERS), tokens)
    even = applied(policy, 5, PolicySetting((2, ROWS), places=(0, 2), band=LAYERS), tokens)
    assert torch.equal(odd[:, 0], whole[:, 1])
    assert torch.equal(even, whole[:, [0, 2]])


@pytest.mark.parametrize("name", BY_ROW)
def test_rates_of_rows_cannot_follow_beams(name):
    with pytest.raises(Unsupported, match=f"{BY_ROW[name].__name__} rates belong to the rows of a first pass and cannot follow beams"):
        EXAMPLES[name]().start(PolicySetting((LAYERS, ROWS))).reorder(torch.tensor([1, 0, 2, 3]))


@pytest.mark.parametrize("name", BY_ROW)
def test_a_first_pass_of_other_rows_is_refused(name):
    with pytest.raises(Unsupported, match=r"first must hold the rates of the 5 rows decoded; got 4: use the first pass of the same batch"):
        EXAMPLES[name]().start(PolicySetting((LAYERS, 5)))


@pytest.mark.parametrize("name", [*BY_ROW, "position", "token_class"])
def test_a_first_pass_of_another_band_is_refused(name):
    with pytest.raises(Unsupported, match=r"first must hold the rates of the 2 layers of the band; got 3: use the same layers"):
        EXAMPLES[name]().start(PolicySetting((2, ROWS)))


def test_other_refusals():
    rates, steps = torch.rand(5, 2, 3), torch.tensor([5, 5, 2])
    one, wide, classes = FirstPass(rates[:, :, :1], steps[:1]), torch.zeros(5, 2, dtype=torch.long), torch.zeros(3, dtype=torch.long)
    refusals = [
        (lambda: Swapped(one).start(PolicySetting((2, 1))), "Swapped.first must hold two rows or more"),
        (lambda: Top(0.05, 0.5).start(PolicySetting((1, 1))), r"Top.q must be at least 0.06667 where percentiles end at 0.9333"),
        (lambda: Top(0.0, 0.5), r"Top.q must lie in \(0, 1\]; got 0.0"),
        (lambda: Top(0.1, 1.5), r"Top.rate must lie in \[0, 1\]; got 1.5"),
        (lambda: Inverse(Mean(one)), "Inverse.of must be a policy that ranks scores; got Mean"),
        (lambda: Inverse(Constant(0.5)), "Inverse.of must be a policy that ranks scores; got Constant, which asks for none"),
        (lambda: FirstPass.joined([]), "FirstPass.joined must be given first passes of the same layers; got none"),
        (
            lambda: FirstPass.joined([one, FirstPass(rates[:, :1], steps)]),
            r"FirstPass.joined must be given .* of the same layers; got \[1, 2\]",
        ),
        (lambda: FirstPass(rates, torch.tensor([6, 5, 5])), r"FirstPass.steps must lie in \[0, 5\], the steps of rates; got \[6, 5, 5\]"),
        (lambda: FirstPass(rates + 1, steps), r"FirstPass.rates must lie in \[0, 1\]"),
        (lambda: FirstPass(rates * torch.nan, steps), r"FirstPass.rates must lie in \[0, 1\]"),
        (lambda: FirstPass(rates[:0], steps), 'FirstPass.rates must be "step layer row", none of them 0'),
        (lambda: Position(FirstPass(rates, steps * 0)), "Position.first must hold a row of one step or more"),
        (lambda: TokenClass(one, wide, classes), 'TokenClass.tokens must be "step row"'),
        (lambda: TokenClass(one, torch.full((5, 1), 9), classes), "TokenClass.tokens must be ids below 3"),
        (lambda: TokenClass(one, wide[:, :1], torch.tensor([-1])), "TokenClass.classes must be"),
        (lambda: PolicySetting((2, 3), places=(0, 4), band=3), "PolicySetting.places must be 2 positions in a band of 3 layers"),
    ]
    for refused, message in refusals:
        with pytest.raises(ValueError, match=rf"^(?:{message})") as caught:
            refused()
        assert "\n" not in str(caught.value)
        assert str(caught.value).endswith(".")


def test_token_classes_need_tokens_and_a_number_for_each():
    rates = token_class().start(PolicySetting((LAYERS, ROWS)))
    with pytest.raises(Unsupported, match=r"^TokenClass needs the ids of the tokens that are fed; .* pass input_ids to the model\.$"):
        rates.push(torch.zeros(LAYERS, ROWS), None)
    with pytest.raises(Unsupported, match=r"TokenClass.classes must number every token id; got 6 and a token 6"):
        rates.push(torch.zeros(LAYERS, ROWS), torch.tensor([0, 1, 2, 6]))


def test_digests_tell_tensors_of_every_precision_apart():
    values = torch.rand(3, 4)
    kinds = [values, values.bfloat16(), values.half(), values > 0.5, (9 * values).long(), values[:, 0], values.T]
    assert len({digest(kind) for kind in kinds}) == len(kinds)
    assert digest(values.bfloat16()) == digest(values.bfloat16().T.contiguous().T)


def test_what_lies_beyond_a_row_s_own_steps_plays_no_part():
    rates = torch.rand(5, 2, 2)
    dirty = rates.clone()
    dirty[2:, :, 1] = 7.0
    assert FirstPass(dirty, torch.tensor([5, 2])) == FirstPass(rates, torch.tensor([5, 2]))


def test_joined_first_passes_are_one_of_more_rows():
    long, short = first_pass(), FirstPass(torch.rand(2, LAYERS, 3), torch.tensor([2, 1, 0]))
    joined = FirstPass.joined([long, short])
    assert joined.steps.tolist() == [9, 4, 1, 6, 2, 1, 0]
    assert torch.equal(joined.rates[:, :, :ROWS], long.rates)
    assert torch.equal(joined.rates[:2, :, ROWS:], short.rates)
