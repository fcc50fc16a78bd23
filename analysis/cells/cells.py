"""A cell of the ablation: one way of smoothing, as data that can be named, hashed, sent to another process, and built into a method."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kvsmooth import KVSmooth
from kvsmooth.policies import POLICIES
from kvsmooth.sinks.chosen import detector_class


@dataclass(frozen=True)
class Cell:
    """One arm of the ablation.

    Parameters
    ----------
    name : unique in a plan; the file name of its results is made from it
    family : cells of one family are tested together, and corrected for each other
    options : options of `KVSmooth` as JSON-able data; `policy` and `score` by their names in the registries (a detector of one's own as
        `module:Class`), with `policy_options` and `score_options`. None smooths nothing
    """

    name: str
    family: str
    options: Mapping[str, Any] | None = field(default_factory=dict)

    def __post_init__(self):
        if not self.slug:
            raise ValueError(f"Cell.name must hold a letter or digit; got {self.name!r}.")
        if (name := self.option("policy")) is not None and name not in POLICIES:
            raise ValueError(f"Cell.options policy must be one of {', '.join(POLICIES)}; got {name!r}.")
        if (name := self.option("score")) is not None:
            try:
                detector_class(name)
            except ValueError as error:
                raise ValueError(f"Cell.options score: {error}") from error

    def option(self, name: str) -> Any:
        """An option's value; None where the cell leaves it at its default."""
        return (self.options or {}).get(name)

    @property
    def slug(self) -> str:
        """The name in characters that every file system takes."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", self.name).strip("-.")

    @property
    def two_pass(self) -> bool:
        """Whether the policy is driven by the rates that a first run applied."""
        return getattr(POLICIES.get(self.option("policy")), "two_pass", False)

    @property
    def source(self) -> "Cell | None":
        """The cell whose rates drive this one: the same without its policy, so that what it applied fits; None where nothing does."""
        if not self.two_pass:
            return None
        options = {name: value for name, value in self.options.items() if name not in ("policy", "policy_options")}
        return Cell(f"first pass of {self.name}", self.family, options)

    def method(self, base: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> KVSmooth | None:
        """The method; None for the baseline.

        Parameters
        ----------
        base : options that all cells share, such as `lambda_ref`; those of the cell win
        data : what policies need besides options: `first` pass and `tokens` of this batch, `classes`; each takes those it has fields for
        """
        if self.options is None:
            return None
        options = {**base, **self.options}
        score, policy = options.pop("score", None), options.pop("policy", None)
        of_score, of_policy = (_frozen(options.pop(f"{part}_options", {})) for part in ("score", "policy"))
        if score is not None:
            options["score"] = detector_class(score)(**of_score)
        if policy is not None:
            made: Any = POLICIES[policy]
            given = {name: value for name, value in (data or {}).items() if name in made.__dataclass_fields__}
            options["policy"] = made(**given, **of_policy)
        return KVSmooth(**options)


def _frozen(options: Mapping[str, Any]) -> dict[str, Any]:
    """JSON's lists as the tuples that frozen options hold."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
