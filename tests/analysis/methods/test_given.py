"""What methods must be given, of both bundled subjects: made of training scenes, left no trace in the model, and part of an arm's key."""

import functools
import re

import pytest
import torch

from analysis.captions.speaker import Speaker
from analysis.methods import given as module
from analysis.methods.given import CAPTIONS, INSTRUCTION, MAKERS, PAIRS, Given, given, kept
from analysis.methods.strengths import LEFT_OUT, NEUTRAL, at, settings
from analysis.methods.trial import made_beforehand
from kvsmooth.baselines import METHODS
from kvsmooth.baselines.skip_newline import newline_tokens
from probes.command.cli import BadInput
from probes.subjects.bundled import own_scenes
from probes.subjects.emoji import captions as of_emoji
from probes.subjects.smollm2 import captions as of_smollm2
from tests.analysis import loaded as subjects

SUBJECTS = ["emoji", pytest.param("smollm2", marks=pytest.mark.slow)]
TOLD = {
    "vti": "directions of 2 pairs of captions of training scenes",
    "adaiat": r"statistics of \d+ mentions of real objects and \d+ of hallucinated ones in 5 captions of training scenes",
    "icd": '"You are a confused object detector." as its instruction',
}


def loaded(of):
    """What is made for a method is made so for any model; of the larger subject, half would have to be loaded besides the whole."""
    return subjects.lower_half(of) if of == "emoji" else subjects.loaded(of)


@pytest.fixture
def few(monkeypatch):
    """Fewer pairs and captions: what is made of them is the same."""
    assert (PAIRS, CAPTIONS) == (50, 100)
    monkeypatch.setattr(module, "PAIRS", 2)
    monkeypatch.setattr(module, "CAPTIONS", 5)


def says(subject, method=None):
    """Two tokens of a caption, with logits."""
    wanted = {"max_new_tokens": 2, "min_new_tokens": 2, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    inputs = subject.encode(subject.items(1))
    with torch.inference_mode():
        if method is None:
            return torch.stack(subject.model.generate(**inputs, **wanted).logits)
        with method(subject.model):
            return torch.stack(subject.model.generate(**inputs, **wanted).logits)


@functools.cache
def said(of):
    """What a subject says as it is loaded; it says the same whenever no method is open."""
    return says(loaded(of))


@pytest.mark.parametrize(
    ("of", "name"),
    [
        *(("emoji", name) for name in MAKERS if name != "icd"),
        *(pytest.param("smollm2", name, marks=pytest.mark.slow) for name in ("vti", "icd")),
    ],
)
def test_what_is_given_opens_the_method_at_each_strength_and_leaves_no_trace(of, name, few):
    subject = loaded(of)
    before, found = given_without_a_trace(name, subject)
    assert re.fullmatch(TOLD[name], found.told)
    made = settings(name, (0.5, 1.0, 2.0), found.options)
    assert [one.strength for one in made] == [0.5, 1.0, 2.0]
    assert made[1].options.describe() == METHODS[name](**found.options).describe()
    strong = says(subject, at(name, 2.0, found.options))
    assert not torch.allclose(strong, before, atol=1e-3)
    off = at(name, 0.0, found.options)
    assert {option: getattr(off, option) for option in NEUTRAL[name]} == NEUTRAL[name]


def given_without_a_trace(name, subject):
    """What the subject says before, and what the method is given; the subject says the same thereafter."""
    before = said(subject.name)
    found = given(name, subject)
    assert subject.model.config._attn_implementation == subject.model.config.get_text_config()._attn_implementation == "sdpa"
    assert torch.equal(says(subject), before)
    return before, found


def test_a_subject_that_does_not_know_the_words_is_given_the_reason():
    _, found = given_without_a_trace("icd", loaded("emoji"))
    assert found == "the subject does not know words of its disturbing instruction (You, confused, object, detector)"


def test_most_methods_are_given_nothing():
    assert {*MAKERS} <= {*NEUTRAL}
    for name in {*NEUTRAL} - {*MAKERS}:
        found = given(name, loaded("emoji"))
        assert (found.options, found.told) == ({}, "")


@pytest.mark.slow
def test_a_subject_that_knows_the_words_is_told_to_be_confused():
    subject = loaded("smollm2")
    found = given("icd", subject)
    assert subject.tokenizer.decode(list(found.options["instruction"])) == INSTRUCTION


def test_methods_that_cannot_be_given_theirs_are_put_aside(monkeypatch, tmp_path):
    aside = {}
    made = made_beforehand(["pai", "icd"], loaded("emoji"), aside, tmp_path)
    assert not list(tmp_path.iterdir()), "nothing was made"
    assert list(made) == ["pai"]
    assert "disturbing instruction" in aside["icd"]
    with pytest.raises(BadInput, match="--methods icd: none of them can be tried: the subject does not know words") as refused:
        made_beforehand(["icd"], loaded("emoji"), {}, tmp_path)
    assert "\n" not in str(refused.value)
    monkeypatch.setattr(module, "CAPTIONS", 0)
    assert given("adaiat", loaded("emoji")) == "0 captions of training scenes name no real object, which its statistics need"


def test_what_was_made_is_kept_and_not_made_again(tmp_path, monkeypatch, few):
    subject = loaded("emoji")
    first = kept("vti", subject, tmp_path)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    monkeypatch.setattr(module, "MAKERS", {"vti": lambda subject: pytest.fail("it was made before")})
    again = kept("vti", subject, tmp_path)
    assert again.told == first.told
    assert METHODS["vti"](**again.options).describe() == METHODS["vti"](**first.options).describe()
    assert file.stat().st_mtime_ns == written
    file.write_bytes(b"torn")
    with pytest.raises(BadInput, match="is damaged") as refused:
        kept("vti", subject, tmp_path)
    assert "\n" not in str(refused.value)
    monkeypatch.undo()
    monkeypatch.setattr(module, "PAIRS", 3)
    assert kept("vti", subject, tmp_path).told.startswith("directions of 3 pairs")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_given_is_part_of_an_arms_key(tmp_path):
    subject = loaded("emoji")
    speaker = Speaker(subject, subject.items(1), 1, 10, tmp_path)
    one, other = torch.eye(3, 4), 2 * torch.eye(3, 4)

    def statistics(real):
        return {"statistics": {"ratio": torch.ones(3, 2), "real": torch.full((3,), real), "hallucinated": torch.zeros(3)}}

    for name, first, same, second in (
        ("vti", {"directions": one}, {"directions": one.clone()}, {"directions": other}),
        ("adaiat", statistics(0.3), statistics(0.3), statistics(0.4)),
        ("icd", {"instruction": (5, 6)}, {"instruction": (5, 6)}, {"instruction": (5, 7)}),
    ):
        paths = [speaker.path(name, at(name, 1.0, options)) for options in (first, same, second)]
        assert paths[0] == paths[1] != paths[2]


@pytest.mark.parametrize("of", SUBJECTS)
def test_captions_that_the_subjects_learned_hold_no_lines_end(of):
    """As the reason for which `skip_newline` is left out says; emoji's tokenizer does not even know one."""
    assert "line's end" in LEFT_OUT["skip_newline"]
    describe = {"emoji": of_emoji, "smollm2": of_smollm2}[of].describe
    assert not any("\n" in describe(scene) for scene in own_scenes(of, 40, "train"))
    assert bool(newline_tokens(loaded(of).tokenizer)) == (of == "smollm2")


def test_options_alone_are_what_is_handed_on():
    made = Given({"directions": torch.eye(3, 4)}, "of nothing")
    assert at("vti", 1.0, made.options).describe()["directions"]["shape"] == [3, 4]
