"""What docs/ablation.md says: bullets from planted signs of corrected tests, and tables."""

import pytest

from analysis.ablation.controls import GUIDED, first_token, guidance, moved, shown
from analysis.ablation.figures import draw_all
from analysis.ablation.page import markdown
from analysis.cells.names import BASELINE, PAPER, WITHOUT_FIRST

LOWER = ("chair_i", "chair_s", "recall")


def row(name, sign, size=0.02):
    """A row whose corrected test rejects on that side of zero; 0: one above zero that does not."""
    estimate = size * (sign or 1)
    told = {"name": name, "estimate": estimate, "interval": [estimate - 0.01, estimate + 0.01], "n": 9, "effect": {}, "reason": ""}
    return told | {"p": 0.01, "p_adjusted": 0.2 if sign == 0 else 0.01, "role": "primary", "where": {}}


def minus_nothing(cells):
    """Rows of cells against no smoothing: by cell the signs of CHAIR_i, CHAIR_s and recall; estimates grow from cell to cell."""
    made = {}
    for i, (cell, signs) in enumerate(cells.items()):
        for measure, sign in (*zip(LOWER, signs, strict=True), ("repeated_mentions", 1)):
            name = f"{cell} - {BASELINE}/{measure}"
            made[name] = row(name, sign, 0.01 * (i + 1))
    return made


def against(signs, measure="chair_i"):
    return {name: row(name, sign) for control, sign in signs.items() for name in [f"{PAPER} - {control}/{measure}"]}


def test_guidance_names_each_control_by_its_test():
    signs = dict.fromkeys(GUIDED, 0) | {"mean": -1, "random": -1, "inverse": 1}
    said = guidance(against(signs) | against(dict.fromkeys(GUIDED, 0), "chair_s"))
    lower, higher, rest = said.split(". ")[0].split("; ")
    assert lower == "CHAIR_i of KVSmooth is lower than that of `mean` (−0.0200 [−0.0300, −0.0100]) and `random`"
    assert higher == "higher than that of `inverse` (0.0200 [0.0100, 0.0300])"
    assert {name for name in GUIDED if f"`{name}`" in rest} == {name for name, sign in signs.items() if sign == 0}
    assert rest.startswith("not told apart from that of ")
    assert said.endswith(". CHAIR_s of KVSmooth is not told apart from that of any of these 10 controls.")
    assert guidance({}) == ""


def test_the_score_without_the_first_token_stands_beside_the_papers():
    rows = minus_nothing({WITHOUT_FIRST: (-1, 0, 0)}) | against({WITHOUT_FIRST: 0}) | against({WITHOUT_FIRST: -1}, "recall")
    assert first_token(rows) == (
        "Left out (`row_entropy without BOS`), minus no smoothing: CHAIR_i −0.0100 [−0.0200, 0.00]; CHAIR_s 0.0100 [0.00, 0.0200]; recall "
        "0.0100 [0.00, 0.0200]. KVSmooth minus that: CHAIR_i 0.0200 [0.0100, 0.0300] (not told apart); recall −0.0200 [−0.0300, −0.0100]."
    )
    for families, told in (({WITHOUT_FIRST: "detectors"}, False), ({WITHOUT_FIRST: "detectors", "key_norm": "detectors"}, True)):
        bullets = shown(found(0.7, rows, families))
        assert any(line.startswith("* **The first token in the score.**") for line in bullets)
        assert any(line.startswith("* **Detectors in the entropy's place.**") for line in bullets) == told
    assert first_token(minus_nothing({WITHOUT_FIRST: (-1, 0, 0)})) == first_token(against({WITHOUT_FIRST: 0})) == ""


def test_the_first_tokens_cell_alone_has_no_figure():
    cells = [{"name": name, "family": "detectors"} for name in (WITHOUT_FIRST, "key_norm")]
    assert draw_all(cells[:1], {}) == {}
    assert list(draw_all(cells, {})) == ["detectors"]


def test_few_cells_are_told_one_by_one_and_many_by_their_ends():
    few = moved(minus_nothing({"a": (1, 0, 0), "b": (-1, -1, 0), "c": (0, 0, -1)}), ["a", "b", "c"])
    assert few == (
        "CHAIR_i is raised by `a` (0.0100 [0.00, 0.0200]); lowered by `b` (−0.0200 [−0.0300, −0.0100]); not clearly changed by `c` "
        "(0.0300 [0.0200, 0.0400]). `b` lowers CHAIR_i (−0.0200 [−0.0300, −0.0100]) and CHAIR_s (−0.0200 [−0.0300, −0.0100]) and raises "
        "repeated mentions (0.0200 [0.0100, 0.0300])."
    )
    cells = dict.fromkeys("abcde", (1, 1, 0))
    every = moved(minus_nothing(cells), list("abcde"))
    assert every == "CHAIR_i is raised by all 5, from `a` (0.0100 [0.00, 0.0200]) to `e` (0.0500 [0.0400, 0.0600])."
    assert moved(minus_nothing(cells | {"f": (0, 0, 0)}), list("abcdef")).startswith("CHAIR_i is raised by 5 of 6, from `a` ")
    assert moved({}, ["a"]) == ""


@pytest.mark.parametrize(("recall", "words"), [((-1, -1), "all"), ((-1, 0), "1"), ((0, 0), "0")])
def test_what_lowers_chair_is_told_with_what_it_costs(recall, words):
    cells = {"a": (0, -1, recall[0]), "b": (-1, -1, recall[1]), "c": (1, 1, -1)}
    said = moved(minus_nothing(cells), list(cells))
    assert f"2 lower CHAIR_i or CHAIR_s, {words} of them recall too: `b` lowers CHAIR_i" in said


@pytest.mark.parametrize(
    ("signs", "words"), [((1, 1), ", and all make more captions loop"), ((0, 1), ", and 1 make more captions loop"), ((0, -1), "")]
)
def test_what_lowers_chair_is_told_with_the_loops_that_it_writes(signs, words):
    rows = minus_nothing({"a": (0, -1, 0), "b": (-1, -1, 0)})
    rows |= {name: row(name, sign) for cell, sign in zip("ab", signs, strict=True) for name in [f"{cell} - {BASELINE}/looping"]}
    said = moved(rows, ["a", "b"])
    assert f"0 of them recall too{words}: `b` lowers CHAIR_i" in said
    assert ("looping captions (" in said) == (signs[1] == 1)


def found(centre, rows, families):
    told = {"n": 9, "git_commit": "0123456789abc", "base": {"lambda_ref": centre}, "config": {"level": 0.95}}
    told |= {"wall": {"cells_of_this_run": 0, "this_run_seconds": 0.0, "workers": 1, "all_cells_seconds": 60.0}}
    cells = [{"name": name, "family": family, "seconds": 1.0} for name, family in families.items()]
    return {"results": list(rows.values()), "provenance": told, "cells": cells}


def made(centre, paper):
    rows = minus_nothing({PAPER: paper, "mean": (1, 1, 0), "keys only": (1, 0, 0)}) | against({"mean": -1})
    levels = {f"{cell}/{name}": row(f"{cell}/{name}", 0) for cell in (BASELINE, PAPER) for name in ("chair_i", "chair_s")}
    where = {"where": {"kind": "interaction", "family": "keys x values", "measure": "chair_i"}}
    both = {"keys x values/interaction/chair_i": row("keys x values/interaction/chair_i", 0) | where}
    return found(centre, rows | levels | both, {BASELINE: "reference", PAPER: "ladder", "mean": "ladder", "keys only": "places"})


def test_a_bullet_a_family_and_one_of_the_other_ladder():
    one, other = made(0.7, (1, 1, 0)), made(0.5, (0, 1, 0))
    titles = [bullet.split("**")[1] for bullet in shown(one, other)]
    assert titles == ["KVSmooth itself.", "Guidance.", "Guidance round `lambda_ref` 0.5.", "Places."]
    assert [bullet.split("**")[1] for bullet in shown(one)] == ["KVSmooth itself.", "Guidance.", "Places."]
    itself, _, half, places = shown(one, other)
    assert itself.endswith(" CHAIR_i is raised by 1 of its 1 controls in the ladder too.")
    assert "CHAIR_i 0.0100 [0.00, 0.0200] (not clear); CHAIR_s 0.0100 [0.00, 0.0200]. CHAIR_i of KVSmooth is lower" in half
    assert places.endswith("Keys and values together, beyond the sum of both: 0.0200 [0.0100, 0.0300] (not tested).")
    assert shown(found(0.7, {}, {BASELINE: "reference"})) == []


def test_tables_stand_behind_the_verdict_and_mark_what_rejects():
    page = markdown(made(0.7, (1, 1, 0)))
    assert page.startswith("**KVSmooth raises CHAIR_i and CHAIR_s")
    assert page.index("* **Places.**") < page.index("## Tables") < page.index("### Places")
    assert "| keys only | – | 0.0300 [0.0200, 0.0400]* | 0.0300 [0.0200, 0.0400] | – |" in page
