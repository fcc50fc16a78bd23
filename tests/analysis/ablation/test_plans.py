"""Cells and plans: names are unique, options build methods, crossings are products, two-pass cells know what drives them."""

import sys

import pytest

from analysis.ablation.config import AblationConfig
from analysis.ablation.plans import PLANS, band, crossed, planned, span
from analysis.captions.version import meaning, method_version
from analysis.cells.cells import Cell
from analysis.cells.names import BASELINE, PAPER, PLAN_NAMES
from analysis.cells.plan_setting import PlanSetting
from kvsmooth import KVSmooth
from kvsmooth.policies import POLICIES
from kvsmooth.sinks import SINKS

SETTING = PlanSetting(0.7, 12, detectors={"punctuation": {"ids": [5]}})


def empty_lists(**given):
    return {**AblationConfig(windows=(15,)).lists, "windows": (), **given}


@pytest.mark.parametrize("name", ["full", *PLANS])
def test_plans_have_unique_names_and_slugs_and_begin_with_what_all_need(name):
    cells = planned(name, SETTING)
    assert [cell.name for cell in cells[:2]] == [BASELINE, PAPER]
    assert len({cell.name for cell in cells}) == len(cells) == len({cell.slug for cell in cells})


def test_the_first_token_alone_is_one_of_the_detectors_cells():
    (cell,) = planned("first_token", SETTING)[2:]
    assert cell in planned("detectors", SETTING)
    assert cell.options == {"score": "row_entropy", "score_options": {"keys": "without_bos"}}
    assert [other.name for other in planned("full", SETTING)].count(cell.name) == 1


def test_several_plans_are_one_after_the_other_each_once():
    names = [cell.name for cell in planned("ladder,dose,ladder", SETTING)]
    assert names == [*dict.fromkeys([cell.name for plan in ("ladder", "dose") for cell in planned(plan, SETTING)])]
    assert AblationConfig(plan="ladder,dose").plan == "ladder,dose"
    for plan in ("ladder,full", "ladder,", "nothing"):
        with pytest.raises(ValueError, match=r"AblationConfig\.plan must be of ladder, places"):
            AblationConfig(plan=plan)


def test_the_full_plan_holds_every_timely_detector_and_every_policy():
    cells = planned("full", SETTING)
    drive = {cell.option("score") for cell in cells}
    assert {name for name, made in SINKS.items() if made.known != "later"} <= drive
    assert set(POLICIES) - {"percentile"} <= {cell.option("policy") for cell in cells}


def test_cells_of_one_pass_build_their_method():
    for cell in planned("full", SETTING):
        if cell.name != BASELINE and not cell.two_pass:
            method = cell.method({"lambda_ref": 0.7, "exact": False})
            assert isinstance(method, KVSmooth)
            assert not method.exact
    assert Cell(BASELINE, "reference", None).method({}) is None


def test_no_two_cells_do_the_same_but_the_constant_and_the_empty_margin():
    methods = [cell.method({"lambda_ref": 0.7}) for cell in planned("full", SETTING) if not cell.two_pass]
    told = [str(None if method is None else method.describe()) for method in methods]
    assert len(set(told)) == len(told)


def test_a_cross_is_the_product_of_its_lists():
    cells = crossed(empty_lists(places=("keys", "both"), windows=(5, 15, 30)), SETTING)
    assert {cell.name for cell in cells} == {
        BASELINE, PAPER, "keys only", "window 5", "window 30", "keys only, window 5", "keys only, window 30",
    }  # fmt: skip
    assert next(cell for cell in cells if cell.name == "keys only, window 5").options == {"values": False, "window": 5}


def test_a_two_pass_cell_of_a_cross_brings_the_first_pass_of_its_own_band():
    cells = crossed(empty_lists(policies=("permuted",), bands=("3-10", "0-2")), SETTING)
    named = {cell.name: cell for cell in cells}
    assert named["permuted, layers 0-2"].source.options == {"layers": [0, 1, 2]}
    assert {"layers": [0, 1, 2]} in [cell.options for cell in cells]
    assert named["permuted"].source.options == named[PAPER].options == {}


def test_policies_that_want_a_rate_take_that_of_their_own_cell():
    cells = {cell.name: cell for cell in crossed(empty_lists(policies=("constant", "top"), lambdas=(0.5,)), SETTING)}
    assert cells["constant, lambda_ref 0.5"].option("policy_options") == {"rate": 0.5}
    assert cells["top, lambda_ref 0.5"].option("policy_options")["rate"] == 0.7


@pytest.mark.parametrize("text", ["3-12", "x", "5-3", "-", "12"])
def test_bands_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="--bands must be like 3-10"):
        band(text, 12)


def test_span_is_short_where_layers_follow_each_other():
    assert span([3, 4, 5]) == "3-5"
    assert span([3]) == "3"
    assert span([3, 5]) == "3 5"


def test_cells_refuse_names_that_no_registry_has():
    with pytest.raises(ValueError, match="policy must be one of"):
        Cell("x", "cross", {"policy": "nothing"})
    with pytest.raises(ValueError, match="a letter or digit"):
        Cell("--", "cross")


def test_the_version_knows_code_and_not_comments(tmp_path):
    one, other, third = (tmp_path / f"{name}.py" for name in "abc")
    one.write_text('"""Doc."""\nx = 1  # why\n\n\ndef f():\n    """Doc."""\n    return x\n')
    other.write_text("x = 1\ndef f():\n    return x\n")
    third.write_text("x = 2\ndef f():\n    return x\n")
    assert meaning(one) == meaning(other) != meaning(third)
    assert method_version() == method_version("row_entropy", "percentile") != method_version("key_norm")


def test_a_detector_of_ones_own_drives_a_cell_and_decides_its_version(tmp_path, monkeypatch):
    text = """from kvsmooth.sinks import KeyNorm


class Short(KeyNorm):
    name = "short"

    def __call__(self, seen):
        return -super().__call__(seen)
"""
    monkeypatch.syspath_prepend(tmp_path)
    versions = []
    for module, written in (("cells_one", text), ("cells_same", f"# why\n{text}"), ("cells_other", text.replace("-super", "2 * super"))):
        (tmp_path / f"{module}.py").write_text(written)
        monkeypatch.delitem(sys.modules, module, raising=False)
        chosen = f"{module}:Short"
        found = crossed(AblationConfig(detectors=("key_norm", chosen)).lists, SETTING)
        assert [cell.name for cell in found] == [BASELINE, PAPER, "key_norm", chosen]
        assert found[-1].slug == f"{module.replace('_', '-')}-Short"
        assert type(found[-1].method({}).score) is sys.modules[module].Short
        versions.append(method_version(chosen))
        del sys.modules[module]
    assert versions[0] == versions[1] != versions[2] != method_version("key_norm") != versions[0]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("entropy", "must be one of first_tokens, .* or module:Class for one's own; got 'entropy'"),
        ("nowhere_at_all:Short", "there is no module nowhere_at_all"),
        ("json:JSONDecoder", "JSONDecoder must be a class that extends kvsmooth.sinks.Detector"),
        ("mean_received", "mean_received is only from later queries"),
    ],
)
def test_detectors_that_cannot_drive_are_refused_before_anything_runs(name, told):
    with pytest.raises(ValueError, match=rf"AblationConfig\.detectors must .*{told}"):
        AblationConfig(detectors=(name,))


def test_a_redraw_need_not_find_the_detectors_of_its_run():
    assert AblationConfig(detectors=("nowhere_at_all:Short",), redraw=True).detectors


def test_the_names_that_load_nothing_are_those_of_the_registries():
    assert set(PLAN_NAMES) == {"full", *PLANS}
