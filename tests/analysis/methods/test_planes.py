"""The planes of recall: what lies outside of them, and the lines that arms are held to, by hand."""

import numpy as np
import pytest

from analysis.methods.figures import REACH, draw_all
from analysis.omission.line import COUNTS as COUNTED
from analysis.omission.rules import LINES
from analysis.question.question import by_name
from tests.analysis.methods.test_methods import found_of_planted


@pytest.mark.slow
def test_the_planes_tell_what_lies_far_to_the_left_and_hold_arms_to_lines_that_know_no_mention():
    found = found_of_planted()
    rows = by_name(found["results"])
    rows["eos_bias x1/recall"] = {**rows["eos_bias x1/recall"], "estimate": 0.0, "interval": [0.0, 0.0]}
    left, right = draw_all(rows, found)["methods_plane"].axes
    for ax in (left, right):
        assert ax.get_xlim()[0] == pytest.approx(100 * rows["none/recall"]["estimate"] - REACH - 1)
        (told,) = [text.get_text() for text in ax.texts if text.get_text().startswith("left of the axis")]
        assert told.startswith("left of the axis: eos bias (0, ")
    assert "kvsmooth" in {text.get_text() for text in [*left.texts, *right.texts]}
    curves = [line.get_xydata() for line in left.lines if len(line.get_xydata()) == 60]
    lines = [one for one in found["lines"] if (one["rule"], one["unit"]) in LINES]
    assert len(lines) < len(found["lines"])
    sums = {f"{one['rule']} {one['unit']}": np.array(one["sums"]) for one in lines}
    at = curves[1][30, 0] / 100

    def chair_s(held):  # between the two shares whose recall lies round it, by a straight line
        recall, wrong = (
            held[:, COUNTED.index("recalled")] / held[:, COUNTED.index("truth")],
            held[:, COUNTED.index("hallucinating")] / held[:, 0],
        )
        k = int((recall < at).sum())
        return wrong[k - 1] + (at - recall[k - 1]) / (recall[k] - recall[k - 1]) * (wrong[k] - wrong[k - 1])

    assert curves[0][30, 1] == pytest.approx(100 * chair_s(sums["random mention"]), rel=1e-6)
    assert curves[1][30, 1] == pytest.approx(100 * min(map(chair_s, sums.values())), rel=1e-6)
