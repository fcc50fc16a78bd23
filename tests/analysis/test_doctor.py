"""What analysis adds to the doctor: NLTK, its version and its data, tried."""

from importlib.metadata import version

import pytest

from analysis.doctor import machine, words
from analysis.words import tagging
from kvsmooth.doctor.finding import Finding
from tests.analysis.words.test_readers import LATER


def test_without_nltk():
    found = words(None)
    assert found.state == "no"
    assert found.told.startswith("not installed; CHAIR reads with its bundled words")
    assert found.told.endswith(f"`pip install '{tagging.VERSIONS}'`")


def test_what_is_installed(nltk_data):
    (found,) = machine()
    if nltk_data:
        assert found == Finding("nltk", f"{version('nltk')} with its data; CHAIR reads exactly as the published programs do")
    else:
        assert found.state == "no"
        assert found.told.startswith(f"{version('nltk')}: Exact words need NLTK's punkt_tab")


@pytest.mark.parametrize("later", LATER)
def test_a_version_that_splits_otherwise(nltk_data, monkeypatch, later):
    from nltk.tokenize import NLTKWordTokenizer

    rules, rule = LATER[later]
    monkeypatch.setattr(NLTKWordTokenizer, rules, [*getattr(NLTKWordTokenizer, rules), rule])
    found = words("3.99")
    assert found.state == ("broken" if nltk_data else "no")
    if nltk_data:
        assert found.told.startswith(
            "3.99 splits words otherwise than the published programs' did; for theirs run `pip install 'nltk>=3.9,<"
        )
