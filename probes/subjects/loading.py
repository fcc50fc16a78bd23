"""How a subject is loaded: from the bundle, a folder or the hub, at one revision, onto one device or several."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import torch

from kvsmooth.loading.weights import LOADING
from probes.command.cli import BadInput, first_sentence
from probes.subjects.bundled import BUNDLED, DEFAULT, bundled
from probes.subjects.configuration import configuration_of, refuse_adapter
from probes.subjects.generation import settle_generation
from probes.subjects.processor import load_processor
from probes.subjects.subject import Subject
from probes.subjects.weights import check_complete, check_finite

DTYPES = ("float32", "bfloat16", "float16")
# kinds of files that `from_pretrained` reads
READ = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")


def load_subject(name: str = DEFAULT, device: str = "cpu", dtype: str = "float32") -> Subject:
    """Load a bundled subject ("emoji", "smollm2", "smollm2@early"), a folder that `save_pretrained` wrote, or a model of the hub.

    Parameters
    ----------
    name : a hub id may name a branch, tag or commit behind an @, such as "owner/model@1a2b3c4"
    device : "cpu", "cuda", "cuda:<n>", or "auto": over all devices, as the package accelerate spreads it
    dtype : "float32", "bfloat16" or "float16"

    Raises
    ------
    BadInput : one line that says what is wrong and what to do
    """
    check_placement(device, dtype)
    own = bundled(name)
    if own is not None and own.load is not None:
        if device == "auto":
            raise BadInput(f"subject {name}: it is put together on one device; name it instead of auto.")
        model, processor = own.load(name)
        check_finite(name, model)
        return Subject(name, model.to(device, getattr(torch, dtype)).eval(), processor, revision_of(name))
    folder, source, pinned = locate(name)
    config = config_of(name)
    from transformers import AutoModelForImageTextToText

    placed = {"device_map": "auto"} if device == "auto" else {}
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            source, config=config, dtype=getattr(torch, dtype), **LOADING, **pinned, **placed
        )
        model, info = loaded
    except Exception as error:  # torn weights, unknown names, missing extras: each library has errors of its own
        raise BadInput(f"subject {name}: {why(error, folder)}") from error
    check_complete(name, model, info)
    check_finite(name, model)
    processor = processor_of(name, config)
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "image_processor"):
        raise BadInput(
            f"subject {name}: there is no processor for images and text beside the model ({type(processor).__name__} was found)."
        )
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    settle_generation(name, model, processor.tokenizer)
    return Subject(name, (model if placed else model.to(device)).eval(), processor, revision_of(name))


def config_of(name: str) -> Any:
    """A subject's configuration; no weights are loaded.

    Raises
    ------
    BadInput : there is no such subject, or none that can be one
    """
    folder, source, pinned = locate(name)
    try:
        return configuration_of(name, source, **pinned)
    except BadInput:
        raise
    except Exception as error:  # unknown names, no network: each library has errors of its own
        raise BadInput(f"subject {name}: {why(error, folder)}") from error


def processor_of(name: str, config: Any) -> Any:
    """The processor beside a subject's weights.

    Parameters
    ----------
    config : of the model

    Raises
    ------
    BadInput : there is none, or it cannot be loaded
    """
    own = bundled(name)
    if own is not None and own.processor is not None:
        return own.processor()
    _, source, pinned = locate(name)
    try:
        return load_processor(name, source, config, **pinned)
    except ImportError as error:
        raise BadInput(f"subject {name}: its processor needs a package that is not installed ({first_sentence(error)}).") from error
    except Exception as error:  # each library has errors of its own
        raise BadInput(f"subject {name}: its processor cannot be loaded ({first_sentence(error)}); save one beside the model.") from error


def revision_of(name: str) -> str:
    """A hash of the files on disk that loading reads, or the hub's commit; no weights are loaded.

    Raises
    ------
    BadInput : there is no such subject
    """
    own = bundled(name)
    if own is not None and own.revision is not None:
        return own.revision(name)
    folder, source, pinned = locate(name)
    if folder is not None:
        return _files_hash(folder)
    config_of(name)  # so that the commit is known before the first load too
    return _commit(source, **pinned)


def locate(name: str) -> tuple[Path | None, str, dict[str, str]]:
    """Where a subject's weights lie.

    Returns
    -------
    folder : on disk; None for a model of the hub
    source : what `from_pretrained` is given
    pinned : its option `revision`, where the name has one

    Raises
    ------
    BadInput : there is no such folder, or no model in it
    """
    folder = _folder(name)
    if folder is not None:
        return folder, str(folder), {}
    source, _, revision = name.partition("@")
    if "@" in name and not (source and revision):
        raise BadInput(f"subject {name}: a revision is written behind the name, as owner/model@revision.")
    return None, source, {"revision": revision} if revision else {}


def check_placement(device: str, dtype: str) -> None:
    """Refuse what this machine or torch does not have.

    Raises
    ------
    BadInput : an unknown device or dtype, one that is not there, or "auto" without accelerate
    """
    if dtype not in DTYPES:
        raise BadInput(f"dtype must be one of {', '.join(DTYPES)}; got {dtype}.")
    kind, _, number = device.partition(":")
    if device != "auto" and (kind not in ("cpu", "cuda") or (number and not number.isdigit())):
        raise BadInput(f"device must be cpu, cuda, cuda:<n> or auto; got {device}.")
    if device == "auto" and importlib.util.find_spec("accelerate") is None:
        raise BadInput("device auto spreads a model over devices with the package accelerate, which is not installed; name one device.")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) >= count:
            raise BadInput(f"device {device} is asked for, but this machine shows {count} CUDA devices to torch; use cpu.")


def why(error: Exception, folder: Path | None) -> str:
    """What an error of `from_pretrained` means, and what to do."""
    text = first_sentence(error)
    if "Unrecognized configuration class" in str(error) or "model type" in text:
        return "not a model that transformers loads for images and text (AutoModelForImageTextToText); give a vision-language model."
    if isinstance(error, torch.OutOfMemoryError):
        return f"it does not fit ({text}); take a smaller dtype, or device auto to spread it."
    if folder is not None:
        return f"the model in {folder} cannot be loaded ({text}); save it again with save_pretrained."
    known = " nor ".join(BUNDLED)
    return f"neither {known} nor a folder, and the hub does not give it ({text}); check the name, the network and HF_HUB_OFFLINE."


def _folder(name: str) -> Path | None:
    own = bundled(name)
    if own is not None and own.folder is not None:
        folder = own.folder
    else:
        folder = Path(name).expanduser()
        if not folder.exists() and not name.startswith(("/", ".", "~")):
            return None
    if not folder.is_dir():
        others = f"{' or '.join(BUNDLED)}, a folder of a saved model, or a hub id"
        instead = others if own is None else f"{own.name}, or {own.name}@FOLDER, the folder that its training wrote (--out)"
        raise BadInput(f"subject {name}: there is no folder {folder}; give {instead}.")
    if (folder / "adapter_config.json").is_file():
        refuse_adapter(name, folder / "adapter_config.json")
    if not (folder / "config.json").is_file():
        empty = "the folder is empty" if not any(folder.iterdir()) else "the folder has no config.json"
        raise BadInput(f"subject {name}: {empty} ({folder}); save a model and its processor there with save_pretrained.")
    return folder


def _commit(source: str, **pinned: str) -> str:
    """The commit of the hub that was loaded, by where its files lie; a model's configuration does not tell it any more."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source, "config.json", **pinned)
    return Path(found).parent.name if isinstance(found, str) else "unknown"


def _files_hash(folder: Path) -> str:
    """A hash of all that decides an answer: weights, and the settings of model, generation, tokenizer and processor."""
    made = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in READ and path.is_file()):
        with path.open("rb") as file:
            made.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{made.hexdigest()[:16]}"
