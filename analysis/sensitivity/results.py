"""Finished cells -> rows: how far each option moves the outcomes, whether in one direction, and whether by more than its dose.

Primary outcomes, named before any result: the range over settings of CHAIR_i and of F1, for each option; their tests of flatness are
corrected by Holm over options and measures. All else is exploratory or, for levels, descriptive.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from analysis.ablation.compare import contrasts, length_matched, levels
from analysis.ablation.dose import above_curve, constants, trend
from analysis.cells.arms import Arms, Pair, bootstrapped
from analysis.cells.measures import MEASURES
from analysis.cells.names import BASELINE, PAPER
from analysis.sensitivity.grid import Grid, without_default
from analysis.sensitivity.names import ORDERED, OUTCOMES, PRIMARY
from analysis.sensitivity.simultaneous import flatness, range_of, together
from analysis.stats.bootstrap import BATCH, RESAMPLES
from analysis.stats.equivalence import equivalence
from analysis.stats.multiplicity import adjust
from analysis.stats.paired import DRAWS
from analysis.stats.rows import Row

FLAT = f"turning of the settings within images, range over settings, {DRAWS:,} draws"
AGAINST_CURVE = "bootstrap of the largest studentised deviation over the option's settings"
TOST = "two one-sided tests by the cluster bootstrap"
_ORDER = list(MEASURES)


@dataclass(frozen=True)
class Swept:
    """The cells of a grid, with one cluster bootstrap of all their measures.

    Parameters
    ----------
    arms : finished cells
    grid : settings by option, of finished cells only
    decoder : layers that the subject's decoder has
    """

    arms: Arms
    grid: Grid
    decoder: int
    level: float
    seed: int

    @cached_property
    def values(self) -> Float[np.ndarray, "cell measure"]:
        """Every measure of every cell."""
        return self.arms.values(np.arange(self.arms.images))

    @cached_property
    def draws(self) -> Float[np.ndarray, "draw cell measure"]:
        """The same on resampled images."""
        rng = np.random.default_rng(self.seed)
        sizes = [min(BATCH, RESAMPLES - start) for start in range(0, RESAMPLES, BATCH)]
        return np.concatenate([self.arms.values(rng.integers(0, self.arms.images, (size, self.arms.images))) for size in sizes])

    def places(self, option: str) -> list[int]:
        """Where the option's settings stand among the cells."""
        return [self.arms.index(one["cell"]) for one in self.grid[option]]

    def part(self, option: str) -> dict[str, float]:
        """By cell, the share of the decoder's layers that is smoothed, where settings differ in that; else nothing."""
        if option != "layers":
            return {}
        band = next(one["layers"] for one in self.grid[option] if one["cell"] == PAPER)
        return dict.fromkeys(constants(self.arms), band / self.decoder) | {
            one["cell"]: one["layers"] / self.decoder for one in self.grid[option]
        }


def results(swept: Swept, margins: Mapping[str, float]) -> list[Row]:
    """All rows; `margins` are the differences of CHAIR_i and F1 that do not matter."""
    arms = swept.arms
    against = [Pair(one["cell"], BASELINE, option) for option, settings in swept.grid.items() for one in without_default(settings)]
    against.append(Pair(PAPER, BASELINE, "default"))
    blocks = [levels(arms), contrasts(arms, against, margins["f1"], swept.seed, primary=())]
    for option, unit in ORDERED.items():
        if len(swept.grid[option]) >= 3:
            names, doses = ([one[part] for one in swept.grid[option]] for part in ("cell", "value"))
            blocks.append(trend(arms, names, doses, swept.seed, option, unit))
    rows = bootstrapped(arms, blocks, level=swept.level, seed=swept.seed)
    rows += length_matched(arms, against, swept.level, swept.seed)
    return rows + ranges(swept) + off_curve(swept) + same_as_default(swept, margins)


def ranges(swept: Swept) -> list[Row]:
    """How far each outcome moves over an option's settings, and the test that it does not."""
    found: list[Row] = []
    tests: dict[tuple[str, str], float] = {}
    options = [option for option, settings in swept.grid.items() if len(settings) > 1]
    for option in options:
        at, measures = swept.places(option), [_ORDER.index(name) for name in OUTCOMES]
        p = flatness(swept.arms.above[at][..., measures], swept.arms.below[at][..., measures], seed=swept.seed)
        tests |= {(option, name): value for name, value in zip(OUTCOMES, p, strict=True)}
    corrected = dict(tests)
    for names in (PRIMARY, [name for name in OUTCOMES if name not in PRIMARY]):
        family = [(option, name) for option in options for name in names]
        corrected |= dict(zip(family, adjust(np.array([tests[key] for key in family]), "holm"), strict=True))
    for option, name in tests:
        together_with = [one for one in OUTCOMES if (one in PRIMARY) == (name in PRIMARY)]
        at, measure = swept.places(option), _ORDER.index(name)
        level = swept.values[at, measure]
        estimate, low, high = range_of(level, swept.draws[:, at, measure], swept.level)
        settings = swept.grid[option]
        found.append(
            Row(
                name=f"{option}/range/{name}",
                estimate=estimate,
                unit=MEASURES[name].unit,
                n=swept.arms.images,
                interval=(low, high),
                test=FLAT,
                p=tests[option, name],
                p_adjusted=corrected[option, name],
                adjustment=f"Holm over {len(options)} options and {len(together_with)} measures",
                effect={"settings": float(len(settings))},
                role="primary" if name in PRIMARY else "exploratory",
                where={
                    "option": option,
                    "measure": name,
                    "lowest": str(settings[int(level.argmin())]["value"]),
                    "highest": str(settings[int(level.argmax())]["value"]),
                },
                reason="" if np.isfinite(low) else "no variation between images",
            )
        )
    return found


def off_curve(swept: Swept) -> list[Row]:
    """Each setting minus the constant rate of the same amount, with limits that hold for all settings of an option at once.

    The amount is the mean rate over smoothed layers, and for the option of layers the mean over all layers of the decoder, 0 where a
    layer is not smoothed. A setting with more of it than the largest constant has no counterpart.
    """
    arms, found, curve = swept.arms, [], constants(swept.arms)
    if len(curve) < 3:
        return []
    at, rate = [_ORDER.index(name) for name in OUTCOMES], _ORDER.index("rate")
    for option, settings in swept.grid.items():
        part, names = swept.part(option), [one["cell"] for one in settings]
        change = above_curve(arms, curve, names, part)
        estimate, draws = change(swept.values)[:, at], change(swept.draws)[..., at]
        amounts = [float(swept.values[arms.index(name), rate]) * part.get(name, 1.0) for name in names]
        most = max(float(swept.values[arms.index(name), rate]) * part.get(name, 1.0) for name in curve)
        within = [amount <= most for amount in amounts]
        for j, measure in enumerate(OUTCOMES):
            shown = np.where(within, estimate[:, j], np.nan)
            told = together(shown, draws[..., j], swept.level)
            for i, (one, amount) in enumerate(zip(settings, amounts, strict=True)):
                tested = np.isfinite(told.p[i])
                found.append(
                    Row(
                        name=f"{option}/{one['value']}/off the curve/{measure}",
                        estimate=float(shown[i]),
                        unit=MEASURES[measure].unit,
                        n=arms.images,
                        interval=(float(told.low[i]), float(told.high[i])),
                        test=AGAINST_CURVE,
                        p_adjusted=float(told.p[i]),
                        adjustment=f"max-T over {int(np.isfinite(told.p).sum())} settings of {option}",
                        effect={"amount": amount},
                        where={"option": option, "setting": str(one["value"]), "cell": one["cell"], "measure": measure},
                        reason="" if tested else "no variation" if within[i] else "more smoothing than the largest constant rate",
                    )
                )
    return found


def same_as_default(swept: Swept, margins: Mapping[str, float]) -> list[Row]:
    """Each setting minus the default, and whether that lies within a margin named in advance.

    An option is the same as its default throughout where all of its settings are: the rule that all must hold needs no correction.
    """
    arms, found = swept.arms, []
    pairs = [(option, one) for option, settings in swept.grid.items() for one in without_default(settings)]
    cells, paper = [arms.index(one["cell"]) for _, one in pairs], arms.index(PAPER)
    for measure, margin in margins.items() if pairs else ():
        at = _ORDER.index(measure)

        def change(drawn, at=at):
            values = arms.values(drawn)[..., at]
            return np.moveaxis(values[..., cells] - values[..., [paper]], -1, 0)

        same = equivalence(change, arms.images, margin, seed=swept.seed)
        for i, (option, one) in enumerate(pairs):
            found.append(
                Row(
                    name=f"{option}/{one['value']}/minus the default/{measure}",
                    estimate=same.estimate[i],
                    unit=MEASURES[measure].unit,
                    n=arms.images,
                    interval=(same.low[i], same.high[i]),
                    test=f"{TOST}, margin {margin:g}; the interval is of 90 %",
                    p=same.p[i],
                    effect={"margin": margin, "equivalent": float(same.equivalent[i])},
                    where={"option": option, "setting": str(one["value"]), "cell": one["cell"], "measure": measure},
                    reason=same.reason[i],
                )
            )
    return found
