"""docs/findings.md: one paragraph a question, written from its results file by the command that made it."""

import fcntl
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from probes.command.cli import BadInput, Notice
from probes.command.files import write_bytes

PAGE = Path("docs/findings.md")
FIGURES = Path("figures/emoji")


def tell(question: str, text: str, page: Path = PAGE, out: Path | None = None) -> None:
    """Put the paragraph of a question between its two marks on the page; the rest of the page stays as it is.

    The marks are the comments `<!-- question -->` and `<!-- /question -->`, each on its own line.

    Parameters
    ----------
    out : folder of the results that the text is of. The project's own page tells what lies in the project's own figures: a trial whose
        results go elsewhere leaves it as it is, and says so in a `Notice`; so does an installed package, which has no such page

    Raises
    ------
    BadInput : a page that was asked for is missing, or the page lacks the marks
    """
    if spared(page, PAGE, out, question):
        return
    try:
        with _alone(page.parent):
            _put(question, text, page)
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise BadInput(f"{page}: cannot be read ({type(error).__name__}); run from a checkout, or give the page by --page.") from error


def spared(page: Path, ours: Path, out: Path | None, question: str) -> bool:
    """Whether the page is the project's own and either is not here or tells of other results than these, which a `Notice` then says."""
    if page != ours:
        return False
    if not page.exists():
        told = f"{page} is not here, so its paragraph is not written; run from a checkout, or give a page by --page."
        warnings.warn(told, Notice, stacklevel=3)
        return True
    if out in (None, FIGURES / question):
        return False
    warnings.warn(f"{page} is left as it is, since the results are in {out}; give another page by --page.", Notice, stacklevel=3)
    return True


def _put(question: str, text: str, page: Path) -> None:
    before = page.read_text(encoding="utf-8")
    marked = re.compile(rf"(<!-- {re.escape(question)} -->\n).*?(<!-- /{re.escape(question)} -->)", re.DOTALL)
    after, count = marked.subn(lambda found: f"{found[1]}{text.strip()}\n{found[2]}", before)
    if count != 1:
        raise BadInput(f"{page}: needs the marks <!-- {question} --> and <!-- /{question} --> once, each on a line; found {count}.")
    if after != before:
        write_bytes(page, after.encode())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for others that write pages of this folder: of two that read the page at once, the later would undo the earlier."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
