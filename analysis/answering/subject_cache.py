"""A cache of loaded subjects, so that all methods run in one process share one model."""

from dataclasses import dataclass

from analysis.answering.answering import Answerer, Answering
from probes.subjects import Subject, load_subject


class SubjectCache:
    """Loads a subject when it is first asked for, and gives the same one from then on; pickled, it leaves behind what it has loaded."""

    def __init__(self):
        self._loaded: dict[tuple[str, str, str], Subject] = {}

    def __call__(self, name: str, device: str, dtype: str) -> Subject:
        """The subject, as `load_subject` loads it.

        Raises
        ------
        BadInput : it cannot be loaded, or not placed
        """
        key = (name, device, dtype)
        if key not in self._loaded:
            self._loaded[key] = load_subject(name, device, dtype)
        return self._loaded[key]

    def __reduce__(self):
        return SubjectCache, ()


@dataclass(frozen=True)
class SharedAnswering:
    """An engine's maker whose workers in one process share their subject; in processes of their own each loads it.

    Parameters
    ----------
    answering : how the subject is asked
    kept : shared by all makers of a run
    """

    answering: Answering
    kept: SubjectCache

    def __call__(self) -> Answerer:
        """The worker."""
        return Answerer(self.answering, self.kept(self.answering.subject, self.answering.device, self.answering.dtype))
