"""Whole names at forks of a caption: equal to the plain replay of prefix and name, in both arms, on every family."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from PIL import Image

from kvsmooth import KVSmooth
from probes import load_subject, record
from probes.command.cli import BadInput
from probes.fork import _longest, fork
from probes.objects import ObjectVocabulary
from probes.subjects import Item
from probes.tracing.tokens import Forcing
from probes.tracing.tracing import Tracing
from tests import zoo
from tests.rounding import SUM, assert_close, bound, of_model

# one token; two forms that share their beginning; a form that begins with another (counted once); three tokens; none
OBJECTS = ObjectVocabulary(
    ("cat", "hot dog", "ski", "far", "silent"),
    (("a", "b"), ("c", "d"), ("e", "f"), ("g",), ()),
    (((17,), (18,)), ((23, 31), (23, 32)), ((40,), (40, 9)), ((23, 31, 12),), ()),
)
COUNTED = (((17,), (18,)), ((23, 31), (23, 32)), ((40,),), ((23, 31, 12),), ())
CAPTIONS = ([7, 9, 30, 22, 8], [12, 13, 41])
STEPS = ([0, 3], [2])
FAST = ("llava",)
ARMS = ("baseline", "after", "recompute")
OTHERS = [name for name in zoo.FAMILIES if name not in FAST]
TIERS = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
ASKED = dict.fromkeys(FAST, ARMS) | {name: (arm,) for name, arm in zoo.turns(OTHERS, ARMS[1:])}
"""What an arm that smooths is asked, the baseline is asked too: on the rest of the zoo the arms that smooth, in turn."""


@dataclasses.dataclass
class Rows:
    """A subject out of the zoo: an item is a row of its batch."""

    model: torch.nn.Module
    inputs: dict

    def __post_init__(self):
        self.tracing = Tracing(self.model)

    def encode(self, items):
        rows = [item.image_id for item in items]
        return {name: value.view(2, -1, *value.shape[1:])[rows].reshape(-1, *value.shape[1:]) for name, value in self.inputs.items()}


def items():
    return [Item(row, Image.new("RGB", (1, 1))) for row in range(2)]


def arms(model):
    layers = range(len(zoo.decoder_of(model).layers))
    return {"baseline": None, "after": KVSmooth(layers=layers, window=2), "recompute": KVSmooth(layers=layers, timing="recompute")}


def brute_force(subject, row, prefix, path, arm):
    """Log-probability of a path behind a prefix: one plain generation with both forced, alone in its batch."""
    inputs = subject.encode([items()[row]])
    said = [*prefix, *path]
    options = {"max_new_tokens": len(said), "return_dict_in_generate": True, "output_logits": True, "disable_compile": True}
    options["logits_processor"] = [Forcing([said], len(said), 0)]
    if arm is None:
        logits = subject.model.generate(**inputs, **options).logits
    else:
        with arm(subject.model):
            logits = subject.model.generate(**inputs, **options).logits
    steps = range(len(prefix), len(said))
    return sum(float(logits[step][0].double().log_softmax(-1)[said[step]]) for step in steps)


@pytest.mark.parametrize("family", TIERS)
def test_forks_equal_the_replay_of_prefix_and_name(family):
    model, inputs = zoo.build(family, attn="sdpa", seed=0, batch=2)
    subject = Rows(model, inputs)
    plain = {"max_new_tokens": 4, "return_dict_in_generate": True, "output_logits": True}
    before = torch.stack(model.generate(**inputs, **plain).logits)
    for name in ASKED[family]:
        arm = arms(model)[name]
        found = fork(subject, items(), CAPTIONS, STEPS, arm, OBJECTS, batch_size=3)
        assert found.image.tolist() == [0, 0, 1]
        assert found.step.tolist() == [0, 3, 2]
        # all, or on the rest of the zoo one fork and names of several tokens: brute force takes a generation for each form
        replayed = range(3) if family in FAST else [ARMS.index(name)]
        names = range(4) if family in FAST else (1, 3)
        for i, (row, step) in enumerate(zip(found.image, found.step, strict=True)):
            for j, said in enumerate(COUNTED):
                slow = [brute_force(subject, row, CAPTIONS[row][:step], path, arm) for path in said if i in replayed and j in names]
                if slow:
                    assert found.name[i, j] == pytest.approx(math.log(sum(map(math.exp, slow))), abs=bound(slow))
            assert np.isnan(found.name[i, -1])
            assert (found.name[i, :-1] <= found.first[i, :-1] + SUM).all()
        # a name of one token is its first token; so is one whose longer form is part of it
        assert_close(found.name[:, [0, 2]], found.first[:, [0, 2]], SUM)
    assert torch.equal(before, torch.stack(model.generate(**inputs, **plain).logits))


@pytest.mark.parametrize("smooth", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_first_tokens_are_those_of_the_lens(smooth):
    subject = load_subject("emoji")
    given, arm = subject.items(2), KVSmooth() if smooth else None
    recording = record(subject, given, {"arm": arm}, recorders=("lens",), max_new_tokens=6, progress=False)
    captions = [recording["token_predicted"].values[0, i, : int(recording["n_steps"][0, i])].tolist() for i in range(2)]
    steps = ([2, 5], [])
    found = fork(subject, given, captions, steps, arm)
    assert found.objects == tuple(recording["object"].values)
    for i, step in enumerate(steps[0]):
        assert_close(found.first[i], recording["object_logprob"].values[0, 0, step], of_model(subject.model))
    single = np.array(subject.objects.single)
    assert_close(found.name[:, single], found.first[:, single], SUM)
    assert 0 < (~single).sum() < 10


def test_the_fewest_branches_that_reach_every_token():
    assert _longest({(1, 2), (1, 3), (1, 2, 4), (5, 6), (7, 8, 9), (7, 8, 1)}) == [(1, 2, 4), (7, 8, 1), (5, 6)]


def test_no_forks_and_wrong_forks():
    model, inputs = zoo.build("llama", seed=0, batch=2)
    subject = Rows(model, inputs)
    assert fork(subject, items(), CAPTIONS, ([], []), None, OBJECTS).name.shape == (0, 5)
    with pytest.raises(BadInput, match=r"fork.captions must hold a token .* that of image 1 is empty"):
        fork(subject, items(), (CAPTIONS[0], []), ([], [0]), None, OBJECTS)
    with pytest.raises(BadInput, match=r"fork.steps must lie from 0 to 2 in the caption of image 1; got 3"):
        fork(subject, items(), CAPTIONS, ([0], [3]), None, OBJECTS)
    with pytest.raises(BadInput, match="got 2 items, 2 captions and 1 lists"):
        fork(subject, items(), CAPTIONS, ([0],), None, OBJECTS)
