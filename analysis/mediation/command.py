"""From options to files: mediation.nc (means by image), mediation.json (results), the figure, the paragraph, the closing lines."""

import json
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from analysis.mediation.config import MediationConfig
from analysis.mediation.effects import EFFECTS, results
from analysis.mediation.names import WORLDS
from analysis.mediation.outcomes import OUTCOMES
from analysis.question.command import QuestionOutcome, run_question
from analysis.question.images import shown
from analysis.question.question import Question, by_name, compressed, made_by
from analysis.stats.rows import as_json as results_json
from probes.command.cli import Notice
from probes.command.provenance import git_commit
from probes.command.strict_json import as_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE = "mediation"
QUESTION = Question(FIGURE, kept=("subject", "level", "seed"), encoding=compressed)
NOTE = (
    "Points: mean over images of the change of an image's mean over its steps; bars: {level:.4g} % cluster BCa interval over images. "
    "Filled: corrected p < 0.05, sign flip over images\n(panel a, KVSmooth, first three lines: Holm over the three; all others: max-T "
    "within the arm). Text: the baseline's own captions, forced upon every world; words said are selected on it."
)
CONTROLS_NOTE = (
    "Changes from no smoothing as in the figure of the parts, at the same places of the same captions, under KVSmooth and its controls.\n"
    "Bars: {level:.4g} % cluster BCa interval over images. Filled: corrected p < 0.05, sign flip over images, Holm over KVSmooth's\n"
    "three of the first row, else max-T within the arm."
)
STATED = (
    "captions are the baseline's own: log-probabilities of the objects named are selected on the baseline, and any change of the model "
    "lowers them (regression to the mean); compare with the control arms, and read margin, present and absent first",
    "an object is represented by the first token of its name; tokens that begin the names of several objects are left out",
    "worlds with replaced rows or clamped mass apply the very rates of the smoothed run",
    "with all rows replaced, smoothed keys have no effect of their own: the direct effect is that of contents (values)",
)


def perform(config: MediationConfig) -> None:
    """Patch what is missing, compare, draw, tell."""
    run_question(QUESTION, config, measure, results_text, figures, words, about)


def measure(config: MediationConfig) -> xr.Dataset:
    """Per-image means of every outcome in every world."""

    from analysis.mediation.batches import batches

    seen = shown(config, config.annotations)
    subject, _ = config.subject_and_items(seen.items)
    parts = list(batches(subject, config, seen))
    made = Counter(part.attrs["git_commit"] for part in parts)
    if older := sum(count for commit, count in made.items() if commit != git_commit()):
        warnings.warn(
            f"{older} batches in {config.store} are of another commit of the code and were reused; remove the folder to patch them anew.",
            Notice,
            stacklevel=2,
        )
    whole = xr.concat([part.drop_attrs() for part in parts], "image", data_vars="minimal", coords="minimal", compat="equals", join="exact")
    about = made_by(config) | {"model_revision": subject.revision, "batch_commits": sorted(made)}
    return whole.assign_attrs(analysis=as_json(about))


def results_text(reduced: xr.Dataset, config: MediationConfig, checksum: str) -> str:
    """The results file."""
    rows = results(reduced, seed=config.seed, level=config.level)
    counts = reduced["count"].sum("image")
    sums = {
        "images": reduced.sizes["image"],
        "tokens": int(reduced["tokens"].sum()),
        "mentions": int(reduced["mentions"].sum()),
        "mentions whose first token is not in the vocabulary": int(reduced["unknown"].sum()),
        "steps": {name: int(counts.sel(outcome=name)) for name in OUTCOMES},
        "images without a value": {name: int((reduced["count"].sel(outcome=name) == 0).sum()) for name in OUTCOMES},
        "mean rate": {arm: float(reduced["rate"].sel(arm=arm).mean()) for arm in reduced["arm"].values},
        "attention calls replaced in an image's batch, fewest": int(reduced["replaced_calls"].min()),
    }
    origin = json.loads(reduced.attrs["analysis"])
    return results_json(rows, {**origin, QUESTION.checksum: checksum}, counts=sums, worlds=WORLDS, outcomes=OUTCOMES, stated=list(STATED))


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.mediation.figure import controls, decomposition

    drawn = {FIGURE: (decomposition(answer.rows, answer.found["counts"]), NOTE.format(level=100 * answer.config.level))}
    if len(answer.reduced["arm"]) > 2:
        drawn[f"{FIGURE}_controls"] = (controls(answer.rows), CONTROLS_NOTE.format(level=100 * answer.config.level))
    return drawn


def about(answer: QuestionOutcome) -> dict[str, Any]:
    """The origin that stands in and under the figure."""
    origin = answer.found["provenance"]
    told = {"git_commit": origin["git_commit"], "model_id": answer.config.subject, "model_revision": origin["model_revision"]}
    return told | {"n": answer.reduced.sizes["image"], "seed": origin.get("seed", 0)}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.mediation.findings import paragraph

    return paragraph(answer.rows, answer.found), summary(answer.found)


def summary(found: Mapping[str, Any]) -> str:
    """Effects on the primary outcome, and what was counted."""
    rows, counts = by_name(found["results"]), found["counts"]
    lines = [f"{counts['images']} images, {counts['mentions']} mentions; change of the margin (nat, {OUTCOMES['margin']}):"]
    for arm, rate in counts["mean rate"].items():
        lines.append(f"  {arm} (mean rate {rate:.3f})")
        for effect in EFFECTS:
            row = rows[f"{arm}/margin/{effect}"]
            low, high = row["interval"]
            lines.append(f"    {effect:12} {row['estimate']:+.4f} [{low:+.4f}, {high:+.4f}], corrected p {row['p_adjusted']:.2g}")
    return "\n".join(lines)
