"""What the method can do with a model, tried with a few decoding steps."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from kvsmooth import KVSmooth
from kvsmooth.decoding.attention import decoder_of
from kvsmooth.doctor.finding import Finding, first_line, tried
from kvsmooth.errors import Unsupported
from kvsmooth.loading.configuration import with_readable_attention
from kvsmooth.loading.weights import LOADING, incomplete, not_finite, unused

PROMPT, STEPS = 12, 6
FURTHER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "exact=False": ({"exact": False}, {}),
    'rope="before"': ({"rope": "before"}, {}),
    'timing="recompute"': ({"timing": "recompute"}, {}),
    'heads="per_head"': ({"heads": "per_head"}, {}),
    "static cache": ({}, {"cache_implementation": "static", "disable_compile": True}),
    "beam search": ({}, {"num_beams": 2}),
}
"""What a model may lack: options of the method, and of `generate`."""


class Unloadable(ValueError):
    """A model that cannot be loaded; the message is one line."""


@dataclass(frozen=True)
class Patient:
    """A model to be tried, and what it is given to go on from.

    Attributes
    ----------
    inputs : of `generate`
    given : the same in words
    further : what another room tries on it
    """

    model: Any
    inputs: Mapping[str, Tensor]
    given: str
    further: Callable[[], Iterator[Finding]]

    @property
    def layers(self) -> int:
        """Of its decoder."""
        return len(decoder_of(self.model).layers)

    def method(self, **options: Any) -> KVSmooth:
        """The method with these options, over all layers where the default band is empty."""
        return KVSmooth(layers=None if self.layers > 4 else range(self.layers), **options)

    @torch.no_grad()
    def decode(self, **asked: Any) -> Any:
        """A few greedy steps."""
        length = {"do_sample": False, "max_new_tokens": STEPS + 1, "min_new_tokens": STEPS + 1}
        kept = {"return_dict_in_generate": True, "output_logits": True}
        return self.model.generate(**self.inputs, **{**length, **kept, **asked})


def device_and_dtype() -> tuple[str, str]:
    """Where the doctor tries a model, and in which precision."""
    return ("cuda", "bfloat16") if torch.cuda.is_available() else ("cpu", "float32")


def text_model(name: str) -> Patient:
    """A language model of the hub or a folder, to go on from a few of its ordinary tokens.

    Raises
    ------
    Unloadable : with the first line of what transformers says, or weights that are missing, of another shape, or no numbers

    Warns
    -----
    UserWarning : it runs otherwise than its files say
    """
    folder = Path(name).expanduser()
    source, _, revision = (str(folder), "", "") if folder.is_dir() else name.partition("@")
    device, dtype = device_and_dtype()
    pinned = {"revision": revision} if revision else {}
    loader: Any = transformers.AutoModelForCausalLM
    try:
        config = transformers.AutoConfig.from_pretrained(source, **pinned)
        notes = [with_readable_attention(config)]
        model, told = loader.from_pretrained(source, config=config, dtype=getattr(torch, dtype), **LOADING, **pinned)
    except Exception as error:  # missing files, unknown kinds, no network: each library has errors of its own
        raise Unloadable(f"{name} cannot be loaded: {first_line(error)}") from error
    if fault := incomplete(model, told) or not_finite(model):
        raise Unloadable(f"{name} cannot be used: {fault}")
    for note in filter(None, (*notes, unused(model, told))):
        warnings.warn(f"subject {name}: {note}", stacklevel=2)
    model = model.to(device).eval()
    text = model.config.get_text_config()
    special = {getattr(config, key, None) for config in (text, model.config) for key in vars(config) if key.endswith("token_id")}
    ordinary = [token for token in range(min(text.vocab_size, 200)) if token not in special][-PROMPT:]
    ids = torch.tensor([ordinary], device=model.device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return Patient(model, inputs, f"{len(ordinary)} of its tokens", lambda: iter([Finding("recording", "it takes no images", "no")]))


def examined(patient: Patient) -> Iterator[Finding]:
    """What the method sees of the model, and each way of using it, one after the other."""
    model = patient.model
    size, dtype = sum(each.numel() for each in model.parameters()), str(model.dtype).removeprefix("torch.")
    yield Finding("model", f"{type(model).__name__}, {size / 1e6:.1f}M parameters, {dtype}")
    decoder = tried("decoder", partial(_decoder, patient))
    yield decoder
    if decoder.state != "ok":
        return
    yield tried("rates of zero", partial(_neutral, patient))
    yield tried("smoothing", partial(_smoothed, patient))
    for what, (options, asked) in FURTHER.items():
        yield tried(what, partial(_rates, patient, options, asked), essential=False)
    yield from patient.further()


def _decoder(patient: Patient) -> str:
    decoder, layers = decoder_of(patient.model), patient.layers
    band = f"layers 3 to {layers - 2} are smoothed" if layers > 4 else "too few for the default band: pass layers=range(...)"
    return f"{type(decoder).__name__}, {layers} layers, attention {decoder.config._attn_implementation}; {band}"


def _neutral(patient: Patient) -> str:
    plain = patient.decode()
    with patient.method(lambda_ref=0.0, margin=0.0)(patient.model):
        neutral = patient.decode()
    if not torch.equal(torch.stack(plain.logits), torch.stack(neutral.logits)):
        raise Unsupported("change its logits: what is computed in the block is not what the model computes.")
    return f"leave the logits of {STEPS + 1} tokens as they are, to the bit"


def _smoothed(patient: Patient) -> str:
    plain, method = patient.decode(), patient.method()
    with method(patient.model) as run:
        smoothed = patient.decode()
    report, band = run.report(), method.band(patient.layers)
    before, after = (torch.stack([_first_decoded(found, layer) for layer in band]) for found in (plain, smoothed))
    if not report["change_key_mean"] or torch.equal(before, after):
        raise Unsupported("leaves the cached keys as they are.")
    return f"{report['steps']} steps, mean rate {report['lambda_mean']:.2f}, cached keys change by {report['change_key_mean']:.2f}"


def _first_decoded(found: Any, layer: int) -> Tensor:
    """Keys of the first token that was fed in a step of its own: the same token with and without smoothing."""
    keys: Tensor = found.past_key_values.layers[layer].keys
    return keys[:, :, -STEPS].cpu()


def _rates(patient: Patient, options: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    with patient.method(**options)(patient.model) as run:
        patient.decode(**asked)
    return f"works, mean rate {run.report()['lambda_mean']:.2f}"
