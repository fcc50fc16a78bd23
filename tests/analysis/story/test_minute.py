"""The five sentences follow the signs of planted results."""

from dataclasses import replace

from analysis.cells.names import PAPER
from analysis.story.minute import dose, fair, five, mechanism, one_minute, open_question, rivals
from analysis.story.results import StorySources
from analysis.story.signs import kinds
from tests.analysis.mechanism.test_mechanism import OWN, rows_of
from tests.analysis.story.test_story import LOGS, form_rows, subject

LINES = (("precision", 0.1), ("chair_s", -0.1))


def told(one, **rows):
    """A subject of whose dose question some rows are others: an estimate, and whether its test rejects."""
    made = {
        name: {"estimate": estimate, "p_adjusted": 0.001 if rejects else 0.5, "interval": [estimate, estimate]}
        for name, (estimate, rejects) in rows.items()
    }
    return replace(one, dose=one.dose | made)


def test_the_dose_is_told_by_its_signs_and_the_text_where_more_captions_loop():
    one = subject((0.3, 0.1), chosen=0.0)
    levels = {f"test/{name}/{arm}": (value, False) for name, arm, value in (("chair_s", "none", 0.5), ("chair_s", "published", 0.256))}
    levels |= {"test/looping/none": (0.002, False), "test/looping/published": (0.74, False)}
    falls = told(one, **levels, **{"test/chair_s/published - none": (-0.2, True), "test/looping/published - none": (0.7, True)})
    assert dose([falls]) == (
        "Under KVSmooth at lambda_ref 0.7 (published for InstructBLIP-7B, the default here) CHAIR_s of greedy captions falls on emoji "
        "(50 % to 25.6 %), and the text breaks: 74 % of the captions of emoji loop (0.2 % without)."
    )
    still = told(one, **levels, **{"test/chair_s/published - none": (0.2, False), "test/looping/published - none": (0.0, False)})
    assert "CHAIR_s of greedy captions does not clearly change on emoji" in dose([still])
    assert dose([still]).endswith(", and not clearly more captions loop.")
    rises = told(still, **{"test/chair_s/published - none": (0.2, True)})
    assert "falls on emoji (50 % to 25.6 %) and rises on emoji" in dose([falls, rises])
    other = replace(still, origin={**still.origin, "config": {**still.origin["config"], "lambda_ref": 0.65}})
    assert dose([other]).startswith("Under KVSmooth at lambda_ref 0.65 CHAIR_s of greedy")


def test_a_fair_dose_is_told_with_its_one_test():
    without, found = subject((0.3, 0.1), chosen=0.0), subject((0.3, 0.1, 0.5), "smollm2")
    assert fair([without]) == "On emoji no dose that was tried lowers CHAIR_i without losing recall or breaking captions."
    row = "confirmation/chair_i/chosen - none"
    for (estimate, rejects), way in {
        (-0.1, True): "lowers it on",
        (-0.1, False): "does not clearly lower it on",
        (0.1, True): "raises it",
    }.items():
        said = fair([without, told(found, **{row: (estimate, rejects)})])
        assert f"; on smollm2 a dose of 0.1 lowers CHAIR_i, keeps recall and text, and {way}" in said


def test_saying_less_and_the_controls_of_fixed_sentences_are_set_against_it():
    line = "published/beyond every line/chair_s"
    one = told(subject((0.3, 0.1), chosen=0.0), **{line: (0.1, False)})
    other = told(subject((0.3, 0.1), "smollm2", 0.0), **{line: (-0.1, True)})
    against = "leaving out mentions or sentences at the same recall"
    assert rivals([one]) == f"The published dose is not shown to lower CHAIR_s further than {against} on emoji."
    few = {f"kvsmooth:lambda_ref=0.05/beyond every line/{name}": {"estimate": way, "p_adjusted": 0.001} for name, way in LINES}
    small = replace(one, form=form_rows({}) | few)
    assert rivals([small]).endswith("not shown to be beyond leaving out (at 0.05 it is on emoji).")
    assert rivals([one, other]).startswith(f"The published dose lowers CHAIR_s further than {against} on smollm2; ")
    alike = replace(one, form=form_rows({"constant:rate=0.6": -0.08}))
    said = "with the sentences fixed, its choice of objects holds fewer absent ones on emoji, not shown to be beyond leaving out"
    assert rivals([alike]).endswith(f"{said}, and so it does under every control.")
    near = "kvsmooth/beyond every line"
    beyond = {f"{near}/precision": {"estimate": 0.1, "p_adjusted": 0.001}, f"{near}/chair_s": {"estimate": -0.1, "p_adjusted": 0.2}}
    assert "absent ones on emoji, beyond leaving out on emoji, and so" in rivals([replace(alike, form=alike.form | beyond)])
    below = told(one, **{line: (-0.1, False)})
    assert rivals([below]) == f"The published dose is not shown to lower CHAIR_s further than {against} on emoji."
    apart = replace(one, form=form_rows({"constant:rate=0.6": -0.08, "image_bias:strength=1": 0.0}))
    assert rivals([apart]).endswith(f"{said}, and so it does under 1 of 2 controls on emoji.")
    assert rivals([apart, replace(apart, name="smollm2")]).endswith(", and so it does under 1 of 2 controls on each.")
    assert rivals([replace(one, form=form_rows({}))]).endswith(f"{said}.")
    assert "with the sentences fixed" not in rivals([replace(one, form=form_rows({}, paper=0.0))])


def test_the_mechanism_is_claimed_where_controls_lack_it():
    shared, none = OWN | {"constant": [0.5, 0.3, 0.1, -0.2, 0, 0]}, OWN | {PAPER: [0] * 6}
    asked = {name: subject((0.3, 0.1), name, 0.0, mechanism=rows_of(rows)) for name, rows in (("a", OWN), ("b", shared), ("c", none))}
    kept = "attention on the image, and hidden states near it,"
    assert mechanism([asked["a"]]) == [f"It keeps {kept} on a, where no control does so."]
    assert mechanism([asked["b"], asked["c"]]) == [f"It keeps {kept} on b, where a control does the same, but on c neither."]
    assert mechanism([asked["c"]]) == [f"It is not shown to keep both, {kept} on c neither."]
    rows = {name: dict(row) for name, row in asked["a"].mechanism.items()}
    angle = rows[f"{PAPER} - baseline/angle"]
    for estimate, p, why in ((-0.001, 0.001, ", as the other moves by less than 1 %"), (-0.001, 0.5, ""), (0.2, 0.001, "")):
        angle |= {"estimate": estimate, "p_adjusted": p, "effect": {"baseline": 1.4}}
        assert mechanism([replace(asked["a"], mechanism=rows)]) == [f"It is not shown to keep both, {kept} on a the first alone{why}."]
    assert mechanism([subject((0.3, 0.1), chosen=0.0)]) == []


def test_what_is_open_counts_the_logs_that_were_judged():
    said = "of 3 logs of such models beside greedy ones (3 of methods) 2 lower CHAIR, 1 by seeing better alone."
    assert open_question(StorySources([], {}, LOGS)).endswith(said)
    assert open_question(StorySources([], {}, LOGS[:1])).endswith("3 and 135 million.")
    search, trained = (replace(LOGS[1], method=method) for method in ("beam 5", "trained to stop earlier"))
    assert kinds([*LOGS[1:3], search, search, trained]) == "2 of methods, 2 of beam search and 1 of a model trained anew"


def test_there_are_five_and_every_part_has_its_numbers_under_them():
    made = subject((0.3, 0.1, 0.5), mechanism=rows_of(OWN))
    assert [line[:3] for line in five(StorySources([made], {}, []))] == [f"{number}. " for number in range(1, 6)]
    page = one_minute(StorySources([made], {}, LOGS))
    assert page.index("<details>") < page.index("* **The published dose**") < page.index("* **Real captions**") < page.index("</details>")
