"""By which option each method is made stronger, and where on the way from nothing to its source's setting it is tried.

One rule for all: strength m is neutral + m (source's setting - neutral), of each option that makes the method stronger, all others left as
the source has them. So every method gets as many chances as any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KVSMOOTH = "kvsmooth"
NEUTRAL: Mapping[str, Mapping[str, float]] = {
    KVSMOOTH: {"lambda_ref": 0.0},
    "image_bias": {"strength": 0.0},
    "eos_bias": {"bias": 0.0},
    "repetition_penalty": {"penalty": 1.0},
    "pai": {"alpha": 0.0},
    "random_positions": {"alpha": 0.0},
    "middle_layer": {"alpha": 0.0},
    "vaf": {"image": 1.0, "system": 1.0},
    "sparc": {"alpha": 1.0},
    "sink_redistribution": {"p": 1.0},
    "farsight": {"strength": 0.0},
    "tame": {"gamma": 0.0},
    "iat": {"alpha": 0.0},
    "adaiat": {"alpha": 0.0},
    "vti": {"alpha": 0.0},
    "vista": {"strength": 0.0, "mix": 0.0},
    "vcd": {"alpha": 0.0},
    "avisc": {"alpha": 0.0},
    "sid": {"alpha": 0.0},
    "prunehal": {"keep": 1.0},
    "only": {"together": 0.0, "alpha": 0.0},
    "m3id": {"decay": 0.0},
    "icd": {"alpha": 0.0},
    "dola": {"strength": 0.0},
    "deco": {"alpha": 0.0},
    "opera": {"alpha": 0.0},
}
"""By method, the options that make it stronger, each with the value at which it does nothing (of KVSmooth, least: rates of 0 to margin;
of OPERA, least: no penalty, while it still goes back)."""
OURS: Mapping[str, Mapping[str, float]] = {"eos_bias": {"bias": 8.0}, "image_bias": {"strength": 1.0}}
"""Of controls that have no source, the setting that stands for it."""
LEFT_OUT: Mapping[str, str] = {
    "skip_newline": "captions of the bundled subjects hold no line's end that it could keep from being said",
}
"""Methods that are not tried, and why."""
SEARCHES: Mapping[str, str] = {"opera": "it is a beam search, whose baseline is beam search and not greedy decoding: --beams 5 has it"}
"""Methods that are tried with --beams alone, and why."""
NOTHING: Mapping[str, Any] = {}
"""Given to most methods."""


@dataclass(frozen=True)
class Setting:
    """A method at one strength.

    Attributes
    ----------
    method : its name
    strength : as a multiple of the source's setting
    options : the method, to be opened at a model
    """

    method: str
    strength: float
    options: Any

    @property
    def name(self) -> str:
        """Of the arm."""
        return named(self.method, self.strength)


def named(method: str, strength: float) -> str:
    """What an arm is called: the method and the multiple of its source's setting."""
    return f"{method} x{strength:g}"


def settings(method: str, strengths: Sequence[float], given: Mapping[str, Any] = NOTHING) -> list[Setting]:
    """A method at each strength that its options admit.

    Parameters
    ----------
    given : options that it must be given (`analysis.methods.given`)

    Raises
    ------
    KeyError : the method is not of `NEUTRAL`
    ValueError : its source's own setting is refused
    """
    made = []
    for strength in strengths:
        try:
            made.append(Setting(method, strength, at(method, strength, given)))
        except ValueError:
            if strength <= 1:
                raise
    return made


def at(method: str, strength: float, given: Mapping[str, Any] = NOTHING) -> Any:
    """The method at a multiple of its source's setting.

    Parameters
    ----------
    given : options that it must be given

    Raises
    ------
    ValueError : an option would leave the values that it may have
    """
    from kvsmooth import KVSmooth
    from kvsmooth.baselines import METHODS

    kind: Any = KVSmooth if method == KVSMOOTH else METHODS[method]
    source = kind(**OURS.get(method, {}))
    moved = {name: neutral + strength * (getattr(source, name) - neutral) for name, neutral in NEUTRAL[method].items()}
    whole = {name for name in moved if isinstance(getattr(source, name), int)}
    return kind(**given, **{name: round(value) if name in whole else round(value, 12) for name, value in moved.items()})
