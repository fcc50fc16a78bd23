"""Mentions: characters and token steps against decoding every beginning, on word marks, byte-level pieces and recordings."""

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from analysis.captions.mentions import COLUMNS, decoded_ends, mention_table, mentions, piece_ends
from analysis.metrics.chair import score_caption
from probes.command.cli import BadInput
from probes.recordings.recording import labelled, merge
from probes.recordings.schema import ATTRIBUTES
from probes.subjects import Subject
from probes.subjects.emoji import build

TEXT = "The picture features a cake, two people, and a hot dog. There is only one cake in the image. A bear is to the right."
TRUTH = frozenset({"cake", "hot dog", "chair"})
EXPECTED = [
    ("cake", "cake", True, 1),
    ("people", "person", False, 1),
    ("hot dog", "hot dog", True, 1),
    ("cake", "cake", True, 2),
    ("bear", "bear", False, 1),
]


@pytest.fixture(scope="module")
def wordy():
    """The bundled subject with random weights: its tokenizer is what counts here."""
    model, processor = build(0)
    return Subject("random", model, processor)


class Speller:
    """A subject that is its tokenizer."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    pieces, text = Subject.pieces, Subject.text


@pytest.fixture(scope="module")
def bytewise():
    """A byte-level BPE of few merges, so that words fall apart."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        [TEXT], trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=["</s>"], show_progress=False)
    )
    return Speller(PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>"))


def by_hand(subject, tokens, caption):
    """Step of the first and last token of every mention, by decoding every beginning."""
    ends = decoded_ends(subject, tokens)
    found = []
    for mention in score_caption(caption, TRUTH).mentions:
        first = min(i for i, end in enumerate(ends) if end > mention.start)
        found.append((first, min(i for i, end in enumerate(ends) if end >= mention.end)))
    return found


@pytest.mark.parametrize("kind", ["wordy", "bytewise"])
def test_mentions_stand_where_decoding_every_beginning_puts_them(kind, request):
    subject = request.getfixturevalue(kind)
    tokens = [*subject.tokenizer(TEXT, add_special_tokens=False)["input_ids"], subject.tokenizer.eos_token_id]
    assert piece_ends(subject.pieces(tokens), TEXT) == decoded_ends(subject, tokens)
    found = mentions(subject, tokens, TRUTH)
    assert [(m.word, m.object, m.present, m.repeated) for m in found] == EXPECTED
    assert [(m.step, m.last_step) for m in found] == by_hand(subject, tokens, TEXT)
    assert [(m.start, m.end) for m in found] == [(m.start, m.end) for m in score_caption(TEXT, TRUTH).mentions]
    for mention in found:
        said = subject.text(tokens[mention.step : mention.last_step + 1])
        assert TEXT[mention.start : mention.end] in said


def test_a_name_of_which_chair_reads_the_last_word_begins_with_its_first(wordy):
    text = "There is a dining table, a table, two dining tables and dining. table with a hot dog and a ball."
    tokens = wordy.tokens(text)
    pieces = wordy.pieces(tokens)
    found = mentions(wordy, tokens, frozenset())
    expected = ["dining", "table", "dining", "table", "hot", "ball"]
    assert [pieces[m.step].strip("▁") for m in found] == expected
    assert [(m.start, m.end) for m in found] == [(m.start, m.end) for m in score_caption(text, ()).mentions]


def test_characters_of_several_bytes_and_special_tokens_are_counted_as_decoding_counts_them(bytewise):
    caption = "Ein Café, a cake – für a bear!"
    tokens = bytewise.tokenizer(caption, add_special_tokens=False)["input_ids"]
    tokens = [*tokens[:5], bytewise.tokenizer.eos_token_id, *tokens[5:]]
    ends, slow = piece_ends(bytewise.pieces(tokens), caption), decoded_ends(bytewise, tokens)
    # a text is stripped, and half a character is a mark of its own: decoding is no reference there
    whole = [i for i in range(len(tokens)) if "\ufffd" not in bytewise.text(tokens[: i + 1]) and not caption[: ends[i]].endswith(" ")]
    assert len(whole) > len(tokens) / 2
    assert [ends[i] for i in whole] == [slow[i] for i in whole]
    assert piece_ends(["▁A", "<0x0A>", "bear", "</s>"], "A\nbear") == [1, 2, 6, 6]
    assert piece_ends(["a", "##ble", "bear", "."], "able bear.") == [1, 4, 9, 10]
    assert piece_ends(["a", "b"], "something else") is None


def test_a_broken_text_is_read_at_the_tokens_that_say_it(bytewise):
    """Half a character is said, and no more of it: the text has a mark there, and its names still stand at their tokens."""
    spell = lambda text: bytewise.tokenizer(text, add_special_tokens=False)["input_ids"]  # noqa: E731
    half = [spell("é")[0]]
    assert bytewise.text(half) == "\ufffd"
    for tokens in (
        [*spell("There is a bear"), *half, *spell(" and a hot dog"), *half],
        [*half, *spell(" a cake"), *half, *half, *spell(" with a bear."), bytewise.tokenizer.eos_token_id],
    ):
        caption = bytewise.text(tokens)
        ends = piece_ends(bytewise.pieces(tokens), caption)
        assert ends is not None
        found = mentions(bytewise, tokens, TRUTH)
        assert len(found) == 2
        assert [(m.step, m.last_step) for m in found] == by_hand(bytewise, tokens, caption)
    assert piece_ends(["Ġa", "Ã", "b"], "something else") is None


def recorded(subject, captions):
    """A recording of nothing but captions: {(arm, image): text}."""
    parts = []
    for (arm, image), text in captions.items():
        tokens = subject.tokens(text)
        values = {
            "token_predicted": np.array(tokens),
            "piece_predicted": np.array(subject.pieces(tokens), dtype=object),
            "n_steps": np.array(len(tokens)),
            "caption": np.array(text, dtype=object),
        }
        parts.append(labelled(values, arm, image, (0,), dict.fromkeys(ATTRIBUTES, "x") | {"config": "{}"}))
    return merge(parts)


def annotated(objects):
    """Annotations in COCO's format: {image: names}."""
    names = sorted({name for found in objects.values() for name in found})
    return {
        "images": [{"id": image} for image in objects],
        "annotations": [{"image_id": image, "category_id": names.index(name)} for image, found in objects.items() for name in found],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
    }


def test_a_table_holds_the_mentions_of_every_caption(wordy):
    other = "There is a bear and a chair."
    recording = recorded(wordy, {("baseline", 3): TEXT, ("kvsmooth", 3): other, ("baseline", 9): other, ("baseline", 11): other})
    table = mention_table(recording, annotated({3: TRUTH, 9: {"bear"}}))
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 5 + 2 + 2  # image 11 has no annotations, and image 9 no second arm
    for (arm, image), group in table.groupby(["arm", "image"]):
        text = TEXT if (arm, image) == ("baseline", 3) else other
        expected = mentions(wordy, wordy.tokens(text), TRUTH if image == 3 else frozenset({"bear"}))
        assert [tuple(row) for row in group[["word", "object", "start", "end", "step", "last_step", "present", "repeated"]].values] == [
            (m.word, m.object, m.start, m.end, m.step, m.last_step, m.present, m.repeated) for m in expected
        ]
    assert mention_table(recording.transpose(), annotated({3: TRUTH, 9: {"bear"}})).equals(table)
    none = mention_table(recording, annotated({5: {"cake"}}))
    assert none.empty
    assert none.dtypes[["image", "step", "present"]].tolist() == table.dtypes[["image", "step", "present"]].tolist()
    torn = recording.assign(piece_predicted=recording.piece_predicted.where(recording.step != 4, "xx"))
    with pytest.raises(BadInput, match="mention_table: the pieces of image 3 in arm baseline"):
        mention_table(torn, annotated({3: TRUTH}))
    assert len(mention_table(torn, annotated({3: TRUTH}), wordy)) == 5 + 2
