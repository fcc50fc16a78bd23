"""Strengths by one rule, verdicts on planted captions, and the whole command on few scenes."""

import json
import math
from contextlib import nullcontext
from dataclasses import fields
from functools import cache

import numpy as np
import pytest
import torch

from analysis.captions.measures import COUNTS
from analysis.methods import trial
from analysis.methods.__main__ import MethodsConfig, main
from analysis.methods.figures import COLOURS, draw_all
from analysis.methods.findings import paragraph
from analysis.methods.given import Given
from analysis.methods.real import LOGGED, REAL, beside_real
from analysis.methods.results import OWN, results
from analysis.methods.strengths import KVSMOOTH, LEFT_OUT, NEUTRAL, OURS, SEARCHES, Setting, at, named, settings
from analysis.methods.trial import NONE, choose, methods_of, opened
from analysis.published.verdict import BETTER
from analysis.question.question import by_name
from analysis.stats.rows import as_json
from analysis.telling.wording import signed
from kvsmooth.baselines import METHODS, OPERA, EosBias
from probes import load_subject
from probes.command.cli import BadInput
from probes.subjects.bundled import own_scenes
from tests.analysis.methods.planted import planted, reduced_planted
from tests.analysis.methods.test_costs import measured_in
from tests.analysis.resamples import few

STRENGTHS = (0.125, 0.25, 0.5, 1.0, 2.0)


def test_every_method_is_tried_or_left_out_with_a_reason():
    assert {*NEUTRAL, *LEFT_OUT} == {KVSMOOTH, *METHODS}
    assert not {*NEUTRAL} & {*LEFT_OUT}
    assert methods_of((), beams=5) == [KVSMOOTH, *(name for name in NEUTRAL if name != KVSMOOTH)]
    assert methods_of(()) == [name for name in methods_of((), beams=5) if name not in SEARCHES]


@pytest.mark.parametrize("method", [name for name in NEUTRAL if name != KVSMOOTH])
def test_strength_one_is_the_sources_setting_and_zero_does_nothing(method):
    source = METHODS[method](**OURS.get(method, {}))
    assert at(method, 1.0).describe() == source.describe()
    off = at(method, 0.0)
    assert {name: getattr(off, name) for name in NEUTRAL[method]} == NEUTRAL[method]
    rest = {each.name for each in fields(source)} - {*NEUTRAL[method]}
    half = at(method, 0.5)
    assert {name: getattr(half, name) for name in rest} == {name: getattr(source, name) for name in rest}
    for name, neutral in NEUTRAL[method].items():
        assert getattr(half, name) == pytest.approx((neutral + getattr(source, name)) / 2)


def test_a_strength_that_an_option_cannot_have_is_left_out():
    assert [one.strength for one in settings(KVSMOOTH, STRENGTHS)] == [0.125, 0.25, 0.5, 1.0], "lambda_ref 1.4 is no rate"
    assert [one.name for one in settings("pai", STRENGTHS)][-1] == "pai x2"


def test_the_choice_is_the_doses_rule():
    def level(hallucinated, recalled=8, looping=0):
        made = np.zeros((5, len(COUNTS)))
        parts = {"captions": 1, "mentions": 10, "truth": 10, "recalled": recalled, "objects": 10, "hallucinated": hallucinated}
        for name, value in (parts | {"looping": looping}).items():
            made[:, COUNTS.index(name)] = value
        return made

    tried = settings("pai", (0.5, 1.0, 2.0))
    levels = {NONE: level(3), "pai x0.5": level(2), "pai x1": level(1, recalled=7), "pai x2": level(0, looping=1)}
    assert choose("pai", tried, levels) == 0.5
    assert choose("pai", tried, levels | {"pai x0.5": level(3)}) == 0.0


@cache
def told_of_planted() -> str:
    reduced = reduced_planted(planted())
    told = {"chosen": {"pai": 1.0, "eos_bias": 0.0, "kvsmooth": 0.0}, "aside": {"vcd": "it is not served."}, "given": {"vti": "its own"}}
    reduced = reduced.assign_attrs({name: json.dumps(told.get(name, {})) for name in OWN if name != "objects"})
    with few():
        rows, more = results(reduced)
    config = {"level": 0.95, "strengths": [1.0], "validation": 40, "subject": "emoji"}
    return as_json(rows, {"n": 40, "model_id": "emoji", "config": config}, **more)


def found_of_planted():
    return json.loads(told_of_planted())


@pytest.mark.slow
def test_planted_ways_to_lower_chair_are_told_apart():
    found = found_of_planted()
    verdicts = {one["arm"]: one for one in found["verdicts"]}
    assert verdicts["pai x1"]["verdict"] == "sees better"
    assert "says less" in verdicts["eos_bias x1"]["parts"]
    assert "sees better" not in verdicts["eos_bias x1"]["parts"]
    assert "repeats" in verdicts["kvsmooth x1"]["parts"]
    rows = by_name(found["results"])
    truth = {scene.image_id: {one.category for one in scene.objects} for scene in own_scenes("emoji", 40)}
    assert rows["none/recall"]["estimate"] == 1.0
    assert rows["pai x1 - none/chair_s"]["estimate"] == pytest.approx(-rows["none/chair_s"]["estimate"])
    assert rows["none/chair_s"]["n"] == len(truth)
    tested = [row for row in found["results"] if row["name"].endswith("- none/chair_i")]
    assert {row["role"] for row in tested} == {"primary"}
    assert all(row["p_adjusted"] >= row["p"] for row in tested)


@pytest.mark.slow
def test_the_page_has_a_line_an_arm_and_says_what_is_missing():
    found = found_of_planted()
    told = paragraph(by_name(found["results"]), found)
    assert told.startswith("**Of 3 methods and controls, 1 has a strength that lowers CHAIR_i on validation scenes within the rule.")
    assert "\n| **pai x1** |" in told
    assert "\n| eos_bias x1 |" in told
    assert "`python -m analysis.methods --validation 40 --strengths 1`. In percent" in told
    # of what the rule does not choose, it may well have admitted strengths that change nothing
    assert (
        "Of eos_bias and kvsmooth no strength within the rule lowers CHAIR_i on validation scenes. Given beforehand: vti, its own." in told
    )
    assert "Not in the table: vcd, it is not served." in told
    del found["given"]  # as results of before anything was given
    assert "on validation scenes. Not in the table" in paragraph(by_name(found["results"]), found)


@pytest.mark.slow
def test_the_page_tells_costs_beside_the_verdict_and_nothing_where_none_were_measured(tmp_path, monkeypatch):
    found = found_of_planted()
    monkeypatch.chdir(tmp_path)
    assert "| time |" not in paragraph(by_name(found["results"]), found)
    measured_in(tmp_path)
    told = paragraph(by_name(found["results"]), found)
    (line,) = [line for line in told.splitlines() if line.startswith("| **pai x1** |")]
    assert line.split(" | ")[-2] == "1.2"
    assert "as a ratio to decoding without a method, of a random Llama of 98 M parameters" in told


@pytest.mark.slow
def test_the_page_tells_seconds_a_caption_where_the_run_kept_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = found_of_planted()
    assert "| seconds |" not in paragraph(by_name(found["results"]), found)
    told = paragraph(by_name(found["results"]), found | {"seconds": {"none": 0.5, "pai x1": 1.234}})
    lines = {line.split(" | ")[0].strip("|* "): line.split(" | ")[-2] for line in told.splitlines() if line.startswith("| ")}
    assert (lines["none"], lines["pai x1"], lines["eos_bias x1"]) == ("0.5", "1.2", "–")
    assert "Seconds: of the processor, a caption of this table" in told


@pytest.mark.slow
def test_real_captions_of_the_same_method_stand_beside_it(tmp_path, monkeypatch):
    found = found_of_planted()
    rows = by_name(found["results"])
    monkeypatch.chdir(tmp_path)
    assert beside_real(rows, found) == ""
    logs = [("plain", "greedy"), ("a", "PAI"), ("b", "PAI"), ("c", "PAI"), ("d", "VCD"), ("e", "OPERA")]
    verdicts = [("a", "says less"), ("b", "does not lower CHAIR"), ("c", "says less"), ("d", "says less"), ("e", "says less")]
    real = {
        "logs": [{"name": name, "model": "M-7B", "method": method} for name, method in logs],
        "verdicts": [{"log": log, "baseline": "plain", "verdict": said, "parts": [], "shares": {}} for log, said in verdicts],
        "results": [
            {"name": f"{log} - plain/chair_s", "estimate": -0.1 - i / 100, "p": None, "p_adjusted": None, "interval": [None, None]}
            for i, (log, _) in enumerate(verdicts)
        ],
    }
    REAL.parent.mkdir(parents=True)
    REAL.write_text(json.dumps(real))
    (line,) = [line for line in beside_real(rows, found).splitlines() if line.startswith("| `")]
    change = 100 * rows["pai x1 - none/chair_s"]["estimate"]
    assert line == f"| `pai` | sees better ({signed(change)}) | M-7B: says less (−10.0, −12.0); M-7B: does not lower CHAIR (−11.0) |"
    assert line in paragraph(rows, found)
    REAL.write_text("{}")
    with pytest.raises(BadInput, match=r"published\.json: cannot be read \(KeyError\)"):
        beside_real(rows, found)


def test_every_log_s_method_is_one_of_kvsmooth_baselines():
    assert LOGGED.keys() <= METHODS.keys()


def test_the_forest_has_a_mark_for_each_setting_in_its_verdicts_colour():
    found = found_of_planted()
    ax = draw_all(by_name(found["results"]), found)["methods"].axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()][-1] == "pai (×1)", "the lowest CHAIR_s on top"
    marks = {mark.get_marker(): mark.get_color() for mark in ax.lines if mark.get_marker() in "os" and len(mark.get_xdata())}
    verdicts = {one["arm"]: one["verdict"] for one in found["verdicts"]}
    assert marks["o"] == COLOURS[verdicts["pai x1"]] == COLOURS[BETTER]
    squares = [mark.get_color() for mark in ax.lines if mark.get_marker() == "s" and len(mark.get_xdata())]
    others = [label.get_text().replace(" ", "_") for label in ax.get_yticklabels()[:-1]]
    assert squares == [COLOURS[verdicts[named(method, 1.0)]] for method in others]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strengths": (0.5, 2.0)}, "must rise and hold 1"),
        ({"strengths": (1.0, 0.5)}, "must rise and hold 1"),
        ({"strengths": (1.0, 1.0000001)}, "differ in six digits"),
        ({"strengths": (1.0, math.inf)}, "positive"),
        ({"methods": ("pai", "pai")}, "names one twice"),
        ({"images": 0}, "images must be"),
        ({"beams": 0}, "beams must be"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(options, said):
    with pytest.raises((BadInput, ValueError), match=said) as error:
        MethodsConfig(**options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("names", "said"), [(("opera",), "whose baseline is beam search and not greedy decoding"), (("piano",), "there is no such method")]
)
def test_methods_that_are_not_tried_are_refused_before_a_model_is_loaded(names, said, tmp_path):
    config = MethodsConfig(methods=names, out=tmp_path / "out", page=tmp_path / "page.md", store=tmp_path / "store")
    with pytest.raises(BadInput, match=said):
        main(config)


def test_a_setting_that_cannot_be_opened_is_put_aside_before_anything_is_said(tmp_path, monkeypatch):
    model, aside = load_subject("emoji").model, {}
    refused, fine = Setting("icd", 1.0, METHODS["icd"]()), Setting("pai", 1.0, METHODS["pai"]())
    assert opened([refused, fine], model, aside) == [fine]
    assert aside["icd x1"].startswith("icd.instruction must hold the token ids")
    monkeypatch.setattr(trial, "kept", lambda name, subject, folder: Given({}, ""))
    config = MethodsConfig(
        images=2, validation=2, methods=("icd",), out=tmp_path / "out", page=tmp_path / "page.md", store=tmp_path / "store"
    )
    with pytest.raises(BadInput, match=r"none of them can be tried: icd\.instruction must hold the token ids"):
        main(config)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples", "halved", "read_shallow", "sketched")
def test_the_command_chooses_judges_goes_on_and_redraws(tmp_path, capsys, monkeypatch):
    few = {"images": 2, "validation": 1, "methods": ("eos_bias", "pai"), "strengths": (1.0, 2.0), "max_new_tokens": 14, "fluent": 1}
    config = MethodsConfig(**few, out=tmp_path / "out", page=tmp_path / "page.md", store=tmp_path / "store")
    main(config)
    assert (tmp_path / "out" / "methods.svg").is_file()
    monkeypatch.setattr("analysis.plots.style.save", lambda *given: None)  # drawn already
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.json")}
    assert len(finished) >= 5 + 3, "nothing and two methods at two strengths, then nothing and the sources' own settings"
    found = json.loads((tmp_path / "out" / "methods.json").read_text())
    assert {one["arm"] for one in found["verdicts"]} >= {named("eos_bias", 1.0), named("pai", 1.0)}
    assert found["options"]["pai x1"]["alpha"] == 0.2
    said = {
        one["name"]: one["cpu_seconds"] / 2
        for one in (json.loads(path.read_text()) for path in (tmp_path / "store" / "test").glob("*.json"))
    }
    assert found["seconds"] == {arm: pytest.approx(seconds, rel=1e-3) for arm, seconds in said.items()}
    before = (tmp_path / "page.md").read_text()
    assert "Broken: of the first 1 test captions" in before
    (tmp_path / "page.md").unlink()
    main(config)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.json")} == finished, "no arm is asked for again"
    assert (tmp_path / "page.md").read_text() == before
    main(MethodsConfig(redraw=True, out=tmp_path / "out", page=tmp_path / "again.md", store=tmp_path / "none"))
    assert (tmp_path / "again.md").read_text().splitlines()[2:] == before.splitlines()[2:]
    assert capsys.readouterr().out.count("Of 2 methods and controls") == 3
    added = few | {"methods": ("repetition_penalty",), "beside": tmp_path / "out"}
    main(MethodsConfig(**added, out=tmp_path / "more", page=tmp_path / "more.md", store=tmp_path / "store"))
    assert "Of 3 methods and controls" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_with_beams_every_arm_is_a_search_and_opera_is_among_them(tmp_path):
    few = {"images": 2, "validation": 1, "methods": ("opera", "eos_bias"), "strengths": (1.0,), "max_new_tokens": 14, "fluent": 0}
    config = MethodsConfig(**few, beams=2, out=tmp_path / "out", page=tmp_path / "page.md", store=tmp_path / "store")
    main(config)
    told = {json.loads(path.read_text())["name"]: json.loads(path.read_text()) for path in (tmp_path / "store" / "test").glob("*.json")}
    subject = load_subject("emoji")
    searches = {"none": None, "opera x1": OPERA(), "eos_bias x1": EosBias(8.0)}
    assert told.keys() == searches.keys()
    for name, method in searches.items():
        texts = []
        for item in subject.items(2):
            inputs = subject.encode([item])
            with torch.no_grad(), nullcontext() if method is None else method(subject.model):
                out = subject.model.generate(**inputs, num_beams=2, do_sample=False, max_new_tokens=14)
            texts.append(subject.text(out[0, inputs["input_ids"].shape[1] :].tolist()))
        assert told[name]["captions"] == texts, name
    assert told["opera x1"]["captions"] != told["none"]["captions"]
    assert ", every caption the best of 2 beams: does a method" in (tmp_path / "page.md").read_text()
