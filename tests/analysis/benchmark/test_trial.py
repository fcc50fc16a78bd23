"""Methods are refused before anything is asked: without weights where that is enough, else by one step of each."""

import pytest

from analysis.answering.answering import Answering
from analysis.answering.query import Query
from analysis.benchmark.command import perform
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.methods import METHODS, methods
from analysis.benchmark.trial import refuse_without_weights, try_a_step
from analysis.engine import Batch, LocalEngine
from kvsmooth import KVSmooth
from probes.command.cli import BadInput
from probes.subjects import load_subject
from probes.subjects.emoji import scenes

LATE = ("baseline", "kvsmooth:layers=99")


def failing(seen):
    """A score that fails at the first decoding step, and not before."""
    raise RuntimeError("no score for this step")


def config(tmp_path, **options):
    return BenchmarkConfig(out=tmp_path / "out", images=2, max_new_tokens=4, mode="bundled", fluent=0, **options)


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_needs_no_forward_pass_is_refused_by_a_dry_run_and_before_the_first_method(tmp_path, dry_run):
    with pytest.raises(BadInput, match=r"--methods kvsmooth:layers=99: .*must lie below 12.*; leave it out.*Nothing was asked\.$"):
        perform(config(tmp_path, methods=LATE, dry_run=dry_run))
    assert not list((tmp_path / "out").rglob("*.jsonl"))


def test_what_only_a_step_tells_is_refused_before_the_first_method(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "breaking", lambda options: KVSmooth(score=failing))
    perform(config(tmp_path, methods=("baseline", "breaking"), dry_run=True))
    with pytest.raises(BadInput, match=r"--methods breaking: RuntimeError: no score for this step; leave it out"):
        perform(config(tmp_path, methods=("baseline", "breaking")))
    assert not list((tmp_path / "out").rglob("*.jsonl"))


def test_methods_that_serve_pass_both_and_change_nothing(tmp_path):
    """`rope=before` reads values that a model without weights has not: that is no refusal."""
    chosen = methods(["baseline", "kvsmooth", "kvsmooth:rope=before", "constant:rate=0.5"])
    refuse_without_weights("emoji", "float32", chosen)
    scene = scenes(1)[0]
    try_a_step(chosen, Answering(), LocalEngine(), Batch(("0",), (Query("0", scene.image_id, scene.image),)))


def test_a_question_that_the_subject_does_not_take_is_no_methods_fault(tmp_path):
    scene, broken = scenes(1)[0], tmp_path / "cut.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    batch = Batch(("0", "1"), (Query("0", 0, broken), Query("1", scene.image_id, scene.image)))
    try_a_step(methods(["kvsmooth"]), Answering(), LocalEngine(), batch)
    try_a_step(methods(["kvsmooth"]), Answering(), LocalEngine(), Batch(batch.keys[:1], batch.payloads[:1]))
    with pytest.raises(BadInput, match="must lie below 12"):
        try_a_step(methods(["kvsmooth:layers=99"]), Answering(), LocalEngine(), batch)


@pytest.mark.slow
def test_a_run_loads_its_subject_once_for_the_trial_and_all_methods(tmp_path, monkeypatch):
    loads = []

    def counted(*where):
        loads.append(where)
        return load_subject(*where)

    monkeypatch.setattr("analysis.answering.subject_cache.load_subject", counted)
    monkeypatch.setattr("analysis.answering.answering.load_subject", counted)
    perform(config(tmp_path, methods=("baseline", "kvsmooth", "constant:rate=0.5")))
    assert loads == [("emoji", "cpu", "float32")]
    assert len(list((tmp_path / "out" / "captions").glob("*.jsonl"))) == 3
