"""Policies that rank scores themselves, against a queue in plain Python: the top of it, and the other end."""

from collections import deque
from dataclasses import dataclass

import pytest
import torch

from kvsmooth.policies import Inverse, Percentile, PolicySetting, Top
from tests.kvsmooth.cases import applied


@pytest.mark.parametrize(("rank", "q"), [("strict", 0.25), ("inclusive", 0.2), ("mid", 0.3)])
def test_top_and_its_inverse_against_a_queue(rank, q):
    scores = torch.randn(40, 1, 2)
    setting = PolicySetting((1, 2), window=5, rank=rank)
    for policy, sign in ((Top(q, 0.6), 1), (Inverse(Top(q, 0.6)), -1)):
        rates = applied(policy, 40, setting, scores=scores)
        for row in range(2):
            queue = deque(maxlen=5)
            for step in range(40):
                score = sign * float(scores[step, 0, row])
                queue.append(score)
                below, not_above = sum(s < score for s in queue), sum(s <= score for s in queue)
                share = {"strict": below, "inclusive": not_above, "mid": (below + not_above) / 2}[rank] / 5
                at_the_top = share > 1 - q + 1e-9 if rank == "inclusive" else share >= 1 - q - 1e-9
                assert float(rates[step, 0, row]) == pytest.approx(0.6 if at_the_top else 0.0)


@pytest.mark.parametrize("rank", ["strict", "inclusive", "mid"])
def test_the_share_at_the_top_is_q(rank):
    scores = torch.rand(600, 1, 20)
    rates = applied(Top(0.2, 0.5), 600, PolicySetting((1, 20), window=15, rank=rank), scores=scores)[15:]
    assert float((rates == 0.5).float().mean()) == pytest.approx(0.2, abs=0.01)


def test_the_inverse_ranks_from_the_other_end():
    scores = torch.rand(30, 1, 8)
    setting = PolicySetting((1, 8), window=10, bounds=(0.0, 1.0))
    up, down = (applied(policy, 30, setting, scores=scores)[10:] for policy in (Percentile(), Inverse()))
    torch.testing.assert_close(up + down, torch.full_like(up, 0.9))


def test_the_inverse_hands_tokens_on():
    @dataclass(frozen=True)
    class Fed:
        two_pass, needs_tokens, name = False, True, "fed"

        def start(self, setting):
            return self

        def push(self, scores, tokens):
            return tokens.float().expand_as(scores)

        def reorder(self, rows):
            pass

    assert Inverse(Fed()).needs_tokens
    assert not Inverse().needs_tokens
    fed = torch.tensor([0, 1, 1, 0])
    assert torch.equal(applied(Inverse(Fed()), 1, tokens=[fed])[0, 0], fed.float())
