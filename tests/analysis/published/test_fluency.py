"""Fluency: rows against plain means, kept readings, and closed logs of which only rows are left."""

import numpy as np
import pytest

from analysis.published.data import packed_fluency, unpacked_fluency
from analysis.published.fluency import LogFluency, fluency_rows, read_fluency
from analysis.published.logs import read_logs
from tests.analysis.published import write_world


@pytest.fixture
def logs(tmp_path):
    return read_logs(write_world(tmp_path, ("greedy", "late", "loop"), images=4)[0])


def fluent(logs, seed=0):
    rng = np.random.default_rng(seed)
    return {log.name: LogFluency(np.arange(i, 20 + i), rng.normal(2 + 0.5 * i, 0.1, 20)) for i, log in enumerate(logs)}


def test_rows_are_plain_means_and_paired_differences(logs):
    read = fluent(logs)
    read["loop"].nll[3] = np.nan
    rows = {row.name: row for row in fluency_rows(logs, read)}
    assert rows["late/fluency"].estimate == pytest.approx(read["late"].nll.mean())
    assert rows["loop/fluency"].n == 19
    row = rows["late - greedy/fluency"]
    assert row.estimate == pytest.approx((read["late"].nll[:19] - read["greedy"].nll[1:]).mean())
    assert (row.n, row.unit, row.p < 0.001) == (19, "nat a token", True)
    assert "greedy - greedy/fluency" not in rows


def test_open_logs_keep_values_and_closed_ones_rows(logs):
    read = fluent(logs)
    rows = fluency_rows([log for log in logs if log.name == "late"], read)
    found, told = unpacked_fluency(packed_fluency(logs, read, rows))
    assert list(found) == ["greedy", "loop"]
    assert found["loop"].images.tolist() == read["loop"].images.tolist()
    assert found["loop"].nll == pytest.approx(read["loop"].nll, rel=1e-6)
    assert [(row.name, row.estimate) for row in told] == [(row.name, row.estimate) for row in rows]


@pytest.mark.slow
@pytest.mark.usefixtures("read_once")
def test_readings_are_kept(logs, tmp_path):
    store = tmp_path / "store"
    read = read_fluency(logs[:2], 2, store)
    assert [one.images.tolist() for one in read.values()] == [[1, 2], [1, 2]]
    assert all((one.nll > 0).all() for one in read.values())
    kept = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    again = read_fluency(logs[:2], 2, store)
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == kept
    assert all(np.array_equal(again[name].nll, read[name].nll) for name in read)
    assert read_fluency(logs, 0, store) == {}
