"""What callers give: whole numbers of any kind, and nothing else for them."""

import contextlib
import io

import numpy as np
import pytest
import torch

from probes.command.cli import BadInput
from probes.command.values import LARGEST, check_temperature, check_text, whole


@pytest.mark.parametrize("value", [5, np.int64(5), np.uint8(5), np.array(5), torch.tensor(5)], ids=lambda value: type(value).__name__)
def test_what_counts_is_a_number(value):
    assert (whole(value, "x"), type(whole(value, "x"))) == (5, int)


@pytest.mark.parametrize(
    "value", [5.0, 1.5, np.float64(5), True, np.True_, "5", None, float("nan"), np.array([1, 2]), torch.tensor(5.0)], ids=repr
)
def test_what_does_not_count_is_refused_in_one_line(value):
    with pytest.raises(BadInput, match=r"^f\.n must be an integer from 0 on; got ") as caught:
        whole(value, "f.n")
    assert "\n" not in str(caught.value)


def test_bounds_are_part_of_what_is_allowed():
    assert [whole(value, "n", 1, 3) for value in (1, 3)] == [1, 3]
    for value, law in ((0, "a positive integer; got 0"), (4, "at most 3; got 4"), (10**30, "at most 3")):
        with pytest.raises(BadInput, match=rf"^n must be {law}"):
            whole(value, "n", 1, 3)
    with pytest.raises(BadInput, match=rf"at most {LARGEST}; got 9223372036854775808 \(image 3\)\.$"):
        whole(2**63, "n", where="image 3")


def test_a_temperature_is_one_that_logits_can_be_divided_by():
    for value in (1e-6, 1, 0.7, 1e6):
        check_temperature(value, "t")
        assert torch.isfinite(torch.tensor([1e4, -1e4]) / value).all()
    for value in (0, -1, 1e-300, float("inf"), float("nan"), True, "1"):
        with pytest.raises(BadInput, match=r"^t must lie from 1e-06 to 1e\+06; got "):
            check_temperature(value, "t")


def test_a_text_is_one_that_a_file_can_hold():
    check_text("schön 🦆", "t")
    with pytest.raises(BadInput, match=r"^t must be UTF-8; it is not at character 2: 'a\\udcff'\.$"):
        check_text("a\udcff", "t")


CALLS = """
import numpy as np
from analysis.answering.answering import Answering
from probes import load_subject, record
from probes.fork import fork
from probes.regimes import record_inputs
from probes.sequence import with_captions
subject = load_subject("emoji")
items = subject.items(np.int64(1))
inputs = subject.encode(items)
replay = lambda caption, **options: record(subject, items, regime="replay", captions={items[0].image_id: caption}, **options)
for call in (
    lambda: subject.items(1.5),
    lambda: record(subject, items, batch_size=1.5),
    lambda: record(subject, items, max_new_tokens=2.5),
    lambda: record(subject, items, max_new_tokens=True),
    lambda: record(subject, items, seed=0.5),
    lambda: replay([1.5]),
    lambda: replay([True]),
    lambda: replay(np.array([7.0])),
    lambda: replay(b"cat"),
    lambda: replay(3),
    lambda: record_inputs(subject.model, inputs, max_new_tokens=2.5),
    lambda: record_inputs(subject.model, inputs, captions=[[7, 1.5]]),
    lambda: with_captions(subject.model, inputs, [[7, 1.5]]),
    lambda: fork(subject, items, [[7, 8]], [[0.5]]),
    lambda: fork(subject, items, [[7, 8.5]], [[0]]),
    lambda: fork(subject, items, [[7, 8]], [[0]], batch_size=1.5),
    lambda: Answering(max_new_tokens=2.5),
    lambda: Answering(seed=0.5),
):
    try:
        print("taken:", call())
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
numbers = {"batch_size": np.int64(1), "max_new_tokens": np.int32(2), "seed": np.uint8(1)}
taken = replay(np.array([7, 8]), **numbers, recorders=("entropy",), progress=False)
print(taken.token_predicted.values.tolist(), taken.image.values.tolist())
"""
TOLD = """
Subject.items.n must be an integer from 0 on; got 1.5.
record.batch_size must be a positive integer; got 1.5.
record.max_new_tokens must be a positive integer; got 2.5.
record.max_new_tokens must be a positive integer; got True.
record.seed must be an integer from 0 on; got 0.5.
a token of a caption must be an integer from 0 on; got 1.5 (image {0}).
a token of a caption must be an integer from 0 on; got True (image {0}).
a token of a caption must be an integer from 0 on; got np.float64(7.0) (image {0}).
record: captions must be texts or token ids; got bytes (image {0}).
record: captions must be texts or token ids; got int (image {0}).
record_inputs.max_new_tokens must be a positive integer; got 2.5.
a token of a caption must be an integer from 0 on; got 1.5 (row 0).
with_captions.captions must be an integer from 0 on; got 1.5.
fork.steps must lie from 0 to 1 in the caption of image {0}; got 0.5.
a token of a caption must be an integer from 0 on; got 8.5.
fork.batch_size must be a positive integer; got 1.5.
Answering.max_new_tokens must be a positive integer; got 2.5.
Answering.seed must be an integer from 0 on; got 0.5.
"""


def called(connection):
    """Sends what `CALLS` say."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(CALLS, {})
    connection.send(said.getvalue())


@pytest.mark.slow
def test_the_api_refuses_what_is_no_whole_number_and_takes_those_of_numpy():
    """In a process of its own: here types would be checked before any line of ours runs."""
    from probes.command.processes import imported
    from probes.subjects.emoji import scenes

    ours, theirs = imported().Pipe()
    process = imported().Process(target=called, args=(theirs,))
    process.start()
    theirs.close()
    *told, taken = ours.recv().splitlines()
    process.join()
    image = scenes(1)[0].image_id
    assert told == [f"BadInput: {line.format(image)}" for line in TOLD.strip().splitlines()]
    assert taken == f"[[[7, 8]]] [{image}]"
