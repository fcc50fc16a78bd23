"""Mediation: slots and outcomes against slow references, effects that add up, planted cases, and the command from end to end."""

import functools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from analysis.mediation import batches, command, counterfactuals
from analysis.mediation.config import MediationConfig
from analysis.mediation.counterfactuals import worlds
from analysis.mediation.effects import EFFECTS, effect_of, results
from analysis.mediation.names import ARMS, CONSTANT, METHOD, MIXES, WORLDS
from analysis.mediation.outcomes import OUTCOMES, means, outcomes
from analysis.mediation.slots import object_tokens, sentence_ends, slots
from kvsmooth import KVSmooth
from probes.command.cli import BadInput
from probes.patching import patched
from probes.subjects import Subject
from probes.subjects.emoji import build as build_emoji
from probes.tracing.tracing import Tracing
from tests.analysis.unlaid import unlaid
from tests.rounding import SUM, assert_close, bound
from tests.zoo import build

CAPTIONS = ([7, 9, 30, 22, 8], [12, 13, 41])
STEPS = max(map(len, CAPTIONS)) - 1
"""At which something may be smoothed."""
TEXT = "The picture features a cake, a person, and a hot dog. There is only one cake in the image. A bear is to the right."


@pytest.fixture(scope="module")
def wordy():
    """The bundled subject with random weights: its tokenizer is what counts here."""
    model, processor = build_emoji(0)
    return Subject("random", model, processor)


def test_mentions_are_found_at_the_token_with_which_they_begin(wordy):
    tokens = wordy.tokens(TEXT)
    truth = frozenset({"cake", "hot dog", "chair"})
    found = slots(wordy, tokens, truth)
    assert [wordy.pieces([tokens[slot.step]])[0] for slot in found] == ["▁cake", "▁person", "▁hot", "▁cake", "▁bear"]
    assert [slot.object for slot in found] == ["cake", "person", "hot dog", "cake", "bear"]
    assert [slot.hallucinated for slot in found] == [False, True, False, False, True]
    left = [{"cake", "hot dog", "chair"}, {"hot dog", "chair"}, {"hot dog", "chair"}, {"chair"}, {"chair"}]
    assert [set(slot.unmentioned) for slot in found] == left
    ends = [tokens[step] for step in sentence_ends(wordy, tokens)]
    assert wordy.pieces(ends) == ["▁There", "▁A", "</s>"]


def test_a_token_stands_for_one_object_or_for_none(wordy):
    vocabulary = {wordy.pieces([token])[0]: name for token, name in object_tokens(wordy.tokenizer).items()}
    assert vocabulary["▁dog"] == vocabulary["▁dogs"] == "dog"
    assert vocabulary["▁hot"] == "hot dog"
    assert vocabulary["▁people"] == "person"
    assert vocabulary["▁mice"] == "mouse"
    assert "▁stop" not in vocabulary  # a stop sign, or a stop light
    assert not {"▁pair", "▁piece", "▁a", "<unk>"} & vocabulary.keys()


def test_outcomes_equal_a_slow_sum_of_probabilities(wordy):
    tokens, truth = wordy.tokens(TEXT), frozenset({"cake", "hot dog", "chair"})
    mentions, may_end, vocabulary = slots(wordy, tokens, truth), sentence_ends(wordy, tokens), object_tokens(wordy.tokenizer)
    draw = np.random.default_rng(0)
    log_p = draw.normal(size=(len(tokens), len(wordy.tokenizer)))
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    columns = {token: token for token in range(len(wordy.tokenizer))}
    found = outcomes(log_p, columns, tokens, mentions, may_end, [2], vocabulary)
    slow: dict[str, list[float]] = {name: [] for name in OUTCOMES}
    named: set[str] = set()
    for slot in mentions:
        present = sum(math.exp(log_p[slot.step, token]) for token, name in vocabulary.items() if name in truth and name not in named)
        absent = sum(math.exp(log_p[slot.step, token]) for token, name in vocabulary.items() if name not in truth)
        slow["present"].append(math.log(present))
        slow["absent"].append(math.log(absent))
        slow["margin"].append(math.log(present / absent))
        slow["hallucinated" if slot.object not in truth else "true"].append(log_p[slot.step, tokens[slot.step]])
        named.add(slot.object)
    slow["end"] = [log_p[step, 2] for step in may_end]
    for name in OUTCOMES:
        assert found[name] == pytest.approx(slow[name], abs=1e-12), name
    mean, count = means(found)
    assert count.tolist() == [5, 5, 5, 3, 2, 3]
    assert mean == pytest.approx([np.mean(slow[name]) for name in OUTCOMES])


def test_where_everything_was_named_there_is_no_margin(wordy):
    tokens = wordy.tokens("There is a cake and a cake.")
    mentions = slots(wordy, tokens, frozenset({"cake"}))
    log_p = np.full((len(tokens), len(wordy.tokenizer)), -3.0)
    columns = {token: token for token in range(len(wordy.tokenizer))}
    found = outcomes(log_p, columns, tokens, mentions, [], [], object_tokens(wordy.tokenizer))
    assert (len(found["present"]), len(found["margin"]), len(found["absent"]), len(found["end"])) == (1, 1, 2, 0)
    assert math.isnan(means(found)[0][list(OUTCOMES).index("end")])


@pytest.fixture(scope="module")
def planted():
    """200 images: contents add 0.5 to the margin, attention takes 0.2, together 0.1 more; nothing else changes."""
    draw = np.random.default_rng(1)
    images = 200
    base = draw.normal(size=(images, len(OUTCOMES)))
    mean = np.stack([np.stack([base + 0.3 * draw.normal(size=base.shape) for _ in WORLDS]) for _ in ARMS])
    margin, world = list(OUTCOMES).index("margin"), list(WORLDS)
    for name, shift in {"10": 0.5, "01": -0.2, "11": 0.4, "clamped": 0.4}.items():
        mean[0, world.index(name), :, margin] += shift
    mean[0, :, :3, margin] = np.nan
    coords = {"arm": list(ARMS), "world": world, "image": range(images), "outcome": list(OUTCOMES)}
    return xr.Dataset({"outcome_mean": (("arm", "world", "image", "outcome"), mean)}, coords=coords)


def test_effects_add_up_in_every_image(planted):
    for arm in ARMS:
        for outcome in OUTCOMES:
            total, direct, indirect, interaction = (effect_of(planted, arm, outcome, name) for name in list(EFFECTS)[:4])
            there = np.isfinite(total)
            assert np.allclose((direct + indirect + interaction)[there], total[there], atol=1e-12, rtol=0)
    weights = {name: np.array([EFFECTS[name].get(world, 0) for world in WORLDS]) for name in EFFECTS}
    assert (weights["direct"] + weights["indirect"] + weights["interaction"] == weights["total"]).all()


@pytest.mark.usefixtures("few_resamples")
def test_planted_effects_are_found_and_nothing_else(planted):
    rows = {row.name: row for row in results(planted, seed=0)}
    wanted = {"total": 0.4, "direct": 0.5, "indirect": -0.2, "interaction": 0.1, "visual_mass": 0.0}
    for effect, size in wanted.items():
        row = rows[f"kvsmooth/margin/{effect}"]
        assert row.interval[0] - 0.02 <= size <= row.interval[1] + 0.02, effect
        assert row.n == 197
    primary = [row for row in rows.values() if row.role == "primary"]
    assert [row.name for row in primary] == [f"kvsmooth/margin/{effect}" for effect in ("total", "direct", "indirect")]
    assert all(row.adjustment == "Holm over 3 primary effects" and row.p_adjusted < 0.01 for row in primary)
    null = [row for row in rows.values() if row.where["contrast"] == "constant" and row.role == "exploratory"]
    assert len(null) == len(OUTCOMES) * len(EFFECTS)
    assert all(row.adjustment == "max-T over 30 effects of constant" for row in null)
    assert sum(row.p_adjusted < 0.05 for row in null) == 0
    assert rows["kvsmooth - constant/margin/direct"].estimate == pytest.approx(
        rows["kvsmooth/margin/direct"].estimate - np.nanmean(effect_of(planted, "constant", "margin", "direct")[3:]), abs=1e-9
    )
    assert rows["level/kvsmooth/margin/00"].test == ""


def gaps(one: torch.Tensor, other: torch.Tensor) -> list[float]:
    """Largest difference by step, over the steps that are a row's own, in units of what rounding explains."""
    differences = (one - other).abs().amax(-1) / bound(other)
    return [max(differences[step, row].item() for row in range(2) if step < len(CAPTIONS[row])) for step in range(len(differences))]


@pytest.mark.parametrize("family", ["llava", pytest.param("gemma3", marks=pytest.mark.slow)])
def test_worlds_of_keys_only_have_no_direct_and_of_values_only_no_early_indirect_effect(family, monkeypatch):
    """Every arm with one family; how a mix changes contents is not the family's."""
    arms = ARMS if family == "llava" else (METHOD, CONSTANT)
    monkeypatch.setattr(counterfactuals, "ARMS", arms)
    model, inputs = build(family, batch=2)
    tracing = Tracing(model)
    method = KVSmooth(layers=range(1, 3), window=4)
    keys = worlds(tracing, inputs, CAPTIONS, replace(method, values=False), range(64)).log_probabilities
    values = worlds(tracing, inputs, CAPTIONS, replace(method, keys=False), range(64)).log_probabilities
    for arm in arms:
        assert max(gaps(keys[arm]["10"], keys[arm]["00"])) <= 1
        assert max(gaps(keys[arm]["11"], keys[arm]["00"])) > 10
        assert max(gaps(keys[arm]["01"], keys[arm]["11"])) <= 1  # so that all of it is indirect
        early, late = gaps(values[arm]["01"], values[arm]["00"])[:2], gaps(values[arm]["01"], values[arm]["00"])[2:]
        assert max(early) <= 1
        assert max(late) > 2
        assert max(gaps(values[arm]["10"], values[arm]["00"])) > 10


@pytest.mark.slow
def test_the_worlds_share_one_treatment_and_its_control_has_the_same_mean(monkeypatch):
    model, inputs = build("llava", batch=2)
    tracing = Tracing(model)
    method = KVSmooth(layers=[1, 2], window=4)
    found = worlds(tracing, inputs, CAPTIONS, method, range(64))
    plain = patched(tracing, inputs, CAPTIONS, method, tokens=range(64))
    assert torch.equal(found.log_probabilities["kvsmooth"]["11"], plain.log_probabilities)
    own = [plain.run.rates[: len(caption) - 1, :, row].mean() for row, caption in enumerate(CAPTIONS)]
    assert_close(found.rates["kvsmooth"], torch.stack(own), SUM)
    assert_close(found.rates["constant"], found.rates["kvsmooth"], SUM)
    for mix in MIXES:
        other = patched(tracing, inputs, CAPTIONS, replace(method, mix=mix), tokens=range(64))
        assert torch.equal(found.log_probabilities[mix]["11"], other.log_probabilities), mix
        assert not torch.equal(other.log_probabilities, plain.log_probabilities)
    # in each arm three patched worlds, three layers
    assert found.patched == len(ARMS) * 3 * 3 * STEPS
    monkeypatch.setattr(counterfactuals, "ARMS", (METHOD,))
    banded = worlds(tracing, inputs, CAPTIONS, method, range(64), layers=[1, 2])
    assert banded.patched == 3 * 2 * STEPS
    # below the band nothing differs between the runs
    assert max(gaps(banded.log_probabilities["kvsmooth"]["01"], found.log_probabilities["kvsmooth"]["01"])) <= 1


@pytest.mark.slow
@pytest.mark.usefixtures("few_resamples", "halved")
@unlaid()
def test_the_command_resumes_and_redraws_without_a_model(tmp_path, monkeypatch, capsys):
    page = tmp_path / "findings.md"
    page.write_text("<!-- mediation -->\n<!-- /mediation -->\n")
    places = {"out": tmp_path / "figures", "store": tmp_path / "store", "page": page}
    config = MediationConfig(images=3, batch_size=2, max_new_tokens=5, **places)
    one_batch, patched_now = batches.one_batch, []

    @functools.cache
    def of(images):
        return one_batch(*given[images])

    given = {}

    def once(*asked):
        """Counted; what the same images gave before, as it takes seconds."""
        patched_now.append(tuple(item.image_id for item in asked[1].items))
        given[patched_now[-1]] = asked
        return of(patched_now[-1])

    monkeypatch.setattr(batches, "one_batch", once)
    command.perform(config)
    first = {path.name: path.read_bytes() for path in config.out.iterdir()}
    assert first.keys() == {"mediation.nc", "mediation.json", "mediation.svg", "mediation_controls.svg"}
    found = json.loads(first["mediation.json"])
    assert found["counts"]["images"] == 3
    assert found["counts"]["mentions"] > 0
    # in each arm three patched worlds, six layers, all steps but the prompt's
    assert found["counts"]["attention calls replaced in an image's batch, fewest"] == len(ARMS) * 3 * 6 * 4
    assert "total" in capsys.readouterr().out
    told = page.read_text()
    assert told.startswith("<!-- mediation -->\n**At the mentions of captions written without smoothing, KVSmooth ")

    def never(*args, **kwargs):
        raise AssertionError("a model was loaded")

    torn = next(config.store.rglob("batch_000002_1.nc"))
    torn.write_bytes(torn.read_bytes()[:-500])
    images = patched_now.copy()
    patched_now.clear()
    with monkeypatch.context() as patch:
        patch.setattr("analysis.plots.style.save", lambda *given: None)  # drawn already
        command.perform(config)
    assert patched_now == images[1:], "the torn batch is patched anew, and no finished one"
    assert (config.out / "mediation.json").read_bytes() == first["mediation.json"]
    monkeypatch.setattr(command, "measure", never)
    command.perform(replace(config, redraw=True))
    assert {path.name: path.read_bytes() for path in config.out.iterdir()} == first
    assert page.read_text() == told
    with pytest.raises(BadInput, match=r"--lambda-ref 0\.9"):
        command.perform(replace(config, redraw=True, lambda_ref=0.9))


@pytest.mark.parametrize(
    ("name", "value"), [("images", 0), ("max_new_tokens", 1), ("seed", -1), ("where", "some"), ("lambda_ref", 1.5), ("level", 1.0)]
)
def test_options_have_laws(name, value):
    with pytest.raises(ValueError, match=rf"MediationConfig\.{name} must .*; got {value!r}\."):
        MediationConfig(**{name: value})
