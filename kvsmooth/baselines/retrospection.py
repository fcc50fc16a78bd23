"""Where a beam search goes back to: OPERA's retrospection over the places that its beams have leant on."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from kvsmooth.baselines.over_trust import commonest

WINDOW = 512


@dataclass
class Retrospection:
    """What one search remembers of the places its beams leant on, and of what it has given up.

    Parameters
    ----------
    first : places before it are never gone back to
    threshold : how often every beam must have leant on one place before it is gone back to
    candidates : how often one place is gone back to, at most

    Attributes
    ----------
    rejected : by place, (beam, token) pairs that were given up there
    """

    first: int
    threshold: int
    candidates: int
    rejected: defaultdict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    _places: list[list[int]] = field(default_factory=list)
    _times: Counter[int] = field(default_factory=Counter)

    def back_to(self, places: list[int]) -> tuple[int, int] | None:
        """Take the places that the beams lean on at a step; give the place and the step to go back to, or None.

        Beams are told apart by their place in the search, not by their text, as the authors' code does.
        """
        self._places.append(places)
        length, place = len(self._places), commonest(places)
        if (
            length < 2
            or place < self.first
            or any(beam.count(place) <= self.threshold for beam in map(list, zip(*self._places, strict=True)))
        ):
            return None
        back = place + 1
        if back < WINDOW and self._times[back] >= self.candidates:
            back -= 1
        if back >= WINDOW or self._times[back] >= self.candidates:
            return None
        self._times[back] += 1
        if length - back > WINDOW + 1:
            back = max(1, length - WINDOW - 1)
        return back, min(back, length - 2)

    def reject(self, place: int, step: int, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Forget what came after a step, give up what was chosen there; all pairs that have been given up at this place."""
        del self._places[step + 1 :]
        self.rejected[place + 1] = []
        self.rejected[place] += pairs
        return self.rejected[place]
