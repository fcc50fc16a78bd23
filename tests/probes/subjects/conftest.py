"""A tiny saved model with its processor, to be damaged."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from tests.analysis.answering.families import save


class Checkpoint:
    """A folder of a saved model, and ways to change what its files say."""

    def __init__(self, folder):
        self.folder, self.name = folder, str(folder)

    def settings(self, file="config.json", part=None, **changes):
        """Write these values into a file of settings; None takes the entry out."""
        path = self.folder / file
        whole = json.loads(path.read_text()) if path.is_file() else {}
        place = whole if part is None else whole[part]
        place.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del place[key]
        path.write_text(json.dumps(whole))
        return self

    def weights(self, change):
        """Write what `change` makes of the tensors, by name."""
        path = self.folder / "model.safetensors"
        save_file(change(load_file(path)), path, metadata={"format": "pt"})
        return self


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    return save("llava", tmp_path_factory.mktemp("llava"))


@pytest.fixture
def checkpoint(saved, tmp_path):
    """The zoo's LLaVA: three layers, an untied head."""
    return Checkpoint(shutil.copytree(saved, tmp_path / "checkpoint"))
