"""Distances to omission beside CHAIR: captions of known truth lie where they were planted, and no other row knows of them."""

import json
import random
from itertools import product

import pytest

from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.omission import beyond_omission
from analysis.benchmark.omission_told import HEAD, omission_told
from analysis.benchmark.planning import planned
from analysis.benchmark.scoring import evaluation_of, scored
from analysis.benchmark.store import AnswerLine
from analysis.benchmark.table import markdown
from analysis.metrics.aggregate import compare
from analysis.omission.line import SHARES
from analysis.omission.rules import LINES
from analysis.stats.rows import as_json

IMAGES = 60
WORDS = ("dog", "cat", "cup", "pizza", "car", "banana", "horse", "chair", "clock", "umbrella", "kite", "apple", "person", "boat")
LESS, SEES = "kvsmooth", "constant:rate=0.5"
"""Two methods: what is planted leaves out the last sentence, or names absent objects seldom."""
NEAREST = "beyond every line"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("omission")
    return planned(BenchmarkConfig(out=out, images=IMAGES, mode="bundled", methods=("baseline", LESS, SEES), fluent=0))


@pytest.fixture(scope="module")
def measured(run):
    return evaluation_of(run)


@pytest.fixture(scope="module")
def answers(run, measured):
    """The baseline names an absent object the oftener the later the sentence."""
    draw, said = random.Random(4), {"baseline": [], LESS: [], SEES: []}
    for item in run.plan.items:
        there = sorted(name for name in measured.metric.truth[item.image_id] if " " not in name)
        absent = [word for word in WORDS if word not in there]
        draw.shuffle(there)
        draw.shuffle(absent)
        sentences, better = [], []
        for place in range(3):
            right = f"There is a {there[place % len(there)]}"
            wrong = f"{right} and a {absent[place]}"
            sentences.append(f"{wrong if draw.random() < 0.1 + 0.3 * place else right}.")
            better.append(sentences[-1] if draw.random() < 0.2 else f"{right}.")
        better = better[:2] if draw.random() < 0.2 else better
        for name, kept in (("baseline", sentences), (LESS, sentences[:2]), (SEES, better)):
            said[name].append(AnswerLine(item.key, item.image_id, item.prompt, " ".join(kept)))
    return said


def rows_of(measured, answers, **options):
    records = {name: measured.metric.records([measured.answer(line) for line in lines]) for name, lines in answers.items()}
    found, notes = beyond_omission(measured.metric, answers, records, **{"level": 0.95, "seed": 0} | options)
    return {row.name: row for row in found}, notes


@pytest.fixture(scope="module")
def rows(measured, answers):
    return rows_of(measured, answers)[0]


def test_leaving_out_the_last_sentence_is_on_a_line_and_seeing_better_beyond_all(rows):
    for measure in ("chair_s", "chair_i"):
        assert rows[f"{LESS}/beyond late sentence/{measure}"].estimate == pytest.approx(0, abs=0.01)
        assert not rows[f"{LESS}/{NEAREST}/{measure}"].p_adjusted < 0.05
        better = rows[f"{SEES}/{NEAREST}/{measure}"]
        assert better.interval[0] < better.estimate < better.interval[1] < 0
        assert better.p_adjusted < 0.05
    assert rows[f"{SEES}/{NEAREST}/precision"].interval[0] > 0
    assert {row.n for row in rows.values()} == {IMAGES}
    assert {name.rpartition("/")[0] for name in rows} == {
        f"{method}/{line}" for method in (LESS, SEES) for line in (NEAREST, *(f"beyond {rule} {unit}" for rule, unit in LINES))
    }
    nearest = rows[f"{SEES}/{NEAREST}/chair_s"]
    assert nearest.where == {"benchmark": "chair", "method": SEES, "measure": "chair_s", "rule": "every line"}
    assert nearest.adjustment == "Holm over 2 arms"


def test_a_distance_is_that_of_plain_loops(run, measured, answers, rows):
    """Mentions are dropped at random: all ways of keeping them, each with its probability, caption by caption."""

    def mentions(line):
        there = measured.metric.truth[line.image_id]
        words = line.caption.replace(".", "").split()
        return [(word, word not in there) for word in words if word in {*WORDS, *there}]

    def counted(kept):
        return [
            any(wrong for _, wrong in kept),
            len(kept),
            sum(wrong for _, wrong in kept),
            len({word for word, wrong in kept if not wrong}),
        ]

    truth = sum(len(measured.metric.truth[line.image_id]) for line in answers["baseline"])

    def values(total):
        return total[0] / IMAGES, total[2] / total[1], total[3] / truth

    own = values([sum(column) for column in zip(*(counted(mentions(line)) for line in answers[SEES]), strict=True)])
    curve = []
    for share in SHARES:
        total = [0.0] * 4
        for line in answers["baseline"]:
            named = mentions(line)
            for keeps in product((False, True), repeat=len(named)):
                chance = share ** sum(keeps) * (1 - share) ** (len(named) - sum(keeps))
                for at, value in enumerate(counted([one for one, keep in zip(named, keeps, strict=True) if keep])):
                    total[at] += chance * value
        curve.append(values(total))
    above = next(i for i in range(len(curve)) if curve[i][2] >= own[2])
    low, high = curve[above - 1], curve[above]
    part = (own[2] - low[2]) / (high[2] - low[2])
    for at, measure in enumerate(("chair_s", "chair_i")):
        line = low[at] + part * (high[at] - low[at])
        assert rows[f"{SEES}/beyond random mention/{measure}"].estimate == pytest.approx(own[at] - line)


def test_all_methods_are_held_to_the_images_that_every_one_answered(measured, answers):
    some = {"baseline": answers["baseline"][2:], LESS: answers[LESS][:40], SEES: [*reversed(answers[SEES])]}
    same = {name: lines[2:40] for name, lines in answers.items()}
    found, notes = rows_of(measured, some)
    assert {row.n for row in found.values()} == {38}
    assert not notes
    for name, row in rows_of(measured, same)[0].items():
        assert (found[name].estimate, found[name].p_adjusted) == pytest.approx((row.estimate, row.p_adjusted), nan_ok=True)


@pytest.mark.parametrize("common", [0, 1])
def test_fewer_than_two_such_images_are_told(measured, answers, common):
    found, notes = rows_of(measured, {"baseline": answers["baseline"][:5], LESS: answers[LESS][5 - common : 9]})
    assert found == {}
    assert notes == [f"the distances to omission are left out: they need 2 images that all methods answered, there are {common}"]


def test_there_is_none_without_a_baseline_another_method_or_chair(run, measured, answers):
    assert rows_of(measured, {name: answers[name] for name in (LESS, SEES)}) == ({}, [])
    assert rows_of(measured, {"baseline": answers["baseline"]}) == ({}, [])
    other = evaluation_of(planned(BenchmarkConfig(out=run.config.out, images=8, benchmark="opope", mode="bundled")))
    first = {name: [line for line in lines[:8] if other.counts(line.image_id)] for name, lines in answers.items()}
    assert rows_of(other, first) == ({}, [])


@pytest.mark.parametrize("caption", ["Nothing at all.", "", "There is a dog."])
def test_captions_that_all_say_one_thing_are_no_trouble(measured, answers, caption):
    plain = {name: [AnswerLine(line.key, line.image_id, "", caption) for line in answers[name][:6]] for name in ("baseline", LESS)}
    found, _ = rows_of(measured, plain)
    assert found[f"{LESS}/{NEAREST}/chair_s"].estimate == 0
    assert not found[f"{LESS}/{NEAREST}/chair_s"].p_adjusted < 0.05
    told = json.loads(as_json(found.values(), {}))["results"]
    (row,) = [line for line in omission_told({one["name"]: one for one in told}, [LESS])[1].splitlines() if line.startswith(f"| {LESS}")]
    assert row.endswith("| no |" if "dog" in caption else "| undefined |")


def test_results_and_table_tell_it_and_no_other_row_changes(run, measured, answers, rows, tmp_path):
    lines = {name: {line.key: line for line in own} for name, own in answers.items()}
    found = scored(run, measured, lines, [], tmp_path)
    records = {name: measured.metric.records([measured.answer(line) for line in own]) for name, own in answers.items()}
    before = compare(measured.metric, records, "baseline", keys={name: [line.key for line in own] for name, own in answers.items()})
    assert found["results"] == json.loads(as_json([*before, *rows.values()], {}))["results"]
    assert "left out" not in str(found["about"]["notes"])
    table = markdown(found)
    head, grid = omission_told({row["name"]: row for row in found["results"]}, [LESS, SEES])
    assert f"{head}\n\n{grid}\n\n" in table
    assert f"on the {IMAGES} images that every method answered" in head
    first, second = grid.splitlines()[2:]
    assert first.startswith(f"| {LESS} | ")
    assert first.endswith(" | no |")
    near = rows[f"{SEES}/{NEAREST}/chair_s"]
    assert second.startswith(f"| {SEES} | {100 * near.estimate:+.1f} [{100 * near.interval[0]:+.1f}, {100 * near.interval[1]:+.1f}] | ")
    assert second.endswith(" | yes |")


def test_the_table_names_every_line():
    words = {"random": "at random", "late": "late ones first", "background": "of the background first", "positions": "worst places first"}
    assert {rule for rule, _ in LINES} == words.keys()
    assert all(text in HEAD for text in words.values())
    assert {unit for _, unit in LINES} == {"mention", "sentence"}


def test_results_of_before_say_nothing_of_it(rows):
    assert omission_told({}, [LESS, SEES]) == []
    one_measure = {"estimate": -0.2, "interval": [-0.3, -0.1], "unit": "1", "n": 5, "p_adjusted": 0.01}
    found = {f"{LESS}/{NEAREST}/chair_s": one_measure, f"{LESS}/{NEAREST}/chair_i": one_measure | {"p_adjusted": 0.2}}
    assert omission_told(found, [LESS])[1].splitlines()[-1].endswith("| in CHAIR_s alone |")
