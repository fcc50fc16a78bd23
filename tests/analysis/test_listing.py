"""`python -m analysis` names every question first, and loads no model to do so."""

import subprocess
import sys

import pytest

from analysis.__main__ import AnalysisListConfig, main
from analysis.questions import ACROSS_SUBJECTS, QUESTIONS


@pytest.mark.slow
def test_questions_come_first_and_nothing_is_told_twice(capsys):
    main(AnalysisListConfig())
    told = capsys.readouterr().out
    first, rest = told.split("\n\n")
    names = [line.split()[0] for line in first.splitlines()[1:]]
    others = [line.split()[0] for line in rest.splitlines()[1:]]
    assert names == [f"analysis.{question}" for question in (*QUESTIONS, *ACROSS_SUBJECTS)]
    assert {"analysis.benchmark", "analysis.regenerate", "analysis.score"} <= set(others)
    assert not set(names) & set(others)


def test_no_model_is_loaded():
    code = "import sys; from analysis.__main__ import AnalysisListConfig, main; main(AnalysisListConfig())"
    code += "; assert not {'torch', 'transformers', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
