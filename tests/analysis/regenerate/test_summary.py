"""What a run over the questions says at its end, and where its files go."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from analysis.questions import QUESTIONS, WHOLE
from analysis.regenerate.__main__ import RegenerateConfig, jobs, placed, settled
from analysis.regenerate.summary import summary, verdict

ROOT = Path(__file__).parents[3]
PAGES = {name: ROOT / "docs" / asked.page for name, asked in QUESTIONS.items()}


def test_every_question_says_what_it_found_where_it_lies_and_what_to_do_next(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    said = summary(PAGES, Path("out/emoji-60"), committed=False)
    assert max(map(len, said.splitlines())) <= 140
    flat = " ".join(said.split())
    for name, page in PAGES.items():
        assert f"{name} {verdict(name, page)} -> out/emoji-60/{name}" in flat
        assert f"**{verdict(name, page)}**" in page.read_text()
    assert "make reproduce" in said
    assert "make reproduce" not in summary(PAGES, Path("figures/emoji"), committed=True)


def test_a_question_that_said_nothing_is_left_out(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- one -->\n**One\nthing.** And more.\n<!-- /one -->\n<!-- two -->\n<!-- /two -->\n")
    said = summary({"one": page, "two": page, "three": tmp_path / "none.md"}, tmp_path, committed=False)
    assert "one  One thing." in said
    assert "two" not in said
    assert "three" not in said
    assert summary({"two": page}, tmp_path, committed=False) == "Nothing was found."


def test_the_defaults_alone_go_over_the_committed_files():
    assert placed(RegenerateConfig()) == settled(RegenerateConfig())
    committed = {"images": WHOLE["emoji"].images, "plan": WHOLE["emoji"].plan}
    assert placed(RegenerateConfig(**committed)) == settled(RegenerateConfig())
    for other in (
        *({"images": 60}, {"plan": "ladder"}, {"batch_size": 7}, {"subject": "smollm2", "images": 60}, {"subject": "smollm2@early"}),
        *({"subject": "smollm2", "images": 200}, {"subject": "smollm2", "plan": "full"}),
    ):
        found = placed(RegenerateConfig(**other))
        folder = Path(f"out/{found.subject}-{found.images}")
        assert (found.out, found.docs, found.recordings) == (folder, folder, folder / "recordings")
    own = placed(RegenerateConfig(images=60, out=Path("trial"), recordings=Path("mine")))
    assert (own.out, own.docs, own.recordings) == (Path("trial"), Path("trial"), Path("mine"))


def test_the_second_subject_is_asked_what_is_committed_of_it():
    found = placed(RegenerateConfig(subject="smollm2"))
    assert (found.out, found.docs) == (Path("figures/smollm2"), Path("docs/subjects/smollm2"))
    assert sorted(found.chosen) == sorted(path.name for path in found.out.iterdir() if path.name in QUESTIONS)
    for one in jobs(found):
        stated = json.loads((found.out / one.name / f"{one.name}.json").read_text())["provenance"]["config"]
        words = dict(pairwise(one.command))
        assert stated["subject"] == "smollm2"
        assert str(stated["images"]) == words["--images"]
        assert str(stated["batch_size"]) == words["--batch-size"]
        assert words["--page"] == f"docs/subjects/smollm2/{'ablation' if one.name == 'ablation' else 'findings'}.md"
    assert placed(RegenerateConfig(subject="smollm2", only=("drift",))).chosen == ("drift",)


@pytest.mark.parametrize("plan", ["full", "ladder", "ladder,dose"])
def test_the_plan_is_the_ablations(plan):
    for one in jobs(RegenerateConfig(plan=plan)):
        assert ("--plan" in one.command) == (one.name == "ablation")
        assert "--plan" not in one.command or one.command[one.command.index("--plan") + 1] == plan
    with pytest.raises(ValueError, match=r"RegenerateConfig.plan must be full, or of ladder, .*; got 'half'"):
        RegenerateConfig(plan="half")


def test_a_trial_reads_fewer_captions_than_a_whole_run():
    for config, asked in (
        (RegenerateConfig(images=60, plan="ladder"), "5"),
        (RegenerateConfig(), None),
        (placed(RegenerateConfig(subject="smollm2")), None),
    ):
        (dose,) = (one for one in jobs(config) if one.name == "dose")
        words = dict(pairwise(dose.command))
        assert words.get("--fluent") == asked


@pytest.mark.parametrize(("images", "looked_at"), [(60, "15"), (1, "1"), (500, "200")])
def test_a_trial_mediates_on_a_quarter_of_the_images_and_the_whole_on_as_many_as_are_stated(images, looked_at):
    (one,) = (one for one in jobs(RegenerateConfig(images=images)) if one.name == "mediation")
    assert dict(pairwise(one.command))["--images"] == looked_at
