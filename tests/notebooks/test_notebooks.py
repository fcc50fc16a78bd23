"""The notebooks are documents: stored clean, readable before they are run, and every one of them runs, without a word on stderr."""

import base64
import io
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

import nbformat
import numpy as np
import pytest
from PIL import Image

from tests.notebooks.stored import FOLDER, METADATA, stored
from tests.processes import PATIENCE
from tests.rooms import ROOT

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SUBJECTS = (
    "01_first_look",
    "02_smooth_your_own_model",
    "03_write_a_sink_detector",
    "04_write_a_recorder",
    "05_from_recording_to_test",
    "06_reading_the_controls",
)
OF_A_MACHINE = re.compile(r"(?<![\w.:/<*)\]}])/[A-Za-z]\w*/|\b[A-Z]:\\")
"""A path from the root of a disk, whatever the disk; what follows a word, a link or a tag is none."""
LONGEST_CELL = 24  # lines; what is longer belongs into the library
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),  # the code of this checkout, whichever one is installed
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # a kernel's own; the tests draw without a screen
}
SMALLER = {
    "01_first_look": {'"smoothing"))': '"smoothing"), max_new_tokens=37)'},
    "02_smooth_your_own_model": {"max_new_tokens=160": "max_new_tokens=12"},
    "03_write_a_sink_detector": {
        "items(6)": "items(2)",
        "max_new_tokens=60, min_new_tokens=60": "max_new_tokens=20, min_new_tokens=20",
    },
    "04_write_a_recorder": {
        "items(4)": "items(2)",
        "max_new_tokens=160": "max_new_tokens=20",
        '"peak"))': '"peak"), max_new_tokens=20)',
    },
    "05_from_recording_to_test": {
        "IMAGES, MIN_STEPS = 24, 40": "IMAGES, MIN_STEPS = 4, 25",
        '"batch_size": IMAGES}': '"batch_size": IMAGES, "max_new_tokens": 34}',
        "replications=300": "replications=20",
    },
}
"""Numbers of a notebook that its run is spared, as fewer show as well that it runs."""
EMPTY = "import gc\ngc.freeze()\n%reset -f\nimport matplotlib\nmatplotlib.rc_file_defaults()\n%config InlineBackend.rc = {}"
"""What a notebook finds: no names, and the style of a fresh kernel. What is loaded by then stays: the collector need not look at it."""
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_these_are_the_notebooks():
    assert tuple(path.stem for path in NOTEBOOKS) == SUBJECTS


@each
def test_it_is_stored_clean(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor, notebook.metadata) == (4, 5, METADATA)
    names = [cell.id for cell in notebook.cells]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z-]*", name) for name in names), "ids are words, so that a difference between versions can be read"
    assert path.read_text(encoding="utf-8") == stored(notebook), "run `python -m tests.notebooks.stored`"


def test_what_a_run_leaves_is_taken_away():
    """As an editor saves it: outputs, counts, tags, its own metadata."""
    ran = nbformat.v4.new_code_cell("1 + 1", id="sum", execution_count=3, metadata={"tags": ["x"]})
    ran.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=3)]
    fresh = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1", id="sum")], metadata=METADATA)
    saved = nbformat.v4.new_notebook(cells=[ran], metadata={"language_info": {"name": "python", "version": "3.11.7"}})
    assert stored(saved) == stored(fresh) == nbformat.writes(nbformat.reads(stored(saved), 4), indent=1) + "\n"
    assert ran.outputs, "the notebook that was given is left as it was"


@each
def test_it_reads_as_a_document(path):
    """A title and prose come before any code, every figure and table is announced, cells are short, and no path of a machine is named."""
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert re.match(r"# \S", cells[0].source), "the first line is the title"
    assert len(cells[0].source.split()) > 40, "the title is followed by what the notebook is about"
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    lines = [len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code"]
    assert words > 5 * sum(lines)
    assert max(lines) <= LONGEST_CELL
    assert cells[-1].cell_type == "markdown", "it ends with words, not with code"
    assert not OF_A_MACHINE.search("\n".join(cell.source for cell in cells))


@each
def test_its_links_lead_somewhere(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    assert targets
    assert [target for target in targets if not (FOLDER / target.partition("#")[0]).exists()] == []


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel in the notebooks' folder; it loads torch once for all notebooks, each of which begins with an empty namespace."""
    import matplotlib.font_manager
    from jupyter_client import KernelManager
    from traitlets.config import Config

    # settings and histories of its own, which no other kernel locks; fonts that are listed already, as listing them is told on stderr
    homes = {name: str(tmp_path_factory.mktemp(name.lower())) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    homes["MPLCONFIGDIR"] = matplotlib.get_configdir()
    # sockets are files in a folder with a short name: a port that is free when it is chosen may be taken when the kernel opens it
    with tempfile.TemporaryDirectory() as sockets, mock.patch.dict(os.environ, ENVIRONMENT | homes):
        manager = KernelManager(kernel_name="python3", config=Config(KernelManager=Config(transport="ipc", ip=str(Path(sockets) / "k"))))
        manager.start_kernel(cwd=str(FOLDER))
        yield manager
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.slow
@each
def test_it_runs(path, kernel):
    """From its own folder, with nothing named before: no error, nothing on stderr, and a figure wherever one is drawn."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    for number, fewer in SMALLER.get(path.stem, {}).items():
        cells = [cell for cell in notebook.cells if cell.cell_type == "code" and number in cell.source]
        assert cells, f"{path.stem} does not hold {number!r} any more"
        for cell in cells:
            cell.source = cell.source.replace(number, fewer)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(EMPTY, id="empty"))
    client = NotebookClient(notebook, km=kernel, timeout=PATIENCE, startup_timeout=PATIENCE, iopub_timeout=PATIENCE)
    try:
        client.execute()
    finally:
        client.kc.stop_channels()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    said = {cell.id: [output.text for output in cell.outputs if output.get("name") == "stderr"] for cell in code}
    assert {name: text for name, text in said.items() if text} == {}
    drawing = {cell.id: _pictures(cell.outputs) for cell in code if "plt.subplots(" in cell.source}
    assert drawing
    for name, pictures in drawing.items():
        assert len(pictures) == 1, f"{name} draws a figure and shows {len(pictures)}"
        ink = (pictures[0] != pictures[0][0, 0]).any(-1).mean()
        assert ink > 0.02, f"the figure of {name} is empty"


def _pictures(outputs: list) -> list[np.ndarray]:
    """The PNG outputs of a cell, "height width 3"."""
    images = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB")) for image in images]


@pytest.mark.parametrize(
    "text", ["open('/home/me/a.png')", 'Path("/mnt/data/a")', "cd /opt/models/", "at /Users/me/x", "D:\\data", "(/var/x/y)"]
)
def test_a_path_of_a_machine_is_seen(text):
    assert OF_A_MACHINE.search(text)


@pytest.mark.parametrize("text", ["https://a.org/b/c", "figures/emoji/drift/", "../docs/a.md", "</div>/", "1 / 2 / 3", "and/or/both"])
def test_links_and_paths_of_the_project_are_none(text):
    assert not OF_A_MACHINE.search(text)
