"""Every detector draws itself on the toy layer."""

import math
import runpy
from pathlib import Path

import pytest
import torch

import kvsmooth.sinks
from kvsmooth.sinks import SINKS, KeyNorm, MeanReceived
from kvsmooth.sinks.toy import SINKS_AT, TOKENS, drawing, planted, uniform

FOLDER = Path(kvsmooth.sinks.__file__).parent


def check(text: str, name: str):
    lines = text.splitlines()
    assert lines[0].startswith(f"{name}: known {SINKS[name].known}, unit {SINKS[name].unit}")
    assert len(lines) == TOKENS + 7
    assert lines[-3].startswith("score  ")
    assert lines[-2].startswith("sinks  ")
    assert [i for i, sign in enumerate(lines[-1][7 : 7 + TOKENS]) if sign == "^"] == list(SINKS_AT)
    assert "^" in lines[-2]


@pytest.mark.parametrize("name", SINKS)
def test_a_file_draws_itself(name, capsys):
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    check(capsys.readouterr().out, name)


@pytest.mark.parametrize("detector", [MeanReceived(), KeyNorm()], ids=lambda one: one.name)
def test_a_drawing_shows_rows_scores_and_sinks(detector):
    seen = planted()
    lines = drawing(detector).splitlines()
    rows, scores = seen.probabilities[0, 0].mean(0).tolist(), detector(seen)[0, 0].mean(0).tolist()
    low, high = min(scores), max(scores)
    assert lines[1] == lines[-4] == ""
    assert lines[2] == "query  attention to each key".ljust(7 + TOKENS)
    for i, row in enumerate(rows):
        shades = "".join(" ░▒▓█"[math.ceil(4 * weight)] for weight in row)
        assert lines[3 + i] == f"{i:5d}  {shades}".rstrip()
    bars = "".join("▁▂▃▄▅▆▇█"[round(7 * (score - low) / (high - low))] for score in scores)
    assert lines[-3] == f"score  {bars}  {low:.3g} to {high:.3g}"
    rule = "the 2 highest scores (no threshold)" if detector.threshold is None else "any head beyond the threshold, 0.3"
    assert lines[-2] == f"sinks  ^........^..............  {rule}"
    assert lines[-1] == "truth  ^........^..............  planted"


def test_what_is_planted_differs_from_the_rest_in_every_part():
    seen, whole_values = planted((0, 4), tokens=8, seed=3), planted((0, 4), tokens=8, seed=3, drain=1.0).value
    others = [1, 2, 3, 5, 6, 7]
    assert seen.key.shape[2:4] == (2, 8)
    assert seen.key[0, 0, :, [0, 4]].eq(torch.eye(16)[0]).all()
    assert seen.key[0, 0, :, others, 0].eq(-1).all()
    torch.testing.assert_close(seen.value[0, 0, :, [0, 4]], 0.01 * whole_values[0, 0, :, [0, 4]])
    assert torch.equal(seen.value[0, 0, :, others], whole_values[0, 0, :, others])
    assert seen.hidden[0, 0, [0, 4], 5].eq(2000).all()
    assert seen.hidden[0, 0, others].abs().max() < 10
    assert seen.tokens.tolist() == [[1, 2, 2, 2, 1, 2, 2, 2]]
    assert seen.logits[0, 0, :, 4, :5].eq(0).all()  # a sink's own query
    sink = seen.logits[0, 0, :, 5:, [0, 4]]
    assert sink.eq(12 * 16**-0.5).all()
    assert not torch.equal(planted(seed=1).key, planted().key)


def test_uniform_layers_have_no_query_and_one_kind_of_token():
    seen = uniform(tokens=5, seed=2)
    assert seen.logits[0, 0, :, 4].eq(0).all()
    assert seen.tokens.tolist() == [[2] * 5]
    assert seen.value.shape[2:4] == (2, 5)
    assert not torch.equal(uniform(seed=1).key, uniform().key)


def test_a_file_draws_itself_as_a_module_of_its_own(capsys):
    with pytest.warns(RuntimeWarning, match="found in sys.modules"):  # the package imports it too
        runpy.run_module("kvsmooth.sinks.row_entropy", run_name="__main__")
    check(capsys.readouterr().out, "row_entropy")


# `PYTHONIOENCODING=ascii python -W error key_norm.py`
SCRIPT = """
import runpy, sys
sys.stdout.reconfigure(encoding="ascii")
runpy.run_path({!r}, run_name="__main__")
"""


@pytest.mark.slow
def test_a_file_draws_itself_as_a_script_in_any_encoding(apart):
    done = apart.run(SCRIPT.format(str(FOLDER / "key_norm.py")))
    assert (done.status, done.err) == (0, b"")
    assert done.out.isascii()
    check(done.out.decode(), "key_norm")
