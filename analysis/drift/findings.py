"""Writes the verdict and paragraphs of docs/findings.md from drift.json."""

import json
import math
from collections.abc import Mapping
from typing import Any

from analysis.language.limits import in_words
from analysis.question.arms import BAND, CONTRAST, CONTROL, TREATED
from analysis.telling.wording import (
    NO_P,
    Rows,
    bracketed,
    direction,
    listed,
    p_value,
    page,
    sentence,
    signed,
    table,
    was_tested,
    while_looping,
)

PRIMARY = tuple(f"replay/{name}/{CONTRAST}/{BAND}" for name in ("entropy/mean", "excess_image/slope", "drift_image/mean"))
"""As they stand in the results: row entropy, the course of visual mass beyond dilution, the angle to the image."""
_TABLE = dict(
    zip(
        PRIMARY,
        (
            "row entropy (nat)",
            "slope of ln(visual mass / dilution), per 100 tokens",
            "angle of the hidden state to the mean image state (rad)",
        ),
        strict=True,
    )
)
_OTHERS = {
    f"replay/{name}/{CONTRAST}/{BAND}": words
    for name, words in {
        "excess_image/slope": "slope of ln(visual mass / dilution), per 100 tokens",
        "excess_image/slope_early": "the same in the first half of a caption",
        "excess_image/slope_late": "the same in the second half",
        "drift_image/slope": "slope of the angle to the image, rad per 100 tokens",
        "drift_image/mean": "angle to the mean image state, rad",
        "drift_prompt/mean": "angle to the last prompt token, rad",
        "drift_step/mean": "angle from one step to the next, rad",
        "entropy/mean": "row entropy, nat",
        "entropy_without_bos/mean": "row entropy without the first token, nat",
        "mass_bos/mean": "attention on the first token, share",
        "mass_system/mean": "attention on the text before the image, share",
        "mass_image/mean": "attention on the image, share",
        "mass_prompt/mean": "attention on the prompt, share",
        "mass_generated/mean": "attention on generated tokens, share",
        "mass_self/mean": "attention on the token itself, share",
    }.items()
}
_CAPTIONS = {
    "chair_i": "CHAIR_i",
    "chair_s": "CHAIR_s",
    "recall": "recall",
    "f1": "F1",
    "length": "length, words",
    "repeated_sentences": "repeated sentences, share",
    "repeated_4grams": "repeated 4-grams, share",
    "distinct_2": "distinct-2",
    "echoes": "objects named again at once, share of mentions",
    "looping": "looping captions, share",
    "broken": "broken captions, share",
    "nll": "NLL of a caption, nat a token",
}
_ENTROPY = {-1: "row entropy is lower", 0: "row entropy is not clearly different", 1: "row entropy is higher"}
_MASS = {
    -1: "attention keeps to the image worse, beyond dilution, as the caption grows",
    0: "attention does not clearly keep to the image better or worse, beyond dilution, as the caption grows",
    1: "attention keeps to the image better, beyond dilution, as the caption grows",
}
_ANGLE = {
    -1: "hidden states are nearer to the image",
    0: "hidden states are neither nearer to the image nor farther for certain",
    1: "hidden states are farther from the image",
}
CHAIR = ("chair_i", "chair_s")
_HELD = {
    (0, 1): "the part of the paper's mechanism that was tested is not seen",
    (1, 1): "the part of the paper's mechanism that was tested is seen, with no control beside it here",
    (0, 2): "neither part of the paper's mechanism is seen",
    (1, 2): "one of the two parts of the paper's mechanism is seen, with no control beside it here",
    (2, 2): "both parts of the paper's mechanism are seen, with no control beside them here",
}
_LEVELS = {-1: "lower", 0: "not clearly different", 1: "higher"}
SMALL = 0.01
"""Of the angle without smoothing: a difference below that is called small."""


def verdict(rows: Rows) -> str:
    """What KVSmooth does on the same tokens, whether that is what the paper says of it, and what CHAIR of free captions does.

    The two parts of the paper's mechanism: attention keeps to the image better beyond dilution, and hidden states are nearer to it.
    """
    tested = {name: row for name in PRIMARY if was_tested(row := rows.get(name))}
    ways = {name: direction(row) for name, row in tested.items()}
    words = dict(zip(PRIMARY, (_ENTROPY, _MASS, _ANGLE), strict=True))
    more = {PRIMARY[1]: _halves(rows), PRIMARY[2]: _small(tested[PRIMARY[2]]) if PRIMARY[2] in tested else ""}
    said = [words[name][way] + (more.get(name, "") if way else "") for name, way in ways.items()]
    if not said:
        return sentence([])
    counts = {name: ways[name] == wanted for name, wanted in zip(PRIMARY[1:], (1, -1), strict=True) if name in ways}
    if (angle := PRIMARY[2]) in counts and _small(tested[angle]):
        counts[angle] = False  # sure, and too small to carry an explanation
    seen = [*counts.values()]
    held = f": {_HELD[sum(seen), len(seen)]}" if seen else ""
    return sentence([f"on the same tokens, with KVSmooth {listed(said)}{held}{_chair(rows, any(seen))}"])


def _halves(rows: Rows) -> str:
    """Where the course of attention on the image turns in the middle of a caption, by the intervals of its halves."""
    early, late = (rows.get(f"replay/excess_image/slope_{half}/{CONTRAST}/{BAND}") for half in ("early", "late"))
    ways = [0 if row is None else int(row["interval"][0] > 0) - int(row["interval"][1] < 0) for row in (early, late)]
    if ways[0] * ways[1] >= 0:
        return ""
    return f" ({'better' if ways[0] > 0 else 'worse'} in its first half, {'worse' if ways[0] > 0 else 'better'} in its second)"


def _small(row: Mapping[str, Any]) -> str:
    return (
        f" by less than {100 * SMALL:g} % of the angle, which is not counted"
        if abs(row["estimate"]) < SMALL * row["effect"].get(CONTROL, 0.0)
        else ""
    )


def _chair(rows: Rows, seen: bool) -> str:
    """CHAIR of free captions as a clause; nothing where captions were not scored."""
    known = captions(rows)
    ways = {_CAPTIONS[name]: direction(known[name]) for name in CHAIR if was_tested(known.get(name))}
    groups = {way: [label for label in ways if ways[label] == way] for way in ways.values()}
    told = ", ".join(f"{listed(labels)} {'is' if len(labels) == 1 else 'are'} {_LEVELS[way]}" for way, labels in groups.items())
    same = " all the same" if seen and set(groups) == {1} else ""
    text = while_looping(known.get("looping"), *(rows.get(f"free/looping/{arm}") for arm in (CONTROL, TREATED)))
    return f", and in free captions {told}{same}{text}" if told else ""


def captions(rows: Rows) -> dict[str, Mapping[str, Any]]:
    """Differences of free captions by measure.

    Raises
    ------
    KeyError : an earlier version wrote them, uncorrected
    """
    of_captions = (row for row in rows.values() if row["where"].get("regime") == "free" and "statistic" not in row["where"])
    found = {row["where"]["quantity"]: row for row in of_captions if row["where"].get("contrast") == CONTRAST}
    if any(math.isfinite(row["p"]) and not math.isfinite(row["p_adjusted"]) for row in found.values()):
        raise KeyError("corrected p of captions")
    return found


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the findings page; every number is read from the results."""
    origin = found["provenance"]
    layers = json.loads(origin.get("recording", {}).get("band", "[]"))
    which = f"layers {layers[0]} to {layers[-1]}" if layers else "layers"
    asked = (
        "Asked: what KVSmooth changes on the same tokens, each image's caption without smoothing fed to both arms (mean of the "
        f"smoothed {which}). Dilution is what uniform attention would leave the image as the caption grows. The paper says that a caption "
        "drifts away from the image and that smoothing holds it there; attention and the angle to the image are the "
        "two parts of this that were named:"
    )
    note = (
        f"`python -m analysis.drift`. Brackets: {100 * origin['config']['level']:.4g} % cluster BCa interval over images; n: images; p: "
        "sign flip over images, Holm over the outcomes of the first table; of captions: exchange of the arms within images, Bonferroni "
        f"over their measures. {_read(rows)}The other tables are exploratory. "
        f"{_left_out(found.get('exclusions', {}))}Figures: `figures/emoji/drift/`."
    )
    calm = "An angle of 1.57 rad is a right one. A calmer path would make the angle from one step to the next smaller."
    bound = (
        "What does not follow: that more attention on the image, or a state nearer to it, makes fewer hallucinations, or more. States "
        "and attention are compared on one text, CHAIR on each arm's own."
    )
    tables = (table(rows, _TABLE), _arms(rows, "same tokens", _OTHERS), calm, _free(rows))
    return page(verdict(rows), asked, *tables, _examples(origin.get("recording", {})), bound, note)


def _examples(recording: Mapping[str, Any]) -> str:
    """What both arms say of the first image; "" where it was not kept."""
    said = json.loads(recording.get("examples", "{}"))
    if not said:
        return ""
    quoted = (f"> *{words}:* {' '.join(said[arm].split())}" for arm, words in ((CONTROL, "no smoothing"), (TREATED, "KVSmooth")))
    return "\n>\n".join([f"> Free captions of the first image, {said['image']}.", *quoted])


def _arms(rows: Rows, title: str, named: Mapping[str, str], with_p: bool = False) -> str:
    """Markdown: both arms and their difference, a line a row; "" where there is none."""
    head = [title, "no smoothing", "KVSmooth", "difference", *(["corrected p"] if with_p else [])]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, words in named.items():
        if name in rows and math.isfinite(rows[name]["estimate"]):
            row = rows[name]
            levels = " | ".join(signed(row["effect"][arm]) for arm in (CONTROL, TREATED))
            p = f" {p_value(row['p_adjusted'], NO_P)} |" if with_p else ""
            lines.append(f"| {words} | {levels} | {bracketed(row)} |{p}")
    return "\n".join(lines) if len(lines) > 2 else ""


def _free(rows: Rows) -> str:
    """Free captions of both arms, with a line above."""
    levels = {name: {arm: rows[f"free/{name}/{arm}"]["estimate"] for arm in (CONTROL, TREATED)} for name in captions(rows)}
    both = {name: {**row, "effect": levels[name]} for name, row in captions(rows).items()}
    return _arms(both, "free captions", _CAPTIONS, True)


def _read(rows: Rows) -> str:
    """What broken captions are, and of how many; "" where none was read."""
    if (row := rows.get(f"free/broken/{CONTROL}")) is None:
        return ""
    shuffled = rows[f"free/broken/{CONTROL}, words shuffled"]["estimate"]
    return f"{in_words(row['n'], shuffled, 'arm')}These two are corrected by themselves (Holm). "


def _left_out(exclusions: Mapping[str, Any]) -> str:
    """Images that took no part; "" where there is none."""
    said = [
        f"{len(told['too_short'])} of {told['images']} images ({regime}), with fewer than {told['min_steps']} tokens in an arm"
        for regime, told in exclusions.items()
        if told["too_short"]
    ]
    return f"Left out: {'; '.join(said)}. " if said else "No image is left out. "
