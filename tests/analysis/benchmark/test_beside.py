"""Captions of a few scenes beside what the scenes hold: every method in turn, one that does not serve told in a line."""

import pytest

from analysis.benchmark.beside import BesideConfig, beside, every_method, perform
from analysis.benchmark.methods import methods
from kvsmooth.baselines import METHODS
from probes.command.cli import BadInput
from probes.subjects.bundled import own_scenes


def test_every_method_is_one_of_them():
    assert every_method() == ("baseline", "kvsmooth", *METHODS)


def test_methods_are_told_beside_the_scene(capsys):
    chosen = ("baseline", "eos_bias:bias=80", "pai:alpha=3", "icd")
    perform(BesideConfig(images=1, max_new_tokens=6, methods=chosen))
    told = capsys.readouterr().out.split("\n\n")
    (scene,) = own_scenes("emoji", 1, "validation")
    assert told[0] == f"scene 0: {', '.join(sorted(one.category for one in scene.objects))}"
    assert told[1].startswith("baseline\n  0 (6 tokens): ")
    assert told[2].startswith("eos_bias:bias=80")
    assert "(1 tokens): " in told[2]
    assert "image_mass " in told[3]
    assert told[4].strip() == methods(["icd"])[
        0
    ].name + ': icd.instruction must hold the token ids of an instruction, as tokenizer("You ' + ('are confused.").input_ids; got none.')


def test_bad_options_are_refused_before_any_scene_is_read():
    with pytest.raises(BadInput, match="no option 'alfa'"):
        perform(BesideConfig(methods=("pai:alfa=1",)))


def test_it_says_only_what_is_asked():
    lines = list(beside(BesideConfig(images=1, max_new_tokens=2), methods(["baseline"])))
    assert len(lines) == 3
