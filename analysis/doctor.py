"""What analysis adds to `python -m kvsmooth doctor`: whether captions can be read as the published programs read them."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from kvsmooth.doctor.finding import Finding


def machine() -> Iterator[Finding]:
    """NLTK, its version and its data."""
    try:
        installed = version("nltk")
    except PackageNotFoundError:
        installed = None
    yield words(installed)


def words(installed: str | None) -> Finding:
    """What captions are read with, tried.

    Parameters
    ----------
    installed : NLTK's version
    """
    from analysis.words import tagging
    from probes.command.cli import BadInput

    if installed is None:
        told = "not installed; CHAIR reads with its bundled words, close to the published numbers but not equal; for exact ones run "
        return Finding("nltk", f"{told}`pip install '{tagging.VERSIONS}'`", "no")
    try:
        same = tagging.splits_as_published()
    except BadInput as error:
        return Finding("nltk", f"{installed}: {error}", "no")
    if not same:
        told = f"{installed} splits words otherwise than the published programs' did; for theirs run `pip install '{tagging.VERSIONS}'`"
        return Finding("nltk", told, "broken")
    return Finding("nltk", f"{installed} with its data; CHAIR reads exactly as the published programs do")
