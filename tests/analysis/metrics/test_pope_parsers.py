"""What counts as yes: every rule against loops over characters, and the quirks that its program has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics.parsers import MODES, PARSERS

# written to meet the quirks: words, marks and cases that the rules treat differently
pieces = st.sampled_from(["No", "no", "NO", "not", "yes", "Yes", "isn't", "isn’t", "know", "n't", ".", ",", " ", "  ", "\n", "a"])
answers = st.lists(pieces, max_size=8).map("".join)


def words_between_spaces(text):
    words, word = [], ""
    for character in text:
        if character == " ":
            words.append(word)
            word = ""
        else:
            word += character
    return [*words, word]


def without(text, marks):
    return "".join(character for character in text if character not in marks)


def by_hand(rule, text, label):
    if rule == "pope":
        sentence = ""
        for character in text:
            if character == ".":
                break
            sentence += character
        return "no" if any(word in ("No", "not", "no") for word in words_between_spaces(without(sentence, ","))) else "yes"
    if rule == "opera":
        words = words_between_spaces(without(text, ".,"))
        return "no" if any(word in ("No", "not", "no", "NO") or word[-3:] == "n't" for word in words) else "yes"
    if rule == "vcd":
        if label == "yes":
            return "yes" if "yes" in text.lower() else "no"
        return "no" if "no" in text.lower() else "yes"
    for word in ("yes", "no"):
        if text.lower().strip() == word:
            return word
    return ""


@pytest.mark.parametrize("rule", PARSERS)
@given(text=answers, label=st.sampled_from(["yes", "no"]))
def test_a_rule_is_that_of_the_loops(rule, text, label):
    assert PARSERS[rule](text, label) == by_hand(rule, text, label)


@pytest.mark.parametrize("rule", ["pope", "opera", "exact"])
@given(text=answers)
def test_three_rules_do_not_look_at_the_label(rule, text):
    assert PARSERS[rule](text, "yes") == PARSERS[rule](text, "no")
    assert "label-free" in MODES[rule]


@pytest.mark.parametrize(
    ("text", "pope", "opera", "exact"),
    [
        ("Yes", "yes", "yes", "yes"),
        ("No, there is no dog.", "no", "no", ""),
        ("There is not a dog", "no", "no", ""),
        ("", "yes", "yes", ""),
        ("NO", "yes", "no", "no"),
        ("There isn't a dog", "yes", "no", ""),
        ("There isn’t a dog", "yes", "yes", ""),
        ("no!", "yes", "yes", ""),
        ("No\n", "yes", "yes", "no"),
        ("Yes. No doubt", "yes", "no", ""),
        ("Yes.No", "yes", "yes", ""),
        ("No.", "no", "no", ""),
        ("None", "yes", "yes", ""),
        (".no", "yes", "no", ""),
        ("Nothing. not", "yes", "no", ""),
        ("yes.", "yes", "yes", ""),
        (" YES ", "yes", "yes", "yes"),
    ],
)
def test_quirks_of_the_label_free_rules(text, pope, opera, exact):
    assert [PARSERS[rule](text, "yes") for rule in ("pope", "opera", "exact")] == [pope, opera, exact]


@pytest.mark.parametrize(
    ("text", "if_yes", "if_no"),
    [
        ("Yes.", "yes", "yes"),
        ("No.", "no", "no"),
        ("I do not know, yes", "yes", "no"),
        ("snow", "no", "no"),
        ("I cannot tell", "no", "no"),
        ("", "no", "yes"),
        ("Eyesight", "yes", "yes"),
        ("A dog", "no", "yes"),
    ],
)
def test_vcds_rule_depends_on_the_label(text, if_yes, if_no):
    assert (PARSERS["vcd"](text, "yes"), PARSERS["vcd"](text, "no")) == (if_yes, if_no)
    assert "label-dependent" in MODES["vcd"]


def test_every_rule_says_what_it_does():
    assert set(MODES) == set(PARSERS)
