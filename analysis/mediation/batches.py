"""Runs one batch of images under every counterfactual; finished batches are kept in files until all are done."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from analysis.mediation.config import MediationConfig
from analysis.mediation.counterfactuals import worlds
from analysis.mediation.names import ARMS, WORLDS
from analysis.mediation.outcomes import OUTCOMES, means, outcomes
from analysis.mediation.slots import object_tokens, sentence_ends, slots
from analysis.question.images import Shown, shown
from analysis.question.question import compressed
from kvsmooth import KVSmooth
from probes.chunk import Chunk, spoken_captions
from probes.command.cli import BadInput
from probes.command.files import atomic_write, sweep
from probes.command.provenance import digest, git_commit
from probes.command.strict_json import as_json
from probes.subjects import Subject
from probes.tracing.tokens import end_tokens

# what decides the numbers of a batch; intervals and places of files do not
DECISIVE = ("prompt", "where", "lambda_ref", "batch_size", "max_new_tokens", "device", "dtype")


def batches(subject: Subject, config: MediationConfig, seen: Shown | None = None, progress: bool = True) -> Iterator[xr.Dataset]:
    """Every batch, patched now or read from `config.store`; each is kept there as soon as it is done.

    Parameters
    ----------
    seen : the images and what is in them; None: as the options name them
    """
    from tqdm import tqdm

    seen = shown(config, config.annotations) if seen is None else seen
    items = list(seen.items)
    settings = as_json({name: getattr(config, name) for name in DECISIVE} | {"model": subject.revision, "arms": ARMS})
    folder = config.store / hashlib.sha256(settings.encode()).hexdigest()[:12]
    sweep(folder)
    commit = git_commit()  # of the code that was loaded, not of what it becomes while this runs
    with tqdm(total=len(items), unit="image", disable=None if progress else True) as bar:
        for start in range(0, len(items), config.batch_size):
            chunk = Chunk(subject, items, start, config.batch_size)
            path = folder / f"batch_{start:06d}_{len(chunk.items)}.nc"
            told = [sorted(seen.truth[item.image_id]) for item in chunk.items]
            content = digest([*chunk.hashes, as_json(told)])
            done = read(path)
            if done is None or done.attrs.get("content") != content:
                done = one_batch(subject, chunk, seen.truth, config).assign_attrs(git_commit=commit, settings=settings, content=content)
                write(done, path)
            yield done
            bar.update(len(chunk.items))


def one_batch(subject: Subject, chunk: Chunk, truth: Mapping[int, frozenset[str]], config: MediationConfig) -> xr.Dataset:
    """Means of every outcome in every world, for each image of the batch, on the baseline's own caption.

    Returns
    -------
    outcome_mean "arm world image outcome" (nat), count "image outcome" (steps behind a mean), rate "arm image" (mean applied),
    unknown "image" (mentions whose first token is not in the vocabulary), mentions and tokens "image", replaced_calls "image" (calls of
    attention whose output was replaced while its batch was patched, over arms, worlds, layers and steps)
    """
    ends = end_tokens(subject.tracing.speaker)
    captions = spoken_captions(subject, chunk, 0, max_new_tokens=config.max_new_tokens, do_sample=False)
    if max(map(len, captions)) < 2:
        raise BadInput(f"subject {subject.name}: it ends its captions at once, so that there is no step to smooth or to patch.")
    vocabulary = object_tokens(subject.tokenizer)
    if not vocabulary:
        raise BadInput(f"subject {subject.name}: its tokenizer knows none of CHAIR's objects; mediation needs a subject that names them.")
    named = [slots(subject, caption, truth[item.image_id]) for caption, item in zip(captions, chunk.items, strict=True)]
    spoken = {caption[slot.step] for caption, mentions in zip(captions, named, strict=True) for slot in mentions}
    tokens = sorted({*vocabulary, *ends, *spoken})
    columns = {token: i for i, token in enumerate(tokens)}
    method = KVSmooth(lambda_ref=config.lambda_ref)
    layers = method.band(len(subject.tracing.layers)) if config.where == "band" else None
    found = worlds(subject.tracing, chunk.inputs, captions, method, tokens, layers)
    mean = np.full((len(ARMS), len(WORLDS), len(captions), len(OUTCOMES)), np.nan)
    count = np.zeros((len(captions), len(OUTCOMES)))
    for row, (caption, mentions) in enumerate(zip(captions, named, strict=True)):
        may_end = sentence_ends(subject, caption)
        for i, arm in enumerate(ARMS):
            for j, world in enumerate(WORLDS):
                values = found.log_probabilities[arm][world][: len(caption), row].numpy()
                mean[i, j, row], count[row] = means(outcomes(values, columns, caption, mentions, may_end, ends, vocabulary))
    unknown = [sum(vocabulary.get(c[slot.step]) != slot.object for slot in mentions) for c, mentions in zip(captions, named, strict=True)]
    image = [item.image_id for item in chunk.items]
    return xr.Dataset(
        {
            "outcome_mean": (("arm", "world", "image", "outcome"), mean, {"units": "nat"}),
            "count": (("image", "outcome"), count),
            "rate": (("arm", "image"), np.stack([found.rates[arm].numpy() for arm in ARMS]).astype(float)),
            "unknown": ("image", np.array(unknown, dtype=float)),
            "mentions": ("image", np.array([len(mentions) for mentions in named], dtype=float)),
            "tokens": ("image", np.array([len(caption) for caption in captions], dtype=float)),
            "replaced_calls": ("image", np.full(len(image), found.patched, dtype=float)),
        },
        coords={"arm": list(ARMS), "world": list(WORLDS), "image": image, "outcome": list(OUTCOMES)},
    )


def write(data: xr.Dataset, path: Path) -> None:
    """Write netCDF, whole or not at all."""
    with atomic_write(path) as temporary:
        data.to_netcdf(temporary, engine="h5netcdf", encoding=compressed(data))


def read(path: Path) -> xr.Dataset | None:
    """What `write` wrote; None where the file is missing or torn, so that the batch is patched anew."""
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError, RuntimeError):
        return None
