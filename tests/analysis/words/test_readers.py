"""Exact words against the public algorithm written out with NLTK's own calls; refusals where its data are absent; places of words."""

import json
import re
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.words import tagging
from analysis.words.readers import Bundled, Exact, Reader, reader
from analysis.words.words import ANIMALS, DATA, PAIRS, synonyms, without_seats
from probes.command.cli import BadInput, Notice
from probes.subjects.emoji.captions import describe
from probes.subjects.emoji.scenes import scenes

FORMS = json.loads((DATA / "object_forms.json").read_text())["forms"]
# a table knows these, so that they need a tag, or they are part of a pair, or they are cut by the tokenizer in its own way
PIECES = (
    *("a", "the", "two", "is", "by", "of", "and", "Dogs", "dog", "men", "seated", "Skiing", "parking", "meters", "potted", "plants"),
    *("toilet", "seats", "seat", "glasses", "wine", "born", "stove", "umbrellas", "teddy", "bears", "black-and-white", "İ", "ß", "mr."),
    *("U.S.", "cannot", "gonna", "don't", "dog's", "'tis", '"', "''", "``", "'", "(", ")", ",", ".", "...", "?", "--", "—", "3.5"),
    *("\n", "\x85", "\u3000"),
)
QUOTES = {'"': ("``", "''"), "''": ("``",)}
texts = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(("", " ", "  "))), max_size=24).map(
    lambda drawn: "".join(piece + gap for piece, gap in drawn)
)
awkward = st.text(alphabet="aZ \"'`.,-()İΣ\u0307\n\u2019!n't", max_size=40)


def published(caption: str) -> list[str]:
    """The words after merging, before the seat rule: lower case, tokens, tags, lemmas, pairs."""
    import nltk

    lemmas = []
    for token, tag in nltk.pos_tag(nltk.word_tokenize(caption.lower())):
        part = {"J": "a", "V": "v", "N": "n", "R": "r"}.get(tag[0], "n")
        lemmas.append(FORMS[part].get(token, token))
    pairs = {}
    for pair in PAIRS:
        pairs[pair] = pair
    for animal in ANIMALS:
        pairs["baby " + animal] = animal
        pairs["adult " + animal] = animal
    pairs["passenger jet"], pairs["passenger train"] = "jet", "train"
    pairs["bow tie"], pairs["toilet seat"], pairs["wine glas"] = "tie", "toilet", "wine glass"
    merged, i = [], 0
    while i < len(lemmas):
        if i + 1 < len(lemmas) and lemmas[i] + " " + lemmas[i + 1] in pairs:
            merged.append(pairs[lemmas[i] + " " + lemmas[i + 1]])
            i += 2
        else:
            merged.append(lemmas[i])
            i += 1
    return merged


def looked_up(merged: list[str]) -> list[str]:
    if "toilet" in merged and "seat" in merged:
        merged = [word for word in merged if word != "seat"]
    return [word for word in merged if word in synonyms()]


def assert_as_published(caption: str) -> None:
    merged, found = published(caption), Exact()
    assert [word.text for word in found.merged(caption)] == merged
    assert [word.text for word in found.words(caption) if word.text in synonyms()] == looked_up(merged)


def assert_refused() -> None:
    with pytest.raises(BadInput, match=r"^Exact words need NLTK's .*; run `python -m nltk.downloader .*, or choose bundled words\.$"):
        Exact()


@given(caption=st.one_of(texts, awkward))
@example(caption="He said \"a ''dog''\" (``cat``).")
@example(caption="")
@settings(max_examples=120, deadline=None)
def test_exact_words_are_the_published_ones(nltk_data, caption):
    if nltk_data:
        assert_as_published(caption)
    else:
        assert_refused()


@pytest.mark.slow
def test_exact_words_of_whole_captions(nltk_data):
    for scene in scenes(60, "train"):
        if nltk_data:
            assert_as_published(describe(scene))
        else:
            assert_refused()


@given(caption=st.one_of(texts, awkward))
@settings(max_examples=120, deadline=None)
def test_tokens_and_tags_are_nltks_and_lie_in_the_text(nltk_data, caption):
    if not nltk_data:
        assert_refused()
    else:
        import nltk

        expected = nltk.word_tokenize(caption)
        found = tagging.tokens(caption)
        assert [token.text for token in found] == expected
        for token in found:
            cut = caption[token.start : token.end]
            assert cut == token.text or (token.text in ("``", "''") and cut in ('"', "''"))
        covered = {place for token in found for place in range(token.start, token.end)}
        assert all(character.isspace() for place, character in enumerate(caption) if place not in covered)
        tags = [tag for _, tag in nltk.pos_tag(expected)]
        for count in range(len(expected) + 1):
            assert tagging.tags(expected, count) == tags[:count]
        assert tagging.tags(expected) == tags


def readers(nltk_data: bool) -> list[Reader]:
    return [Bundled(), Exact()] if nltk_data else [Bundled()]


@given(caption=st.one_of(texts, awkward))
@settings(max_examples=120, deadline=None)
def test_words_lie_in_the_caption_as_given(nltk_data, caption):
    for each in readers(nltk_data):
        merged = each.merged(caption)
        assert [word.first for word in merged] == [0, *[word.last for word in merged]][: len(merged)]
        assert list(each.words(caption)) == without_seats(merged)
        assert all(word.start < word.end for word in merged)
        # a character whose lower case is two may be cut in two
        assert all(word.end <= behind.start + (len(caption.lower()) > len(caption)) for word, behind in pairwise(merged))
        for word in merged:
            cut = caption[word.start : word.end]
            assert not cut[0].isspace()
            assert not cut[-1].isspace()
            if word.last == word.first + 1 and len(caption.lower()) == len(caption):
                assert word.text in {cut.lower(), *(FORMS[part].get(cut.lower()) for part in "nvar"), *QUOTES.get(cut, ())}


def test_places_hold_where_lower_case_is_longer(nltk_data):
    caption = "İİ Two Hot  Dogs, İ."
    for each in readers(nltk_data):
        found = {word.text: caption[word.start : word.end] for word in each.words(caption)}
        assert found["hot dog"] == "Hot  Dogs"
        assert found["two"] == "Two"


def test_auto_is_exact_where_it_can_be_and_says_where_it_cannot(nltk_data):
    if nltk_data:
        assert reader("auto").mode == reader("exact").mode == "exact"
    else:
        with pytest.warns(Notice, match="bundled"):
            assert reader("auto").mode == "bundled"
        with pytest.raises(BadInput, match="NLTK"):
            reader("exact")
    assert reader("bundled").mode == "bundled"
    with pytest.raises(BadInput, match="words must be one of auto, exact, bundled; got 'pattern'"):
        reader("pattern")


@pytest.fixture
def unloaded():
    tagging._loaded.cache_clear()
    yield
    tagging._loaded.cache_clear()


@pytest.mark.usefixtures("unloaded")
def test_without_data_exact_is_refused_and_auto_gives_notice(monkeypatch):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    assert_refused()
    with pytest.warns(Notice, match="nltk.downloader punkt_tab averaged_perceptron_tagger_eng"):
        assert reader().mode == "bundled"


@pytest.mark.usefixtures("unloaded")
def test_without_nltk_exact_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk.tag", None)
    with pytest.raises(BadInput, match=r"is not installed or another version; run `pip install 'nltk>=3\.9,<3\.9\.3'`"):
        Exact()


DASHES = "Four people—two of them children—sit at a table beside a cat – a black one – and a dog."
LATER = {
    "since 3.9.3": ("PUNCTUATION", (re.compile(r"[\u2012-\u2015]"), r" \g<0> ")),
    "since 3.10.1": ("STARTING_QUOTES", (re.compile(r"(?i)(?<!\w)(')(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)"), r"\1 ")),
}


def test_a_dash_does_not_split_words_as_in_the_published_programs(nltk_data):
    if nltk_data:
        read = [word.text for word in Exact().words(DASHES)]
        assert read[:6] == ["four", "people—two", "of", "them", "children—sit", "at"]
        assert [synonyms()[word] for word in read if word in synonyms()] == ["dining table", "cat", "dog"]
    else:
        assert_refused()


@pytest.mark.parametrize("version", LATER)
def test_a_version_of_nltk_that_splits_otherwise_is_told(nltk_data, monkeypatch, recwarn, version):
    from nltk.tokenize import NLTKWordTokenizer

    if nltk_data:
        assert reader("exact").mode == "exact"
        assert not recwarn, "the pinned version is told"
        rules, rule = LATER[version]
        monkeypatch.setattr(NLTKWordTokenizer, rules, [*getattr(NLTKWordTokenizer, rules), rule])
        for mode in ("exact", "auto"):
            with pytest.warns(
                Notice, match=r"^NLTK [\d.]+ splits words at dashes or apostrophes .* `pip install 'nltk>=3\.9,<3\.9\.3'`\.$"
            ):
                assert reader(mode).mode == "exact"
    else:
        assert_refused()


def test_the_extra_installs_the_version_that_is_asked_for():
    root = Path(__file__).parents[3]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["exact"] == [tagging.VERSIONS]
    pinned = re.search(r"^nltk==(.+)$", (root / "constraints.txt").read_text(), re.MULTILINE)[1]
    assert tuple(map(int, pinned.split("."))) < (3, 9, 3)


@pytest.mark.usefixtures("unloaded")
def test_data_that_cannot_be_read_are_refused_in_one_line(monkeypatch):
    import nltk.tag

    def broken():
        raise ValueError("cut off\nat byte 7")

    monkeypatch.setattr(nltk.tag, "PerceptronTagger", broken)  # what is loaded first, so that it breaks where there are no data too
    with pytest.raises(BadInput, match=r"cannot be read \(cut off\); .* bundled words\.$"):
        Exact()


def test_keys_tell_readers_apart(nltk_data):
    keys = [each.key for each in readers(nltk_data)]
    assert len(set(keys)) == len(keys)
    assert keys == [each.key for each in readers(nltk_data)]
