"""plan.json: everything that decides the captions of a run, so that it can be resumed and replayed."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis.datasets.files import json_document
from probes.command.cli import BadInput
from probes.command.files import write_bytes
from probes.command.strict_json import json_text

SCHEMA = 1
DECIDES = ("asks", "subject", "revision", "device", "dtype", "max_new_tokens", "sample", "temperature", "seed", "batch_size")


@dataclass(frozen=True)
class PlanItem:
    """One question about one image.

    Attributes
    ----------
    key : unique in the plan
    image_id : of the image
    file : its name, as the source of the images knows it
    prompt : what is asked
    sha256 : of the image's file, or of its pixels where it has no file; "" where it cannot be read
    error : why the image is set aside before anything is asked; "" for good ones
    """

    key: str
    image_id: int
    file: str
    prompt: str
    sha256: str = ""
    error: str = ""

    @property
    def question(self) -> tuple[str, int, str, str]:
        """What is asked, without the state of the image."""
        return self.key, self.image_id, self.file, self.prompt


@dataclass(frozen=True)
class Plan:
    """What is asked of which subject, how it decodes, and with which methods.

    Attributes
    ----------
    asks : which questions these are: benchmarks that ask the same share captions
    subject, revision, device, dtype : the model; device is its kind, cpu or cuda
    max_new_tokens, sample, temperature, seed : decoding
    batch_size : items that are generated together, in the order of `items`
    items : what is asked
    methods : by name, all options; None for the baseline
    origin : how the items were chosen, of which data; decides nothing
    """

    asks: str
    subject: str
    revision: str
    device: str
    dtype: str
    max_new_tokens: int
    sample: bool
    temperature: float
    seed: int
    batch_size: int
    items: tuple[PlanItem, ...]
    methods: Mapping[str, Any]
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        keys = [item.key for item in self.items]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise BadInput(f"Plan.items must have different keys; {twice!r} is there twice.")
        if not keys:
            raise BadInput("Plan.items must name at least one question; there is none: give more --images, or other --ids.")

    @property
    def batches(self) -> list[tuple[PlanItem, ...]]:
        """The items with a usable image, in batches that neither a resume nor an engine changes."""
        usable = [item for item in self.items if not item.error]
        return [tuple(usable[i : i + self.batch_size]) for i in range(0, len(usable), self.batch_size)]

    def with_methods(self, methods: Mapping[str, Any]) -> "Plan":
        """The same questions for other methods too."""
        return replace(self, methods={**self.methods, **methods})

    def misfit(self, other: "Plan") -> str:
        """In which way the other plan's captions are not this one's; "" if they are."""
        for name in DECIDES:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f"{name.replace('_', ' ')} {theirs}, not {mine}"
        mine, theirs = [item.question for item in self.items], [item.question for item in other.items]
        if mine != theirs:
            at = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs)))
            return (
                f"{len(theirs)} questions, not {len(mine)}" if len(mine) != len(theirs) else f"question {at + 1} differs ({theirs[at][0]})"
            )
        for name in set(self.methods) & set(other.methods):
            if self.methods[name] != other.methods[name]:
                return f"{name} with other options"
        return ""

    def write(self, path: Path) -> None:
        """Write the plan, whole or not at all: one item a line."""
        told = {"schema": SCHEMA} | {name: value for name, value in asdict(self).items() if name != "items"}
        items = ",\n  ".join(json_text({name: value for name, value in asdict(item).items() if value != ""}) for item in self.items)
        head = json_text(told, indent=1)  # methods keep the order of the table
        write_bytes(path, f'{head[:-2]},\n "items": [\n  {items}\n ]\n}}\n'.encode())


def read_plan(path: Path) -> Plan:
    """A plan of a former run.

    Raises
    ------
    BadInput : the file is missing, damaged, or something else
    """
    found = json_document(path)
    try:
        if found.pop("schema") != SCHEMA:
            raise BadInput(f"{path}: is of another version of this program; choose another --out.")
        items = tuple(PlanItem(**item) for item in found.pop("items"))
        _check(found, items)
        return Plan(**found, items=items)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: is no plan of a benchmark ({type(error).__name__}); give another one, or another --out.") from error


TYPES = {
    **dict.fromkeys(("asks", "subject", "revision", "device", "dtype"), str),
    **dict.fromkeys(("max_new_tokens", "batch_size", "seed"), int),
    **{"temperature": int | float, "sample": bool, "methods": dict, "origin": dict},
}


def _check(found: Mapping[str, Any], items: Iterable[PlanItem]) -> None:
    texts = all(isinstance(value, str) for item in items for value in (item.key, item.file, item.prompt, item.sha256, item.error))
    numbers = all(isinstance(item.image_id, int) and item.image_id >= 0 for item in items)
    fields = all(isinstance(found[name], kind) for name, kind in TYPES.items())
    if not texts or not numbers or not fields or found["batch_size"] < 1:
        raise TypeError("a field is of another type")
