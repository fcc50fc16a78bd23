"""What a package says there is: every module that runs, in the words of its own first line."""

import re

import pytest

from probes.__main__ import ProbesListConfig, main
from probes.command.listing import commands, first_line, listed
from probes.recorders import RECORDERS
from tests.rooms import ROOT, sources


@pytest.mark.parametrize("package", ["probes", "analysis"])
def test_every_module_that_runs_is_listed_and_says_how_it_is_called(package):
    found = commands(package)
    running = [path for path in sources(package) if re.search(r"^if __name__ == .__main__.:", (ROOT / path).read_text(), re.MULTILINE)]
    assert len(found) == len(running) - 1, "all but the command that lists them"
    for path in running:
        name = ".".join(path.with_suffix("").parts).removesuffix(".__main__")
        assert (ROOT / path).read_text().startswith(f'"""`python -m {name}'), f"{path} begins by saying how it is called"
        assert name == package or found[name], f"{path} says nothing of itself"


def test_a_line_is_told_without_the_command_that_it_begins_with():
    assert first_line("`python -m a.b --out DIR`: does it.\n\nMore.", "a.b") == "does it."
    assert first_line("`python -m a.c`: does it.", "a.b") == "`python -m a.c`: does it."
    assert first_line("A fact.", "a.b") == "A fact."
    assert first_line(None, "a.b") == ""


def test_names_are_set_under_each_other():
    assert listed("Two", {"a": "one", "long": "other"}) == "Two\n  a     one\n  long  other"


def test_probes_tells_its_commands_and_recorders(capsys):
    main(ProbesListConfig())
    told = capsys.readouterr().out
    assert "\n  probes.record " in told
    assert all(re.search(rf"^  {name} +\S", told, re.MULTILINE) for name in RECORDERS)
