"""Dose curves at points of training: every number against a plain loop, the words against invented curves, options that are refused."""

import json
from itertools import product

import numpy as np
import pytest
import xarray as xr

from analysis.captions.measures import COUNTS, MEASURES, counts, ratios
from analysis.grounding.__main__ import GroundingConfig, main
from analysis.grounding.figures import draw_all
from analysis.grounding.findings import paragraph, verdict
from analysis.grounding.results import dose_scores, results
from analysis.plots.style import house
from analysis.question.question import by_name
from analysis.stats.paired import sign_flip
from analysis.stats.rows import as_json
from probes.command.cli import BadInput
from tests.analysis.unlaid import unlaid

CAPTIONS = ("A dog and a cat. A pizza.", "A dog. A dog. A dog.", "A kite.", "A kite and a cup. A kite and a cup.")
TRUTH = [frozenset({"dog", "cat"}), frozenset({"dog"}), frozenset({"cup"}), frozenset({"kite", "cup"})]
POINTS, DOSES = ["early", "last"], [0.0, 0.3, 0.9]


@pytest.fixture(scope="module")
def reduced():
    """Twelve images; at the last point smoothing takes every hallucination away."""
    rng = np.random.default_rng(3)
    made = np.stack([np.stack([counts(CAPTIONS, [True] * 4, TRUTH)] * 3) for _ in POINTS])
    made = np.concatenate([made] * 3, axis=2) + 0.0
    for name in ("hallucinating", "hallucinated"):
        made[1, :, :, COUNTS.index(name)] = np.array([1.0, 0.0, 0.0])[:, None]
        made[0, :, :, COUNTS.index(name)] = rng.integers(0, 2, made.shape[1:3])
    made[..., COUNTS.index("mentions")] += 2
    coords = {"point": POINTS, "dose": DOSES, "image": range(12), "count": list(COUNTS)}
    return xr.Dataset({"counts": (("point", "dose", "image", "count"), made)}, coords)


@pytest.fixture(scope="module")
def rows(reduced):
    return {row.name: row for row in results(reduced)}


def test_measures_of_hand_counted_captions():
    got = dict(zip(MEASURES, ratios(counts(CAPTIONS, [True, True, False, True], TRUTH).sum(0)), strict=True))
    assert got["chair_s"] == 2 / 4
    assert got["chair_i"] == pytest.approx(2 / 11)
    assert got["recall"] == pytest.approx(5 / 6)
    assert got["f1"] == pytest.approx(2 * (5 / 7) * (5 / 6) / (5 / 7 + 5 / 6))
    assert got["looping"] == 2 / 4
    assert got["ended"] == 3 / 4


def test_levels_and_changes_are_ratios_of_plain_sums(reduced, rows):
    for point, dose, (name, measure) in product(POINTS, DOSES, MEASURES.items()):
        value = {}
        for at in (0.0, dose):
            there = reduced["counts"].sel(point=point, dose=at)
            above, below = (sum(w * float(there.sel(count=c).sum()) for c, w in part.items()) for part in (measure.above, measure.below))
            value[at] = above / below
        assert rows[f"{point}/{name}/{dose:g}"].estimate == pytest.approx(value[dose])
        if dose:
            assert rows[f"{point}/{name}/{dose:g} - 0"].estimate == pytest.approx(value[dose] - value[0.0])


def test_an_exchange_of_arms_flips_a_score_and_no_other(reduced):
    values = reduced["counts"].values
    plain = dose_scores(values)
    image, turned = 5, values.copy()
    turned[0, [0, 1], image] = values[0, [1, 0], image]
    got = dose_scores(turned)
    assert np.allclose(got[0, 0, image], -plain[0, 0, image])
    others = [i for i in range(12) if i != image]
    assert np.allclose(got[0, 0, others], plain[0, 0, others])
    assert np.array_equal(got[1], plain[1])


def test_chair_is_primary_and_corrected_over_all_doses_and_points(rows):
    row = rows["last/chair_s/0.3 - 0"]
    assert (row.role, row.adjustment) == ("primary", "max-T over 8 doses, points and measures")
    assert row.estimate == -1
    assert row.p_adjusted < 0.01
    assert rows["early/recall/0.9 - 0"].role == "exploratory"
    assert rows["last/chair_s/0"].role == "descriptive"
    assert np.isnan(rows["last/chair_s/0"].p)


def test_broken_captions_loop_or_cost_more_than_the_point_s_own_without_smoothing(reduced):
    nll = np.full((2, 3, 12), np.nan, dtype=np.float32)
    nll[:, :, :8] = 2 + np.arange(8) / 100
    nll[1, 2, :8] = 9  # every caption that was read at the last point's largest dose
    looping = reduced.copy(deep=True)
    looping["counts"].loc[{"count": "looping"}] = 0
    looping["counts"].loc[{"count": "looping", "point": "early", "dose": 0.3, "image": 0}] = 1
    read = looping.assign(nll=(("point", "dose", "image"), nll), nll_shuffled=(("point", "image"), np.full((2, 12), 8.0)))
    told = {row.name: row for row in results(read)}
    # one in eight of those without smoothing is above the limit that these themselves give
    shares = {name: told[f"{name}"].estimate for name in ("early/broken/0", "early/broken/0.3", "last/broken/0.9", "last/nll/0.9")}
    assert shares == {"early/broken/0": 1 / 8, "early/broken/0.3": 2 / 8, "last/broken/0.9": 1, "last/nll/0.9": 9}
    assert told["last/broken/0.9 - 0"].estimate == 7 / 8
    assert told["last/broken/0.9 - 0"].where["point"] == "last"
    assert told["last/broken/0"].n == 8
    assert told["early/broken/none, words shuffled"].estimate == 1
    found = {"provenance": {"n": 12, "config": {"level": 0.95, "max_new_tokens": 160}}}
    page = paragraph(POINTS, DOSES, as_read(told), found)
    assert "| NLL (nat a token) | broken |" in page
    assert "NLL and broken, by Holm at each point: of 8 captions of each cell" in page
    with house():
        (made,) = draw_all(POINTS, DOSES, as_read(told)).values()
    (dashed,) = [
        line for line in made.axes[list(MEASURES).index("looping")].lines if line.get_linestyle() == "--" and 1 in line.get_ydata()
    ]
    assert dashed.get_ydata().tolist() == [1 / 8, 1 / 8, 1]


def test_a_point_of_which_no_caption_could_be_read_has_none_of_its_fluency(reduced):
    nll = np.full((2, 3, 12), 2.0, dtype=np.float32)
    for gone, there in ((0, "last"), (1, "early")):
        some = nll.copy()
        some[gone] = np.nan
        read = reduced.assign(nll=(("point", "dose", "image"), some), nll_shuffled=(("point", "image"), np.full((2, 12), 8.0)))
        told = as_read({row.name: row for row in results(read)})
        lines = paragraph(POINTS, DOSES, told, {"provenance": {"n": 12, "config": {"level": 0.95, "max_new_tokens": 160}}}).splitlines()
        assert {line.endswith("| – | – |") for line in lines if line.startswith(f"| {POINTS[gone]} ")} == {True}
        assert not any(line.endswith("| – | – |") for line in lines if line.startswith(f"| {there} "))
        with house():
            draw_all(POINTS, DOSES, told)


def as_read(rows):
    """The rows as their file gives them."""
    return by_name(json.loads(as_json(rows.values(), {}))["results"])


def test_words_follow_the_curves(rows):
    held = as_read(rows)
    said = verdict(POINTS, DOSES, held)
    assert said.startswith("At early no dose lowers CHAIR for certain; at last CHAIR is lower at lambda_ref 0.3 and 0.9 (with neither more")
    held["last/recall/0.3 - 0"] = {**held["last/recall/0.3 - 0"], "estimate": -0.2, "p_adjusted": 0.001}
    assert "0.3 and 0.9 (at 0.9 alone with neither more" in verdict(POINTS, DOSES, held)
    for dose in ("0.3", "0.9"):
        held[f"last/repeated_4grams/{dose} - 0"] = {**held[f"last/repeated_4grams/{dose} - 0"], "estimate": 0.2, "p_adjusted": 0.001}
    assert "0.3 and 0.9 (always with more repeated 4-grams or less recall)" in verdict(POINTS, DOSES, held)
    found = {"provenance": {"n": 12, "config": {"level": 0.95, "max_new_tokens": 160}}}
    assert paragraph(POINTS, DOSES, held, found).count("| last |") == len(DOSES)


def test_a_dose_that_raises_the_other_chair_does_not_lower_chair(rows):
    held = as_read(rows)
    held["last/chair_s/0.3 - 0"] = {**held["last/chair_s/0.3 - 0"], "estimate": 0.2, "p_adjusted": 0.001}
    for name in ("chair_s", "chair_i"):
        held[f"early/{name}/0.9 - 0"] = {**held[f"early/{name}/0.9 - 0"], "estimate": 0.2, "p_adjusted": 0.001}
    said = verdict(POINTS, DOSES, held)
    assert said.startswith("At early no dose lowers CHAIR for certain and it is higher at 0.9; at last CHAIR is lower at lambda_ref 0.9 (")
    assert said.endswith("CHAIR_s and CHAIR_i go opposite ways at 0.3.")


def test_both_chairs_are_one_family(reduced, rows):
    scores = dose_scores(reduced["counts"].values)
    columns = np.concatenate([scores[..., list(MEASURES).index(name)].reshape(-1, 12) for name in ("chair_s", "chair_i")])
    corrected = sign_flip(columns.T)[1]
    names = [f"{point}/{name}/{dose} - 0" for name in ("chair_s", "chair_i") for point in POINTS for dose in ("0.3", "0.9")]
    assert [rows[name].p_adjusted for name in names] == pytest.approx(corrected.tolist())


def test_the_figure_has_a_panel_a_measure_and_a_line_a_point(rows):
    with house():
        (made,) = draw_all(POINTS, DOSES, as_read(rows)).values()
    assert len(made.axes) == len(MEASURES)
    assert [text.get_text() for text in made.legends[0].get_texts()] == POINTS


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"doses": (0.1, 0.3)}, "must begin with 0 and rise"),
        ({"doses": (0.0, 0.3, 0.1)}, "must begin with 0 and rise"),
        ({"doses": (0.0, 1.3)}, "must lie in"),
        ({"doses": (0.0, 0.3, 0.3000001)}, "differ in six digits"),
        ({"points": ("last", "a/last.safetensors")}, "must be different"),
    ],
)
def test_options_that_make_no_curve_are_one_line(options, why):
    with pytest.raises(BadInput, match=why):
        GroundingConfig(**options)


@pytest.mark.parametrize(
    ("subject", "why"), [("emoji", "subject emoji@early: there is no folder early"), ("some/model", "points of its training are not known")]
)
def test_a_subject_without_such_points_is_one_line(subject, why, tmp_path):
    with pytest.raises(BadInput, match=why):
        main(GroundingConfig(subject=subject, images=2, out=tmp_path / "out", page=tmp_path / "page.md", store=tmp_path / "store"))


def test_a_point_that_is_not_there_is_refused_before_any_other_runs(tmp_path):
    few = {"images": 2, "points": ("early", "nosuch"), "out": tmp_path / "out", "page": tmp_path / "page.md", "store": tmp_path / "store"}
    with pytest.raises(BadInput, match="no such point"):
        main(GroundingConfig(**few))
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples", "read_shallow")
@unlaid()
def test_a_run_is_resumed_and_redrawn(tmp_path):
    out, page, store = tmp_path / "out", tmp_path / "page.md", tmp_path / "store"
    few = {"images": 2, "batch_size": 2, "max_new_tokens": 4, "points": ("early",), "doses": (0.0, 0.9), "workers": 1, "fluent": 1}
    main(GroundingConfig(**few, out=out, page=page, store=store))
    found = json.loads((out / "grounding.json").read_text())
    assert {row["where"]["point"] for row in found["results"]} == {"early"}
    assert {row["name"] for row in found["results"]} >= {"early/broken/0.9", "early/nll/0.9 - 0"}
    cells = {path: path.stat().st_mtime_ns for path in store.rglob("*.json")}
    assert len(cells) >= 2
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    main(GroundingConfig(redraw=True, out=out, page=page, store=store))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert "## Grounding" in page.read_text()
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.json")} == cells
