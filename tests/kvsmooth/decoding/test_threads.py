"""Threads: one `generate` at a time, begun and ended within the block."""

import threading

import pytest

from kvsmooth import Unsupported
from tests import zoo
from tests.kvsmooth.cases import METHOD

PATIENCE = 60.0  # seconds; a thread that works ends in a fraction of one


class Held:
    """A generation in a thread of its own, which stands still in its first step until it is let go."""

    def __init__(self, model, inputs):
        self.begun, self.let_go, self.error = threading.Event(), threading.Event(), None
        self._thread = threading.Thread(target=self._run, args=(model.generate, inputs), daemon=True)
        self._thread.start()
        assert self.begun.wait(PATIENCE)

    def _run(self, generate, inputs):
        generate(**inputs, max_new_tokens=3, logits_processor=[self._stand])

    def _stand(self, ids, scores):
        self.begun.set()
        self.let_go.wait(PATIENCE)
        return scores

    def end(self):
        self.let_go.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def test_a_thread_that_outlives_the_block_is_told():
    model, inputs = zoo.build("llama")
    with pytest.raises(Unsupported, match="ended while generate was running in another thread"), METHOD(model):
        held = Held(model, inputs)
    held.end()
    assert model.config._attn_implementation == "sdpa"
    assert "generate" not in vars(model)


def test_a_thread_joined_within_the_block_is_smoothed():
    model, inputs = zoo.build("llama")
    with METHOD(model) as run:
        Held(model, inputs).end()
    assert run.rates.shape == (2, 3, 1)


def test_two_threads_at_once_are_refused():
    model, inputs = zoo.build("llama")
    with METHOD(model) as run:
        held = Held(model, inputs)
        with pytest.raises(Unsupported, match="follows one generate at a time and another thread's is running"):
            model.generate(**inputs, max_new_tokens=3)
        held.end()
    assert run.rates.shape == (2, 3, 1)


def test_a_generate_taken_from_a_block_that_has_ended_is_refused():
    model, inputs = zoo.build("llama")
    with METHOD(model):
        taken = model.generate
    with pytest.raises(Unsupported, match="a generate that was taken from the model inside a `with` that has ended"):
        taken(**inputs, max_new_tokens=3)
