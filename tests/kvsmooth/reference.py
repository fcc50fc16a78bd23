"""The method once more, slowly and in plain Python: deques, loops over rows and heads, cache edited by hand after each step.

It shares nothing with `kvsmooth` but the names of the options. Attention rows are those of transformers' own eager attention; only
where a layer's output itself depends on the rate (timing="recompute", output=True) a slow attention function stands in.
"""

import math
from collections import defaultdict, deque
from functools import cache

import torch
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.generation import LogitsProcessor, LogitsProcessorList
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from tests import zoo
from tests.kvsmooth.cases import METHOD, TOKENS, shared

NAME = "slow_reference"


def entropy(probabilities: list[float], counted: list[bool], normalise: bool, visible: list[bool]) -> float:
    total = sum(p for p, c in zip(probabilities, counted, strict=True) if c)
    kept = [p / total for p, c in zip(probabilities, counted, strict=True) if c]
    value = -sum(p * math.log(p) for p in kept if p > 0)
    keys = sum(c and v for c, v in zip(counted, visible, strict=True))
    return value / math.log(max(keys, 2)) if normalise else value


def mixed(mix, newest, previous, lam):
    """The new content of one head's newest state, in float64; random directions have no reference but their laws."""
    average = [(1 - lam) * n + lam * p for n, p in zip(newest.double().tolist(), previous.double().tolist(), strict=True)]
    own = math.sqrt(sum(n * n for n in newest.double().tolist()))
    length = math.sqrt(sum(a * a for a in average))
    if mix == "norm_preserving":
        average = [a * own / length for a in average]
    elif mix == "shrink_only":
        average = [n * length / own for n in newest.double().tolist()]
    return torch.tensor(average, dtype=newest.dtype)


class Reference(LogitsProcessor):
    def __init__(self, model, cache, inputs, options):
        self.model, self.cache, self.options = model, cache, options
        self.decoder = zoo.decoder_of(model)
        self.inputs = inputs
        self.queues = defaultdict(lambda: deque(maxlen=options.window))
        self.weights, self.raw, self.outputs = {}, {}, {}
        self.history = defaultdict(list)
        self.steps = -1  # -1: the prompt
        self.logits, self.rates = [], []
        self.rates_now = {}

    # ---- attention rows
    def hook(self, layer):
        def keep(module, args, result):
            self.weights[layer] = result[1][:, :, -1].detach()

        return keep

    def counted(self, row, keys, total):
        ids = self.inputs["input_ids"][row].tolist()
        padded = self.inputs["attention_mask"][row].tolist()
        kinds = []
        bos_seen = False
        for token, real in zip(ids, padded, strict=True):
            bos = real and token == zoo.BOS and not bos_seen
            bos_seen |= bool(bos)
            kinds.append("bos" if bos else "image" if token == zoo.IMAGE else "text")
        kinds += ["text"] * (total - len(kinds))
        kinds = kinds[total - keys :]
        wanted = getattr(self.options.score, "keys", "all")
        test = {"all": lambda k: True, "without_bos": lambda k: k != "bos", "image": lambda k: k == "image", "text": lambda k: k != "image"}
        seen = padded + [1] * (total - len(padded))
        return [test[wanted](kind) for kind in kinds], [bool(s) for s in seen[total - keys :]]

    def rate_of(self, layer, row, weights):
        """Rates of the heads of one row: one number a query head. weights: head x key."""
        options = self.options
        keys = weights.shape[-1]
        total = self.inputs["input_ids"].shape[1] + self.steps + 1
        counted, visible = self.counted(row, keys, total)
        normalise = getattr(options.score, "normalise", False)
        rows = weights.double()
        if options.heads == "mean_row":
            scores = [entropy(rows.mean(0).tolist(), counted, normalise, visible)]
        else:
            scores = [entropy(one.tolist(), counted, normalise, visible) for one in rows]
            if options.heads == "mean":
                scores = [sum(scores) / len(scores)]
        policy = options.policy
        if policy.name == "inverse":
            scores, policy = [-score for score in scores], policy.of
        rates = []
        for head, score in enumerate(scores):
            queue = self.queues[layer, row, head]
            # the queue of the implementation holds float32 numbers: equal scores stay equal
            queue.append(score)
            below, not_above = sum(s < score - 1e-7 for s in queue), sum(s <= score + 1e-7 for s in queue)
            count = {"strict": below, "inclusive": not_above, "mid": (below + not_above) / 2}[options.rank]
            rate = count / (options.window if options.warmup == "window" else len(queue))
            low, high = max(0, options.lambda_ref - options.margin), min(1, options.lambda_ref + options.margin)
            if policy.name == "constant":
                rates.append(policy.rate)
            elif policy.name == "top":
                rates.append(policy.rate if rate > 1 - policy.q - 1e-6 else 0.0)
            else:
                rates.append(min(max(rate, low), high))
        return rates * (len(rows) // len(rates))

    # ---- editing the cache
    def turn(self, layer, key):
        """R(1) key, on complex numbers, from the configuration's theta."""
        parameters = self.decoder.config.rope_parameters
        if "rope_theta" not in parameters:
            parameters = parameters[self.decoder.config.layer_types[layer]]
        channels = key.shape[-1]
        theta = torch.tensor([parameters["rope_theta"] ** (-2 * i / channels) for i in range(channels // 2)])
        turned = torch.complex(key[..., : channels // 2], key[..., channels // 2 :]) * torch.polar(torch.ones_like(theta), theta)
        return torch.cat((turned.real, turned.imag), -1)

    def edit(self, layer, keys, values, weights):
        """Smooth the last place of cached keys and values "row kv key channel" by hand."""
        options = self.options
        rates = [self.rate_of(layer, row, weights[row]) for row in range(len(weights))]
        self.rates_now[layer] = rates
        for states, name, wanted in ((keys, "k", options.keys), (values, "v", options.values)):
            raw = states[:, :, -1].clone()
            before = self.raw.get((layer, name)) if options.previous == "raw" else states[:, :, -2].clone()
            self.raw[layer, name] = raw
            if not wanted:
                continue
            kv = states.shape[1]
            group = weights.shape[1] // kv
            for row in range(len(states)):
                for head in range(kv):
                    lam = sum(rates[row][head * group : (head + 1) * group]) / group
                    previous = before[row, head]
                    if options.mix == "running_mean":
                        states[row, head, -1] = self.mean_mixed(layer, name, row, head, raw[row, head], previous, lam)
                        continue
                    if name == "k" and options.rope == "before":
                        previous = self.turn(layer, previous)
                    states[row, head, -1] = mixed(options.mix, raw[row, head], previous, lam)
        return rates

    def mean_mixed(self, layer, name, row, head, newest, previous, lam):
        """The newest state mixed with the mean of all before it, each turned on to the newest one's place where keys are unrotated."""
        turn = name == "k" and self.options.rope == "before"
        earlier = self.history[layer, name, row, head]
        if not earlier:
            earlier.append(previous)
        if turn:
            earlier[:] = [self.turn(layer, state) for state in earlier]
        mean = sum(state.double() for state in earlier) / len(earlier)
        smoothed = ((1 - lam) * newest.double() + lam * mean).to(newest.dtype)
        earlier.append(newest if self.options.previous == "raw" else smoothed)
        return smoothed

    # ---- a slow attention function, for options that change a layer's own output
    def attend(self, module, query, key, value, mask, scaling=None, softcap=None, **kwargs):
        layer = module.layer_idx
        groups = query.shape[1] // key.shape[1]

        def attention():
            scores = query @ key.repeat_interleave(groups, 1).transpose(-1, -2) * scaling
            scores = scores if mask is None else scores + mask[..., : key.shape[2]]
            weights = scores.softmax(-1)
            return (weights @ value.repeat_interleave(groups, 1)).transpose(1, 2), weights

        output, weights = attention()
        if self.steps >= 0 and layer in self.options.layers:
            if self.options.timing == "recompute":
                rates = self.edit(layer, key, value, weights[:, :, -1])
                output, _ = attention()
            else:
                rates = self.edit(layer, key, value, weights[:, :, -1])  # the output is already taken
            if self.options.output:
                output = output.clone()
                raw = output.clone()
                for row in range(len(output)):
                    for head in range(output.shape[2]):
                        lam = rates[row][head]
                        output[row, -1, head] = mixed(self.options.mix, raw[row, -1, head], self.outputs[layer][row, head], lam)
                self.outputs[layer] = (raw if self.options.previous == "raw" else output)[:, -1]
        else:
            self.outputs[layer] = output[:, -1]
            self.raw[layer, "k"], self.raw[layer, "v"] = key[:, :, -1].clone(), value[:, :, -1].clone()
        return output, weights

    # ---- a step ends when its logits are processed
    def __call__(self, input_ids, scores):
        self.logits.append(scores.clone())
        slow = self.options.timing == "recompute" or self.options.output
        for layer in self.options.layers:
            if self.steps < 0:
                cached = self.cache.layers[layer]
                self.raw[layer, "k"], self.raw[layer, "v"] = cached.keys[:, :, -1].clone(), cached.values[:, :, -1].clone()
            elif not slow:
                self.edit(layer, self.cache.layers[layer].keys, self.cache.layers[layer].values, self.weights[layer])
        if self.steps >= 0:
            self.rates.append([[sum(row) / len(row) for row in self.rates_now[layer]] for layer in self.options.layers])
        self.steps += 1
        return scores


def built(name: str, attn: str, batch: int, dtype: torch.dtype):
    """A model of the zoo and its inputs, both in this precision; to be left as they are."""
    if dtype == torch.float32:
        return shared(name, attn, batch)
    model, inputs = zoo.build(name, attn=attn, batch=batch)
    if dtype != model.dtype:  # a cast to what it is would still cut the imaginary parts off Llama 4's rotations
        model = model.to(dtype)
    return model, {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}


def reference(name: str, options, batch: int = 1, tokens: int = 8, dtype: torch.dtype = torch.float32):
    """The reference on a model of the zoo, as `reference_of` gives it."""
    return reference_of(*built(name, "eager", batch, dtype), options, tokens)


def reference_of(model, inputs, options, tokens: int = 8):
    """Greedy generation with smoothing by hand, on eager attention; gives (logits "step row token", rates "step layer row")."""
    decoder = zoo.decoder_of(model)
    cache = DynamicCache(config=decoder.config)
    slow = Reference(model, cache, inputs, options)
    handles, found = [], decoder.config._attn_implementation
    if options.timing == "recompute" or options.output:
        AttentionInterface.register(NAME, slow.attend)
        AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
        decoder.set_attn_implementation(NAME)
    else:
        handles = [layer.self_attn.register_forward_hook(slow.hook(i)) for i, layer in enumerate(decoder.layers)]
    try:
        model.generate(**inputs, max_new_tokens=tokens, past_key_values=cache, logits_processor=LogitsProcessorList([slow]))
    finally:
        for handle in handles:
            handle.remove()
        if not handles:
            decoder.set_attn_implementation(found)
    return torch.stack(slow.logits), torch.tensor(slow.rates)


def smoothed(name: str, options, batch: int = 1, tokens: int = 8, attn: str = "sdpa", dtype: torch.dtype = torch.float32, **generation):
    """The implementation's generation; gives (logits, run, sequences)."""
    model, inputs = built(name, attn, batch, dtype)
    with options(model) as run:
        out = model.generate(**inputs, max_new_tokens=tokens, return_dict_in_generate=True, output_logits=True, **generation)
    return torch.stack(out.logits), run, out.sequences


@cache
def moved(name: str, attn: str = "sdpa"):
    """What `smoothed` gives of the shared method on a padded batch of two, once for all tests that look at it."""
    return smoothed(name, METHOD, 2, TOKENS, attn=attn)
