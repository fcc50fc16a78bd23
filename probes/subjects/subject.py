"""What is probed: a vision-language model with its processor, from the bundle, a folder or the hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from probes.command.cli import BadInput, first_sentence
from probes.command.values import whole
from probes.objects import ObjectVocabulary, object_vocabulary
from probes.subjects.bundled import bundled, own_scenes
from probes.subjects.coco import coco_forms
from probes.subjects.item import PROMPT, Item
from probes.tracing.tracing import Tracing


@dataclass(frozen=True)
class Subject:
    """A model that describes images, ready to generate.

    Attributes
    ----------
    name : of a bundled subject ("emoji", "smollm2"), a folder or a hub id
    model : of transformers, in evaluation mode
    processor : makes its inputs; has a `tokenizer`
    revision : hub commit, or a hash of the model's files on disk
    forms : by object, the words that a caption says for it; None: COCO's eighty names, of a bundled subject those that it knows
    """

    name: str
    model: Any
    processor: Any
    revision: str = "unknown"
    forms: Mapping[str, Sequence[str]] | None = None

    @cached_property
    def tracing(self) -> Tracing:
        """The model with the places that are recorded; nnsight stays on the model from the first use on."""
        return Tracing(self.model)

    @cached_property
    def speaker(self) -> Any:
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
        """The first `n` unseen scenes of a bundled subject.

        Raises
        ------
        BadInput : another subject has no images of its own
        """
        return [Item(scene.image_id, scene.image, prompt) for scene in own_scenes(self.name, whole(n, "Subject.items.n"))]

    def encode(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """Inputs of `generate` for a batch, padded on the left, on the model's device (of a model on several: where it takes them in).

        A processor with a chat template is given the image and then the prompt as one user's turn; one without takes the prompt as it is.

        Raises
        ------
        BadInput : an image cannot be read, the chat template or the processor fails, or a prompt comes out without the image's token
        """
        images = [item.pixels() for item in items]
        options = {"padding": True, "padding_side": "left", "return_tensors": "pt"}
        chats = [_chat(image, item.prompt) for image, item in zip(images, items, strict=True)]
        templated = getattr(self.processor, "chat_template", None)
        try:
            if templated:
                rendering = {"add_generation_prompt": True, "tokenize": True, "return_dict": True, "processor_kwargs": options}
                inputs = self.processor.apply_chat_template(chats, **rendering)
            else:
                inputs = self.processor(images=images, text=[item.prompt for item in items], **options)
        except MemoryError:
            raise
        except Exception as error:  # a template raises what its author likes, and each processor has errors of its own
            if templated:
                self._check_template(chats[0])
            raise BadInput(self._not_taken(items, error)) from error
        if not isinstance(inputs["input_ids"], Tensor):
            # SmolVLM's chats drop the option return_tensors
            inputs = inputs.convert_to_tensors("pt")
        self._check_image_tokens(inputs["input_ids"], items)
        inputs = {name: value for name, value in inputs.items() if isinstance(value, Tensor) and name != "labels"}
        return {name: self._placed(value) for name, value in {**inputs, **self._for_the_querying(items)}.items()}

    def _not_taken(self, items: Sequence[Item], error: Exception) -> str:
        first, last, reason = items[0].image_id, items[-1].image_id, first_sentence(error)
        where = f"item {first}" if len(items) == 1 else f"items {first} to {last}"
        if not isinstance(error, ValueError):
            reason, out = f"{type(error).__name__}: {reason}", "mend the settings of its processor (processor_config.json)."
        elif "token" in reason:
            out = "every prompt must come out with the image's token: write it into the prompt once, or give the processor a chat template "
            out += "that does."
        else:
            out = "leave that image out."
        return f"subject {self.name} does not take {where} ({reason}); {out}"

    def _check_template(self, chat: list[dict]) -> None:
        """Refuse a chat template that cannot put a turn with an image, apart from all that is done with what it puts."""
        try:
            self.processor.apply_chat_template([chat], add_generation_prompt=True, tokenize=False)
        except Exception as error:  # a template raises what its author likes
            raise BadInput(
                f"subject {self.name}: its chat template fails on a turn of an image and a prompt ({type(error).__name__}: "
                f"{first_sentence(error)}); mend chat_template.jinja, or leave it out and write the image's token into the prompt."
            ) from error

    def _for_the_querying(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """The prompts as a Q-Former reads them, where there is one.

        It numbers their positions from the first column whatever its mask says: padded on the left, a prompt would mean something else
        in a batch than it means alone.
        """
        querying = getattr(self.processor, "qformer_tokenizer", None)
        if querying is None:
            return {}
        read = querying([item.prompt for item in items], padding=True, padding_side="right", return_tensors="pt")
        return {f"qformer_{name}": read[name] for name in ("input_ids", "attention_mask")}

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
        dtype: Any = self.model.dtype if value.is_floating_point() else None
        return value.to(self._entrance, dtype)

    @property
    def _entrance(self) -> Any:
        """Where inputs go in; accelerate moves them on from there, and keeps what it has put aside as tensors without content."""
        spread = getattr(self.model, "hf_device_map", None) or {}
        computing = [place for place in spread.values() if place not in ("cpu", "disk")]
        return self.model.device if not spread or self.model.device.type != "meta" else next(iter(computing), "cpu")

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


def _forms(name: str) -> dict[str, tuple[str, ...]]:
    found = bundled(name)
    return coco_forms() if found is None else dict(found.forms())


def _chat(image: Any, prompt: str) -> list[dict]:
    return [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}]
