"""What --prompt does: it asks for a description, or with a place for them it words questions; for what is not asked it is refused."""

import pytest

from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.planning import planned
from probes.command.cli import BadInput

TEMPLATE = "{question} Please answer yes or no."


@pytest.fixture
def prompts(tmp_path, coco, amber, halbench):
    """The prompts of a plan, by whether they are AMBER's questions where it is AMBER's."""

    def of(benchmark, prompt, **options):
        where = {"annotations": coco.annotations, "image_folder": coco.images}
        if benchmark == "amber":
            where = {"annotations": amber, "image_folder": amber / "image"}
        if options.pop("file", False):
            options["questions"] = halbench
        config = BenchmarkConfig(benchmark=benchmark, prompt=prompt, out=tmp_path / "out", cache=tmp_path / "cache", **where | options)
        return [item.prompt for item in planned(config).plan.items]

    return of


@pytest.mark.parametrize("part", ["all", "discriminative"])
def test_a_place_for_a_question_words_ambers_questions(prompts, part):
    found = prompts("amber", TEMPLATE, part=part)
    assert found.count("Is the sky sunny in this image? Please answer yes or no.") == 4
    assert [prompt for prompt in found if "sky" not in prompt] == ["Describe this image."] * (2 if part == "all" else 0)


@pytest.mark.parametrize("part", ["all", "generative"])
def test_a_prompt_without_one_asks_for_ambers_descriptions(prompts, part):
    found = prompts("amber", "Tell all.", part=part)
    assert found[:2] == ["Tell all."] * 2
    assert found[2:] == ["Is the sky sunny in this image?"] * (4 if part == "all" else 0)


def test_halbenchs_requests_are_worded_or_replaced(prompts):
    assert prompts("halbench", "{question} Be brief.", file=True) == [
        "Describe the image. Be brief.",
        "What do you see? Be thorough. Be brief.",
        "Describe the image. Be brief.",
    ]
    assert prompts("halbench", "Tell all.", file=True) == ["Tell all."] * 3


@pytest.mark.parametrize(
    ("benchmark", "prompt", "options", "told"),
    [
        ("chair", TEMPLATE, {"images": 2}, "descriptions are asked for here"),
        ("opope", TEMPLATE, {"images": 2}, "descriptions are asked for here"),
        ("halbench", TEMPLATE, {"images": 2}, "descriptions are asked for here"),
        ("amber", TEMPLATE, {"part": "generative"}, "descriptions are asked for here"),
        ("amber", "Tell all.", {"part": "discriminative"}, r"asks questions of its own; mark their place by \{question\}"),
        ("pope", "Tell all.", {"images": 2}, r"asks questions of its own; mark their place by \{question\}"),
    ],
)
def test_a_prompt_for_what_is_not_asked_is_refused_before_anything_runs(prompts, benchmark, prompt, options, told):
    with pytest.raises(BadInput, match=f"^--prompt '.*': .*{told}"):
        prompts(benchmark, prompt, **options)
