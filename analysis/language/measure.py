"""Runs the arms over the texts: what each token cost the model, by arm, and the mean rate that each text received."""

import json
from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from tqdm import tqdm

from analysis.cells.cells import Cell
from analysis.cells.classes import CLASSES, token_classes
from analysis.cells.names import PAPER
from analysis.cells.run import AppliedRates
from analysis.language.forced import forced_nll
from analysis.language.models import LanguageModel
from analysis.language.texts import DISTANCES, TokenizedText
from kvsmooth.errors import Unsupported
from probes.command.cli import BadInput


def losses(
    read: LanguageModel, texts: Sequence[TokenizedText], cells: Sequence[Cell], base: dict, prefix: int, batch_size: int
) -> xr.Dataset:
    """NLL "arm text token" of every token that a smoothed step predicts, kind and distance of each, and rates "arm text"."""
    longest = max(len(text.ids) for text in texts)
    batches = [texts[i : i + batch_size] for i in range(0, len(texts), batch_size)]
    classes = token_classes(read.tokenizer) if any(cell.option("policy") == "token_class" for cell in cells) else None
    nll = np.full((len(cells), len(texts), longest), np.nan, dtype=np.float32)
    rates = np.zeros((len(cells), len(texts)), dtype=np.float32)
    firsts: list[AppliedRates] = []
    # the paper's arm first: what it applied drives others
    order = sorted(range(len(cells)), key=lambda i: (cells[i].name != PAPER, i))
    for i in tqdm(order, desc="arms", unit="arm", disable=None):
        found, rate, applied = _arm(read, batches, cells[i], base, prefix, firsts, classes)
        nll[i, :, : found.shape[1]], rates[i] = found, rate
        firsts = applied if cells[i].name == PAPER else firsts
    kind, distance = (padded([getattr(text, name).numpy() for text in texts], longest) for name in ("kinds", "distances"))
    return xr.Dataset(
        {
            "nll": (("arm", "text", "token"), nll, {"units": "nat"}),
            "rate": (("arm", "text"), rates, {"units": "1", "meaning": "mean over smoothed steps and layers"}),
            "kind": (("text", "token"), kind, {"meaning": f"of {', '.join(CLASSES)}, from 0; -1 no token"}),
            "distance": (("text", "token"), distance, {"meaning": f"since the end of a sentence: {'; '.join(DISTANCES)}; -1 no token"}),
        },
        coords={"arm": [cell.name for cell in cells], "text": [text.number for text in texts]},
        attrs={"families": json.dumps({cell.name: cell.family for cell in cells}), "prefix": prefix},
    )


def _arm(
    read: LanguageModel,
    batches: Sequence[Sequence[TokenizedText]],
    cell: Cell,
    base: dict,
    prefix: int,
    firsts: Sequence[AppliedRates],
    classes: torch.Tensor | None,
) -> tuple[Float[np.ndarray, "text token"], Float[np.ndarray, " text"], list[AppliedRates]]:
    rows, rates, applied = [], [], []
    for number, batch in enumerate(batches):
        ids = [text.ids for text in batch]
        data = None if not cell.two_pass and cell.option("policy") != "token_class" else firsts[number].data(classes)
        try:
            found, run = forced_nll(read.model, ids, prefix, cell.method(base, data))
        except Unsupported as error:
            raise BadInput(f"arm {cell.name}: {error}") from error
        rows += [row[: len(text)].numpy() for row, text in zip(found, ids, strict=True)]
        steps = torch.tensor([len(text) - prefix - 1 for text in ids])
        if run is None:
            rates += [0.0] * len(batch)
            continue
        own = torch.arange(len(run.rates))[:, None] < steps
        rates += ((run.rates.mean(1) * own).sum(0) / steps).tolist()
        fed = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True).T[prefix : prefix + len(run.rates)]
        applied.append(AppliedRates(run.rates, steps, fed.contiguous()))
    return padded(rows, max(map(len, rows)), np.nan), np.array(rates), applied


def padded(rows: Sequence[np.ndarray], width: int, empty: float = -1) -> np.ndarray:
    """Rows of different lengths as one array."""
    made = np.full((len(rows), width), empty, dtype=rows[0].dtype)
    for line, row in zip(made, rows, strict=True):
        line[: len(row)] = row
    return made
