"""What a method tells of itself does not depend on how images are put into batches: every token of the captions counts once."""

import pytest
import torch

from analysis.captions import version
from analysis.captions.speaker import Speaker, weighted
from analysis.captions.two_pass import ShuffledRates
from analysis.captions.version import code_of
from kvsmooth import KVSmooth
from kvsmooth.baselines import PAI
from kvsmooth.policies import FirstPass, Inverse, Percentile, Permuted
from kvsmooth.sinks import KeyNorm, RowEntropy
from probes.subjects import load_subject

IMAGES, TOKENS = 3, 8


@pytest.mark.parametrize("method", [KVSmooth(lambda_ref=0.9, layers=range(3)), PAI(alpha=0.3)], ids=["kvsmooth", "pai"])
def test_batches_change_no_receipt(method, half_subject, tmp_path):
    together, apart = (
        Speaker(half_subject, half_subject.items(IMAGES), size, TOKENS, tmp_path / str(size)).said("x", method) for size in (IMAGES, 2)
    )
    assert together.texts == apart.texts
    assert together.report
    assert apart.report == pytest.approx(together.report, rel=1e-4)


def test_shuffled_rates_are_those_of_the_first_run_of_the_same_batch(half_subject, tmp_path):
    subject = half_subject
    first, items = KVSmooth(lambda_ref=0.9), subject.items(IMAGES)
    said = [Speaker(subject, items, 2, 24, tmp_path).said(name, method) for name, method in (("a", first), ("b", ShuffledRates(first)))]
    texts, inputs = [], [subject.encode(part) for part in (items[:2], items[2:])]
    options = {"do_sample": False, "max_new_tokens": 24}
    for part in inputs:
        with first(subject.model) as run:
            subject.model.generate(**part, **options)
        with KVSmooth(lambda_ref=0.9, policy=Permuted(FirstPass(run.rates, run.steps)))(subject.model) as second:
            rows = subject.model.generate(**part, **options)
        torch.testing.assert_close(second.rates[: len(run.rates)].mean(), run.rates.mean(), rtol=0.05, atol=0)
        texts += [subject.text(row[part["input_ids"].shape[1] :].tolist()) for row in rows]
    assert said[1].texts == tuple(texts)
    assert said[1].report["change_key_mean"] != said[0].report["change_key_mean"], "the order counts"


def test_a_batch_counts_by_what_it_measured():
    assert weighted([{"a": (1.0, 1), "b": (2.0, 5)}, {"a": (4.0, 2)}]) == {"a": 3.0, "b": 2.0}
    assert weighted([{}, {}]) == {}


def test_captions_of_another_precision_lie_in_another_file(tmp_path):
    for method in (None, KVSmooth()):
        paths = set()
        for dtype in ("float32", "bfloat16"):
            subject = load_subject("emoji", dtype=dtype)
            paths.add(Speaker(subject, subject.items(1), 1, TOKENS, tmp_path).path("x", method))
        assert len(paths) == 2


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        (KVSmooth(), (KVSmooth, RowEntropy, Percentile)),
        (KVSmooth(score=KeyNorm(), policy=Inverse(Percentile())), (KVSmooth, KeyNorm, Inverse, Percentile)),
        (PAI(), (PAI,)),
    ],
    ids=["kvsmooth", "parts", "pai"],
)
def test_the_code_of_every_part_of_a_method_counts(method, parts, monkeypatch):
    asked = []
    monkeypatch.setattr(version, "code_version", lambda *modules: asked.extend(modules) or "hash")
    code_of(method)
    assert {*asked} >= {part.__module__ for part in parts}
