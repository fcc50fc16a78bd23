"""A detector by name: the registered ones, one's own as module:Class, and names that lead nowhere, told in one line."""

import sys

import pytest

from kvsmooth import KVSmooth
from kvsmooth.sinks import SINKS, KeyNorm
from kvsmooth.sinks.chosen import detector_class
from kvsmooth.sinks.toy import planted

OWN = '''\
"""Detectors of a user."""

from dataclasses import dataclass
from typing import ClassVar

from kvsmooth.sinks import Detector, KeyNorm

JUST_A_NUMBER = 3


@dataclass(frozen=True)
class Short(KeyNorm):
    """The opposite of key_norm."""

    name: ClassVar[str] = "short"

    def __call__(self, seen):
        return -super().__call__(seen)


class Unfinished(Detector):
    """Has no score."""

    name = "unfinished"


class Taken(Short):
    """Goes by the name of another."""

    name = "row_entropy"


class Nameless(Short):
    """Goes by a name that no table takes."""

    name = "a name"


class Timeless(Short):
    """Is known at no time."""

    name, known = "timeless", "sometimes"


@dataclass(frozen=True)
class Demanding(Detector):
    """Cannot be built by its name alone."""

    channel: int
    name: ClassVar[str] = "demanding"
    known: ClassVar[str] = "step"

    def __call__(self, seen):
        return seen.hidden[..., self.channel]


class Stranger:
    """Is no detector."""

    name = "stranger"
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The name of a module of a user's, importable for the length of a test."""
    (tmp_path / "users_detectors.py").write_text(OWN)
    (tmp_path / "users_torn.py").write_text("import kvsmooth\nraise OSError('no\\nfile')\n")
    (tmp_path / "users_lacking.py").write_text("import a_module_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "users_detectors"
    for name in ("users_detectors", "users_torn", "users_lacking"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", SINKS)
def test_registered_names_are_their_classes(name):
    assert detector_class(name) is SINKS[name]


def test_a_class_of_ones_own_scores_and_drives_the_smoother(own):
    made = detector_class(f"{own}:Short")()
    seen = planted()
    assert (made(seen) == -KeyNorm()(seen)).all()
    assert KVSmooth(score=made).describe()["score"]["name"] == "short"


def test_a_registered_class_may_be_named_by_its_module():
    assert detector_class("kvsmooth.sinks.key_norm:KeyNorm") is KeyNorm


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("entropy", "must be one of first_tokens, .*, or module:Class for one's own; got 'entropy'"),
        ("users_detectors", "or module:Class for one's own; got 'users_detectors'"),
        (":Short", "or module:Class for one's own; got ':Short'"),
        ("users_detectors:", "or module:Class for one's own"),
        ("nowhere_to_be_found:Short", "there is no module nowhere_to_be_found; run from its folder, or name the folder in PYTHONPATH"),
        ("nowhere_to_be_found.part:Short", "there is no module nowhere_to_be_found"),
        ("users_detectors.part:Short", "there is no module users_detectors.part"),
        ("users_torn:Short", r"users_torn cannot be imported \(OSError: no file\)"),
        ("users_lacking:Short", "users_lacking needs the module a_module_that_nobody_has, which is not installed"),
        ("users_detectors:Shrot", "the module users_detectors has no Shrot"),
        ("users_detectors:JUST_A_NUMBER", "JUST_A_NUMBER must be a class that extends kvsmooth.sinks.Detector"),
        ("users_detectors:Stranger", "Stranger must be a class that extends kvsmooth.sinks.Detector"),
        ("users_detectors:Unfinished", "Unfinished must be a class that extends kvsmooth.sinks.Detector and can be called"),
        ("users_detectors:Taken", "Taken.name is 'row_entropy', the name of another detector"),
        ("users_detectors:Nameless", "Nameless.name must be a text of letters, digits and _; got 'a name'"),
        ("users_detectors:Timeless", "Timeless.known must be one of prompt, before, step, later; got 'sometimes'"),
        ("users_detectors:Demanding", "Demanding must be built without options; give channel a default"),
    ],
)
@pytest.mark.usefixtures("own")
def test_names_that_lead_nowhere_are_told_in_one_line(name, told):
    with pytest.raises(ValueError, match=told) as error:
        detector_class(name)
    assert "\n" not in str(error.value)
