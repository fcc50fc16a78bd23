"""The command from files to table: each benchmark, replay, resume, and what is set aside."""

import json
import re
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from analysis.benchmark.command import perform
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.store import alone
from probes.command.cli import BadInput, Notice
from probes.subjects.loading import locate

pytestmark = pytest.mark.usefixtures("halved")

SMALL = {"max_new_tokens": 10, "batch_size": 2, "mode": "bundled", "fluent": 0}


@pytest.fixture
def options(tmp_path, coco):
    return {
        **SMALL,
        "out": tmp_path / "out",
        "cache": tmp_path / "cache",
        "annotations": coco.annotations,
        "image_folder": coco.images,
    }


def captions(out, method="baseline"):
    return [json.loads(line) for line in (out / "captions" / f"{method}.jsonl").read_text().splitlines()]


def said(out, method="baseline"):
    return {line["key"]: line["caption"] for line in captions(out, method)}


def results(out, benchmark="chair"):
    return json.loads((out / benchmark / "benchmark.json").read_text())


def values(found):
    return {row["name"]: row["estimate"] for row in found["results"]}


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples", "sketched")
def test_chair_from_cocos_files_to_the_table_and_again_without_asking(options, coco, capsys):
    config = BenchmarkConfig(**options, images=4)
    perform(config)
    told = capsys.readouterr().out
    found = results(config.out)
    assert "| baseline |" in told
    assert "Published, not measured here" in told
    assert {row["where"]["method"] for row in found["results"]} == {"baseline", "kvsmooth", "kvsmooth - baseline"}
    assert [one["scored"] for one in found["methods"]] == [4, 4]
    line = captions(config.out, "kvsmooth")[0]
    assert set(line) == {"key", "image_id", "file_name", "prompt", "caption", "tokens", "seconds", "batch", "rate"}
    assert line["prompt"] == "Please describe this image in detail."
    score = json.loads((config.out / "chair" / "scores" / "baseline.json").read_text())
    assert score["metrics"].keys() == score["intervals"].keys()
    assert score["n"] == {"answers": 4, "images": 4}
    assert len(score["captions"]) == 4
    assert all(re.fullmatch(r"COCO_val2014_\d{12}\.jpg", one["file_name"]) for one in score["captions"])
    assert score["metrics"]["chair_i"] == pytest.approx(values(found)["chair/chair_i/baseline"], abs=1e-6)
    plan = json.loads((config.out / "plan.json").read_text())
    assert [item["image_id"] for item in plan["items"]] == sorted(item["image_id"] for item in plan["items"])
    assert all(re.fullmatch(r"COCO_val2014_\d{12}\.jpg", item["file"]) and len(item["sha256"]) == 64 for item in plan["items"])
    before = {path: path.read_bytes() for path in config.out.rglob("*") if path.is_file()}
    perform(config)
    assert {path: path.read_bytes() for path in config.out.rglob("*") if path.is_file()} == before, "a second run changes nothing"
    perform(BenchmarkConfig(out=config.out, redraw=True))
    assert {path: path.read_bytes() for path in config.out.rglob("*") if path.is_file()} == before, "nor does drawing again"
    with pytest.raises(BadInput, match=r"another run.*max new tokens"):
        perform(replace(config, max_new_tokens=11))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_captions_serve_every_benchmark_that_asks_the_same(options):
    config = BenchmarkConfig(**options, images=4, methods=("baseline",))
    perform(config)
    for other in ("opope", "halbench"):
        asked = captions(config.out)
        perform(replace(config, benchmark=other, rescore=True))
        assert captions(config.out) == asked, "captions serve every benchmark that asks the same"
        assert results(config.out, other)["about"]["benchmark"] == other


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_pope_from_its_question_files(options, pope, capsys):
    config = BenchmarkConfig(
        **options | {"annotations": None, "max_new_tokens": 2}, benchmark="pope", questions=pope, methods=("baseline",)
    )
    with pytest.raises(BadInput, match=r"^baseline: none of the 18 answers says yes or no, .*; ask for one of the two words\.$"):
        perform(config)  # the bundled subject can only describe
    path = config.out / "captions" / "baseline.jsonl"
    lines = [json.loads(line) | {"caption": ("Yes.", "No.", "Hm.")[i % 3]} for i, line in enumerate(path.read_text().splitlines())]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.warns(Notice, match=r"6 of 18 answers \(33\.3 %\) are neither yes nor no and taken for yes"):
        perform(replace(config, rescore=True))
    found = results(config.out, "pope")
    (note,) = found["about"]["notes"]
    assert note == "baseline: 6 of 18 answers (33.3 %) are neither yes nor no and taken for yes (rule pope); the first: 'Hm.'."
    assert f"Note: {note}\n" in (config.out / "pope" / "table.md").read_text()
    assert found["about"]["questions"] == 3 * 3 * 2
    assert {"pope/accuracy/baseline", "pope/f1/adversarial/baseline"} <= values(found).keys()
    assert all(line["prompt"].startswith("Is there a") for line in captions(config.out))
    assert 0 <= values(found)["pope/accuracy/baseline"] <= 1


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_pope_from_questions_that_are_built(options):
    asked = {"benchmark": "pope", "images": 2, "methods": ("baseline",), "prompt": "{question} Answer yes or no."}
    config = BenchmarkConfig(**options | {"max_new_tokens": 2}, **asked)
    with pytest.raises(BadInput, match="none of the 36 answers says yes or no"):
        perform(config)  # after it has asked: the bundled subject can only describe
    assert len(captions(config.out)) == 2 * 3 * 6
    assert all(line["prompt"].endswith("in the image? Answer yes or no.") for line in captions(config.out))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_amber_from_its_owners_files(options, amber):
    config = BenchmarkConfig(
        **options | {"annotations": amber, "image_folder": amber / "image"},
        benchmark="amber",
        similarity="exact",
        methods=("baseline", "constant:rate=0.6"),
    )
    with pytest.warns(Notice, match=r"4 of 4 answers to questions are not exactly Yes or No"):
        perform(config)
    found = values(results(config.out, "amber"))
    assert {
        "amber/chair/baseline",
        "amber/cover/constant:rate=0.6",
        "amber/accuracy/baseline",
        "amber/amber_score/baseline",
    } <= found.keys()
    assert captions(config.out)[0]["prompt"] == "Describe this image."
    described = replace(config, part="generative", images=1, out=config.out.with_name("part"))
    perform(described)
    assert len(captions(described.out)) == 1
    assert "accuracy" not in str(results(described.out, "amber")["measures"])


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_halbench_from_its_own_file(options, halbench):
    config = BenchmarkConfig(**options, benchmark="halbench", questions=halbench, methods=("baseline",))
    perform(config)
    assert {line["prompt"] for line in captions(config.out)} == {"Describe the image.", "What do you see? Be thorough."}
    assert {"halbench/response_hallucination/baseline", "halbench/mention_hallucination/baseline"} <= values(
        results(config.out, "halbench")
    ).keys()
    with pytest.raises(BadInput, match="asks for halbench, which chair does not"):
        perform(BenchmarkConfig(**options, rescore=True))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_opope_on_the_bundled_scenes_and_a_replay_elsewhere(tmp_path):
    first = BenchmarkConfig(**SMALL, out=tmp_path / "a", benchmark="opope", images=3)
    perform(first)
    second = BenchmarkConfig(mode="bundled", fluent=0, out=tmp_path / "b", plan=tmp_path / "a" / "plan.json", benchmark="chair")
    perform(second)
    for method in ("baseline", "kvsmooth"):
        assert said(first.out, method) == said(second.out, method)
    with pytest.raises(BadInput, match=r"--max-new-tokens 11: .*decides this"):
        perform(replace(second, max_new_tokens=11, out=tmp_path / "c"))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_images_that_cannot_be_used_are_set_aside_and_counted(options, coco, tmp_path, capsys):
    folder = tmp_path / "images"
    shutil.copytree(coco.images, folder)
    names = sorted(path.name for path in folder.iterdir())
    (folder / names[0]).unlink()
    (folder / names[1]).write_bytes((folder / names[1]).read_bytes()[:200])
    config = BenchmarkConfig(**options | {"image_folder": folder}, images=6, methods=("baseline",))
    with pytest.warns(Notice, match="2 questions set aside with an error"):
        perform(config)
    found = results(config.out)
    assert found["methods"][0]["scored"] == 4
    assert ["there is no such image" in one["error"] or "cut off" in one["error"] for one in found["set_aside"]] == [True, True]
    assert "Set aside with an error: 2" in capsys.readouterr().out


def test_if_no_image_can_be_used_nothing_is_done(options, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(BadInput, match="none of the 2 images can be read"):
        perform(BenchmarkConfig(**options | {"image_folder": tmp_path / "none"}, images=2))
    assert not [path for path in (tmp_path / "out").iterdir() if path.name != ".lock"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"benchmark": "halbench", "questions": True, "annotations": None}, "give the folder of COCO's annotations"),
        ({"benchmark": "amber", "similarity": "nowhere.csv", "annotations": True, "images": None, "part": "generative"}, "nowhere.csv"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_cannot_be_scored_is_told_before_anything_is_asked(options, amber, halbench, wrong, told, dry_run):
    """Not behind hours of answers."""
    if wrong["benchmark"] == "halbench":
        wrong = wrong | {"questions": halbench}
    else:
        wrong = wrong | {"annotations": amber, "image_folder": amber / "image"}
    config = BenchmarkConfig(**options | wrong, dry_run=dry_run)
    with pytest.raises(BadInput, match=told):
        perform(config)
    assert not (config.out / "captions").exists()


def test_a_dry_run_names_a_subject_without_its_processor(options, tmp_path):
    folder, _, _ = locate("emoji")
    shutil.copytree(folder, tmp_path / "bare", ignore=shutil.ignore_patterns("*processor*", "*.jinja", "token*"))
    config = BenchmarkConfig(**options, images=2, dry_run=True, subject=str(tmp_path / "bare"))
    with pytest.raises(BadInput, match=r"subject .*bare: its processor cannot be loaded .*; save one beside the model"):
        perform(config)


def test_a_dry_run_without_the_images_names_what_the_weights_take(options, tmp_path, capsys):
    config = BenchmarkConfig(**options | {"image_folder": tmp_path}, images=2, dry_run=True)
    perform(config)
    told = capsys.readouterr().out
    assert "none of the first 2 images is there" in told
    assert "the weights take" in told
    with pytest.raises(BadInput, match=r"subject .*nowhere"):
        perform(replace(config, subject=str(tmp_path / "nowhere")))


def test_two_runs_do_not_write_into_one_folder(options):
    config = BenchmarkConfig(**options, images=2)
    with alone(config.out), pytest.raises(BadInput, match="another run writes here"):
        perform(config)


def test_names_that_lead_out_of_the_folder_open_nothing(options, coco, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(coco.annotations, bad)
    path = bad / "instances_val2014.json"
    content = json.loads(path.read_text())
    Image.new("RGB", (8, 8)).save(tmp_path / "secret_val2014.png")
    content["images"][0]["file_name"] = "../secret_val2014.png"
    path.write_text(json.dumps(content))
    (tmp_path / "ids").write_text(str(content["images"][0]["id"]))
    config = BenchmarkConfig(**options | {"annotations": bad}, ids=tmp_path / "ids")
    with pytest.raises(BadInput, match="out of"):
        perform(config)
