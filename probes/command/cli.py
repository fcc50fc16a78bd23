"""One entry for every command: a frozen dataclass is the options, the help text and the provenance."""

import contextlib
import dataclasses
import errno
import inspect
import io
import itertools
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from probes.command.files import by_folder, noted
from probes.command.terminal import complain, say, undying_streams

Config = TypeVar("Config")

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130
NARROWEST = 40  # columns


class BadInput(ValueError):
    """What the user gave cannot be used; the message is one line: what, where, what to do."""


class Notice(UserWarning):
    """What a user should know although the work is done: a warning in Python, one line on stderr from a command."""


def run_cli(config_class: type[Config], main: Callable[[Config], None], argv: Sequence[str] | None = None) -> None:
    """Parse the options, run `main` on them and leave with 0 (done), 2 (bad input) or 130 (interrupted; no file is half written).

    Bad input is `BadInput`, options that do not parse or break their own law, `kvsmooth.Unsupported`, and whatever the operating
    system refuses (a full disk, a folder that may not be written): one line on stderr and no trace, unless the options say `debug`.
    A `Notice` is one line on stderr too, and changes nothing else. The last line on stdout says which files were written where.

    Parameters
    ----------
    config_class : frozen dataclass whose fields are the options; a field `debug: bool = False` shows traces. Where it has them, `EXAMPLES`
        are words of it that the help shows, `RESUMES` says that finished work is kept before the end and not done again, and `RERUNS` names
        the field that asks for it anew
    main : called with the parsed options
    argv : the words after the program's name; `sys.argv[1:]` if None

    Raises
    ------
    SystemExit : always
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    program, debug, config = program_name(), "--debug" in argv, None
    with undying_streams():
        try:
            config = _parse(config_class, argv, program)
            # it tells at length of a home that may not be written, and of fonts that it reads for the first time, and draws all the same
            logging.getLogger("matplotlib").setLevel(logging.ERROR)
            with _notices_in_one_line(program), noted() as written:
                main(config)
                if written:
                    say(f"Written: {by_folder(written)}")
                sys.stdout.flush()  # a full disk behind it is told as any other
        except KeyboardInterrupt:
            _leave(f"{program}: interrupted; {left_by(config)}.", INTERRUPTED)
        except (ValueError, OSError) as error:
            if debug or not _is_bad_input(error):
                raise
            _leave(f"{program}: {one_line(error)}", BAD_INPUT)
        sys.exit(DONE)


def quiet(progress: bool = True) -> None:
    """Have transformers and its hub say nothing but errors, and draw progress on a terminal only, as commands do; or, as their workers do,
    never.
    """
    import huggingface_hub
    import transformers

    transformers.logging.set_verbosity_error()
    huggingface_hub.logging.set_verbosity_error()  # it tells each of its tries to reach a hub that is not there
    if not (progress and sys.stderr.isatty()):
        transformers.logging.disable_progress_bar()


def program_name() -> str:
    """What the user typed: `python -m probes.record` or, for a package, `python -m analysis.ablation`, rather than a path into it."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is None or not spec.name:
        return os.path.basename(sys.argv[0] or "python")
    return f"python -m {spec.name.removesuffix('.__main__')}"


def needs_posix(instead: str) -> None:
    """Refuse a command that drives or measures processes in ways that only Linux and macOS know.

    Parameters
    ----------
    instead : what to do elsewhere

    Raises
    ------
    BadInput
    """
    if os.name != "posix":
        raise BadInput(f"{program_name()} runs on Linux and macOS; {instead}.")


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks; an error of the operating system says which file it is about."""
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{where}; {_WAYS_OUT.get(error.errno, 'mend that, and run the same command again')}."
    return " ".join(str(error).split()) or type(error).__name__


def first_sentence(error: BaseException) -> str:
    """The first sentence of an error, without a full stop, at most 200 characters: for a line that has more to say."""
    return one_line(ValueError(str(error))).partition(". ")[0].rstrip(".")[:200]


_MAKE_ROOM = "make room, and run the same command again"
_WAYS_OUT = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: _MAKE_ROOM,
    errno.EACCES: "choose a place that you may write",
    errno.EROFS: "choose a place that you may write",
    errno.ENOTDIR: "a file stands where a folder is needed: choose another place",
    errno.EEXIST: "a file stands where a folder is needed: choose another place",
}


def left_by(config: Any) -> str:
    """What an interrupted command leaves, and how to go on; every file is whole."""
    if not getattr(config, "RESUMES", False):
        return "what it had not written is lost, the same command begins anew"
    again = getattr(config, "RERUNS", "")
    if again and getattr(config, again):
        return f"what it has written is kept, and gone on from without --{again}, which makes it anew"
    return "what it has written is kept, the same command goes on from it"


@contextlib.contextmanager
def _notices_in_one_line(program: str) -> Iterator[None]:
    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.filterwarnings("default", category=Notice)  # told whatever PYTHONWARNINGS makes of warnings: it is no mistake of the code

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, Notice):
                complain(f"{program}: {message}")
            else:
                usual(message, category, *where, **more)

        warnings.showwarning = show
        yield


def _parse(config_class: type[Config], argv: list[str], program: str) -> Config:
    import tyro

    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), _wide_enough():
            config = tyro.cli(config_class, args=argv, prog=program, description=_described(config_class, program))
    except SystemExit as error:
        if error.code in (DONE, None):  # --help
            raise
        raise BadInput(_unboxed(complaint.getvalue())) from error
    _check_texts(config)
    return config


def _described(config_class: type, program: str) -> str | None:
    """What the help says of a command: its docstring, and its examples."""
    examples = getattr(config_class, "EXAMPLES", ())
    if not examples:
        return None  # the docstring
    lines = "\n".join(f"  {program} {words}".rstrip() for words in examples)
    return f"{inspect.getdoc(config_class)}\n\nExamples:\n{lines}"


@contextlib.contextmanager
def _wide_enough() -> Iterator[None]:
    """Within the block a terminal is told to be at least `NARROWEST` columns wide: in a few of them tyro looks for a layout for ever."""
    before = os.environ.get("COLUMNS")
    if shutil.get_terminal_size().columns >= NARROWEST:
        yield
        return
    os.environ["COLUMNS"] = str(NARROWEST)
    try:
        yield
    finally:
        os.environ.pop("COLUMNS")
        os.environ.update({} if before is None else {"COLUMNS": before})


def _check_texts(config: Any) -> None:
    """Refuse texts with bytes that are no UTF-8, which no file of results can hold; a path may have such a name."""
    for field in dataclasses.fields(config) if dataclasses.is_dataclass(config) else ():
        given = getattr(config, field.name)
        for text in given if isinstance(given, tuple | list) else (given,):
            if isinstance(text, str) and not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
                raise BadInput(f"--{field.name.replace('_', '-')} must be UTF-8; got {text[:80]!r}.")


def _unboxed(text: str) -> str:
    """The message inside the box that tyro draws: without frame, title and reprinted help."""
    rows = [line.strip("│|╭╮╰╯─ \t") for line in text.splitlines()]
    rows = [row if row.strip("-") else "" for row in rows]  # rulers, where the terminal has no lines to draw
    message = list(itertools.takewhile(bool, itertools.dropwhile(lambda row: not row, rows[1:]))) or rows[:1]
    return f"{' '.join(message)} (--help lists the options)"


def _is_bad_input(error: Exception) -> bool:
    if isinstance(error, BadInput | OSError):
        return True
    # looked up, not imported: a command that never touched the method need not load torch to say that an option is wrong
    unsupported = getattr(sys.modules.get("kvsmooth"), "Unsupported", None)
    return unsupported is not None and isinstance(error, unsupported)


def _leave(line: str, status: int) -> None:
    complain(line)
    sys.exit(status)
