"""Pages that commands write into: those in docs/ for the committed results, others beside what else was asked."""

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from analysis.telling.committed import FIGURES, PAGE, committed, tells_of
from probes.command.cli import BadInput, Notice
from probes.command.files import write_bytes
from probes.command.lock import held
from probes.command.terminal import printable

EMOJI = FIGURES / "emoji"
"""What paragraphs are written for: the figures of the bundled subject, as docs/ links to them."""


def tell(question: str, text: str, page: Path = PAGE, out: Path | None = None) -> None:
    """Put the paragraph of a question between its two marks on the page; the rest of the page stays as it is.

    The marks are the comments `<!-- question -->` and `<!-- /question -->`, each on its own line. A page of one's own gets them at its end,
    and is made where there is none.

    Parameters
    ----------
    out : folder of the results that the text is of. A page of the project tells what lies in the project's own figures: a trial whose
        results go elsewhere leaves it as it is, and says so in a `Notice`; so does an installed package, which has no such page

    Raises
    ------
    BadInput : the page cannot be read, has marks twice, or is the project's own and lacks them
    """
    if committed(page) and _spared(page, out, question):
        return

    def told(before: str) -> str:
        before = before or f"# {page.stem.capitalize()}\n"
        if not _needs_marks(page) and not re.search(f"<!-- /?{re.escape(question)} -->", before):
            before = f"{before.rstrip()}\n\n## {question.capitalize()}\n<!-- {question} -->\n<!-- /{question} -->\n"
        return with_paragraph(before, question, moved(text, question, page, out), page)

    rewrite(page, told)


def rewrite(page: Path, change: Callable[[str], str]) -> None:
    """Write a page anew, whole or not at all, while nobody else does: of two that read it at once, the later would undo the earlier.

    Parameters
    ----------
    change : of the page's text, "" where there is none, makes the new one

    Raises
    ------
    BadInput : the page cannot be read
    """
    page.parent.mkdir(parents=True, exist_ok=True)
    with held(page.parent, wait=True):
        try:
            before = page.read_text(encoding="utf-8") if page.exists() else ""
        except UnicodeDecodeError as error:
            raise BadInput(f"{page}: no UTF-8 (byte {error.start}); save it as UTF-8, or give another page by --page.") from error
        after = change(before)
        if after != before:
            write_bytes(page, after.encode())


def check_marks(question: str, page: Path, out: Path) -> None:
    """Refuse a page of the project that `tell` could not write, before anything is computed.

    Raises
    ------
    BadInput : it lacks the marks of the question, or has them twice
    """
    if _needs_marks(page) and page.exists() and tells_of(page, question, out):
        with_paragraph(page.read_text(encoding="utf-8"), question, "", page)


def with_paragraph(page: str, question: str, text: str, where: Path) -> str:
    """The page with a new paragraph between the marks of the question.

    Raises
    ------
    BadInput : the marks are not there once
    """
    marked = re.compile(rf"(<!-- {re.escape(question)} -->\n).*?(<!-- /{re.escape(question)} -->)", re.DOTALL)
    after, count = marked.subn(lambda found: f"{found[1]}{text.strip()}\n{found[2]}", page)
    if count != 1:
        raise BadInput(f"{where}: needs the marks <!-- {question} --> and <!-- /{question} --> once, each on a line; found {count}.")
    return after


def moved(text: str, question: str, page: Path, out: Path | None) -> str:
    """A paragraph that was written for the project's page and figures, with the links and names of where it stands and of its own files."""
    if out is None or (_same(out, EMOJI / question) and _same(page.parent, PAGE.parent)):
        return text
    ours, here = (EMOJI / question).as_posix(), _link(out, page)
    text = text.replace(f"](../{ours}/", f"]({here}/").replace(f"{ours}/", f"{printable(out.as_posix())}/")
    return re.sub(r"\]\((?=[\w-]+\.md)", f"]({_link(PAGE.parent, page)}/", text)


def _link(place: Path, page: Path) -> str:
    """How a page says in a link where something lies: spaces, brackets and bytes that are no UTF-8 are written as %20 and the like."""
    return quote(os.fsencode(Path(os.path.relpath(place, page.parent)).as_posix()))


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _needs_marks(page: Path) -> bool:
    """Whether the marks must be there: on the project's pages, but those of further subjects, which grow as these are asked."""
    return committed(page) and _same(page.parent, PAGE.parent)


def _spared(page: Path, out: Path | None, question: str) -> bool:
    """Whether a page of the project is not here, or tells of other results than these, which a `Notice` then says."""
    if _needs_marks(page) and not page.exists():
        told = f"{page} is not here, so its paragraph is not written; run from a checkout, or give a page by --page."
    elif out is None or tells_of(page, question, out):
        return False
    else:
        told = f"{page} is left as it is, since the results are in {out}; give another page by --page."
    warnings.warn(told, Notice, stacklevel=4)
    return True
