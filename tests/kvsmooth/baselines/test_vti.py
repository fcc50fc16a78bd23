"""VTI equals feed-forward parts with its turn behind them, token by token; its directions are those of a principal component analysis."""

import math

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import VTI, ImageBias
from kvsmooth.baselines.directions import principal, save_directions, text_directions
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, directions, forced, in_batch, one_row, said, shared, strong
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close


class Turn(torch.nn.Module):
    """One state after the other, in plain Python."""

    def __init__(self, direction, alpha):
        super().__init__()
        size = math.sqrt(sum(x * x for x in direction.tolist()))
        self.push = [0.1 * alpha * x / size for x in direction.tolist()]

    def forward(self, states):
        turned = []
        for state in states.double().flatten(0, -2).tolist():
            size = math.sqrt(sum(x * x for x in state))
            moved = [x / size + y for x, y in zip(state, self.push, strict=True)]
            length = math.sqrt(sum(x * x for x in moved))
            turned.append([x / length * size for x in moved])
        return torch.tensor(turned, dtype=states.dtype).view(states.shape)


def with_turns(model, method):
    """The model with a turn behind each feed-forward part."""
    for layer, direction in zip(zoo.decoder_of(model).layers, method.directions, strict=True):
        name = "mlp" if hasattr(layer, "mlp") else "fc2"
        setattr(layer, name, torch.nn.Sequential(getattr(layer, name), Turn(direction, method.alpha)))
    return model.eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_it_equals_its_slow_reference(family):
    method = strong("vti", family)
    ours, tokens, run = in_batch("vti", family)
    slow, inputs = zoo.build(family, batch=2)
    assert_close(ours, forced(with_turns(slow, method), inputs, tokens))
    assert 0.05 < run.report()["turned"] < 1


def test_layers_that_are_not_named_are_left_alone():
    model, inputs = zoo.build("llava")
    method = VTI(directions(), alpha=6.0, layers=(1,))
    ours, tokens, _ = said(model, inputs, method)
    slow, _ = zoo.build("llava")
    layer = zoo.decoder_of(slow).layers[1]
    layer.mlp = torch.nn.Sequential(layer.mlp, Turn(method.directions[1], 6.0))
    assert_close(ours, forced(slow, inputs, tokens))


@pytest.mark.parametrize("cache", ["static", None])
def test_a_static_cache_and_a_prompt_in_chunks_give_the_same(cache):
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("vti", "llava")
    options = {"prefill_chunk_size": 4} if cache is None else {"cache_implementation": cache, "disable_compile": True}
    assert_close(said(model, inputs, strong("vti"), **options)[0], ours)


@pytest.mark.parametrize("other", [KVSmooth(lambda_ref=0.5, margin=0.5, layers=ALL), ImageBias(1.5)], ids=["kvsmooth", "image_bias"])
def test_another_method_acts_on_the_turned_model(other):
    """In either order: by hand, the other one on a model whose feed-forward parts have turns behind them."""
    model, inputs = zoo.build("llava", batch=2)
    with strong("vti")(model):
        ours, tokens, _ = said(model, inputs, other)
    slow, inputs = zoo.build("llava", batch=2)
    assert_close(ours, forced(with_turns(slow, strong("vti")), inputs, tokens, other))
    with other(model):
        assert_close(said(model, inputs, strong("vti"))[0], ours)


@pytest.mark.parametrize("family", ["llava", "gemma3", "llama"])
def test_directions_are_mean_and_principal_component(family):
    model, inputs = zoo.build(family, batch=2)
    ids = inputs["input_ids"]
    worse = [{**inputs, "input_ids": torch.cat((ids[:, :-1], torch.full((2, 1), token)), 1)} for token in (14, 15)]
    found = text_directions(model, [(one, inputs) for one in worse])
    with torch.no_grad():
        states = [torch.stack(model(**one, output_hidden_states=True).hidden_states)[:, :, -1].double() for one in (*worse, inputs)]
    differences = torch.stack([(states[2] - one)[:, row].flatten() for one in states[:2] for row in range(2)])
    mean = differences.mean(0)
    _, vectors = torch.linalg.eigh((differences - mean).T @ (differences - mean))
    component = vectors[:, -1]
    scores = (differences - mean) @ component
    component = component * scores[scores.abs().argmax()].sign()
    assert_close(found, (mean + component).view(len(states[0]), -1)[1:])
    assert found.shape == (len(zoo.decoder_of(model).layers), 32)


def test_directions_of_a_padded_batch_are_those_of_its_rows():
    model, inputs = zoo.build("llava", batch=2)
    ids = inputs["input_ids"]
    worse = [{**inputs, "input_ids": torch.cat((ids[:, :-1], torch.tensor([[14 + more], [20 + more]])), 1)} for more in (0, 1)]
    alone = [(one_row(one, row), one_row(inputs, row)) for one in worse for row in range(2)]
    assert_close(text_directions(model, [(one, inputs) for one in worse]), text_directions(model, alone))
    assert torch.equal(principal(torch.tensor([[3.0, 1.0]])), torch.tensor([3.0, 1.0]))


def test_directions_are_kept_in_a_file(tmp_path):
    file = save_directions(directions(), tmp_path / "d.pt")
    assert [one.name for one in tmp_path.iterdir()] == ["d.pt"]
    assert torch.equal(VTI(file).directions, directions())
    assert VTI(str(file)).describe()["directions"] == VTI(directions()).describe()["directions"]


def torn(tmp_path):
    (tmp_path / "torn.pt").write_bytes(b"PK\x03\x04 no more")
    return tmp_path / "torn.pt"


def foreign(tmp_path):
    torch.save({"weights": torch.ones(3)}, tmp_path / "foreign.pt")
    return tmp_path / "foreign.pt"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda folder: folder / "none.pt", "VTI.directions: there is no file"),
        (torn, "cannot be read as directions"),
        (foreign, "holds no directions"),
        (lambda folder: torch.ones(3), r'finite numbers, "layer width", or the file of such; got shape \[3\]'),
        (lambda folder: torch.full((3, 32), torch.nan), "finite numbers"),
    ],
)
def test_what_is_no_directions_is_told_in_one_line(given, told, tmp_path):
    with pytest.raises(ValueError, match=told) as refused:
        VTI(given(tmp_path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "told"), [(None, "vti.directions must be given"), (torch.ones(2, 32), r"3 layers of 32 numbers .*; got \[2, 32\]")]
)
def test_directions_that_do_not_fit_are_refused(given, told):
    model, _ = zoo.build("llava")
    with pytest.raises(Unsupported, match=told) as refused, VTI(given)(model):
        pass
    assert "\n" not in str(refused.value)


def test_pairs_that_are_none_are_refused():
    model, inputs = zoo.build("llama", batch=2)
    with pytest.raises(ValueError, match="at least one pair"):
        text_directions(model, [])
    with pytest.raises(ValueError, match="got 1 and 2 rows"):
        text_directions(model, [(one_row(inputs, 0), inputs)])
