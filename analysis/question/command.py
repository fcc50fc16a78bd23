"""The command of every question: measure or read data, test, draw, and write the page; each step leaves its file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import xarray as xr

from analysis.question.destination import placed
from analysis.question.question import Question, by_name, under_figures
from analysis.telling.pages import check_marks, moved, tell
from probes.command.cli import BadInput
from probes.command.terminal import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class QuestionOutcome:
    """What a question has found, for its figures and its words.

    Parameters
    ----------
    reduced : the reduced data, as they lie in their file
    found : the results file
    config : the options that both were made with
    """

    reduced: xr.Dataset
    found: Mapping[str, Any]
    config: Any

    @cached_property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The results by name."""
        return by_name(self.found["results"])

    @property
    def level(self) -> float:
        """Coverage of the intervals, percent."""
        return 100 * float(self.found["provenance"]["config"]["level"])

    def origin(self, *names: str) -> dict[str, Any]:
        """These entries of the provenance; empty where one is missing."""
        return {name: self.found["provenance"].get(name, "") for name in names}

    @property
    def about(self) -> dict[str, Any]:
        """What the line under a figure of recorded images tells."""
        return under_figures(self.reduced, self.found)


def run_question(
    question: Question,
    config: Any,
    measure: Callable[[Any], xr.Dataset],
    test: Callable[[xr.Dataset, Any, str], str],
    figures: Callable[[QuestionOutcome], "Mapping[str, tuple[Figure, str]]"],
    words: Callable[[QuestionOutcome], tuple[str, str]],
    about: Callable[[QuestionOutcome], Mapping[str, Any]] = lambda answer: answer.about,
) -> None:
    """Measure or, for a redraw, read; test, draw, tell, and say at the end what was found.

    An interrupted run goes on from its files. Committed files are written with the settings that they state alone (`placed`).

    Parameters
    ----------
    config : with the fields `out`, `page` and `redraw`
    measure, test : as in `Question.answer`
    figures : by file name, each figure with the note under it
    words : the paragraph for the page, and what the command says at its end
    about : the origin that stands in and under each figure

    Raises
    ------
    BadInput : an option cannot be followed, or a redraw finds files that lack a part
    """
    with _files_are_whole(config.redraw):
        config = placed(question, config)
        check_marks(question.name, config.page, config.out)
        answer = QuestionOutcome(*question.answer(config, measure, test))
        from analysis.plots.style import house, save  # only now: a redraw that is refused need not wait for matplotlib

        with house():
            for name, (made, note) in figures(answer).items():
                save(made, answer.config.out / name, about(answer), note)
        paragraph, said = words(answer)
        tell(question.name, paragraph, answer.config.page, answer.config.out)
        say(moved(said, question.name, answer.config.page, answer.config.out))


@contextmanager
def _files_are_whole(redraw: bool) -> Iterator[None]:
    """What a redraw does not find in its files is told in a line."""
    try:
        yield
    except KeyError as error:
        if not redraw:
            raise
        why = str(error.args[0]).partition(". ")[0] if error.args else ""
        said = f"--redraw: the files lack a part that is drawn or told ({why}), as those of another version may; run it without --redraw."
        raise BadInput(said) from error
