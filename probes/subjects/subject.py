"""What is probed: a vision-language model with its processor, from the bundle, a folder or the hub."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probes.cli import BadInput, one_line
from probes.objects import ObjectVocabulary, object_vocabulary
from probes.subjects.coco import coco_forms
from probes.subjects.item import PROMPT, Item
from probes.tracing import Tracing

BUNDLED = "emoji"
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Subject:
    """A model that describes images, ready to generate.

    Attributes
    ----------
    name : "emoji", a folder or a hub id
    model : in evaluation mode
    processor : makes its inputs; has a `tokenizer`
    revision : hub commit, or a hash of the weights on disk
    forms : by object, the words that a caption says for it; None: COCO's eighty names, of the bundled subject those that it knows
    """

    name: str
    model: torch.nn.Module
    processor: Any
    revision: str = "unknown"
    forms: Mapping[str, Sequence[str]] | None = None

    @cached_property
    def tracing(self) -> Tracing:
        """The model with the places that are recorded; nnsight stays on the model from the first use on."""
        return Tracing(self.model)

    @cached_property
    def speaker(self) -> torch.nn.Module:
        """The module whose `generate` loop runs and whose settings end it: the model, or its language model if it delegates to that."""
        head = self.model.get_output_embeddings()
        return next((module for module in self.model.modules() if any(child is head for child in module.children())), self.model)

    @cached_property
    def objects(self) -> ObjectVocabulary:
        """The objects that a lens looks for, as the tokenizer says them."""
        return object_vocabulary(self.tokenizer, _forms(self.name) if self.forms is None else self.forms)

    @property
    def tokenizer(self) -> Any:
        """Of the processor."""
        return self.processor.tokenizer

    def items(self, n: int, prompt: str = PROMPT) -> list[Item]:
        """The first `n` unseen scenes of the bundled subject.

        Raises
        ------
        BadInput : another subject has no images of its own
        """
        if self.name != BUNDLED:
            raise BadInput(f"subject {self.name} brings no images: give a folder of images (--image-folder).")
        from probes.subjects.emoji import scenes

        return [Item(scene.image_id, scene.image, prompt) for scene in scenes(n)]

    def encode(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """Inputs of `generate` for a batch, padded on the left, on the model's device.

        Raises
        ------
        BadInput : an image cannot be read, or a prompt comes out without the image's token
        """
        images = [item.pixels() for item in items]
        options = {"padding": True, "padding_side": "left", "return_tensors": "pt"}
        try:
            if getattr(self.processor, "chat_template", None):
                chats = [_chat(image, item.prompt) for image, item in zip(images, items, strict=True)]
                rendering = {"add_generation_prompt": True, "tokenize": True, "return_dict": True, "processor_kwargs": options}
                inputs = self.processor.apply_chat_template(chats, **rendering)
            else:
                inputs = self.processor(images=images, text=[item.prompt for item in items], **options)
        except ValueError as error:
            where = f"items {items[0].image_id} to {items[-1].image_id}"
            raise BadInput(
                f"subject {self.name} does not take {where} ({_first(error)}); every prompt must come out with the image's token: write it "
                "into the prompt, or give the processor a chat template that does."
            ) from error
        self._check_image_tokens(inputs["input_ids"], items)
        return {name: self._placed(value) for name, value in inputs.items() if isinstance(value, Tensor)}

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """The tokenizer's pieces."""
        return [str(piece) for piece in self.tokenizer.convert_ids_to_tokens(list(tokens))]

    def text(self, tokens: Sequence[int]) -> str:
        """The tokens as text, special ones left out."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True).strip()

    def tokens(self, text: str) -> list[int]:
        """A text as tokens, with the model's end token behind it."""
        end = self.tokenizer.eos_token_id
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], *([] if end is None else [end])]

    def _placed(self, value: Tensor) -> Tensor:
        return value.to(self.model.device, self.model.dtype if value.is_floating_point() else None)

    def _check_image_tokens(self, ids: Tensor, items: Sequence[Item]) -> None:
        token = getattr(self.model.config, "image_token_id", None)
        if token is None:
            raise BadInput(
                f"subject {self.name} has no image token in its configuration: it is no vision-language model that can be recorded."
            )
        for item, count in zip(items, (ids == token).sum(1).tolist(), strict=True):
            if not count:
                shown = self.tokenizer.convert_ids_to_tokens(token)
                raise BadInput(
                    f"subject {self.name} does not take item {item.image_id}: its prompt comes out without the image's token; write "
                    f"{shown} into the prompt, or give the processor a chat template that does."
                )


def load_subject(name: str = BUNDLED, device: str = "cpu", dtype: str = "float32") -> Subject:
    """Load "emoji" (bundled), a folder that `save_pretrained` wrote, or a model of the hub.

    Parameters
    ----------
    device : "cpu", "cuda" or "cuda:<n>"
    dtype : "float32", "bfloat16" or "float16"

    Raises
    ------
    BadInput : one line that says what is wrong and what to do
    """
    _check_placement(device, dtype)
    folder = _folder(name)
    from transformers import AutoModelForImageTextToText, AutoProcessor

    source = name if folder is None else str(folder)
    try:
        model = AutoModelForImageTextToText.from_pretrained(source, dtype=getattr(torch, dtype))
    except Exception as error:  # torn weights, unknown names, missing extras: each library has errors of its own
        raise BadInput(f"subject {name}: {_why(error, folder)}") from error
    try:
        processor = AutoProcessor.from_pretrained(source)
    except Exception as error:
        raise BadInput(f"subject {name}: its processor cannot be loaded ({_first(error)}); save one beside the model.") from error
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "image_processor"):
        raise BadInput(
            f"subject {name}: there is no processor for images and text beside the model ({type(processor).__name__} was found)."
        )
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    revision = _weights_hash(folder) if folder is not None else (getattr(model.config, "_commit_hash", None) or "unknown")
    return Subject(name, model.to(device).eval(), processor, revision)


def _forms(name: str) -> dict[str, tuple[str, ...]]:
    if name == BUNDLED:
        from probes.subjects.emoji.vocabulary import object_forms

        return object_forms()
    return coco_forms()


def _chat(image: Any, prompt: str) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}]


def _check_placement(device: str, dtype: str) -> None:
    if dtype not in DTYPES:
        raise BadInput(f"dtype must be one of {', '.join(DTYPES)}; got {dtype}.")
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise BadInput(f"device must be cpu, cuda or cuda:<n>; got {device}.")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) >= count:
            raise BadInput(f"device {device} is asked for, but this machine shows {count} CUDA devices to torch; use cpu.")


def _folder(name: str) -> Path | None:
    """Where the weights lie on disk; None for a model of the hub."""
    if name == BUNDLED:
        from probes.subjects.emoji import WEIGHTS as folder
    else:
        folder = Path(name).expanduser()
        if not folder.exists() and not name.startswith(("/", ".", "~")):
            return None
    if not folder.is_dir():
        raise BadInput(f"subject {name}: there is no folder {folder}; give {BUNDLED}, a folder of a saved model, or a hub id.")
    if not (folder / "config.json").is_file():
        empty = "the folder is empty" if not any(folder.iterdir()) else "the folder has no config.json"
        raise BadInput(f"subject {name}: {empty} ({folder}); save a model and its processor there with save_pretrained.")
    return folder


def _why(error: Exception, folder: Path | None) -> str:
    text = _first(error)
    if "Unrecognized configuration class" in str(error) or "model type" in text:
        return "not a model that transformers loads for images and text (AutoModelForImageTextToText); give a vision-language model."
    if folder is not None:
        return f"the model in {folder} cannot be loaded ({text}); save it again with save_pretrained."
    return f"neither {BUNDLED} nor a folder, and the hub does not give it ({text}); check the name, the network and HF_HUB_OFFLINE."


def _first(error: Exception) -> str:
    """The first sentence of an error, without a full stop."""
    return one_line(ValueError(str(error))).partition(". ")[0].partition("\n")[0].rstrip(".")[:200]


def _weights_hash(folder: Path) -> str:
    made = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        with path.open("rb") as file:
            for part in iter(lambda: file.read(1 << 22), b""):
                made.update(part)
    return f"sha256:{made.hexdigest()[:16]}"
