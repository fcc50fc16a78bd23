"""Tokens with their places and parts of speech by NLTK, loaded once: what the public metrics' code calls, and faster.

The tokens are those of ``nltk.word_tokenize`` and the tags those of ``nltk.pos_tag``; a plain sentence is split without NLTK's
chain of substitutions, and nothing is tagged behind the last token that is asked for. NLTK's data are the user's: they are looked
for on NLTK's own search path.

The public programs were published with NLTK before 3.9.3. Since then it splits words at dashes, since 3.10.1 also otherwise at apostrophes,
so that a caption's length changes, and now and then its objects: such a version is told (`tell_of_version`).
"""

import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from analysis.words.tagger_rows import RowModel
from probes.command.cli import BadInput, Notice

VERSIONS = "nltk>=3.9,<3.9.3"
"""Those that split words as the public programs did."""
SPLIT_AS_PUBLISHED = {"people—two": ["people—two"], "a 'cat'": ["a", "'cat", "'"]}
DATA = ("punkt_tab", "averaged_perceptron_tagger_eng")
WAY_OUT = f"run `python -m nltk.downloader {' '.join(DATA)}`, or set NLTK_DATA to the folder that holds them"
PLAIN = re.compile(r"[a-z]+(?:-[a-z]+)*(?:,? [a-z]+(?:-[a-z]+)*)*\.?")
PIECE = re.compile(r"[a-z-]+|[,.]")
SPLIT = re.compile(r"cannot|gimme|gonna|gotta|lemme|wanna")
# the tokenizer writes quotes of its own for these
QUOTES = ("``", "''")
# the tagger looks at the two tokens behind
AHEAD = 2


class Token(NamedTuple):
    """A token, and its characters in the text (end exclusive); quotes are written as the tokenizer writes them."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of ``nltk.word_tokenize``, with their places.

    Raises
    ------
    BadInput : NLTK or its data are not there
    """
    sentences, splitter, _ = _loaded()
    read: list[str] = []
    for sentence in sentences.tokenize(text):
        plain = PLAIN.fullmatch(sentence) and not SPLIT.search(sentence)
        read += PIECE.findall(sentence) if plain else splitter.tokenize(sentence)
    return placed(read, text)


def tags(texts: Sequence[str], count: int | None = None) -> list[str]:
    """Penn Treebank tags that ``nltk.pos_tag`` gives to the first `count` of all tokens of a text; to every one if None.

    Raises
    ------
    BadInput : NLTK or its data are not there
    """
    count = len(texts) if count is None else count
    return [tag for _, tag in _loaded()[2].tag(list(texts[: count + AHEAD]))][:count] if count else []


def placed(read: Sequence[str], text: str) -> list[Token]:
    """Tokens with their places: laid one behind the other, they make up the text without its blanks."""
    found, point = [], 0
    for token in read:
        while text[point].isspace():
            point += 1
        size = len(token)
        if token in QUOTES and not text.startswith(token, point):
            size = 1 if text[point] == '"' else 2
        found.append(Token(token, point, point + size))
        point += size
    return found


def require() -> None:
    """NLTK and its data are there.

    Raises
    ------
    BadInput : they are not; says how to get them
    """
    _loaded()


def splits_as_published() -> bool:
    """Whether the installed NLTK splits words as the public programs' did.

    Raises
    ------
    BadInput : NLTK or its data are not there
    """
    _, splitter, _ = _loaded()
    return all(splitter.tokenize(text) == expected for text, expected in SPLIT_AS_PUBLISHED.items())


def tell_of_version() -> None:
    """One Notice where the installed NLTK splits words otherwise than the public programs' did.

    Raises
    ------
    BadInput : NLTK or its data are not there
    """
    if not splits_as_published():
        import nltk

        told = f"NLTK {nltk.__version__} splits words at dashes or apostrophes otherwise than that of the published programs, so that"
        warnings.warn(f"{told} lengths and a few objects may differ; for theirs run `pip install '{VERSIONS}'`.", Notice, stacklevel=3)


def marks() -> tuple[str, ...]:
    """What tells one version of NLTK and its models from another.

    Raises
    ------
    BadInput : NLTK or its data are not there
    """
    sentences, _, tagger = _loaded()
    import nltk

    model = (tagger.model.weights, tagger.tagdict, tagger.classes, sentences._params.abbrev_types, sentences._params.collocations)
    return (nltk.__version__, *(str(len(part)) for part in model))


@lru_cache(maxsize=1)
def _loaded() -> tuple[Any, Any, Any]:
    try:
        from nltk.tag import PerceptronTagger
        from nltk.tokenize import NLTKWordTokenizer, PunktTokenizer
    except ImportError:
        told = f"which is not installed or another version; run `pip install '{VERSIONS}'`, or choose bundled words."
        raise BadInput(f"Exact words need NLTK 3.9, {told}") from None
    try:
        tagger = PerceptronTagger()
        tagger.model = RowModel(tagger.model.weights, tagger.classes)
        return PunktTokenizer("english"), NLTKWordTokenizer(), tagger
    except LookupError:
        raise BadInput(f"Exact words need NLTK's {' and '.join(DATA)}; {WAY_OUT}, or choose bundled words.") from None
    except (OSError, ValueError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadInput(f"NLTK's {' and '.join(DATA)} cannot be read ({why}); {WAY_OUT}, or choose bundled words.") from None
