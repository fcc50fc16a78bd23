"""A second process that runs `python -m probes.record`, one command after another, and loads torch once."""

import json
import subprocess
import sys
from pathlib import Path

from tests.processes import started
from tests.rooms import ROOT

OTHER = """
import json, os, sys, time
from pathlib import Path
from probes.command import files
from probes.command.cli import run_cli
from probes.record import RecordConfig, main

usual, told, sys.stdout = files._to_disk, sys.stdout, open(os.devnull, "w")
for line in sys.stdin:
    out, braked, *words = json.loads(line)
    def to_disk(path, out=Path(out), braked=braked):
        if braked and path.name.startswith(".") and ".nc." in path.name and len(list(out.rglob("*.nc"))) == 3:
            (out / "braked").touch()
            time.sleep(600)
        usual(path)
    files._to_disk = to_disk
    try:
        run_cli(RecordConfig, main, words)
    except SystemExit as end:
        print(end.code or 0, file=told, flush=True)
"""
"""Another process, of one command after another; a braked one stops when its fourth recording is written and has not got its name yet."""


class Other:
    """The process, and what it says; begun anew where it was killed."""

    def __init__(self, stack, stderr):
        self.stack, self.stderr, self.log, self.process = stack, stderr, Path(stderr.name), None

    def begin(self, out, words, braked=False):
        if self.process is None or self.process.poll() is not None:
            begun = started([sys.executable, "-c", OTHER], cwd=ROOT, stdin=subprocess.PIPE, stderr=self.stderr)
            self.process = self.stack.enter_context(begun)
        self.process.stdin.write(json.dumps([str(out), braked, *words]) + "\n")
        self.process.stdin.flush()

    def status(self):
        """Of the command that was begun, when it has ended."""
        line = self.process.stdout.readline()
        assert line, self.log.read_text()[-2000:]
        return int(line)
