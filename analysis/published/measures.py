"""What logs are compared by: ratios of sums of `COLUMNS`, and of what two logs of the same images have at equal lengths."""

import numpy as np
from jaxtyping import Bool, Float

from analysis.captions.caption_measure import TEXT, common, of_counts
from analysis.captions.equal_lengths import Said, equal_lengths
from analysis.captions.shares import THIRDS
from analysis.published.counts import COLUMNS, PLACES, Spoken

MATCHED = ("common_mentions", "absent_of_common", "absent_within")
"""Mentions that both captions of an image have; absent ones among a caption's first so many; whether one is named within the words that
both captions have."""
PAIRED = (*COLUMNS, *MATCHED)

MEASURES = {
    **common("chair_s", "chair_i", "recall", "precision", "f1"),
    "length": of_counts("words", "words", "length", "captions"),
    **common("mentions", "objects", "hazard"),
    **{f"hallucinated_{part}": of_counts(f"CHAIR_i, {part} third", "1", f"hallucinated_{part}", f"mentions_{part}") for part in THIRDS},
    **TEXT,
}
MATCHED_MEASURES = {
    "matched_mentions": of_counts("CHAIR_i at matched mentions", "1", "absent_of_common", "common_mentions"),
    "matched_length": of_counts("CHAIR_s at matched words", "1", "absent_within", "captions"),
}
CHANGES = MEASURES | MATCHED_MEASURES


def matched(one: Spoken, other: Spoken) -> tuple[Float[np.ndarray, "image 3"], Float[np.ndarray, "image 3"]]:
    """`MATCHED` of two logs of the same images: each caption cut to the mentions, and to the words, that both have."""

    def said(log: Spoken) -> Said:
        counts = (log.counts[:, COLUMNS.index(name)] for name in ("mentions", "length"))
        return Said(*counts, *(log.places[..., PLACES.index(name)] for name in ("absent", "word")))

    both, *cut = equal_lengths(said(one), said(other))
    left, right = (np.stack([both, side.absent, side.within], axis=1) for side in cut)
    return left, right


def named(log: Spoken, objects: int) -> tuple[Bool[np.ndarray, "image object"], Bool[np.ndarray, "image object"]]:
    """Which objects each caption names: those that are there, and those that are not."""
    number, absent = (log.places[..., PLACES.index(name)] for name in ("object", "absent"))
    row = np.broadcast_to(np.arange(len(number))[:, None], number.shape)
    found = []
    for wanted in (0, 1):
        held = np.zeros((len(number), objects), dtype=bool)
        held[row[absent == wanted], number[absent == wanted]] = True
        found.append(held)
    return found[0], found[1]
