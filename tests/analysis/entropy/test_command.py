"""The command: a redraw needs no model code and changes no byte; the paragraph holds the numbers of the results."""

import json

import pytest

from analysis.entropy.__main__ import QUESTION, EntropyConfig, main
from analysis.entropy.reduce import reduce
from analysis.telling.wording import bracketed
from probes.command.cli import BadInput
from tests.analysis.entropy.planted import planted
from tests.analysis.resamples import few
from tests.analysis.sketches import SKETCH, sketches


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("entropy")
    small = {"images": 10, "steps": 45, "layers": 4, "channels": 4}
    QUESTION.write(reduce({"free": planted(regime="free", **small), "replay": planted(**small)}), folder / "entropy.nc")
    (folder / "page.md").write_text("# Findings\n<!-- entropy -->\n<!-- /entropy -->\n")
    with few(), sketches():
        main(EntropyConfig(out=folder, page=folder / "page.md", redraw=True))
    return folder


@pytest.mark.slow
def test_a_redraw_loads_no_model_and_changes_no_byte(folder, apart):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code = (
        f"{SKETCH}import sys; from pathlib import Path; from analysis.entropy.__main__ import EntropyConfig, main\n"
        f"main(EntropyConfig(out=Path({str(folder)!r}), page=Path({str(folder / 'page.md')!r}), redraw=True))\n"
        "assert not {'torch', 'transformers', 'nnsight', 'statsmodels'} & set(sys.modules), 'more was loaded than drawing needs'"
    )
    apart(code)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.slow
def test_the_paragraph_tells_the_numbers_of_the_results(folder):
    found = json.loads((folder / "entropy.json").read_text())
    page = (folder / "page.md").read_text()
    for row in found["results"][:3]:
        assert row["role"] == "primary"
        assert bracketed(row) in page
    assert {path.stem for path in folder.glob("*.svg")} == {"entropy_classes", "entropy_distance", "random_walk"}


def test_a_redraw_of_nothing_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match=r"run python -m analysis\.entropy without --redraw first"):
        main(EntropyConfig(out=tmp_path, redraw=True))
