"""Sums by image, measures with intervals, and paired comparisons, each against loops or against what the house has had for long."""

import dataclasses
import itertools

import numpy as np
import pytest

from analysis.metrics import chair
from analysis.metrics.aggregate import by_image, compare, score
from analysis.metrics.metric import Measure
from analysis.stats.bootstrap import cluster_bca, multiplicity_of_images
from analysis.stats.multiplicity import adjust


class Rates:
    """Two ratios of sums: wrong over named, which is primary, and words over answers."""

    name, mode = "rates", "loops"
    counts = ("answers", "named", "wrong", "words")
    measures = catalogue = {"rate": Measure("rate", False), "length": Measure("length", None, "words")}  # noqa: RUF012  the protocol's shape
    primary = ("rate",)

    def records(self, answers):
        raise NotImplementedError

    def ratios(self, total):
        answers, named, wrong, words = np.moveaxis(np.asarray(total, dtype=float), -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {"rate": wrong / named, "length": words / answers}

    def reasons(self, total):
        told = {}
        if total[1] == 0:
            told["rate"] = "nothing is named"
        if total[0] == 0:
            told["length"] = "there is no answer"
        return told


@dataclasses.dataclass(frozen=True)
class Counted:
    image_id: int
    counts: tuple[float, ...]

    def as_dict(self):
        return {"image_id": self.image_id}


METRIC = Rates()


def drawn(seed: int, images: int, most: int = 3, first: int = 0) -> list[Counted]:
    """Records in no order, up to `most` of an image."""
    rng = np.random.default_rng(seed)
    made = []
    for image_id in range(first, first + images):
        for _ in range(int(rng.integers(1, most + 1))):
            named = int(rng.integers(0, 6))
            made.append(Counted(image_id, (1, named, int(rng.binomial(named, 0.3)), int(rng.integers(20, 90)))))
    return [made[i] for i in rng.permutation(len(made))]


def looped(records) -> dict[str, float]:
    answers = named = wrong = words = 0
    for record in records:
        a, n, w, v = record.counts
        answers, named, wrong, words = answers + a, named + n, wrong + w, words + v
    return {"rate": wrong / named, "length": words / answers}


def test_counts_of_an_image_are_summed_over_its_records():
    records = drawn(0, 7)
    ids, counts = by_image(METRIC, records)
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    for i, image_id in enumerate(ids):
        mine = [record.counts for record in records if record.image_id == image_id]
        assert counts[i].tolist() == [sum(column) for column in zip(*mine, strict=True)]


def test_the_order_of_the_records_changes_nothing():
    records = drawn(1, 12)
    assert score(METRIC, records) == score(METRIC, records[::-1])


def test_measures_are_ratios_of_sums_and_not_means_of_ratios():
    records = drawn(2, 20)
    found = score(METRIC, records)
    assert found.metrics == pytest.approx(looped(records), rel=1e-14)
    assert (found.answers, found.images) == (len(records), 20)
    assert found.reasons == {}
    for name, (low, high) in found.intervals.items():
        assert low < found.metrics[name] < high


def test_the_interval_resamples_images_with_all_of_their_records():
    records = drawn(3, 9)
    images = sorted({record.image_id for record in records})

    def slow(indices):
        rows = indices.reshape(-1, indices.shape[-1])
        values = [[looped(r for i in row for r in records if r.image_id == images[i])[name] for row in rows] for name in METRIC.measures]
        return np.array(values).reshape(len(METRIC.measures), *indices.shape[:-1])

    reference = cluster_bca(slow, len(images), resamples=200, seed=4)
    _, counts = by_image(METRIC, records)
    fast = cluster_bca(
        lambda indices: np.stack(list(METRIC.ratios(multiplicity_of_images(indices, len(counts)) @ counts).values())),
        len(images),
        resamples=200,
        seed=4,
    )
    np.testing.assert_allclose([fast.low, fast.high], [reference.low, reference.high], rtol=1e-9)
    whole = score(METRIC, records, seed=4)
    again = cluster_bca(
        lambda indices: np.stack(list(METRIC.ratios(multiplicity_of_images(indices, len(counts)) @ counts).values())), len(counts), seed=4
    )
    np.testing.assert_array_equal([*zip(*whole.intervals.values(), strict=True)], [again.low, again.high])


def test_chair_agrees_with_the_aggregate_that_the_house_has():
    captions = ["A dog and a cat near a car.", "A train.", "Nothing here.", "Two dogs and a bench.", "A person with a cup and a dog."]
    truth = [{"dog"}, {"train", "bus"}, {"bowl"}, {"dog", "bench"}, {"person", "dog"}]
    records = [chair.score_caption(text, there, i % 4) for i, (text, there) in enumerate(zip(captions, truth, strict=True))]

    class Plain:
        name, mode, counts, primary = "chair", "bundled", chair.COUNTS, ("chair_s",)
        measures = catalogue = {name: chair.MEASURES[name] for name in (*chair.RATIOS, "f1")}  # noqa: RUF012  the protocol's shape
        ratios = staticmethod(chair.ratios)

        def records(self, answers):
            raise NotImplementedError

        def reasons(self, total):
            return {}

    with_dict = [Counted(record.image_id, record.counts) for record in records]
    known = chair.ratios(chair.count(records).sum(0))
    found = score(Plain(), with_dict)
    assert found.metrics == pytest.approx({name: float(known[name]) for name in Plain.measures}, rel=1e-14)
    assert (found.answers, found.images) == (5, 4)


def test_a_zero_denominator_is_nan_with_its_reason():
    found = score(METRIC, [Counted(i, (1, 0, 0, 10 + i)) for i in range(4)])
    assert np.isnan(found.metrics["rate"])
    assert np.isnan(found.intervals["rate"]).all()
    assert found.reasons == {"rate": "nothing is named"}
    assert found.metrics["length"] == 11.5


def test_no_answer_at_all_is_nan_with_reasons():
    found = score(METRIC, [])
    assert np.isnan(list(found.metrics.values())).all()
    assert set(found.reasons) == set(METRIC.measures)
    assert (found.answers, found.images) == (0, 0)


def test_one_image_has_a_value_and_no_interval():
    found = score(METRIC, [Counted(5, (1, 4, 1, 30))])
    assert found.metrics == {"rate": 0.25, "length": 30.0}
    assert set(found.reasons.values()) == {"interval: an interval needs at least 2 images"}


@pytest.mark.parametrize("level", [0.0, 1.0, float("nan")])
def test_a_level_outside_its_range_is_refused(level):
    with pytest.raises(ValueError, match="level must lie in"):
        score(METRIC, drawn(0, 3), level=level)


def test_paired_differences_are_tested_by_exchanging_whole_images():
    first, second = drawn(5, 8), drawn(6, 8)
    rows = {row.name: row for row in compare(METRIC, {"ours": first, "base": second}, "base")}
    sums = [by_image(METRIC, records)[1] for records in (first, second)]

    def gap(a, b):
        return [x - y for x, y in zip(METRIC.ratios(a.sum(0)).values(), METRIC.ratios(b.sum(0)).values(), strict=True)]

    observed = gap(*sums)
    reached = np.zeros(2)
    for flips in itertools.product([False, True], repeat=8):
        swapped = np.array(flips)[:, None]
        null = gap(np.where(swapped, sums[1], sums[0]), np.where(swapped, sums[0], sums[1]))
        reached += [abs(n) >= abs(o) - 1e-12 for n, o in zip(null, observed, strict=True)]
    for i, measure in enumerate(METRIC.measures):
        row = rows[f"rates/{measure}/ours - base"]
        assert row.estimate == pytest.approx(observed[i], rel=1e-12)
        assert row.p == pytest.approx(reached[i] / 2**8)
        assert row.n == 8
        assert row.interval[0] < row.estimate < row.interval[1]
        for method, records in (("ours", first), ("base", second)):
            assert rows[f"rates/{measure}/{method}"].estimate == pytest.approx(looped(records)[measure])
            assert np.isnan(rows[f"rates/{measure}/{method}"].p)


def test_an_image_is_compared_over_the_questions_that_both_answered():
    # of each image an easy question and a hard one; a run that was ended has the easy ones, and is as good at them
    easy, hard = [Counted(i, (1, 10, 1 + i % 2, 30)) for i in range(6)], [Counted(i, (1, 10, 9, 30)) for i in range(6)]
    records = {"ours": easy, "base": [*hard, *easy]}
    keys = {"ours": [f"easy/{i}" for i in range(6)], "base": [*(f"hard/{i}" for i in range(6)), *(f"easy/{i}" for i in range(6))]}
    rows = {row.name: row for row in compare(METRIC, records, "base", keys=keys)}
    assert rows["rates/rate/ours - base"].estimate == 0
    assert rows["rates/rate/base"].estimate == pytest.approx(looped(records["base"])["rate"]), "a level is over all answers"
    both = {row.name: row for row in compare(METRIC, records, "base")}
    assert both["rates/rate/ours - base"].estimate < -0.3, "without keys an image has one question"


def test_a_comparison_takes_the_images_that_both_answered():
    first, second = drawn(7, 6), drawn(8, 6, first=2)
    rows = {row.name: row for row in compare(METRIC, {"ours": first, "base": second}, "base")}
    mine = [record for record in first if record.image_id >= 2]
    theirs = [record for record in second if record.image_id < 6]
    difference = rows["rates/rate/ours - base"]
    assert difference.n == 4
    assert difference.estimate == pytest.approx(looped(mine)["rate"] - looped(theirs)["rate"])
    assert rows["rates/rate/ours"].estimate == pytest.approx(looped(first)["rate"])
    assert rows["rates/rate/ours"].n == 6


def test_methods_without_a_common_image_are_compared_on_none():
    rows = {row.name: row for row in compare(METRIC, {"ours": drawn(1, 4), "base": drawn(2, 4, first=10)}, "base")}
    row = rows["rates/rate/ours - base"]
    assert row.n == 0
    assert np.isnan([row.estimate, row.p, *row.interval]).all()
    assert row.reason


def test_the_same_answers_differ_by_nothing_and_are_not_tested():
    records = drawn(9, 6)
    row = next(row for row in compare(METRIC, {"ours": records, "base": records}, "base") if row.name == "rates/rate/ours - base")
    assert row.estimate == 0
    assert np.isnan(row.p)


def test_p_is_corrected_over_methods_for_primary_and_other_measures_apart():
    records = {"base": drawn(10, 10), "a": drawn(11, 10), "b": drawn(12, 10)}
    rows = [row for row in compare(METRIC, records, "base") if row.test]
    for role, measure in (("primary", "rate"), ("exploratory", "length")):
        members = [row for row in rows if row.role == role]
        assert [row.where["measure"] for row in members] == [measure, measure]
        p = np.array([row.p for row in members])
        np.testing.assert_allclose([row.p_adjusted for row in members], adjust(p, "holm"))
        smallest = int(p.argmin())
        assert members[smallest].p_adjusted == pytest.approx(min(1, 2 * p[smallest]))  # Holm by hand: the smaller of two
        assert {row.adjustment for row in members} == {f"Holm over 2 {role} tests"}


def test_an_image_of_which_nothing_counts_is_no_image():
    records = drawn(13, 6)
    silent = [Counted(100, (0, 0, 0, 0)), Counted(101, (0, 0, 0, 0))]
    found, alone = score(METRIC, records + silent), score(METRIC, records)
    assert found == alone
    assert found.images == 6
