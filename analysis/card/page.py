"""The tables of the bundled subject's card, and where in the page they stand."""

import math

from analysis.card.counts import Estimate

Plain = dict[str, dict[str, float]]
START, END = "<!-- card:begin -->", "<!-- card:end -->"
BARS = {
    "recall": (0.60, math.inf),
    "precision": (0.70, math.inf),
    "chair_s": (0.20, 0.60),
    "length": (80.0, math.inf),
    "late_minus_early": (0.0, math.inf),
    "repeated_sentences": (0.0, 0.05),
}
CLAIMS = {"side": "to the right or left of", "height": "higher or lower than", "number": "how many"}
ROWS = {
    "chair_s": "CHAIR_s",
    "chair_i": "CHAIR_i",
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "length": "words a caption",
    "mentions": "mentions a caption",
    "hallucinated_first_third": "hallucinated, first third",
    "hallucinated_middle_third": "hallucinated, middle third",
    "hallucinated_last_third": "hallucinated, last third",
    "late_minus_early": "last minus first third",
    "repeated_sentences": "repeated sentences",
}


def filled(page: str, tables: str) -> str:
    """The page with new tables between its markers."""
    before, _, rest = (page if START in page else f"{page}{START}\n{END}\n").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{tables}\n{END}{after or chr(10)}"


def markdown(
    measured: dict[str, dict[str, Estimate]], others: dict[str, dict[str, float]], said: dict[str, dict[str, float]], sinks: dict
) -> str:
    """The card's tables: the baseline with intervals, the other conditions beside it, the search for sinks."""
    lines = ["| greedy, no smoothing | estimate | 95 % interval | bar |", "|---|---|---|---|"]
    for key, label in ROWS.items():
        lines.append(f"| {label} | {_number(measured['baseline'][key].estimate)} | {_range(measured['baseline'][key])} | {_bar(key)} |")
    columns = ("chair_s", "chair_i", "recall", "precision", "f1", "length", "mentions", "repeated_sentences")
    for title, names in (
        ("images", [n for n in others if "image" in n or "patches" in n]),
        ("smoothing", [n for n in others if "0." in n]),
    ):
        if not names:
            continue
        lines += [
            "",
            f"| {title} | {' | '.join(ROWS[c] for c in columns)} | overlap with the baseline's objects |",
            "|---" * (len(columns) + 2) + "|",
        ]
        for name in ["baseline", *names]:
            cells = [f"{_number(measured[name][c].estimate)} {_range(measured[name][c])}".strip() for c in columns]
            lines.append(f"| {name} | {' | '.join(cells)} | {_number(others.get(name, {}).get('overlap_with_baseline', 1.0))} |")
    lines += ["", "| what is said of named objects | claims a caption | true | of an object and itself |", "|---|---|---|---|"]
    for kind, label in CLAIMS.items():
        found = [said["baseline"][f"{kind}_{what}"] for what in ("claims", "true", "itself")]
        lines.append(f"| {label} | {' | '.join(_number(value) for value in found)} |")
    lines += ["", "| layer | first token | largest in the caption | largest activation | over the median |", "|---|---|---|---|---|"]
    names = ("first_token_by_layer", "largest_in_caption_by_layer", "largest_activation_by_layer", "largest_over_median_by_layer")
    for layer, row in enumerate(zip(*(sinks[name] for name in names), strict=True)):
        lines.append(f"| {layer} | {' | '.join(_number(value) for value in row)} |")
    top = "; ".join(
        f"layer {s['layer']} head {s['head']} {s['piece']} at {s['position']}: {s['attention']:.3f}" for s in sinks["largest_in_prompt"]
    )
    lines += ["", f"Largest mean received attention in the prompt: {top}."]
    above = [f"layer {layer}: {share:.2f}" for layer, share in enumerate(sinks["caption_above_limit_by_layer"]) if share > 0]
    lines += [f"Prompt positions, layers and heads above {sinks['limit']}: {len(sinks['sinks'])}."]
    lines += [f"Share of captions of which some position in some head is above {sinks['limit']}: {'; '.join(above) or 'none'}."]
    layer = max(range(len(sinks["largest_in_caption_by_layer"])), key=sinks["largest_in_caption_by_layer"].__getitem__)
    often = ", ".join(f"`{piece}` {count}" for piece, count in sinks["largest_in_caption_pieces"][layer])
    lines += [f"The most attended caption position of layer {layer} is, in {sinks['scenes']} captions, oftenest: {often}."]
    return "\n".join(lines)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _range(estimate: Estimate) -> str:
    return "" if estimate.interval is None else f"[{_number(estimate.interval[0])}, {_number(estimate.interval[1])}]"


def _bar(key: str) -> str:
    low, high = BARS.get(key, (None, None))
    return "" if low is None else f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"
