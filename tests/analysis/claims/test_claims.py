"""The paper's claims against the results files: verdicts by hand, rows that exist, a table of one's own."""

import json
from pathlib import Path

import pytest

from analysis.claims.__main__ import ClaimsConfig, cell, main, markdown, results
from analysis.claims.claims import NO_VERDICT, NOT_TESTABLE, PARTS, SMALL, PaperClaim
from analysis.question.arms import CONTRAST
from analysis.sinks.names import SINKS
from analysis.telling.pages import tell
from probes.command.cli import BadInput

FIGURES = Path("figures")
ALL = [claim for part in PARTS.values() for claim in part]


def row(estimate: float, p: float | None) -> dict:
    corrected = float("nan") if p is None else p
    return {
        "estimate": estimate,
        "interval": (estimate - 1, estimate + 1),
        "n": 9,
        "role": "primary",
        "p": 0.01,
        "p_adjusted": corrected,
        "effect": {},
    }


@pytest.mark.parametrize(
    ("sign", "null", "estimate", "p", "verdict"),
    [
        (1, 0.0, 2.0, 0.01, "seen"),
        (1, 0.0, -2.0, 0.01, "reversed"),
        (-1, 0.0, -2.0, 0.01, "seen"),
        (-1, 0.0, -2.0, 0.06, "not seen"),
        (1, 0.5, 0.4, 0.01, "reversed"),
        (0, 1.0, 0.9, 0.01, "rejected"),
        (0, 1.0, 0.9, 0.4, "not rejected"),
        (1, 0.0, 2.0, None, NO_VERDICT),
    ],
)
def test_a_verdict_is_the_sign_of_a_corrected_test(sign, null, estimate, p, verdict):
    claim = PaperClaim("it rises", "drift", "x", sign, null)
    assert claim.verdict(row(estimate, p)) == verdict
    assert cell(claim, {"drift": {"x": row(estimate, p)}}).startswith(f"**{verdict}**")
    other = cell(claim, {"drift": {"x": row(estimate, p) | {"role": "exploratory"}}})
    assert other == cell(claim, {"drift": {"x": row(estimate, p)}}) + ", exploratory"
    assert cell(claim, {"drift": {}}) == cell(claim, {}) == "–"


def test_a_change_too_small_to_count_is_no_sight_of_the_claim():
    claim = PaperClaim("it rises", "drift", "x", -1, least=0.01)
    for estimate, p, verdict in ((-0.009, 0.001, SMALL), (-0.011, 0.001, "seen"), (-0.009, 0.4, "not seen"), (0.5, 0.001, "reversed")):
        assert claim.verdict(row(estimate, p) | {"effect": {"baseline": 1.0}}) == verdict


def test_what_a_constant_rate_does_as_well_is_told():
    name = "free/x/kvsmooth - baseline"
    claim = PaperClaim("it falls", "drift", name, -1, beyond=("mechanism", "y"), constant="z")

    def told(own, other, constant=None):
        rows = {"drift": {name: own, "z": constant}} | ({} if other is None else {"mechanism": {"y": other}})
        return cell(claim, rows).split(":")[0]

    assert told(row(-2.0, 0.01), row(-1.0, 0.01)) == "**seen**, and beyond a constant rate"
    assert told(row(-2.0, 0.01), row(-1.0, 0.2)) == "**seen**, and under a constant rate as well"
    assert told(row(-2.0, 0.01), row(1.0, 0.01)) == "**seen**, and more so under a constant rate"
    assert told(row(2.0, 0.01), row(-1.0, 0.01)) == "**reversed**, and more so under a constant rate"
    assert told(row(-2.0, 0.01), None) == "**seen**, with no control beside it"
    assert told(row(-2.0, 0.01), None, row(-1.0, 0.01)) == "**seen**, and under a constant rate (−1.00)"
    assert told(row(-2.0, 0.01), None, row(-1.0, 0.2)) == "**seen**, and not under a constant rate (−1.00)"
    assert told(row(-2.0, 0.2), row(-1.0, 0.01)) == "**not seen**"


def test_a_claim_of_sinks_is_not_tested_where_there_is_none_and_a_lone_interval_has_its_own_p():
    claim = PaperClaim("sinks do", "sinks", "x", 1, needs_sinks=True)
    rows = {"x": row(-2.0, 0.01)}
    assert cell(claim, {"sinks": rows | {SINKS[0]: row(0.0, None)}}).startswith(f"**{NOT_TESTABLE}**")
    assert cell(claim, {"sinks": rows | {SINKS[0]: row(0.6, None)}}).startswith("**reversed**")
    plain = PaperClaim("it falls", "drift", "x", -1)
    assert "p 0.200 (0.010 uncorrected)" in cell(plain, {"drift": {"x": row(-2.0, 0.2)}})
    assert "uncorrected" not in cell(plain, {"drift": {"x": row(-2.0, 0.02)}})
    chosen = PaperClaim("at a dose", "dose", "x", -1, lack="no dose was chosen")
    assert (cell(chosen, {"dose": {}}), cell(chosen, {})) == ("no dose was chosen", "–")


@pytest.mark.slow
def test_every_claim_names_a_row_that_the_first_subject_has():
    found = results(FIGURES / "emoji")
    assert [claim.row for claim in ALL if claim.lack == "–" and claim.row not in found[claim.question]] == []
    others = [(question, name) for claim in ALL for question, name in (claim.beyond, (claim.question, claim.constant)) if name]
    assert [other for other in others if other[1] not in found[other[0]]] == []
    assert [claim.said for claim in ALL if claim.verdict(found[claim.question].get(claim.row)) == NO_VERDICT and claim.lack == "–"] == []


def test_the_page_s_table_is_the_one_of_the_committed_results():
    page = Path("docs/findings.md").read_text(encoding="utf-8")
    found = {folder.name: rows for folder in sorted(FIGURES.iterdir()) if folder.is_dir() and (rows := results(folder))}
    assert markdown(found) in page


def asked_of_logits(folder):
    """Results of one claim alone; the claim."""
    claim = next(claim for claim in ALL if claim.question == "logits")
    made = folder / "smollm2" / "logits"
    made.mkdir(parents=True)
    held = {**row(-2.0, 0.01), "name": claim.row, "interval": [-3.0, -1.0], "where": {}, "role": "primary"}
    (made / "logits.json").write_text(json.dumps({"results": [held]}))
    return claim


def test_what_another_command_writes_meanwhile_stays(tmp_path, monkeypatch):
    asked_of_logits(tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# Mine\n<!-- claims -->\n<!-- /claims -->\n")

    def meanwhile(found):
        tell("other", "of another", page)
        return markdown(found)

    monkeypatch.setattr("analysis.claims.__main__.markdown", meanwhile)
    main(ClaimsConfig(figures=tmp_path, page=page))
    assert "| claim | smollm2 |" in page.read_text()
    assert "<!-- other -->\nof another\n" in page.read_text()


def test_a_subject_that_was_asked_less_has_dashes(tmp_path):
    claim = asked_of_logits(tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# Mine\n<!-- claims -->\n<!-- /claims -->\nbelow\n")
    main(ClaimsConfig(figures=tmp_path, page=page))
    text = page.read_text()
    assert "| claim | smollm2 |" in text
    assert f"| {claim.said} | **seen**: −2.00" in text
    assert text.count("| – |") == len(ALL) - 1
    assert text.endswith("<!-- /claims -->\nbelow\n")


def test_no_results_and_a_damaged_file_are_one_line(tmp_path):
    with pytest.raises(BadInput, match="no results of a bundled subject"):
        main(ClaimsConfig(figures=tmp_path))
    (tmp_path / "emoji" / "drift").mkdir(parents=True)
    (tmp_path / "emoji" / "drift" / "drift.json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read as a results file"):
        results(tmp_path / "emoji")


def test_captions_that_an_earlier_version_left_uncorrected_are_refused(tmp_path):
    where = {"regime": "free", "quantity": "chair_s", "contrast": CONTRAST}
    old = {**row(0.1, None), "name": f"free/chair_s/{CONTRAST}", "where": where, "p": 0.001, "adjustment": ""}
    path = tmp_path / "drift" / "drift.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"results": [old]}))
    with pytest.raises(BadInput, match="is of an earlier version, or cut; run its question again"):
        results(tmp_path)


def test_figures_of_ones_own_do_not_go_to_the_project_s_page(tmp_path):
    made = tmp_path / "emoji" / "logits"
    made.mkdir(parents=True)
    (made / "logits.json").write_text(json.dumps({"results": [{**row(-2.0, 0.01), "name": "a", "interval": [-3.0, -1.0], "where": {}}]}))
    before = Path("docs/findings.md").read_text()
    with pytest.raises(BadInput, match="tells of figures alone"):
        main(ClaimsConfig(figures=tmp_path))
    with pytest.raises(BadInput, match="tells of figures alone"):
        main(ClaimsConfig(figures=tmp_path, page=Path("docs/findings.md").resolve()))
    assert Path("docs/findings.md").read_text() == before


def test_results_of_another_subject_are_refused(tmp_path):
    asked_of_logits(tmp_path)
    path = tmp_path / "smollm2" / "logits" / "logits.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"provenance": {"config": {"subject": "emoji"}}}))
    with pytest.raises(BadInput, match=r"logits\.json: holds results of emoji, not of smollm2"):
        main(ClaimsConfig(figures=tmp_path, page=tmp_path / "page.md"))
