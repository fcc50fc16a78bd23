"""Which weights a subject has, found without loading them."""

import hashlib
from pathlib import Path

from probes.cli import BadInput, one_line


def revision(subject: str) -> str:
    """A hash of the weights on disk, or the hub's commit; "unknown" where the hub tells none.

    Raises
    ------
    BadInput : there is no such subject
    """
    if subject == "emoji":
        from probes.subjects.emoji import WEIGHTS

        return _hash(WEIGHTS)
    folder = Path(subject).expanduser()
    if folder.is_dir():
        return _hash(folder)
    from transformers import AutoConfig

    name, _, pinned = subject.partition("@")
    try:
        found = AutoConfig.from_pretrained(name, **({"revision": pinned} if pinned else {}))
    except Exception as error:  # unknown names, no network, no such architecture: each library has errors of its own
        told = one_line(ValueError(str(error))).partition(". ")[0][:200].rstrip(".")
        raise BadInput(
            f"subject {subject}: neither emoji nor a folder, and the hub does not give it ({told}); check name and network."
        ) from error
    return getattr(found, "_commit_hash", None) or "unknown"


def _hash(folder: Path) -> str:
    made = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        with path.open("rb") as file:
            for part in iter(lambda: file.read(1 << 22), b""):
                made.update(part)
    return f"sha256:{made.hexdigest()[:16]}"
