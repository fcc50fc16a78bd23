"""What a simulation is: samples whose truth is known, claims about how often a statistic is right on them, and shares that were found."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

KINDS = {"level": (0.03, 0.07), "coverage": (0.92, 0.97), "conservative": (0.0, 0.055), "fails": (0.10, 1.0), "power": (0.0, 1.0)}
"""Band of the share that a claim of each kind allows, unless it names its own."""
_CERTAINTY = 0.99


@dataclass(frozen=True)
class Claim:
    """How often a statistic should be found right (or a naive one wrong) in a simulation.

    Attributes
    ----------
    statistic : the function in question, such as "trend.two_stage (tau)"
    kind : "level" (a true null rejected at 5 %), "coverage" (95 % limits that hold the truth), "conservative" (a level that only must
        not exceed 5 %), "fails" (a method we do not use, shown to reject or miss too often) or "power"
    band : share allowed; that of the kind if None
    """

    statistic: str
    kind: str
    band: tuple[float, float] | None = None

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"Claim.kind must be one of {', '.join(KINDS)}; got {self.kind!r}.")

    @property
    def allowed(self) -> tuple[float, float]:
        return KINDS[self.kind] if self.band is None else self.band


@dataclass(frozen=True)
class Simulation:
    """Samples of one design and the claims that they test.

    Attributes
    ----------
    name : unique; the random numbers follow from it and the seed, so that no simulation hangs on another
    design : the samples in words
    claims : one for each outcome of `replicate`
    replicate : generator -> whether each claim's event (rejection, coverage) happened in one sample
    replications : samples that the command draws
    """

    name: str
    design: str
    claims: tuple[Claim, ...]
    replicate: Callable[[np.random.Generator], Sequence[bool]]
    replications: int


@dataclass(frozen=True)
class Found:
    """How often a claim's event happened: `hits` of `replications` samples."""

    claim: Claim
    design: str
    hits: int
    replications: int

    @property
    def share(self) -> float:
        return self.hits / self.replications

    def limits(self, level: float = 0.95) -> tuple[float, float]:
        """Wilson's limits: the error of the simulation itself."""
        found = binomtest(self.hits, self.replications).proportion_ci(level, method="wilson")
        return float(found.low), float(found.high)

    @property
    def holds(self) -> bool:
        """Whether the share, give or take the simulation's own error (99 %), lies in the band that the claim allows."""
        low, high = self.limits(_CERTAINTY)
        return low <= self.claim.allowed[1] and high >= self.claim.allowed[0]


def run(
    simulation: Simulation, replications: int | None = None, *, seed: int = 0, tick: Callable[[], object] = lambda: None
) -> tuple[Found, ...]:
    """Draw the samples and count, one result a claim; `tick` is called after each sample.

    Raises
    ------
    ValueError : no replication, or outcomes that are not one a claim
    """
    replications = simulation.replications if replications is None else replications
    if replications < 1:
        raise ValueError(f"run.replications must be positive; got {replications}.")
    hits = np.zeros(len(simulation.claims), dtype=int)
    for stream in np.random.SeedSequence([seed, zlib.crc32(simulation.name.encode())]).spawn(replications):
        outcomes = np.asarray(simulation.replicate(np.random.default_rng(stream)), dtype=bool)
        if outcomes.shape != hits.shape:
            raise ValueError(f"Simulation.replicate of {simulation.name!r} must give {len(hits)} outcomes; got {outcomes.size}.")
        hits += outcomes
        tick()
    return tuple(Found(claim, simulation.design, int(count), replications) for claim, count in zip(simulation.claims, hits, strict=True))


def seed_of(rng: np.random.Generator) -> int:
    """A fresh seed for the statistic's own resamples, so that samples do not share them."""
    return int(rng.integers(2**31))
