"""One value an image for a statistic of all images that is no mean: what each image adds to it, for tests that flip signs over images.

Tukey's pseudo-value is n times the statistic less n - 1 times the statistic without the image. Their mean is the jackknife's estimate; of a
mean they are the values themselves, and of a smooth statistic they behave like independent values in large samples. Of a statistic that
jumps (a median, ranks of few images) they say nothing.
"""

import numpy as np
from jaxtyping import Float

from analysis.stats.bootstrap import Statistic

TOGETHER = 2000
"""Images that are left out in one call: of all images at once, the indices of many thousands would fill the memory."""


def pseudo_values(statistic: Statistic, images: int) -> Float[np.ndarray, "image quantity"]:
    """The pseudo-values of each quantity; NaN where the statistic is undefined without one of the images.

    Parameters
    ----------
    statistic : maps indices of images "*resample drawn" to values "quantity *resample", as for `cluster_bca`
    """
    everything = np.arange(images)
    whole = np.asarray(statistic(everything), dtype=float)
    parts = [everything[start : start + TOGETHER] for start in range(0, images, TOGETHER)]
    left = [np.asarray(statistic(np.array([np.delete(everything, image) for image in part])), dtype=float) for part in parts]
    return images * whole - (images - 1) * np.concatenate(left, axis=-1).T
