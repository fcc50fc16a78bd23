"""Names that the files of the question share; nothing here loads a model, so that a redraw need not."""

OPTIONS = {"lambda_ref": "λ_ref", "margin": "margin", "window": "window (steps)", "layers": "smoothed layers"}
"""The options that are swept, as figures call them."""

ORDERED = {"lambda_ref": " per unit of lambda_ref", "margin": " per unit of margin", "window": " a step of window"}
"""Those with an order, and what a slope over them is per."""

OUTCOMES = ("chair_i", "chair_s", "f1", "recall", "precision", "length")
"""Measures whose ranges, distances from the curve and figures are made."""

PRIMARY = ("chair_i", "f1")
"""Named before any result: the range (largest minus smallest) of these two over each option's settings."""

CONSTANT = "constant"
"""Family of the cells of constant rate, the curve of the dose alone."""

DEFAULT_MARGIN, DEFAULT_WINDOW = 0.2, 15
"""The paper's, and KVSmooth's own."""
