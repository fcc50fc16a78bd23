"""Batches in this process: order, tries, what a bad item costs, interrupts."""

import os
import re
import signal
import socket
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.engine import ENGINES, Batch, LocalEngine, RayEngine, engine
from analysis.engine.interrupt import Interrupt
from probes.command.cli import BadInput
from tests.analysis.engine.workers import Squares, batches, by_key, cannot_be_made


@settings(max_examples=60, deadline=None)
@given(items=st.integers(0, 20), size=st.integers(1, 7), bad=st.sets(st.integers(0, 19)))
def test_bad_items_are_set_aside_and_no_other(items, size, bad):
    tries = []

    def make():
        def work(payloads):
            tries.append(payloads)
            return Squares(raises=tuple(bad)).work(payloads)

        return work

    given_batches = batches(items, size)
    lists = list(LocalEngine().run(make, given_batches))
    found = by_key(lists)
    assert list(found) == [str(i) for i in range(items)], "the order of the batches"
    for i in range(items):
        assert (found[str(i)].result, found[str(i)].error) == ((None, f"ValueError: {i} is bad") if i in bad else (i * i, ""))
    # a batch is tried once, and only if it failed its items are, once each
    expected = []
    for batch in given_batches:
        expected.append(batch.payloads)
        if bad & set(batch.payloads):
            expected += [(payload,) for payload in batch.payloads]
            assert all(found[key].batch == 1 for key in batch.keys)
        else:
            assert all(found[key].batch == len(batch.keys) for key in batch.keys)
    assert tries == expected


def test_batches_are_taken_as_they_are_needed():
    taken = []

    def source():
        for batch in batches(6, 2):
            taken.append(batch)
            yield batch

    run = LocalEngine().run(Squares(), source())
    next(run)
    assert len(taken) == 1


def test_the_worker_is_made_once_and_one_that_cannot_be_made_is_told():
    made = []

    def make():
        made.append(1)
        return Squares()()

    list(LocalEngine().run(make, batches(6, 2)))
    assert made == [1]
    with pytest.raises(BadInput, match=r"^no worker can be made: FileNotFoundError: No such file or directory \(weights\)") as error:
        list(LocalEngine().run(cannot_be_made, batches(2, 1)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (lambda payloads: payloads[1:], "its worker gave 0 results for 1 items"),
        (lambda payloads: exit(3), "SystemExit: 3"),
        (lambda payloads: {}[7], "KeyError: 7"),
    ],
)
def test_a_worker_that_does_not_keep_its_word_fails_its_items(work, why):
    found = by_key(LocalEngine().run(lambda: work, batches(3, 2)))
    assert [found[key].error for key in "012"] == [why] * 3


def test_bad_input_of_an_item_is_told_as_it_stands():
    def work(payloads):
        raise BadInput("a.jpg: there is no such image.")

    assert by_key(LocalEngine().run(lambda: work, batches(1, 1)))["0"].error == "a.jpg: there is no such image."


@pytest.mark.parametrize(("interrupts", "expected"), [(1, ["0", "1"]), (2, [])])
def test_an_interrupt_lets_the_batch_finish_and_a_second_one_does_not(interrupts, expected):
    def work(payloads):
        for _ in range(interrupts):
            os.kill(os.getpid(), signal.SIGINT)
        return payloads

    before = signal.getsignal(signal.SIGINT)
    run, found = LocalEngine().run(lambda: work, batches(4, 2)), []
    with pytest.raises(KeyboardInterrupt):
        found.extend(outcome.key for outcomes in run for outcome in outcomes)
    assert found == expected
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_after_the_last_batch_is_not_lost():
    with pytest.raises(KeyboardInterrupt), Interrupt():
        os.kill(os.getpid(), signal.SIGINT)


def test_an_abandoned_run_puts_the_handler_back():
    before = signal.getsignal(signal.SIGINT)
    run = LocalEngine().run(Squares(), batches(4, 2))
    next(run)
    assert signal.getsignal(signal.SIGINT) is not before
    run.close()
    assert signal.getsignal(signal.SIGINT) is before


def test_engines_go_by_their_names():
    assert engine("local") == LocalEngine()
    assert engine("ray", address="auto", workers=3, gpus_per_worker=0.5, threads=2) == RayEngine("auto", 3, 0.5, 2)
    assert ENGINES == ("local", "ray")
    with pytest.raises(BadInput, match="--engine spark: there is no such engine; choose from local, ray"):
        engine("spark")
    with pytest.raises(BadInput, match="--workers 2: the engine of this process has none"):
        engine("local", workers=2)


@pytest.mark.parametrize(
    "options", [{"address": " "}, {"workers": 0}, {"workers": True}, {"gpus_per_worker": 1.5}, {"gpus_per_worker": -1.0}, {"threads": 0}]
)
def test_options_outside_their_law_are_refused(options):
    with pytest.raises(ValueError, match=f"RayEngine.{next(iter(options))} must "):
        RayEngine(**options)


def test_a_batch_has_a_key_a_payload():
    with pytest.raises(ValueError, match=r"Batch\.keys must be as many as its payloads"):
        Batch(("a",), (1, 2))


def test_a_cluster_that_is_not_there_is_told_in_one_line():
    with socket.socket() as nobody:
        nobody.bind(("", 0))  # bound at every address of this machine, and not listening
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(BadInput, match=rf"^the Ray cluster at {re.escape(address)} cannot be reached: Connection refused; "):
            next(RayEngine(address).run(Squares(), batches(2, 1)))
    with pytest.raises(BadInput, match=r"^the Ray cluster at nonsense cannot be reached: "):
        next(RayEngine("nonsense").run(Squares(), batches(2, 1)))


def test_ray_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"pip install '\.\[cluster\]' from a clone of kvsmooth, or use --engine local"):
        next(RayEngine().run(Squares(), batches(2, 1)))
