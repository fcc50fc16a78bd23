"""NLL and broken beside a benchmark's measures: what is refused, what stands in rows and table, and one run from end to end."""

import dataclasses
import json
import random
import re

import numpy as np
import pytest

from analysis.benchmark.command import perform
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.fluent import FIRST, judged, to_read
from analysis.benchmark.planning import planned
from analysis.benchmark.scoring import evaluation_of
from analysis.benchmark.store import AnswerLine
from analysis.benchmark.table import fluency_told
from analysis.language.fluency import fluency, shuffled
from analysis.language.models import language_model
from analysis.metrics.chair import score_caption
from probes.command.cli import BadInput, Notice
from probes.subjects.smollm2 import base
from tests.analysis.language.words import saved_model

WORDS = "a dog sees the cat . it runs to a tree and the dog waits below until night , spoon"
PLAIN = ("a dog sees the cat .", "it runs to a tree .", "the dog waits below .", "night and the cat .")
LOOP = "a spoon , a spoon , a spoon , a spoon , a spoon ."


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    model = language_model(str(saved_model(tmp_path_factory.mktemp("fluent") / "model", WORDS)))
    return lambda texts, name: dict(zip(texts, fluency(model, texts).tolist(), strict=True))


def run_of(out, **options):
    return planned(BenchmarkConfig(**{"out": out, "images": 4, "mode": "bundled"} | options))


def said(run, captions):
    return {
        name: [AnswerLine(item.key, item.image_id, item.prompt, text) for item, text in zip(run.plan.items, texts, strict=False)]
        for name, texts in captions.items()
    }


def test_rows_are_those_of_plain_loops(tiny, tmp_path):
    run = run_of(tmp_path)
    keys = to_read(run, evaluation_of(run))
    assert keys == tuple(item.key for item in run.plan.items)
    answers = said(run, {"baseline": PLAIN, "kvsmooth": (PLAIN[0], LOOP, LOOP, PLAIN[3])})
    found = judged(run, keys, answers, tiny)
    nll = {name: [tiny([line.caption], "")[line.caption] for line in lines] for name, lines in answers.items()}
    lowest_to_highest = sorted(nll["baseline"])
    limit = lowest_to_highest[2] + 0.97 * (lowest_to_highest[3] - lowest_to_highest[2])
    assert found.about["limit"] == pytest.approx(limit)
    broken = {
        name: [value > limit or line.caption == LOOP for value, line in zip(nll[name], lines, strict=True)]
        for name, lines in answers.items()
    }
    rows = {row.name: row for row in found.rows}
    for name in answers:
        assert rows[f"chair/nll/{name}"].estimate == pytest.approx(sum(nll[name]) / 4)
        assert rows[f"chair/broken/{name}"].estimate == pytest.approx(sum(broken[name]) / 4)
    for measure, values in (("nll", nll), ("broken", broken)):
        change = sum(one - other for one, other in zip(values["kvsmooth"], values["baseline"], strict=True)) / 4
        row = rows[f"chair/{measure}/kvsmooth - baseline"]
        assert row.estimate == pytest.approx(change)
        assert (row.n, row.role, row.adjustment) == (4, "exploratory", "Holm over 2 tests of fluency")
    other = shuffled(PLAIN, 0)
    assert found.about["broken_as_they_stand"] == pytest.approx(sum(broken["baseline"]) / 4)
    assert found.about["broken_with_words_shuffled"] == pytest.approx(np.mean([tiny([text], "")[text] > limit for text in other]))


def test_the_first_captions_of_each_method_are_read_and_pairs_are_of_those_that_both_have(tiny, tmp_path):
    run = run_of(tmp_path, fluent=3)
    keys = to_read(run, evaluation_of(run))
    assert len(keys) == 3
    asked = []
    answers = said(run, {"baseline": PLAIN, "kvsmooth": ("dog", LOOP)})
    found = judged(run, keys, answers, lambda texts, name: asked.extend([*texts]) or tiny(texts, name))
    assert PLAIN[3] not in asked
    rows = {row.name: row for row in found.rows}
    assert (rows["chair/broken/baseline"].n, rows["chair/broken/kvsmooth"].n, rows["chair/nll/kvsmooth - baseline"].n) == (3, 2, 2)
    assert found.notes == [
        "kvsmooth: 2 of the first 3 captions are there and were read",
        "kvsmooth: 1 of 2 captions have fewer than two tokens and no NLL",
    ]
    records = [score_caption(line.caption, (), line.image_id) for line in answers["kvsmooth"]]
    told = [one.as_dict() for one in found.beside("kvsmooth", answers["kvsmooth"], records)]
    assert told[1] == records[1].as_dict() | {"fluency": {"nll": pytest.approx(tiny([LOOP], "")[LOOP]), "broken": True}}
    assert found.beside("other", answers["kvsmooth"], records) == records


def test_where_no_caption_of_the_baseline_can_be_read_that_is_told(tiny, tmp_path):
    run = run_of(tmp_path)
    keys = to_read(run, evaluation_of(run))
    for captions, why in (({"baseline": ("dog", "")}, "no caption of two tokens"), ({"kvsmooth": PLAIN}, "no answer yet")):
        found = judged(run, keys, said(run, captions), tiny)
        assert (found.rows, found.about) == ((), None)
        assert found.notes == [f"NLL and broken captions are left out: baseline has {why}"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"methods": ("kvsmooth",)},
            r"by the captions of baseline, which is not among the methods; add it to --methods, or give --fluent 0",
        ),
        ({"wheel": "not_installed"}, r"the package not_installed .* is not installed; run: pip install .*; or give --fluent 0"),
        ({"benchmark": "pope"}, r"pope asks for no caption; leave --fluent out"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_was_asked_for_and_else_left_out(options, told, tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(base, "WHEEL", options.pop("wheel", base.WHEEL))
    measured = evaluation_of(run_of(tmp_path, **options))
    with pytest.raises(BadInput, match=rf"^--fluent 3: .*{told}\.$"):
        to_read(run_of(tmp_path, fluent=3, **options), measured)
    assert to_read(run_of(tmp_path, fluent=0, **options), measured) == ()
    assert not recwarn.list
    if "benchmark" in options:  # of a benchmark without captions nobody expects their fluency
        assert to_read(run_of(tmp_path, **options), measured) == ()
        assert not recwarn.list
    else:
        with pytest.warns(Notice, match=rf"^NLL and broken captions are left out: .*{told}\.$"):
            assert to_read(run_of(tmp_path, **options), measured) == ()


def test_it_is_refused_before_anything_is_asked(tmp_path):
    config = BenchmarkConfig(out=tmp_path / "out", images=2, mode="bundled", methods=("constant:rate=0.5",), fluent=5)
    for dry_run in (True, False):
        with pytest.raises(BadInput, match="--fluent 5"):
            perform(dataclasses.replace(config, dry_run=dry_run))
    assert not (config.out / "captions").exists()
    with pytest.raises(BadInput, match=r"BenchmarkConfig\.fluent must be 0 or more"):
        dataclasses.replace(config, fluent=-1)


def test_ambers_descriptions_are_captions_and_its_questions_are_not(amber, tmp_path):
    where = {"annotations": amber, "image_folder": amber / "image", "similarity": "exact", "images": None}
    run = run_of(tmp_path, benchmark="amber", **where)
    asked = {item.key: item.prompt for item in run.plan.items}
    assert [asked[key] for key in to_read(run, evaluation_of(run))] == ["Describe this image."] * 2
    assert len(asked) == 6


def test_a_dry_run_tells_what_is_read(tmp_path, capsys):
    config = BenchmarkConfig(out=tmp_path / "out", images=120, mode="bundled", dry_run=True)
    perform(config)
    told = capsys.readouterr().out
    assert re.search(rf"reads the first {FIRST} captions of each method, .*: 300 texts of at most 200 tokens, on the CPU", told)
    perform(dataclasses.replace(config, fluent=0))
    assert "reads" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples", "read_once")
def test_planted_captions_from_end_to_end(tmp_path):
    """Loops and shuffled words stand out in the table; what was read is not read again; other benchmarks take it over."""
    config = BenchmarkConfig(out=tmp_path, images=4, batch_size=4, max_new_tokens=24, mode="bundled", fluent=3)
    perform(config)
    file, results = tmp_path / "nll.json", tmp_path / "chair" / "benchmark.json"
    lines = {name: _lines(tmp_path, name) for name in ("baseline", "kvsmooth")}
    first = json.loads(file.read_text())["nll"]
    assert len(first) == len({line["caption"] for held in lines.values() for line in held[:3]}) + 3, "the rest is not read"
    planted, draw = [dict(line) for line in lines["kvsmooth"]], random.Random(0)
    for i, (line, plain) in enumerate(zip(planted, lines["baseline"], strict=True)):
        words = plain["caption"].split()
        line["caption"] = f"A scene with a cup{', a spoon, a fork' * 6}." if i % 2 else " ".join(draw.sample(words, len(words)))
    path = tmp_path / "captions" / "kvsmooth.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in planted))
    perform(dataclasses.replace(config, rescore=True))
    rows = {row["name"]: row for row in json.loads(results.read_text())["results"]}
    about = json.loads(results.read_text())["about"]["fluency"]
    assert rows["chair/broken/kvsmooth"]["estimate"] == 1
    assert rows["chair/broken/baseline"]["estimate"] == about["broken_as_they_stand"] == pytest.approx(1 / 3, abs=1e-6)
    assert about["broken_with_words_shuffled"] == 1
    assert rows["chair/broken/kvsmooth - baseline"]["estimate"] == pytest.approx(2 / 3, abs=1e-6)
    assert rows["chair/nll/kvsmooth - baseline"]["n"] == 3
    table = (tmp_path / "chair" / "table.md").read_text()
    assert "| NLL | broken ↓ |" in table
    assert "The rule calls 33.3 % of these broken as they stand, and 100.0 % with their words shuffled." in table
    assert "| kvsmooth | broken ↓ | 3 | +66.7 [" in table
    scores = json.loads((tmp_path / "chair" / "scores" / "kvsmooth.json").read_text())["captions"]
    assert [one.get("fluency", {}).get("broken") for one in scores] == [True] * 3 + [None]
    held = json.loads(file.read_text())
    assert held["nll"].items() >= first.items()
    name = next(iter(first))
    held["nll"][name] += 1.0
    file.write_text(json.dumps(held))
    before = file.read_bytes()
    perform(dataclasses.replace(config, rescore=True, benchmark="halbench"))
    assert file.read_bytes() == before, "the same captions, which were read"
    other = {row["name"]: row for row in json.loads((tmp_path / "halbench" / "benchmark.json").read_text())["results"]}
    moved = other["halbench/nll/baseline"]["estimate"] - rows["chair/nll/baseline"]["estimate"]
    assert moved == pytest.approx(1 / 3, abs=1e-5), "by what was kept"


def test_results_of_before_say_nothing_of_it():
    assert fluency_told({"about": {}}) == fluency_told({"about": {"fluency": None}}) == []


def _lines(out, name):
    return [json.loads(line) for line in (out / "captions" / f"{name}.jsonl").read_text().splitlines()]
