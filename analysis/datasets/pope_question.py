"""One yes-or-no question about one object in one image, worded as POPE's authors word it."""

import re
from dataclasses import dataclass

STRATEGIES = ("random", "popular", "adversarial")
LABELS = ("yes", "no")
WORDINGS = ("official", "imange")

_ASKED = re.compile(r"\bIs there an? (?P<object>.+?) in the im(?:age|ange)\?", re.IGNORECASE)


@dataclass(frozen=True)
class PopeQuestion:
    """A question, its answer, and how its object was chosen.

    Attributes
    ----------
    key : "<strategy>/<question_id>", unique over the files of one benchmark
    image_id : the number at the end of the image's name, or what the file says
    image : the file's name as the questions' file has it; it may lead out of a folder, so open it through `analysis.datasets.files.inside`
    text : what is asked, as it stands in the file
    label : "yes" (the object is there) or "no"
    object : what is asked for; "" where the wording is not known
    strategy : how absent objects were chosen: "random", "popular", "adversarial", or another name
    """

    key: str
    image_id: int
    image: str
    text: str
    label: str
    object: str
    strategy: str

    def __post_init__(self):
        if self.label not in LABELS:
            raise ValueError(f"PopeQuestion.label must be yes or no; got {self.label!r} (question {self.key}).")
        if not self.strategy or "/" in self.strategy:
            raise ValueError(f"PopeQuestion.strategy must be a name without '/'; got {self.strategy!r} (question {self.key}).")
        if not self.key.startswith(f"{self.strategy}/"):
            raise ValueError(f"PopeQuestion.key must be '<strategy>/<question_id>'; got {self.key!r} of strategy {self.strategy!r}.")


def worded(name: str, wording: str = "official") -> str:
    """The question for an object: "an" before a, e, i, o, u, else "a".

    Parameters
    ----------
    wording : "official"; or "imange", which repeats a slip of OPERA's copy: there every "a" of the sentence becomes "an" before a
        vowel, so that 144 of its questions end in "in the imange?"

    Raises
    ------
    ValueError : no such wording
    """
    if wording not in WORDINGS:
        raise ValueError(f"worded.wording must be one of {', '.join(WORDINGS)}; got {wording!r}.")
    if name[:1] not in set("aeiou"):
        return f"Is there a {name} in the image?"
    return f"Is there an {name} in the {'image' if wording == 'official' else 'imange'}?"


def asked_for(text: str) -> str:
    """The object that a question asks for, in the official wording and in OPERA's "imange"; a text that asks nothing is the object itself
    (OPOPE's own files); "" for other wordings.
    """
    found = _ASKED.search(text)
    if found:
        return found["object"]
    return "" if "?" in text else text.strip()
