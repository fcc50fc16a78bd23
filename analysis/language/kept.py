"""NLL kept by text: what the same model has read before is not read again."""

import functools
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from probes.command.files import write_bytes
from probes.command.strict_json import json_text

Reader = Callable[[Sequence[str], str], dict[str, float]]
"""Takes texts and what they are called; gives the mean NLL of each text, nat a token."""


def kept_nll(texts: Sequence[str], file: Path, mark: str, read: Callable[[list[str]], Float[np.ndarray, " text"]]) -> dict[str, float]:
    """The NLL of each text: from the file where it stands there, else read, and written there.

    Parameters
    ----------
    file : that keeps them; one that is damaged, or of another mark, is made anew
    mark : of the model and of how it reads
    read : what reads texts, nat a token; NaN of what has no NLL
    """
    known = _kept(file, mark)
    new = [text for text in dict.fromkeys(texts) if _name(text) not in known]
    if new:
        known |= dict(zip(map(_name, new), read(new).tolist(), strict=True))
        write_bytes(file, (json_text({"model": mark, "nll": known}, indent=1) + "\n").encode())
    return {text: known[_name(text)] for text in texts}


def packaged_reader(file: Path) -> Reader:
    """What reads texts with the packaged language model on the CPU and keeps what it found; the model is loaded for the first new text."""
    from analysis.language.fluency import LONGEST, fluency
    from analysis.language.models import PACKAGED, language_model
    from probes.subjects.smollm2.base import SHA256

    model, mark = functools.cache(lambda: language_model(PACKAGED)), f"{PACKAGED} {SHA256}, {LONGEST} tokens"
    return lambda texts, name: kept_nll(texts, file, mark, lambda new: fluency(model(), new, LONGEST, name))


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _kept(file: Path, mark: str) -> dict[str, float]:
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        return {name: math.nan if value is None else float(value) for name, value in held["nll"].items()} if held["model"] == mark else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
