"""What probes adds to `python -m kvsmooth doctor`: whether a folder can be held, and whether a subject can be recorded."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from kvsmooth.doctor.finding import Finding, tried
from kvsmooth.doctor.model import STEPS, Patient, device_and_dtype


def machine() -> Iterator[Finding]:
    """The folder that recordings and `out/` are written to."""
    yield tried("this folder", lambda: held_once(Path()))


def held_once(folder: Path) -> str:
    """Write in a folder, and hold what is written against another.

    Raises
    ------
    ValueError : it cannot be written, or it can be held twice
    """
    from probes.command.lock import Held, held

    try:
        with tempfile.TemporaryDirectory(dir=folder) as place, held(place, wait=False):
            try:
                with held(place, wait=False):
                    raise ValueError("its file system knows no locks: two commands would write the same files; work on another disk.")
            except Held:
                return "can be written, and is held by one command at a time"
    except OSError as error:
        raise ValueError(f"cannot be written ({error.strerror}); run from one that can.") from error


def subject(name: str) -> Patient | None:
    """A subject with a picture before it; None for a model that takes no images.

    Raises
    ------
    BadInput : it cannot be loaded
    """
    from PIL import Image

    from probes import Item, load_subject
    from probes.subjects.bundled import bundled
    from probes.subjects.loading import config_of

    if bundled(name) is None and not hasattr(config_of(name), "vision_config"):
        return None
    loaded = load_subject(name, *device_and_dtype())
    items = [Item(0, Image.linear_gradient("L").convert("RGB"))]
    patient = Patient(loaded.model, loaded.encode(items), "an image and a question", lambda: iter([tried("recording", recorded)]))

    def recorded() -> str:
        import numpy as np

        from probes.session import record

        found = record(loaded, items, {"baseline": None, "kvsmooth": patient.method()}, max_new_tokens=STEPS, progress=False)
        plain = patient.decode(max_new_tokens=STEPS, min_new_tokens=0)
        written = plain.sequences[0, -len(plain.logits) :].tolist()
        steps = int(found["n_steps"].sel(arm="baseline", image=0))
        predicted = found["token_predicted"].sel(arm="baseline", image=0).values[:steps].tolist()
        if predicted != written:
            raise ValueError(f"the baseline's tokens {predicted} are not those of plain generate, {written}.")
        if not np.isfinite(found["rate"].sel(arm="kvsmooth")).any():
            raise ValueError("the recording holds no rate of the smoothed arm.")
        return f"{steps} steps in {len(found.data_vars)} variables; the baseline's tokens are those of plain generate"

    return patient
