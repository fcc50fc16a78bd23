"""What the signs of corrected tests say of a subject: beyond omission or not, and which controls do as KVSmooth does."""

from collections.abc import Sequence

from analysis.cells.config import CellsConfig
from analysis.cells.names import BASELINE, PAPER
from analysis.dose.findings import NONE
from analysis.mechanism.findings import counts, has_signature
from analysis.mechanism.measures import MEASURES, SIGNATURE
from analysis.published.verdict import BETTER, NOT_LOWERING, is_better
from analysis.story.results import RealLog, SubjectResults
from analysis.telling.wording import direction, listed
from kvsmooth.presets import PRESETS, Preset

SIZES = "the subjects here have 3 and 135 million"
"""Parameters; the subjects' cards tell them (docs/subject.md, docs/subjects/smollm2.md)."""


def judged(logs: Sequence[RealLog]) -> tuple[list[RealLog], list[RealLog], list[RealLog]]:
    """Logs of methods that were compared with a greedy one; of these, those that lower CHAIR; of these, those that see better alone."""
    compared = [log for log in logs if log.verdict]
    lower = [log for log in compared if log.verdict not in NOT_LOWERING]
    return compared, lower, [log for log in lower if log.verdict == BETTER]


def kinds(compared: Sequence[RealLog]) -> str:
    """Of what logs are: of methods, of beam search, of a model that was trained anew."""
    told = {"of beam search": "beam", "of a model trained anew": "trained"}
    many = {words: sum(log.method.startswith(word) for log in compared) for words, word in told.items()}
    return listed([f"{number} {words}" for words, number in {"of methods": len(compared) - sum(many.values()), **many}.items() if number])


def published_for(subject: SubjectResults) -> str:
    """In brackets, for which model the dose was published; "" if for none."""
    models = [_model(preset) for preset in PRESETS.values() if preset.options["lambda_ref"] == subject.origin["config"]["lambda_ref"]]
    default = ", the default here" if subject.origin["config"]["lambda_ref"] == CellsConfig.lambda_ref else ""
    return f" (published for {listed(models)}{default})" if models else ""


def others_published(subject: SubjectResults) -> dict[float, str]:
    """Other doses that were published, and for which model; of those that were tried on validation scenes."""
    found = {float(preset.options["lambda_ref"]): _model(preset) for preset in PRESETS.values()}
    own = subject.origin["config"]["lambda_ref"]
    return {dose: model for dose, model in sorted(found.items()) if dose != own and f"validation/chair_s/{dose:g}" in subject.dose}


def _model(preset: Preset) -> str:
    return preset.source.rpartition("; ")[2]


def is_beyond_omission(subject: SubjectResults, arm: str) -> bool:
    """Whether an arm of the dose question lies below every omission line in CHAIR_s, by its corrected test."""
    return direction(subject.dose.get(f"{arm}/beyond every line/chair_s")) < 0


def controls_of(subject: SubjectResults) -> list[str]:
    """Controls where the sentences are given: every arm but KVSmooth at any dose."""
    treated = [row["where"]["treated"] for name, row in subject.form.items() if name.startswith("absent/") and "treated" in row["where"]]
    return [arm for arm in treated if arm != PAPER and not arm.startswith(f"{PAPER}:lambda_ref")]


def form_beyond(subject: SubjectResults, arm: str = PAPER) -> bool:
    """Whether an arm's choice of objects lies beyond every omission line, where the sentences are given."""
    return f"{arm}/beyond every line/precision" in subject.form and is_better(subject.form, arm)


def form_alike(subject: SubjectResults) -> list[str]:
    """Those of the controls that change the share of absent objects as KVSmooth does."""
    way = direction(subject.form[f"absent/{PAPER} - {NONE}"])
    return [arm for arm in controls_of(subject) if direction(subject.form[f"absent/{arm} - {NONE}"]) == way]


def part_of_signature(subject: SubjectResults) -> str:
    """Of a subject on which KVSmooth lacks the signature: which part of it is there, and whether the other is too small to count."""
    rows = {name: subject.mechanism[f"{PAPER} - {BASELINE}/{name}"] for name in SIGNATURE}
    there = [counts(row, MEASURES[name]) for name, row in rows.items()]
    if not any(there):
        return "neither"
    (lost,) = (name for name, held in zip(rows, there, strict=True) if not held)
    small = direction(rows[lost]) == MEASURES[lost].sign
    why = f", as the other moves by less than {100 * MEASURES[lost].least:g} %" if small else ""
    return f"the {'first' if there[0] else 'second'} alone{why}"


def with_signature(subject: SubjectResults) -> list[str]:
    """Controls that keep attention on the image and hidden states near it."""
    arms = [row["where"]["arm"] for name, row in subject.mechanism.items() if name.endswith("/entropy") and "arm" in row["where"]]
    return [arm for arm in arms if arm not in (BASELINE, PAPER) and has_signature(subject.mechanism, arm)]
