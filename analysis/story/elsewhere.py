"""What becomes of the published dose elsewhere: other values that were published, and the same subject from another training."""

from collections.abc import Sequence

from analysis.story.results import Rows, SubjectResults
from analysis.story.signs import others_published
from analysis.telling.wording import listed

LAST = "last"
"""The point of a training that is the subject as it ships."""


def others(subjects: Sequence[SubjectResults]) -> list[str]:
    """Other published doses, on the validation scenes; nothing where none was tried."""
    parts = []
    for subject in subjects:
        for dose, model in others_published(subject).items():
            chair = " against ".join(percent(subject.dose, f"validation/chair_s/{at}") for at in (f"{dose:g}", "0"))
            loops = percent(subject.dose, f"validation/looping/{dose:g}")
            parts.append(f"{dose:g} ({model}) on {subject.name}: CHAIR_s {chair} without smoothing, {loops} loop")
    return [f"**Other published values**, on validation scenes: {'; '.join(parts)}."] if parts else []


def anew(subjects: Sequence[SubjectResults]) -> list[str]:
    """The same dose on a subject of another training; nothing where there is none."""
    parts = []
    for subject in subjects:
        dose, rows = f"{subject.origin['config']['lambda_ref']:g}", subject.anew
        for point in dict.fromkeys(row["where"]["point"] for row in rows.values() if row["where"]["point"] != LAST):
            told = [
                f"{words} {percent(rows, f'{point}/{name}/{dose}')} against {percent(rows, f'{point}/{name}/0')}"
                for name, words in (("chair_s", "CHAIR_s"), ("recall", "recall"), ("looping", "looping captions"))
            ]
            parts.append(f"of a subject made like {subject.name}, of another seed and without short lists, at {dose}: {listed(told)}")
    return [f"**Trained anew**: {'; '.join(parts)}."] if parts else []


def percent(rows: Rows, name: str) -> str:
    """A share in percent."""
    return f"{100 * rows[name]['estimate']:.1f} %"
