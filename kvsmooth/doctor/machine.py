"""What is installed here, on which device, and whether models have a place to be kept."""

import os
import platform
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import torch
from packaging.requirements import Requirement

from kvsmooth.doctor.finding import Finding

OPTIONAL = {
    "accelerate": "models over several devices",
    "gguf": "the bundled subject smollm2",
    "ray": "benchmarks on several machines, --engine ray",
    "torchvision": "the image processors of some families",
}


def machine() -> Iterator[Finding]:
    """Python, packages, devices, and the place of downloaded models."""
    yield Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from packages(declared())
    for package, use in OPTIONAL.items():
        found = installed(package)
        yield Finding(package, found or f"not installed; needed for {use}", "ok" if found else "no")
    yield from devices()
    yield cache()


def installed(package: str) -> str | None:
    """A package's version, read without importing it; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def declared() -> list[Requirement]:
    """What kvsmooth says it needs; torch and transformers where it lies here without having been installed."""
    try:
        every = [Requirement(line) for line in requires("kvsmooth") or ()]
    except PackageNotFoundError:
        every = [Requirement("torch"), Requirement("transformers")]
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]


def packages(needed: list[Requirement]) -> Iterator[Finding]:
    """Whether each is there, in a version that will do."""
    for one in needed:
        found = installed(one.name)
        if found is not None and one.specifier.contains(found, prereleases=True):
            yield Finding(one.name, found)
        else:
            way_out = f"run `pip install '{one.name}{one.specifier}'`"
            yield Finding(one.name, f"not installed; {way_out}" if found is None else f"{found} will not do; {way_out}", "broken")


def devices() -> Iterator[Finding]:
    """What torch can compute on."""
    yield Finding("cpu", f"{os.cpu_count()} cores; torch uses {torch.get_num_threads()}")
    if not torch.cuda.is_available():
        yield Finding("cuda", "torch finds no GPU here", "no")
    for number in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(number)
        yield Finding(f"cuda:{number}", f"{found.name}, {found.total_memory / 2**30:.0f} GiB")


def cache() -> Finding:
    """Where models of the hub are kept, and whether a file can be written there, tried."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=nearest):
            told = "can be written" if nearest == folder else "is made by the first download"
    except OSError as error:
        return Finding("models", f"{folder} cannot be written ({error.strerror}); set HF_HOME to a folder that can", "broken")
    offline = "; nothing is downloaded, since HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else ""
    return Finding("models", f"{folder} {told}{offline}")
