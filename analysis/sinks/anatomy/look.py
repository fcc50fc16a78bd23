"""One pass over prompts with their captions: ranks of head outputs, norms of patches, attention received in every layer."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from analysis.sinks.anatomy import rank
from analysis.sinks.anatomy.outliers import contrast
from analysis.sinks.scores import mean_from_own
from kvsmooth.spans import GENERATED, IMAGE
from probes.sequence import LayerView, layers_of, texts
from probes.subjects import Item, Subject
from probes.tower import patch_norms, tower_states


@torch.no_grad()
def look(subject: Subject, items: Sequence[Item], captions: Sequence[Sequence[int]]) -> list[dict[str, np.ndarray]]:
    """For each item its arrays.

    Parameters
    ----------
    captions : generated tokens; the last one of a generation was never fed to the model and is left out

    Returns
    -------
    rank : "measure version layer head", of the generated queries' outputs; NaN without a generated token
    share, energy, first : "layer head": share of attention of the most read key; share of the outputs' energy along its value; whether
        it is the first token
    drain : "layer head", norm of its value over the median norm of the other keys' values
    received : "layer token", of the head that gives most: mean attention from the queries from the token's own on; NaN for the last ones
    seen : "layer patch", mean attention of generated queries and heads on each image token
    norms : "tower patch", norms of the patches' states by layer of the image tower; no layer where they cannot be told
    contrast : "patch", of the pixels
    tokens, groups : "token"
    """
    inputs, groups = texts(subject, items, [caption[:-1] for caption in captions])
    made: list[dict[str, list[np.ndarray]]] = [{} for _ in items]

    def visit(view: LayerView) -> None:
        logits = view.logits().cpu()
        for row, group in enumerate(groups.cpu()):
            there = group >= 0
            own = logits[row][:, there][:, :, there]
            for name, value in _of_text(own, view.value[row].cpu()[:, there], group[there]).items():
                made[row].setdefault(name, []).append(value)

    with tower_states(subject.model) as states:
        layers_of(subject, inputs, visit)
    patches = (groups == IMAGE).sum(1)
    alike = int(patches[0]) if (patches == patches[0]).all() else 0
    norms = patch_norms(states, len(items), alike)
    whole = []
    for row, group in enumerate(groups.cpu()):
        there = group >= 0
        shown = inputs.get("pixel_values")
        pixels = shown[row].float().cpu().numpy() if shown is not None and len(shown) == len(items) else np.zeros(0)
        text = {name: np.stack(values, 2 if name == "rank" else 0) for name, values in made[row].items()}
        text["norms"] = np.zeros((0, int(patches[row]))) if norms is None else norms[:, row].cpu().numpy()
        text["contrast"] = contrast(pixels, int(patches[row]))
        text = {name: value.astype(np.float32) for name, value in text.items()}
        text["tokens"] = inputs["input_ids"][row].cpu()[there].numpy().astype(np.int32)
        whole.append({**text, "groups": group[there].numpy().astype(np.int8)})
    return whole


def _of_text(logits: Float[Tensor, "head token token"], values: Float[Tensor, "kv token channel"], group: Tensor) -> dict[str, np.ndarray]:
    """One layer of one text without its padding."""
    written = group == GENERATED
    rows = logits.softmax(-1)
    seen = rows[:, written]
    if not written.any():
        nothing = np.full(len(rows), np.nan)
        heads = {"rank": np.full((2, 3, len(rows)), np.nan), **dict.fromkeys(("share", "energy", "first", "drain"), nothing)}
    else:
        heads = _of_heads(logits[:, written], seen, values)
    return {
        **heads,
        "received": mean_from_own(rows).max(0),
        "seen": seen[:, :, group == IMAGE].mean((0, 1)).numpy(),
    }


def _of_heads(
    logits: Float[Tensor, "head query key"], rows: Float[Tensor, "head query key"], values: Float[Tensor, "kv key channel"]
) -> dict[str, np.ndarray]:
    key, share = rank.most_read(rows)
    visible = torch.isfinite(logits).double()
    written = rank.outputs(rows, values)
    uniform = rank.outputs(visible / visible.sum(-1, keepdim=True), values)
    by_version = [rank.ranks(out) for out in (written, rank.outputs(rank.without(logits, key), values), uniform)]
    theirs = rank.shared(values, len(rows))
    length = theirs.float().norm(dim=-1)
    own = length.gather(-1, key[:, None])[:, 0]
    others = length.scatter(-1, key[:, None], torch.nan).nanmedian(-1).values
    direction = theirs[torch.arange(len(theirs)), key]
    return {
        "rank": np.stack(by_version, 1),
        "share": share.numpy(),
        "energy": rank.along(written, direction).numpy(),
        "first": (key == 0).double().numpy(),
        "drain": (own / others).numpy(),
    }
