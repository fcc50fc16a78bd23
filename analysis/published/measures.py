"""What logs are compared by: ratios of sums of `COLUMNS`, and of what two logs of the same images have at equal lengths."""

import numpy as np
from jaxtyping import Bool, Float

from analysis.captions.caption_measure import CaptionMeasure, of_counts
from analysis.captions.shares import THIRDS
from analysis.metrics.text_quality import TEXT_MEASURES, TEXT_RATIOS
from analysis.published.counts import COLUMNS, PLACES, Spoken

MATCHED = ("common_mentions", "absent_of_common", "absent_within")
"""Mentions that both captions of an image have; absent ones among a caption's first so many; whether one is named within the words that
both captions have."""
PAIRED = (*COLUMNS, *MATCHED)

MEASURES = {
    "chair_s": of_counts("CHAIR_s", "1", "hallucinating", "captions"),
    "chair_i": of_counts("CHAIR_i", "1", "hallucinated", "mentions"),
    "recall": of_counts("recall", "1", "recalled", "truth"),
    "precision": of_counts("precision", "1", "recalled", "objects"),
    # 2PR / (P + R) with P = recalled / objects and R = recalled / truth
    "f1": CaptionMeasure("F1", "1", {"recalled": 2.0}, {"objects": 1.0, "truth": 1.0}),
    "length": of_counts("words", "words", "length", "captions"),
    "mentions": of_counts("mentions", "1 a caption", "mentions", "captions"),
    "objects": of_counts("objects named", "1 a caption", "objects", "captions"),
    "hazard": of_counts("hazard of the first hallucination", "1 a mention", "hallucinating", "at_risk"),
    **{f"hallucinated_{part}": of_counts(f"CHAIR_i, {part} third", "1", f"hallucinated_{part}", f"mentions_{part}") for part in THIRDS},
    **{name: of_counts(TEXT_MEASURES[name].title, "1", above, below) for name, (above, below, _) in TEXT_RATIOS.items()},
}
MATCHED_MEASURES = {
    "matched_mentions": of_counts("CHAIR_i at matched mentions", "1", "absent_of_common", "common_mentions"),
    "matched_length": of_counts("CHAIR_s at matched words", "1", "absent_within", "captions"),
}
CHANGES = MEASURES | MATCHED_MEASURES


def matched(one: Spoken, other: Spoken) -> tuple[Float[np.ndarray, "image 3"], Float[np.ndarray, "image 3"]]:
    """`MATCHED` of two logs of the same images: each caption cut to the mentions, and to the words, that both have."""
    common = np.minimum(*(side.counts[:, COLUMNS.index("mentions")] for side in (one, other)))
    words = np.minimum(*(side.counts[:, COLUMNS.index("length")] for side in (one, other)))
    cut = []
    for side in (one, other):
        absent, word = (side.places[..., PLACES.index(name)] for name in ("absent", "word"))
        first = np.arange(absent.shape[1]) < common[:, None]
        within = (absent == 1) & (word < words[:, None])
        cut.append(np.stack([common, ((absent == 1) & first).sum(1), within.any(1)], axis=1).astype(float))
    return cut[0], cut[1]


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
