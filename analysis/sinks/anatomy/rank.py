"""The rank of what a head writes over a caption: a head that only reads one token writes one direction."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.measures import TINY


def outputs(rows: Float[Tensor, "head query key"], values: Float[Tensor, "kv key channel"]) -> Float[Tensor, "head query channel"]:
    """What each head writes before the output projection, in double precision; heads share values where there are fewer of these."""
    return torch.matmul(rows.double(), shared(values, len(rows)).double())


def shared(values: Float[Tensor, "kv key channel"], heads: int) -> Float[Tensor, "head key channel"]:
    """The values that each head reads."""
    return values.repeat_interleave(heads // len(values), 0)


def ranks(written: Float[Tensor, "head query channel"]) -> Float[np.ndarray, "measure head"]:
    """Stable and effective rank (`MEASURES`) of each head's outputs, not centred: what does not change is a direction like others.

    Stable: ||O||_F^2 / ||O||_2^2 (Rudelson & Vershynin 2007). Effective: exp of the entropy of the singular values divided by their sum
    (Roy & Vetterli 2007). Both lie between 1 and min(queries, channels); NaN for outputs that are zero, or of no query.
    """
    # eigenvalues of the smaller Gram matrix, in double precision: ten times as fast as singular values
    tall = written.shape[1] >= written.shape[2]
    gram = written.mT @ written if tall else written @ written.mT
    squared = torch.linalg.eigvalsh(gram).clamp_min(0).numpy() if min(written.shape[1:]) else np.zeros((len(written), 1))
    # beside the largest, what rounding leaves is nothing
    squared = np.where(squared > squared.max(-1, keepdims=True) * 1e-12, squared, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.sqrt(squared) / np.sqrt(squared).sum(-1, keepdims=True)
        entropy = -np.where(part > 0, part * np.log(part), 0.0).sum(-1)
        stable = squared.sum(-1) / squared.max(-1)
    return np.stack([stable, np.where(np.isfinite(stable), np.exp(entropy), np.nan)])


def most_read(rows: Float[Tensor, "head query key"]) -> tuple[Int[Tensor, " head"], Float[Tensor, " head"]]:
    """Each head's key with most attention over all of these queries, and its share of that attention."""
    share, key = rows.mean(1).max(-1)
    return key, share


def without(logits: Float[Tensor, "head query key"], key: Int[Tensor, " head"]) -> Float[Tensor, "head query key"]:
    """Attention with one key of each head hidden; a query that sees no other key gets a row of zeros."""
    hidden = logits.scatter(-1, key[:, None, None].expand(-1, logits.shape[1], 1), -torch.inf)
    return hidden.softmax(-1).nan_to_num(0.0)


def along(written: Float[Tensor, "head query channel"], direction: Float[Tensor, "head channel"]) -> Float[Tensor, " head"]:
    """Share of the outputs' squared norm that lies along one direction a head; in [0, 1]."""
    unit = torch.nn.functional.normalize(direction.double(), dim=-1)
    part = torch.einsum("hqc,hc->hq", written, unit).square().sum(-1)
    return part / written.square().sum((-2, -1)).clamp_min(TINY)
