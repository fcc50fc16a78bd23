"""The story: marks of captions by hand, sentences of planted results, the whole command on invented files."""

import functools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.legend import Legend

from analysis.dose.controls import CONTROLS
from analysis.dose.results import results
from analysis.plots.style import PAGE, figure, house
from analysis.published.verdict import BETTER, NOT_LOWER
from analysis.question.question import by_name
from analysis.stats.rows import as_json
from analysis.story.__main__ import StoryConfig, main
from analysis.story.captions import lines, marked, repeated_spans
from analysis.story.figure import story
from analysis.story.minute import one_minute
from analysis.story.panels import plane
from analysis.story.results import RealLog, StorySources, SubjectResults, sources
from analysis.story.sentences import broken, fair, form, in_numbers, language, mechanism, omission, open_end, published, real
from analysis.telling.pages import tell
from probes.command.cli import BadInput
from probes.sentences import repeated_ngrams
from tests.analysis.dose.test_dose import data
from tests.analysis.mechanism.test_mechanism import OWN, rows_of
from tests.analysis.resamples import few


@functools.cache
def judged(chances=(0.3, 0.1, 0.5), chosen=0.1, seed=0):
    """The data of a dose question and what its tests give."""
    reduced = data(chances, np.random.default_rng(seed), dose=chosen)
    with few():
        return reduced, results(reduced)


@functools.cache
def asked(chances, chosen, seed):
    """The data of a dose question, with examples, and its rows by name."""
    reduced, rows = judged(chances, chosen, seed)
    said = {str(arm): ["A dog. A dog and a cat. A dog and a cat, a dog and a cat."] * 3 for arm in reduced["arm"].values}
    return reduced.assign_attrs(examples=json.dumps(said)), by_name(json.loads(as_json(rows, {}))["results"])


def subject(chances, name="emoji", chosen=0.1, seed=0, mechanism=None, form=None, mediation=None):
    reduced, rows = asked(chances, chosen, seed)
    origin = {"chosen": chosen, "n": 60, "git_commit": "0" * 40, "config": {"lambda_ref": 0.7, "level": 0.95}}
    return SubjectResults(name, dict(rows), reduced.copy(), origin, mechanism or {}, form or {}, mediation or {})


def text_row(estimate, p):
    return {"estimate": estimate, "interval": [estimate - 0.1, estimate + 0.1], "p": p, "p_adjusted": p, "where": {}}


TEXTS = {"kvsmooth - baseline/nll": text_row(0.5, 0.001), "kvsmooth - mean/nll": text_row(-0.05, 0.001)}


def test_a_control_that_names_far_less_is_not_cut_off_the_plane():
    told, control = subject((0.3, 0.1, 0.5)), next(iter(CONTROLS))
    far = {f"test/{measure}/{control}": text_row(0.3, 1.0) for measure in ("recall", "chair_s")}
    ax = figure(PAGE, 3.0).add_subplot()
    plane(ax, replace(told, dose=told.dose | far))
    assert ax.get_xlim()[0] < 100 * far[f"test/recall/{control}"]["interval"][0]


def test_a_bias_of_the_end_token_stands_in_the_plane():
    told = subject((0.3, 0.1, 0.5))
    ended = {f"eos_bias x1/{measure}": text_row(0.2, 1.0) for measure in ("recall", "chair_s")}
    ax = figure(PAGE, 3.0).add_subplot()
    for methods, there in (({}, False), (ended, True)):
        ax.clear()
        plane(ax, replace(told, methods=methods))
        drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
        assert ("a bias of the end token" in drawn) == there
    assert drawn["a bias of the end token"].tolist() == [[pytest.approx(20), pytest.approx(20)]]
    assert ax.get_xlim()[0] < 10


def test_words_are_marked_by_absence_first_then_by_repetition():
    found = [(word.text, word.kind) for word in marked("A cat, a dog, a cat, a dog.", {"dog"})]
    # runs of four units: "a dog , a" is new, "a cat , a" and "cat , a dog" occurred before
    assert found == [
        ("A", "plain"),
        ("cat,", "absent"),
        ("a", "plain"),
        ("dog,", "plain"),
        ("a", "again"),
        ("cat,", "absent"),
        ("a", "again"),
        ("dog.", "again"),
    ]


def test_repeated_runs_are_those_that_are_counted():
    for text in ("A cat, a dog, a cat, a dog.", "One two three four. Five six.", "a a a a a a", ""):
        assert len(repeated_spans(text)) == repeated_ngrams(text, 4)[1]


def test_lines_are_no_longer_than_asked_and_say_that_something_is_left():
    made = lines(marked("one two three four five six seven", ()), 9, 3)
    assert [[word.text for word in line] for line in made] == [["one", "two"], ["three"], ["four", "..."]]
    assert [word.text for line in lines(marked("one two", ()), 80, 3) for word in line] == ["one", "two"]


def test_sentences_follow_signs_and_corrected_tests():
    better, worse = subject((0.3, 0.1, 0.5)), subject((0.1, 0.1, 0.1), "smollm2", seed=2)
    rows = better.dose
    assert "emoji it is 0.1, and on 40 fresh scenes it lowers CHAIR_i" in fair([better])
    assert "smollm2 it is 0.1, and on 40 fresh scenes it does not clearly change CHAIR_i" in fair([better, worse])
    assert f"({100 * rows['test/chair_s/published']['estimate']:.1f} % against" in published([better])
    assert "0 % of the captions of emoji loop" in broken([better])
    barred = subject((0.1, 0.1), "smollm2", chosen=0.0)
    assert fair([barred]).endswith("on smollm2 no dose that lowers CHAIR_i passes.")
    read = {f"validation/broken/{dose}": {"estimate": share} for dose, share in (("0", 0.01), ("0.1", 0.2), ("0.05", 0.065))}
    told = "no dose that lowers CHAIR_i passes (at 0.05 6.5 % of the captions are broken, 1 % without smoothing)."
    assert fair([replace(barred, dose=barred.dose | read)]).endswith(told)
    assert "the fair dose on smollm2 is not beyond it" in omission([worse])
    ended = {f"eos_bias x1/{measure}": {"estimate": share} for measure, share in (("chair_s", 0.18), ("recall", 0.723))}
    assert omission([worse]).endswith("points).")
    assert omission([worse, replace(better, methods=ended)]).endswith(
        " knows nothing of the image, gives 18.0 % at recall 72.3 % on emoji."
    )
    assert "(80 words become 80)" in broken([better])
    shares = {f"test/written/{arm}": {"estimate": share} for arm, share in (("none", 0.924), ("published", 0.0918))}
    told = "(80 words become 80; sentences that its grammar can write go from 92 % to 9.2 %)"
    assert told in broken([replace(better, dose=better.dose | shares)])
    whole = shares | {"test/written/none": {"estimate": 1.0}}
    assert "go from 100 % to 9.2 %" in broken([replace(better, dose=better.dose | whole)])
    lost = {"test/written/chosen - none": {"estimate": -0.041, "p_adjusted": 0.001}}
    assert "sentences that its grammar can write change by -4.1 points" in fair([replace(better, dose=better.dose | lost)])
    assert "grammar" not in fair(
        [replace(better, dose=better.dose | {"test/written/chosen - none": {"estimate": -0.1, "p_adjusted": 0.2}})]
    )
    assert "likel" not in broken([better])
    assert "end before the bound" not in broken([better])
    cut = {f"test/ended/{arm}": {"estimate": share} for arm, share in (("none", 1.0), ("published", 0.06))}
    assert "80 words become 80, as 6 % end before the bound on tokens, 100 % without" in broken([replace(better, dose=better.dose | cut)])
    assert open_end([]).endswith("and their images are drawn.")
    assert "the published rows of A and B lie beyond" in open_end(["A", "B"])


def test_the_end_of_captions_is_told_where_its_test_rejects():
    made = [subject((0.3, 0.1), chosen=0.0, mediation=end_rows(3.0)), subject((0.3, 0.1), "smollm2", 0.0, mediation=end_rows(-1.5))]
    told = "where a sentence of unsmoothed captions ends, their end is 20 times likelier on emoji and 4.5 times less likely on smollm2."
    assert broken(made).endswith(told)
    assert "likel" not in broken([subject((0.3, 0.1), chosen=0.0, mediation=end_rows(3.0, p=0.3))])


def end_rows(estimate, p=0.001):
    """Rows of the mediation question: what smoothing does to the end of a caption, nat."""
    return {"kvsmooth/end/total": {"estimate": estimate, "interval": [estimate - 0.1, estimate + 0.1], "p_adjusted": p}}


def test_a_language_model_is_told_of_where_it_was_asked():
    assert f"multiplied by {math.exp(0.5):.2f} [{math.exp(0.4):.2f}, {math.exp(0.6):.2f}]" in language(TEXTS)
    assert "costs less than a constant rate" in language(TEXTS)
    assert "not clearly less or more than" in language(TEXTS | {"kvsmooth - mean/nll": text_row(-0.05, 0.4)})
    assert len(in_numbers(StorySources([subject((0.3, 0.1, 0.5))], TEXTS, []))) == 6
    assert len(in_numbers(StorySources([subject((0.3, 0.1, 0.5))], {}, []))) == 5


def test_the_mechanism_is_told_with_the_controls_that_have_it():
    shared = OWN | {"constant": [0.5, 0.3, 0.1, -0.2, 0, 0]}
    said = mechanism(
        [subject((0.3, 0.1), chosen=0.0, mechanism=rows_of(shared)), subject((0.3, 0.1), "smollm2", 0.0, mechanism=rows_of(OWN))]
    )
    assert "on emoji KVSmooth does both, and so does a constant rate; on smollm2 KVSmooth does both, and no control does." in said
    other = shared | {"kvsmooth": [0] * 6}
    assert "does not do both, while a constant rate does." in mechanism([subject((0.3, 0.1), chosen=0.0, mechanism=rows_of(other))])
    assert "KVSmooth does not do both" in mechanism([subject((0.3, 0.1), chosen=0.0, mechanism=rows_of(OWN | {"kvsmooth": [0] * 6}))])


def form_rows(controls, paper=-0.07):
    def changed(arm, estimate):
        return {**text_row(estimate, 0.001 if estimate else 0.9), "where": {"treated": arm, "control": "none", "measure": "absent"}}

    arms = {"kvsmooth:lambda_ref=0.05": -0.05, "kvsmooth": paper, **controls}
    levels = {f"absent/{arm}": text_row(0.16 + value, None) for arm, value in {"none": 0.0, **arms}.items()}
    levels |= {"recall/none": text_row(0.75, None), "recall/kvsmooth": text_row(0.7, None)}
    return levels | {f"absent/{arm} - none": changed(arm, value) for arm, value in arms.items()}


def test_what_is_said_in_fixed_sentences_is_told_with_the_controls_that_do_the_same():
    both = form_rows({"constant:rate=0.6": -0.08, "image_bias:strength=1": 0.0})
    said = form([subject((0.3, 0.1), chosen=0.0, form=both), subject((0.3, 0.1), "smollm2", 0.0, form=form_rows({}, paper=0.0))])
    assert "on emoji fewer of the different objects that KVSmooth chooses are absent (9.0 % against 16.0 %; recall 70.0 % against" in said
    assert "75.0 %); so it is under 1 of 2 controls; on smollm2 " in said
    assert "on smollm2 not clearly fewer or more of" in said
    turning = form_rows({"constant:rate=0.6": -0.08, "kvsmooth:mix=norm_preserving": -0.05})
    near = "kvsmooth:mix=norm_preserving/beyond every line"
    turning |= {f"{near}/precision": {"estimate": 0.1, "p_adjusted": 0.2}, f"{near}/chair_s": {"estimate": -0.1, "p_adjusted": 0.001}}
    said = form([subject((0.3, 0.1), chosen=0.0, form=turning)])
    assert said.endswith("; so it is under 2 of 2 controls, beyond what leaving out gives under turning alone.")


LOGS = [
    RealLog("M-7B", "greedy", 0.004, 0.5, 0.01, ""),
    RealLog("M-7B", "loud", 0.3, 0.3, 0.1, "mixture"),
    RealLog("M-7B", "quiet", 0.0, 0.3, 0.01, BETTER),
    RealLog("M-7B", "idle", 0.01, 0.5, 0.01, NOT_LOWER),
]


def test_real_captions_are_counted_by_verdict():
    said = real(LOGS)
    assert "2 of 3 logs (3 of methods) lower CHAIR against greedy ones, 1 by seeing better alone" in said
    assert "up to 30 % of the captions loop (loud on M-7B), greedily at most 0.4 %" in said


def test_the_figure_has_a_panel_for_each_subject_and_one_for_the_language_model():
    rows = {**TEXTS}
    for i, rate in enumerate((0.2, 0.5)):
        for family in ("dose", "constant"):
            arm = f"{family} {i}"
            rows[f"{arm}/rate"] = text_row(rate, math.nan) | {"where": {"arm": arm, "family": family, "measure": "rate"}}
            rows[f"{arm} - baseline/nll"] = text_row(rate / 2, 0.01)
    rows["kvsmooth/rate"] = text_row(0.6, math.nan)
    with house():
        both = [subject((0.3, 0.1, 0.5)), subject((0.1, 0.1, 0.1), "smollm2")]
        for name in CONTROLS:
            both[0].dose.update({f"test/{measure}/{name}": both[0].dose[f"test/{measure}/none"] for measure in ("recall", "chair_s")})
        made, note = story(StorySources(both, rows, LOGS))
        alone, _ = story(StorySources(both[:1], {}, []))
    assert {text.get_text() for legend in made.findobj(Legend) for text in legend.get_texts()} >= {*CONTROLS.values()}
    assert sum(ax.get_xlabel() == "captions that loop (%)" for ax in made.axes) == 1
    assert sum(ax.get_xlabel() == "dose (lambda_ref)" for ax in made.axes) == 2
    assert sum(ax.get_xlabel() == "mean rate" for ax in made.axes) == 1
    assert sum(ax.get_xlabel() == "objects named (recall, %)" for ax in made.axes) == 2
    assert sum(ax.get_xlabel() == "mean rate" for ax in alone.axes) == 0
    assert "Second row: 12 validation" in note
    assert "Third row: 60 test scenes" in note
    assert "Last row" not in note, "nobody was asked of the mechanism"


def test_the_last_row_shows_the_mechanism_under_every_control_and_what_passes():
    asked, other = subject((0.3, 0.1, 0.5), mechanism=rows_of(OWN)), subject((0.1, 0.1, 0.1), "smollm2")
    with house():
        made, note = story(StorySources([asked, other], {}, []))
    (ax,) = (ax for ax in made.axes if ax.get_xlabel() == "Δ rad")
    (left,) = (ax for ax in made.axes if ax.get_xlabel() == "Δ ln per 100 tokens")
    shown = {label.get_text(): place for place, label in zip(left.get_yticks(), left.get_yticklabels(), strict=True)}
    assert list(shown)[:2] == ["KVSmooth", "a constant rate"]
    for name, arm in (("KVSmooth", "kvsmooth"), ("a constant rate", "constant")):
        row = asked.mechanism[f"{arm} - baseline/angle"]
        (mark,) = (line for line in ax.lines if line.get_marker() == "o" and line.get_ydata()[0] == shown[name])
        assert mark.get_xdata()[0] == row["estimate"]
        assert (mark.get_markerfacecolor() == "white") == (row["p_adjusted"] >= 0.05)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["emoji"]
    assert "Last row:" in note


def test_the_command_reads_files_alone(tmp_path):
    made = subject((0.3, 0.1, 0.5))
    folder = tmp_path / "emoji" / "dose"
    folder.mkdir(parents=True)
    made.reduced.to_netcdf(folder / "dose.nc", engine="h5netcdf")
    (folder / "dose.json").write_text(as_json(judged()[1], made.origin), encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- story -->\nold\n<!-- /story -->\n", encoding="utf-8")
    main(StoryConfig(figures=tmp_path, page=page))
    assert (tmp_path / "story.svg").is_file()
    assert (tmp_path / "story.png").is_file()
    assert one_minute(sources(tmp_path)) in page.read_text(encoding="utf-8")
    (folder / "dose.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"dose\.json: cannot be read"):
        main(StoryConfig(figures=tmp_path, page=page))


def test_what_another_command_writes_meanwhile_stays(tmp_path, monkeypatch):
    made = subject((0.3, 0.1, 0.5))
    folder = tmp_path / "emoji" / "dose"
    folder.mkdir(parents=True)
    made.reduced.to_netcdf(folder / "dose.nc", engine="h5netcdf")
    (folder / "dose.json").write_text(as_json(judged()[1], made.origin), encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- story -->\nold\n<!-- /story -->\n", encoding="utf-8")

    def meanwhile(told_of):
        tell("other", "of another", page)
        return story(told_of)

    monkeypatch.setattr("analysis.story.figure.story", meanwhile)
    main(StoryConfig(figures=tmp_path, page=page))
    assert "old" not in page.read_text(encoding="utf-8")
    assert "<!-- other -->\nof another\n" in page.read_text(encoding="utf-8")


def test_the_page_s_sentences_are_those_of_the_committed_results():
    assert one_minute(sources(Path("figures"))) in Path("docs/findings.md").read_text(encoding="utf-8")


def test_logs_that_were_not_compared_are_not_told():
    assert "Real captions" not in one_minute(StorySources([subject((0.3, 0.1, 0.5))], {}, LOGS[:1]))
