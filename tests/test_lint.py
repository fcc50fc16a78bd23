"""What lint catches: a name that nothing defines. A shape string is none."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAD = "import numpy as np\nfrom jaxtyping import Float\n\n\n"


def ruff(source: str, name: str) -> list[str]:
    """Codes of what ruff finds in a source that would stand at this place in the tree."""
    words = [sys.executable, "-m", "ruff", "check", "--no-cache", "--stdin-filename", name, "-"]
    done = subprocess.run(words, input=source, capture_output=True, text=True, encoding="utf-8", cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith(name)]


@pytest.mark.parametrize("room", ["kvsmooth", "probes", "analysis", "tests"])
@pytest.mark.parametrize(
    "line",
    [
        "def f() -> float:\n    return undefined\n",
        "def f(x: Float[np.ndarray, ' row']) -> float:\n    return row\n",  # the name of an axis is none
        "def f(x: 'Undefined') -> np.ndarray:\n    return np.zeros(0)\n",
        "def f(x: Float[Undefined, 'row step']) -> None:\n    print(x)\n",
    ],
)
def test_a_name_that_nothing_defines(room, line):
    assert "F821" in ruff(HEAD + line.replace("'", '"'), f"{room}/planted.py")


def test_a_shape_is_no_name():
    line = 'def f(x: Float[np.ndarray, " row"], y: Float[np.ndarray, " row *rest"]) -> Float[np.ndarray, "step layer"]:\n'
    line += '    """F."""\n    return x @ y\n'
    assert ruff(HEAD + line, "kvsmooth/planted.py") == []


def test_a_shape_of_one_name_without_its_space_is_told():
    assert ruff(HEAD + 'def f(x: Float[np.ndarray, "row"]) -> np.ndarray:\n    """F."""\n    return x\n', "kvsmooth/planted.py") == ["F821"]


@pytest.mark.parametrize("room", ["kvsmooth", "probes", "analysis"])
def test_a_public_class_or_function_without_a_docstring(room):
    source = "class Told:\n    x = 1\n\n\ndef f() -> None:\n    return\n\n\ndef _own() -> None:\n    return\n"
    assert ruff(source, f"{room}/planted.py") == ["D101", "D103"]
