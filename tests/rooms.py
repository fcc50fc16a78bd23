"""The rooms of the house as they lie on the disk: every folder with code, and what each says of itself.

`python -m tests.rooms` writes the map of CONTRIBUTING.md.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("kvsmooth", "probes", "analysis")
"""What may be imported by all that stands after it."""
PAGE = ROOT / "CONTRIBUTING.md"
MARKED = re.compile(r"(?<=<!-- map -->\n).*?(?=<!-- /map -->)", re.DOTALL)


def sources(*folders: str) -> list[Path]:
    """Every Python file of these folders, relative to the root; of all three floors where none is named."""
    return sorted(path.relative_to(ROOT) for folder in folders or FLOORS for path in (ROOT / folder).rglob("*.py"))


def rooms() -> Iterator[tuple[str, str]]:
    """Each folder with code and the first line of its `__init__`, floor by floor."""
    for floor in FLOORS:
        for folder in sorted({path.parent for path in sources(floor)}):
            init = ROOT / folder / "__init__.py"
            told = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) if init.is_file() else None
            yield folder.as_posix(), (told or "").partition("\n")[0]


def the_map() -> str:
    """One line a folder, as the page holds it."""
    width = max(len(folder) for folder, _ in rooms())
    return "```text\n" + "".join(f"{folder + '/':{width + 2}} {told}\n" for folder, told in rooms()) + "```\n"


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    assert MARKED.search(page), f"{PAGE.name}: needs the lines <!-- map --> and <!-- /map -->"
    PAGE.write_text(MARKED.sub(lambda _: the_map(), page), encoding="utf-8")
