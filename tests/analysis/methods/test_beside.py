"""An earlier result beside a new one: what is joined equals one run of all, and what cannot be compared is refused in a line."""

import json

import pytest
import xarray as xr

from analysis.methods.__main__ import QUESTION, MethodsConfig, measure
from analysis.methods.beside import LISTS, earlier, joined
from analysis.methods.findings import paragraph
from analysis.methods.results import results
from analysis.methods.trial import NONE, trial
from analysis.question.question import by_name, made_by
from analysis.stats.rows import as_json
from probes.command.cli import BadInput
from probes.command.strict_json import as_plain
from tests.analysis.methods.planted import planted, reduced_planted

OPTIONS = {"images": 8, "validation": 8, "strengths": (1.0,), "fluent": 0}


def told(reduced, methods, commit, revision="r", **aside):
    """With the attributes of a run of these methods, others put aside with a reason."""
    config = {**{name: field.default for name, field in MethodsConfig.__dataclass_fields__.items()}, **OPTIONS, "methods": methods}
    origin = {"config": as_plain(config), "git_commit": commit, "model_id": "emoji", "model_revision": revision, "n": 8}
    origin |= {"data_hash": "d", "validation_hash": "v"}
    lists = {name: json.dumps({f"{one} x1" if name == "reports" else one: 1.0 for one in methods}) for name in LISTS}
    lists |= {"given": json.dumps({}), "aside": json.dumps(aside)}
    return reduced.assign_attrs({"analysis": json.dumps(origin), **lists})


def parts():
    """Reduced data of all arms, and of the same arms in two runs."""
    said = planted(8)
    said["eos_bias x1000"] = said.pop("eos_bias x1")  # a longer name than any of the first
    first, second = ({arm: said[arm] for arm in (NONE, *arms)} for arms in (("pai x1", "kvsmooth x1"), ("eos_bias x1000",)))
    together = {arm: said[arm] for arm in (*first, "eos_bias x1000")}
    return reduced_planted(together), told(reduced_planted(first), ["pai", "kvsmooth"], "a" * 40), reduced_planted(second)


@pytest.mark.usefixtures("few_resamples")
def test_joined_equals_one_run_of_all_and_tells_whose_the_arms_are():
    whole, before, second = parts()
    made = joined(before, told(second, ["eos_bias"], "b" * 40))
    xr.testing.assert_equal(made.drop_attrs(), whole.drop_attrs())
    assert {name: one.dtype for name, one in made.variables.items()} == {name: one.dtype for name, one in whole.variables.items()}
    assert json.loads(made.attrs["reports"]) == {"pai x1": 1.0, "kvsmooth x1": 1.0, "eos_bias x1": 1.0}
    origin = json.loads(made.attrs["analysis"])
    assert origin["config"]["methods"] == ["pai", "kvsmooth", "eos_bias"]
    assert origin["git_commit"] == "b" * 40
    assert origin["beside"] == [{"git_commit": "a" * 40, "methods": ["pai", "kvsmooth"]}]
    rows, more = results(made)
    found = json.loads(as_json(rows, origin, **more))
    assert "Arms of pai and kvsmooth are of an earlier run, at commit aaaaaaa." in paragraph(by_name(found["results"]), found)


def test_what_was_put_aside_and_has_now_been_run_is_aside_no_more():
    _, before, second = parts()
    first = told(before, ["pai", "kvsmooth"], "a" * 40, eos_bias="it was not supported", vcd="nor this")
    made = joined(first, told(second, ["eos_bias"], "b" * 40))
    assert json.loads(made.attrs["aside"]) == {"vcd": "nor this"}


def test_a_third_run_tells_of_both_before_it():
    _, before, second = parts()
    made = joined(before, told(second, ["eos_bias"], "b" * 40))
    third = told(reduced_planted({**{NONE: planted(8)[NONE]}, "vcd x1": planted(8)["pai x1"]}), ["vcd"], "c" * 40)
    beside = json.loads(joined(made, third).attrs["analysis"])["beside"]
    assert [(one["git_commit"][0], one["methods"]) for one in beside] == [("a", ["pai", "kvsmooth"]), ("b", ["eos_bias"])]


def test_another_subject_and_other_captions_without_a_method_are_refused():
    _, before, second = parts()
    with pytest.raises(BadInput, match="its model_revision is r, that of this run other; they cannot be set beside each other"):
        joined(before, told(second, ["eos_bias"], "b" * 40, revision="other"))
    moved = second.copy(deep=True)
    moved["test"].loc[{"arm": NONE, "image": moved["image"][0]}] += 1
    with pytest.raises(BadInput, match="without a method 1 of 8 test captions come to something else than then"):
        joined(before, told(moved, ["eos_bias"], "b" * 40))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subject": "smollm2"}, "was made with --subject emoji, this run has smollm2"),
        ({"strengths": (0.5, 1.0)}, "was made with --strengths 1.0, this run has 0.5 1.0; give it the same"),
        ({"beams": 5}, "was made with --beams 1, this run has 5"),
        ({"methods": ("pai", "vcd")}, "pai stands there already; leave it out of --methods"),
        ({"methods": ()}, "name by --methods what is added to it"),
    ],
)
def test_what_cannot_be_set_beside_it_is_told_before_a_model_is_loaded(options, said, tmp_path):
    _, before, _ = parts()
    QUESTION.write(before, QUESTION.data(tmp_path))
    config = MethodsConfig(**{**OPTIONS, "methods": ("vcd",), **options}, beside=tmp_path)
    with pytest.raises(BadInput, match=said):
        earlier(QUESTION, tmp_path, config)


def test_a_folder_without_a_result_or_with_a_damaged_one_is_told_as_such(tmp_path):
    config = MethodsConfig(**OPTIONS, methods=("vcd",), beside=tmp_path)
    for _ in range(2):  # no file, then a damaged one
        with pytest.raises(BadInput, match=r"^--beside .*: holds no methods\.nc that can be read; name the folder of an earlier result\.$"):
            earlier(QUESTION, tmp_path, config)
        (tmp_path / "methods.nc").write_bytes(b"torn")


def test_what_can_be_set_beside_it_is_read_as_it_was_written(tmp_path):
    _, before, second = parts()
    QUESTION.write(before, QUESTION.data(tmp_path))
    read = earlier(QUESTION, tmp_path, MethodsConfig(**OPTIONS, methods=("eos_bias",), beside=tmp_path))
    new = told(second, ["eos_bias"], "b" * 40)
    xr.testing.assert_identical(joined(read, new), joined(before, new))


@pytest.mark.parametrize("missing", ["analysis", "chosen", "objects"])
def test_another_file_of_that_name_is_refused_before_a_model_is_loaded(missing, tmp_path):
    _, before, _ = parts()
    del before.attrs[missing]
    QUESTION.write(before, QUESTION.data(tmp_path))
    with pytest.raises(BadInput, match=f"its methods.nc has no '{missing}', as every result of this question has"):
        earlier(QUESTION, tmp_path, MethodsConfig(**OPTIONS, methods=("vcd",), beside=tmp_path))


def test_a_result_of_before_methods_were_given_anything_takes_new_arms(tmp_path):
    _, before, second = parts()
    del before.attrs["given"]
    QUESTION.write(before, QUESTION.data(tmp_path))
    read = earlier(QUESTION, tmp_path, MethodsConfig(**OPTIONS, methods=("eos_bias",), beside=tmp_path))
    assert json.loads(joined(read, told(second, ["eos_bias"], "b" * 40)).attrs["given"]) == {}


def test_objects_that_were_numbered_otherwise_are_refused():
    _, before, second = parts()
    names = json.loads(before.attrs["objects"])
    before.attrs["objects"] = json.dumps([*names[1:], names[0]])
    with pytest.raises(BadInput, match="its list of objects is that of another version; run all methods anew"):
        joined(before, told(second, ["eos_bias"], "b" * 40))


def test_captions_that_differ_without_a_method_are_told_before_a_method_speaks(tmp_path):
    options = {**OPTIONS, "images": 3, "validation": 2, "batch_size": 3, "max_new_tokens": 20, "store": tmp_path / "store"}
    first = MethodsConfig(**options, methods=("eos_bias",), out=tmp_path / "first", page=tmp_path / "page.md")
    before = trial(first, made_by(first))
    before["test"].loc[{"arm": NONE, "image": before["image"][0]}] += 1
    QUESTION.write(before, QUESTION.data(first.out))
    for done in (tmp_path / "store").rglob("eos_bias*.json"):
        done.unlink()
    second = MethodsConfig(**options, methods=("image_bias",), beside=first.out, out=tmp_path / "out", page=tmp_path / "page.md")
    with pytest.raises(BadInput, match="without a method 1 of 3 test captions come to something else than then"):
        measure(second)
    assert not [*(tmp_path / "store").rglob("image_bias*.json")]
