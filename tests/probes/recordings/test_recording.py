"""The schema, files that are whole or named as torn, and merging."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from probes.recordings.recording import InvalidRecording, TornFile, merge, read, read_folder, validate, write
from probes.recordings.schema import COORDINATES, VARIABLES, schema_table
from tests.probes.conftest import hand_made

ROOT = Path(__file__).parents[3]


def test_the_document_shows_the_schema_of_the_code():
    assert schema_table() in (ROOT / "docs" / "recording.md").read_text()


def test_every_variable_has_known_dimensions_a_unit_and_a_description():
    for name, law in VARIABLES.items():
        assert law.unit, name
        assert law.description, name
        assert set(law.dims) <= COORDINATES.keys(), name
        assert law.dims[:2] == ("arm", "image"), name


def test_a_recording_survives_its_file(small, tmp_path):
    write(tmp_path / "7.nc", small)
    back = read(tmp_path / "7.nc")
    xr.testing.assert_identical(back, small)
    assert validate(back) is back


def test_xarray_opens_the_files(small, tmp_path):
    write(tmp_path / "7.nc", small)
    with xr.open_dataset(tmp_path / "7.nc", engine="h5netcdf") as opened:
        assert opened.equals(small)
        assert opened.row_entropy.attrs["units"] == "nat"


def test_equal_recordings_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, hand_made())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 100, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_named(small, tmp_path, kept):
    path = tmp_path / "7.nc"
    write(path, small)
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(TornFile, match=re.escape(str(path))):
        read(path)


def test_a_flipped_byte_anywhere_is_found(small, tmp_path):
    """Numbers, texts, attributes, HDF5's own structure: no byte changes in silence, and none escapes as an error of the parser."""
    path = tmp_path / "7.nc"
    write(path, small)
    whole = path.read_bytes()
    draw = np.random.default_rng(0)
    known = [
        small.row_entropy.values.tobytes()[:16],
        "a é.".encode(),
        b"git_commit",
        b"sha256-of-file",
        json.dumps({"seed": 0, "arms": {"baseline": None}}).encode(),
    ]
    places = [*draw.integers(0, len(whole), 60), *(whole.find(text) + 2 for text in known)]
    assert min(places) >= 0
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= int(draw.integers(1, 256))
        path.write_bytes(flipped)
        with pytest.raises(TornFile, match=re.escape(str(path))):
            read(path)
    path.write_bytes(whole)
    xr.testing.assert_identical(read(path), small)


def test_a_file_of_another_writer_is_torn(small, tmp_path):
    small.to_netcdf(tmp_path / "7.nc", engine="h5netcdf")
    with pytest.raises(TornFile):
        read(tmp_path / "7.nc")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "8.nc")


def test_merging_fills_what_an_image_does_not_have():
    merged = merge([hand_made(image=7, steps=3), hand_made(image=3, steps=2), hand_made("kvsmooth", 7, 1)])
    assert merged.image.values.tolist() == [3, 7]
    assert merged.arm.values.tolist() == ["baseline", "kvsmooth"]
    assert merged.sizes["step"] == 3
    assert np.isnan(merged.row_entropy.sel(arm="baseline", image=3, step=2)).all()
    assert merged.token_predicted.sel(arm="baseline", image=3).values.tolist() == [1, 2, -1]
    assert merged.piece_predicted.sel(arm="baseline", image=3).values.tolist() == ["▁a", "é", ""]
    missing = merged.sel(arm="kvsmooth", image=3)
    assert np.isnan(missing.row_entropy).all()
    assert missing.n_steps == -1
    assert missing.caption == ""
    assert json.loads(merged.attrs["config"])["arms"] == {"baseline": None, "kvsmooth": None}
    again = merged.sel(arm=["baseline"], image=[7])
    np.testing.assert_array_equal(again.mass, hand_made(image=7).mass)


def test_what_does_not_belong_together_is_not_merged():
    with pytest.raises(InvalidRecording, match="Image 7 of arm baseline comes twice"):
        merge([hand_made(), hand_made()])
    with pytest.raises(InvalidRecording, match="different model_revision cannot be merged: x and y"):
        merge([hand_made(), hand_made(image=8, model_revision="y")])
    other = json.dumps({"arms": {"baseline": None}})
    for pair in ({}, {"config": other}), ({"config": other}, {}):  # of a version that wrote fewer options
        one, two = (hand_made(image=image, **given) for image, given in zip((7, 8), pair, strict=True))
        with pytest.raises(InvalidRecording, match=r"different config\.seed cannot be merged"):
            merge([one, two])
    with pytest.raises(InvalidRecording, match="different coordinates layer"):
        merge([hand_made(), hand_made(image=8, layers=(0, 2))])
    with pytest.raises(InvalidRecording, match=r"config\.seed"):
        merge([hand_made(), hand_made(image=8, config=json.dumps({"seed": 1, "arms": {}}))])
    with pytest.raises(InvalidRecording, match="at least one"):
        merge([])


def test_a_recording_finished_by_later_code_names_both_commits():
    merged = merge([hand_made(git_commit="b"), hand_made(image=8, git_commit="a", data_hash="y")])
    assert merged.attrs["git_commit"] == "a | b"
    assert merged.attrs["data_hash"] not in ("x", "y")


def test_a_folder_is_read_by_arm_and_image(tmp_path):
    for arm in ("baseline", "kvsmooth"):
        for image in (2, 10):
            write(tmp_path / arm / f"{image}.nc", hand_made(arm, image))
    assert read_folder(tmp_path).sizes == {"arm": 2, "image": 2, "step": 3, "layer": 2, "head": 2, "group": 6, "channels": 2}
    chosen = read_folder(tmp_path, arms=["kvsmooth", "baseline"], images=[10])
    assert chosen.arm.values.tolist() == ["kvsmooth", "baseline"]
    assert chosen.image.values.tolist() == [10]
    with pytest.raises(InvalidRecording, match="no recording"):
        read_folder(tmp_path, arms=["other"])
    (tmp_path / "baseline" / "2.nc").write_bytes(b"")
    with pytest.raises(TornFile, match=r"baseline.2\.nc"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("break_it", "law"),
    [
        (lambda d: d.drop_attrs(deep=False), "attrs must hold"),
        (lambda d: d.rename(row_entropy="entropy"), "entropy is not a variable"),
        (lambda d: d.transpose(..., "arm"), "must have the dimensions"),
        (lambda d: d.assign(row_entropy=d.row_entropy.astype("float64")), "must be float32"),
        (lambda d: d.assign(row_entropy=d.row_entropy.drop_attrs()), "must have the unit nat"),
        (lambda d: d.assign(mass=d.mass.copy(data=d.mass.values * 2)), "mass must sum to one"),
        (lambda d: d.assign(row_entropy=d.row_entropy.copy(data=d.row_entropy.values + 9)), "between 0 and ln n_keys"),
        (lambda d: d.assign(n_steps=d.n_steps.copy(data=d.n_steps.values - 1)), "NaN after a caption's last step"),
        (lambda d: d.assign_coords(step=[0, 2, 3]), "count from 0 without gaps"),
        (lambda d: d.drop_vars("n_steps"), "must hold n_steps"),
        (lambda d: d.assign_coords(extra=1), "coordinate extra"),
    ],
)
def test_what_breaks_the_schema_is_named_and_not_written(small, tmp_path, break_it, law):
    with xr.set_options(keep_attrs=True):
        broken = break_it(small)
    with pytest.raises(InvalidRecording, match=law):
        write(tmp_path / "7.nc", broken)
    assert not list(tmp_path.iterdir())
