"""A toy layer with sinks that are known because they were planted, and a drawing of what a detector sees in it, in characters.

The first token and one in the middle are sinks in every sense of the field at once: later queries attend to them, their keys are short
and of a direction of their own, their values drained, their hidden states massive in one channel, and their own rows diffuse.
"""

import torch

from kvsmooth.output import tell
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.prompt import prompt_statistics
from kvsmooth.sinks.view import View
from kvsmooth.sinks.whole import whole

TOKENS, HEADS, CHANNELS, WIDTH = 24, 2, 16, 512
SINKS_AT = (0, 9)
CHANNEL = 5  # of the massive activation
STOP, WORD = 1, 2  # ids of a punctuation mark and of any other token
SHADES, BARS = " ░▒▓█", "▁▂▃▄▅▆▇█"


def planted(sinks: tuple[int, ...] = SINKS_AT, tokens: int = TOKENS, seed: int = 0, drain: float = 0.01) -> View:
    """A layer with sinks at these positions, the length of their values `drain` times that of others; the text is its own prompt."""
    draw = torch.Generator().manual_seed(seed)
    at = list(sinks)
    query = torch.randn(1, HEADS, tokens, CHANNELS, generator=draw)
    key, value = torch.randn(2, 1, HEADS, tokens, CHANNELS, generator=draw).unbind(0)
    hidden = torch.randn(1, tokens, WIDTH, generator=draw)
    # the first channel belongs to the sinks: queries lean on it, and sinks' keys have nothing else
    key[..., 0] = -1.0
    key[:, :, at] = 0.0
    key[:, :, at, 0] = 1.0
    query[..., 0] = 12.0
    query[:, :, at] = 0.0  # a sink itself looks nowhere in particular
    value[:, :, at] *= drain
    hidden[:, at, CHANNEL] = 2000.0
    ids = torch.full((1, tokens), WORD)
    ids[:, at] = STOP
    return whole(query, key, value, hidden, tokens=ids, prompt=prompt_statistics(hidden))


def uniform(tokens: int = TOKENS, seed: int = 0) -> View:
    """A layer without any sink: every row is exactly uniform over the keys it sees, and all states are alike."""
    draw = torch.Generator().manual_seed(seed)
    key, value = torch.randn(2, 1, HEADS, tokens, CHANNELS, generator=draw).unbind(0)
    hidden = torch.randn(1, tokens, WIDTH, generator=draw)
    ids = torch.full((1, tokens), WORD)
    return whole(torch.zeros_like(key), key, value, hidden, tokens=ids, prompt=prompt_statistics(hidden))


def drawing(detector: Detector, seen: View | None = None) -> str:
    """Attention map, scores and sinks of a text's first layer and row, heads averaged, one character a number.

    A detector without a threshold marks as many of its highest scores as there are planted sinks.
    """
    seen = planted() if seen is None else seen
    rows = seen.probabilities[0, 0].mean(0)
    scores = detector(seen)[0, 0].mean(0)
    if detector.threshold is None:
        fires = torch.zeros_like(scores, dtype=torch.bool)
        fires[scores.topk(len(SINKS_AT)).indices] = True
        rule = f"the {len(SINKS_AT)} highest scores (no threshold)"
    else:
        fires, rule = detector.fires(seen)[0, 0].any(0), f"any head beyond the threshold, {detector.threshold:g}"
    low, high = scores.min(), scores.max()
    bars = ((scores - low) / (high - low).clamp_min(1e-12) * (len(BARS) - 1)).round().int().tolist()
    shades = (rows * (len(SHADES) - 1)).ceil().int().tolist()
    width = rows.shape[-1]
    lines = [f"{detector.name}: known {detector.known}, unit {detector.unit}", "", f"query  {'attention to each key'.ljust(width)}"]
    lines += [f"{i:5d}  {''.join(SHADES[shade] for shade in row)}".rstrip() for i, row in enumerate(shades)]
    lines += ["", f"score  {''.join(BARS[bar] for bar in bars)}  {low:.3g} to {high:.3g}"]
    lines += [f"sinks  {''.join('^' if fired else '.' for fired in fires.tolist())}  {rule}"]
    lines += [f"truth  {''.join('^' if i in SINKS_AT else '.' for i in range(width))}  planted"]
    return "\n".join(lines) + "\n"


def draw(detector: Detector) -> None:
    """Write the drawing of a detector on the planted layer to standard output."""
    tell(drawing(detector))
