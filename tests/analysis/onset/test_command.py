"""The command: a redraw needs no model code and changes no byte; the paragraph holds the numbers of the results."""

import json

import pytest

from analysis.onset.__main__ import QUESTION, OnsetConfig, main
from analysis.onset.reduce import reduce
from analysis.telling.wording import bracketed
from probes.command.cli import BadInput
from tests.analysis.onset.planted import planted
from tests.analysis.resamples import few
from tests.analysis.sketches import SKETCH, sketches


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onset")
    small = {"images": 16, "layers": 4}
    QUESTION.write(reduce(*planted(**small)), folder / "onset.nc")
    (folder / "page.md").write_text("# Findings\n<!-- onset -->\n<!-- /onset -->\n")
    with few(), sketches():
        main(OnsetConfig(out=folder, page=folder / "page.md", redraw=True))
    return folder


@pytest.mark.slow
def test_a_redraw_loads_no_model_and_changes_no_byte(folder, apart):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code = (
        f"{SKETCH}import sys; from pathlib import Path; from analysis.onset.__main__ import OnsetConfig, main\n"
        f"main(OnsetConfig(out=Path({str(folder)!r}), page=Path({str(folder / 'page.md')!r}), redraw=True))\n"
        "assert not {'torch', 'transformers', 'nnsight', 'statsmodels'} & set(sys.modules), 'more was loaded than drawing needs'"
    )
    apart(code)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.slow
def test_the_paragraph_tells_the_numbers_of_the_results(folder):
    found = json.loads((folder / "onset.json").read_text())
    page = (folder / "page.md").read_text()
    for row in found["results"][:4]:
        assert row["role"] == "primary"
        assert bracketed(row) in page
    assert {path.stem for path in folder.glob("*.svg")} == {"onset_aligned", "onset_auroc", "onset_survival"}


def test_a_redraw_of_nothing_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match=r"run python -m analysis\.onset without --redraw first"):
        main(OnsetConfig(out=tmp_path, redraw=True))


def test_images_of_unknown_content_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"what is in these images is not known; give their objects \(--annotations"):
        main(OnsetConfig(out=tmp_path / "out", image_folder=tmp_path))
