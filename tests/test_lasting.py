"""Which tests last: read off a report, kept as node ids, marked when they are collected."""

from pathlib import Path

import pytest

from tests import lasting
from tests.rooms import ROOT

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_lasting" name="test_a[x.y-1]" time="0.3"/>
<testcase classname="tests.test_lasting.TestB" name="test_c" time="1.5"/>
<testcase classname="tests.test_lasting" name="test_d" time="0.1"/>
{more}
</testsuite></testsuites>"""


def report(tmp_path: Path, more: str = "") -> Path:
    path = tmp_path / "report.xml"
    path.write_text(REPORT.format(more=more), encoding="utf-8")
    return path


def test_what_took_longer_is_found_by_its_node_id(tmp_path):
    assert lasting.over(report(tmp_path)) == ["tests/test_lasting.py::TestB::test_c", "tests/test_lasting.py::test_a[x.y-1]"]
    assert lasting.over(report(tmp_path), moment=1.0) == ["tests/test_lasting.py::TestB::test_c"]


@pytest.mark.parametrize("more", ['<testcase classname="tests.gone" name="test_e" time="9"/>', "<testcase"])
def test_a_report_of_something_else_is_refused_in_a_line(tmp_path, more, capsys, monkeypatch):
    monkeypatch.setattr(lasting, "KEPT", tmp_path / "kept.txt")
    assert lasting.main([str(report(tmp_path, more))]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "kept.txt").exists()


def test_the_list_is_written_and_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lasting, "KEPT", ROOT / "build" / f"{tmp_path.name}.txt")
    monkeypatch.setattr(lasting, "collected", lambda tier: {"tests/test_lasting.py::TestB::test_c"})
    assert lasting.lasting() == frozenset()
    try:
        assert lasting.main([str(report(tmp_path))]) == 0
        assert lasting.lasting() == {"tests/test_lasting.py::test_a[x.y-1]"}, "what is slow is left out"
        assert capsys.readouterr().out.startswith("1 tests took more than 0.15 s")
    finally:
        lasting.KEPT.unlink(missing_ok=True)


def test_listed_tests_exist_and_are_marked():
    """Only a listed test bears the mark: asked of pytest itself, for one file that has some."""
    listed = sorted(lasting.lasting())
    assert listed
    path = min((node.partition("::")[0] for node in listed), key=lambda path: path.count("/"))  # its collection loads no torch, twice
    found = [lasting.collected(tier, path) for tier in ("lasting", "not lasting")]
    assert found[0] == {node for node in listed if node.startswith(f"{path}::")}
    assert not found[1] & set(listed)
