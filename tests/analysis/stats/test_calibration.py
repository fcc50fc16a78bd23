"""The simulations count what they say; the slow tier runs them, and every statistic of this house must hold its promise in them."""

from pathlib import Path

import numpy as np
import pytest

from analysis.stats.calibration import __main__, detectors, models, samples
from analysis.stats.calibration.registry import SIMULATIONS
from analysis.stats.calibration.simulation import Claim, Found, Simulation, run
from analysis.stats.calibration.table import outside, table
from analysis.stats.lifetable import EVENT
from probes.command.cli import BadInput, Notice

OTHERS = (*detectors.SIMULATIONS, *models.SIMULATIONS)  # levels and coverages of these have tests of their own
COIN = Simulation("coin", "a coin", (Claim("heads", "coverage", (0.4, 0.6)), Claim("six", "fails")), lambda rng: rng.random(2) < 0.5, 300)


@pytest.mark.slow
@pytest.mark.parametrize("simulation", [one for one in SIMULATIONS if one not in OTHERS], ids=lambda one: one.name)
def test_levels_and_coverages(simulation):
    """40 samples: a level of 5 % is found to 3.4 points (binomial standard error), a coverage of 95 % too; the command runs them all."""
    missed = [one for one in run(simulation, 40) if not one.holds]
    assert not missed, outside(missed)


@pytest.mark.parametrize("simulation", OTHERS, ids=lambda one: one.name)
def test_simulations_of_other_statistics_run(simulation, monkeypatch):
    monkeypatch.setattr(detectors, "_expected_precision", lambda form: 0.5)
    assert [one.replications for one in run(simulation, 1)] == [1] * len(simulation.claims)


def test_names_differ():
    names = [simulation.name for simulation in SIMULATIONS]
    assert len(set(names)) == len(names)


class TestRun:
    def test_counts_outcomes_claim_by_claim(self):
        first, second = run(COIN)
        assert 0.4 < first.share < 0.6
        assert first.hits != second.hits
        assert run(COIN) == (first, second)
        assert run(COIN, seed=1) != (first, second)

    def test_tells_each_sample(self):
        ticks = []
        run(COIN, 7, tick=lambda: ticks.append(1))
        assert len(ticks) == 7

    def test_refuses_what_it_cannot_count(self):
        with pytest.raises(ValueError, match=r"run.replications must be positive; got 0"):
            run(COIN, 0)
        with pytest.raises(ValueError, match=r"Simulation.replicate of 'coin' must give 2 outcomes; got 1"):
            run(Simulation("coin", "", COIN.claims, lambda rng: (True,), 3))
        with pytest.raises(ValueError, match=r"Claim.kind must be one of level, coverage"):
            Claim("any", "size")

    @pytest.mark.parametrize(("hits", "holds"), [(50, True), (85, True), (95, False), (22, True), (10, False)])
    def test_a_claim_is_judged_with_the_error_of_its_simulation(self, hits, holds):
        """Of 1000 samples at a level of 3 to 7 %: 8.5 % may be 7 % by chance, 9.5 % may not."""
        assert Found(Claim("any", "level"), "", hits, 1000).holds is holds


class TestSamples:
    def test_autoregressive_series_have_their_coefficient_and_variance(self):
        series = samples.autoregressive(np.random.default_rng(0), 300, 80, 0.7)
        assert np.corrcoef(series[:, 1:].ravel(), series[:, :-1].ravel())[0, 1] == pytest.approx(0.7, abs=0.02)
        assert series.var() == pytest.approx(1, abs=0.03)

    def test_rates_are_what_they_are_said_to_be(self):
        rng = np.random.default_rng(0)
        prone = samples.proneness(rng, 40_000)
        wrong, every = samples.mentions(rng, prone, 0.3)
        assert wrong.sum() / every.sum() == pytest.approx(0.3, abs=0.005)
        assert prone.max() / prone.min() == pytest.approx(7, abs=0.01)

    def test_arms_of_captions_share_proneness(self):
        _, kind = samples.captions(np.random.default_rng(0), 5000)
        assert np.corrcoef((kind == EVENT).T)[0, 1] > 0.1


class TestCommand:
    def test_writes_its_table_between_the_marks_and_says_what_does_not_hold(self, tmp_path, monkeypatch, capsys):
        bad = Simulation("bad", "a bad coin", (Claim("tails", "level"),), lambda rng: (True,), 40)
        monkeypatch.setattr("analysis.stats.calibration.registry.SIMULATIONS", (COIN, bad))
        page = tmp_path / "page.md"
        page.write_text("before\n<!-- calibration -->\nlast week\n<!-- /calibration -->\nafter\n")
        __main__.main(__main__.CalibrationConfig(page=page))
        assert capsys.readouterr().out == "1 of 3 claims do not hold:\ntails: rejects a true null in 100.0 %, wanted 3 to 7 %; a bad coin\n"
        text = page.read_text()
        assert text.startswith("before\n<!-- calibration -->\n3 claims, seed 0. In brackets")
        assert "last week" not in text
        assert "| **40 samples of a bad coin** | | | |\n| tails | rejects a true null | **100.0 (91.2 to 100.0)** | 3 to 7 |\n" in text
        assert "| *six* | wrong |" in text

    def test_a_page_with_marks_twice_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("analysis.stats.calibration.registry.SIMULATIONS", (COIN,))
        (tmp_path / "page.md").write_text(2 * "<!-- calibration -->\n<!-- /calibration -->\n")
        with pytest.raises(BadInput, match="needs the marks"):
            __main__.main(__main__.CalibrationConfig(page=tmp_path / "page.md"))

    def test_a_page_other_than_the_one_asked_for_is_told_first(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("docs").mkdir()
        for name in ("findings", "statistics"):
            Path("docs", f"{name}.md").write_text("<!-- calibration -->\n<!-- /calibration -->\n")
        monkeypatch.setattr("analysis.stats.calibration.registry.SIMULATIONS", (COIN,))
        with pytest.warns(
            Notice, match=r"docs/statistics\.md holds the whole simulation of the default seed; this one goes to out/calibration\.md"
        ):
            __main__.main(__main__.CalibrationConfig(share=0.1))
        assert "a coin" in Path("out/calibration.md").read_text()
        assert "a coin" not in Path("docs/statistics.md").read_text()

    def test_the_projects_page_is_of_the_defaults(self, tmp_path):
        found = {__main__.page_of(__main__.CalibrationConfig(**other)) for other in ({"share": 0.5}, {"seed": 1})}
        assert found == {Path("out/calibration.md")}
        assert __main__.page_of(__main__.CalibrationConfig()) == __main__.CalibrationConfig.page
        for page in (Path("docs/statistics.md").resolve(), Path("docs/findings.md")):
            assert __main__.page_of(__main__.CalibrationConfig(share=0.5, page=page)) == Path("out/calibration.md")
        assert __main__.page_of(__main__.CalibrationConfig(share=0.5, page=tmp_path)) == tmp_path

    def test_share_out_of_range_is_named(self):
        with pytest.raises(ValueError, match=r"CalibrationConfig.share must lie in \(0, 1\]; got 2"):
            __main__.CalibrationConfig(share=2.0)

    def test_bands_in_words(self):
        found = [Found(Claim("one", kind), "", 95, 100) for kind in ("level", "conservative", "fails", "coverage")]
        text = table(found, 0)
        assert all(words in text for words in ("| 3 to 7 |", "| 5.5 at most |", "| 10 or more |", "| 92 to 97 |"))
        assert outside(found[2:]) == "All 2 claims hold."
