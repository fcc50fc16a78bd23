"""Parts of policies: what makes first passes equal, where states lie, which of them follow their beams, what a rare class takes."""

from types import SimpleNamespace

import pytest
import torch

from kvsmooth.policies import FirstPass, Inverse, Mean, Percentile, Permuted, PolicySetting, Position, TokenClass, Top
from kvsmooth.policies.percentile import PercentileQueue
from tests.kvsmooth.cases import applied, changed

RATES, STEPS = torch.rand(5, 2, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([5, 2, 4])
FIRST = FirstPass(RATES, STEPS)


def test_first_passes_are_equal_where_shape_rates_and_steps_are():
    assert FirstPass(RATES.clone(), STEPS.clone()) == FIRST
    assert FirstPass(RATES, torch.tensor([5, 2, 5])) != FIRST, "other steps"
    zeros = [FirstPass(torch.zeros(5, 2, rows), torch.full((rows,), steps)) for rows, steps in ((3, 5), (3, 4), (2, 5))]
    assert zeros[0] != zeros[1], "the same rates"
    assert zeros[0] != zeros[2], "another shape"
    assert FirstPass(1 - RATES, STEPS) != FIRST, "other rates"
    assert FIRST != "a first pass"


@pytest.mark.parametrize(
    "policy", [Percentile(), Top(0.5, 0.5), Mean(FIRST), Permuted(FIRST), Position(FIRST), Inverse()], ids=lambda one: one.name
)
def test_a_state_lies_where_the_scores_do(policy):
    rates = policy.start(PolicySetting((2, 3), device=torch.device("meta")))
    held = [vars(one) for one in (rates, getattr(rates, "queue", None), getattr(rates, "rates", None)) if hasattr(one, "__dict__")]
    tensors = [value for names in held for value in names.values() if isinstance(value, torch.Tensor)]
    assert tensors
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize("policy", [Percentile(), Top(0.5, 0.5), Inverse()], ids=lambda one: one.name)
def test_queues_follow_their_beams(policy):
    scores, rows = torch.rand(8, 2, 3), torch.tensor([2, 0, 0])
    turned, plain = (policy.start(PolicySetting((2, 3), window=4, bounds=(0.1, 0.9))) for _ in range(2))
    for step in scores[:5]:
        turned.push(step)
        plain.push(step[:, rows])
    turned.reorder(rows)
    for step in scores[5:]:
        assert torch.equal(turned.push(step), plain.push(step))


def test_a_queue_of_heads_is_moved_by_rows():
    queue = PercentileQueue(PolicySetting((2, 3, 4), window=2))
    queue.percentiles(torch.rand(2, 3, 4))
    before = queue.queue.clone()
    queue.reorder(torch.tensor([1, 1, 0]))
    assert torch.equal(queue.queue[-1], before[-1][:, [1, 1, 0]])


def test_a_class_that_was_written_once_takes_its_own_rate():
    tokens = torch.zeros(5, 3, dtype=torch.long)
    tokens[1, 2] = 1
    policy = TokenClass(FIRST, tokens, torch.tensor([0, 1]))
    assert torch.equal(applied(policy, 1, PolicySetting((2, 3)), torch.ones(1, 3, dtype=torch.long))[0, :, 0], RATES[1, :, 2])
    assert set(policy.describe()) == {"name", "first", "tokens", "classes"}


def test_the_top_may_begin_where_percentiles_end():
    state = Top(0.25, 0.5).start(PolicySetting((1, 1), window=4))
    pushed = state.push(torch.zeros(1, 1, dtype=torch.float64))
    assert pushed.shape == (1, 1)
    assert pushed.dtype == torch.float64, "rates have the type of the scores, whatever torch's default is"


def test_what_is_turned_round_is_a_policy():
    scores = torch.rand(4, 2, 3)
    assert torch.equal(
        applied(Inverse(), 4, PolicySetting((2, 3)), scores=scores), applied(Percentile(), 4, PolicySetting((2, 3)), scores=-scores)
    )
    with pytest.raises(ValueError, match=r"^Inverse\.of must be a policy, such as Percentile\(\); got <class .*Top'>\.$"):
        Inverse(Top)
    with pytest.raises(ValueError, match=r"^Inverse\.of must be a policy, such as Percentile\(\); got 'percentile'\.$"):
        changed(Inverse(), of="percentile")
    own = SimpleNamespace(start=Percentile().start)
    assert changed(Inverse(), of=own).of is own, "what does not say that it takes a second pass takes none"
