"""What the entropy question names: classes of tokens, readings of an entropy, references of the state, outcomes fixed in advance."""

FIRST = 4
"""Generated tokens that form a class of their own, whatever they say: sinks stand at the start of a text (StreamingLLM keeps four)."""

CLASSES = ("first", "punctuation", "function", "object", "content")
"""Of a fed token. content: words that are neither function words nor objects."""

CONTRASTS = {
    "punctuation - words": (("punctuation",), ("object", "content")),
    "function - words": (("function",), ("object", "content")),
    "object - content": (("object",), ("content",)),
    "first - later": (("first",), ("punctuation", "function", "object", "content")),
}
"""Differences of class means; words are objects and other content together."""

MEASURES = {"raw": "nat", "share": "1", "centred": "nat"}
"""raw: row entropy; share: over ln of the visible keys; centred: minus the mean over images at the same step, which takes position out."""

REFERENCES = ("drift_mean", "drift_step", "drift_image", "drift_prompt")
"""Angles of the hidden state: to the mean of the caption's states so far, the previous state, the image, the prompt's end."""

FEWEST = 8
"""Tokens that a correlation of one image needs."""

WALK_LAG = 8
"""The lag of the primary variance ratio: a sentence is about as long."""

PRIMARY = (
    "classes/centred/punctuation - words/baseline/band",
    "distance/drift_mean/partial/baseline/band",
    f"walk/variance ratio/free/baseline/lag {WALK_LAG}/band",
)
"""Fixed before any result was seen, mean of the smoothed layers, no smoothing; all else is exploratory."""

_CLOSED = """
a about above after again all also am an and any are as at be because been before being below between beyond both but by can could did
do does doing down during each few for from further had has have having he her here hers him his how i if in into is it its itself just
may me might more most much must my no nor not of off on once only or other our out over own rather same she should so some such than
that the their them then there these they this those through to too under until up upon us very was we were what when where which while
who whom whose why will with within without would you your behind beside near else like one two three four five six zero
"""
FUNCTION_WORDS = frozenset(_CLOSED.split())
"""Closed-class words of English, number words among them."""
