"""What a specification of a method means, and what it refuses in one line."""

import pytest
import torch

from analysis.benchmark.methods import METHODS, method, methods
from analysis.benchmark.names import BASELINE
from kvsmooth import KVSmooth
from kvsmooth.baselines import METHODS as OTHERS
from kvsmooth.baselines import PAI, VAF, ImageBias
from kvsmooth.baselines.directions import save_directions
from kvsmooth.policies import Constant, Inverse, Top
from probes.command.cli import BadInput


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("baseline", None),
        ("kvsmooth", KVSmooth()),
        ("kvsmooth: lambda_ref=0.9, window=7", KVSmooth(lambda_ref=0.9, window=7)),
        ("kvsmooth:keys=false,rank=mid", KVSmooth(keys=False, rank="mid")),
        ("kvsmooth:layers=3-5+7", KVSmooth(layers=(3, 4, 5, 7))),
        ("kvsmooth:preset=llava-1.5", KVSmooth.preset("llava-1.5")),
        ("kvsmooth:preset=llava-1.5,margin=0", KVSmooth.preset("llava-1.5", margin=0.0)),
        ("constant:rate=0.6", KVSmooth(policy=Constant(0.6))),
        ("inverse:lambda_ref=0.9", KVSmooth(policy=Inverse(), lambda_ref=0.9)),
        ("top:q=0.2,rate=0.5", KVSmooth(policy=Top(0.2, 0.5))),
        ("pai:alpha=0.5,layers=2-4", PAI(alpha=0.5, layers=(2, 3, 4))),
        ("image_bias:strength=-1", ImageBias(-1.0)),
        ("vaf:signed=false", VAF(signed=False)),
    ],
)
def test_a_specification_is_the_method_that_it_names(given, expected):
    found = method(given)
    assert (found.options is None) == (expected is None)
    assert found.describe() == (None if expected is None else expected.describe())
    assert " " not in found.name
    assert method(found.name) == found, "a name is a specification again"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("beam", "choose from baseline"),
        ("baseline:rate=1", "has no options"),
        ("kvsmooth:lambda=1", "no option 'lambda'"),
        ("kvsmooth:lambda_ref", "write name=value"),
        ("kvsmooth:lambda_ref=2", r"must lie in \[0, 1\]"),
        ("kvsmooth:window=1.5", "must be an integer"),
        ("kvsmooth:keys=1", "true or false"),
        ("kvsmooth:window=3,window=4", "given twice"),
        ("kvsmooth:preset=gpt", "preset must be one of"),
        ("kvsmooth:layers=a", "numbers and ranges"),
        ("kvsmooth:score=entropy", "score must be one of"),
        ("constant", "needs rate"),
        ("pai:alfa=1", "there is no option 'alfa'; choose from alpha, prompt, guidance, threshold, layers"),
        ("pai:alpha=-1", "PAI.alpha must be a number, at least 0; got -1.0"),
        ("eos_bias:bias=much", "bias must be a number; got 'much'"),
        ("middle_layer:layers=x", "layers must be numbers and ranges"),
    ],
)
def test_what_is_no_method_is_told_in_one_line(given, told):
    with pytest.raises(BadInput, match=told) as caught:
        method(given)
    assert "\n" not in str(caught.value)


def test_a_method_stands_in_a_table_once_whatever_it_is_called():
    with pytest.raises(BadInput, match="are the same method"):
        methods(["kvsmooth", "kvsmooth:lambda_ref=0.7"])
    assert len({one.file for one in methods(["baseline", "kvsmooth", "constant:rate=0.6", "constant:rate=0.60001"])}) == 4


def test_the_baseline_is_registered():
    assert BASELINE in METHODS


@pytest.mark.parametrize("name", OTHERS)
def test_any_method_of_others_is_one_of_a_table(name):
    found = method(name)
    assert found.describe() == OTHERS[name]().describe()
    assert found.cost
    assert name not in METHODS, "one name would hide the other"


def test_a_file_of_directions_is_an_option(tmp_path):
    file = save_directions(torch.ones(3, 32), tmp_path / "made.pt")
    found = method(f"vti:directions={file},alpha=0.5")
    assert found.options.alpha == 0.5
    assert torch.equal(found.options.directions, torch.ones(3, 32))
    with pytest.raises(BadInput, match=r"VTI\.directions: there is no file") as told:
        method(f"vti:directions={tmp_path / 'none.pt'}")
    assert "\n" not in str(told.value)
