"""Reads a model's configuration before its weights, and refuses models that cannot be subjects."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kvsmooth.loading.configuration import with_readable_attention
from probes.command.cli import BadInput, Notice

ORIGINAL = ("LlavaLlama", "LlavaMistral", "LlavaMpt", "LlavaQwen")
"""How architectures of LLaVA's own code begin; in transformers none does."""


def configuration_of(name: str, source: str, **pinned: Any) -> Any:
    """The configuration of a model, with an attention implementation that can be followed.

    Parameters
    ----------
    name : of the subject
    source : what `from_pretrained` is given
    pinned : its option `revision`

    Warns
    -----
    Notice : it asks for another attention implementation than sdpa or eager

    Raises
    ------
    BadInput : it is an adapter's, one of the original LLaVA code, of a model with code of its own, or of one without layers
    Exception : what transformers raises where there is none, or one that it does not know
    """
    from transformers import AutoConfig, PreTrainedConfig
    from transformers.utils import find_adapter_config_file

    adapter = find_adapter_config_file(source, **pinned)
    if adapter is not None:
        refuse_adapter(name, Path(adapter))
    written, _ = PreTrainedConfig.get_config_dict(source, **pinned)
    refuse_foreign(name, written)
    config = AutoConfig.from_pretrained(source, trust_remote_code=False, **pinned)
    _check_generation(name, Path(source) / "generation_config.json")
    _check_layers(name, config.to_dict())
    if line := with_readable_attention(config):
        warnings.warn(f"subject {name}: {line}", Notice, stacklevel=3)
    return config


def refuse_adapter(name: str, file: Path) -> None:
    """Refuse an adapter in the place of a model.

    Parameters
    ----------
    file : adapter_config.json

    Raises
    ------
    BadInput : always
    """
    try:
        base = json.loads(file.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError):  # damaged, or no mapping
        base = None
    raise BadInput(
        f"subject {name}: is an adapter (LoRA) of {base or 'another model'}, not a whole model ({file.name}); merge it into that with "
        "peft's merge_and_unload(), save model and processor with save_pretrained, and give that folder."
    )


def refuse_foreign(name: str, written: Mapping[str, Any]) -> None:
    """Refuse checkpoints that transformers has no code for, or whose configuration means something else to it.

    Parameters
    ----------
    written : config.json

    Raises
    ------
    BadInput : it is one of the original LLaVA code, or of code of its own
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    architecture = next(iter(written.get("architectures") or ()), "") or ""
    if architecture.startswith(ORIGINAL) or "mm_vision_tower" in written or "mm_projector_type" in written:
        raise BadInput(
            f"subject {name}: is a checkpoint of the original LLaVA code ({architecture or 'mm_vision_tower in config.json'}), which "
            "transformers reads otherwise; take the converted one (its name ends in -hf), or convert it with transformers' "
            "convert_llava_weights_to_hf.py."
        )
    kind = written.get("model_type")
    if "auto_map" in written and kind not in CONFIG_MAPPING_NAMES:
        raise BadInput(
            f"subject {name}: {architecture or kind} runs on code of its own (auto_map in config.json), and only models that transformers "
            "brings are loaded; look for a converted checkpoint, often named with -hf."
        )


def _check_generation(name: str, file: Path) -> None:
    """Refuse a file that transformers would pass over without a word, its end tokens too."""
    try:
        fine = not file.is_file() or isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
    except ValueError:
        fine = False
    if not fine:
        raise BadInput(f"subject {name}: {file} is damaged; restore it, or remove it if the model is to run without settings of its own.")


def _check_layers(name: str, values: Mapping[Any, Any], where: str = "") -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _check_layers(name, value, f"{where}{key}.")
        elif key == "num_hidden_layers" and isinstance(value, int) and value < 1:
            raise BadInput(f"subject {name}: config.json says {where}{key} {value}, and a model needs one or more; restore the number.")
