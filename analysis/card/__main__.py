"""`python -m analysis.card`: a bundled subject's card, what it says of 500 unseen scenes, how well, and whether it has sinks.

Writes docs/subject.json (smollm2: docs/subjects/smollm2.json) and the tables between the markers of the page beside it. What smoothing
does to the subject comes last, and is no part of how the subject was made.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analysis.card.page import filled, markdown
from analysis.telling.pages import rewrite
from probes.command.cli import quiet, run_cli
from probes.command.files import write_bytes
from probes.command.provenance import provenance
from probes.command.strict_json import json_text
from probes.command.terminal import say
from probes.options import check_positive

if TYPE_CHECKING:
    from analysis.card.readers import Card
    from analysis.metrics.chair import ChairRecord


@dataclass(frozen=True)
class CardConfig:
    """A bundled subject's card: what its captions are worth, where its attention goes, and what it owes to its language model.

    The committed cards are written with the defaults alone: with fewer scenes, say, all goes to out/<subject>-<scenes>/.
    """

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--subject smollm2", "--subject smollm2@early --scenes 100", "--scenes 20 --no-smoothing")
    scenes: int = 500
    """number of unseen scenes"""
    out: Path = Path("docs")
    """folder of the page and its json: subject.md, or subjects/smollm2.md"""
    subject: str = "emoji"
    """emoji, smollm2, a point of training (smollm2@early), or a folder with other weights of emoji"""
    batch: int = 50
    """captions at a time"""
    sink_scenes: int = 50
    """scenes on which attention sinks are looked for"""
    prior_scenes: int = 100
    """scenes on which is asked what the language model's prior owes"""
    draws: int = 2000
    """bootstrap draws"""
    seed: int = 0
    """of the draws and of the shuffled patches"""
    smoothing: bool = True
    """also measure what smoothing does, where a subject has no dose curves of its own"""
    cache: Path | None = None
    """folder that keeps finished captions, so that an interrupted run goes on; it knows the weights, not the code: start an empty one when
    the method has changed"""
    debug: bool = False
    """show traces of errors"""

    @property
    def RESUMES(self) -> bool:
        """Whether finished captions are kept."""
        return self.cache is not None

    def __post_init__(self) -> None:
        check_positive(self, "scenes", "batch", "sink_scenes", "prior_scenes", "draws")


def main(config: CardConfig) -> None:
    """Writes the card."""
    from analysis.card.readers import card_of

    quiet()
    card = card_of(config.subject)
    page = placed(config) / f"{card.page}.md"
    say(f"The card of {config.subject} goes to {page} and {page.with_suffix('.json').name}.")
    filled(_text(page), "")  # a page that cannot take the tables is refused now, not after an hour
    found = measured(config, card)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(page.with_suffix(".json"), (json_text(found, indent=1) + "\n").encode())
    tables = markdown(found, card.claims)
    rewrite(page, lambda text: filled(text, tables))


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8") if page.exists() else ""


def placed(config: CardConfig) -> Path:
    """The folder that may be written: that of the options, unless it is the default and the options are not those of a committed card."""
    from probes.subjects.bundled import BUNDLED  # only now: it comes with torch, for which --help need not wait

    decisive = (field for field in fields(config) if field.name not in ("out", "subject", "cache", "debug"))
    stated = config.subject in BUNDLED and all(getattr(config, field.name) == field.default for field in decisive)
    if stated or config.out.resolve() != CardConfig.out.resolve():
        return config.out
    name = re.sub(r"[^A-Za-z0-9.@+-]+", "_", Path(config.subject).stem).strip("_.")
    return Path("out") / f"{name}-{config.scenes}"


def measured(config: CardConfig, card: "Card") -> dict[str, Any]:
    """What the card holds, as it stands in its json."""
    from analysis.captions.shares import estimates, table
    from analysis.card.conditions import OTHER, captions, conditions
    from analysis.card.prior import owed
    from analysis.card.sinks import search
    from analysis.metrics.chair import ground_truth, score_caption
    from probes import load_subject
    from probes.subjects.bundled import DEFAULT, bundled
    from probes.subjects.emoji import annotations
    from probes.subjects.item import Item

    own = bundled(config.subject) or bundled(DEFAULT)
    drawn = own.scenes(config.scenes)
    subject, truth = load_subject(config.subject), ground_truth(annotations(drawn))
    asked = conditions(drawn, config.seed, config.smoothing and card.smoothing)
    texts = {one.name: captions(subject, one, len(drawn), config.batch, config.cache) for one in asked}
    texts[OTHER] = [*texts["baseline"][1:], texts["baseline"][0]]
    scored = {name: [score_caption(t, truth[s.image_id], s.image_id) for t, s in zip(ts, drawn, strict=True)] for name, ts in texts.items()}
    counted = {name: estimates(table(scored[name], texts[name]), config.draws, config.seed) for name in texts}
    plain = {name: card.shares(texts[name], drawn) for name in texts}
    for name in texts:
        if name != "baseline":
            plain[name] |= others_of(scored[name], scored["baseline"])
    baseline, looked = texts["baseline"], drawn[: config.sink_scenes]
    asked_of = drawn[: config.prior_scenes]
    prior = owed(subject, asked_of, [subject.tokens(text) for text in baseline[: len(asked_of)]], config.draws, config.seed)
    bars = {
        name: {"range": [low, None if high == math.inf else high], "met": low <= counted["baseline"][name].estimate <= high}
        for name, (low, high) in card.bars.items()
    }
    return {
        "results": [
            *({**asdict(one), "name": f"{name}: {key}"} for name, found in counted.items() for key, one in found.items()),
            *(
                {"name": f"{name}: {key}", "estimate": value, "interval": None, "n": len(drawn), "test": "none"}
                for name, found in plain.items()
                for key, value in found.items()
            ),
        ],
        "conditions": {"images": [*(one.name for one in asked[1:3]), OTHER], "smoothing": [one.name for one in asked[3:]]},
        "bars": bars,
        "sinks": search(subject, [Item(scene.image_id, scene.image) for scene in looked], baseline[: len(looked)]),
        "prior": prior,
        "examples": [{"image_id": s.image_id, "objects": sorted(s.names), "caption": t} for s, t in zip(drawn[:5], baseline, strict=False)],
        # where files lie is no part of how the numbers came about
        "provenance": {**provenance(replace(config, out=CardConfig.out, cache=None)), "subject": subject.revision},
    }


def others_of(records: "Sequence[ChairRecord]", baseline: "Sequence[ChairRecord]") -> dict[str, float]:
    """How much of what the baseline's captions name is named under another condition too (Jaccard, mean over images)."""
    from analysis.captions.shares import overlap

    one = {i: frozenset(m.object for m in record.mentions) for i, record in enumerate(records)}
    base = {i: frozenset(m.object for m in record.mentions) for i, record in enumerate(baseline)}
    return {"overlap_with_baseline": overlap(one, base)}


if __name__ == "__main__":
    run_cli(CardConfig, main)
