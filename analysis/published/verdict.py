"""The verdict on a method, by a rule that was written before any distance or position of these logs was computed.

The scores of all logs, a few captions, and a first count of repeated 4-grams in some of the logs were known.

A method lowers CHAIR if CHAIR_s or CHAIR_i falls by its corrected test and the other does not rise. Then three parts are asked for:

* it sees better, if at its own recall it lies beyond every omission line that does not know the single mention (`analysis.omission.rules`),
  in CHAIR_s or in precision by the corrected test, and in the other by its estimate;
* it says less, if recall falls by its corrected test;
* it repeats, if the share of repeated 4-grams or of looping captions rises by its corrected test, and by `MATERIAL` or more.

A method raises CHAIR if CHAIR_s or CHAIR_i rises by its corrected test and the other does not fall. (This was told apart from not lowering
it when the verdicts were known; it changes none that lowers.)

One part alone is the verdict; several are a mixture, whose shares are those of the fall of CHAIR_i: what precision at equal recall gives
(better), what the line gives (less), and what remains, which is mentions that repeat objects (repeats).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.telling.wording import Rows, direction

MATERIAL = 0.02
"""How much repetition must rise to be called so; shares of 4-grams, of captions."""
BETTER, LESS, REPEATS = PARTS = ("sees better", "says less", "repeats")
MIXTURE, UNTOLD, NOT_LOWER, RAISES = "mixture", "lowers CHAIR, by what is not told apart", "does not lower CHAIR", "raises CHAIR"
NOT_LOWERING = (NOT_LOWER, RAISES)


@dataclass(frozen=True)
class Verdict:
    """What is said of a method.

    Attributes
    ----------
    kind : one of `PARTS`, `MIXTURE`, `UNTOLD`, `NOT_LOWER`, `RAISES`
    parts : of `PARTS`, those that are there
    shares : of the fall of CHAIR_i, by part, those that lower it; they sum to 1, and are empty where CHAIR_i does not fall
    """

    kind: str
    parts: tuple[str, ...]
    shares: dict[str, float]

    @property
    def words(self) -> str:
        """In a few words."""
        if self.kind != MIXTURE:
            return self.kind
        told = [f"{part} {100 * self.shares[part]:.0f} %" if part in self.shares else part for part in self.parts]
        return f"{MIXTURE}: {', '.join(told)}"


def verdict(rows: Rows, arm: str, baseline: str) -> Verdict:
    """The verdict on an arm, from the rows of the results file."""
    change = {name: rows[f"{arm} - {baseline}/{name}"] for name in ("chair_s", "chair_i", "recall", "repeated_4grams", "looping")}
    parts = [
        part for part, there in zip(PARTS, (is_better(rows, arm), direction(change["recall"]) < 0, _repeats(change)), strict=True) if there
    ]
    moved = {direction(change["chair_s"]), direction(change["chair_i"])} - {0}
    kind = RAISES if moved == {1} else NOT_LOWER if moved != {-1} else UNTOLD if not parts else parts[0] if len(parts) == 1 else MIXTURE
    return Verdict(kind, tuple(parts), _shares([rows[f"{arm} - {baseline}/{part}/chair_i"]["estimate"] for part in PARTS]))


def is_better(rows: Rows, arm: str) -> bool:
    """Whether an arm lies beyond every omission line: it sees better than saying less would let it."""
    apart = {name: rows[f"{arm}/beyond every line/{name}"] for name in ("chair_s", "precision")}
    way = {"chair_s": -1, "precision": 1}
    return any(direction(apart[name]) == way[name] for name in way) and all(apart[name]["estimate"] * way[name] > 0 for name in way)


def _repeats(change: Rows) -> bool:
    return any(direction(change[name]) > 0 and change[name]["estimate"] >= MATERIAL for name in ("repeated_4grams", "looping"))


def _shares(parts: Sequence[float]) -> dict[str, float]:
    fallen = {part: -value for part, value in zip(PARTS, parts, strict=True) if value < 0}
    total = sum(fallen.values())
    return {part: value / total for part, value in fallen.items()} if sum(parts) < 0 else {}
