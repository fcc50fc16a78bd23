"""Which results a page of the project's docs tells of: those that lie where its question puts them, on whichever subject."""

from pathlib import Path

from analysis.questions import ACROSS_SUBJECTS, QUESTIONS, WHOLE, options_of

PAGE = Path("docs/findings.md")
FIGURES = Path("figures")


def homes(question: str) -> dict[Path, Path]:
    """By folder of committed results of a question, the page that tells of them: of each subject's whole run, and of the defaults."""
    name = QUESTIONS[question].page if question in QUESTIONS else PAGE.name
    found = {FIGURES / subject / question: whole.docs / name for subject, whole in WHOLE.items()}
    if question in (*QUESTIONS, *ACROSS_SUBJECTS):
        options = options_of(question)
        found[options.out] = options.page
    return {folder.resolve(): page.resolve() for folder, page in found.items()}


def pages() -> set[Path]:
    """Every page that tells of a question's committed results."""
    return {page for question in (*QUESTIONS, *ACROSS_SUBJECTS) for page in homes(question).values()}


def committed(page: Path) -> bool:
    """Whether a page is the project's: any in the docs of a checkout; elsewhere those alone that questions write by default."""
    docs = PAGE.parent.resolve() in page.resolve().parents
    return docs and (PAGE.is_file() or page.resolve() in pages())


def tells_of(page: Path, question: str, out: Path) -> bool:
    """Whether a committed page tells of the results in this folder.

    A page that is nobody's by default, such as that of further points of a training, tells of further folders under figures/.
    """
    told = homes(question)
    if out.resolve() in told:
        return told[out.resolve()] == page.resolve()
    return page.resolve() not in pages() and FIGURES.resolve() in out.resolve().parents
