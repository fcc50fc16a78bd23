"""The fair dose: the rule on invented curves, the level of the confirmatory test by simulation, the whole command on few scenes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from analysis.captions.measures import COUNTS, MEASURES, ratios, weights
from analysis.dose import reading
from analysis.dose.__main__ import DoseConfig, main
from analysis.dose.controls import CONTROLS
from analysis.dose.figures import draw_all
from analysis.dose.findings import paragraph, verdict
from analysis.dose.results import results
from analysis.dose.rule import BROKEN_RISE, LOOPING_RISE, RECALL_LOSS, chosen, eligible, share_of
from analysis.question.question import by_name
from analysis.stats.exchange import exchange_scores
from analysis.stats.paired import sign_flip
from analysis.stats.rows import as_json
from probes.command.cli import BadInput
from tests.analysis.unlaid import unlaid

pytestmark = pytest.mark.usefixtures("few_resamples")
DOSES = (0.0, 0.1, 0.3, 0.7)


def levels(chair_i, recall=(0.8, 0.8, 0.8, 0.8), looping=(0.0, 0.0, 0.0, 0.0)):
    made = np.full((4, len(MEASURES)), 0.5)
    for name, values in (("chair_i", chair_i), ("recall", recall), ("looping", looping)):
        made[:, list(MEASURES).index(name)] = values
    return made


@pytest.mark.parametrize(
    ("curve", "dose"),
    [
        (levels((0.1, 0.08, 0.06, 0.02)), 0.7),
        (levels((0.1, 0.08, 0.06, 0.02), recall=(0.8, 0.79, 0.78, 0.7)), 0.3),  # the best loses recall
        (levels((0.1, 0.08, 0.06, 0.02), looping=(0.01, 0.0, 0.05, 1.0)), 0.1),  # the two best loop
        (levels((0.1, 0.11, 0.12, 0.13)), 0.0),  # none is better than none
        (levels((0.1, 0.1, 0.1, 0.1)), 0.0),  # equal: the smaller
        (levels((0.1, 0.05, 0.05, 0.02), recall=(0.8, 0.8, 0.8, 0.1)), 0.1),
    ],
)
def test_the_rule(curve, dose):
    assert chosen(DOSES, curve) == dose


def test_no_smoothing_is_always_admitted_and_the_limits_are_inside():
    found = eligible(levels((0.1,) * 4, recall=(0.8, 0.8 - RECALL_LOSS, 0.779, 0.9), looping=(0.5, 0.5 + LOOPING_RISE, 0.4, 0.53)))
    assert found == [True, True, False, False]


def test_a_dose_that_breaks_captions_is_barred_and_one_that_was_not_read_is_not():
    curve = levels((0.1, 0.08, 0.06, 0.02))
    assert chosen(DOSES, curve, np.array([0.01, 0.01 + BROKEN_RISE, 0.04, np.nan])) == 0.7
    assert chosen(DOSES, curve, np.array([0.01, 0.01 + BROKEN_RISE, 0.04, 0.5])) == 0.1
    assert eligible(curve, np.array([0.01, 0.031, 0.2, 0.5])) == [True, False, False, False]


def test_captions_are_read_where_a_dose_can_still_be_chosen(monkeypatch):
    """Plain captions set the limit; what loops is broken however cheap it is, and what is dearer is broken too."""
    read = []
    nll = {"A dog.": 2.0, "A cat.": 2.1, "A dear cat.": 5.0, "a b c d a b c d a b c d a b c d": 0.1, "x": np.nan}

    def fluency(model, texts, name):
        read.append(name)
        return np.array([nll[text] for text in texts])

    monkeypatch.setattr(reading, "fluency", fluency)
    texts = [["A dog.", "A cat.", "A dog."], ["A dear cat.", "A cat.", "x"], [list(nll)[3]] * 3]
    assert np.isnan(reading.broken_of(None, texts, [True, False, False])).all()
    assert not read
    found = reading.broken_of(None, texts, [True, True, False])
    assert read == ["validation, dose 0", "validation, dose 1"]
    assert found[0].tolist() == [0, 1, 0], "the dearest of three plain captions lies above their own 99 % quantile"
    assert found[1, :2].tolist() == [1, 1]
    assert np.isnan(found[1, 2])
    assert share_of(found)[:2].tolist() == pytest.approx([1 / 3, 1])
    assert np.isnan(share_of(found)[2])
    assert reading.broken_of(None, texts, [True, True, True])[2].tolist() == [1, 1, 1]


def counts_of(chance, images, rng):
    """Counts of captions with ten mentions each, absent with this chance, or each with its own."""
    made = np.zeros((images, len(COUNTS)))
    absent = rng.binomial(10, chance, images)
    parts = {"captions": 1, "mentions": 10, "truth": 8, "recalled": 6, "objects": 9, "length": 80, "4grams": 77, "2grams": 79}
    for name, value in (parts | {"hallucinated": absent, "hallucinating": absent > 0, "ended": 1}).items():
        made[:, COUNTS.index(name)] = value
    return made


def data(test_chances, rng, images=60, dose=0.1):
    arms = ["none", *(["chosen"] if dose else []), "published"]
    own = np.random.default_rng(7)
    confirmed = np.stack([counts_of(chance, 40, own) for chance in test_chances[:2]])
    return xr.Dataset(
        {
            "validation": (("dose", "scene", "count"), np.stack([counts_of(0.1, 12, rng) for _ in DOSES])),
            "test": (("arm", "image", "count"), np.stack([counts_of(chance, images, rng) for chance in test_chances])),
            **({"confirmation": (("confirmed", "fresh", "count"), confirmed)} if dose else {}),
            "object": (("image", "mention"), np.tile(np.arange(10), (images, 1))),
            "absent": (("image", "mention"), (rng.random((images, 10)) < 0.3).astype(int)),
            "sentence": (("image", "mention"), np.tile(np.arange(10) // 3, (images, 1))),
            "background": (("image", "mention"), np.tile(np.arange(10) // 9, (images, 1))),
            "truth": ("image", np.full(images, 8)),
            "nll": (("arm", "image"), np.stack([rng.normal(2 + i, 0.1, images) for i in range(len(arms))])),
            "nll_shuffled": ("image", np.full(images, 9.0)),
        },
        {"dose": list(DOSES), "scene": range(12), "arm": arms, "image": range(images), "count": list(COUNTS)},
    )


def test_one_row_is_confirmatory_and_it_is_not_corrected():
    reduced = data((0.3, 0.1, 0.3), np.random.default_rng(0))
    rows = {row.name: row for row in results(reduced)}
    primary = [name for name, row in rows.items() if row.role == "primary"]
    assert primary == ["confirmation/chair_i/chosen - none"]
    row = rows[primary[0]]
    assert row.p == row.p_adjusted < 0.001
    assert row.n == 40
    assert row.estimate == pytest.approx(rows["confirmation/chair_i/chosen"].estimate - rows["confirmation/chair_i/none"].estimate)
    total = reduced["confirmation"].values[1].sum(0)
    assert rows["confirmation/chair_i/chosen"].estimate == ratios(total)[list(MEASURES).index("chair_i")]
    total = reduced["test"].sel(arm="chosen").values.sum(0)
    assert rows["test/chair_i/chosen"].estimate == ratios(total)[list(MEASURES).index("chair_i")]
    others = [row for row in rows.values() if row.role == "exploratory" and np.isfinite(row.p)]
    assert all(row.p_adjusted >= row.p for row in others)


def test_controls_stand_beside_and_change_no_other_row():
    rng = np.random.default_rng(0)
    reduced = data((0.3, 0.1, 0.3), rng)
    beside = data((0.2, 0.2, 0.2), rng).isel(arm=slice(0, 2)).assign_coords(arm=["mean", "random_direction"])
    each = ("test", "nll")
    whole = reduced.drop_vars(each).drop_vars("arm").merge(xr.concat([reduced[[*each]], beside[[*each]]], "arm"))
    before, rows = ({row.name: row for row in results(one)} for one in (reduced, whole))
    assert json.loads(as_json([rows[name] for name in before], {})) == json.loads(as_json([*before.values()], {}))
    added = rows.keys() - before.keys()
    assert {"test/recall/mean", "test/chair_i/random_direction - none", "mean/beyond every line/chair_s", "test/broken/mean"} <= added
    assert not [name for name in added if "mean" not in name and "random_direction" not in name]
    row, counted = rows["test/chair_i/mean - none"], whole["test"]
    share = [ratios(counted.sel(arm=arm).values.sum(0))[list(MEASURES).index("chair_i")] for arm in ("none", "mean")]
    assert row.estimate == pytest.approx(share[1] - share[0])
    assert row.role == "exploratory"
    found = json.loads(as_json([*rows.values()], {"chosen": 0.1, "n": 60, "config": {"level": 0.95, "lambda_ref": 0.7}}))
    told = paragraph(by_name(found["results"]), found | {"examples": {"none": ["A dog."]}})
    assert "| constant rate minus none |" in told
    assert "The last 2 arms are controls at the published dose" in told
    assert draw_all(DOSES, by_name(found["results"]), 0.1)["dose"].axes[7].get_xticklabels()[-1].get_text() == "a random direction"


def test_broken_captions_loop_or_are_improbable_beside_those_without_smoothing():
    reduced = data((0.3, 0.1, 0.3), np.random.default_rng(0))
    reduced["nll"][:, 50:] = np.nan  # fifty were read
    reduced["nll"][1] = reduced["nll"][0] - 1
    reduced["test"].loc[{"arm": "chosen", "image": slice(0, 4), "count": "looping"}] = 1
    rows = {row.name: row for row in results(reduced)}
    assert rows["test/nll/none"].n == 50
    assert rows["test/broken/none"].estimate == pytest.approx(1 / 50), "one in a hundred, rounded up"
    assert rows["test/broken/chosen"].estimate == pytest.approx(5 / 50), "cheap, and they loop"
    assert rows["test/broken/published"].estimate == 1
    assert rows["test/broken/none, words shuffled"].estimate == 1
    assert rows["test/nll/chosen - none"].estimate == pytest.approx(-1)
    assert rows["test/nll/published - none"].p_adjusted < 0.01
    assert "test/own_nll/none" not in rows
    itself = {row.name: row for row in results(reduced.assign(own_nll=reduced["nll"] * 2))}
    assert itself["test/own_nll/chosen - none"].estimate == pytest.approx(-2)
    assert itself["test/nll/chosen - none"].estimate == pytest.approx(-1)
    found = json.loads(as_json([*itself.values()], {"chosen": 0.1, "n": 60, "config": {"level": 0.95, "lambda_ref": 0.7}}))
    told = paragraph(by_name(found["results"]), found | {"examples": {"none": ["A dog."]}})
    assert "To the subject itself, without smoothing and with the image: none " in told


def test_without_a_chosen_dose_nothing_is_confirmatory():
    rows = {row.name: row for row in results(data((0.3, 0.1), np.random.default_rng(1), dose=0.0))}
    assert not [name for name, row in rows.items() if row.role == "primary"]
    found = json.loads(as_json(list(rows.values()), {}))
    assert verdict(by_name(found["results"]), 0.0, 0.7).startswith("No dose lowers CHAIR_i on validation scenes")


def p_of(counts):
    """The test of CHAIR_i, second arm against the first, without the intervals around it."""
    scores = exchange_scores(counts @ weights("above"), counts @ weights("below"))[:, [list(MEASURES).index("chair_i")]]
    return float(sign_flip(scores, draws=999)[0][0])


def test_the_confirmatory_row_is_that_test():
    reduced = data((0.3, 0.25, 0.3), np.random.default_rng(2))
    (row,) = (row for row in results(reduced) if row.role == "primary")
    assert p_of(reduced["confirmation"].values) == pytest.approx(row.p, abs=0.02)


@pytest.mark.slow
def test_a_choice_leaves_the_level_on_fresh_scenes_and_not_on_those_that_chose():
    """Null worlds, arms paired by image, in which one of twelve doses is chosen."""
    rng, fresh, same, doses = np.random.default_rng(5), [], [], np.linspace(0, 0.9, 13).tolist()

    def world(images, arms):
        hard = rng.beta(1, 9, images)
        return np.stack([counts_of(hard, images, rng) for _ in range(arms)])

    while len(fresh) < 200:
        validation = world(30, len(doses))
        dose = chosen(doses, ratios(validation.sum(1)))
        if dose:
            fresh.append(p_of(world(50, 2)) < 0.05)
            same.append(p_of(validation[[0, doses.index(dose)]]) < 0.05)
    assert np.mean(fresh) < 0.096, "5 %, three standard errors"
    assert np.mean(same) > 0.1, "one of twelve equals always looks better"


def test_the_words_follow_the_rows():
    reduced = data((0.3, 0.1, 0.4), np.random.default_rng(0))
    origin = {"chosen": 0.1, "n": 60, "config": {"level": 0.95, "lambda_ref": 0.7}}
    found = json.loads(as_json(results(reduced), origin))
    rows = by_name(found["results"])
    said = verdict(rows, 0.1, 0.7)
    assert said.startswith("The fair dose is lambda_ref 0.1, and on 40 fresh scenes it lowers CHAIR_i (")
    assert "the published 0.7 raises it" in said
    page = paragraph(rows, found | {"examples": {"chosen": ["A cat."], "none": ["A dog."]}})
    assert "> **none.** A dog.\n>\n> **chosen.** A cat." in page
    assert "| **0.1** |" in page
    assert "| fresh scenes | CHAIR_i |" in page
    assert "60 test scenes" in page
    assert "12 validation scenes" in page


@pytest.mark.slow
@pytest.mark.usefixtures("halved", "read_shallow")
@unlaid()
def test_the_command_chooses_tests_and_redraws(tmp_path, monkeypatch):
    few = {"images": 3, "validation": 2, "doses": (0.0, 0.5), "max_new_tokens": 8, "workers": 1, "fluent": 1}
    config = DoseConfig(**few, out=tmp_path / "out", page=tmp_path / "page.md", store=tmp_path / "store")
    main(config)
    files = [tmp_path / "out" / name for name in ("dose.json", "dose.svg")]
    assert all(path.is_file() for path in files)
    reduced = xr.load_dataset(tmp_path / "out" / "dose.nc", engine="h5netcdf")
    assert not {*reduced["scene"].values} & {*reduced["image"].values}, "no scene chooses and judges"
    assert [*reduced["arm"].values][-len(CONTROLS) :] == [name for name in reduced["arm"].values if name in CONTROLS]
    assert {*reduced["arm"].values} >= {"none", "published", *CONTROLS}
    origin = json.loads(reduced.attrs["analysis"])
    assert origin["validation_hash"] != origin["data_hash"]
    before = files[0].read_bytes()
    cells = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.json")}
    main(replace(config, redraw=True))
    assert files[0].read_bytes() == before
    monkeypatch.setattr("analysis.plots.style.save", lambda *given: None)  # drawn already
    main(replace(config, fluent=0))  # loops alone, so that no language model is loaded again
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.json")} == cells
    again, rows = (by_name(json.loads(content)["results"]) for content in (files[0].read_bytes(), before))
    assert {name for name in rows if name not in again} == {name for name in rows if "nll" in name or "/broken/" in name}
    assert again == {name: rows[name] for name in again}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"doses": (0.1, 0.3)}, "must begin with 0 and rise"),
        ({"doses": (0.0, 0.3, 0.1)}, "must begin with 0 and rise"),
        ({"validation": 0}, "positive"),
        ({"doses": (0.0, 1.5)}, "must lie in"),
    ],
)
def test_options_that_make_no_sense(options, told):
    with pytest.raises(BadInput, match=told):
        DoseConfig(**options)


def test_doses_of_one_name_are_refused():
    """A row and a cell are named by six digits: of two of one name the later would stand in the earlier's place."""
    with pytest.raises(BadInput, match="differ in six digits"):
        DoseConfig(doses=(0.0, 0.1, 0.10000001))


@pytest.mark.slow
def test_captions_too_short_to_be_read_have_no_fluency():
    reduced = data((0.3, 0.1, 0.3), np.random.default_rng(0))
    reduced["nll"][:] = np.nan
    assert not [row.name for row in results(reduced) if "nll" in row.name or "broken" in row.name]


def test_a_subject_without_validation_scenes_is_one_line_before_it_is_loaded(tmp_path):
    """No folder is asked for, since none would be taken."""
    with pytest.raises(BadInput, match="subject mine: it brings no validation scenes to choose a dose on; name one of emoji, smollm2"):
        main(DoseConfig(subject="mine", images=2, out=tmp_path / "out", page=tmp_path / "page.md", store=tmp_path / "store"))
    assert not (tmp_path / "store").exists()
