"""The sentence in bold of each question: every branch, from made-up signs and corrected p-values."""

import math
from itertools import product

import pytest

from analysis.ablation import verdict as ablation
from analysis.coupling import findings as coupling
from analysis.drift import findings as drift
from analysis.entropy import findings as entropy
from analysis.logits import findings as logits
from analysis.mediation import findings as mediation
from analysis.onset import findings as onset
from analysis.onset.timing import EARLY
from analysis.question.arms import CONTRAST, CONTROL, TREATED
from analysis.sensitivity import findings as sensitivity
from analysis.sinks import findings as sinks
from analysis.sinks.names import SINKS
from tests.analysis.telling.rows import SIGNS, row


def said_of_drift(entropy, mass, angle, chair=None, size=0.3, looping=None):
    """`chair`: signs of CHAIR_i and CHAIR_s; beside that of `looping` the only measures of captions."""
    rows = dict(zip(drift.PRIMARY, map(row, (entropy, mass, angle)), strict=True))
    rows[drift.PRIMARY[2]] = row(angle, size=size, effect={CONTROL: 1.6})
    for name, sign in zip(drift.CHAIR, chair or (), strict=False):
        where = {"regime": "free", "quantity": name, "contrast": CONTRAST}
        rows[f"free/{name}/{CONTRAST}"] = row(sign, where=where, p=0.04 if sign == 0 else 0.01, p_adjusted=0.08 if sign == 0 else 0.02)
    if looping is not None:
        where = {"regime": "free", "quantity": "looping", "contrast": CONTRAST}
        rows[f"free/looping/{CONTRAST}"] = row(looping, where=where, p_adjusted=0.6 if looping == 0 else 0.03)
        for arm, value in ((CONTROL, 0.011), (TREATED, 0.4)):
            rows[f"free/looping/{arm}"] = row(1, where={}) | {"estimate": value}
    return drift.verdict(rows)


@pytest.mark.parametrize(("mass", "angle"), list(product(SIGNS, SIGNS)))
def test_drift(mass, angle):
    parts = {0: "neither part", 1: "one of the two parts", 2: "both parts"}[(mass == 1) + (angle == -1)]
    said = said_of_drift(1, mass, angle, (1, 1))
    assert said.startswith("On the same tokens, with KVSmooth row entropy is higher, attention ")
    assert f": {parts} of the paper's mechanism " in said
    assert said.endswith(", and in free captions CHAIR_i and CHAIR_s are higher" + ("." if parts == "neither part" else " all the same."))
    assert {-1: "to the image worse, beyond", 0: "not clearly keep to the image", 1: "to the image better, beyond"}[mass] in said
    words = {-1: "are nearer to the image:", 0: "neither nearer to the image nor farther for certain:", 1: "are farther from the image:"}
    assert words[angle] in said


def test_drift_is_small_where_it_is_and_says_of_captions_what_their_corrected_tests_say():
    assert "nearer to the image by less than 1 % of the angle, which is not counted:" in said_of_drift(0, 1, -1, size=0.015)
    assert "nearer to the image:" in said_of_drift(0, 1, -1, size=0.017)
    assert said_of_drift(-1, 1, -1).endswith("both parts of the paper's mechanism are seen, with no control beside them here.")
    # the corrected p decides: 0.04 alone is 0.08 of both
    said = said_of_drift(-1, 1, -1, (0, -1))
    assert said.endswith("and in free captions CHAIR_i is not clearly different, CHAIR_s is lower.")


def test_drift_tells_of_a_course_that_turns_in_the_middle():
    name = f"replay/excess_image/{{}}/{CONTRAST}/band"
    halves = {name.format("slope_early"): row(1), name.format("slope_late"): row(-1)}
    known = dict(zip(drift.PRIMARY, map(row, (1, 1, 1)), strict=True))
    assert "as the caption grows (better in its first half, worse in its second)" in drift.verdict(known | halves)
    assert "half" not in drift.verdict(known | {name.format("slope_early"): row(1), name.format("slope_late"): row(1)})
    assert "half" not in drift.verdict(known | {name.format("slope_early"): row(1), name.format("slope_late"): row(-1, size=0.05)})
    assert "half" not in drift.verdict(known)


def test_drift_says_beside_chair_what_becomes_of_the_text():
    said = said_of_drift(1, 1, -1, (-1, -1), looping=1)
    assert said.endswith("CHAIR_s are lower, while 40 % of the captions loop, 1.1 % without KVSmooth.")
    assert said_of_drift(1, 1, -1, (-1, -1), looping=0).endswith("CHAIR_s are lower.")


@pytest.mark.parametrize("total", SIGNS)
@pytest.mark.parametrize("contents", SIGNS)
@pytest.mark.parametrize("attention", SIGNS)
def test_mediation(total, contents, attention):
    names = (mediation.TOTAL, mediation.DIRECT, mediation.INDIRECT)
    said = mediation.verdict(dict(zip(names, map(row, (total, contents, attention)), strict=True)))
    verbs = {-1: "lower", 0: "do not clearly change", 1: "raise"}
    assert f"KVSmooth {verbs[total].replace('do not', 'does not')}{'s' if total else ''} the odds of present over absent objects;" in said
    if contents == attention:
        assert f"contents alone {verbs[contents]} them" in said
    else:
        assert f"smoothed attention rows alone {verbs[attention]} them, smoothed contents alone {verbs[contents]} them" in said
    ways = {(1, 1): "goes through both", (1, 0): "goes through attention", (0, 1): "goes through contents", (0, 0): "is done by neither"}
    assert (ways[attention == total, contents == total] in said) == (total != 0)


def said_of_logits(raw, spread, plain=(0, 0), change=(0, 0)):
    rows = {}
    for place, which in enumerate(("present", "hallucinated")):
        rows[f"replay/logit/{which}/{CONTROL}"] = row(raw[place])
        rows[f"replay/variance/{which}/{CONTROL}"] = row(spread[place])
        rows[f"replay/logprob/{which} unsaid/{CONTROL}"] = row(plain[place])
        rows[f"replay/logprob/{which} unsaid/{CONTRAST}"] = row(change[place])
    return logits.verdict(rows)


def test_logits():
    assert said_of_logits((-1, 1), (0, 1), (-1, -1), (1, 1)) == (
        "The paper's first observation is seen: raw logits of present objects fall, those of hallucinated ones rise, and variances of the "
        "former show no clear trend, those of the latter rise; before the objects are said, the log-probabilities of both fall, and on the "
        "same tokens KVSmooth turns both trends upwards."
    )
    for raw, spread in product(product(SIGNS, SIGNS), repeat=2):
        parts = sum([raw[0] == -1, raw[1] == 1, spread[1] == 1])
        words = {0: "is not seen", 3: "is seen"}.get(parts, f"is seen in {parts} of its 3 parts that a test can show")
        fourth = "" if spread[0] == 0 else " and contradicted in its fourth, that the variance of present objects has no trend"
        assert said_of_logits(raw, spread).startswith(f"The paper's first observation {words}{fourth}: raw logits of present ")
    other = said_of_logits((0, 0), (1, 1), (1, 0), (-1, 0))
    assert "raw logits of present and of hallucinated objects show no clear trend, and both variances rise;" in other
    assert "the log-probabilities of present objects rise, those of hallucinated ones show no clear trend, and" in other
    assert other.endswith("turns the trend of present objects downwards, that of hallucinated ones neither way for certain.")


@pytest.mark.parametrize("gets", SIGNS)
@pytest.mark.parametrize("cosine", SIGNS)
@pytest.mark.parametrize("ranks", SIGNS)
def test_sinks(gets, cosine, ranks):
    place = "observation 2/column_sum/"
    rows = {"prediction/within/row_entropy/w20": row(gets, null=0.5)}
    for relation, sign, order in (("cosine", cosine, 0.8), ("spearman", ranks, 0.0)):
        rows |= {f"{place}{relation}/observed": row(sign, null=order), f"{place}{relation}/permuted": row(0) | {"estimate": order}}
    said = sinks.verdict(rows, 20)
    words = {-1: "receives less attention afterwards", 0: "does not tell how much", 1: "receives more attention afterwards"}
    assert words[gets] in said
    assert {-1: "lies below what random", 0: "is what random", 1: "lies above what random"}[cosine] in said
    seen = {0: "is not seen.", 1: "is half seen.", 2: "is seen."}
    assert said.endswith(f"the second observation {seen[(gets == 1) + (ranks == 1)]}")
    for shares, lacks in (((0.0, 0.0, 0.0), True), ((0.6, 0.0, 0.0), False), ((0.0, 0.0, 0.3), False)):
        there = {name: row(0) | {"estimate": share} for name, share in zip(SINKS, shares, strict=True)}
        told = sinks.verdict(rows | there, 20)
        assert told.endswith("is not testable here, as no token of the prompt is a sink.") if lacks else told == said


@pytest.mark.parametrize("hallucinated", SIGNS)
@pytest.mark.parametrize("present", SIGNS)
def test_coupling(hallucinated, present):
    first, second, change = coupling.PRIMARY
    rows = {first: row(hallucinated), second: row(present)}
    words = {-1: "more probable", 0: "neither more nor less probable for certain", 1: "less probable"}
    said = coupling.verdict(rows)
    if hallucinated == present:
        assert f"hallucinated and present objects alike are {words[present]}:" in said
    else:
        assert f"hallucinated objects are {words[hallucinated]}, present ones are {words[present]}:" in said
    assert ("are not seen" in said) == (hallucinated + present != 0 or hallucinated == 0)
    changed = {way: coupling.verdict(rows | {change: row(way)}).split("KVSmooth ")[1].split(" the relation")[0] for way in SIGNS}
    assert changed[0] == "does not change for certain"
    assert changed[1] == {-1: "weakens", 0: "raises", 1: "strengthens"}[hallucinated]
    assert changed[-1] == {-1: "strengthens", 0: "lowers", 1: "weakens"}[hallucinated]


@pytest.mark.parametrize("sign", SIGNS)
def test_entropy(sign):
    punctuation, angle, walk = entropy.PRIMARY

    def said(rows):
        return entropy.verdict(rows)

    words = {-1: "lower row entropy than words", 0: "no clearly different", 1: "higher row entropy than words"}
    assert words[sign] in said({punctuation: row(sign)})
    words = {-1: "they keep returning", 0: "cannot be told from the random walk", 1: "they run on in one direction"}
    assert words[sign] in said({walk: row(sign, null=1.0)})
    words = {-1: "falls with the", 0: "neither grows nor falls for certain with the", 1: "grows with the"}
    assert words[sign] in said({angle: row(sign)})
    weak = {-1: "falls weakly with the", 0: words[0], 1: "grows weakly with the"}
    assert weak[sign] in said({angle: row(sign, size=0.05)})
    # the series must also stand against being turned round
    assert words[0] in said({angle: row(sign, effect={"circular shift p": 0.3})})
    assert words[sign] in said({angle: row(sign, effect={"circular shift p": 0.001})})


@pytest.mark.parametrize(("tells", "mass"), list(product(SIGNS, SIGNS)))
def test_onset_scores(tells, mass):
    entropy_row, excess = onset.PRIMARY[:2]
    said = onset.verdict({entropy_row: row(tells, null=0.5), excess: row(mass, null=0.5)})
    first = {-1: "row entropy is lower, not higher,", 0: "row entropy does not tell", 1: "row entropy is higher where"}
    assert first[tells] in said
    second = {-1: "is higher there than its dilution explains, not lower.", 1: "is lower there than its dilution explains."}
    second[0] = (
        "the loss of attention to the image does not tell for certain." if tells else "nor does the loss of attention to the image tell"
    )
    assert second[mass] in said


@pytest.mark.parametrize("sign", SIGNS)
def test_onset_times(sign):
    time, hazard = onset.PRIMARY[3], f"survival/hazard ratio by mentions/{CONTRAST}"
    words = {-1: "after fewer tokens", 0: "does not clearly change after how many tokens captions hallucinate", 1: "after more tokens"}
    said = onset.verdict({time: row(sign)})
    assert said == (f"KVSmooth {words[0]}." if sign == 0 else f"With KVSmooth captions hallucinate {words[sign]}.")
    often = {-1: "less often at each new object", 0: "not clearly more or less often", 1: "more often at each new object"}
    assert often[sign] in onset.verdict({time: row(1), hazard: row(sign, null=1.0)})


@pytest.mark.parametrize(("early", "late"), [(0, 1), (1, -1), (-1, 0)])
def test_one_hazard_is_not_told_where_it_hides_two(early, late):
    time, hazard = onset.PRIMARY[3], "survival/hazard ratio{}by mentions/" + CONTRAST
    rows = {time: row(1), hazard.format(" "): row(1, null=1.0)}
    rows |= {hazard.format(f", first {EARLY}, "): row(early, null=1.0), hazard.format(f", after {EARLY}, "): row(late, null=1.0)}
    words = {-1: "less often", 0: "not clearly more or less often", 1: "more often"}
    apart = rows | {hazard.format(", late over early, "): row(1, null=1.0)}
    assert f"at each of the first {EARLY} objects {words[early]}, at later ones {words[late]}" in onset.verdict(apart)
    alike = rows | {hazard.format(", late over early, "): row(0, null=1.0)}
    assert onset.verdict(alike).endswith("more often at each new object.")


def test_of_what_was_not_tested_nothing_is_said():
    nothing = "Nothing that was named in advance could be tested."
    unknown = row(0) | {"estimate": math.nan, "p_adjusted": math.nan}
    assert drift.verdict({}) == mediation.verdict({}) == nothing
    assert drift.verdict({drift.PRIMARY[1]: row(-1)}) == (
        "On the same tokens, with KVSmooth attention keeps to the image worse, beyond dilution, as the caption grows: the part "
        "of the paper's mechanism that was tested is not seen."
    )
    assert drift.verdict({drift.PRIMARY[0]: row(0)}) == "On the same tokens, with KVSmooth row entropy is not clearly different."
    for question in (entropy, onset):
        assert question.verdict({}) == nothing
        assert question.verdict(dict.fromkeys(question.PRIMARY, unknown)) == nothing
    assert onset.verdict({onset.PRIMARY[0]: row(1, null=0.5)}) == (
        "At the same position in the caption, row entropy is higher where a hallucinated mention follows."
    )
    assert onset.verdict({onset.PRIMARY[1]: row(0, null=0.5)}) == (
        "At the same position in the caption, the loss of attention to the image does not tell for certain."
    )
    assert entropy.verdict({entropy.PRIMARY[0]: row(1)}) == "Punctuation has higher row entropy than words."


def said_of_options(moves, better):
    """`moves`: sign of each option's range test; `better`: by cell, whether its recall falls for certain."""
    made = [row(sign, name=f"{option}/range/chair_i", size=0.1 * (i + 1)) for i, (option, sign) in enumerate(moves.items())]
    for cell, falls in better.items():
        made += [row(-1, name=f"{cell} - baseline/chair_i"), row(-1 if falls else 0, name=f"{cell} - baseline/recall")]
    return sensitivity.verdict({"results": [*made, row(1, name="worse - baseline/chair_i"), row(0, name="same - baseline/chair_i")]})


def test_sensitivity():
    both = said_of_options({"lambda_ref": 1, "margin": 0, "layers": 1}, {})
    assert both == (
        "CHAIR_i depends on the layers and `lambda_ref`, but not for certain on the margin; "
        "no setting has a lower CHAIR_i than no smoothing."
    )
    assert said_of_options({"margin": 0}, {}).startswith("CHAIR_i depends on no option for certain; ")
    assert said_of_options({"margin": 1}, {}).startswith("CHAIR_i depends on the margin; ")
    lost = said_of_options({"margin": 1}, {"one": True, "two": True})
    assert lost.endswith("every setting with a lower CHAIR_i than no smoothing also names fewer of the objects that are there.")
    kept = said_of_options({"margin": 1}, {"one": True, "two": False})
    assert kept.endswith("1 of 2 settings with a lower CHAIR_i than no smoothing lose no recall for certain.")


@pytest.mark.parametrize("chair_i", SIGNS)
@pytest.mark.parametrize("chair_s", SIGNS)
@pytest.mark.parametrize("f1", SIGNS)
def test_ablation_against_no_smoothing(chair_i, chair_s, f1):
    rows = {"kvsmooth/chair_i": row(0)}
    rows |= {f"kvsmooth - baseline/{name}": row(sign) for name, sign in (("chair_i", chair_i), ("chair_s", chair_s), ("f1", f1))}
    said = ablation.verdict(rows)
    assert said.startswith("KVSmooth ")
    assert said.endswith("; no control of its guidance was run.")
    named = {
        name: way
        for way in said.removeprefix("KVSmooth ").split(";")[0].split(", ")
        for name in ("CHAIR_i", "CHAIR_s", "F1")
        if name in way
    }
    verbs = {-1: "lowers", 0: "does not clearly change", 1: "raises"}
    assert all(named[name].startswith(verbs[sign]) for name, sign in (("CHAIR_i", chair_i), ("CHAIR_s", chair_s), ("F1", f1)))


@pytest.mark.parametrize("sign", SIGNS)
def test_ablation_says_what_becomes_of_the_text(sign):
    rows = {f"kvsmooth - baseline/{name}": row(-1) for name in ("chair_i", "chair_s", "f1")} | {"kvsmooth/chair_i": row(0)}
    plain = ablation.verdict(rows)
    rows["kvsmooth - baseline/looping"] = row(sign)
    rows |= {f"{arm}/looping": {**row(0), "estimate": share} for arm, share in (("baseline", 0.02), ("kvsmooth", 0.997))}
    told = ", while 99.7 % of the captions loop, 2 % without KVSmooth" if sign else ""
    assert ablation.verdict(rows) == plain.replace("F1;", f"F1{told};")


def test_ablation_guidance():
    rows = {"kvsmooth/chair_i": row(0)}
    every = rows | {f"kvsmooth - {name}/chair_i": row(-1) for name in ablation.GUIDED}
    assert "guidance by entropy is shown: CHAIR_i is lower than that of 10 of 10 controls" in ablation.verdict(every)
    one = every | {f"kvsmooth - {name}/chair_i": row(sign) for name, sign in zip(ablation.GUIDED[1:], (0, 1, 0) * 3, strict=True)}
    assert ablation.verdict(one).endswith(
        "is not shown: CHAIR_i is lower than that of 1 of 10 controls that spend about the same rates without it (mean)."
    )
    half = {f"kvsmooth - {name}/chair_i": row(-1) for name in ("mean", "permuted")} | {"kvsmooth - position/chair_i": row(0)}
    assert ablation.verdict(one, half, 0.5).endswith("(mean); round a centre of 0.5, of 2 of 3, not of position.")
    assert ablation.verdict(one, {}) == ablation.verdict(one)
    # all of the controls that were run is not all of them
    assert "is not shown: CHAIR_i is lower than that of 1 of 1 controls" in ablation.verdict(rows | {"kvsmooth - mean/chair_i": row(-1)})
    assert ablation.verdict(rows | {"kvsmooth - mean/chair_i": row(1)}).endswith(
        "of 0 of 1 controls that spend about the same rates without it."
    )
    assert ablation.verdict({}) == "The paper's cell is not among these: nothing is said of KVSmooth itself."
