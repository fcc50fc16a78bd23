"""Broken text and leaving out beside the cells' CHAIR, on captions of known truth: a copy, a loop, what is left out, what is mended."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.ablation.command import QUESTION
from analysis.ablation.page import markdown
from analysis.ablation.rivals import rival_rows, variables
from analysis.ablation.rivals_told import rivals_bullet, rivals_table
from analysis.cells.cells import Cell
from analysis.cells.names import BASELINE, RECEIPTS
from analysis.cells.reduce import reduced
from analysis.language.fluency import fluency
from analysis.language.limits import broken, limit
from analysis.language.models import language_model
from analysis.metrics.chair import score_caption
from analysis.omission.distance import COMPARED, distance
from analysis.omission.line import counts_of, omission_line
from analysis.omission.mentions import mentions_of
from analysis.omission.rules import LINES
from analysis.question.question import by_name
from analysis.stats.rows import as_json
from tests.analysis.language.words import saved_model
from tests.analysis.resamples import few

IMAGES, READ = 40, 30
WORDS = "a dog sees the cat . there is by car and spoon , it runs to bench"
TRUE = frozenset({"dog", "car"})
PLAIN = [f"{'A cat is there. ' * (i % 3 == 0)}A dog is there. {'A bench is there. ' * (i % 4 == 0)}A car is there." for i in range(IMAGES)]
"""In a third of them a cat that is not there, in a fourth a bench; no rule that does not know the mention leaves out these alone."""
LOOP = [text.replace("A dog is there.", "A dog is there. " * 6) for text in PLAIN]
MENDED = [text.replace("A cat is there. ", "") for text in PLAIN]
LEFT_OUT = [text.replace("A car is there.", "") if i % 2 else text for i, text in enumerate(PLAIN)]
SILENT = ["" if i % 2 else text for i, text in enumerate(LOOP)]
SLASH = "row_entropy / ln n"
"""A cell of the plan whose name holds what parts the names of rows."""
SAID = {BASELINE: PLAIN, "copy": PLAIN, "loop": LOOP, "mended": MENDED, "left out": LEFT_OUT, SLASH: MENDED, "silent": SILENT}
FAMILY = {BASELINE: "reference", "copy": "ladder", "loop": "ladder", "mended": "dose", "left out": "dose", SLASH: "detectors"}
FAMILY["silent"] = "detectors"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    model = language_model(str(saved_model(tmp_path_factory.mktemp("rivals") / "model", WORDS)))
    return lambda texts, name="": dict(zip(texts, fluency(model, texts).tolist(), strict=True))


def finished(order=tuple(SAID)):
    told = {name: [1.0] * IMAGES for name in ("ended", "tokens", "steps", *RECEIPTS)}
    cells = [Cell(name, FAMILY[name]) for name in order]
    results = [{"captions": SAID[name], "seconds": 1.0, **told} for name in order]
    return SimpleNamespace(cells=cells, results=results, truth=[TRUE] * IMAGES)


def held_of(read, ran):
    wall = {"cells_of_this_run": 5, "this_run_seconds": 1.0, "workers": 1, "all_cells_seconds": 5.0}
    told = {"config": {"level": 0.95, "margin_f1": 0.02}, "n": IMAGES, "base": {"lambda_ref": 0.7}, "git_commit": "0" * 40, "wall": wall}
    return reduced(ran.cells, ran.results, range(IMAGES), ran.truth, told).merge(variables(ran, read, READ, 0))


@pytest.fixture(scope="module")
def held(tiny, tmp_path_factory):
    """As it lies in its file."""
    path = tmp_path_factory.mktemp("held") / "ablation.nc"
    QUESTION.write(held_of(tiny, finished()), path)
    return QUESTION.read(path)[0]


@pytest.fixture(scope="module")
def rows(held):
    return rows_of(held)


def rows_of(held):
    """Rows by name, of few resamples: no interval is looked at."""
    with few():
        return {row.name: row for row in rival_rows(held)}


def test_nll_and_broken_are_those_of_the_first_captions(tiny, rows):
    read = {name: tiny(texts[:READ]) for name, texts in SAID.items()}
    nll = {name: np.array([read[name][text] for text in texts[:READ]]) for name, texts in SAID.items()}
    above = limit(nll[BASELINE])
    for name, texts in SAID.items():
        wrong = broken(texts[:READ], nll[name], above)
        assert rows[f"{name}/nll"].estimate == pytest.approx(np.nanmean(nll[name]), rel=1e-5)
        assert rows[f"{name}/nll"].n == np.isfinite(nll[name]).sum() == (READ // 2 if name == "silent" else READ)
        assert rows[f"{name}/broken"].estimate == pytest.approx(wrong.mean())
        assert rows[f"{name}/broken"].n == READ
        if name != BASELINE:
            change = rows[f"{name} - {BASELINE}/broken"]
            assert change.estimate == pytest.approx(wrong.mean() - broken(PLAIN[:READ], nll[BASELINE], above).mean())
            assert change.where == {"family": FAMILY[name], "treated": name, "control": BASELINE, "measure": "broken"}
    assert rows["loop/broken"].estimate == 1
    assert rows[f"loop - {BASELINE}/broken"].p_adjusted < 0.05
    assert rows[f"loop - {BASELINE}/broken"].adjustment.endswith("of fluency")
    assert rows["silent/broken"].estimate == 0.5, "a caption without two tokens is there, and not broken"
    assert rows[f"silent - {BASELINE}/nll"].n == READ // 2
    assert rows[f"{BASELINE}/broken"].where["family"] == rows[f"{BASELINE}, words shuffled/broken"].where["family"] == "reference"
    assert len({row.name for row in rows.values()}) == len(rows)


def test_distances_are_those_to_the_nearest_line_of_the_baselines_captions(rows):
    mentions = mentions_of([score_caption(text, TRUE) for text in PLAIN], PLAIN)
    lines = [omission_line(mentions, rule, unit) for rule, unit in LINES]
    for name in (name for name in SAID if name != BASELINE):
        texts = SAID[name]
        arm = counts_of(mentions_of([score_caption(text, TRUE) for text in texts], texts))
        each = [distance(arm, line).values for line in lines]
        for measure in COMPARED:
            nearest = (min if measure == "precision" else max)(one[measure] for one in each)
            row = rows[f"{name}/beyond every line/{measure}"]
            assert row.estimate == pytest.approx(nearest, abs=1e-9)
            assert row.where["family"] == FAMILY[name]
    assert rows["copy/beyond every line/chair_s"].estimate > -1e-9
    assert rows["mended/beyond every line/chair_s"].estimate < 0
    assert rows["mended/beyond every line/chair_s"].p_adjusted < 0.05
    assert not rows["left out/beyond every line/chair_s"].estimate < 0
    assert rows["mended/beyond every line/chair_s"].adjustment.endswith(" cells of dose")


def test_the_baseline_may_stand_anywhere_in_the_plan(tiny, rows):
    order = ("loop", "copy", BASELINE, *(name for name in SAID if name not in ("copy", "loop", BASELINE)))
    other = rows_of(held_of(tiny, finished(order)))
    assert {name: row.estimate for name, row in other.items()} == {
        name: pytest.approx(row.estimate, nan_ok=True) for name, row in rows.items()
    }


def test_without_a_language_model_the_lines_are_there(tiny):
    held = held_of(None, finished())
    names = rows_of(held).keys()
    assert "mended/beyond every line/precision" in names
    assert not any(name.endswith(("/nll", "/broken")) for name in names)
    assert rival_rows(held.drop_vars([name for name in held.data_vars if name.startswith("plain_")])) == []


def test_words_name_what_lowers_chair_with_broken_text_and_what_lies_beyond(rows):
    change = {f"{name} - {BASELINE}/chair_i": {"estimate": -0.1, "p_adjusted": 0.01} for name in ("mended", "loop")}
    found = by_name(json.loads(as_json([*rows.values()], {}))["results"]) | change
    assert rivals_bullet(found, [*SAID]) == (
        "Of 2 cells that lower CHAIR_i or CHAIR_s, 1 makes more captions broken and 1 of them lies beyond every omission line (`mended`)."
    )
    assert rivals_bullet(found, ["copy"]) == rivals_bullet({}, ["copy"]) == ""
    table = rivals_table(found, [*SAID])
    assert len(table) == 6 + 1 + len(SAID)
    assert next(line for line in table if line.startswith("| loop |")).startswith("| loop | 1.00* |")
    assert next(line for line in table if line.startswith(f"| {BASELINE} |")).endswith("| – | – | – |")
    assert rivals_table({}, [*SAID]) == []


def test_the_page_has_the_table(tiny, held):
    from analysis.ablation.command import compare
    from analysis.ablation.config import AblationConfig

    with few():
        found = json.loads(compare(held, AblationConfig(), "0"))
    page = markdown(found)
    assert "### Broken text, and leaving out" in page
    assert page.count("Broken text, and leaving out") == 1 + ("* **Broken text, and leaving out.**" in page)
    assert np.isfinite(by_name(found["results"])["loop/nll"]["estimate"])
