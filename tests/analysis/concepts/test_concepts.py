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


@pytest.fixture
def read(tmp_path):
    """A folder whose drift.nc and drift.json can be read, in a moment: of another question, which comes out where they are drawn."""
    folder = tmp_path / "read"
    folder.mkdir()
    (folder / "drift.nc").write_bytes((FIGURES / "concepts.nc").read_bytes())
    (folder / "drift.json").write_text('{"provenance": {"config": {"level": 0.95}}}', encoding="utf-8")
    return folder


@pytest.mark.slow
def test_what_is_not_there_is_told(read, tmp_path):
    with pytest.raises(BadInput, match=r"concepts\.nc: cannot be read .*leave --redraw out"):
        main(ConceptsConfig(out=tmp_path, drift=read, redraw=True))
    with pytest.raises(BadInput, match=f"{tmp_path / 'drift.nc'}: cannot be read .*by --drift"):
        main(ConceptsConfig(out=tmp_path, drift=tmp_path, redraw=True))


@pytest.mark.slow
def test_damaged_files_are_told(read):
    (read / "concepts.nc").write_bytes((FIGURES / "concepts.nc").read_bytes())
    config, whole = ConceptsConfig(out=read, drift=read, redraw=True), (read / "drift.json").read_text(encoding="utf-8")
    for results in ("[]", "{", '{"provenance": 1}'):
        (read / "drift.json").write_text(results, encoding="utf-8")
        with pytest.raises(BadInput, match=r"drift\.json: cannot be read"):
            main(config)
    (read / "drift.json").write_text(whole, encoding="utf-8")
    with pytest.raises(BadInput, match="lacks what is drawn"):
        main(config)
    (read / "concepts.nc").write_bytes((read / "concepts.nc").read_bytes()[:2000])
    with pytest.raises(BadInput, match=r"concepts\.nc: cannot be read"):
        main(config)


def test_a_place_that_may_not_be_written_is_found_out_before_the_model(read, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.concepts.attention_map.attention_map", lambda: pytest.fail("the model was asked"))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError, match="file"):
        main(ConceptsConfig(out=tmp_path / "file" / "out", drift=read))
