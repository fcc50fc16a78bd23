"""`python -m kvsmooth` names every entry of its registries."""

import re

from kvsmooth.__main__ import main
from kvsmooth.baselines import METHODS
from kvsmooth.mixes import MIXES
from kvsmooth.policies import POLICIES
from kvsmooth.presets import PRESETS
from kvsmooth.sinks import SINKS


def test_every_entry_has_a_line(capsys):
    assert main([]) == 0
    told = capsys.readouterr().out
    for name in (*SINKS, *POLICIES, *MIXES, *METHODS, *PRESETS):
        assert re.search(rf"^  {re.escape(name)} +\S", told, re.MULTILINE), name
    assert len(told.split("\n\n")) == 6
    assert "python -m kvsmooth doctor" in told


def test_words_that_mean_nothing_are_refused_in_one_line(capsys):
    assert main(["--lambda-ref"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "python -m kvsmooth: it takes doctor or nothing; got '--lambda-ref'.\n"
    assert main(["--help"]) == 0
