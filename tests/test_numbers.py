"""Numbers of the tests: the page holds what was measured, and rooms are tried by the tests that mirror them."""

import json
import subprocess

import pytest

from tests import mutants, numbers, timed
from tests.rooms import ROOT

ROOM = {"mutants": 30, "tried": 20, "killed": 16, "of_texts": 4, "of_texts_killed": 2, "uncalled": 0}
TIMES = {"wall": 90.0, "processor": 150.0, "passed": 7, "cores": 2, "load_before": 0.5, "commit": "abc"}


def test_the_page_is_that_of_the_numbers():
    page = numbers.PAGE.read_text(encoding="utf-8")
    assert page == numbers.told(page, json.loads(numbers.KEPT.read_text(encoding="utf-8")), numbers.PAGE)


def test_shares_are_of_what_was_tried():
    kept = {"mutants before": {"a": ROOM | {"killed": 10}}, "mutants after": {"a": ROOM, "b": ROOM}}
    rows = list(numbers.of_mutants(kept))
    assert rows[2] == "| `a` | 30 | 20 | 10 (50 %) | 16 (80 %) | 14 (88 %) |"
    assert rows[3] == "| `b` | 30 | 20 |  | 16 (80 %) | 14 (88 %) |"
    assert list(numbers.of_times({"times": {"make fast": TIMES}}))[2] == "| `make fast` | 7 | 1.5 | 2.5 | 2 | 0.5 | abc |"


def test_a_measurement_takes_the_place_of_its_earlier_one_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(numbers, "KEPT", tmp_path / "testing.json")
    monkeypatch.setattr(numbers, "PAGE", tmp_path / "testing.md")
    numbers.PAGE.write_text("a\n<!-- times -->\n<!-- /times -->\n<!-- mutants -->\n<!-- /mutants -->\nb\n")
    for wall in (60.0, 120.0):
        numbers.keep("times", "make fast", TIMES | {"wall": wall})
        numbers.keep("times", "make test", TIMES)
    kept = json.loads(numbers.KEPT.read_text())
    assert [kept["times"][f"make {name}"]["wall"] for name in ("fast", "test")] == [120.0, 90.0]
    assert "| `make fast` | 7 | 2.0 |" in numbers.PAGE.read_text()


def test_a_room_is_tried_by_the_tests_that_mirror_it():
    assert mutants.mirror("kvsmooth/mixes.py") == ["tests/kvsmooth/test_mixes.py"]
    assert "tests/kvsmooth/sinks/test_live.py" in mutants.mirror("kvsmooth/sinks")
    for room in mutants.MEASURED:
        assert mutants.files_of(room)
        assert all((ROOT / test).is_file() for test in mutants.mirror(room))


def test_a_mutant_of_words_alone_is_told_apart():
    assert mutants._text("raise E('XXno suchXX')") == mutants._text("raise E('NO SUCH')")
    assert mutants._text("a + 1") != mutants._text("a - 1")


def test_a_target_is_timed_by_what_it_took_and_refused_where_it_fails(tmp_path, monkeypatch):
    (tmp_path / "Makefile").write_text("fast:\n\t@echo 41 passed in 1s\ntest:\n\t@echo 1 failed, 40 passed; false\n")
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    for words in (("init",), ("add", "-A"), ("commit", "-m", "one")):
        subprocess.run([*git, *words], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setattr(timed, "ROOT", tmp_path)
    found = timed.timed("fast")
    assert (found["passed"], len(found["commit"]) >= 7) == (41, True)
    assert 0 <= found["processor"] < 60
    assert found["wall"] >= 0
    with pytest.raises(RuntimeError, match=r"^make test failed:\n1 failed"):
        timed.timed("test")
    assert timed.main(["nonsense"]) == 2
