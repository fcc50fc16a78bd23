"""Sentences of smollm2's captions read back for its card."""

from analysis.card.sentences import KINDS, shares
from probes.subjects.bundled import own_scenes
from probes.subjects.smollm2.captions import describe
from probes.subjects.smollm2.phrases import PHRASES
from probes.subjects.smollm2.words import object_forms


def test_there_is_a_row_for_each_kind_of_sentence():
    assert set(KINDS) == {"any", *PHRASES}


def test_captions_of_the_grammar_are_written_and_true():
    drawn = own_scenes("smollm2", 40)
    got = shares([describe(item) for item in drawn], drawn)
    assert got["written"] == 1
    assert got["any_true"] == 1
    assert got["opening_claims"] == 1
    assert 5 <= got["any_claims"] <= 9


def test_another_scene_s_caption_is_written_and_mostly_false():
    drawn = own_scenes("smollm2", 40)
    got = shares([describe(item) for item in drawn[1:] + drawn[:1]], drawn)
    assert got["written"] == 1
    assert got["any_true"] < 0.4


def test_what_the_grammar_cannot_say_and_an_object_beside_itself():
    (scene,) = own_scenes("smollm2", 1)
    word = object_forms()[scene.objects[0].category][0]
    beside = f"The {word} is further to the right than the {word}."
    got = shares([f"Quite broken text, and a spoon. {beside}"], [scene])
    assert got["any_claims"] == 2
    assert got["written"] == 0.5
    assert got["side_itself"] == 1
    assert got["side_true"] == 0
    assert got["any_true"] == 0
