"""Models of the zoo are copies of one that was made: equal, and what a test does to one no other one sees."""

from collections import Counter

import pytest
import torch

from tests import zoo


def held_by(model):
    """By its identity, everything of a model that can be changed in place."""
    parts = list(model.modules())
    found = [*parts, *(value for part in parts for value in vars(part).values() if isinstance(value, dict | set | list)), model.config]
    return {id(one) for one in found} | {one.data_ptr() for one in (*model.parameters(), *model.buffers()) if one.numel()}


@pytest.mark.parametrize("family", [*zoo.FAMILIES, *zoo.ALSO])
def test_copies_are_equal_and_share_nothing(family):
    (one, inputs), (other, same) = zoo.build(family), zoo.build(family)
    assert not held_by(one) & held_by(other)
    assert not {value.data_ptr() for value in inputs.values()} & {value.data_ptr() for value in same.values()}
    assert all(torch.equal(inputs[name], same[name]) for name in inputs | same)
    pairs = list(zip(one.named_modules(), other.named_modules(), strict=True))
    for (name, part), (its_name, its) in pairs:
        assert (name, type(part), vars(part).keys()) == (its_name, type(its), vars(its).keys())
    states = one.state_dict(), other.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    configs = [{id(part.config) for part in model.modules() if hasattr(part, "config")} for model in (one, other)]
    assert len(configs[0]) == len(configs[1]), "layers read one configuration, so that a switch there reaches all of them"
    # weights that are tied stay so
    tied = [Counter(value.data_ptr() for value in state.values()) for state in states]
    assert sorted(tied[0].values()) == sorted(tied[1].values())
    made, _ = zoo._made(family, "sdpa", zoo.SEED, 1)[0]
    assert not held_by(made) & held_by(other)
    assert len(configs[0]) == len({id(part.config) for part in made.modules() if hasattr(part, "config")})
