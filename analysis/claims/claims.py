"""The paper's claims as rows of the questions' results files, with the sign that each of them says; and the rule of a verdict.

The signs were written down from the paper (KVSmooth, arXiv 2602.04268) before the second subject was looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.question.arms import CONTROL
from analysis.telling.wording import direction, signed, was_tested

VERDICTS = {1: "seen", 0: "not seen", -1: "reversed"}
NO_VERDICT = "not tested"
SMALL = "too small to count"
NOT_TESTABLE = "not testable here"
SMOOTHED = ("kvsmooth - baseline", "kvsmooth - baseline/band", "kvsmooth - none", "kvsmooth/margin/total", "chosen - none")
"""Ends of rows that tell what smoothing changes."""
MOVED = (VERDICTS[1], VERDICTS[-1], SMALL, "rejected")
"""Verdicts of a change that the test finds, beside which a control is asked for."""
BEYOND = {1: "and beyond a constant rate", 0: "and under a constant rate as well", -1: "and more so under a constant rate"}
"""Of what is seen or reversed, beside a constant rate of KVSmooth's mean: by the sign of the difference, in the effect's direction."""


@dataclass(frozen=True)
class PaperClaim:
    """One thing that the paper says, or that its explanation needs.

    Attributes
    ----------
    said : in words
    question : whose results file holds the row
    row : its name
    sign : +1 or -1, on which side of `null` the paper sees it; 0: the paper takes it to lie at `null`
    null : what no effect is
    least : the smallest change that is counted, a share of the value without smoothing; below it the verdict is `SMALL`
    lack : what is said where its question was asked and has no such row
    needs_sinks : it speaks of sinks, which the subject may lack
    beyond : question and row of KVSmooth minus a constant rate of its mean, where one was run
    constant : the row of that constant rate minus none in the same question, where the two were not set against each other
    """

    said: str
    question: str
    row: str
    sign: int
    null: float = 0.0
    least: float = 0.0
    lack: str = "–"
    needs_sinks: bool = False
    beyond: tuple[str, str] = ("", "")
    constant: str = ""

    def beside(self, row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
        """What a constant rate does to the same, where smoothing does what is claimed or the reverse; or that none was run."""
        if not self.row.endswith(SMOOTHED) or self.verdict(row) not in MOVED:
            return ""
        question, name = self.beyond
        if was_tested(other := rows.get(question, {}).get(name)):
            return f", {BEYOND[direction(other) * direction(row, self.null)]}"
        if was_tested(other := rows[self.question].get(self.constant)):
            alike = direction(other) == direction(row, self.null)
            return f", and {'' if alike else 'not '}under a constant rate ({signed(other['estimate'])})"
        return ", with no control beside it"

    def verdict(self, row: Mapping[str, Any] | None) -> str:
        """By the corrected test: seen, not seen (no difference for certain), or reversed; of sign 0, "rejected" or "not rejected"."""
        if not was_tested(row):
            return NO_VERDICT
        way = direction(row, self.null)
        if way and abs(row["estimate"]) < self.least * abs(row["effect"].get(CONTROL, 0.0)):
            return SMALL
        if self.sign == 0:
            return "rejected" if way else "not rejected"
        return VERDICTS[way * self.sign]


HALF = 0.5
"""Centre of the ladder that has a folder of its own; it was run after the curve of doses had been seen."""
AFTER = f", round a centre of {HALF:g} (run later: ablation.md)"
PARTS: dict[str, tuple[PaperClaim, ...]] = {
    "What the paper observes": (
        PaperClaim("logits of objects that are there fall over the caption", "logits", "replay/logit/present/baseline", -1),
        PaperClaim("logits of hallucinated objects rise", "logits", "replay/logit/hallucinated/baseline", 1),
        PaperClaim(
            "a token with diffuse attention is attended to later (column sums, Spearman)",
            "sinks",
            "observation 2/column_sum/spearman/observed",
            1,
            needs_sinks=True,
        ),
        PaperClaim(
            "the same, with the first token left out of the entropy",
            "sinks",
            "observation 2 without the first token/column_sum/spearman/observed",
            1,
            needs_sinks=True,
        ),
        PaperClaim(
            "hallucinated objects are more probable where row entropy is high (rank, position taken out)",
            "coupling",
            "free/adjusted/hallucinated/baseline/band",
            -1,
        ),
        PaperClaim("present objects are less probable there", "coupling", "free/adjusted/present/baseline/band", 1),
        PaperClaim(
            "row entropy is higher where a hallucinated mention follows (AUROC)", "onset", "auroc/stratified/entropy/baseline", 1, 0.5
        ),
    ),
    "What its derivation takes for granted": (
        PaperClaim("hidden states walk at random (variance ratio)", "entropy", "walk/variance ratio/free/baseline/lag 8/band", 0, 1.0),
        PaperClaim("row entropy grows with the angle to the mean state", "entropy", "distance/drift_mean/partial/baseline/band", 1),
    ),
    "What smoothing is said to do": (
        PaperClaim(
            "attention keeps to the image as the caption grows, beyond dilution",
            "drift",
            "replay/excess_image/slope/kvsmooth - baseline/band",
            1,
            beyond=("mechanism", "kvsmooth - constant/excess"),
        ),
        PaperClaim(
            "hidden states stay nearer to the image (angle, rad)",
            "drift",
            "replay/drift_image/mean/kvsmooth - baseline/band",
            -1,
            least=0.01,
            beyond=("mechanism", "kvsmooth - constant/angle"),
        ),
        PaperClaim(
            "the odds of present over absent objects rise (nat)",
            "mediation",
            "kvsmooth/margin/total",
            1,
            beyond=("mediation", "kvsmooth - constant/margin/total"),
        ),
        PaperClaim(
            "fewer captions with an absent object (CHAIR_s)",
            "drift",
            "free/chair_s/kvsmooth - baseline",
            -1,
            beyond=("ablation", "kvsmooth - mean/chair_s"),
        ),
        PaperClaim(
            "fewer absent objects among mentions (CHAIR_i)",
            "drift",
            "free/chair_i/kvsmooth - baseline",
            -1,
            beyond=("ablation", "kvsmooth - mean/chair_i"),
        ),
        PaperClaim(
            "the same (CHAIR_i) at a dose chosen on other scenes, which may cost 2 points of recall, on fresh scenes",
            "dose",
            "confirmation/chair_i/chosen - none",
            -1,
            lack="no dose was chosen",
        ),
        PaperClaim(
            "where the sentences are given: fewer of the different objects chosen are absent",
            "form",
            "absent/kvsmooth - none",
            -1,
            constant="absent/constant:rate=0.6 - none",
        ),
        PaperClaim("F1 rises", "drift", "free/f1/kvsmooth - baseline", 1, beyond=("ablation", "kvsmooth - mean/f1")),
        PaperClaim("the first hallucination comes later (tokens without one)", "onset", "survival/restricted mean/kvsmooth - baseline", 1),
    ),
    "Whether entropy does the work": (
        PaperClaim("CHAIR_i is lower than with one constant rate of the same mean", "ablation", "kvsmooth - mean/chair_i", -1),
        PaperClaim("CHAIR_i is lower than with the same rates in another order", "ablation", "kvsmooth - permuted/chair_i", -1),
        PaperClaim("CHAIR_i is lower than where the step alone decides the rate", "ablation", "kvsmooth - position/chair_i", -1),
        PaperClaim("F1 is higher than with the same rates in another order", "ablation", "kvsmooth - permuted/f1", 1),
        PaperClaim(f"CHAIR_i{AFTER}: one constant rate", "ablation_half", "kvsmooth - mean/chair_i", -1),
        PaperClaim(f"CHAIR_i{AFTER}: another order", "ablation_half", "kvsmooth - permuted/chair_i", -1),
        PaperClaim(f"CHAIR_i{AFTER}: the step alone decides", "ablation_half", "kvsmooth - position/chair_i", -1),
    ),
    "What the paper does not speak of": (
        PaperClaim("a constant rate leaves them as they are, where the sentences are given", "form", "absent/constant:rate=0.6 - none", 0),
        PaperClaim(
            "captions loop as often as before",
            "drift",
            "free/looping/kvsmooth - baseline",
            0,
            beyond=("ablation", "kvsmooth - mean/looping"),
        ),
        PaperClaim(
            "captions are as long as before (words)",
            "drift",
            "free/length/kvsmooth - baseline",
            0,
            beyond=("ablation", "kvsmooth - mean/length"),
        ),
    ),
}
"""By heading."""
