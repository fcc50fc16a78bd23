"""`python -m kvsmooth`: what the method can be made of, by its registries, each with a line; `doctor` looks at the machine and a model."""

import sys
from collections.abc import Mapping

from kvsmooth.baselines import METHODS
from kvsmooth.doctor.command import doctor
from kvsmooth.mixes import MIXES
from kvsmooth.output import tell
from kvsmooth.policies import POLICIES
from kvsmooth.presets import PRESETS
from kvsmooth.sinks import SINKS

WAYS: dict[str, Mapping[str, type]] = {
    "Sink detectors: KVSmooth(score=...); python -m kvsmooth.sinks.<name> draws one": SINKS,
    "Rate policies: KVSmooth(policy=...)": POLICIES,
    "Mixes: KVSmooth(mix=...)": MIXES,
    "Methods of others: with kvsmooth.baselines.METHODS[name]()(model) as run": METHODS,
}


def main(words: list[str]) -> int:
    """Print them, or have the doctor look; the exit status."""
    if words and words[0] == "doctor":
        return doctor(words[1:])
    if words and words[0] not in ("-h", "--help"):
        print(f"python -m kvsmooth: it takes doctor or nothing; got {words[0]!a}.", file=sys.stderr)  # noqa: T201  the one line that it says
        return 2
    told = {title: {name: (entry.__doc__ or "").partition("\n")[0] for name, entry in registry.items()} for title, registry in WAYS.items()}
    told["Presets: KVSmooth.preset(...)"] = {name: f"{_options(preset.options)}. {preset.source}" for name, preset in PRESETS.items()}
    width = max(len(name) for lines in told.values() for name in lines)
    parts = ("\n".join([title, *(f"  {name:{width}}  {line}" for name, line in lines.items())]) for title, lines in told.items())
    tell("\n\n".join([*parts, "This machine, and a model on it: python -m kvsmooth doctor [--model M]"]) + "\n")
    return 0


def _options(options: dict[str, float | int]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in options.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
