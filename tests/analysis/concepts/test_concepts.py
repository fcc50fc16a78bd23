"""The drawings that teach: a real map, and the committed files drawn again to the byte."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from analysis.concepts.__main__ import ConceptsConfig, main, placed
from analysis.concepts.attention_map import attention_map
from kvsmooth.spans import GROUPS
from probes.command.cli import BadInput, Notice

FIGURES = Path("figures")


@pytest.mark.slow
def test_the_map_is_a_causal_map_of_prompt_and_caption():
    found = attention_map("emoji", layer=4, tokens=12)
    rows = found["attention"].values
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)
    assert not np.triu(rows, 1).any()
    groups = [GROUPS[i] for i in found["group"].values]
    assert groups.count("generated") == 11
    assert groups.count("image") > 10


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_the_committed_drawing_is_that_of_the_committed_data(tmp_path):
    (tmp_path / "concepts.nc").write_bytes((FIGURES / "concepts.nc").read_bytes())
    main(ConceptsConfig(out=tmp_path, redraw=True))
    assert (tmp_path / "concepts.svg").read_bytes() == (FIGURES / "concepts.svg").read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_another_drift_leaves_the_committed_drawing(tmp_path, monkeypatch):
    figures = FIGURES.resolve()
    monkeypatch.chdir(tmp_path)
    FIGURES.mkdir()
    (FIGURES / "concepts.nc").write_bytes((figures / "concepts.nc").read_bytes())
    with pytest.warns(Notice, match="files go to out/concepts; figures is left to the drift of figures/smollm2/drift"):
        main(ConceptsConfig(drift=figures / "emoji" / "drift", redraw=True))
    assert [path.name for path in FIGURES.iterdir()] == ["concepts.nc"]
    assert (Path("out/concepts") / "concepts.svg").is_file()


def test_the_committed_drawing_is_of_the_default_drift_alone(tmp_path):
    for config in (
        ConceptsConfig(),
        ConceptsConfig(drift=FIGURES.resolve() / "smollm2" / "drift"),
        ConceptsConfig(out=tmp_path, drift=tmp_path),
    ):
        assert placed(config) == config.out
    for out in (FIGURES.resolve(), FIGURES / "emoji"):
        with pytest.warns(Notice, match="files go to out/concepts"):
            assert placed(ConceptsConfig(out=out, drift=tmp_path)) == Path("out/concepts")


def test_the_committed_map_shows_a_sink():
    found = xr.load_dataset(FIGURES / "concepts.nc", engine="h5netcdf")
    groups = [GROUPS[i] for i in found["group"].values]
    rows = found["attention"].values[[i for i, name in enumerate(groups) if name == "generated"]]
    assert rows[:, groups.index("bos")].mean() > 0.3, "what is called a sink by the usual threshold"


@pytest.mark.slow
def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        main(ConceptsConfig(out=tmp_path, redraw=True))
    with pytest.raises(BadInput, match="leave --redraw out"):
        main(ConceptsConfig(out=tmp_path, redraw=True))
    with pytest.raises(BadInput, match=f"{tmp_path / 'drift.nc'}: cannot be read .*by --drift"):
        main(ConceptsConfig(out=tmp_path, drift=tmp_path, redraw=True))


@pytest.mark.slow
def test_damaged_files_are_told(tmp_path):
    for name in ("concepts.nc", "drift.nc"):
        whole = (FIGURES / name if name == "concepts.nc" else FIGURES / "smollm2" / "drift" / name).read_bytes()
        (tmp_path / name).write_bytes(whole)
    for results in ("[]", "{", '{"provenance": 1}'):
        (tmp_path / "drift.json").write_text(results, encoding="utf-8")
        with pytest.raises(BadInput, match="cannot be read"):
            main(ConceptsConfig(out=tmp_path, drift=tmp_path, redraw=True))
    (tmp_path / "drift.json").write_text('{"provenance": {"config": {"level": 0.95}}}', encoding="utf-8")
    (tmp_path / "drift.nc").write_bytes((tmp_path / "concepts.nc").read_bytes())  # another question's
    with pytest.raises(BadInput, match="lacks what is drawn"):
        main(ConceptsConfig(out=tmp_path, drift=tmp_path, redraw=True))
    (tmp_path / "concepts.nc").write_bytes((tmp_path / "concepts.nc").read_bytes()[:2000])
    with pytest.raises(BadInput, match="cannot be read"):
        main(ConceptsConfig(out=tmp_path, drift=tmp_path, redraw=True))


def test_a_place_that_may_not_be_written_is_found_out_before_the_model(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError, match="file"):
        main(ConceptsConfig(out=tmp_path / "file" / "out"))
