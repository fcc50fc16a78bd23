"""A redraw: the same bytes from the same data, no model code, stored options kept, damage named."""

import json
import shutil
from pathlib import Path

import pytest

from analysis.drift import __main__ as drift
from analysis.drift.__main__ import QUESTION, DriftConfig
from analysis.drift.figures import entropy
from analysis.drift.reduce import reduce
from analysis.question.question import read_results
from probes.command.cli import BadInput
from probes.command.provenance import provenance
from probes.command.strict_json import as_json
from tests.analysis.resamples import few
from tests.analysis.sketches import sketches
from tests.analysis.synthetic import recording

ENTROPY_ONLY = ["row_entropy", "n_keys", "n_steps", "caption"]
PAGE = "# Findings\n\n<!-- drift -->\n<!-- /drift -->\n"


def made_again(folder, drawn=lambda reduced, rows: {}):
    """The text of the results file after a redraw, by default of no figure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.drift.figures.draw_all", drawn)
        drift.main(DriftConfig(out=folder, page=folder / "page.md", redraw=True))
    return (folder / "drift.json").read_text()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "page.md").write_text(PAGE)
    with few(), sketches():
        QUESTION.write(reduce({"replay": recording(8, 24), "free": recording(8, 24, regime="free")}), folder / "drift.nc")
        drift.main(DriftConfig(out=folder, page=folder / "page.md", redraw=True))
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples", "sketched")
class TestRedraw:
    @pytest.fixture
    def folder(self, drawn, tmp_path):
        return Path(shutil.copytree(drawn, tmp_path / "copy"))

    def test_is_stable_to_the_byte_and_ends_with_an_aligned_summary(self, folder, drawn, capsys):
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        drift.main(DriftConfig(out=folder, page=folder / "page.md", redraw=True))
        # the page alone names the folder, which is another one here
        before["page.md"] = before["page.md"].replace(bytes(drawn), bytes(folder))
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("Primary outcomes")
        assert len({len(line) for line in lines[1:5]}) == 1

    def test_loads_no_model_code(self, folder, apart):
        code = (
            "import sys; from analysis.drift import __main__ as drift; from analysis.plots import style; from pathlib import Path\n"
            "style.save = lambda *given: None\n"  # made, and not written again
            f"drift.main(drift.DriftConfig(out=Path({str(folder)!r}), page=Path({str(folder / 'page.md')!r}), redraw=True))\n"
            "assert not {'torch', 'transformers', 'nnsight', 'scipy.stats'} & set(sys.modules), 'more was loaded than drawing needs'"
        )
        apart(code)

    def test_is_made_again_from_data_that_the_results_do_not_belong_to(self, folder):
        results = (folder / "drift.json").read_bytes()
        QUESTION.write(reduce({"replay": recording(8, 24, seed=5)[ENTROPY_ONLY]}), folder / "drift.nc")  # and killed before drift.json
        found = made_again(folder)
        assert (folder / "drift.json").read_bytes() != results
        (folder / "drift.json").unlink()
        assert made_again(folder) == found

    def test_keeps_the_stored_options(self, folder, capsys):
        stored = DriftConfig(level=0.8, seed=3, min_steps=5, images=8)
        reduced = reduce({"replay": recording(8, 24)[ENTROPY_ONLY]}, min_steps=5, seed=3, level=0.8)
        QUESTION.write(reduced.assign_attrs(analysis=as_json(provenance(stored))), folder / "drift.nc")
        found = made_again(folder, lambda reduced, rows: {"entropy": entropy(reduced, rows)})
        assert "80 % interval" in capsys.readouterr().out
        assert "80 % cluster BCa interval" in (folder / "entropy.svg").read_text()
        reduced, checksum = QUESTION.read(folder / "drift.nc")
        assert found == drift.test(reduced, stored, checksum)
        assert json.loads(found)["provenance"]["config"]["level"] == 0.8

    @pytest.mark.parametrize(("option", "value"), [("level", 0.9), ("seed", 1), ("min_steps", 4), ("images", 7)])
    def test_refuses_options_that_it_cannot_follow(self, folder, option, value):
        before = (folder / "drift.json").read_bytes()
        with pytest.raises(BadInput, match=rf"--{option.replace('_', '-')} {value}: .*drift\.nc was made with"):
            drift.main(DriftConfig(out=folder, page=folder / "page.md", redraw=True, **{option: value}))
        assert (folder / "drift.json").read_bytes() == before

    def test_provenance_is_in_the_files(self, folder):
        assert "planted" in (folder / "entropy.svg").read_text()
        assert read_results(folder / "drift.json")["provenance"]["recording"]["model_id"] == "synthetic"

    def test_without_data_says_what_to_do(self, tmp_path):
        with pytest.raises(BadInput, match=r"run python -m analysis\.drift without --redraw first"):
            drift.main(DriftConfig(out=tmp_path, page=tmp_path / "page.md", redraw=True))

    @pytest.mark.parametrize("name", ["drift.nc", "drift.json"])
    def test_damaged_files_are_named(self, folder, name):
        (folder / name).write_bytes(b"not a file of this kind")
        with pytest.raises(BadInput, match=name):
            drift.main(DriftConfig(out=folder, page=folder / "page.md", redraw=True))
