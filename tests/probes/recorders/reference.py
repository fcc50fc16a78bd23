"""The slow way to every recorded number: eager attention maps, all hidden states, plain loops."""

import contextlib
import math

import torch
import transformers

from kvsmooth.spans import token_groups
from tests.zoo import decoder_of

GROUPS = ("bos", "system", "image", "prompt", "generated", "self")


@contextlib.contextmanager
def raw_pairs(monkeypatch):
    """The newest key and value of every layer and step, as the model hands them to the cache: {(layer, step): (key, value)}."""
    seen, counts = {}, {}
    update = transformers.DynamicCache.update

    def noting(cache, key, value, layer, *args, **kwargs):
        step = counts.get(layer, 0)
        counts[layer] = step + 1
        seen[layer, step] = (key[:, :, -1].clone(), value[:, :, -1].clone())
        return update(cache, key, value, layer, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(transformers.DynamicCache, "update", noting)
        yield seen


def slow_statistics(model, inputs, arm, tokens, monkeypatch):
    """What the recorders should say: {variable: {(step, layer, row): number or list}}; `model` runs on eager attention."""
    last_layer = []
    hook = (
        decoder_of(model)
        .layers[-1]
        .register_forward_hook(lambda _, __, out: last_layer.append((out if isinstance(out, torch.Tensor) else out[0]).clone()))
    )
    with raw_pairs(monkeypatch) as pairs, contextlib.nullcontext() if arm is None else arm(model) as run:
        out = model.generate(
            **inputs, max_new_tokens=tokens, output_attentions=True, output_hidden_states=True, output_logits=True,
            return_dict_in_generate=True,
        )  # fmt: skip
    hook.remove()
    new = out.sequences[:, -tokens:]
    groups = token_groups(model, inputs["input_ids"], inputs["attention_mask"])
    prompt = groups.shape[1]
    layers, rows = len(out.attentions[0]), len(groups)

    def hidden(step, layer):
        return last_layer[step] if layer == layers - 1 else out.hidden_states[step][layer + 1]

    text = model.config.get_text_config()
    kinds = getattr(text, "layer_types", None) or ["sliding_attention"] * layers
    windows = [text.sliding_window if kind == "sliding_attention" and getattr(text, "sliding_window", None) else 10**9 for kind in kinds]

    found = {}
    for step in range(tokens):
        total = prompt + step
        for layer in range(layers):
            weights = out.attentions[step][layer][:, :, -1]
            for row in range(rows):
                cell = (step, layer, row)
                masses = [dict.fromkeys(GROUPS, 0.0) for _ in weights[row]]
                keys = dict.fromkeys(GROUPS, 0)
                for key in range(weights.shape[-1]):
                    position = total - weights.shape[-1] + key
                    if position == total - 1:
                        group = "self"
                    elif position >= prompt:
                        group = "generated"
                    else:
                        group = None if groups[row, position] < 0 else GROUPS[groups[row, position]]
                    if group is not None and position > total - 1 - windows[layer]:
                        keys[group] += 1
                        for head, row_weights in enumerate(weights[row]):
                            masses[head][group] += row_weights[key].item()
                found.setdefault("mass", {})[cell] = [[mass[group] for group in GROUPS] for mass in masses]
                found.setdefault("group_keys", {})[cell] = [keys[group] for group in GROUPS]
                found.setdefault("n_keys", {})[cell] = sum(keys.values())
                found.setdefault("row_entropy", {})[cell] = [
                    -sum(w * math.log(w) for w in head.double().tolist() if w > 0) for head in weights[row]
                ]
                state = hidden(step, layer)[row, -1].double()
                found.setdefault("norm_hidden", {})[cell] = state.norm().item()
                image = hidden(0, layer)[row][groups[row] == GROUPS.index("image")].double()
                references = {
                    "drift_step": hidden(step - 1, layer)[row, -1].double() if step else None,
                    "drift_image": image.mean(0) if len(image) else None,
                    "drift_prompt": hidden(0, layer)[row, -1].double(),
                }
                for name, reference in references.items():
                    found.setdefault(name, {})[cell] = math.nan if reference is None else _angle(state, reference)
                for name, state in zip(("norm_key", "norm_value"), pairs[layer, step], strict=True):
                    heads = [sum(x * x for x in head.tolist()) for head in state[row]]
                    found.setdefault(name, {})[cell] = math.sqrt(sum(heads) / len(heads))
        for row in range(rows):
            logits = out.logits[step][row].double()
            found.setdefault("log_probability", {})[step, row] = (logits[new[row, step]] - logits.logsumexp(0)).item()
    return found, new, run


def _angle(a, b):
    return math.acos(min(1.0, max(-1.0, (a @ b / a.norm() / b.norm()).item())))
