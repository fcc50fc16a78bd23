"""The bundled subject, loaded once; and NLTK's data for tests that read words as the reference does: found, or told to be absent."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.analysis.bare import bare
from tests.analysis.resamples import few
from tests.analysis.sketches import sketches, unwritten

BESIDE = Path(__file__).parents[2].parent / "shared" / "data" / "nltk_data"
RESOURCES = ("tokenizers/punkt_tab/english/", "taggers/averaged_perceptron_tagger_eng/")


@pytest.fixture(scope="session")
def subject():
    from tests.analysis.loaded import loaded

    return loaded("emoji")


@pytest.fixture(scope="session")
def half_subject():
    """The same without the upper half of its layers: for tests of what holds of any model."""
    from tests.analysis.loaded import lower_half

    return lower_half("emoji")


@pytest.fixture(scope="session")
def read_once():
    """The packaged language model is loaded once for all tests that ask for this: to load it takes longer than to read a few captions."""
    from analysis.language import models

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "_packaged", functools.cache(models._packaged))
        yield


@pytest.fixture
def read_shallow(read_once, monkeypatch):
    """The packaged language model reads with two of its thirty layers: for tests of commands that look at no figure of it."""
    from analysis.language.models import PACKAGED, language_model

    monkeypatch.setattr(language_model(PACKAGED).model.config, "num_hidden_layers", 2)


@pytest.fixture
def halved():
    """Subjects are loaded with the lower half of their layers: for tests of what a command keeps, redraws or refuses."""
    from tests.analysis.loaded import halves

    with halves():
        yield


@pytest.fixture
def undrawn():
    """Figures are made and not written: for tests of something else that a command does."""
    with unwritten():
        yield


@pytest.fixture
def sketched():
    """Figures are laid out, and written as SVG alone: for tests of a command that look at no PNG."""
    with sketches():
        yield


@pytest.fixture(scope="session")
def apart(tmp_path_factory):
    """Runs a program in a process that has loaded no library of a model."""
    with bare(tmp_path_factory.mktemp("bare") / "said") as run:
        yield run


@pytest.fixture
def few_resamples():
    """Intervals of a few resamples: for tests of a command that look at none."""
    with few():
        yield


@pytest.fixture(scope="session")
def nltk_data() -> Iterator[bool]:
    """Whether NLTK finds its tokenizer and tagger: on its own search path, or in a folder beside the checkout.

    A test takes both answers: with the data it checks what exact reading gives, without them that it is refused in one line.
    """
    import nltk

    before, environment = list(nltk.data.path), os.environ.get("NLTK_DATA")
    if not _found() and BESIDE.is_dir():
        nltk.data.path.append(str(BESIDE))
        os.environ["NLTK_DATA"] = str(BESIDE)  # for the processes that a test starts
    yield _found()
    nltk.data.path[:] = before
    if environment is None:
        os.environ.pop("NLTK_DATA", None)
    else:
        os.environ["NLTK_DATA"] = environment


def _found() -> bool:
    import nltk

    try:
        return all(nltk.data.find(name) is not None for name in RESOURCES)
    except LookupError:
        return False
