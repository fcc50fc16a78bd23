"""Where a caption names an object and where a sentence ends, in tokens; and which tokens begin the name of which object."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.captions.mentions import mentions
from analysis.words.words import DATA, lemma, synonyms, two_words

SENTENCE_ENDS = (".", "!", "?")


@dataclass(frozen=True)
class MentionSlot:
    """A step at which the caption begins to name an object.

    Attributes
    ----------
    step : index of the mention's first token among the predicted ones; the distribution that counts is the one before it
    object : COCO's name
    hallucinated : the object is not in the image
    unmentioned : objects of the image that the caption has not named before this step
    """

    step: int
    object: str
    hallucinated: bool
    unmentioned: frozenset[str]


def slots(subject: Any, tokens: Sequence[int], truth: frozenset[str]) -> list[MentionSlot]:
    """Every object mention of a caption (CHAIR's definition), by the step of its name's first token ("dining" of "dining table")."""
    found: list[MentionSlot] = []
    named: set[str] = set()
    for mention in mentions(subject, tokens, truth):
        found.append(MentionSlot(mention.step, mention.object, not mention.present, frozenset(truth - named)))
        named.add(mention.object)
    return found


def sentence_ends(subject: Any, tokens: Sequence[int]) -> list[int]:
    """Steps at which the caption may end: those that follow a token with which a sentence does, its last included."""
    return [step for step in range(1, len(tokens)) if subject.text(tokens[step - 1 : step]).endswith(SENTENCE_ENDS)]


def object_tokens(tokenizer: Any) -> dict[int, str]:
    """Tokens that begin the name of one object (COCO's names), in any form that CHAIR reads.

    A name of several tokens is represented by its first one; tokens that begin the names of several objects are left out. A name that the
    tokenizer does not know has none.
    """
    table = synonyms()
    forms = json.loads((DATA / "object_forms.json").read_text(encoding="utf-8"))["forms"]
    names = {form: table[lemma(form)] for kind in forms.values() for form in kind if lemma(form) in table}
    names |= {word: name for word, name in table.items() if word == word.strip()}
    names |= {pair: table[read] for pair, read in two_words().items() if read in table and pair.split()[0] not in ("baby", "adult")}
    # in the middle of a sentence, as captions name objects
    before = tokenizer("a", add_special_tokens=False)["input_ids"]
    begins: dict[int, set[str]] = {}
    for form, name in names.items():
        for written in {form, form.capitalize(), form.upper()}:
            ids = tokenizer(f"a {written}", add_special_tokens=False)["input_ids"]
            if len(ids) > len(before) and tokenizer.unk_token_id not in ids:
                begins.setdefault(ids[len(before)], set()).add(name)
    return {token: next(iter(objects)) for token, objects in sorted(begins.items()) if len(objects) == 1}
