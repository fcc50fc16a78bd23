"""The options of `python -m analysis.ablation`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from analysis.cells.config import CellsConfig
from analysis.cells.names import PLAN_NAMES
from analysis.cells.parts import PLACES
from probes.options import check_not_negative, check_positive, check_rates

AXES = ("detectors", "policies", "mixes", "places", "timings", "ropes", "bands", "windows", "margins", "lambdas")


@dataclass(frozen=True)
class AblationConfig(CellsConfig):
    """Which part of KVSmooth does what: cells that change one thing at a time, or a cross product of lists, compared over images."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--plan ladder --images 60",
        "--detectors key_norm sink_head --places keys both --images 60",
        "--bands 3-6 7-10 --lambdas 0.5 0.9",
        "--only permuted",
        "--redraw",
        "--subject models/mine --image-folder photos --annotations instances.json --plan ladder --images 50",
    )
    out: Path = Path("figures/emoji/ablation")
    """folder of figures, ablation.nc and ablation.json"""
    page: Path = Path("docs/ablation.md")
    """page whose text and tables are written, where there is such a file"""
    plan: str = "full"
    """full, or of ladder, places, dose, layers, detectors, first_token, options (as ladder,dose); lists below make one of their own"""
    fluent: int | None = None
    """captions of each cell that the packaged language model reads, the first ones; 0: none; left out: 50, or none where it is not
    installed"""
    detectors: tuple[str, ...] = ()
    """list to cross: sink detectors, own ones as module:Class; python -m kvsmooth names them, and the policies and mixes"""
    policies: tuple[str, ...] = ()
    """list to cross: rate policies"""
    mixes: tuple[str, ...] = ()
    """list to cross: how newest and previous are mixed"""
    places: tuple[str, ...] = ()
    """list to cross: keys, values, both or output"""
    timings: tuple[str, ...] = ()
    """list to cross: after or recompute"""
    ropes: tuple[str, ...] = ()
    """list to cross: after or before"""
    bands: tuple[str, ...] = ()
    """list to cross: layers, as 3-10 or 4"""
    windows: tuple[int, ...] = ()
    """list to cross: capacities of the queue, steps"""
    margins: tuple[float, ...] = ()
    """list to cross: half widths of the clip"""
    lambdas: tuple[float, ...] = ()
    """list to cross: centres of the clip"""

    def __post_init__(self):
        super().__post_init__()
        check_rates(self, "lambdas")
        check_positive(self, "windows")
        check_not_negative(self, "margins", "fluent")
        self._check_names("plan", tuple(self.plan.split(",")) if self.plan != "full" else (), PLAN_NAMES[1:])
        self._check_names("places", self.places, tuple(PLACES))
        if self.detectors or self.policies or self.mixes or self.timings or self.ropes:
            self._check_registries()

    def _check_registries(self) -> None:
        # only now: a redraw and --help need not wait for torch
        from kvsmooth.mixes import MIXES
        from kvsmooth.options import CHOICES
        from kvsmooth.policies import POLICIES
        from kvsmooth.sinks.chosen import detector_class

        for name in () if self.redraw else self.detectors:  # a redraw runs none, and need not find the modules that a run found
            try:
                known = detector_class(name).known
            except ValueError as error:
                raise ValueError(f"AblationConfig.detectors must name sink detectors: {error}") from error
            if known == "later":
                raise ValueError(f"AblationConfig.detectors must be known by the token's own step; {name} is only from later queries.")
        registries: dict[str, Iterable[str]] = {"policies": POLICIES, "mixes": MIXES}
        registries |= {"timings": CHOICES["timing"], "ropes": CHOICES["rope"]}
        for name, choices in registries.items():
            self._check_names(name, getattr(self, name), tuple(choices))

    def _check_names(self, name: str, given: tuple[str, ...], choices: tuple[str, ...]) -> None:
        if bad := [value for value in given if value not in choices]:
            raise ValueError(f"AblationConfig.{name} must be of {', '.join(choices)}; got {bad[0]!r}.")

    @property
    def lists(self) -> dict[str, tuple[Any, ...]]:
        """The lists to cross, by axis; empty where none was given."""
        given = {axis: getattr(self, axis) for axis in AXES}
        return given if any(given.values()) else {}
