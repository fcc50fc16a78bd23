"""Committed files are written with the settings that they state; whatever else is asked for goes to out/, and says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.ablation.command import QUESTION as ABLATION
from analysis.ablation.config import AblationConfig
from analysis.drift.__main__ import QUESTION as DRIFT
from analysis.drift.__main__ import DriftConfig
from analysis.question.destination import numbered, placed, trial
from analysis.question.question import Question
from analysis.sinks.__main__ import QUESTION as SINKS
from analysis.sinks.__main__ import SinksConfig
from probes.command.cli import BadInput, Notice
from tests.analysis.question.configs import EVERY, config_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout's pages and results, as far as where files go hangs on them."""
    results = ("drift/drift.json", "ablation_half/ablation.json")
    for name in ("docs/findings.md", "docs/ablation.md", *(f"figures/emoji/{result}" for result in results)):
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("free", [{}, {"recordings": Path("elsewhere")}, {"debug": True}, {"redraw": True}])
def test_what_the_committed_files_state_goes_there(checkout, free):
    config = DriftConfig(**free)
    assert placed(DRIFT, config) == config


@pytest.mark.parametrize(
    ("other", "folder"),
    [
        ({"subject": "mine", "images": 6}, "mine-6"),
        ({"subject": "owner/model@1a2b"}, "owner_model@1a2b-500"),
        ({"images": 6}, "emoji-6"),
        ({"level": 0.9}, "emoji-500"),
        ({"lambda_ref": 0.5}, "emoji-500"),
        ({"max_new_tokens": 20}, "emoji-500"),
        ({"image_folder": Path("own")}, "emoji-500"),
        ({"out": Path("docs/../figures/emoji/drift"), "seed": 1}, "emoji-500"),
    ],
)
def test_whatever_else_goes_elsewhere_and_is_told(checkout, other, folder):
    told = rf"^files go to out/{folder}/drift; .*figures/emoji/drift and docs/findings\.md are left to the settings that they state\.$"
    with pytest.warns(Notice, match=told):
        found = placed(DRIFT, DriftConfig(**other))
    assert (found.out, found.page) == (Path("out", folder, "drift"), Path("out", folder, "findings.md"))
    recorded = Path("out", folder, "recordings") if {*other}.isdisjoint(("level", "seed")) else Path("recordings")
    assert found.recordings == recorded, "recordings of other settings do not mix; those of the same are not made twice"


def test_a_seed_moves_what_is_drawn_with_it_alone(checkout):
    with pytest.warns(Notice, match="files go to"):
        found = placed(SINKS, SinksConfig(seed=1))
    assert found.store == Path("out/emoji-500") / SinksConfig().store


def test_a_folder_of_a_model_is_called_by_its_name(checkout):
    (checkout / "models" / "my model").mkdir(parents=True)
    assert trial(DriftConfig(subject="models/my model", images=3)) == Path("out/my_model-3")
    assert trial(DriftConfig(subject="../..", images=3)).parent == Path("out")


def test_places_of_ones_own_are_kept(checkout):
    config = DriftConfig(subject="mine", images=6, out=checkout / "trial", page=checkout / "page.md")
    assert placed(DRIFT, config) == config
    with pytest.warns(Notice, match="files go to"):
        found = placed(DRIFT, replace(config, out=DriftConfig.out, recordings=Path("mine")))
    assert (found.page, found.recordings) == (config.page, Path("mine"))


def test_another_committed_folder_takes_what_its_results_state(checkout):
    half = AblationConfig(plan="ladder", lambda_ref=0.5, out=Path("figures/emoji/ablation_half"), workers=1)
    assert placed(ABLATION, half) == half
    with pytest.warns(Notice, match="files go to out/emoji-500/ablation"):
        found = placed(ABLATION, replace(half, lambda_ref=0.4))
    assert found.page == Path("out/emoji-500/ablation.md")
    assert found.store == Path("out/emoji-500/recordings/ablation")
    new = replace(half, subject="smollm2", out=Path("figures/smollm2/ablation"))
    assert placed(ABLATION, new) == new, "a folder without results states nothing yet"
    stated = json.loads(Path("figures/emoji/ablation_half/ablation.json").read_text())
    Path("figures/smollm2/ablation").mkdir(parents=True)
    Path("figures/smollm2/ablation/ablation.json").write_text(json.dumps(stated))
    with pytest.warns(Notice):
        assert placed(ABLATION, new).out == Path("out/smollm2-500/ablation")


def test_a_redraw_looks_where_the_run_wrote(checkout):
    found = placed(DRIFT, DriftConfig(subject="mine", images=6, redraw=True))
    assert (found.out, found.page) == (Path("out/mine-6/drift"), Path("out/mine-6/findings.md"))


def test_without_a_checkout_nothing_is_committed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(Notice, match="files go to out/emoji-500/drift"):
        assert placed(DRIFT, DriftConfig()).page == Path("out/emoji-500/findings.md")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"provenance": {"config": null}}', '{"provenance": {"config": 3}}'])
def test_over_damaged_results_nobody_knows_what_may_be_written(checkout, text):
    results = Path("figures/emoji/ablation_half/ablation.json")
    results.write_text(text)
    half = AblationConfig(plan="ladder", lambda_ref=0.5, out=results.parent, workers=1)
    with pytest.raises(BadInput, match=rf"^{results}: cannot be read .* not known; restore it, or give another folder by --out\.$"):
        placed(ABLATION, half)
    assert placed(ABLATION, replace(half, redraw=True)).out == half.out
    assert placed(ABLATION, replace(half, out=checkout / "mine")).out == checkout / "mine"


@pytest.mark.parametrize("question", EVERY)
def test_whatever_question_is_asked_otherwise_goes_elsewhere(question, checkout):
    config = config_of(question)
    asked = Question(question, kept=(), encoding=dict)
    assert placed(asked, config()) == config()
    with pytest.warns(Notice, match=f"files go to out/.*/{question}; {config.out} and {config.page} are left"):
        found = placed(asked, config(level=0.9))
    assert found.out.parts[0] == "out"
    assert found.page == found.out.parent / config.page.name


@pytest.mark.parametrize("question", EVERY)
def test_a_questions_defaults_are_what_its_committed_results_state(question):
    """So that a run with them may write there."""
    config = config_of(question)()
    stated = json.loads((ROOT / config.out / f"{question}.json").read_text())["provenance"]["config"]
    assert {name: stated[name] for name, default, _ in numbered(config) if stated.get(name, default) != default} == {}
