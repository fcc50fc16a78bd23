"""Teacher-forced interventions on attention rows: the same text, decoded step by step, with the rows of another run in place of its own.

Steps are decoded one by one, so that a method acts as it does when it generates. Rows are those of the newest token; the prompt's are
never touched. The intervention is on the output of attention before its projection: probabilities that are put in, times the running
arm's own values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessorList

from kvsmooth.errors import Unsupported
from kvsmooth.spans import IMAGE, token_groups
from probes.command.cli import BadInput
from probes.regimes import refuse
from probes.sequence import tracing_of
from probes.tracing.attended import opened
from probes.tracing.collector import StepCollector
from probes.tracing.rows import RecordedRows, Substitution
from probes.tracing.steps import GenerationSetting, Step
from probes.tracing.tokens import Forcing, TokenRecord, end_tokens, until_end


class NothingPatched(RuntimeError):
    """An intervention was asked for and no attention output was changed."""


@dataclass(frozen=True)
class Replay:
    """What a replay left behind.

    Attributes
    ----------
    log_probabilities : of the next token, before it is forced, float32; tokens as asked for, the whole vocabulary if they were not
    n_steps : steps of each row, its end token's included; what follows them is padding
    rows : as attended with, where they were to be kept; under a patch, the rows that the running arm would have used itself
    run : of the method, None for the baseline
    patched : calls of attention whose output was replaced, by layer
    """

    log_probabilities: Float[Tensor, "step row token"]
    n_steps: Int[Tensor, " row"]
    rows: RecordedRows | None = None
    run: Any = None
    patched: Mapping[int, int] = field(default_factory=dict)


def patched(
    model: Any,
    inputs: Mapping[str, Any],
    captions: Sequence[Sequence[int]],
    arm: Any | None = None,
    *,
    rows: RecordedRows | None = None,
    visual_mass: RecordedRows | None = None,
    layers: Sequence[int] | None = None,
    keep_rows: bool = False,
    tokens: Sequence[int] | None = None,
) -> Replay:
    """Log-probabilities while `captions` are forced upon an arm, with its attention rows left alone, replaced, or clamped.

    Parameters
    ----------
    model : a subject, its `Tracing`, or a model
    inputs : of `generate`, left-padded
    captions : tokens that each row is made to predict, up to its first end token
    arm : None, or a method such as `KVSmooth()`
    rows : put these in the place of the arm's own; recorded on the same inputs and captions
    visual_mass : rescale each head's own row so that the image's keys together receive what they receive in these rows
    layers : where; all decoder layers if None
    keep_rows : return the rows
    tokens : keep log-probabilities of these tokens only, in this order; normalised over the whole vocabulary in any case

    Raises
    ------
    NothingPatched : rows or visual_mass were given, and no call was changed
    Unsupported : the method smooths attention outputs, which a patch would undo; the model cannot be read; or rows under this arm are not
        known
    BadInput : captions and inputs, or rows and captions, do not belong together
    """
    tracing = tracing_of(model)
    refuse(tracing.speaker, {})
    if rows is not None and visual_mass is not None:
        raise BadInput("patched takes rows or visual_mass, not both: replaced rows have the mass that they have.")
    wants_patch = rows is not None or visual_mass is not None
    if wants_patch and getattr(arm, "output", False):
        raise Unsupported("patched replaces the attention output that output=True smooths; use an arm that smooths keys or values.")
    ends = end_tokens(tracing.speaker)
    captions = [until_end(caption, ends) for caption in captions]
    if len(captions) != len(inputs["input_ids"]) or not all(captions):
        raise BadInput(f"patched.captions must hold one caption of a token or more for each of {len(inputs['input_ids'])} rows.")
    longest = max(map(len, captions))
    groups = token_groups(tracing.model, inputs["input_ids"], inputs.get("attention_mask"))
    chosen = tuple(tracing.layers if layers is None else layers)
    if not chosen or not set(chosen) <= set(tracing.layers):
        raise BadInput(f"patched.layers must be one or more of the decoder's {len(tracing.layers)} layers; got {chosen}.")
    patch = Substitution(rows, visual_mass, groups == IMAGE, dict.fromkeys(chosen, 0)) if wants_patch else None
    heard, said = TokenRecord(), _Distributions(tokens)
    keeping = [_KeptRows()] if keep_rows else []
    setting = GenerationSetting(groups, tracing.layers, longest)
    forcing = LogitsProcessorList([Forcing(captions, longest, ends[0] if ends else 0)])
    with opened(tracing.model, arm, rows=keep_rows or visual_mass is not None) as block:
        collector = StepCollector(setting, [said, heard, *keeping], recompute=block.late)
        options = {"max_new_tokens": longest, "do_sample": False, "logits_processor": forcing}
        tracing.generate(dict(inputs), collector, patch, block.attended, **options)
    if any(row[: len(caption)].tolist() != caption for row, caption in zip(heard.tokens, captions, strict=True)):
        raise RuntimeError("the model did not say the captions that were forced: a stopping criterion ended them early.")
    if patch is not None and not all(patch.counts.values()):
        raise NothingPatched(f"patched: no attention output of layers {sorted(n for n, c in patch.counts.items() if not c)} was replaced.")
    return Replay(
        log_probabilities=torch.stack(said.kept),
        n_steps=torch.tensor([len(caption) for caption in captions]),
        rows=RecordedRows(tuple(keeping[0].kept)) if keep_rows else None,
        run=block.run,
        patched={} if patch is None else patch.counts,
    )


class _Distributions:
    """Keeps the distribution of every step, or a part of it."""

    needs = frozenset({"logits"})

    def __init__(self, tokens: Sequence[int] | None):
        self.tokens = None if tokens is None else torch.as_tensor(list(tokens))
        self.kept: list[Tensor] = []

    def step(self, step: Step) -> None:
        """Normalised over the whole vocabulary."""
        distribution = step.logits.float().log_softmax(-1)
        self.kept.append(distribution.cpu() if self.tokens is None else distribution[:, self.tokens.to(distribution.device)].cpu())

    def prompt(self, layer: int, hidden: Tensor, first: int) -> None:
        """Only the logits matter here."""

    def predicted(self, tokens: Int[Tensor, " row"]) -> None:
        """They are forced."""


class _KeptRows:
    """Keeps the newest attention row of every layer and step."""

    needs = frozenset({"row"})

    def __init__(self):
        self.kept: list[tuple[Tensor, ...]] = []

    def step(self, step: Step) -> None:
        """Rows come in sets of layers that see the same keys; they are kept by layer."""
        by_layer = {layer: rows.probabilities[i] for rows in step.rows for i, layer in enumerate(rows.layers)}
        self.kept.append(tuple(by_layer[layer] for layer in sorted(by_layer)))

    def prompt(self, layer: int, hidden: Tensor, first: int) -> None:
        """Only the rows matter here."""

    def predicted(self, tokens: Int[Tensor, " row"]) -> None:
        """They are forced."""
