"""A few variables of many recordings: the same numbers as all of them, whatever lies in the folder."""

import numpy as np
import pytest
import xarray as xr

from probes import record
from probes.command.cli import BadInput
from probes.recorders import DEFAULT_RECORDERS
from probes.recordings.netcdf import TornFile, read, read_part
from probes.recordings.recording import InvalidRecording, read_folder
from tests.probes.test_session import ARMS, OPTIONS

WANTED = ("row_entropy", "token_predicted", "n_steps")


@pytest.fixture(scope="module")
def whole(subject, items, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    return out, record(subject, items[:3], ARMS, out=out, **OPTIONS)


@pytest.mark.slow
def test_a_few_variables_are_those_of_the_whole_recording(whole, subject, items):
    out, recording = whole
    few = record(subject, items[:3], ARMS, out=out, variables=WANTED, **OPTIONS)
    assert set(few.data_vars) == set(WANTED)
    assert set(few.coords) == {"arm", "image", "step", "layer", "head"}
    xr.testing.assert_identical(few, recording[list(WANTED)].drop_vars(["group", "channels"], errors="ignore"))
    xr.testing.assert_identical(few, record(subject, items[:3], ARMS, variables=WANTED, **OPTIONS).assign_attrs(few.attrs))
    xr.testing.assert_identical(few, read_folder(out / "free", arms=list(ARMS), variables=WANTED))


@pytest.mark.slow
def test_what_is_missing_or_torn_is_recorded_first(whole, subject, items, tmp_path):
    _, recording = whole
    few = record(subject, items[:2], ARMS, out=tmp_path, variables=WANTED, **OPTIONS)
    path = tmp_path / "free" / "baseline" / "1.nc"
    path.write_bytes(path.read_bytes()[:-9])
    again = record(subject, items[:3], ARMS, out=tmp_path, variables=WANTED, **OPTIONS)
    np.testing.assert_array_equal(again["token_predicted"], recording["token_predicted"])
    np.testing.assert_array_equal(few["row_entropy"], again["row_entropy"].isel(image=slice(2)))
    assert read(path).sizes["image"] == 1


def test_a_torn_file_is_found_when_a_part_of_it_is_read(whole, tmp_path):
    path = tmp_path / "torn.nc"
    content = bytearray((whole[0] / "free" / "baseline" / "0.nc").read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(TornFile, match=r"torn.nc is torn"):
        read_part(path, WANTED)


def test_wrong_variables_are_told_in_one_line(whole, subject, items, tmp_path):
    out, _ = whole
    with pytest.raises(BadInput, match=r"record.variables: object_rank is given by none of the recorders"):
        record(subject, items[:3], ARMS, out=tmp_path / "new", variables=("object_rank",), **OPTIONS)
    assert not (tmp_path / "new").exists(), "nothing is recorded for what cannot be answered"
    with pytest.raises(InvalidRecording, match=r"variables must be names of the schema .* got rows"):
        read_folder(out / "free", variables=("rows",))
    with pytest.raises(BadInput, match=r"recorded with other recorders \(without displacement\); give another folder"):
        record(subject, items[:3], ARMS, out=out, **(OPTIONS | {"recorders": (*DEFAULT_RECORDERS, "displacement")}))
    with pytest.raises(BadInput, match=r"record.variables must be names of the schema .* got rows"):
        record(subject, items[:3], ARMS, out=out, variables=("rows",), **OPTIONS)
    with pytest.raises(BadInput, match=r"record.variables: object_rank is given by none of the recorders"):
        record(subject, items[:3], ARMS, out=out, variables=("object_rank",), **OPTIONS)
    with pytest.raises(BadInput, match=r"recorded with max_new_tokens"):
        record(subject, items[:3], ARMS, out=out, variables=WANTED, **(OPTIONS | {"max_new_tokens": 3}))
