"""Every definition once more, in loops over plain numbers of one row of one layer, float64; padding is left out from the start."""

import math
import statistics
from copy import copy
from dataclasses import dataclass

import numpy as np


@dataclass
class Plain:
    """One row of one layer: lists by head and by the visible positions, in their order."""

    logits: list  # head, query: {key: logit}
    keys: list  # kv, position: vector
    values: list
    hidden: list  # position: vector
    tokens: list
    prompt: int  # how many of the positions are prompt
    counted: list  # position: bool

    def __post_init__(self):
        self.rows = [[_softmax(row) for row in head] for head in self.logits]
        self.length = len(self.hidden)

    def kv(self, head: int) -> int:
        return head // (len(self.logits) // len(self.keys))


def plain(text, layer: int, row: int) -> Plain:
    """A row of captured texts as plain numbers; logits by loops; every position counts."""
    one = text.layers[layer]
    there = [i for i in range(text.ids.shape[1]) if text.visible[row, i]]

    def vectors(states):
        return states.double().numpy()

    query, key, value, hidden = (vectors(states[row]) for states in (one.query, one.key, one.value, one.hidden))
    group = len(query) // len(key)
    logits = []
    for head in range(len(query)):
        by_query = []
        for place, i in enumerate(there):
            seen = {}
            for other, j in enumerate(there):
                if one.mask is None:
                    sees = j <= i
                else:
                    mask = one.mask[row if len(one.mask) > 1 else 0, 0, i, j]
                    sees = bool(mask) if mask.dtype.is_floating_point is False else float(mask) == 0
                if sees:
                    logit = float(np.dot(query[head, i], key[head // group, j])) * one.scaling
                    seen[other] = math.tanh(logit / one.softcap) * one.softcap if one.softcap else logit
            assert place in seen
            by_query.append(seen)
        logits.append(by_query)
    return Plain(
        logits,
        [[head[i] for i in there] for head in key],
        [[head[i] for i in there] for head in value],
        [hidden[i] for i in there],
        [int(text.ids[row, i]) for i in there],
        sum(bool(text.prompt[row, i]) for i in there),
        [True] * len(there),
    )


def counting(p: Plain, counted: list[bool]) -> Plain:
    """The same where only these of its positions count."""
    some = copy(p)
    some.counted = counted
    return some


def _softmax(logits: dict) -> dict:
    most = max(logits.values())
    weights = {key: math.exp(logit - most) for key, logit in logits.items()}
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


def _norm(vector) -> float:
    return math.sqrt(sum(x * x for x in vector))


def _cosine(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / _norm(a) / _norm(b)


def first_tokens(p: Plain, n_sink: int = 4):
    return [[float(i < n_sink) for i in range(p.length)]]


def mean_received(p: Plain):
    sums = column_sum(p)
    return [[total / (p.length - j) for j, total in enumerate(head)] for head in sums]


def column_sum(p: Plain):
    return [[sum(head[i].get(j, 0.0) for i in range(j, p.length)) for j in range(p.length)] for head in p.rows]


def mid_sequence(p: Plain):
    return [[0.0, *head[1:]] for head in mean_received(p)]


def column_product(p: Plain, scale: float = 50.0, form: str = "log", per_row: bool = False):
    most = []
    for i in range(p.length):
        row = [max(head[i].get(j, 0.0) for head in p.rows) for j in range(p.length)]
        most.append([x / sum(row) for x in row])
    scores = []
    for j in range(p.length):
        if not p.counted[j]:
            scores.append(-math.inf if form == "log" else 0.0)
            continue
        factors = [scale * most[i][j] for i in range(j, p.length) if p.counted[i]]
        if form == "reference":
            product = 1e-7 * math.prod(factors)
            scores.append(float(np.float16(product)) if product < 65504 else math.inf)
        else:
            total = sum(math.log(max(factor, float(np.finfo(np.float32).tiny))) for factor in factors)
            scores.append(total / len(factors) if per_row else total)
    return [scores]


def row_entropy(p: Plain, normalise: bool = False):
    scores = []
    for head in p.rows:
        by_query = []
        for row in head:
            kept = [x for j, x in row.items() if p.counted[j]]
            total = sum(kept)
            entropy = -sum(x / total * math.log(x / total) for x in kept if x > 0) if total else 0.0
            by_query.append(entropy / math.log(max(len(kept), 2)) if normalise else entropy)
        scores.append(by_query)
    return scores


def massive(states) -> list[int]:
    """The rule of sink channels: at least 0.1 of one token's energy and 10 times the median magnitude; the four of largest share."""
    median = statistics.median_low(abs(float(x)) for state in states for x in state)
    shares = {}
    for channel in range(len(states[0])):
        by_token = [state[channel] ** 2 / sum(x * x for x in state) for state in states]
        best = max(range(len(states)), key=by_token.__getitem__)
        shares[channel] = by_token[best], abs(states[best][channel])
    strongest = sorted(shares, key=lambda channel: shares[channel][0], reverse=True)[:4]
    return [channel for channel in strongest if shares[channel][0] >= 0.1 and shares[channel][1] >= 10 * median]


def massive_activation(p: Plain):
    median = statistics.median_low(abs(float(x)) for state in p.hidden[: p.prompt] for x in state)
    return [[max(abs(x) for x in state) / median for state in p.hidden]]


def visual_sink(p: Plain, channels=None):
    channels = massive(p.hidden[: p.prompt]) if channels is None else channels
    return [[max([abs(s[d]) for d in channels], default=0.0) / (_norm(s) / math.sqrt(len(s))) for s in p.hidden]]


def residual_peak(p: Plain):
    median = statistics.median_low(_norm(state) for state in p.hidden[: p.prompt])
    return [[_norm(state) / median for state in p.hidden]]


def bos_cosine(p: Plain):
    return [[_cosine(state, p.hidden[0]) for state in p.hidden]]


def value_drain(p: Plain):
    return [[-_norm(value) for value in head] for head in p.values]


def value_drain_fires(p: Plain, threshold: float = 0.1, spreads: float = 2.0):
    fired = []
    for head, means in enumerate(mean_received(p)):
        norms = [_norm(value) for value in p.values[p.kv(head)]]
        low, median, high = np.quantile(norms, [0.25, 0.5, 0.75])
        fired.append([m > threshold and n < median - spreads * (high - low) for m, n in zip(means, norms, strict=True)])
    return fired


def column_sum_fires(p: Plain, threshold: float):
    return [[total > threshold * sum(head) / p.length for total in head] for head in column_sum(p)]


def key_norm(p: Plain):
    return [[-_norm(key) for key in head] for head in p.keys]


def key_outlier(p: Plain, directions: bool = False):
    scores = []
    for head in p.keys:
        used = [key / _norm(key) for key in head] if directions else head
        by_position = []
        for j, key in enumerate(head):
            within = [used[i] for i in p.logits[0][j] if i <= j]
            by_position.append(1 - _cosine(key, sum(within) / len(within)))
        scores.append(by_position)
    return scores


def sink_gap(p: Plain):
    scores = []
    for head in p.logits:
        gaps = []
        for row in head:
            first, others = min(row), [logit for j, logit in row.items() if j != min(row)]
            gaps.append(row[first] - sum(others) / len(others) if others else 0.0)
        scores.append(gaps)
    return scores


def sink_head(p: Plain, n_sink: int = 1):
    return [[sum(row[j] for j in sorted(row)[:n_sink]) if len(row) > n_sink else 0.0 for row in head] for head in p.rows]


def tag_variance(p: Plain):
    scores = []
    for number, head in enumerate(p.rows):
        values = p.values[p.kv(number)]
        shares = []
        for row in head:
            output = sum(x * values[j] for j, x in row.items())
            shares.append(_cosine(output, values[min(row)]) ** 2 if len(row) > 1 else 0.0)
        scores.append(shares)
    return scores


def punctuation(p: Plain, ids):
    return [[float(token in ids) for token in p.tokens]]
