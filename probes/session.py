"""Recording a list of items: chunk by chunk, arm by arm, resumable."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kvsmooth.decoding.attention import innermost_decoder
from kvsmooth.sinks.channels import RULE
from probes import DEFAULT_BATCH
from probes.chunk import Chunk, given_captions, recorded_captions, spoken_captions
from probes.command.cli import BadInput
from probes.command.memory import give_back
from probes.command.provenance import digest, git_commit, program_name, versions
from probes.command.strict_json import as_json, as_plain
from probes.command.values import check_temperature, whole
from probes.reading import read_recorded
from probes.recorders import DEFAULT_RECORDERS, RECORDERS
from probes.recordings.recording import labelled, merge
from probes.recordings.schema import ATTRIBUTES, RECEIVED_WINDOW, SCHEMA_VERSION, VARIABLES
from probes.recordings.store import RecordingStore, tell_older
from probes.regimes import REGIMES, Trace, record_inputs, refuse
from probes.subjects import Item, Subject
from probes.tracing.attended import opened


def record(
    subject: Subject,
    items: Sequence[Item],
    arms: Mapping[str, Any] | None = None,
    regime: str = "free",
    out: Path | str | None = None,
    captions: Mapping[int, str | Sequence[int]] | None = None,
    batch_size: int = DEFAULT_BATCH,
    max_new_tokens: int = 160,
    recorders: Sequence[str] = DEFAULT_RECORDERS,
    seed: int = 0,
    generate: Mapping[str, Any] | None = None,
    progress: bool = True,
    variables: Sequence[str] | None = None,
) -> xr.Dataset:
    """Record every decoding step of every item in every arm; one labelled dataset in the schema of docs/recording.md.

    Parameters
    ----------
    arms : by name, None (the baseline) or a method such as `KVSmooth()`; the baseline alone if None
    regime : "free" each arm chooses its tokens; "replay" one caption an image is fed to every arm, so that tokens are identical
    out : folder of the recordings; what lies there whole is not redone. None keeps the recordings in memory only
    captions : replay: by image_id, a text or token ids, with its end at most `max_new_tokens` of them; the baseline's own free captions if
        None
    batch_size : items a batch; decides the numbers in the last digits
    max_new_tokens : bound of the steps of a caption
    recorders : names in `probes.recorders.RECORDERS`; all by default
    seed : of sampling, 0 or more
    generate : further options of `model.generate`, greedy without them, such as {"do_sample": True, "temperature": 0.7}; beams
        and a whole `generation_config` are refused
    progress : show a bar, on a terminal only
    variables : names in the schema that the result holds, all if None; of many recordings in `out`, a few are read much faster

    Warns
    -----
    Notice : recordings in `out` were made by another commit of the code, and are reused as they are

    Raises
    ------
    BadInput : an item or option cannot be used, or `out` holds a recording with other settings
    Unsupported : the model, this way of decoding, or an arm cannot be recorded; before anything is, where no pass is needed to tell
    """
    session = Session(
        subject,
        list(items),
        {"baseline": None} if arms is None else dict(arms),
        regime,
        None if out is None else Path(out),
        captions,
        batch_size,
        max_new_tokens,
        tuple(recorders),
        seed,
        dict(generate or {}),
    )
    return merge(session.recordings(progress)) if variables is None else read_recorded(session, variables, progress)


@dataclass(frozen=True)
class Session:
    """One run of recording; `recordings` does it.

    Chunks of `batch_size` items are fixed by the order of the list, so that a resumed run computes the very batches of an
    uninterrupted one. A chunk whose files are all whole is not computed again. Sampling is seeded by chunk.
    """

    subject: Subject
    items: Sequence[Item]
    arms: Mapping[str, Any]
    regime: str = "free"
    out: Path | None = None
    captions: Mapping[int, str | Sequence[int]] | None = None
    batch_size: int = DEFAULT_BATCH
    max_new_tokens: int = 160
    recorders: tuple[str, ...] = DEFAULT_RECORDERS
    seed: int = 0
    generate: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        numbers = [item.image_id for item in self.items]
        for law, holds in {
            "items must hold at least one image": bool(numbers),
            "items must have different image_ids": len(set(numbers)) == len(numbers),
            "arms must name at least one arm, such as {'baseline': None}": bool(self.arms),
            f"regime must be one of {', '.join(REGIMES)}; got {self.regime}": self.regime in REGIMES,
            f"recorders must be among {', '.join(RECORDERS)}; got {', '.join(self.recorders)}": (
                bool(self.recorders) and set(self.recorders) <= RECORDERS.keys()
            ),
            "captions are for the regime replay": self.captions is None or self.regime == "replay",
        }.items():
            if not holds:
                raise BadInput(f"record: {law}.")
        for name, least in {"batch_size": 1, "max_new_tokens": 1, "seed": 0}.items():
            object.__setattr__(self, name, whole(getattr(self, name), f"record.{name}", least))
        if self.generate.get("temperature") is not None:
            check_temperature(self.generate["temperature"], "record.generate['temperature']")
        refuse(self.subject.model, self.generate)
        if self.captions is not None:
            object.__setattr__(self, "captions", given_captions(self.subject, self.captions, numbers, self.max_new_tokens, self.generate))
        for arm in self.arms.values():
            # what it refuses without a pass is refused now, not when the arms before it are recorded
            with opened(self.subject.model, arm, rows=self._reads("row")):
                pass

    def recordings(self, progress: bool = True) -> Iterator[xr.Dataset]:
        """Record what is missing; yield every recording, those that lay there already too.

        Warns
        -----
        Notice : at the end, if some of them were made by another commit of the code

        Raises
        ------
        BadInput : an item cannot be read, or the folder holds the recording of another run
        """
        from tqdm import tqdm

        self.store.open(self.settings, self.options)
        commits: list[str] = []
        with tqdm(total=len(self.items) * len(self.arms), unit="caption", disable=None if progress else True) as bar:
            for start in range(0, len(self.items), self.batch_size):
                chunk = Chunk(self.subject, self.items, start, self.batch_size)
                captions = cache(partial(self.replayed, chunk))
                for arm in self.arms:
                    recordings = self._record(chunk, arm, captions)
                    give_back()
                    commits += [recording.attrs["git_commit"] for recording in recordings]
                    yield from recordings
                    bar.update(len(chunk.items))
        tell_older(commits, git_commit(), self.store.folder)

    @cached_property
    def store(self) -> RecordingStore:
        """Where the recordings of this regime lie."""
        return RecordingStore(None if self.out is None else Path(self.out) / self.regime)

    @cached_property
    def options(self) -> dict[str, Any]:
        """Each arm's own options; None for the baseline."""
        return {name: None if arm is None else as_plain(arm) for name, arm in self.arms.items()}

    @property
    def decoding(self) -> dict[str, Any]:
        """Options of `generate`: greedy unless sampling is asked for, whatever the model's own configuration says."""
        return {"do_sample": False, **self.generate}

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What every file of this regime has in common, and what a resumed run must repeat."""
        model = self.subject.model
        return {
            "schema_version": SCHEMA_VERSION,
            "subject": self.subject.name,
            "model_revision": self.subject.revision,
            "dtype": str(model.dtype).removeprefix("torch."),
            "attention_implementation": innermost_decoder(model).config._attn_implementation,
            "device": model.device.type,
            "regime": self.regime,
            "captions": None if self.captions is None else digest([as_json(self.captions)]),
            "batch_size": self.batch_size,
            "max_new_tokens": self.max_new_tokens,
            "recorders": list(self.recorders),
            "objects": self.subject.objects.revision if self.looks_for_objects else None,
            "seed": self.seed,
            "generate": as_plain(self.decoding),
        }

    @property
    def looks_for_objects(self) -> bool:
        """Whether a recorder asks for the subject's objects."""
        return self._reads("objects")

    @cached_property
    def sink_channels(self) -> tuple[tuple[int, ...], ...]:
        """By layer, what masked drift leaves out: found on the first chunk's prompts by the first run into a folder, then kept."""
        if "drift" not in self.recorders:
            return ()
        earlier = self.store.settings()
        if earlier is not None:
            return tuple(tuple(channels) for channels in earlier["sink_channels"])
        first = Chunk(self.subject, self.items, 0, self.batch_size)
        return record_inputs(self.subject.tracing, first.inputs, recorders=("drift",), max_new_tokens=1).sink_channels

    def replayed(self, chunk: Chunk) -> list[list[int]]:
        """The captions that a replay feeds to every arm: given ones, those of a free recording beside this one, or the model's own."""
        if self.captions is not None:
            given: list[Any] = [self.captions[item.image_id] for item in chunk.items]
            return [self.subject.tokens(caption) if isinstance(caption, str) else caption for caption in given]
        free = RecordingStore(None if self.out is None else Path(self.out) / "free")
        baseline = next((name for name, arm in self.arms.items() if arm is None), None)
        decisive = {name: self.settings[name] for name in self.settings.keys() - {"regime", "captions", "recorders", "objects"}}
        recorded = recorded_captions(free, baseline, chunk, decisive)
        return recorded or spoken_captions(self.subject, chunk, self.seed, max_new_tokens=self.max_new_tokens, **self.decoding)

    def _reads(self, what: str) -> bool:
        return any(what in RECORDERS[name].needs for name in self.recorders)

    def _record(self, chunk: Chunk, arm: str, captions: Callable[[], list[list[int]]]) -> list[xr.Dataset]:
        found = [self.store.find(arm, item.image_id, made) for item, made in zip(chunk.items, chunk.hashes, strict=True)]
        if all(recording is not None for recording in found):
            return found
        self.store.settle({**self.settings, "sink_channels": self.sink_channels}, self.options)
        with chunk.seeded(self.seed):
            trace = record_inputs(
                self.subject.tracing,
                chunk.inputs,
                self.arms[arm],
                captions=captions() if self.regime == "replay" else None,
                recorders=self.recorders,
                max_new_tokens=self.max_new_tokens,
                sink_channels=self.sink_channels,
                objects=self.subject.objects if self.looks_for_objects else None,
                **self.decoding,
            )
        for row, item in enumerate(chunk.items):
            if found[row] is None:
                found[row] = self._labelled(trace, row, arm, item, chunk.hashes[row])
                self.store.add(arm, item.image_id, found[row])
        return found

    def _labelled(self, trace: Trace, row: int, arm: str, item: Item, data_hash: str) -> xr.Dataset:
        n = int(trace.n_steps[row])
        predicted = trace.tokens[row, :n].tolist()
        fed = [int(trace.fed[row]), *predicted[:-1]]
        by_layer = {name: "layer" in VARIABLES[name].dims for name in trace.values}
        values = {name: (value[:n, :, row] if by_layer[name] else value[:n, row]).numpy() for name, value in trace.values.items()}
        values |= {
            "token_fed": np.array(fed),
            "token_predicted": np.array(predicted),
            "piece_fed": np.array(self.subject.pieces(fed), dtype=object),
            "piece_predicted": np.array(self.subject.pieces(predicted), dtype=object),
            "position_fed": int(trace.prompt_lengths[row]) - 1 + np.arange(n),
            "n_steps": np.array(n),
            "caption": np.array(self.subject.text(predicted), dtype=object),
            "file_name": np.array(item.file, dtype=object),
        }
        channels = {str(layer): list(found) for layer, found in zip(trace.layers, self.sink_channels, strict=False) if found}
        attributes = {
            **{name: self.settings[name] for name in ATTRIBUTES.keys() & self.settings.keys()},
            "model_id": self.subject.name,
            "git_commit": git_commit(),
            "versions": as_json(versions()),
            "config": as_json({**self.settings, "arms": {arm: self.options[arm]}}),
            "data_hash": data_hash,
            "objects": as_json(self.subject.objects.describe()) if self.looks_for_objects else "",
            "received_window": RECEIVED_WINDOW,
            "sink_channels": as_json({"rule": RULE, "layers": channels}),
            "created_by": program_name(),
        }
        objects = self.subject.objects.names if self.looks_for_objects else ()
        return labelled(values, arm, item.image_id, trace.layers, attributes, objects)
