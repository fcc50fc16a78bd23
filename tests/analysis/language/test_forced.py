"""Teacher forcing against plain loops, on every family that reads texts alone: batches equal single rows, one pass equals many."""

import pytest
import torch

from analysis.language.forced import forced_nll, text_nll
from kvsmooth import KVSmooth
from kvsmooth.policies import Constant
from tests.zoo import FAMILIES, build
from tests.zoo.text_only import FAMILIES as TEXT_ONLY

PREFIX = 3
TEXTS = [torch.tensor([5, 9, 11, 7, 20, 31, 8, 12]), torch.tensor([6, 5, 17, 9, 14]), torch.tensor([7, 8, 9, 10, 11, 12, 13])]
NAMES = [family.__name__ for family in TEXT_ONLY]
METHODS = {
    "none": None,
    "constant": KVSmooth(layers=[1, 2], policy=Constant(0.6)),
    "guided": KVSmooth(layers=[1, 2], lambda_ref=0.7, window=2),
}


@torch.no_grad()
def plainly(model, ids, method):
    """One text, one token after the other, by the words of the definition."""
    found = [float("nan")] * (PREFIX + 1)
    block = None if method is None else method(model)
    if block is not None:
        block.__enter__()
    said = model(input_ids=ids[None, :PREFIX], use_cache=True)
    for step in range(PREFIX, len(ids) - 1):
        said = model(input_ids=ids[None, step : step + 1], past_key_values=said.past_key_values, use_cache=True)
        found.append(-float(said.logits[0, -1].double().log_softmax(-1)[ids[step + 1]]))
    if block is not None:
        block.__exit__(None, None, None)
    return torch.tensor(found)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_equals_single_texts_read_plainly(name, method):
    model, _ = build(name)
    found, run = forced_nll(model, TEXTS, PREFIX, METHODS[method])
    assert found.shape == (3, 8)
    assert (run is None) == (method == "none")
    for row, ids in zip(found, TEXTS, strict=True):
        expected = plainly(model, ids, METHODS[method])
        torch.testing.assert_close(row[: len(ids)], expected, rtol=2e-4, atol=2e-4, equal_nan=True)
        assert row[len(ids) :].isnan().all()


@pytest.mark.parametrize("name", NAMES)
def test_one_pass_equals_token_by_token_without_a_method(name):
    model, _ = build(name)
    one, many = text_nll(model, TEXTS), forced_nll(model, TEXTS, PREFIX)[0]
    scored = many.isfinite()
    torch.testing.assert_close(one[scored], many[scored], rtol=2e-4, atol=2e-4)
    assert [int(row.isfinite().sum()) for row in one] == [len(ids) - 1 for ids in TEXTS]


def test_smoothing_changes_what_a_token_costs_and_its_rates_are_kept():
    model, _ = build("llama")
    plain, smoothed = (forced_nll(model, TEXTS, PREFIX, METHODS[name])[0] for name in ("none", "constant"))
    run = forced_nll(model, TEXTS, PREFIX, METHODS["constant"])[1]
    scored = plain.isfinite()
    assert (smoothed[scored] - plain[scored]).abs().max() > 1e-2
    assert run.rates.shape == (8 - PREFIX - 1, 2, 3)
    torch.testing.assert_close(run.rates, torch.full_like(run.rates, 0.6))


def test_a_text_that_leaves_nothing_to_predict_is_refused():
    model, _ = build("llama")
    with pytest.raises(ValueError, match="a text of 4 tokens leaves nothing to predict behind a prefix of 3"):
        forced_nll(model, [TEXTS[0][:4]], PREFIX)


def test_the_zoo_has_families_without_images():
    assert set(NAMES) <= set(FAMILIES)
    assert len(NAMES) >= 3
