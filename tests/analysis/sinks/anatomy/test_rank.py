"""Ranks of head outputs against numpy's singular values and loops; a planted sink, with a value and without one."""

import numpy as np
import pytest
import torch

from analysis.sinks.anatomy import rank

QUERIES, KEYS, CHANNELS = 20, 30, 8


def attention(seed=0, heads=4):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(heads, QUERIES, KEYS, generator=draw)
    late = torch.arange(KEYS) > KEYS - QUERIES + torch.arange(QUERIES)[:, None]
    return logits.masked_fill(late, -torch.inf), torch.randn(2, KEYS, CHANNELS, generator=draw)


def test_outputs_are_sums_over_keys_and_heads_share_values():
    logits, values = attention()
    rows = logits.softmax(-1)
    found = rank.outputs(rows, values)
    for head in range(4):
        for query in range(QUERIES):
            slow = sum(float(rows[head, query, key]) * values[head // 2, key].double().numpy() for key in range(KEYS))
            np.testing.assert_allclose(found[head, query].numpy(), slow, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 20, 8), (3, 5, 8), (3, 1, 8)])
def test_ranks_are_those_of_the_singular_values(shape):
    written = torch.randn(shape, generator=torch.Generator().manual_seed(1)).double()
    stable, effective = rank.ranks(written)
    for head, matrix in enumerate(written.numpy()):
        singular = np.linalg.svd(matrix, compute_uv=False)
        part = singular / singular.sum()
        assert stable[head] == pytest.approx((singular**2).sum() / singular[0] ** 2)
        assert effective[head] == pytest.approx(np.exp(-(part * np.log(part)).sum()), rel=1e-5)


def test_planted_ranks():
    direction = torch.randn(CHANNELS, generator=torch.Generator().manual_seed(2)).double()
    one = direction * torch.linspace(1, 2, QUERIES)[:, None]
    whole = torch.eye(CHANNELS).double().repeat(3, 1)[:QUERIES]
    np.testing.assert_allclose(rank.ranks(one[None]), 1, atol=1e-6)
    assert rank.ranks(whole[None])[1, 0] == pytest.approx(CHANNELS, abs=0.1)
    assert np.isnan(rank.ranks(torch.zeros(1, QUERIES, CHANNELS).double())).all()
    assert np.isnan(rank.ranks(torch.zeros(1, 0, CHANNELS).double())).all()


def test_hiding_a_key_equals_rows_without_it():
    logits, _ = attention()
    rows = logits.softmax(-1)
    key, share = rank.most_read(rows)
    found = rank.without(logits, key)
    for head in range(4):
        mean = [float(rows[head, :, k].sum()) / QUERIES for k in range(KEYS)]
        assert int(key[head]) == int(np.argmax(mean))
        assert float(share[head]) == pytest.approx(max(mean), rel=1e-5)
        left = rows[head].clone()
        left[:, key[head]] = 0
        np.testing.assert_allclose(found[head].numpy(), (left / left.sum(-1, keepdim=True)).numpy(), atol=1e-6)
    alone = torch.full((1, 2, 3), -torch.inf)
    alone[..., 1] = 0.0
    assert not rank.without(alone, torch.tensor([1])).any()


@pytest.mark.parametrize(("length", "near"), [(1.0, True), (0.0, False)])
def test_a_head_on_a_sink_writes_one_direction_unless_the_sinks_value_is_empty(length, near):
    logits, values = attention(heads=2)
    logits[:, :, 0] = 5.0
    values[:, 0] = torch.nn.functional.normalize(values[:, 0], dim=-1) * length * 3
    rows = logits.softmax(-1)
    key, share = rank.most_read(rows)
    assert (key == 0).all()
    assert (share > 0.7).all()
    written = rank.outputs(rows, values)
    assert ((rank.ranks(written)[0] < 1.1) == near).all()
    assert ((rank.along(written, values[:, 0] if length else torch.ones(2, CHANNELS)) > 0.9) == near).all()
    hidden = rank.ranks(rank.outputs(rank.without(logits, key), values))
    assert (hidden[0] > 1.5).all()


def test_energy_along_a_direction_equals_a_loop():
    written, direction = torch.randn(2, 6, CHANNELS).double(), torch.randn(2, CHANNELS)
    found = rank.along(written, direction)
    for head in range(2):
        unit = direction[head].double() / direction[head].double().norm()
        part = sum(float(row @ unit) ** 2 for row in written[head]) / sum(float(row @ row) for row in written[head])
        assert float(found[head]) == pytest.approx(part)
