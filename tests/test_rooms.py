"""The tree is what CONTRIBUTING draws, tests mirror it, and `make changed` finds the tests of a file."""

import subprocess

import pytest

from tests import changed, rooms


@pytest.fixture(scope="module")
def graph():
    return changed.imports()


def test_every_folder_says_in_a_line_what_it_is_for():
    assert not [folder for folder, told in rooms.rooms() if not told.endswith((".", "?"))]


def test_the_map_is_that_of_the_tree():
    assert rooms.MARKED.findall(rooms.PAGE.read_text(encoding="utf-8")) == [rooms.the_map()], "run `python -m tests.rooms`"


def test_tests_mirror_the_rooms():
    tested = {path.parent.relative_to("tests").as_posix() for path in rooms.sources("tests") if path.name.startswith("test_")}
    own = {".", "notebooks"}
    assert tested - own <= {folder for folder, _ in rooms.rooms()}


@pytest.mark.slow
def test_what_is_imported_through_others_and_within_functions_is_seen(graph):
    assert "kvsmooth/measures.py" in graph["tests/kvsmooth/test_measures.py"] | graph["kvsmooth/smoother.py"]
    assert "analysis/drift/findings.py" in graph["analysis/drift/__main__.py"], "imported within a function"
    assert "analysis/drift/__main__.py" in graph["tests/analysis/drift/test_command.py"]
    assert "tests/probes/conftest.py" in graph["tests/probes/recorders/test_lens.py"]
    assert "tests/kvsmooth/sinks/test_live.py" in changed.hanging(["kvsmooth/decoding/group.py"], graph)
    assert not {
        file for file in changed.hanging(["analysis/drift/findings.py"], graph) if file.startswith(("kvsmooth", "probes", "tests/kvsmooth"))
    }


def test_a_touched_room_is_tested_as_a_whole_and_what_hangs_on_it_quickly(graph):
    near, far = changed.chosen(["kvsmooth/mixes.py"], graph)
    assert "tests/kvsmooth/test_options.py" in near
    assert "tests/kvsmooth/sinks/test_live.py" in far
    assert "tests/analysis/ablation/test_command.py" in far
    assert not set(near) & set(far)
    near, far = changed.chosen(["tests/kvsmooth/sinks/capture.py", "docs/log.md"], graph)
    assert "tests/kvsmooth/sinks/test_detectors.py" in near
    assert all(file.startswith(("tests/kvsmooth", *changed.ALWAYS)) for file in (*near, *far))


def test_data_figures_and_notebooks_have_rooms_too(graph):
    assert changed.rooms_of(["analysis/words/data/a/b.txt", "figures/emoji/onset/onset.json"]) == {"analysis/words", "analysis/onset"}
    assert changed.rooms_of(["notebooks/01_first_look.ipynb"]) == {"notebooks"}
    assert changed.rooms_of(["README.md", "docs/method.md"]) == set()
    assert "tests/analysis/metrics/test_chair.py" in changed.chosen(["analysis/words/data/a/b.txt"], graph)[1]
    every = {file for file in graph if "/test_" in file}
    assert set().union(*changed.chosen(["pyproject.toml"], graph)) == every


def test_touched_is_what_differs_from_where_the_branch_left_main(tmp_path, monkeypatch):
    def git(*words):
        named = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *named, *words], cwd=tmp_path, check=True, capture_output=True)

    def commit(*names):
        for name in names:
            (tmp_path / name).write_text(name)
        git("add", "-A")
        git("commit", "-m", "more")

    git("init", "-b", "main")
    commit("kept", "edited", "removed")
    git("switch", "-c", "branch")
    commit("committed")
    git("switch", "main")
    commit("of others")
    git("switch", "branch")
    (tmp_path / "edited").write_text("anew")
    (tmp_path / "removed").unlink()
    (tmp_path / "new").touch()
    monkeypatch.setattr(changed, "ROOT", tmp_path)
    assert changed.since_main() == ["committed", "edited", "new", "removed"]
