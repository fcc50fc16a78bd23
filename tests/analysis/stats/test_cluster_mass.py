"""Cluster mass against a flood fill over all sign patterns of tiny maps; max-T over a map against the test it stands on."""

import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.stats import cluster_mass as module
from analysis.stats.cluster_mass import cluster_mass, over_map
from analysis.stats.paired import sign_flip


def neighbours(cell, adjacency, shape):
    """Written out, so that it shares nothing with the arrays of the implementation."""
    for layer, column in itertools.product(range(shape[0]), range(shape[1])):
        apart = abs(layer - cell[0]), abs(column - cell[1])
        if {"layer": apart == (1, 0), "grid": sum(apart) == 1, "heads": apart[0] <= 1}[adjacency]:
            yield layer, column


def flood(t, limit, adjacency):
    """Clusters as sets of cells, positive ones first."""
    found = []
    for sign in (1, -1):
        left = {tuple(cell) for cell in np.argwhere(sign * t > limit)}
        while left:
            cluster, edge = set(), {min(left)}
            while edge:
                cluster |= edge
                edge = {other for cell in edge for other in neighbours(cell, adjacency, t.shape)} & left - cluster
            left -= cluster
            found.append(cluster)
    return found


@pytest.mark.parametrize("adjacency", ["layer", "grid", "heads"])
def test_equals_a_flood_fill_over_all_flips(adjacency):
    draw = np.random.default_rng(6)
    values = draw.normal(size=(7, 4, 3)) + 0.6 * draw.normal(size=(7, 1, 1)) + np.array([0.5, 0.8, -0.4])
    limit = stats.t.isf(0.1, 6)
    largest = []
    for signs in itertools.product([1, -1], repeat=7):
        t = stats.ttest_1samp(values * np.array(signs)[:, None, None], 0).statistic
        largest.append(max((sum(abs(t[cell]) for cell in cluster) for cluster in flood(t, limit, adjacency)), default=0.0))
    t = stats.ttest_1samp(values, 0).statistic
    clusters = flood(t, limit, adjacency)
    assert len(clusters) >= 2
    found = cluster_mass(values, adjacency, forming=0.2)
    np.testing.assert_allclose(found.t, t)
    for cluster in clusters:
        mass = sum(abs(t[cell]) for cell in cluster)
        p = np.mean([one >= mass - 1e-9 for one in largest])
        number = found.label[min(cluster)]
        assert {tuple(cell) for cell in np.argwhere(found.label == number)} == cluster
        assert found.mass[number - 1] == pytest.approx(mass)
        assert found.p[number - 1] == pytest.approx(p)
        assert all(found.p_cell[cell] == pytest.approx(p) for cell in cluster)
    assert (found.p_cell[found.label == 0] == 1).all()
    assert found.label.max() == len(clusters) == len(found.p)


def test_random_flips_agree_with_all_flips():
    values = np.random.default_rng(1).normal(0.35, 1, (12, 5, 4))
    every, some = cluster_mass(values, draws=4096), cluster_mass(values, draws=4000)
    np.testing.assert_allclose(some.p, every.p, atol=0.03)


@pytest.mark.parametrize("cells", [1, 60])
def test_flips_part_by_part_are_the_same(monkeypatch, cells):
    values = np.random.default_rng(1).normal(0.35, 1, (12, 5, 4))
    whole = cluster_mass(values, draws=50)
    monkeypatch.setattr(module, "_BATCH", cells)
    np.testing.assert_array_equal(cluster_mass(values, draws=50).p, whole.p)


def test_cells_without_a_difference_are_no_part_of_the_map():
    values = np.random.default_rng(2).normal(1, 0.5, (9, 3, 4))
    values[:, 1] = 0.0
    values[1:, 2, 0] = np.nan
    found = cluster_mass(values, "grid")
    assert np.isnan(found.t[1]).all()
    assert np.isnan(found.p_cell[2, 0])
    assert (found.label[1] == 0).all()
    assert found.label[0, 0] != found.label[2, 1]  # an untested layer keeps its neighbours apart
    missing = np.where(np.arange(9)[:, None, None] == 4, np.nan, values[:, :1])
    np.testing.assert_allclose(cluster_mass(missing).t, cluster_mass(np.delete(values[:, :1], 4, axis=0)).t)


def test_a_cell_is_held_to_the_limit_of_its_own_images():
    """t = 6 is beyond the limit of nine images, not beyond that of two."""
    values = np.random.default_rng(3).normal(2, 0.5, (9, 1, 2))
    values[2:, 0, 1] = np.nan
    values[:2, 0, 1] = 1.0, 1.4
    found = cluster_mass(values)
    assert found.t[0, 1] == pytest.approx(stats.ttest_1samp(values[:2, 0, 1], 0).statistic) == pytest.approx(6)
    assert found.t[0, 0] > 6
    assert found.label.tolist() == [[1, 0]]


def test_without_spread_a_t_is_large_and_finite():
    found = cluster_mass(np.full((6, 1, 1), 0.25))
    assert 1e5 < found.t[0, 0] < 1e8
    assert found.p[0] == 2 / 2**6


def test_no_cell_above_the_threshold_gives_no_cluster():
    found = cluster_mass(np.array([[[1.0, -1.0]], [[-1.0, 1.0]]]))
    assert len(found.mass) == len(found.p) == 0
    assert (found.p_cell == 1).all()


def test_one_call_for_either_correction():
    values = np.random.default_rng(3).normal(0.5, 1, (14, 3, 5))
    np.testing.assert_array_equal(over_map(values), sign_flip(values.reshape(14, -1))[1].reshape(3, 5))
    np.testing.assert_array_equal(over_map(values, "cluster_mass", "layer"), cluster_mass(values, "layer").p_cell)


def test_a_wide_weak_difference_that_max_t_does_not_see():
    draw = np.random.default_rng(8)
    values = draw.normal(size=(40, 10, 20))
    values[:, 2:8, 4:14] += 0.35
    single = (over_map(values, draws=999) < 0.05)[2:8, 4:14].mean()
    cluster = cluster_mass(values, draws=999)
    assert cluster.p.min() < 0.01
    assert (cluster.p_cell < 0.05)[2:8, 4:14].mean() > max(0.4, 3 * single)


def test_options_that_are_none_are_named():
    values = np.zeros((3, 2, 2))
    with pytest.raises(ValueError, match=r"cluster_mass.adjacency must be one of layer, grid, heads; got 'all'"):
        cluster_mass(values, "all")
    with pytest.raises(ValueError, match=r"cluster_mass.forming must lie in \(0, 1\); got 0"):
        cluster_mass(values, forming=0.0)
    with pytest.raises(ValueError, match=r"over_map.correction must be one of max_t, cluster_mass; got 'bonferroni'"):
        over_map(values, "bonferroni")
