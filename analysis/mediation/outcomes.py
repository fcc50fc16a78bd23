"""The outcomes of one replayed caption: log-probabilities at its object mentions and its sentence ends, as means over the steps."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from analysis.mediation.slots import MentionSlot

# outcome -> (what it is, of which steps)
OUTCOMES = {
    "margin": "present and unnamed over absent objects, log ratio",
    "present": "objects present and not yet named",
    "absent": "absent objects",
    "true": "the object named, where it is present",
    "hallucinated": "the object named, where it is absent",
    "end": "the end of the caption, at sentence ends",
}
UNIT = "nat"

Values = dict[str, list[float]]


def outcomes(
    log_probabilities: Float[np.ndarray, "step token"],
    columns: Mapping[int, int],
    tokens: Sequence[int],
    mentions: Sequence[MentionSlot],
    sentence_ends: Sequence[int],
    ends: Sequence[int],
    vocabulary: Mapping[int, str],
) -> Values:
    """Every value of each outcome, in nat.

    present, absent: log of the summed probability of the tokens that begin such an object's name, at each mention; the margin is their
    difference. At a mention before which all objects of the image were named, present and margin have no value.

    Parameters
    ----------
    columns : column of each token of interest
    tokens : the caption
    mentions : of it; `unmentioned` refers to objects of the image
    sentence_ends : steps at which the end is looked at
    ends : end tokens
    vocabulary : token -> object whose name it begins
    """
    found: Values = {name: [] for name in OUTCOMES}

    def mass(step: int, wanted: Callable[[str], bool]) -> float | None:
        chosen = [columns[token] for token, name in vocabulary.items() if wanted(name)]
        return float(np.logaddexp.reduce(log_probabilities[step, chosen].astype(float))) if chosen else None

    truth = mentions[0].unmentioned if mentions else frozenset()
    for slot in mentions:
        found["hallucinated" if slot.hallucinated else "true"].append(float(log_probabilities[slot.step, columns[tokens[slot.step]]]))
        present, absent = mass(slot.step, slot.unmentioned.__contains__), mass(slot.step, lambda name: name not in truth)
        if absent is not None:
            found["absent"].append(absent)
        if present is not None:
            found["present"].append(present)
        if present is not None and absent is not None:
            found["margin"].append(present - absent)
    for step in sentence_ends if ends else ():
        found["end"].append(float(np.logaddexp.reduce(log_probabilities[step, [columns[end] for end in ends]].astype(float))))
    return found


def means(found: Values) -> tuple[Float[np.ndarray, " outcome"], Float[np.ndarray, " outcome"]]:
    """Mean of each outcome (NaN where it has no value), and how many values it has."""
    counts = np.array([len(found[name]) for name in OUTCOMES], dtype=float)
    return np.array([np.mean(found[name]) if found[name] else np.nan for name in OUTCOMES]), counts
