"""Only tokens of the text count: a batch's receipts are those of its rows alone, however early a row ends or leaves."""

import pytest
import torch

from kvsmooth.baselines import ImageBias
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, CONTRACTED, GENERATION, one_row, strong
from tests.kvsmooth.cases import Forced, shared

LENGTHS = (2, 4)
TOKENS = torch.tensor([[7, zoo.EOS, zoo.PAD, zoo.PAD], [8, 9, 10, 11]])
"""The first row ends at its second token; its padding is fed while the other one goes on."""


def receipts(model, inputs, method, tokens):
    with method(model) as run:
        model.generate(**inputs, **GENERATION, max_new_tokens=tokens.shape[1], logits_processor=[Forced(tokens)])
    report = run.report()
    return {name: (report[name], count) for name, count in run.counts.items()}


@pytest.mark.parametrize("name", CONTRACTED)
def test_a_batch_with_a_row_that_ends_reports_what_its_rows_report_alone(name):
    model, inputs = shared("llava", batch=2)
    whole = receipts(model, inputs, strong(name), TOKENS)
    rows = [receipts(model, one_row(inputs, row), strong(name), TOKENS[row : row + 1, :length]) for row, length in enumerate(LENGTHS)]
    assert whole.keys() == rows[0].keys() == rows[1].keys()
    for measure, (mean, count) in whole.items():
        parts = [row[measure] for row in rows]
        assert count == sum(n for _, n in parts), measure
        assert mean == pytest.approx(sum(n * one for one, n in parts) / count, rel=1e-4, abs=1e-5), measure


def test_nothing_but_an_end_leaves_no_mean():
    """A row that its first token ends has no step of its own."""
    model, inputs = zoo.build("llava", batch=2)
    model.generation_config.eos_token_id = zoo.EOS
    ended = torch.tensor([[zoo.EOS, zoo.PAD], [8, zoo.EOS]])
    method = ImageBias(strength=2.0, layers=ALL)
    alone = receipts(model, one_row(inputs, 1), method, ended[1:])
    assert receipts(model, inputs, method, ended) == {name: (pytest.approx(mean), count) for name, (mean, count) in alone.items()}
    with method(model) as run:
        out = model(**inputs, use_cache=True)
        model(input_ids=torch.full((2, 1), zoo.EOS), past_key_values=out.past_key_values)
    assert set(run.counts.values()) == {0}
    assert "image_mass" not in run.report()


def looped(model, inputs, tokens, leave=None):
    """Receipts of a loop of one's own over these tokens "row step", in which the first row leaves before step `leave`."""
    with torch.no_grad(), ImageBias(strength=2.0, layers=ALL)(model) as run:
        output, mask = model(**inputs, use_cache=True), inputs["attention_mask"]
        for step in range(tokens.shape[1]):
            if step == leave:
                output.past_key_values.batch_select_indices(torch.tensor([1]))
                tokens, mask = tokens[1:], mask[1:]
            mask = torch.cat((mask, torch.ones_like(mask[:, :1])), 1)
            output = model(input_ids=tokens[:, step, None], attention_mask=mask, past_key_values=output.past_key_values)
    return run.counts["image_mass"], run.report()["image_mass"]


def test_rows_that_leave_a_batch_count_up_to_there():
    model, inputs = zoo.build("llava", batch=2)
    model.generation_config.eos_token_id = zoo.EOS
    tokens = torch.tensor([[7, 8, 9, 10], [11, 12, 13, 14]])
    count, mean = looped(model, inputs, tokens, leave=2)
    parts = [looped(model, one_row(inputs, row), tokens[row : row + 1, :steps]) for row, steps in enumerate((2, 4))]
    assert count == sum(n for n, _ in parts)
    assert mean == pytest.approx(sum(n * one for n, one in parts) / count)
