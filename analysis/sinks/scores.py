"""Scores whole texts by every detector, beside the attention that each token received; attention maps are freed layer by layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from analysis.sinks import observation
from analysis.sinks.names import COUNTS, PLACES
from analysis.sinks.targets import EPS, WINDOWS, received
from kvsmooth.measures import row_entropy
from kvsmooth.sinks import SINKS, Detector, View
from kvsmooth.sinks.channels import SHARE
from kvsmooth.sinks.chosen import detector_class
from kvsmooth.sinks.prompt import prompt_statistics
from kvsmooth.spans import GENERATED, GROUPS, IMAGE
from probes.sequence import LayerView, layers_of, texts
from probes.subjects import Item, Subject

LATER = 16
"""Fewest later queries of a token whose mean received attention may call it a sink."""
OPTIONS = {"visual_sink": {"energy": SHARE}}
"""Other than defaults: the published threshold of phi is out of reach of narrow models, a share of energy is not."""


def detectors(subject: Subject, own: Sequence[str] = ()) -> dict[str, Detector]:
    """Every detector of `SINKS` with its defaults and `OPTIONS`; those that must know the tokenizer's tokens get them.

    Parameters
    ----------
    own : further ones, as `module:Class`

    Raises
    ------
    ValueError : one of them is no detector
    """
    kinds: dict[str, Any] = {**SINKS, **{found.name: found for found in map(detector_class, own)}}
    return {name: kind.of(subject.tokenizer) if hasattr(kind, "of") else kind(**OPTIONS.get(name, {})) for name, kind in kinds.items()}


@torch.no_grad()
def look(
    subject: Subject,
    items: Sequence[Item],
    captions: Sequence[Sequence[int]],
    chosen: Mapping[str, Detector],
    seed: int = 0,
    windows: tuple[int, ...] = WINDOWS,
) -> list[dict[str, np.ndarray]]:
    """One pass over prompts with their captions; for each item its reduced arrays.

    Parameters
    ----------
    captions : generated tokens; the last one of a generation was never fed to the model and is left out
    seed : of the random order and turn of Observation 2, together with the image's number

    Returns
    -------
    scores : "detector layer token", mean over heads
    received, received_most : "window layer generated", of the mean over heads, and of the head that gives most
    observed, observed_without_first : "variant relation received layer head", of row entropies with and without the text's first token
    fires : "detector layer place", share of heads and tokens; NaN for a detector without a threshold
    counts : "detector layer count", tokens by `COUNTS`, heads joined by "any"
    massive : "layer channel", channels that carry massive activations in the prompt
    tokens, groups : "token", ids and numbers in `kvsmooth.spans.GROUPS`
    """
    inputs, groups = texts(subject, items, [caption[:-1] for caption in captions])
    made: list[dict[str, list[np.ndarray]]] = [{} for _ in items]

    def visit(view: LayerView) -> None:
        seen = of_layer(view, inputs["input_ids"], groups)
        told = {name: detector(seen)[0].float().expand(*groups.shape[:1], -1, -1).cpu() for name, detector in chosen.items()}
        fired = {name: d.fires(seen)[0].expand(*groups.shape[:1], -1, -1).cpu() for name, d in chosen.items() if d.threshold is not None}
        rows = seen.probabilities[0].cpu()
        for row, group in enumerate(groups.cpu()):
            there = group >= 0
            kept = _of_text(rows[row][:, there][:, :, there], group[there], items[row].image_id, seed, windows)
            sink = _received_sinks(rows[row][:, there][:, :, there])
            kept["scores"] = np.stack([told[name][row][:, there].mean(0).numpy() for name in chosen])
            kept["fires"] = np.stack([_prevalence(fired.get(name), row, there, group[there]) for name in chosen])
            kept["counts"] = np.stack([_counts(fired.get(name), row, there, sink) for name in chosen])
            kept["massive"] = seen.prompt.massive[0, row].cpu().numpy()
            for name, value in kept.items():
                made[row].setdefault(name, []).append(value)

    layers_of(subject, inputs, visit)
    whole = []
    for row, group in enumerate(groups.cpu()):
        there = group >= 0
        about = {"tokens": inputs["input_ids"][row].cpu()[there].numpy().astype(np.int32), "groups": group[there].numpy().astype(np.int8)}
        # layers were visited one by one: their axis goes where the names above have it
        stacked = {name: np.stack(values, LAYER_AXIS[name]) for name, values in made[row].items()}
        whole.append({**{name: v.astype(np.float32) if v.dtype.kind == "f" else v for name, v in stacked.items()}, **about})
    return whole


LAYER_AXIS = {
    **dict.fromkeys(("scores", "received", "received_most", "fires", "counts"), 1),
    **dict.fromkeys(("observed", "observed_without_first"), 3),
    "massive": 0,
}
"""Arrays of a text that have one part a layer, and which axis that is."""


def of_layer(view: LayerView, tokens: Tensor, groups: Tensor) -> View:
    """All positions of whole texts as the tokens of one layer; the prompt's statistics leave the caption out."""
    groups = groups.to(view.hidden.device)
    in_prompt = view.visible & (groups != GENERATED)
    return View(
        probabilities=view.probabilities()[None],
        logits=view.logits()[None],
        keys=view.key[None],
        values=view.value[None],
        key=view.key[None],
        value=view.value[None],
        hidden=view.hidden[None],
        prompt=prompt_statistics(view.hidden, in_prompt),
        tokens=tokens.to(view.hidden.device),
        visible=view.visible,
    )


def _of_text(
    rows: Float[Tensor, "head token token"], group: Tensor, image_id: int, seed: int, windows: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Received attention and Observation 2 of one layer of one text."""
    prompt = int((group != GENERATED).sum())
    written = rows[:, prompt:, prompt:].numpy()
    by_head = received(written, windows)
    columns = observation.columns(written.astype(np.float64))

    def observe(rows: Float[Tensor, "head token key"], left_out: int) -> np.ndarray:
        draw = np.random.default_rng([seed, image_id])  # of the image, not of the layer: one order for all, whatever is left out
        return observation.observe(row_entropy(rows).numpy().astype(np.float64), columns, prompt, draw, left_out)

    return {
        "received": received(written.mean(0), windows),
        "received_most": by_head.max(axis=1),
        "observed": observe(rows[:, prompt:], 0),
        "observed_without_first": observe(without_first(rows[:, prompt:]), 1),
    }


def without_first(rows: Float[Tensor, "*row key"]) -> Float[Tensor, "*row rest"]:
    """Attention rows without the first key, the rest summing to one again; NaN where that key has all of a row."""
    rest = rows[..., 1:]
    return rest / rest.sum(-1, keepdim=True)


def mean_from_own(rows: Float[Tensor, "head token token"]) -> Float[np.ndarray, "head token"]:
    """Attention that each token gets on average over the queries from its own on; NaN for tokens with too few of them to be judged."""
    number = np.arange(rows.shape[-1], 0, -1)
    return np.where(number > LATER, rows.sum(1).numpy() / number, np.nan)


def _received_sinks(rows: Float[Tensor, "head token token"]) -> Bool[np.ndarray, " token"]:
    """Tokens that some head gives more than `EPS` on average over the queries from their own on, `LATER` of them at least."""
    return np.asarray((mean_from_own(rows) > EPS).any(axis=0))


def _prevalence(fired: Tensor | None, row: int, there: Tensor, group: Tensor) -> Float[np.ndarray, " place"]:
    if fired is None:
        return np.full(len(PLACES), np.nan)
    told = fired[row][:, there].float().mean(0).numpy()
    text = {GROUPS.index("bos"): 0, IMAGE: 2, GENERATED: 3}
    place = np.array([text.get(int(number), 1) for number in group])
    return np.array([told[place == number].mean() if (place == number).any() else np.nan for number in range(len(PLACES))])


def _counts(fired: Tensor | None, row: int, there: Tensor, sink: np.ndarray) -> Float[np.ndarray, " count"]:
    if fired is None:
        return np.full(len(COUNTS), np.nan)
    told = fired[row][:, there].any(0).numpy()
    late = np.arange(len(sink))[::-1] >= LATER  # tokens that attention can judge
    told, sink = told[late], sink[late]
    return np.array([(told & sink).sum(), (told & ~sink).sum(), (~told & sink).sum(), (~told & ~sink).sum()], dtype=float)
