"""Fixed sentences: the tokens that are left possible, counts of planted choices, and the whole command on few scenes."""

import functools
import json

import numpy as np
import pytest
import torch

from analysis.form.__main__ import FormConfig, main
from analysis.form.findings import paragraph, verdict
from analysis.form.measures import COUNTS
from analysis.form.names import SHUFFLED
from analysis.form.results import results
from analysis.form.sentences import FORM, PLACES, FixedForm, longest, program, with_article
from analysis.form.trial import arms_of, counts, reduced_of
from analysis.question.images import shown
from analysis.question.question import by_name
from analysis.stats.rows import as_json
from probes.command.cli import BadInput
from probes.subjects.bundled import bundled
from tests.analysis.resamples import few

END = 2


class Words:
    """A tokenizer of whole words, to which 'polar bear' is two, and which knows a few."""

    unk_token_id = 0
    known = ("", "one", ".", "sees", "a", "an", "dog", "apple", "polar", "bear", "bed", "and")

    def __call__(self, text, add_special_tokens=False):
        words = text.replace(".", " .").split()
        return {"input_ids": [self.known.index(word) if word in self.known else 0 for word in words]}


FORMS = {"dog": ("dog", "dogs"), "apple": ("apple",), "bear": ("polar bear",)}


def test_the_form_in_tokens():
    steps = program(Words(), FORMS, "one sees {} and {}.")
    names = {4: {6: "dog", 8: {9: "bear"}}, 5: {7: "apple"}}
    assert steps == [(1, 3), names, (11,), names, (2,)]
    assert longest(steps) == 2 + 3 + 1 + 3 + 1 + 1
    assert [with_article(word) for word in ("dog", "umbrella")] == ["a dog", "an umbrella"]


@pytest.mark.parametrize(
    ("forms", "said"),
    [
        ({"cat": ("cat",)}, "cannot say"),
        ({"polar": ("polar",), "bear": ("polar bear",)}, "tell them apart"),
        ({"bear": ("polar bear",), "polar": ("polar",)}, "tell them apart"),
        ({"dog": ("dog",), "hound": ("dog",)}, "tell them apart"),
    ],
)
def test_objects_that_cannot_be_told_apart_are_refused(forms, said):
    with pytest.raises(BadInput, match=said):
        program(Words(), forms, "one sees {}.")


def test_each_row_says_the_form_and_chooses_its_likeliest_object():
    steps = program(Words(), FORMS, "one sees {} and {}.")
    form, ids = FixedForm(steps, END), torch.zeros((2, 1), dtype=torch.long)
    likes = torch.zeros(2, 12)
    likes[0, [4, 8]] = 5.0  # the first row likes bears, the second apples; both like a bed most, which is none of the objects
    likes[1, [5]] = 5.0
    likes[:, 10] = 9.0
    said = []
    for _ in range(longest(steps)):
        scores = form(ids, likes)
        assert torch.equal(scores[scores > -torch.inf], likes[scores > -torch.inf]), "scores of what is possible stay as they are"
        ids = torch.cat([ids, scores.argmax(-1, keepdim=True)], 1)
    said = [[Words.known[token] for token in row[1:]] for row in ids.tolist()]
    assert said[0] == ["one", "sees", "a", "polar", "bear", "and", "a", "polar", "bear", ".", "."]
    assert said[1][:8] == ["one", "sees", "an", "apple", "and", "an", "apple", "."]
    assert ids[1, 9].item() == END


@pytest.mark.parametrize("name", ["emoji", "smollm2"])
def test_both_bundled_subjects_can_say_the_form(name):
    if name == "smollm2":
        from probes.subjects.smollm2.model import build_processor

        tokenizer = build_processor().tokenizer
    else:
        from probes.subjects.emoji.model import build_tokenizer

        tokenizer = build_tokenizer()
    forms = bundled(name).forms()
    steps = program(tokenizer, forms)
    said = []
    for step, choice in zip(steps, [None, *[other for name in forms for other in (name, None)]], strict=False):
        if isinstance(step, tuple):
            said += step
        else:
            said += path(step, choice)
    names = [*forms][:PLACES]
    assert tokenizer.decode(said).strip() == FORM.format(*(with_article(forms[name][0]) for name in names))


def path(tree, name):
    """Tokens of an object, by looking everywhere."""
    for token, below in tree.items():
        if below == name:
            return [token]
        if isinstance(below, dict) and (found := path(below, name)):
            return [token, *found]
    return []


def sentence(*names):
    return FORM.format(*(with_article(name) for name in names))


PLAIN = sentence("dog", "cat", "dog", "bus", "cat", "dog", "clock")


def test_counts_of_a_caption_by_hand():
    text = sentence("dog", "cat", "dog", "bus", "bus", "dog", "apple")
    found = dict(zip(COUNTS, counts([text], [PLAIN], [frozenset({"dog", "cat", "boat"})])[0], strict=True))
    assert found == {
        **{"captions": 1, "places": 7, "absent": 3, "hallucinating": 1, "objects": 4},
        **{"recalled": 2, "truth": 3, "again": 3, "changed": 2},
    }


@functools.cache
def rows_of(better_places, scattered=True):
    """Of scenes with two objects at least; the arm names one of them in place of an absent one in as many scenes as that.

    Absent ones stand anywhere in the caption, so that no order of leaving out gets rid of them for nothing; or first in each.
    """
    scenes = shown(FormConfig(images=30), None)
    truth = [scenes.truth[item.image_id] for item in scenes.items]
    plain, arm = [], []
    for i, there in enumerate(truth):
        first, last = min(there), max(there)
        wrong = next(name for name in ("boat", "bus", "giraffe", "toilet") if name not in there)
        turned = 3 * i % PLACES if scattered else 0
        said, better = ([*two, first, last, first, first, first] for two in ((wrong, wrong), (first, first)))
        plain.append(sentence(*said[turned:], *said[:turned]))
        arm.append(sentence(*better[turned:], *better[:turned]) if i < better_places else plain[-1])
    reduced = reduced_of({"none": plain, "kvsmooth": arm}, scenes)
    with few():
        return results(reduced)


def test_a_planted_arm_that_leaves_absent_objects_out_is_found_and_one_that_changes_nothing_is_not():
    rows = {row.name: row for row in rows_of(20)}
    assert rows["absent/kvsmooth - none"].estimate < 0
    assert rows["absent/kvsmooth - none"].p_adjusted < 0.01
    assert rows["recall/kvsmooth - none"].estimate == 0
    assert rows["changed/kvsmooth"].estimate == pytest.approx(20 * 2 / (30 * 7))
    assert {row.role for name, row in rows.items() if name.startswith(("absent/kvsmooth -", "recall/kvsmooth -"))} == {"primary"}
    said = verdict(["none", "kvsmooth"], by_name(json.loads(as_json([*rows.values()], {}))["results"]))
    assert "with fewer absent objects among the different ones" in said
    assert "), beyond what leaving out gives; recall does not clearly change (" in said
    assert rows["kvsmooth/beyond every line/precision"].p_adjusted < 0.05
    same_place = {row.name: row for row in rows_of(20, scattered=False)}
    assert same_place["absent/kvsmooth - none"].p_adjusted < 0.01
    assert not same_place["kvsmooth/beyond every line/precision"].p_adjusted < 0.05, "leaving out these places does as much"
    nothing = {row.name: row for row in rows_of(0)}
    assert nothing["absent/kvsmooth - none"].estimate == 0
    assert not nothing["absent/kvsmooth - none"].p_adjusted < 0.05


def test_the_verdict_names_those_arms_that_do_the_same_or_the_few_that_do_not():
    effects = {"kvsmooth": 20, "inverse": 20, "constant:rate=0.6": 20, "kvsmooth:mix=random_direction": 0}
    rows = {}
    for arm, places in effects.items():
        found = by_name(json.loads(as_json(rows_of(places), {}))["results"])
        rows |= {name.replace("kvsmooth", arm): row for name, row in found.items()}
    assert verdict(["none", *effects], rows).count("), as under every other arm but a random direction, beyond what") == 1
    assert verdict(["none", "kvsmooth", "inverse"], rows).count("), as under inverse, beyond what leaving out gives; recall ") == 1
    apart = {f"absent/other {i} - none": rows["absent/kvsmooth:mix=random_direction - none"] for i in range(3)}
    assert (
        verdict(["none", "kvsmooth", "inverse", "constant:rate=0.6", "other 0", "other 1", "other 2"], rows | apart).count(
            "), as under inverse and constant:rate=0.6, beyond"
        )
        == 1
    )


def test_the_page_has_a_line_an_arm():
    found = json.loads(as_json(rows_of(20), {"n": 30, "config": {"level": 0.95}}, examples={"none": ["A dog."], "kvsmooth": ["A cat."]}))
    told = paragraph(["none", "kvsmooth"], by_name(found["results"]), found)
    assert "\n| none | " in told
    assert "\n| kvsmooth | " in told
    assert "> **none.** A dog." in told


@pytest.mark.parametrize(
    ("options", "said"),
    [({"methods": ()}, "must name a method"), ({"images": 0}, "images must be"), ({"max_new_tokens": 3}, "the sentences are given")],
)
def test_what_cannot_be_asked_is_told_in_one_line(options, said):
    with pytest.raises((BadInput, ValueError), match=said):
        FormConfig(**options)


def test_arms_keep_their_order_and_stand_once():
    assert [name for name, _ in arms_of(("constant:rate=0.6", SHUFFLED, "baseline", "kvsmooth"))] == [
        "constant:rate=0.6",
        SHUFFLED,
        "kvsmooth",
    ]
    with pytest.raises(BadInput, match="kvsmooth:rates=shuffled is named twice"):
        arms_of((SHUFFLED, SHUFFLED))


def test_a_method_that_cannot_serve_is_refused_before_anything_is_said(tmp_path):
    config = FormConfig(images=2, methods=("kvsmooth", "icd"), out=tmp_path / "out", page=tmp_path / "page.md", store=tmp_path / "store")
    with pytest.raises(BadInput, match=r"^icd: icd\.instruction must hold the token ids"):
        main(config)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples", "halved")
def test_the_command_asks_goes_on_and_redraws(tmp_path):
    places = {"out": tmp_path / "out", "page": tmp_path / "page.md", "store": tmp_path / "store"}
    config = FormConfig(images=3, methods=("kvsmooth:lambda_ref=0.9", SHUFFLED), **places)
    main(config)
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").glob("*.json")}
    found = json.loads((tmp_path / "out" / "form.json").read_text())
    for texts in found["examples"].values():
        assert all(text.startswith("The picture features a") and text.count(".") == 3 for text in texts)
    reduced = np.array([row["estimate"] for row in found["results"] if row["name"].startswith("places/")][:2])
    assert np.isfinite(reduced).all()
    before = (tmp_path / "page.md").read_text()
    main(config)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").glob("*.json")} == finished, "no arm is asked for again"
    main(FormConfig(redraw=True, **(places | {"page": tmp_path / "again.md"})))
    assert (tmp_path / "again.md").read_text().splitlines()[2:] == before.splitlines()[2:]
