"""One process at a time in a folder; nothing that only some systems have is imported on the way."""

import subprocess
import sys
from pathlib import Path

import pytest

from probes.command.lock import Held, held
from tests.processes import PATIENCE, started

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys
from probes.command.lock import held
with held(sys.argv[1], wait=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_held_against_this_process_and_others(tmp_path):
    with held(tmp_path, wait=False), pytest.raises(Held), held(tmp_path, wait=False):
        pytest.fail("it was held twice")
    with started([sys.executable, "-c", HOLDER, tmp_path], cwd=ROOT, stdin=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Held), held(tmp_path, wait=False):
            pytest.fail("another process holds it")
        holder.kill()
        holder.wait()
    with held(tmp_path, wait=True):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_missing_folder_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError), held(tmp_path / "none", wait=True):
        pytest.fail("there is no folder to hold")
    assert not list(tmp_path.iterdir())


IMPORTS = """
import importlib, pkgutil, sys
import torch, nnsight, h5py, xarray, filelock, matplotlib.pyplot, pandas, scipy.stats, statsmodels.api, sklearn, tqdm, tyro, PIL.Image
for name in ("fcntl", "termios", "pty", "resource", "pwd", "grp"):
    sys.modules[name] = None  # as on Windows: importing it is an ImportError
found = 0
for room in ("kvsmooth", "probes", "analysis"):
    for module in pkgutil.walk_packages(importlib.import_module(room).__path__, room + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            found += 1
print(found)
"""


@pytest.mark.slow
def test_no_module_needs_what_only_posix_has_to_be_imported():
    done = subprocess.run([sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200
