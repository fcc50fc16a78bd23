"""The language question: planted losses, the whole command on a tiny model, and what it refuses."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from analysis.cells.names import BASELINE, PAPER
from analysis.cells.plan_setting import PlanSetting
from analysis.language.__main__ import LanguageConfig, main
from analysis.language.figures import dose
from analysis.language.findings import paragraph, times, verdict
from analysis.language.plan import DOSES, GUIDES, arms
from analysis.language.results import results
from analysis.question.question import by_name
from analysis.stats.paired import sign_flip
from analysis.stats.rows import as_json
from probes.command.cli import BadInput
from tests.analysis.language.words import saved_model
from tests.analysis.resamples import few
from tests.analysis.sketches import sketches

WORDS = "a dog sees the cat . it runs to a tree and the dog waits below until night ."


@pytest.fixture(scope="module")
def planted():
    """Twelve texts; guidance costs 0.2 nat, its mean 0.5, a shuffle the same as guidance."""
    rng = np.random.default_rng(0)
    plain = rng.uniform(1, 3, (12, 9))
    plain[:, :2] = np.nan
    plain[0, 6:] = np.nan
    noise = rng.normal(0, 0.01, (3, 12, 9))
    nll = np.stack([plain, plain + 0.2 + noise[0], plain + 0.5 + noise[1], plain + 0.2 + noise[2]])
    families = {BASELINE: "reference", PAPER: "reference", "mean": "guidance", "permuted": "guidance"}
    kind = np.tile(np.arange(9) % 3 + 1, (12, 1))
    return xr.Dataset(
        {
            "nll": (("arm", "text", "token"), nll),
            "rate": (("arm", "text"), np.repeat([[0.0], [0.6], [0.6], [0.6]], 12, 1)),
            "kind": (("text", "token"), kind),
            "distance": (("text", "token"), np.zeros((12, 9), dtype=int)),
        },
        {"arm": list(families), "text": range(12)},
        {"families": json.dumps(families), "prefix": 1},
    )


def test_changes_are_means_over_tokens_and_tests_flip_texts(planted):
    rows = {row.name: row for row in results(planted)}
    nll = planted["nll"].values
    assert rows[f"{BASELINE}/nll"].estimate == pytest.approx(np.nanmean(nll[0]))
    for name, arm, control in ((f"{PAPER} - {BASELINE}", 1, 0), (f"mean - {BASELINE}", 2, 0), (f"{PAPER} - mean", 1, 2)):
        row = rows[f"{name}/nll"]
        assert row.estimate == pytest.approx(np.nanmean(nll[arm] - nll[control]))
        assert row.effect["perplexity_ratio"] == pytest.approx(math.exp(row.estimate))
        assert row.p == pytest.approx(sign_flip(np.nansum(nll[arm] - nll[control], 1)[:, None])[0][0])
        assert row.interval[0] < row.estimate < row.interval[1]
        assert row.n == 12
    by_kind = rows[f"{PAPER} - {BASELINE}/nll/kind/word"]
    at = planted["kind"].values == 3
    assert by_kind.estimate == pytest.approx(np.nanmean((nll[1] - nll[0])[at]))


def test_texts_of_the_same_image_are_one_unit(planted):
    images = [str(i // 2) for i in range(12)]
    rows = {row.name: row for row in results(planted.assign_coords(image=("text", images)))}
    alone = {row.name: row for row in results(planted)}
    nll = planted["nll"].values
    for name, arm, control in ((f"{PAPER} - {BASELINE}", 1, 0), (f"mean - {BASELINE}", 2, 0), (f"{PAPER} - mean", 1, 2)):
        row = rows[f"{name}/nll"]
        assert row.estimate == pytest.approx(alone[f"{name}/nll"].estimate)
        sums = [np.nansum((nll[arm] - nll[control])[[2 * i, 2 * i + 1]]) for i in range(6)]
        assert row.p == pytest.approx(sign_flip(np.array(sums)[:, None])[0][0])
        assert row.p > alone[f"{name}/nll"].p
        assert (row.n, row.test) == (6, "sign flip over images, two-sided, all 64 patterns")
    assert rows[f"{PAPER}/rate"].estimate == pytest.approx(0.6)
    # a caption twice is no more evidence than once
    twice = xr.concat([planted, planted.assign_coords(text=range(12, 24))], "text", data_vars="minimal")
    copied = {row.name: row for row in results(twice.assign_coords(image=("text", [f"{i:02}" for i in range(12)] * 2)))}
    for name, row in alone.items():
        assert copied[name].interval == pytest.approx(row.interval, nan_ok=True)


def test_the_verdict_says_which_rates_guidance_beats(planted):
    rows = by_name(json.loads(as_json(results(planted), {}))["results"])
    said = verdict(rows, 0.7)
    assert f"perplexity of given texts by {times(rows[f'{PAPER} - {BASELINE}/nll'])}" in said
    assert said.endswith("guidance by entropy costs less than the same mean rate given by its own mean alone.")
    other = {name: {**row, "p_adjusted": 0.5} for name, row in rows.items()}
    assert "spares no more of the text than any other rate of the same mean" in verdict(other, 0.7)


def test_doses_of_the_same_mean_rate_are_drawn(planted):
    """As in short texts, in which two doses may have the rates of the clip alone."""
    families = {BASELINE: "reference", PAPER: "reference", "lambda_ref 0.1": "dose", "lambda_ref 0.2": "dose"}
    reduced = planted.assign_coords(arm=list(families)).assign_attrs(families=json.dumps(families))
    rows = by_name(json.loads(as_json(results(reduced), {}))["results"])
    ax = Figure().subplots()
    dose(ax, rows)
    assert [list(line.get_xdata()) for line in ax.lines] == [[0, *[pytest.approx(0.6)] * 3]]


def test_every_arm_of_equal_mean_is_a_control_and_names_are_unique():
    cells = arms(PlanSetting(0.7, 30))
    assert len({cell.name for cell in cells}) == len(cells)
    assert [cell.name for cell in cells[:2]] == [BASELINE, PAPER]
    assert {cell.name for cell in cells if cell.family == "guidance"} == set(GUIDES)
    assert sum(cell.family == "dose" for cell in cells) == len(DOSES) - 1
    assert [cell.options["layers"] for cell in cells if cell.family == "layers"][1] == [7, 8, 9, 10, 11, 12, 13]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    saved_model(folder / "model", WORDS)
    texts = [" ".join(WORDS.split()[i:] + WORDS.split()[:i]) for i in range(0, 12, 4)]
    (folder / "texts.txt").write_text("\n\n".join(texts), encoding="utf-8")
    options = {"longest": 12, "prefix": 6, "batch_size": 2, "out": folder / "out", "page": folder / "page.md"}
    config = LanguageConfig(model=str(folder / "model"), texts=folder / "texts.txt", **options)
    with few(), sketches():
        main(config)
    return config


@pytest.mark.slow
def test_the_command_reads_every_arm_and_writes_all(ran):
    found = json.loads((ran.out / "language.json").read_text(encoding="utf-8"))
    rows = by_name(found["results"])
    cells = arms(PlanSetting(0.7, 6))
    assert [name.removesuffix("/nll") for name in rows if name.count("/") == 1 and " - " not in name and name.endswith("/nll")] == [
        cell.name for cell in cells
    ]
    assert all(math.isfinite(row["estimate"]) for name, row in rows.items() if name.count("/") == 1)
    # the paper's arm and those of its mean rate have the same mean rate; those that smooth in part do not change that
    paper = rows[f"{PAPER}/rate"]["estimate"]
    assert 0.3 < paper < 0.9
    assert rows["mean/rate"]["estimate"] == pytest.approx(paper, abs=1e-6)
    assert rows["constant 0.5/rate"]["estimate"] == pytest.approx(0.5)
    assert rows[f"{BASELINE}/rate"]["estimate"] == 0
    assert (ran.out / "language.svg").is_file()
    page = ran.page.read_text(encoding="utf-8")
    assert paragraph(rows, found) in page
    assert "3 texts are fed to it" in page
    # the first behind the prefix is predicted by the prefix itself, which nothing smooths
    first = int(np.isfinite(xr.load_dataset(ran.out / "language.nc")["nll"].values).all((0, 1)).argmax())
    assert f"each token behind the first {first} is predicted by a smoothed step" in page


@pytest.mark.slow
def test_a_redraw_is_the_same_to_the_byte(ran):
    files = [ran.out / "language.json", ran.out / "language.svg", ran.page]
    before = [path.read_bytes() for path in files]
    with sketches():
        main(replace(ran, redraw=True))
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"longest": 11}, "LanguageConfig.longest must be 12 or more"),
        ({"lambda_ref": 1.5}, "must lie in"),
        ({"batch_size": 0}, "positive"),
    ],
)
def test_options_that_make_no_sense(options, told):
    with pytest.raises(BadInput, match=told):
        LanguageConfig(**options)


def test_what_cannot_be_read_is_refused_before_anything_runs(ran, tmp_path):
    (tmp_path / "one.txt").write_text(WORDS, encoding="utf-8")
    with pytest.raises(BadInput, match="holds one text; intervals and tests are over texts"):
        main(replace(ran, texts=tmp_path / "one.txt", model=str(tmp_path / "nothing"), out=tmp_path / "out"))
    (tmp_path / "short.txt").write_text(f"{WORDS}\n\na dog .", encoding="utf-8")
    with pytest.raises(BadInput, match="1 of 2 texts have 8 tokens or more; two are needed"):
        main(replace(ran, texts=tmp_path / "short.txt", out=tmp_path / "out"))
    with pytest.raises(BadInput, match="there is no such folder"):
        main(replace(ran, model=str(tmp_path / "nothing"), out=tmp_path / "out"))
    saved_model(tmp_path / "short", WORDS, layers=4)
    with pytest.raises(BadInput, match="has 4 layers; the paper's band needs 5 or more"):
        main(replace(ran, model=str(tmp_path / "short"), out=tmp_path / "out"))
