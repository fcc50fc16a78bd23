"""What people do with a block: enter it twice, hand it a wrapper, mistype an option."""

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from tests import zoo

METHOD = KVSmooth(layers=(0, 1, 2))


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
