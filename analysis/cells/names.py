"""Names that commands which run cells share; nothing here loads a model, so that a redraw need not."""

BASELINE, PAPER = "baseline", "kvsmooth"
"""The cell that smooths nothing, and the paper's own."""

WITHOUT_FIRST = "row_entropy without BOS"
"""The paper's cell with the sequence's first token left out of the entropy that scores."""

MIX_WORDS = {"norm_preserving": "turning alone", "shrink_only": "shrinking alone", "random_direction": "a random direction"}
"""Mixes that keep one half of what smoothing does to a state, or neither, as pages and figures call them."""

RECEIPTS = ("rate", "floor", "ceiling", "change_keys", "change_values")
"""What a run says of each image: mean rate, shares of rates on the clips, relative changes of keys and values."""

PLAN_NAMES = ("full", "ladder", "places", "dose", "layers", "detectors", "first_token", "options")
