"""Tag variance: how much of what a head writes into a token is the first token's value, a tag rather than content."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.measures import TINY
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import shown
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class TagVariance(Detector):
    """(o . v)^2 / (|o|^2 |v|^2) for the head's output o at the token and the value v of the first key it sees, by query head.

    The share of the output's squared norm that lies along v. Where the query sees one key, o is v whatever the head does, and the score
    is 0. Logits are needed only to tell which keys it sees.

    Source: after "catch, tag, release" (arXiv 2502.00919), for one sink, the first. Without a threshold.

    Parameters
    ----------
    threshold : the share above which a token is called tagged, in [0, 1]
    """

    threshold: float | None = None
    name: ClassVar[str] = "tag_variance"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities", "logits", "values"})
    known: ClassVar[str] = "step"
    unit: ClassVar[str] = "1"

    def __call__(self, seen: View) -> Float[Tensor, "layer row head token"]:
        """Share, in [0, 1]; 0 for padding."""
        probabilities, values = seen.probabilities, seen.values.float()
        if probabilities.shape[2] < values.shape[2]:  # one row that stands for all heads
            probabilities = probabilities.expand(-1, -1, values.shape[2], -1, -1)
        values = values.repeat_interleave(probabilities.shape[2] // values.shape[2], 2)
        sees = shown(seen.logits)
        if sees.shape[2] != probabilities.shape[2]:
            sees = sees.any(2, keepdim=True)
        first = sees.int().argmax(-1).expand(probabilities.shape[:-1])
        tag = values.gather(3, first[..., None].expand(*first.shape, values.shape[-1]))
        output = probabilities @ values
        norms = output.square().sum(-1) * tag.square().sum(-1)
        share = (output * tag).sum(-1).square() / norms.clamp_min(TINY)
        return share.masked_fill(sees.sum(-1) <= 1, 0.0)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(TagVariance())
