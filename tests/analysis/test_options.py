"""Every command says what each of its options is."""

import dataclasses
import inspect
import re
import shlex
import subprocess
import sys

import pytest

from analysis.benchmark.beside import BesideConfig
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.directions import DirectionsConfig
from analysis.benchmark.text_attention import TextAttentionConfig
from analysis.card.__main__ import CardConfig
from analysis.cells.names import PLAN_NAMES
from analysis.claims.__main__ import ClaimsConfig
from analysis.concepts.__main__ import ConceptsConfig
from analysis.efficiency.batch import BatchCostConfig
from analysis.efficiency.config import EfficiencyConfig
from analysis.efficiency.engine import EngineCostConfig
from analysis.efficiency.scoring import ScoreCostConfig
from analysis.new.__main__ import NewConfig
from analysis.regenerate.__main__ import RegenerateConfig
from analysis.score.__main__ import ScoreConfig
from analysis.stats.calibration.__main__ import CalibrationConfig
from analysis.story.__main__ import StoryConfig
from probes.command.cli import _parse, left_by, run_cli
from probes.record import RecordConfig
from tests.analysis.question.configs import EVERY, config_of

QUESTIONS = tuple(map(config_of, EVERY))
OTHERS = (
    CardConfig,
    RecordConfig,
    RegenerateConfig,
    BenchmarkConfig,
    BesideConfig,
    DirectionsConfig,
    TextAttentionConfig,
    ClaimsConfig,
    ConceptsConfig,
    StoryConfig,
    EfficiencyConfig,
    BatchCostConfig,
    EngineCostConfig,
    ScoreCostConfig,
    CalibrationConfig,
)


@pytest.mark.parametrize("config", [*QUESTIONS, *OTHERS])
def test_every_option_has_help(config, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # an entry is not broken, so that a line that begins with an option is that option's
    with pytest.raises(SystemExit):
        run_cli(config, print, ["--help"])
    lines = [line.strip("│| ") for line in capsys.readouterr().out.splitlines()]
    options = [[]]
    for line in lines:
        if line.startswith("--"):
            options.append([])
        options[-1].append(line)
    told = {words[0].split()[0].rstrip(","): " ".join(words) for words in options[1:]}
    for field in dataclasses.fields(config):
        option = f"--{field.name.replace('_', '-')}"
        # what is left of the entry without the option's names, its metavariable and its default
        text = re.sub(r"--[\w-]+,?|\{.*?\}\S*|\(default.*|\b[A-Z]+\b", "", told[option]).strip()
        assert re.search(r"[a-z]{2}", text), f"{config.__name__}.{field.name} has no help: {told[option]}"


@pytest.mark.parametrize("config", [*QUESTIONS, *OTHERS, ScoreConfig, NewConfig])
def test_help_shows_examples_that_parse(config, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert config.EXAMPLES
    for words in config.EXAMPLES:
        _parse(config, shlex.split(words), "python -m it")
    with pytest.raises(SystemExit):
        _parse(config, ["--help"], "python -m it")
    shown = capsys.readouterr().out
    assert all(f"python -m it {words}".rstrip() in shown for words in config.EXAMPLES)
    assert inspect.getdoc(config).splitlines()[0] in shown


@pytest.mark.parametrize("config", [*QUESTIONS, *OTHERS, ScoreConfig, NewConfig])
def test_an_interrupted_command_says_whether_it_goes_on(config, capsys):
    def interrupted(asked):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        run_cli(config, interrupted, shlex.split(config.EXAMPLES[0]))
    assert left.value.code == 130
    # a folder of finished parts is there to go on from
    goes_on = {field.name for field in dataclasses.fields(config)} & {"store", "recordings"} or config in (RecordConfig, BenchmarkConfig)
    told = "what it has written is kept, the same command goes on from it." if goes_on else "is lost, the same command begins anew."
    assert capsys.readouterr().err.endswith(f"{told}\n")


@pytest.mark.parametrize(
    ("config", "words", "told"),
    [
        (ScoreConfig, "halbench --captions said.jsonl --annotations emoji --json out.json", "what it had not written is lost"),
        (
            ScoreConfig,
            "halbench --captions said.jsonl --annotations emoji --json out.json --extractor http://x/v1 --model m",
            "is kept, the same",
        ),
        (
            ScoreConfig,
            "halbench --captions said.jsonl --annotations emoji --extractor http://x/v1 --model m",
            "what it had not written is lost",
        ),
        (CardConfig, "", "what it had not written is lost"),
        (CardConfig, "--cache kept", "is kept, the same command"),
        (config_of("ablation"), "--only permuted", "is kept, and gone on from without --only"),
        (RegenerateConfig, "--only onset", "is kept, the same command"),
    ],
)
def test_options_decide_whether_it_goes_on(config, words, told):
    assert told in left_by(_parse(config, shlex.split(words), "python -m it"))


def test_help_says_the_names_that_are_taken(capsys, monkeypatch):
    from kvsmooth.presets import PRESETS
    from probes.recorders import RECORDERS

    monkeypatch.setenv("COLUMNS", "400")
    taken = (
        (RecordConfig, [*RECORDERS, *PRESETS]),
        (BenchmarkConfig, [*[*PRESETS][:1], "kvsmooth.baselines"]),
        (config_of("ablation"), PLAN_NAMES),
    )
    for config, names in taken:
        with pytest.raises(SystemExit):
            _parse(config, ["--help"], "python -m it")
        shown = re.findall(r"[\w.-]+", capsys.readouterr().out.replace("=", " "))
        assert [name for name in names if name not in shown] == []


HELP = """
import runpy, sys
for command in ("analysis.card", "analysis.efficiency", "analysis.regenerate", "analysis.ablation"):
    sys.argv = ["it", "--help"]
    try:
        runpy.run_module(command, run_name="__main__", alter_sys=True)
        ended = "without telling"
    except SystemExit as end:
        ended = end.code
    assert not ended, (command, ended)
    assert not {"torch", "transformers", "matplotlib"} & set(sys.modules), command
"""


def test_help_waits_for_no_model():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
