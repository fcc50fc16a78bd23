"""What every method is: frozen options that are a context manager over a model, and say where each default is from."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, fields
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import torch

from kvsmooth.baselines.errors import speaking_for
from kvsmooth.baselines.following import Following
from kvsmooth.baselines.receipts import Receipts
from kvsmooth.baselines.site import Site
from kvsmooth.block import Block
from kvsmooth.decoding.attention import decoder_of
from kvsmooth.decoding.refusals import refuse_training
from kvsmooth.description import described
from kvsmooth.errors import Unsupported
from kvsmooth.integers import whole


@dataclass(frozen=True)
class Method(ABC):
    """Options of a method; called with a model they give a `with` block that yields its receipts and restores the model when it ends.

    Attributes
    ----------
    name : the method's, in `METHODS`
    cost : what a token costs beside the model's own pass, in words
    sources : by option, where its default is from; "untuned" where no source gives one for models at hand
    texts : options that a command line hands on as they stand, such as files
    generation : what `generate` must be asked for beside, as commands ask for it
    """

    name: ClassVar[str]
    cost: ClassVar[str]
    sources: ClassVar[Mapping[str, str]]
    texts: ClassVar[tuple[str, ...]] = ()
    generation: ClassVar[Mapping[str, Any]] = {}

    def __call__(self, model: torch.nn.Module) -> AbstractContextManager[Receipts]:
        """A `with` block in which `model` decodes with this method.

        Raises
        ------
        Unsupported : for a model, cache or kind of decoding that the method cannot serve
        NothingChanged : on a clean exit, when the model decoded and the method touched nothing
        """
        return Block(partial(self._applied, model))

    @contextmanager
    def _applied(self, model: torch.nn.Module) -> Iterator[Receipts]:
        with speaking_for(self.name):
            decoder = decoder_of(model)
            refuse_training(model)
        receipts = Receipts(self.describe())
        following = Following(self.name, self.refuse, model, decoder, receipts)
        site = Site(self.name, model, decoder, following)
        try:
            with ExitStack() as stack:
                for part in self.parts(site):
                    stack.enter_context(part)
                stack.enter_context(following)
                yield receipts
            receipts.check(self.name, following.decoded)
        finally:
            receipts.close()

    @property
    @abstractmethod
    def neutral(self) -> bool:
        """Whether these options change nothing."""

    @abstractmethod
    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """What is to be entered, at this model, for the time of the block."""

    def refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:  # noqa: B027  most methods refuse nothing more
        """Refuse a call of `generate` that this method cannot serve, before anything runs."""

    def describe(self) -> dict[str, Any]:
        """The options as JSON-able data, for provenance."""
        return {"method": self.name, **{each.name: described(getattr(self, each.name)) for each in fields(self)}}

    def check_number(self, option: str, least: float | int | None = None, most: float | int | None = None) -> None:
        """Refuse an option that is no finite number, or lies outside of [least, most]."""
        value = getattr(self, option)
        right = isinstance(value, Real) and not isinstance(value, bool) and abs(float(value)) < float("inf")
        if not right or (least is not None and value < least) or (most is not None and value > most):
            law = [f"at least {least}" if least is not None else "", f"at most {most}" if most is not None else ""]
            raise ValueError(f"{type(self).__name__}.{option} must be a number{_joined(law)}; got {value!r}.")

    def check_whole(self, option: str, least: int) -> None:
        """Refuse an option that is no integer, or below `least`."""
        value = getattr(self, option)
        if not whole(value) or value < least:
            raise ValueError(f"{type(self).__name__}.{option} must be an integer, at least {least}; got {value!r}.")

    def check_choice(self, option: str, choices: Iterable[str]) -> None:
        """Refuse an option that is none of these."""
        value, allowed = getattr(self, option), tuple(choices)
        if value not in allowed:
            raise ValueError(f"{type(self).__name__}.{option} must be one of {allowed}; got {value!r}.")

    def check_flag(self, option: str) -> None:
        """Refuse an option that is neither True nor False."""
        if not isinstance(getattr(self, option), bool):
            raise ValueError(f"{type(self).__name__}.{option} must be True or False; got {getattr(self, option)!r}.")

    def freeze_integers(self, option: str = "layers") -> None:
        """Keep an option of layers, or of other numbers from 0, as a sorted tuple; None stays.

        Raises
        ------
        ValueError : none at all, a number twice, or something else than numbers from 0
        """
        value = getattr(self, option)
        if value is None:
            return
        numbers = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
        if not numbers or not all(map(whole, numbers)) or len(set(numbers)) < len(numbers) or min(numbers) < 0:
            raise ValueError(f"{type(self).__name__}.{option} must be None or distinct numbers from 0; got {value!r}.")
        object.__setattr__(self, option, tuple(sorted(numbers)))


def of_depth(layers: Iterable[int] | None, default: Iterable[int], n_layers: int, option: str) -> tuple[int, ...]:
    """The layers that an option names, else these.

    Raises
    ------
    Unsupported : one that a decoder of `n_layers` does not have, or none
    """
    chosen = tuple(default) if layers is None else tuple(layers)
    if not chosen:
        raise Unsupported(f"{option}=None is no layer at all of a decoder of {n_layers}; pass {option.rpartition('.')[2]}.")
    if max(chosen) >= n_layers:
        raise Unsupported(f"{option} must lie below {n_layers}, the layers of this decoder; got {max(chosen)}.")
    return chosen


def scaled(first: int, stop: int, n_layers: int, of: int = 32) -> range:
    """A band of a decoder of `of` layers, at the same relative depth of one with `n_layers`; at least one layer."""
    low = min(round(first * n_layers / of), n_layers - 1)
    return range(low, max(low + 1, min(n_layers, round(stop * n_layers / of))))


def _joined(laws: list[str]) -> str:
    told = " and ".join(filter(None, laws))
    return f", {told}" if told else ""
