"""AMBER against a slow transcription of its definition, hand-counted descriptions and the numbers that its reference prints."""

import json
import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.datasets.amber import AmberQuery, read_amber
from analysis.metrics.aggregate import compare, score
from analysis.metrics.amber import DIMENSIONS, AmberMetric, part_of
from analysis.metrics.amber_nouns import noun_lemma, nouns
from analysis.metrics.amber_reference import printed
from analysis.metrics.metric import Answer
from analysis.metrics.similarity import exact_match
from analysis.words.readers import Bundled, Exact
from probes.command.cli import BadInput, Notice

AMBER = read_amber(Path(__file__).parents[2] / "data" / "amber")
AMBER = replace(AMBER, queries={id: AmberQuery(id, 1 + id % 3, f"AMBER_{1 + id % 3}.jpg", "?") for id in AMBER.questions})


def alike(noun: str, word: str) -> bool:
    """A similarity that is not the identity: the same first letter."""
    return noun[0] == word[0]


alike.name = "same first letter"


def metric(similarity=exact_match, part="generative", reader=None) -> AmberMetric:
    return AmberMetric(AMBER, similarity, reader or Bundled(), part)


def of(id: int, text: str, **options):
    return metric(**options).records([Answer(id, text)])[0].found


def slow(kept: list[str], truth: list[str], hallu: list[str], similar) -> tuple[list[int], list[int], int]:
    """Flags per truth and hallu entry, and the number of hallucinated nouns: the definition, step by step."""

    def flat(entries):
        words, owner = [], []
        for position, entry in enumerate(entries):
            for word in AMBER.associations[entry]:
                words.append(word)
                owner.append(position)
        for position, entry in enumerate(entries):
            words.append(entry)
            owner.append(position)
        return words, owner

    safe, safe_owner = flat(truth)
    ha, ha_owner = flat(hallu)
    covered, imagined, hallucinated = [0] * len(truth), [0] * len(hallu), 0
    for noun in kept:
        if noun in AMBER.safe_words:
            continue
        if noun in safe:
            covered[safe_owner[safe.index(noun)]] = 1
            continue
        if noun in ha:
            imagined[ha_owner[ha.index(noun)]] = 1
        for j in range(len(ha)):
            if similar(noun, ha[j]):
                imagined[ha_owner[j]] = 1
                break
        fine = False
        for j in range(len(safe)):
            if similar(noun, safe[j]):
                covered[safe_owner[j]] = 1
                fine = True
                break
        if not fine:
            hallucinated += 1
    return covered, imagined, hallucinated


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(AMBER.vocabulary)), max_size=12),
    st.lists(st.sampled_from(sorted(AMBER.associations)), max_size=6),
    st.lists(st.sampled_from(sorted(AMBER.associations)), max_size=6),
    st.sampled_from((exact_match, alike)),
)
def test_a_description_equals_the_slow_transcription(named, truth, hallu, similarity):
    from analysis.datasets.amber import Description

    amber = replace(AMBER, descriptions={1: Description(tuple(truth), tuple(hallu))})
    record = AmberMetric(amber, similarity, Bundled(), "generative").records([Answer(1, " ".join(named))])[0].found
    kept = [noun_lemma(word) for word in named if noun_lemma(word) in AMBER.vocabulary]
    covered, imagined, hallucinated = slow(kept, truth, hallu, similarity)
    assert [mention.word for mention in record.mentions] == kept
    assert (list(map(int, record.covered)), list(map(int, record.imagined))) == (covered, imagined)
    assert sum(mention.hallucinated for mention in record.mentions) == hallucinated
    assert record.counts == (1, int(hallucinated > 0), len(kept), hallucinated, sum(covered), len(truth), sum(imagined), len(hallu))


def test_a_description_counted_by_hand():
    # truth: sky, forest, grass, person, lake, mountain, road; hallu: cloud, sun, bird, dog, flower
    text = "Two dogs and a woman on a road by a lake; a dog, a sign and a boat."
    record = of(1, text)
    assert [(m.word, m.object, m.hallucinated) for m in record.mentions] == [
        ("dog", "dog", True),
        ("woman", "person", False),
        ("road", "road", False),
        ("lake", "lake", False),
        ("dog", "dog", True),
        ("sign", "sign", False),  # a safe word: never hallucinated, counted among the nouns
        ("boat", "boat", True),
    ]
    assert [text[m.start : m.end] for m in record.mentions] == ["dogs", "woman", "road", "lake", "dog", "sign", "boat"]
    assert record.mentions[1].tokens == (4, 5)
    assert record.counts == (1, 1, 7, 3, 3, 7, 1, 5)
    assert record.as_dict()["recalled"] == ["person", "lake", "road"]
    assert record.as_dict()["imagined"] == ["dog"]
    json.dumps(record.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("id", "text", "words", "recalled", "absent"),
    [
        (1, "", [], [], 0),
        (1, "   ", [], [], 0),
        (1, "Dogs and People, Birds", [], [], 0),  # nothing is lower-cased
        (1, "men with vases and leaves", [], [], 0),  # no lemma in the vocabulary
        (1, "chopsticks, earrings and slippers", [], [], 0),  # in the vocabulary, and can never be produced
        (1, "children", ["child"], [], 1),
        (1, "a girl", ["girl"], ["person"], 0),  # one way: person stands for girl
        (2, "a house", ["house"], [], 1),  # building does not stand for house, though house does for building
        (2, "a ship, a ship, ships", ["ship"] * 3, ["ship"], 0),  # annotated twice, covered once
        (316, "a tree", ["tree"], ["forest"], 0),  # the association comes before the word
        (316, "a tree and a forest", ["tree", "forest"], ["forest", "tree"], 0),  # and the other way round
        (18, "a tree", ["tree"], ["tree"], 0),  # in truth and hallu: seen wins
    ],
)
def test_quirks_of_the_reference(id, text, words, recalled, absent):
    record = of(id, text)
    assert [mention.word for mention in record.mentions] == words
    assert (record.as_dict()["recalled"], sum(mention.hallucinated for mention in record.mentions)) == (recalled, absent)


def test_a_similar_word_is_seen_and_imagined_at_once():
    record = of(1, "a lamp", similarity=alike)  # l: leave, an association of forest, comes before lake
    assert (record.as_dict()["recalled"], record.as_dict()["imagined"]) == (["forest"], [])
    record = of(1, "a fork", similarity=alike)  # f: forest was seen, flower was expected
    assert (record.as_dict()["recalled"], record.as_dict()["imagined"], record.mentions[0].hallucinated) == (["forest"], ["flower"], False)
    assert record.mentions[0].object == "forest"


def test_exact_nouns_are_those_that_the_tagger_names(nltk_data):
    text = 'The light breeze moves. "A bright light" stands near two dogs, and People watch a watch.The bird sings.'
    assert [noun.text for noun in nouns(text, "bundled", AMBER.vocabulary)] == ["light", "light", "dog", "watch", "bird"]
    if not nltk_data:
        with pytest.raises(BadInput, match="Exact words need"):
            nouns(text, "exact", AMBER.vocabulary)
    else:
        import nltk

        tagged = nltk.pos_tag(nltk.word_tokenize(text))
        wanted = [noun_lemma(word) for word, tag in tagged if tag.startswith("NN") and noun_lemma(word) in AMBER.vocabulary]
        found = nouns(text, "exact", AMBER.vocabulary)
        assert [noun.text for noun in found] == wanted
        assert [tagged[noun.first][0] for noun in found] == [text[noun.start : noun.end] for noun in found]
        record = of(1, text, reader=Exact())
        assert [mention.word for mention in record.mentions] == wanted
        assert metric(reader=Exact()).mode == "exact words, exact match"


DESCRIPTIONS = {1: "A dog and a road.", 2: "A ship under the sky.", 3: "", 4: "A cloud, a car and a car."}


def generative_total(answers) -> np.ndarray:
    return np.sum([record.counts for record in metric().records([Answer(id, text) for id, text in answers.items()])], axis=0, dtype=float)


def test_measures_of_descriptions_are_ratios_of_sums():
    got = metric().ratios(generative_total(DESCRIPTIONS))
    covered, imagined, hallucinated, kept, bad = 0, 0, 0, 0, 0
    for id, text in DESCRIPTIONS.items():
        words = [noun.text for noun in nouns(text, "bundled", AMBER.vocabulary)]
        description = AMBER.descriptions[id]
        flags, ha_flags, absent = slow(words, list(description.truth), list(description.hallu), exact_match)
        covered, imagined, hallucinated, kept, bad = (
            covered + sum(flags),
            imagined + sum(ha_flags),
            hallucinated + absent,
            kept + len(words),
            bad + (absent > 0),
        )
    truth = sum(len(AMBER.descriptions[id].truth) for id in DESCRIPTIONS)
    hallu = sum(len(AMBER.descriptions[id].hallu) for id in DESCRIPTIONS)
    wanted = {"chair": hallucinated / kept, "cover": covered / truth, "hal": bad / 4, "cog": imagined / hallu}
    assert {name: float(value) for name, value in got.items()} == pytest.approx(wanted)


def test_what_the_reference_prints():
    total = generative_total(DESCRIPTIONS)
    ratios, shown = metric().ratios(total), printed(metric(), total)
    assert {name: round(100 * float(value), 1) for name, value in ratios.items() if name != "hal"} == {
        name: value for name, value in shown.items() if name != "hal"
    }
    nothing = np.zeros(len(metric().counts))
    assert printed(metric(), nothing) == {"chair": 0.0, "cover": 0.0, "hal": 100.0, "cog": 0.0}
    assert printed(metric(), generative_total({1: "A road."}))["hal"] == 0.1  # one clean description
    assert all(math.isnan(value) for value in metric().ratios(nothing).values())
    assert set(metric().reasons(nothing)) == {"chair", "cover", "hal", "cog"}


ANSWERS = st.lists(
    st.sampled_from(("Yes", "No", "no", "Yes.", "", "No, it is not.")), min_size=len(AMBER.questions), max_size=len(AMBER.questions)
)


@settings(max_examples=12, deadline=None)
@given(ANSWERS)
def test_questions_equal_plain_counting_and_the_printed_numbers(said):
    asked = metric(part="discriminative")
    answers = [Answer(0, text, str(id)) for id, text in zip(AMBER.questions, said, strict=True)]
    neither = sum(text not in ("Yes", "No") for text in said)
    with pytest.warns(Notice, match=f"{neither} of {len(said)} answers") if neither else nullcontext():
        records = asked.records(answers)
    total = np.sum([record.counts for record in records], axis=0, dtype=float)
    got, shown = asked.ratios(total), printed(asked, total)
    groups = {"": DIMENSIONS, "attribute": ("state", "number", "action")} | {name: (name,) for name in DIMENSIONS}
    for group, members in groups.items():
        rows = [(q.yes, text) for q, text in zip(AMBER.questions.values(), said, strict=True) if q.dimension in members]
        right = sum(text == ("Yes" if yes else "No") for yes, text in rows)
        caught = sum(not yes and text == "No" for yes, text in rows)
        denied, absent = sum(text == "No" for _, text in rows), sum(not yes for yes, _ in rows)
        name = f"{group}_" if group else ""
        precision = caught / denied if denied else math.nan
        recall = caught / absent
        f1 = 2 * precision * recall / (precision + recall) if denied and precision + recall else math.nan
        wanted = (right / len(rows), precision, recall, f1)
        assert [float(got[name + rate]) for rate in ("accuracy", "precision", "recall", "f1")] == pytest.approx(wanted, nan_ok=True)
        # the reference: counters of each attribute begin at 0.001, F1 is made of rounded values
        slack = 0.003 if group == "attribute" else 0.001
        p, r = round(caught / (denied + slack) * 100, 1), round(caught / (absent + slack) * 100, 1)
        more = 0.001 if group == "existence" else 0.0001
        assert shown[name + "accuracy"] == round(right / (len(rows) + slack) * 100, 1)
        assert (shown[name + "precision"], shown[name + "recall"]) == (p, r)
        assert shown[name + "f1"] == round(2 * (p / 100) * (r / 100) / (p / 100 + r / 100 + more) * 100, 1)


def test_intervals_pairs_and_the_score_of_both_parts():
    both = metric(part="all")
    questions = [Answer(0, "No" if id % 2 else "Yes", str(id)) for id in AMBER.questions]
    answers = [Answer(id, text) for id, text in DESCRIPTIONS.items()] + questions
    records = both.records(answers)
    assert {record.image_id for record in records} == {1, 2, 3, 4}  # questions are asked of the images that their queries name
    found = score(both, records)
    assert found.metrics["amber_score"] == pytest.approx((1 - found.metrics["chair"] + found.metrics["f1"]) / 2)
    assert (found.answers, found.images) == (len(answers), 4)
    rows = compare(both, {"baseline": records, "other": both.records(answers[::-1])}, "baseline")
    tested = [row for row in rows if row.role == "primary"]
    assert [row.where["measure"] for row in tested] == ["chair", "cover", "hal", "cog", "f1"]
    assert all(row.estimate == 0 for row in tested)
    assert part_of(AMBER, answers) == "all"
    assert (part_of(AMBER, answers[:4]), part_of(AMBER, questions)) == ("generative", "discriminative")


@pytest.mark.parametrize(
    ("answers", "part", "told"),
    [
        ([Answer(77777, "A dog.")], "all", "AMBER has no annotation 77777"),
        ([Answer(1, "A dog."), Answer(1, "A cat.")], "all", "AMBER's 1 is answered twice"),
        ([Answer(1, "A dog.")], "discriminative", "1 is not of the discriminative part"),
        ([Answer(0, "No", "1005")], "generative", "1005 is not of the generative part"),
        ([Answer(0, "No", "random/5")], "all", "must be an annotation's id; got 'random/5'"),
    ],
)
def test_answers_that_do_not_belong(answers, part, told):
    with pytest.raises(BadInput, match=told):
        metric(part=part).records(answers)


def test_questions_without_their_images_are_told():
    with pytest.raises(BadInput, match=r"AmberMetric\.part must be one of"):
        metric(part="poetic")
    alone = AmberMetric(replace(AMBER, queries={}), exact_match, Bundled(), "discriminative")
    with pytest.warns(Notice, match="query files are not there"):
        records = alone.records([Answer(1005, "Yes", "1005"), Answer(1006, "No", "1006")])
    assert [record.image_id for record in records] == [1005, 1006]
    assert [record.as_dict()["right"] for record in records] == [True, True]
