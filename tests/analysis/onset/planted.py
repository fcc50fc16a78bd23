"""Recordings with mentions whose truth is planted: a confound by position alone, or a change round hallucinated mentions."""

import numpy as np
import pandas

from tests.analysis.synthetic import recording

WORDS = ("cat", "dog", "cup", "bus", "car", "kite", "bowl", "sheep", "zebra", "horse", "clock", "vase")


def planted(images=80, steps=60, layers=6, seed=0, onset=0.0, position=0.0, rising=True, each=9):
    """A free recording and its mention table.

    `onset` nat are added to the entropy at the six steps up to the one that predicts a hallucinated mention; `position` nat a step to all.
    With `rising`, the chance of a hallucinated mention grows from 0.05 to 0.65 along the caption.
    """
    made = recording(images, steps, layers, heads=2, seed=seed, regime="free", entropy_trend=position)
    draw = np.random.default_rng(seed + 1)
    entropy = made["row_entropy"].values.copy()
    rows = []
    for arm, name in enumerate(made["arm"].values):
        for image in range(images):
            at = np.sort(draw.choice(np.arange(3, steps - 2), each, replace=False))
            for step, word in zip(at, draw.permutation(WORDS), strict=False):
                absent = draw.random() < (0.05 + 0.6 * step / steps if rising else 0.35)
                if absent and onset:
                    entropy[arm, image, max(1, step - 5) : step + 1] += onset
                rows.append((image, str(name), int(step), int(step), 0, 3, str(word), str(word), not absent, 1))
            rows.append((image, str(name), int(steps - 1), int(steps - 1), 0, 3, "cat", "cat", True, 2))
    made["row_entropy"] = (made["row_entropy"].dims, entropy)
    columns = ["image", "arm", "step", "last_step", "start", "end", "word", "object", "present", "repeated"]
    return made, pandas.DataFrame(rows, columns=columns)
