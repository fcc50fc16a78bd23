"""What arms are compared by where the form is fixed: ratios of sums over scenes."""

from analysis.captions.caption_measure import CaptionMeasure, common, of_counts

COUNTS = ("captions", "places", "absent", "hallucinating", "objects", "recalled", "truth", "again", "changed")
"""Of a caption: 1, its places, those with an absent object, whether there is one, different objects named, those of them that are
there, objects in the scene, places that name an object once more, places filled otherwise than without a method."""
MEASURES = {
    # each object once: who names true ones again and again does not see better
    "absent": CaptionMeasure("absent among different objects", "1", {"objects": 1.0, "recalled": -1.0}, {"objects": 1.0}),
    "places": of_counts("absent, of all places", "1", "absent", "places"),
    "hallucinating": of_counts("captions with one", "1", "hallucinating", "captions"),
    **common("recall", "f1"),
    "again": of_counts("named again", "1", "again", "places"),
    "changed": of_counts("filled otherwise", "1", "changed", "places", tested=False),
}
PRIMARY = ("absent", "recall")
