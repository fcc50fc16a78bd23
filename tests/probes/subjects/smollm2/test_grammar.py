"""Templates with choices."""

import numpy as np

from probes.subjects.smollm2.grammar import alternatives, expansions, fill, phrasings, pick
from probes.subjects.smollm2.phrases import PHRASES


def test_choices_are_expanded():
    template = "[The|A] {a} [sleeps|runs]."
    assert alternatives(template) == [["The", "A"], ["sleeps", "runs"]]
    assert expansions(template) == ["The {a} sleeps.", "The {a} runs.", "A {a} sleeps.", "A {a} runs."]
    assert phrasings((template, "It rains.")) == 5


def test_a_pick_is_one_of_the_expansions_and_every_one_comes_up():
    templates = ("[The|A] {a} [sleeps|runs].", "It rains.")
    generator = np.random.default_rng(0)
    found = {pick(templates, generator, set()) for _ in range(200)}
    assert found == {said for template in templates for said in expansions(template)}


def test_a_template_is_picked_once():
    used: set[str] = set()
    generator = np.random.default_rng(0)
    assert {pick(("One.", "Two."), generator, used), pick(("One.", "Two."), generator, used)} == {"One.", "Two."}
    assert used == {"One.", "Two."}


def test_a_slot_with_a_capital_begins_a_sentence():
    assert fill("{Things} of {things}", things="a dog") == "A dog of a dog"


def test_every_kind_of_sentence_has_thirty_phrasings_and_no_two_are_the_same():
    for kind, templates in PHRASES.items():
        said = [sentence for template in templates for sentence in expansions(template)]
        assert len(said) == phrasings(templates) >= 30, kind
        assert len(set(said)) == len(said), kind
