"""`python -m analysis.card`: the bundled subject's card, what it says of 500 unseen scenes, how well, and whether it has sinks.

Writes docs/subject.json and the tables between the markers of docs/subject.md. What smoothing does to the subject comes last, and is
no part of how the subject was made.
"""

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from analysis.card import claims as card_claims
from analysis.card.counts import estimates, overlap, table
from analysis.card.page import BARS, filled, markdown
from analysis.card.sinks import search
from analysis.metrics.chair import ChairRecord, ground_truth, score_caption
from kvsmooth import KVSmooth
from kvsmooth.policies import Constant
from probes import load_subject
from probes.command.cli import quiet, run_cli
from probes.command.files import write_bytes
from probes.command.plain import json_text
from probes.command.provenance import provenance
from probes.options import check_positive
from probes.subjects.emoji import Scene, annotations, scenes
from probes.subjects.emoji.model import PATCH
from probes.subjects.item import Item
from probes.subjects.subject import Subject
from probes.tracing.tokens import end_tokens, free_captions


@dataclass(frozen=True)
class CardConfig:
    """The bundled subject's card: what its captions are worth without smoothing and with it, written into docs/subject.md.

    Parameters
    ----------
    scenes
        Number of unseen scenes.
    out
        Folder of subject.json and subject.md.
    subject
        "emoji", or a folder with other weights of the bundled subject.
    batch
        Captions at a time.
    sink_scenes
        Scenes on which attention sinks are looked for.
    draws
        Bootstrap draws.
    seed
        Of the draws and of the shuffled patches.
    smoothing
        Also measure what smoothing does.
    cache
        Folder that keeps finished captions, so that an interrupted run goes on; it knows the weights, not the code: start an empty one
        when the method has changed.
    debug
        Show traces of errors.
    """

    scenes: int = 500
    out: Path = Path("docs")
    subject: str = "emoji"
    batch: int = 50
    sink_scenes: int = 50
    draws: int = 2000
    seed: int = 0
    smoothing: bool = True
    cache: Path | None = None
    debug: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "scenes", "batch", "sink_scenes", "draws")


@dataclass(frozen=True)
class Condition:
    """One way of captioning the scenes: what is done to the images, and what to the decoding."""

    name: str
    image: Callable[[int], Image.Image]
    arm: Callable[[torch.nn.Module], AbstractContextManager] = field(default=lambda model: nullcontext())


def conditions(drawn: list[Scene], config: CardConfig) -> list[Condition]:
    """The image as it is, blank, with its patches shuffled, of another scene; then the arms that smooth."""
    blank = Image.new("RGB", drawn[0].image.size, (128, 128, 128))
    found = [
        Condition("baseline", lambda i: drawn[i].image),
        Condition("blank image", lambda i: blank),
        Condition("shuffled patches", lambda i: shuffled(drawn[i].image, config.seed + i)),
        Condition("image of another scene", lambda i: drawn[(i + 1) % len(drawn)].image),
    ]
    if config.smoothing:
        arms = {f"KVSmooth {rate}": KVSmooth(lambda_ref=rate) for rate in (0.5, 0.7, 0.9)}
        arms["constant 0.5"] = KVSmooth(policy=Constant(0.5))
        found += [Condition(name, lambda i: drawn[i].image, arm) for name, arm in arms.items()]
    return found


def shuffled(image: Image.Image, seed: int) -> Image.Image:
    """The image with its patches in another order."""
    pixels = np.asarray(image)
    side = pixels.shape[0] // PATCH
    patches = pixels.reshape(side, PATCH, side, PATCH, 3).swapaxes(1, 2).reshape(side * side, PATCH, PATCH, 3)
    order = np.random.default_rng(seed).permutation(len(patches))
    return Image.fromarray(patches[order].reshape(side, side, PATCH, PATCH, 3).swapaxes(1, 2).reshape(pixels.shape))


@torch.no_grad()
def captions(subject: Subject, condition: Condition, n: int, config: CardConfig) -> list[str]:
    """Greedy captions under one condition, a batch at a time; finished batches are taken from the cache."""
    texts: list[str] = []
    for start in tqdm(range(0, n, config.batch), condition.name, disable=None):
        part = range(start, min(start + config.batch, n))
        kept = config.cache and config.cache / f"{subject.revision[:12]}-{condition.name.replace(' ', '-')}-{part.start}-{part.stop}.json"
        if kept and kept.exists():
            texts += json.loads(kept.read_text(encoding="utf-8"))
            continue
        inputs = subject.encode([Item(i, condition.image(i)) for i in part])
        with condition.arm(subject.model):
            said = free_captions(subject.model, inputs, end_tokens(subject.speaker), do_sample=False, num_beams=1)
        new = [subject.text(row) for row in said]
        if kept:
            write_bytes(kept, json.dumps(new).encode())
        texts += new
    return texts


def main(config: CardConfig) -> None:
    """Writes the card."""
    quiet()
    subject, drawn = load_subject(config.subject), scenes(config.scenes)
    truth = ground_truth(annotations(drawn))
    texts = {c.name: captions(subject, c, len(drawn), config) for c in conditions(drawn, config)}
    scored = {name: [score_caption(t, truth[s.image_id], s.image_id) for t, s in zip(ts, drawn, strict=True)] for name, ts in texts.items()}
    measured = {name: estimates(table(scored[name], texts[name]), config.draws, config.seed) for name in texts}
    others = {name: others_of(scored[name], scored["baseline"]) for name in texts if name != "baseline"}
    said = {name: card_claims.shares(texts[name], drawn) for name in texts}
    results = [{**asdict(e), "name": f"{name}: {key}"} for name, found in measured.items() for key, e in found.items()]
    results += [
        {"name": f"{name}: {key}", "estimate": value, "interval": None, "n": len(drawn), "test": "none"}
        for name in texts
        for key, value in {**others.get(name, {}), **said[name]}.items()
    ]
    looked = [Item(scene.image_id, scene.image) for scene in drawn[: config.sink_scenes]]
    sinks = search(subject, looked, texts["baseline"][: len(looked)])
    met = {name: low <= measured["baseline"][name].estimate <= high for name, (low, high) in BARS.items()}
    card = {
        "results": results,
        "bars": {name: {"range": [low, None if high == math.inf else high], "met": met[name]} for name, (low, high) in BARS.items()},
        "sinks": sinks,
        "examples": [
            {"image_id": s.image_id, "objects": sorted(s.names), "caption": t} for s, t in zip(drawn[:5], texts["baseline"], strict=False)
        ],
        "provenance": {**provenance(config), "subject": subject.revision},
    }
    config.out.mkdir(parents=True, exist_ok=True)
    write_bytes(config.out / "subject.json", (json_text(card, indent=1) + "\n").encode())
    page = config.out / "subject.md"
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    write_bytes(page, filled(text, markdown(measured, others, said, sinks)).encode())


def others_of(records: list[ChairRecord], baseline: list[ChairRecord]) -> dict[str, float]:
    """How much of what the baseline's captions name is named under another condition too (Jaccard, mean over images)."""
    one = {i: frozenset(m.object for m in record.mentions) for i, record in enumerate(records)}
    base = {i: frozenset(m.object for m in record.mentions) for i, record in enumerate(baseline)}
    return {"overlap_with_baseline": overlap(one, base)}


if __name__ == "__main__":
    run_cli(CardConfig, main)
