"""What four commands do alike: reduced data, results that know which data they come from, and redraws that follow no other options."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from analysis.ablation.config import AblationConfig
from analysis.drift.__main__ import DriftConfig
from analysis.mediation.config import MediationConfig
from analysis.question.command import run_question
from analysis.question.question import FREE, Question, compressed, read_results, stored_rows
from analysis.sinks.__main__ import SinksConfig
from probes.command.cli import BadInput
from probes.command.strict_json import as_json
from tests.processes import PATIENCE


@dataclass(frozen=True)
class ToyConfig:
    out: Path = Path("toy")
    redraw: bool = False
    batch_size: int = 4
    level: float = 0.95


@dataclass(frozen=True)
class PagedConfig(ToyConfig):
    page: Path = Path("page.md")


TOY = Question("toy", kept=("level",), encoding=compressed)


def measure(config):
    data = xr.Dataset({"value": ("image", np.arange(3.0) / 3), "count": ("image", np.arange(3))})
    return data.assign_attrs(analysis=as_json({"config": config}))


def test(reduced, config, checksum):
    row = {"name": "mean", "estimate": float(reduced["value"].mean()), "p": None, "p_adjusted": None, "interval": [None, None]}
    return json.dumps({"results": [row], "provenance": {TOY.checksum: checksum, "config": {"level": config.level}}})


test.__test__ = False  # a command's step, not a test


def never(*_):
    raise AssertionError("a redraw measured, or tested what it has results of")


@pytest.fixture
def config(tmp_path):
    made = ToyConfig(out=tmp_path / "new" / "out", level=0.8)
    TOY.answer(made, measure, test)
    return dataclasses.replace(made, redraw=True, level=0.95)


def test_a_redraw_takes_what_fits_and_keeps_the_options_of_the_run(config):
    reduced, found, kept = TOY.answer(config, never, never)
    assert kept.level == 0.8
    assert found["provenance"]["config"]["level"] == 0.8
    assert found["provenance"]["toy_nc_sha256"] == hashlib.sha256((config.out / "toy.nc").read_bytes()).hexdigest()
    np.testing.assert_array_equal(reduced["value"], measure(config)["value"])


def test_results_of_other_data_are_made_again(config):
    TOY.write(measure(config) + 1, config.out / "toy.nc")
    assert TOY.answer(config, never, test)[1]["results"][0]["estimate"] == pytest.approx(4 / 3)


def test_the_checksum_is_that_of_the_data_that_were_read_while_another_run_writes(config, monkeypatch):
    """The file is read once: numbers of one run never get the checksum of another."""
    load = xr.load_dataset

    def overtaken(file, **options):
        found = load(file, **options)
        (config.out / "toy.nc").write_bytes(b"another run's")
        return found

    before = hashlib.sha256((config.out / "toy.nc").read_bytes()).hexdigest()
    monkeypatch.setattr(xr, "load_dataset", overtaken)
    assert TOY.read(config.out / "toy.nc")[1] == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"results": 3}', b'{"results": []}', b"\xff\xfe"])
def test_damaged_results_are_named(config, content):
    (config.out / "toy.json").write_bytes(content)
    with pytest.raises(BadInput, match=r"toy\.json: is damaged .*; remove it and run the same command again"):
        TOY.answer(config, never, never)
    with pytest.raises(BadInput):
        read_results(config.out / "toy.json")


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_damaged_data_are_named(config, keep):
    path = config.out / "toy.nc"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match=r"toy\.nc: cannot be read .*; run python -m analysis\.toy without --redraw"):
        TOY.answer(config, never, never)


def test_data_of_something_else_are_named(config):
    strict = dataclasses.replace(TOY, opened=lambda data: data[["nothing"]])
    with pytest.raises(BadInput, match="cannot be read"):
        strict.answer(config, never, never)


@pytest.mark.parametrize(("option", "value"), [("batch_size", 5), ("level", 0.9)])
def test_options_that_a_redraw_cannot_follow_are_refused(config, option, value):
    with pytest.raises(BadInput, match=rf"--{option.replace('_', '-')} {value}: .*toy\.nc was made with .*, which a redraw keeps; leave"):
        TOY.answer(dataclasses.replace(config, **{option: value}), never, never)


def test_data_without_a_record_of_their_options_are_those_of_the_defaults(config):
    TOY.write(measure(config).drop_attrs(), config.out / "toy.nc")
    assert TOY.answer(config, never, test)[2] == config


def test_free_options_decide_no_number_anywhere():
    """They are places, and ways to speak and to work; each command has the first and the last ones."""
    for kind in (DriftConfig, SinksConfig, MediationConfig, AblationConfig):
        names = {field.name: field.type for field in dataclasses.fields(kind)}
        assert {"out", "redraw", "debug"} <= names.keys()
        assert {names[name] for name in FREE if name in names} <= {Path, bool, int}
        assert not {"images", "seed", "level", "prompt", "batch_size"} & set(FREE)


@pytest.mark.slow
def test_the_commands_are_there_without_the_libraries_of_a_model():
    modules = "analysis.drift.__main__, analysis.sinks.__main__, analysis.mediation.command, analysis.ablation.command"
    code = f"import sys, {modules}; assert not {{'torch', 'transformers', 'nnsight', 'matplotlib'}} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def test_a_redraw_from_data_that_lack_a_part_is_one_line_and_a_fault_of_a_run_is_not(config):
    def words(answer):
        return answer.reduced["born"], ""

    page = config.out / "page.md"
    page.write_text("<!-- toy -->\n<!-- /toy -->\n", encoding="utf-8")
    asked = PagedConfig(out=config.out, page=page, redraw=True)
    with pytest.raises(BadInput, match=r"^--redraw: the files lack a part .*born.*; run it without --redraw\.$"):
        run_question(TOY, asked, measure, test, lambda answer: {}, words)
    with pytest.raises(KeyError):
        run_question(TOY, dataclasses.replace(asked, redraw=False), measure, test, lambda answer: {}, words)


def test_rows_of_another_subject_are_refused_where_the_file_says_so(tmp_path):
    row = {"name": "mean", "estimate": 1.0, "p": None, "p_adjusted": None, "interval": [None, None]}
    for name, told in (("said", {"provenance": {"config": {"subject": "mine"}}}), ("unsaid", {})):
        (tmp_path / name).write_text(json.dumps({"results": [row], **told}))
        assert stored_rows(tmp_path / name).keys() == stored_rows(tmp_path / name, "mine").keys() == {"mean"}
    assert stored_rows(tmp_path / "unsaid", "yours").keys() == {"mean"}
    with pytest.raises(BadInput, match="said: holds results of mine, not of yours"):
        stored_rows(tmp_path / "said", "yours")
