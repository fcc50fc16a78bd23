"""The published rows in words: as changes of the measured captions, beside omission, and in objects that must go."""

from collections.abc import Mapping
from typing import Any

from analysis.published.style import LINE_LOOKS
from analysis.published.tables import line, percent, ruled
from analysis.telling.wording import listed

HEAD = (
    *("model", "method", "published CHAIR_s / F1", "as a change of the measured greedy", "F1 of the best omission that knows no mention"),
    *("F1 of the oracle", "absent objects that go, a caption", "true objects that may go with them"),
)
TAKEN = (
    "A published row has other images and another run of the baseline. It is taken as a change: CHAIR_s by its ratio, F1 by its "
    "difference, "
    "from the measured greedy captions of that model. It has no interval: of 500 captions, CHAIR_s at 18 % has a standard error of 1.7 "
    "points. "
    "F1 is PAI's, over the distinct objects."
)


def claimed(found: Mapping[str, Any]) -> str:
    """Every row that lowers CHAIR_s, and what KVSmooth's ask for."""
    shown = [one for one in found["claims"] if "best_line" in one]
    beyond = []
    for one in shown:
        best, oracle = one["line_f1"][one["best_line"]], one["line_f1"]["oracle mention"]
        if one["f1"] > best:
            bound = "" if oracle is None else f"; the oracle reaches {percent(oracle)}"
            beyond.append(f"{one['method']} on {one['model']} (F1 {percent(one['f1'])} where the best has {percent(best)}{bound})")
    said = f"Beyond every omission that does not know the single mention: {listed(beyond) if beyond else 'none'}."
    table = "\n".join([*ruled(HEAD), *map(_row, shown)])
    return "\n\n".join([TAKEN, table, said, *(_asked(one) for one in shown if one["method"] == "KVSmooth")])


def _row(one: Mapping[str, Any]) -> str:
    oracle, needs = one["line_f1"]["oracle mention"], one["demand"]
    lost = needs["true_gone"]
    return line(
        (
            one["model"],
            one["method"],
            " / ".join(map(percent, one["published"])),
            f"{percent(one['chair_s'])} / {percent(one['f1'])}",
            percent(one["line_f1"][one["best_line"]]),
            "not reached" if oracle is None else percent(oracle),
            f"{needs['absent_gone']:.2f} of {needs['absent_named']:.2f}",
            f"{lost:.2f} of {needs['true_named']:.2f}" if lost >= 0 else f"none: {-lost:.2f} must come",
        )
    )


def _asked(one: Mapping[str, Any]) -> str:
    before, after, needs, dropped = one["published_baseline"], one["published"], one["demand"], one["best_line_trade"]
    lost, gone = needs["true_gone"], needs["absent_gone"]
    if lost <= 0:
        others = f"{-lost:.2f} true ones a caption come besides"
    else:
        others = f"at most {lost:.2f} of {needs['true_named']:.2f} true ones go with them, {gone / lost:.1f} absent ones for each true one"
    return (
        f"KVSmooth's row on {one['model']}, if it is true: CHAIR_s {percent(before[0])} to {percent(after[0])} with F1 "
        f"{percent(before[1])} to "
        f"{percent(after[1])} asks of the {one['captions']:,} measured greedy captions that {percent(1 - needs['absent_kept_share'])} % "
        f"of the "
        f"absent objects go ({gone:.2f} of {needs['absent_named']:.2f} a caption), and {others}. Of the omissions that know no single "
        f"mention the "
        f"best there is {LINE_LOOKS[one['best_line']][0]}, by which {dropped['absent_gone']:.2f} absent and {dropped['true_gone']:.2f} "
        f"true ones "
        f"go, {dropped['absent_gone'] / dropped['true_gone']:.1f} for each."
    )
