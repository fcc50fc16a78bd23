"""The mechanism under controls: numbers against plain loops, verdicts of planted changes, the whole command on two scenes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from analysis.mechanism.__main__ import MechanismConfig, main
from analysis.mechanism.figures import draw_all
from analysis.mechanism.findings import BIAS, attention_alone, measures_of, paragraph, verdict
from analysis.mechanism.measures import MEASURES, measured
from analysis.mechanism.results import results
from analysis.question.question import by_name
from analysis.stats.paired import sign_flip
from analysis.stats.rows import as_json
from probes.command.cli import BadInput
from probes.command.provenance import digest
from probes.subjects.bundled import own_scenes
from tests.analysis.synthetic import recording
from tests.analysis.unlaid import unlaid

ARMS = ["baseline", "kvsmooth", "constant", "random_direction"]


def test_measures_are_means_over_the_band_and_slopes_over_steps():
    made = recording(4, 30)
    found = measured(made, [3, 4])
    entropy = made["row_entropy"].sel(layer=[3, 4]).mean(("head", "layer")).transpose("arm", "image", "step").values[:, :, 1:]
    np.testing.assert_allclose(found[..., 0], entropy.mean(-1), rtol=1e-5)
    mass, null = made["mass"].sel(group="image").mean("head"), made["group_keys"].sel(group="image") / made["n_keys"]
    excess = np.log(mass / null).sel(layer=[3, 4]).mean("layer").transpose("arm", "image", "step").values[:, :, 1:]
    assert found[1, 2, 1] == pytest.approx(100 * stats.theilslopes(excess[1, 2]).slope, rel=1e-4)


def planted(changes, images=20, seed=0):
    """`changes`: by arm, what is added to each measure of the baseline."""
    rng = np.random.default_rng(seed)
    plain = rng.normal(1.0, 0.1, (images, len(MEASURES)))
    values = [plain + np.asarray(changes[arm]) + rng.normal(0, 0.01, plain.shape) for arm in ARMS]
    coords = {"arm": ARMS, "image": range(images), "name": list(MEASURES)}
    return xr.Dataset({"measure": (("arm", "image", "name"), np.stack(values))}, coords)


OWN = {
    "baseline": [0] * 6,
    "kvsmooth": [0.5, 0.3, 0.1, -0.2, 0.4, -0.4],
    "constant": [0.5, 0.0, 0.1, 0.2, 0.0, 0.0],
    "random_direction": [0, -0.3, 0, 0.1, 0.0, 0.0],
}


def rows_of(changes, images=20):
    return by_name(json.loads(as_json(results(planted(changes, images)), {}))["results"])


def test_changes_are_paired_and_the_signature_is_corrected_together():
    reduced = planted(OWN)
    rows = {row.name: row for row in results(reduced)}
    values = reduced["measure"].values
    row = rows["kvsmooth - baseline/angle"]
    assert row.estimate == pytest.approx((values[1] - values[0])[:, 3].mean())
    assert row.role == "primary"
    columns = np.stack([(values[i] - values[0])[:, k] for i in (1, 2, 3) for k in (1, 3)], 1)
    names = [f"{arm} - baseline/{name}" for arm in ARMS[1:] for name in ("excess", "angle")]
    assert [rows[name].p_adjusted for name in names] == pytest.approx(sign_flip(columns)[1].tolist())
    assert rows["kvsmooth - constant/entropy"].estimate == pytest.approx((values[1] - values[2])[:, 0].mean())


def test_an_image_without_a_slope_is_left_out_in_every_arm():
    reduced = planted(OWN)
    reduced["measure"].values[2, 3, 1] = np.nan
    assert {row.n for row in results(reduced) if row.where["measure"] == "excess"} == {19}
    assert {row.n for row in results(reduced) if row.where["measure"] != "excess"} == {20}


def test_measures_that_were_not_asked_for_have_no_rows():
    reduced = planted(OWN).sel(name=["entropy", "excess", "mass", "angle"])
    rows = by_name(json.loads(as_json(results(reduced), {}))["results"])
    assert not [name for name in rows if "hallucinated" in name]
    assert measures_of(rows) == ["entropy", "excess", "mass", "angle"]
    assert attention_alone(rows) == []


def test_without_a_hallucinated_object_its_row_is_empty_and_the_rest_stands():
    with_bias = [*ARMS, BIAS]
    reduced = planted(OWN)
    reduced = xr.concat([reduced, reduced.sel(arm=["constant"]).assign_coords(arm=[BIAS])], "arm")
    reduced["measure"].loc[{"name": "hallucinated"}] = np.nan
    rows = by_name(json.loads(as_json(results(reduced), {}))["results"])
    assert rows["kvsmooth - baseline/hallucinated"]["n"] == 0
    assert "Of hallucinated objects: – by the bias, – by KVSmooth, between both – (n = 0)." in attention_alone(rows)[0]
    assert rows["kvsmooth - baseline/excess"]["p_adjusted"] < 0.05
    told = {"provenance": {"config": {"level": 0.95}}}
    assert "Only KVSmooth keeps" in paragraph(with_bias, rows, told)
    assert "A bias of attention scores gives the image" in paragraph(with_bias, rows, told)
    assert "A bias of attention scores" not in paragraph(ARMS, rows, told)
    assert draw_all(with_bias, rows).keys() == {"mechanism"}


def test_the_verdict_says_whose_the_signature_is():
    assert verdict(ARMS, rows_of(OWN)).startswith("Only KVSmooth keeps attention on the image")
    shared = OWN | {"constant": [0.5, 0.3, 0.1, -0.2, 0, 0]}
    assert verdict(ARMS, rows_of(shared)).startswith("The mechanism's signature is not KVSmooth's own: a constant rate keeps attention")
    assert verdict(ARMS, rows_of(shared)).endswith("KVSmooth has not more of both than any of these.")
    less = OWN | {"constant": [0.5, 0.1, 0.1, -0.1, 0, 0]}
    assert verdict(ARMS, rows_of(less)).endswith("KVSmooth has more of both than a constant rate.")
    assert verdict(ARMS, rows_of(OWN | {"kvsmooth": [0.5, 0.3, 0.1, 0.2, 0, 0]})).startswith("KVSmooth does not have the signature")
    other = OWN | {"kvsmooth": [0.5, 0.3, 0.1, 0.2, 0, 0], "constant": [0.5, 0.3, 0.1, -0.2, 0, 0]}
    assert verdict(ARMS, rows_of(other)).endswith("hidden states near it. Of the controls, a constant rate has it.")
    # sure, and less than a hundredth of the angle
    tiny = rows_of(OWN | {"kvsmooth": [0.5, 0.3, 0.1, -0.008, 0, 0]}, images=200)
    assert tiny["kvsmooth - baseline/angle"]["p_adjusted"] < 0.05
    assert verdict(ARMS, tiny).startswith("KVSmooth does not have the signature")


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples", "halved")
@unlaid()
def test_the_command_records_every_arm_and_redraws(tmp_path):
    places = {"out": tmp_path / "out", "page": tmp_path / "page.md", "recordings": tmp_path / "recordings"}
    config = MechanismConfig(images=2, max_new_tokens=8, min_steps=4, batch_size=2, **places)
    main(config)
    # biases are found on the images, so that recordings of other images must not stand in the way
    assert [path.name for path in config.recordings.iterdir()] == [digest(str(item.image_id) for item in own_scenes("emoji", 2))]
    found = json.loads((tmp_path / "out" / "mechanism.json").read_text(encoding="utf-8"))
    rows = by_name(found["results"])
    arms = ["baseline", "kvsmooth", "constant", "shrink_only", "norm_preserving", "random_direction", "image_bias", "image_bias_heads"]
    assert [name.removesuffix("/entropy") for name in rows if name.endswith("/entropy") and " - " not in name] == arms
    assert paragraph(arms, rows, found) in (tmp_path / "page.md").read_text(encoding="utf-8")
    # as much attention on the image as under KVSmooth, on the same tokens
    for arm in ("image_bias", "image_bias_heads"):
        assert rows[f"{arm}/mass"]["estimate"] == pytest.approx(rows["kvsmooth/mass"]["estimate"], abs=0.001)
    assert abs(rows["kvsmooth - baseline/mass"]["estimate"]) > 0.01, "without a bias an arm would be ten times as far away"
    assert attention_alone(rows)[0] in (tmp_path / "page.md").read_text(encoding="utf-8")
    before = (tmp_path / "out" / "mechanism.svg").read_bytes()
    main(replace(config, redraw=True))
    assert (tmp_path / "out" / "mechanism.svg").read_bytes() == before


def test_a_rate_is_a_share():
    with pytest.raises(BadInput, match="rate must lie in"):
        MechanismConfig(rate=1.2)
