"""The methods of a benchmark run: nothing, KVSmooth, a control of it, or a method of others, each by a name with options.

The first three are listed in `METHODS`, methods of others in `kvsmooth.baselines.METHODS`.

A specification is a name and, behind a colon, options with commas between them: `kvsmooth:lambda_ref=0.9,window=15`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from analysis.benchmark.names import BASELINE
from probes.command.cli import BadInput, one_line

if TYPE_CHECKING:
    from kvsmooth import KVSmooth


@dataclass(frozen=True)
class BenchmarkMethod:
    """A method of the table.

    Attributes
    ----------
    name : the specification, without blanks
    options : the method; None for the baseline
    """

    name: str
    options: Any = None

    @property
    def file(self) -> str:
        """The name of its files, without suffix."""
        return re.sub(r"[^\w.=+-]+", "_", self.name)

    @property
    def cost(self) -> str:
        """What a method of others costs a token, in words; empty for KVSmooth, its controls and the baseline."""
        return getattr(type(self.options), "cost", "")

    def describe(self) -> dict[str, Any] | None:
        """Every option in JSON, for the plan."""
        return None if self.options is None else self.options.describe()


def methods(specifications: Iterable[str]) -> list[BenchmarkMethod]:
    """The methods of a table, in its order.

    Raises
    ------
    BadInput : an unknown name or option, a value that breaks the option's law, or the same method twice
    """
    found = [method(one) for one in specifications]
    told: dict[str, str] = {}
    for one in found:
        same = told.setdefault(str(one.describe()), one.name)
        if same != one.name or sum(other.name == one.name for other in found) > 1:
            raise BadInput(f"--methods: {same} and {one.name} are the same method; leave one of them out.")
    return found


def method(specification: str) -> BenchmarkMethod:
    """The method of one specification."""
    name, _, behind = specification.strip().partition(":")
    maker = METHODS.get(name) or _of_others(name)
    options: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in behind.split(","))):
        option, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise BadInput(f"--methods {specification}: {part!r} is no option; write name=value, with commas between options.")
        if option in options:
            raise BadInput(f"--methods {specification}: {option} is given twice.")
        options[option] = value
    try:
        made = maker(dict(options))
    except (ValueError, TypeError) as error:
        raise BadInput(f"--methods {specification}: {one_line(error)}") from error
    return BenchmarkMethod(":".join(filter(None, (name, ",".join(f"{option}={value}" for option, value in options.items())))), made)


def _baseline(options: Mapping[str, str]) -> None:
    if options:
        raise ValueError(f"the baseline has no options; got {', '.join(options)}.")


def _kvsmooth(options: dict[str, str], **fixed: Any) -> "KVSmooth":
    from kvsmooth import KVSmooth

    preset = options.pop("preset", None)
    kinds = {one.name: type(one.default) for one in fields(KVSmooth) if type(one.default) in (bool, int, float, str)}
    read = {name: _value(name, value, kinds) for name, value in options.items()} | fixed
    return KVSmooth(**read) if preset is None else KVSmooth.preset(preset, **read)


def _with_policy(name: str) -> Callable[[dict[str, str]], "KVSmooth"]:
    def made(options: dict[str, str]) -> "KVSmooth":
        from kvsmooth.policies import POLICIES

        policy: Any = POLICIES[name]
        numbers = {one.name: float for one in fields(policy) if one.type is float}
        missing = [one.name for one in fields(policy) if one.name in numbers and one.default is MISSING and one.name not in options]
        if missing:
            raise ValueError(f"{name} needs {' and '.join(missing)}: {name}:{','.join(f'{one}=0.5' for one in missing)}")
        own = {one: _value(one, options.pop(one), numbers) for one in list(options) if one in numbers}
        return _kvsmooth(options, policy=policy(**own))

    return made


def _of_others(name: str) -> Callable[[dict[str, str]], Any]:
    """What makes a method of others; it loads a model's libraries, as the names of all others do not."""
    from kvsmooth.baselines import METHODS as OTHERS

    if name not in OTHERS:
        raise BadInput(f"--methods: there is no method {name[:40]!r}; choose from {', '.join((*METHODS, *OTHERS))}.")

    def made(options: dict[str, str]) -> Any:
        kinds = {one.name: type(one.default) for one in fields(OTHERS[name]) if type(one.default) in (bool, int, float, str)}
        kinds |= dict.fromkeys(OTHERS[name].texts, str)
        numbers = tuple(one.name for one in fields(OTHERS[name]) if one.name not in kinds)
        return OTHERS[name](**{option: _value(option, value, kinds, numbers) for option, value in options.items()})

    return made


def _value(name: str, text: str, kinds: Mapping[str, type], others: tuple[str, ...] = ("layers", "score", "preset")) -> Any:
    if name not in (*kinds, *others):
        raise ValueError(f"there is no option {name!r}; choose from {', '.join((*kinds, *others))}.")
    if name == "score":
        return _score(text)
    if name in others:
        return _numbers(name, text)
    if kinds[name] is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{name} must be true or false; got {text!r}.")
        return text.lower() == "true"
    try:
        return kinds[name](text)
    except ValueError:
        raise ValueError(f"{name} must be {'an integer' if kinds[name] is int else 'a number'}; got {text!r}.") from None


def _numbers(name: str, text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split("+"):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise ValueError(f"{name} must be numbers and ranges with + between them, such as 3-10+12; got {text!r}.")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _score(text: str) -> Callable:
    from kvsmooth.sinks import SINKS

    if text not in SINKS:
        raise ValueError(f"score must be one of {', '.join(SINKS)}; got {text!r}.")
    return SINKS[text]()


METHODS: dict[str, Callable[[dict[str, str]], "KVSmooth | None"]] = {
    BASELINE: _baseline,
    "kvsmooth": _kvsmooth,
    "constant": _with_policy("constant"),
    "inverse": _with_policy("inverse"),
    "top": _with_policy("top"),
}
"""By name, what makes a method of its options as text. Controls that need a first pass are the ablation's; methods of others are those of
`kvsmooth.baselines.METHODS`."""
