"""Every text file is read and written as UTF-8, whatever the machine's own encoding is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for room in ("kvsmooth", "probes", "analysis") for path in (ROOT / room).rglob("*.py"))


def unsaid(source: str) -> Iterator[int]:
    """Lines of the calls that leave the encoding of a text to the machine."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if name == "open":
            at = 1 if isinstance(node.func, ast.Name) else 0  # of the mode: open(path, mode), path.open(mode)
            mode = given.get("mode", node.args[at] if len(node.args) > at else ast.Constant("r"))
            # another first word than a mode is another open: of an image, a store, a descriptor
            text = isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" not in mode.value
        else:
            text = name in ("read_text", "write_text") or any(
                getattr(given.get(word), "value", False) for word in ("text", "universal_newlines")
            )
        positional = (name == "read_text" and node.args) or (name == "write_text" and len(node.args) > 1)
        if text and "encoding" not in given and not positional:
            yield node.lineno


@pytest.mark.parametrize(
    "call",
    [
        "open(a)",
        "open(a, 'w')",
        "a.open()",
        "a.open('a')",
        "a.open(mode='r')",
        "a.read_text()",
        "a.b.write_text(c)",
        "run(a, text=True)",
        "a.read_text(errors='replace')",
    ],
)
def test_a_call_that_leaves_it_to_the_machine_is_found(call):
    assert list(unsaid(call)) == [1]


@pytest.mark.parametrize(
    "call",
    [
        "open(a, 'rb')",
        "a.open('ab')",
        "a.read_text(encoding='utf-8')",
        "a.read_text('utf-8')",
        "a.write_text(b, 'utf-8')",
        "Image.open(a)",
        "a.open(b, c)",
        "a.read_bytes()",
    ],
)
def test_a_call_that_does_not_is_not(call):
    assert list(unsaid(call)) == []


@pytest.mark.slow
def test_no_call_leaves_the_encoding_to_the_machine():
    found = [f"{path.relative_to(ROOT)}:{line}" for path in SOURCES for line in unsaid(path.read_text(encoding="utf-8"))]
    assert not found, 'say encoding="utf-8": ' + ", ".join(found)
