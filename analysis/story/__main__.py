"""`python -m analysis.story`: the first figure and the first sentences, from the results files of all subjects; nothing is run anew."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from analysis.telling.pages import PAGE, tell, with_paragraph
from probes.command.cli import BadInput, run_cli
from probes.command.terminal import say


@dataclass(frozen=True)
class StoryConfig:
    """What smoothing does to captions, at what cost, at which dose, on which subject: one figure and a few sentences."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--figures out/mine --page mine.md")
    figures: Path = Path("figures")
    """folder with a folder for each subject; the figure is written there"""
    page: Path = PAGE
    """the page that gets the sentences, between its marks <!-- story --> and <!-- /story -->"""
    debug: bool = False
    """show traces of errors"""


def main(config: StoryConfig) -> None:
    """Read, draw, write."""
    from analysis.plots.style import house, save
    from analysis.story.figure import story
    from analysis.story.minute import one_minute
    from analysis.story.results import sources

    if config.page.resolve() == PAGE.resolve() and config.figures.resolve() != StoryConfig.figures.resolve():
        raise BadInput(f"--figures {config.figures}: {PAGE} tells of {StoryConfig.figures} alone; give a page of your own by --page.")
    try:
        before = config.page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--page {config.page}: cannot be read ({type(error).__name__}); it needs the marks <!-- story -->.") from error
    told_of = sources(config.figures)
    try:
        text = one_minute(told_of)
        with_paragraph(before, "story", text, config.page)  # a page without marks is refused before anything is written
        with house():
            made, note = story(told_of)
        last = told_of.subjects[-1].origin
    except KeyError as error:  # of another version, or cut by hand
        raise BadInput(f"--figures {config.figures}: a file there lacks {error}, which the story tells; run its question again.") from error
    with house():
        told = {"git_commit": last["git_commit"], "model_id": ", ".join(subject.name for subject in told_of.subjects)}
        save(made, config.figures / "story", told, note)
    tell("story", text, config.page)
    say(text)


if __name__ == "__main__":
    run_cli(StoryConfig, main)
