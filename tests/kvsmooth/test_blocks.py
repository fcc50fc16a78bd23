"""What people do with a block: enter it twice, hand it a wrapper, pad on the wrong side, generate in threads, mistype an option."""

import threading

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from tests import zoo

METHOD = KVSmooth(layers=(0, 1, 2))
PATIENCE = 60.0  # seconds; a thread that works ends in a fraction of one


def test_a_block_kept_under_a_name_serves_again_with_a_run_of_its_own():
    model, inputs = zoo.build("llama")
    block = METHOD(model)
    with block as first:
        model.generate(**inputs, max_new_tokens=3)
    with block as second:
        model.generate(**inputs, max_new_tokens=5)
    assert (len(first.rates), len(second.rates)) == (2, 4)
    with block, pytest.raises(Unsupported, match="cannot be nested"), block:
        pytest.fail("the block was entered within itself")
    assert model.config._attn_implementation == "sdpa"


def test_a_block_that_is_not_open_says_so():
    model, inputs = zoo.build("llama")
    block = METHOD(model)
    with pytest.raises(RuntimeError, match="This block is not open"):
        block.__exit__(None, None, None)
    with block as run:
        model.generate(**inputs, max_new_tokens=3)
    with pytest.raises(RuntimeError, match="its `with` has ended already"):
        block.__exit__(None, None, None)
    with block:
        model.generate(**inputs, max_new_tokens=3)
    assert len(run.rates) == 2
    assert model.config._attn_implementation == "sdpa"


def test_a_block_decorates_a_function():
    model, inputs = zoo.build("llama")

    @METHOD(model)
    def smoothed():
        return model.generate(**inputs, max_new_tokens=5)

    with METHOD(model):
        expected = model.generate(**inputs, max_new_tokens=5)
    assert torch.equal(smoothed(), expected)
    assert torch.equal(smoothed(), expected)


@pytest.mark.parametrize(
    ("held_as", "way_out"),
    [
        ("_orig_mod", r"pass its \._orig_mod\."),
        ("module", r"pass its \.module\."),
        ("model", r"pass its \.model\."),
        ("get_base_model", r"pass its get_base_model\(\), and go on generating with the wrapper"),
        ("network", "pass the model itself, not a wrapper of it"),
    ],
    ids=["torch.compile", "DataParallel", "pipeline", "peft", "another"],
)
def test_a_wrapper_is_told_where_its_model_is(held_as, way_out):
    model, _ = zoo.build("llama")
    wrapper = torch.nn.Module()
    vars(wrapper)[held_as] = (lambda: model) if held_as == "get_base_model" else model
    with pytest.raises(Unsupported, match=way_out), METHOD(wrapper):
        pytest.fail("the block was entered")


def right_padded(inputs):
    """The batch with each row's padding behind its tokens."""
    order = (1 - inputs["attention_mask"]).argsort(dim=1, stable=True)
    return {name: inputs[name].gather(1, order) for name in ("input_ids", "attention_mask")}


@pytest.mark.parametrize("masked", [True, False])
def test_prompts_padded_on_the_right_are_refused(masked):
    model, inputs = zoo.build("llama", batch=2)
    wrong = right_padded(inputs)
    assert not wrong["attention_mask"][1, -1]
    given = wrong if masked else {"input_ids": wrong["input_ids"]}
    with METHOD(model), pytest.raises(Unsupported, match=r'which is padding in row 1; pad with padding_side="left"'):
        model.generate(**given, max_new_tokens=3)


def test_and_so_they_are_in_a_loop_of_one_s_own():
    model, inputs = zoo.build("llama", batch=2)
    wrong = right_padded(inputs)
    mask = torch.nn.functional.pad(wrong["attention_mask"], (0, 1), value=1)
    with METHOD(model), torch.no_grad():
        cache = model(**wrong, use_cache=True).past_key_values
        with pytest.raises(Unsupported, match="which is padding in row 1"):
            model(input_ids=torch.tensor([[7], [7]]), attention_mask=mask, past_key_values=cache)


def test_paged_generation_is_refused():
    model, inputs = zoo.build("llama")
    with METHOD(model), pytest.raises(Unsupported, match="cannot edit a cache of cache_implementation='paged'"):
        model.generate(**inputs, max_new_tokens=3, cache_implementation="paged")


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


def checked(**options):
    """The options' own laws alone: types are checked before them under pytest, and nowhere else."""
    method = KVSmooth()
    for name, value in options.items():
        object.__setattr__(method, name, value)
    method.__post_init__()
    return method


@pytest.mark.parametrize(
    ("options", "law"),
    [
        ({"lambda_ref": "0.9"}, r"KVSmooth.lambda_ref must lie in \[0, 1\]; got '0.9'"),
        ({"lambda_ref": True}, r"KVSmooth.lambda_ref must lie in \[0, 1\]; got True"),
        ({"lambda_ref": torch.nn.Linear(1, 1)}, r"options first and the model behind them: KVSmooth\(\)\(model\); got Linear"),
        ({"margin": None}, "KVSmooth.margin must be at least 0; got None"),
        ({"window": None}, "KVSmooth.window must be a positive integer; got None"),
        ({"window": 15.0}, "KVSmooth.window must be a positive integer; got 15.0"),
        ({"layers": "all"}, "KVSmooth.layers must be None or distinct layer numbers from 0; got 'all'"),
        ({"layers": [1.5]}, "KVSmooth.layers must be None or distinct layer numbers"),
        ({"keys": "no"}, "KVSmooth.keys must be True or False; got 'no'"),
        ({"mix_seed": "a"}, "KVSmooth.mix_seed must be an integer; got 'a'"),
    ],
    ids=str,
)
def test_options_of_another_type_name_their_law(options, law):
    with pytest.raises(ValueError, match=law):
        checked(**options)


def test_one_layer_may_be_named_by_its_number():
    assert checked(layers=5) == KVSmooth(layers=[5])


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("name", ["llama", "llava"])
def test_a_text_goes_on_where_torch_stops_compiling(monkeypatch, name, steps):
    """After too many compilations torch runs a model as it is, in the middle of a text: the queue and the record go on."""
    model, inputs = zoo.build(name)
    method = KVSmooth(layers=(0, 1, 2), lambda_ref=0.5, margin=0.5, window=4)
    with method(model) as expected:
        model.generate(**inputs, max_new_tokens=8)
    passes = iter([True] * (steps + 1))  # the prompt's, and so many decode steps

    def compiling(decoder, args, kwargs):
        now = next(passes, False)
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: now)

    hook = zoo.decoder_of(model).register_forward_pre_hook(compiling, with_kwargs=True)
    with method(model) as run:
        model.generate(**inputs, max_new_tokens=8)
    hook.remove()
    assert torch.equal(run.rates, expected.rates)
