"""The drift question on recordings whose truth is planted, and on recordings that hold almost nothing."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis import drift
from analysis.drift import QUESTION, DriftConfig, exclusions
from analysis.drift_figures import draw_all, entropy
from analysis.efficiency import EfficiencyConfig
from analysis.inference import PRIMARY, results
from analysis.quantities import GROUPS, QUANTITIES, available
from analysis.question import by_name, read_results
from analysis.reduce import reduce
from kvsmooth import spans
from probes.cli import BadInput, run_cli
from probes.provenance import as_json, provenance
from probes.record import RecordConfig
from tests.analysis.synthetic import recording


def rows_of(*recordings, **options):
    """Rows by name of the reduced recordings."""
    return {row.name: row for row in results(reduce({r.attrs["regime"]: r for r in recordings}, **options))}


@pytest.fixture(scope="module")
def planted():
    return rows_of(
        recording(30, 60, entropy_effect=-0.1, entropy_trend=0.004, drift_effect=0.05, forgetting=0.003),
        recording(30, 60, regime="free", seed=1),
    )


class TestPlantedTruth:
    def test_effects_are_found_with_their_size(self, planted):
        entropy = planted["replay/entropy/mean/kvsmooth - baseline/band"]
        assert entropy.interval[0] < -0.1 < entropy.interval[1]
        assert entropy.p_adjusted < 0.01
        image = planted["replay/drift_image/mean/kvsmooth - baseline/layer 3"]
        assert image.interval[0] < 0.05 < image.interval[1]
        assert image.p_adjusted < 0.01

    def test_what_was_not_planted_is_not_found(self, planted):
        assert planted["replay/drift_prompt/mean/kvsmooth - baseline/band"].p > 0.01
        assert planted["replay/excess_image/slope/kvsmooth - baseline/band"].p > 0.01
        assert planted["free/entropy/mean/kvsmooth - baseline/band"].p > 0.01

    def test_trends_of_an_arm(self, planted):
        slope = planted["replay/entropy/slope/baseline/band"]
        assert slope.interval[0] < 0.4 < slope.interval[1]
        assert slope.unit == "nat per 100 tokens"
        assert planted["replay/entropy/tau/baseline/layer 4"].p_adjusted < 0.01

    def test_forgetting_is_told_from_dilution(self, planted):
        excess = planted["replay/excess_image/slope/baseline/band"]
        assert excess.interval[0] < -0.3 < excess.interval[1]
        assert excess.p < 0.01

    def test_dilution_alone_makes_mass_fall_but_not_its_excess(self, planted):
        assert planted["free/mass_image/tau/baseline/band"].estimate < -0.8
        assert planted["free/excess_image/slope/baseline/band"].p > 0.01

    def test_primaries_come_first_and_are_corrected_together(self, planted):
        first = list(planted.values())[: len(PRIMARY)]
        assert [(row.where["quantity"], row.where["statistic"]) for row in first] == list(PRIMARY)
        assert {row.role for row in first} == {"primary"}
        assert sorted(row.p_adjusted for row in first)[0] == pytest.approx(3 * min(row.p for row in first))
        assert sum(row.role == "primary" for row in planted.values()) == len(PRIMARY)

    def test_layers_below_the_smoothing_are_no_members_of_the_family(self, planted):
        untouched = planted["replay/entropy/mean/kvsmooth - baseline/layer 0"]
        assert untouched.estimate == 0
        assert untouched.reason == "all differences are zero"
        assert np.isnan(untouched.p)
        assert untouched.adjustment == "max-T over 4 layers"

    def test_what_has_no_layers_is_not_called_a_mean_of_the_smoothed_ones(self, planted):
        named = [row for row in planted.values() if row.where["quantity"] == "log_probability"]
        assert [row.name for row in named] == [f"{regime}/log_probability/mean/kvsmooth - baseline" for regime in ("replay", "free")]
        assert {"layer" in row.where for row in named} == {False}
        assert {row.unit for row in named} == {"nat"}

    def test_smoothing_is_described_not_tested(self, planted):
        row = planted["replay/rate/mean/kvsmooth/layer 3"]
        assert row.role == "descriptive"
        assert row.test == ""
        assert 0.5 < row.interval[0] < row.estimate < row.interval[1] < 0.9
        assert planted["replay/rate/mean/kvsmooth/layer 0"].n == 0


class TestReduction:
    def test_summary_equals_a_slow_mean_over_common_steps(self):
        made = recording(5, 30, regime="free", lengths=np.array([[30, 20, 12, 30, 25], [10, 30, 12, 30, 4]]))
        found = reduce({"free": made}, min_steps=8)
        assert exclusions(found)["free"]["too_short"] == [4]
        for image, steps in enumerate((10, 20, 12, 30)):
            slow = made["row_entropy"].values[1, image, 1:steps, 3].mean()
            assert found["mean"].sel(regime="free", arm="kvsmooth", quantity="entropy").values[image, 3] == pytest.approx(slow, abs=1e-5)
        assert np.isnan(found["mean"].sel(regime="free", quantity="entropy").values[:, 4]).all()

    def test_trend_equals_scipy_on_the_band(self):
        made = recording(3, 25)
        found = reduce({"replay": made}).sel(regime="replay", arm="baseline", quantity="entropy")
        series = made["row_entropy"].values[0, 1, 1:, :, :].mean(axis=-1)[:, [2, 3, 4]].mean(axis=-1)
        assert float(found["band_tau"][1]) == pytest.approx(stats.kendalltau(np.arange(24), series).statistic, abs=1e-6)
        assert float(found["band_slope"][1]) == pytest.approx(100 * stats.theilslopes(series, np.arange(24)).slope, abs=1e-5)

    def test_excess_is_zero_for_uniform_attention(self):
        made = recording(2, 10)
        made["mass"] = (made["group_keys"] / made["n_keys"]).expand_dims(head=made["head"]).transpose(*made["mass"].dims)
        assert abs(QUANTITIES["excess_image"].of(made)).max() < 1e-6

    def test_masses_sum_to_one(self):
        made = recording(2, 10)
        total = sum(QUANTITIES[f"mass_{group}"].of(made) for group in GROUPS)
        np.testing.assert_allclose(total.values, 1, atol=1e-5)
        assert tuple(spans.GROUPS) == GROUPS

    def test_clip_of_the_rates_is_read_from_the_arms_options(self):
        made = recording(4, 20)
        made.attrs["config"] = json.dumps({"arms": {"kvsmooth": {"lambda_ref": 0.9, "margin": 0.2}}})
        found = reduce({"replay": made})
        assert float(found["rate_ceiling"][0]) == pytest.approx(1)
        assert float(found["share_ceiling"].max()) == 0
        assert float(found["rate_floor"][0]) == pytest.approx(0.7)

    def test_map_outlines_what_differs_only(self):
        made = recording(30, 41)
        made["drift_step"][1, :, 11:21, 3] += 0.2
        found = reduce({"replay": made}).sel(regime="replay", quantity="drift_step")["map_p"]
        assert found.sel(layer=3, bin=11) < 0.05
        assert (found.where(~((found.layer == 3) & (found.bin == 11))) < 0.05).sum() == 0

    def test_a_file_of_reduced_data_reads_back(self, tmp_path):
        found = reduce({"replay": recording(3, 12)})
        QUESTION.write(found, tmp_path / "drift.nc")
        assert QUESTION.read(tmp_path / "drift.nc")[0].drop_attrs().identical(found.drop_attrs())

    def test_quantities_need_only_their_own_variables(self):
        assert {q.name for q in available(recording(2, 9)[["row_entropy", "n_keys"]])} == {"entropy", "entropy_share"}


def strange():
    """Recordings that hold almost nothing."""
    nan_layer = recording(4, 12)
    nan_layer["row_entropy"][:, :, :, 3] = np.nan
    holes = recording(6, 20)
    holes["row_entropy"][0, 2, 5] = np.nan
    lone = recording(4, 12).isel(arm=[0])
    return {
        "one image": recording(1, 12),
        "captions of one token": recording(4, 2),
        "captions of no token": recording(3, 1),
        "one arm": lone,
        "a layer without values": nan_layer,
        "holes": holes,
        "one layer": recording(4, 12, layers=1),
        "no image in the prompt": recording(4, 12).assign(mass=recording(4, 12)["mass"] * np.nan),
        "entropy only": recording(4, 12)[["row_entropy", "n_keys", "n_steps", "caption"]],
    }


@pytest.mark.parametrize("kind", list(strange()))
def test_strange_recordings_give_rows_with_reasons_and_figures(kind):
    reduced = reduce({"replay": strange()[kind]})
    rows = json.loads(drift.test(reduced, DriftConfig(), ""))["results"]
    assert rows[0]["role"] == "primary" or kind == "entropy only"
    for row in rows:
        assert row["reason"] or row["role"] == "descriptive" or row["p"] is not None, row["name"]
    assert len(draw_all(reduced, by_name(rows))) == 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one image", "captions of no token", "one arm", "one layer", "entropy only"])
def test_strange_recordings_go_all_the_way_to_files(kind, tmp_path):
    QUESTION.write(reduce({"replay": strange()[kind]}), tmp_path / "drift.nc")
    drift.main(DriftConfig(out=tmp_path, redraw=True))
    assert {path.name for path in tmp_path.glob("*.svg")} == {"entropy.svg", "visual_mass.svg", "drift.svg", "smoothing.svg"}


def test_holes_are_counted():
    assert exclusions(reduce({"replay": strange()["holes"]}))["replay"]["missing_values"]["entropy"] == 6


def made_again(folder):
    """The text of the results file after a redraw of one figure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.drift_figures.draw_all", lambda reduced, rows: {"entropy": entropy(reduced, rows)})
        drift.main(DriftConfig(out=folder, redraw=True))
    return (folder / "drift.json").read_text()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    QUESTION.write(reduce({"replay": recording(8, 24), "free": recording(8, 24, regime="free")}), folder / "drift.nc")
    drift.main(DriftConfig(out=folder, redraw=True))
    return folder


@pytest.mark.slow
class TestRedraw:
    @pytest.fixture
    def folder(self, drawn, tmp_path):
        return Path(shutil.copytree(drawn, tmp_path / "copy"))

    def test_is_stable_to_the_byte_and_ends_with_an_aligned_summary(self, folder, capsys):
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        drift.main(DriftConfig(out=folder, redraw=True))
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("Primary outcomes")
        assert len({len(line) for line in lines[1:5]}) == 1

    def test_loads_no_model_code(self, folder):
        code = (
            "import sys; from analysis import drift; from pathlib import Path\n"
            f"drift.main(drift.DriftConfig(out=Path({str(folder)!r}), redraw=True))\n"
            "assert not {'torch', 'transformers', 'nnsight', 'scipy.stats'} & set(sys.modules), 'more was loaded than drawing needs'"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    def test_is_made_again_from_data_that_the_results_do_not_belong_to(self, folder):
        results = (folder / "drift.json").read_bytes()
        QUESTION.write(reduce({"replay": recording(8, 24, seed=5)}), folder / "drift.nc")  # and killed before drift.json
        made_again(folder)
        assert (folder / "drift.json").read_bytes() != results
        (folder / "drift.json").unlink()
        expected = made_again(folder)
        (folder / "drift.json").write_bytes(results)
        assert made_again(folder) == expected

    def test_keeps_the_stored_options(self, folder, capsys):
        stored = DriftConfig(level=0.8, seed=3, min_steps=5, images=8)
        reduced = reduce({"replay": recording(8, 24)}, min_steps=5, seed=3, level=0.8)
        QUESTION.write(reduced.assign_attrs(analysis=as_json(provenance(stored))), folder / "drift.nc")
        found = made_again(folder)
        assert "80 % interval" in capsys.readouterr().out
        assert "80 % cluster BCa interval" in (folder / "entropy.svg").read_text()
        reduced, checksum = QUESTION.read(folder / "drift.nc")
        assert found == drift.test(reduced, stored, checksum)
        assert json.loads(found)["provenance"]["config"]["level"] == 0.8

    @pytest.mark.parametrize(("option", "value"), [("level", 0.9), ("seed", 1), ("min_steps", 4), ("images", 7)])
    def test_refuses_options_that_it_cannot_follow(self, folder, option, value):
        before = (folder / "drift.json").read_bytes()
        with pytest.raises(BadInput, match=rf"--{option.replace('_', '-')} {value}: .*drift\.nc was made with"):
            drift.main(DriftConfig(out=folder, redraw=True, **{option: value}))
        assert (folder / "drift.json").read_bytes() == before

    def test_provenance_is_in_the_files(self, folder):
        assert "planted" in (folder / "entropy.svg").read_text()
        assert read_results(folder / "drift.json")["provenance"]["recording"]["model_id"] == "synthetic"

    def test_without_data_says_what_to_do(self, tmp_path):
        with pytest.raises(BadInput, match=r"run python -m analysis\.drift without --redraw first"):
            drift.main(DriftConfig(out=tmp_path, redraw=True))

    @pytest.mark.parametrize("name", ["drift.nc", "drift.json"])
    def test_damaged_files_are_named(self, folder, name):
        (folder / name).write_bytes(b"not a file of this kind")
        with pytest.raises(BadInput, match=name):
            drift.main(DriftConfig(out=folder, redraw=True))


@pytest.mark.parametrize(
    ("option", "value", "law"),
    [
        ("images", 0, "must be a positive integer; got 0"),
        ("lambda_ref", 1.5, r"must lie in \[0, 1\]"),
        ("level", 1.0, r"must lie in \(0, 1\)"),
        ("seed", -1, "must be 0 or more; got -1"),
    ],
)
def test_options_state_their_law(option, value, law):
    with pytest.raises(ValueError, match=rf"DriftConfig.{option} {law}"):
        DriftConfig(**{option: value})


@pytest.fixture
def bad_inputs(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("not a folder")
    there = tmp_path.as_posix()
    return {
        "no images": (["--images", "0"], "DriftConfig.images must be a positive integer; got 0"),
        "unknown subject": (["--subject", f"{there}/nowhere"], "nowhere"),
        "empty folder": (["--image-folder", f"{there}/empty"], "no image in this folder"),
        "a file as out": (["--out", f"{there}/file"], "a file stands where a folder is needed"),
        "a redraw of nothing": (["--out", there, "--redraw"], "there is no such file to redraw from"),
        "no number": (["--level", "high"], "--level"),
    }


@pytest.mark.parametrize("kind", ["no images", "unknown subject", "empty folder", "a file as out", "a redraw of nothing", "no number"])
def test_bad_input_is_one_line_and_leaves_with_2(kind, bad_inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words, message = bad_inputs[kind]
    with pytest.raises(SystemExit) as left:
        run_cli(DriftConfig, drift.main, words)
    said = capsys.readouterr()
    assert left.value.code == 2
    assert said.err.count("\n") == 1
    assert message in said.err
    assert not list(tmp_path.rglob("*.nc"))


def test_a_batch_is_as_large_as_that_of_a_recording():
    assert DriftConfig().batch_size == RecordConfig().batch_size


@pytest.mark.parametrize("config", [DriftConfig, RecordConfig, EfficiencyConfig])
def test_every_option_has_help(config, capsys):
    with pytest.raises(SystemExit):
        run_cli(config, print, ["--help"])
    lines = [line.strip("│| ") for line in capsys.readouterr().out.splitlines()]
    options = [[]]
    for line in lines:
        if line.startswith("--"):
            options.append([])
        options[-1].append(line)
    told = {words[0].split()[0].rstrip(","): " ".join(words) for words in options[1:]}
    for field in dataclasses.fields(config):
        option = f"--{field.name.replace('_', '-')}"
        # what is left of the entry without the option's names, its metavariable and its default
        text = re.sub(r"--[\w-]+,?|\{.*?\}\S*|\(default.*|\b[A-Z]+\b", "", told[option]).strip()
        assert re.search(r"[a-z]{2}", text), f"{config.__name__}.{field.name} has no help: {told[option]}"


@pytest.mark.slow
def test_from_the_bundled_subject_to_the_figures(tmp_path):
    options = {"images": 4, "batch_size": 4, "max_new_tokens": 24, "recordings": tmp_path / "recordings"}
    drift.main(DriftConfig(out=tmp_path / "a", **options))
    found = read_results(tmp_path / "a" / "drift.json")
    names = {row["name"] for row in found["results"]}
    assert {"free/chair_s/kvsmooth - baseline", "replay/entropy/mean/kvsmooth - baseline/band"} <= names
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "recordings").rglob("*.nc")}
    assert len(before) == 4 * 2 * 2
    drift.main(DriftConfig(out=tmp_path / "b", **options))  # nothing is recorded twice, and nothing comes out differently
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "recordings").rglob("*.nc")} == before
    again = read_results(tmp_path / "b" / "drift.json")
    assert json.dumps(again["results"]) == json.dumps(found["results"])
