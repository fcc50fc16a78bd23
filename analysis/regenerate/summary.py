"""The lines printed at the end of a run over the questions: what each found, where it lies, and what to do next."""

import re
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path

WIDEST = 140
OWN = "python -m analysis.drift --subject FOLDER --image-folder IMAGES --annotations INSTANCES.json"


def summary(pages: Mapping[str, Path], out: Path, committed: bool) -> str:
    """A paragraph a question and the lines on what to do next; nothing of a question whose page says nothing.

    Parameters
    ----------
    pages : by question, the page that holds its paragraph
    out : the folder that holds a folder for each question
    committed : whether this is the run over the project's own figures
    """
    found = {name: (verdict(name, page), out / name) for name, page in pages.items()}
    found = {name: (said, where) for name, (said, where) in found.items() if said}
    if not found:
        return "Nothing was found."
    widest, width = max(map(len, found)), min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
    lines = ["", "What was found, by corrected tests; estimates, intervals and n are in the pages and in the .json files:", ""]
    for name, (said, where) in found.items():
        indent = " " * (widest + 2)
        lines += textwrap.wrap(f"{name:{widest}}  {said}", max(width, widest + 30), subsequent_indent=indent, break_on_hyphens=False)
        lines.append(f"{indent}-> {where}")
    read = " and ".join(dict.fromkeys(str(page) for name, page in pages.items() if name in found))
    return "\n".join([*lines, "", "What to do next:", *(f"  {what}:\n      {how}" for what, how in _next(read, committed))])


def verdict(question: str, page: Path) -> str:
    """The sentence in bold with which a question's paragraph begins, on one line; "" where there is none."""
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    stands = re.search(rf"<!-- {re.escape(question)} -->\s*\*\*(.+?)\*\*", text, re.DOTALL)
    return " ".join(stands[1].split()) if stands else ""


def _next(read: str, committed: bool) -> list[tuple[str, str]]:
    """What one can do, and how."""
    whole = ("have the same on 500 images, with every cell of the ablation, over figures/ and docs/; it takes an hour", "make reproduce")
    return [
        ("read the paragraphs: every number with its interval and test", read),
        ("see what changed", "git diff figures docs") if committed else whole,
        ("ask a question of your own model, with your own images and their objects (docs/subjects.md)", OWN),
        ("see every command", "python -m analysis"),
    ]
