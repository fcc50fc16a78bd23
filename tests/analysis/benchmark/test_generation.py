"""What is asked of an engine and written: only what is missing, batches as planned, nothing where all fails."""

import dataclasses

import pytest
from PIL import Image

from analysis.answering.query import Completion
from analysis.benchmark.generation import Generation
from analysis.benchmark.images import EnclosedImages, checksum
from analysis.benchmark.methods import method
from analysis.benchmark.plan import Plan, PlanItem
from analysis.benchmark.store import AnswerStore
from analysis.engine.local import LocalEngine
from probes.command.cli import BadInput

IMAGES = {str(i): Image.new("RGB", (2, 2), (i, 0, 0)) for i in range(7)}
ITEMS = tuple(PlanItem(str(i), i, str(i), "What?", checksum(image)) for i, image in enumerate(IMAGES.values()))
PLAN = Plan("captions", "emoji", "", "cpu", "float32", 9, False, 1.0, 0, 3, ITEMS, {"baseline": None})
SOURCE = EnclosedImages({name: image.copy for name, image in IMAGES.items()})


class Talker:
    """A worker that says how many it was asked together, and fails for some."""

    def __init__(self, bad=(), stop_after=None):
        self.bad, self.stop_after, self.asked = bad, stop_after, []

    def __call__(self):
        return self.answer

    def answer(self, queries):
        self.asked.append([query.key for query in queries])
        if self.stop_after is not None and len(self.asked) > self.stop_after:
            raise KeyboardInterrupt
        if any(query.key in self.bad for query in queries):
            raise ValueError("no words for this")
        return [Completion(f"{query.key} of {len(queries)}", 3, 0.1) for query in queries]


@pytest.fixture
def asking(tmp_path):
    return Generation(PLAN, method("baseline"), AnswerStore(tmp_path / "baseline.jsonl"))


def told(asking):
    return {key: line.caption or line.error for key, line in asking.captions.read().items()}


def test_everything_is_asked_once_in_the_plans_batches(asking):
    talker = Talker()
    asking.run(talker, LocalEngine(), SOURCE)
    assert talker.asked == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert told(asking) == {str(i): f"{i} of {1 if i == 6 else 3}" for i in range(7)}
    assert {line.file_name for line in asking.captions.read().values()} == {item.file for item in asking.plan.items}
    again = Talker()
    asking.run(again, LocalEngine(), SOURCE)
    assert again.asked == []


def test_after_an_interrupt_only_batches_with_a_missing_answer_run_and_only_that_is_written(asking):
    with pytest.raises(KeyboardInterrupt):
        asking.run(Talker(stop_after=1), LocalEngine(), SOURCE)
    assert list(told(asking)) == ["0", "1", "2"]
    kept = asking.captions.path.read_bytes().splitlines(keepends=True)
    asking.captions.path.write_bytes(b"".join(kept[:2]))  # the disk lost a line
    talker = Talker()
    asking.run(talker, LocalEngine(), SOURCE)
    assert talker.asked == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    lines = asking.captions.path.read_bytes().splitlines(keepends=True)
    assert lines[:2] == kept[:2]
    assert len(lines) == 7
    assert told(asking) == {str(i): f"{i} of {1 if i == 6 else 3}" for i in range(7)}


def test_an_item_that_fails_is_set_aside_and_can_be_asked_again(asking):
    asking.run(Talker(bad={"4"}), LocalEngine(), SOURCE)
    assert told(asking)["4"] == "ValueError: no words for this"
    assert asking.missing() == []
    again = dataclasses.replace(asking, retry=True)
    talker = Talker()
    again.run(talker, LocalEngine(), SOURCE)
    assert talker.asked == [["3", "4", "5"]]
    assert told(asking)["4"] == "4 of 3"


def test_where_nothing_can_be_answered_nothing_is_written(asking):
    with pytest.raises(BadInput, match=r"all failed.*no words"):
        asking.run(Talker(bad=set(IMAGES)), LocalEngine(), SOURCE)
    assert not asking.captions.path.exists()


def test_first_failures_are_written_once_something_was_answered(asking):
    asking.run(Talker(bad={"0", "1"}), LocalEngine(), SOURCE)
    assert told(asking)["0"].startswith("ValueError")
    assert len(told(asking)) == 7


def test_an_image_that_changed_since_the_plan_is_refused(asking):
    changed = EnclosedImages(SOURCE.openers | {"3": Image.new("RGB", (2, 2), "white").copy})
    with pytest.raises(BadInput, match="not the one of the plan"):
        asking.run(Talker(), LocalEngine(), changed)
