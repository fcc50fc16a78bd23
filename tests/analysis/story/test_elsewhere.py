"""What becomes of the published dose elsewhere, told from planted results."""

from dataclasses import replace

from analysis.story.elsewhere import anew, others
from tests.analysis.story.test_story import subject


def test_the_published_dose_elsewhere_is_told_where_it_was_asked():
    one = subject((0.3, 0.1, 0.5))
    assert others([one]) == anew([one]) == []
    levels = {
        f"validation/{name}/{dose}": {"estimate": value}
        for dose, value in (("0", 0.5), ("0.5", 0.25), ("0.9", 0.75))
        for name in ("chair_s", "looping")
    }
    assert others([replace(one, dose=one.dose | levels)]) == [
        "**Other published values**, on validation scenes: 0.5 (MiniGPT-4) on emoji: CHAIR_s 25.0 % against 50.0 % without smoothing, "
        "25.0 % loop; 0.9 (LLaVA-1.5-7B) on emoji: CHAIR_s 75.0 % against 50.0 % without smoothing, 75.0 % loop."
    ]
    again = {
        f"{point}/{name}/{dose}": {"estimate": value, "where": {"point": point}}
        for point in ("last", "seed1")
        for name in ("chair_s", "recall", "looping")
        for dose, value in (("0", 0.5), ("0.7", 0.25))
    }
    assert anew([replace(one, anew=again)]) == [
        "**Trained anew**: of a subject made like emoji, of another seed and without short lists, at 0.7: CHAIR_s 25.0 % against 50.0 %, "
        "recall 25.0 % against 50.0 % and looping captions 25.0 % against 50.0 %."
    ]
