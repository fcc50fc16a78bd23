"""How a notebook is stored: without outputs, counts, an editor's metadata. `python -m tests.notebooks.stored` does it to all of them."""

from pathlib import Path

import nbformat

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def stored(notebook: nbformat.NotebookNode) -> str:
    """The notebook's text without anything of a run in it; the same bytes whoever ran it where."""
    clean = nbformat.from_dict({**notebook, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5})
    for cell in clean.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(clean, indent=1) + "\n"


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.ipynb")):
        path.write_text(stored(nbformat.read(path, as_version=4)), encoding="utf-8")
