"""How an answer in free words is read as yes or no: the rules of four public programs, by name.

A rule gets the answer as decoded and the question's label, and gives "yes", "no", or "" (neither: wrong whatever the label). Only "vcd"
looks at the label: under it an answer can be right on both labels ("not yes"), so its numbers cannot be set beside the others'.

None of them is made for an answer that says neither word, such as a caption: it is a yes, or wrong. `says_neither` finds such answers.
"""

import re
from collections.abc import Callable

Parser = Callable[[str, str], str]


def pope(text: str, label: str = "") -> str:
    """No if "No", "not" or "no" is a word of the first sentence, else yes: POPE's own rule, and LLaVA's.

    Words are what stands between single spaces once commas are gone; the first sentence ends at the first full stop. So "NO", "isn't",
    "no!", "no" before a line break, and the empty answer are all yes, and "I see it. No doubt" is yes too.
    """
    return _denied(text.partition(".")[0].replace(",", ""), {"No", "not", "no"})


def opera(text: str, label: str = "") -> str:
    """No if "No", "not", "no" or "NO" is a word of the whole answer, or a word ends in "n't", else yes: OPERA's rule, and PAI's.

    Full stops and commas are removed first, which glues words together ("Yes.No" is one); only the straight apostrophe counts.
    """
    bare = text.replace(".", "").replace(",", "")
    return "no" if any(word.endswith("n't") for word in bare.split(" ")) else _denied(bare, {"No", "not", "no", "NO"})


def vcd(text: str, label: str) -> str:
    """Right if the label occurs anywhere in the lower-cased answer ("no" also in "know", "snow", "cannot"), else wrong: VCD's rule."""
    right = label in text.lower().strip()
    return label if right else {"yes": "no", "no": "yes"}[label]


def exact(text: str, label: str = "") -> str:
    """Yes or no where the answer is just that word, but for case and spaces around it, else neither ("yes." too): lmms-eval's rule."""
    bare = text.lower().strip()
    return bare if bare in ("yes", "no") else ""


PARSERS: dict[str, Parser] = {"pope": pope, "opera": opera, "vcd": vcd, "exact": exact}

MODES = {
    "pope": "pope: first sentence, label-free",
    "opera": "opera: whole answer, label-free",
    "vcd": "vcd: substring, label-dependent",
    "exact": "exact: one word, label-free",
}


TAKEN = {"pope": "yes", "opera": "yes", "vcd": "wrong", "exact": "wrong"}
"""What a rule takes an answer for that says neither yes nor no."""

_EITHER = re.compile(r"\b(?:yes|no|not|cannot)\b|n['’]t\b", re.IGNORECASE)


def says_neither(text: str) -> bool:
    """Whether an answer holds none of the words "yes", "no", "not", "cannot" and "...n't", in upper or lower case."""
    return _EITHER.search(text) is None


def _denied(text: str, words: set[str]) -> str:
    return "yes" if words.isdisjoint(text.split(" ")) else "no"
