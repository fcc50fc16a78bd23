"""Lists the commands of a package with the first line of each, from the files alone: nothing is imported or run."""

import ast
import importlib.util
from pathlib import Path


def commands(package: str) -> dict[str, str]:
    """By module, the first line of every command in a package: every module that does something under `python -m`."""
    (root,) = importlib.util.find_spec(package).submodule_search_locations
    found = {}
    for path in sorted(Path(root).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'" for node in tree.body):
            parts = [package, *path.relative_to(root).with_suffix("").parts]
            name = ".".join(parts[:-1] if parts[-1] == "__main__" else parts)
            if name != package:  # the command that lists them
                found[name] = first_line(ast.get_docstring(tree), name)
    return found


def first_line(docstring: str | None, module: str) -> str:
    """The first line of a docstring, without the command that it begins with."""
    line = (docstring or "").partition("\n")[0]
    begin, _, told = line.partition("`: ")
    return told if begin.startswith(f"`python -m {module}") else line


def listed(title: str, lines: dict[str, str]) -> str:
    """A heading, and a line a name with what is told of it."""
    width = max(map(len, lines))
    return "\n".join([title, *(f"  {name:{width}}  {told}" for name, told in lines.items())])
