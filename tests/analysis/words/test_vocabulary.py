"""One's own synonyms in CHAIR's format: what they find in captions, and files that cannot be used."""

import pytest

from analysis.metrics.chair import score_caption
from analysis.words.readers import Bundled, Exact, Reader
from analysis.words.vocabulary import Vocabulary, chair, read_synonyms
from analysis.words.words import DATA, synonyms
from probes.command.cli import BadInput, Notice
from probes.subjects.emoji.captions import describe
from probes.subjects.emoji.scenes import scenes

OWN = """\
dog, puppy
traffic cone, cone, cones, traffic cones
t-shirt, tee
eyewear, glasses, sun glasses
"""
CAPTION = "A puppy in a t-shirt and Sun Glasses beside two traffic cones, a cone, a cat and his glasses; a toilet with a seat."


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "own.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def readers(vocabulary: Vocabulary, nltk_data: bool) -> list[Reader]:
    return [Bundled(vocabulary), *([Exact(vocabulary)] if nltk_data else [])]


def test_own_words_are_found_in_their_places_and_no_others(nltk_data, written):
    vocabulary = read_synonyms(written(OWN))
    for reader in readers(vocabulary, nltk_data):
        record = score_caption(CAPTION, {"dog", "traffic cone"}, reader=reader)
        named = [(CAPTION[one.start : one.end], one.object, one.hallucinated) for one in record.mentions]
        assert named == [
            ("puppy", "dog", False),
            ("t-shirt", "t-shirt", True),
            ("Sun Glasses", "eyewear", True),
            ("traffic cones", "traffic cone", False),
            ("cone", "traffic cone", False),
            ("glasses", "eyewear", True),
        ]
        assert record.recalled == ("dog", "traffic cone")


@pytest.mark.filterwarnings("ignore:.*words can never be found")
def test_chairs_own_file_gives_its_own_numbers(nltk_data):
    own = read_synonyms(DATA / "synonyms.txt")
    assert own.table == synonyms()
    assert own.pairs == ()
    captions = [CAPTION, *(describe(scene) for scene in scenes(12, "train"))]
    for mine, theirs in zip(readers(own, nltk_data), readers(chair(), nltk_data), strict=True):
        assert [score_caption(text, (), reader=mine) for text in captions] == [score_caption(text, (), reader=theirs) for text in captions]


def test_a_reader_with_other_words_has_another_key(nltk_data, written):
    vocabularies = [chair(), read_synonyms(written(OWN)), read_synonyms(written("dog, puppy\n"))]
    keys = [reader.key for vocabulary in vocabularies for reader in readers(vocabulary, nltk_data)]
    assert len(set(keys)) == len(keys)
    assert Bundled() == Bundled(chair()) != Bundled(vocabularies[1])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds no word; write one object a line"),
        ("dog, puppy\n\ncat\n", "line 2: is empty"),
        ("dog, , puppy\n", "line 1: an empty word"),
        ("dog, puppy\ncat, puppy\n", "line 2: 'puppy' names 'dog' in an earlier line"),
        (b"dog, pupp\xff\n", r"no UTF-8 \(byte 9\)"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(written, content, told):
    with pytest.raises(BadInput, match=told):
        read_synonyms(written(content))


def test_a_path_that_cannot_be_used_is_told(tmp_path):
    with pytest.raises(BadInput, match="there is no such file"):
        read_synonyms(tmp_path / "absent.txt")
    with pytest.raises(BadInput, match="this is a folder"):
        read_synonyms(tmp_path)


@pytest.mark.parametrize("word", ["Puppy", "big old dog", " puppy", "big  dog", "pup,py", "pup,"])
def test_words_that_no_caption_can_hold_are_told(written, word):
    with pytest.warns(Notice, match=rf"1 of 2 words can never be found \(.*\), the first is '{word}'"):
        read_synonyms(written(f"dog, {word}\n"))
