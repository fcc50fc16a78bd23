"""How tokenizers say objects: the bundled one, and two that split words, trained here."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from probes.objects import ObjectVocabulary, object_vocabulary
from probes.subjects.coco import NAMES, coco_forms, plural
from probes.subjects.emoji import build
from probes.subjects.emoji.model import UNKNOWN
from probes.subjects.emoji.vocabulary import CATEGORIES, object_forms
from tests.rounding import SUM, assert_close

TEXT = ["a cat and a dog sit on a mat", "there are two cats and a hot dog", "a hot day, a hat, a hut", "a sky, a sketch"] * 20


def byte_level():
    """A byte-level BPE like that of GPT-2, Llama 3 and Qwen."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def sentencepiece():
    """Pieces that begin with the mark of the space, as in Llama 1 and 2, with an unknown token."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=60, unk_token="<unk>", special_tokens=["<unk>", "</s>"], show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


FORMS = {"cat": ("cat", "cats"), "hot dog": ("hot dog",), "hat": ("hat",), "skateboard": ("skateboard",), "zebra": ("zébra",)}


@pytest.mark.parametrize("make", [byte_level, sentencepiece])
def test_tokens_are_those_inside_a_sentence(make):
    tokenizer = make()
    objects = object_vocabulary(tokenizer, FORMS)
    for forms, said in zip(objects.forms, objects.tokens, strict=True):
        for form, tokens in zip(forms, said, strict=True):
            sentence = tokenizer(f"there is a {form}", add_special_tokens=False)["input_ids"]
            assert sentence[-len(tokens) :] == list(tokens)
            assert tokenizer.decode(list(tokens)).strip() == form
            assert tokenizer.convert_ids_to_tokens(tokens[0])[0] in "Ġ▁"


def test_what_begins_alike_is_listed():
    tokenizer = byte_level()
    objects = object_vocabulary(tokenizer, {"skateboard": ("skateboard",), "skis": ("skis",), "cat": ("cat", "cats")})
    token = objects.first[0][0]
    assert tokenizer.convert_ids_to_tokens(token) == "Ġsk"
    assert objects.shared == {token: ("skateboard", "skis")}
    assert objects.describe()["shared_first_tokens"] == {str(token): ["skateboard", "skis"]}
    assert objects.single == (False, False, all(len(tokens) == 1 for tokens in objects.tokens[2]))


def test_unknown_and_blank_beginnings_are_listed_and_never_used():
    tokenizer = sentencepiece()
    objects = object_vocabulary(tokenizer, FORMS | {"quince": ("quince",)})
    for name in ("zebra", "quince"):  # é is no piece; q begins with a bare space mark
        place = objects.names.index(name)
        assert objects.tokens[place] == ()
        assert objects.first[place] == ()
        assert objects.unknown[place] == FORMS.get(name, (name,))
        assert name in objects.unsayable
    values = objects.of(torch.randn(2, 3, len(tokenizer)))
    for value in values:
        assert value.shape == (2, 3, len(objects.names))
        assert torch.isnan(value).any((0, 1)).tolist() == [name in objects.unsayable for name in objects.names]


def test_values_equal_loops():
    objects = ObjectVocabulary(("a", "b"), (("x", "y"), ("z",)), (((3, 1), (5,)), ((5, 2),)))
    logits = torch.tensor([[0.5, 9, -2, 1.5, 1.5, 1.0], [4, 4, 4, 4, 4, 4]])
    values = objects.of(logits)
    for row in range(2):
        given = logits[row].double().numpy()
        share = np.exp(given) / np.exp(given).sum()
        for i, first in enumerate(((3, 5), (5,))):
            best = max(given[token] for token in first)
            assert values.logit[row, i] == best
            assert values.rank[row, i] == 1 + (given > best).sum()  # equal logits share the better rank
            assert_close(values.logprob[row, i], np.log(sum(share[token] for token in first)), SUM)


def test_forms_that_share_a_first_token_count_it_once():
    objects = ObjectVocabulary(("a",), (("x", "y"),), (((3, 1), (3, 2)),))
    logits = torch.randn(7)
    assert objects.first == ((3,),)
    assert_close(objects.of(logits).logprob[0], logits.log_softmax(-1)[3], SUM)


def test_the_bundled_subject_says_each_of_its_objects_with_a_first_token_of_its_own():
    _, processor = build(0)
    objects = object_vocabulary(processor.tokenizer, object_forms())
    assert objects.names == tuple(category.name for category in CATEGORIES)
    assert not objects.shared
    assert not objects.unsayable
    assert not any(objects.unknown)
    assert all(UNKNOWN not in tokens for said in objects.tokens for tokens in said)
    pieces = {
        name: processor.tokenizer.convert_ids_to_tokens(list(first)) for name, first in zip(objects.names, objects.first, strict=True)
    }
    assert pieces["sports ball"] == ["▁ball", "▁balls"]
    assert pieces["skis"] == ["▁skis"]
    assert pieces["person"] == ["▁person", "▁people"]
    assert pieces["wine glass"] == ["▁wine"]


def test_coco_has_eighty_names_with_plurals():
    assert len(NAMES) == len(set(NAMES)) == 80
    assert {category.name for category in CATEGORIES} <= set(NAMES)
    assert [plural(name) for name in ("bus", "couch", "knife", "sheep", "wine glass", "mouse")] == [
        *("buses", "couches", "knives", "sheep", "wine glasses", "mice")
    ]
    assert coco_forms()["person"] == ("person", "people")
    assert coco_forms()["sheep"] == ("sheep",)


def test_another_vocabulary_has_another_revision():
    one = ObjectVocabulary(("a",), (("x",),), (((3,),),))
    assert one.revision == ObjectVocabulary(("a",), (("x",),), (((3,),),)).revision
    assert one.revision != ObjectVocabulary(("a",), (("x",),), (((4,),),)).revision


@pytest.mark.parametrize(
    ("given", "law"),
    [
        ((("a",), (), ()), "ObjectVocabulary.forms must have one entry an object; got 0 for 1 objects"),
        ((("a", "a"), ((), ()), ((), ())), "ObjectVocabulary.names must differ; got a, a"),
        ((("a",), (("x",),), (((),),)), "ObjectVocabulary.tokens must hold one token or more for each form"),
        ((("a",), (("x", "y"),), (((1,),),)), "ObjectVocabulary.tokens must hold one token or more for each form"),
    ],
)
def test_wrong_vocabularies_are_refused(given, law):
    with pytest.raises(ValueError, match=law):
        ObjectVocabulary(*given)
