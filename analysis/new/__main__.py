"""`python -m analysis.new detector|recorder|metric|question NAME`: stubs in their rooms, and tests that fail until they are done.

What is written lies in `stubs/`, a tree for each kind, with NAME in its paths and `$name`, `$kind` (the class) and `$title` in its texts.
"""

import ast
import builtins
import re
from collections.abc import Iterable
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from string import Template
from typing import ClassVar, Literal

from tyro.conf import Positional

from probes.command.cli import BadInput, run_cli
from probes.command.files import write_bytes
from probes.command.terminal import say

STUBS = Path(__file__).parent / "stubs"
FLOORS = ("kvsmooth", "probes", "analysis")
LAW = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
LONGEST = 32
"""Characters of a name: lines of the stubs that hold several stay within what lint allows."""


@dataclass(frozen=True)
class NewConfig:
    """Begins a detector, recorder, metric or question in a checkout: writes stubs and a failing test, and says what to do next."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("detector value_ratio", "question tides --root ../checkout")
    what: Positional[Literal["detector", "recorder", "metric", "question"]]
    """what is begun"""
    name: Positional[str]
    """of the file or package, and in the registry: lower-case words joined by underscores; its class is called by the same words"""
    root: Path = Path()
    """the checkout"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        if not LAW.fullmatch(self.name) or iskeyword(self.name) or len(self.name) > LONGEST:
            law = f"lower-case words joined by underscores, at most {LONGEST} characters, and no word of Python"
            raise ValueError(f"NewConfig.name must be {law}; got {self.name!r}.")

    @property
    def words(self) -> dict[str, str]:
        """What stands for the stubs' variables."""
        parts = self.name.split("_")
        return {"name": self.name, "kind": "".join(map(str.capitalize, parts)), "title": " ".join(parts).capitalize()}


def main(config: NewConfig) -> None:
    """Write, and say what is next; nothing is written where one of the names is taken."""
    made = stubs(config)
    for path, text in made.items():
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, text.encode())
    say(Template((STUBS / f"{config.what}.txt").read_text(encoding="utf-8")).substitute(config.words).rstrip())


def stubs(config: NewConfig) -> dict[Path, str]:
    """The text of each file that is to be written.

    Raises
    ------
    BadInput : the root is no checkout, or a file, folder or class of that name exists
    """
    made = {}
    for stub in sorted((STUBS / config.what).rglob("*.txt")):
        place = stub.relative_to(STUBS / config.what)
        parts = [part.replace("NAME", config.name) for part in place.with_suffix("").parts]
        depth = next(i for i, part in enumerate(place.parts) if "NAME" in part)
        room = config.root.joinpath(*parts[:depth])
        if not room.is_dir():
            raise BadInput(f"{room}: there is no such folder; run the command in the root of a checkout, or name that by --root.")
        for path in (room / config.name, room / f"{config.name}.py", room / parts[depth]):
            if path.exists():
                raise BadInput(f"{path}: exists already; choose another name, or remove it.")
        made[config.root.joinpath(*parts)] = Template(stub.read_text(encoding="utf-8")).substitute(config.words)
    _check_classes(config, made.values())
    return made


def _check_classes(config: NewConfig, texts: Iterable[str]) -> None:
    """A class has a name of its own: in the house, in Python, and among what its file imports."""
    trees = [ast.parse(text) for text in texts]
    own = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    taken = dict.fromkeys(vars(builtins), "Python")
    for path in (path for floor in FLOORS for path in sorted((config.root / floor).rglob("*.py"))):
        taken |= dict.fromkeys(re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE), str(path))
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    others = [node for node in imports if config.name not in node.module.split(".")]
    taken |= {alias.name: f"what {config.what}s import" for node in others for alias in node.names}
    for name in sorted(own & taken.keys()):
        raise BadInput(f"{config.name}: its class would be {name}, as one of {taken[name]} is called; choose another name.")


if __name__ == "__main__":
    run_cli(NewConfig, main)
