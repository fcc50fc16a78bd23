"""From a model's maps to paragraphs: against loops over eager attention, and on planted captions with every sink and with none."""

import json

import numpy as np
import pytest
import torch

from analysis.question.question import by_name
from analysis.sinks.anatomy import results
from analysis.sinks.anatomy.findings import paragraphs
from analysis.sinks.anatomy.look import look
from analysis.sinks.anatomy.reduce import reduce
from analysis.sinks.scores import LATER
from analysis.stats.rows import as_json
from kvsmooth.spans import BOS, GENERATED, IMAGE, PROMPT
from probes import load_subject
from tests.rounding import assert_close, of_model

CAPTIONS = ("The picture features a cake, a person, and a pizza in a restaurant.", "The picture features a dog. There is a dog.")
LAYERS, HEADS, TOKENS, PATCHES = 6, 4, 60, 16


def test_look_equals_loops_over_the_models_own_maps():
    """Two captions of unlike length, so that the second is padded."""
    subject = load_subject("emoji")
    items, captions = subject.items(2), [subject.tokens(text) for text in CAPTIONS]
    found = look(subject, items, captions)
    model = subject.model
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        for text, item, caption in zip(found, items, captions, strict=True):
            inputs = subject.encode([item])
            ids = torch.cat([inputs["input_ids"], torch.tensor([caption[:-1]])], 1)
            given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": inputs["pixel_values"]}
            with torch.no_grad():
                out = model(**given, output_attentions=True, use_cache=True)
                tower = model.get_encoder(modality="image")(inputs["pixel_values"], output_hidden_states=True).hidden_states
            maps = torch.stack(out.attentions)[:, 0].double().numpy()
            prompt, size = inputs["input_ids"].shape[1], ids.shape[1]
            assert (text["tokens"] == ids[0].numpy()).all()
            for layer in (0, 7):
                values = out.past_key_values.layers[layer].values[0].double().numpy()
                for head in (0, 3):
                    rows = maps[layer, head, prompt:]
                    singular = np.linalg.svd(rows @ values[head], compute_uv=False)
                    assert text["rank"][0, 0, layer, head] == pytest.approx((singular**2).sum() / singular[0] ** 2, rel=1e-3)
                    key = int(rows.mean(0).argmax())
                    assert text["share"][layer, head] == pytest.approx(rows.mean(0)[key], abs=of_model(model))
                    assert text["first"][layer, head] == (key == 0)
                    others = np.delete(np.linalg.norm(values[head], axis=-1), key)
                    middle = np.sort(others)[(len(others) - 1) // 2]
                    assert text["drain"][layer, head] == pytest.approx(np.linalg.norm(values[head, key]) / middle, rel=1e-3)
                    flat = np.stack([values[head, : prompt + q + 1].mean(0) for q in range(size - prompt)])
                    singular = np.linalg.svd(flat, compute_uv=False)
                    assert text["rank"][0, 2, layer, head] == pytest.approx((singular**2).sum() / singular[0] ** 2, rel=1e-3)
                token = 5
                most = max(maps[layer, head, token:, token].mean() for head in range(4))
                assert text["received"][layer, token] == pytest.approx(most, abs=of_model(model))
                place = int(np.flatnonzero(text["groups"] == IMAGE)[3])
                assert text["seen"][layer, 3] == pytest.approx(maps[layer, :, prompt:, place].mean(), abs=of_model(model))
            assert np.isnan(text["received"][:, size - LATER :]).all()
            assert_close(text["norms"][2], tower[3][0, 1:].norm(dim=-1).numpy(), of_model(model))
    finally:
        model.set_attn_implementation(before)


def planted(seed, *, sinks):
    """The arrays of one caption; with `sinks`, half of the heads lean on the first token, bright patches are outliers, one token lives."""
    draw = np.random.default_rng(seed)
    share, stable = draw.uniform(0.02, 0.2, (LAYERS, HEADS)), draw.uniform(2, 3, (LAYERS, HEADS))
    ranks = np.stack([stable, stable + 0.1, np.full_like(stable, 1.02)])
    norms, contrast, seen = draw.normal(10, 1, (3, PATCHES)), draw.random(PATCHES), draw.uniform(0.01, 0.02, (LAYERS, PATCHES))
    received = np.full((LAYERS, TOKENS), 0.05)
    groups = np.array([BOS] + [IMAGE] * PATCHES + [PROMPT] * 10 + [GENERATED] * (TOKENS - PATCHES - 11), dtype=np.int8)
    if sinks:
        share[:, :2] = draw.uniform(0.5, 0.9, (LAYERS, 2))
        ranks[0, :, :2] = draw.uniform(1.01, 1.05, (LAYERS, 2))
        norms[2, 4], contrast[4] = 60.0, 3.0
        seen[:, 4] *= 4
        received[1:, 0] = 0.6
        received[2:5, 20] = 0.5
    return {
        "rank": np.stack([ranks, 4 * ranks]),
        "share": share,
        "energy": np.where(share > 0.3, 0.95, 0.1),
        "first": (share > 0.3).astype(float),
        "drain": np.where(share > 0.3, 0.9, 1.0),
        "received": received,
        "seen": seen,
        "norms": norms,
        "contrast": contrast,
        "tokens": np.arange(TOKENS, dtype=np.int32),
        "groups": groups,
    }


def told(texts, read=2):
    data = reduce(texts, list(range(len(texts))), read, lambda token: f"<{token}>")
    rows = by_name(json.loads(as_json(results.results(data), {}))["results"])
    return data, rows, paragraphs(data, rows)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(results, "RESAMPLES", 99)


def test_planted_sinks_are_told():
    _, rows, (ranks, tower, secondary) = told([planted(seed, sinks=True) for seed in range(12)])
    assert rows["anatomy/heads/lean on one token"]["estimate"] == 0.5
    assert rows["anatomy/near rank one/sink/stable"]["estimate"] == 1
    assert rows["anatomy/near rank one/other/stable"]["estimate"] == 0
    assert rows["anatomy/rank/sink minus other/stable/observed"]["interval"][1] < -1
    assert rows["anatomy/rank/relation with share/stable/observed"]["p_adjusted"] < 0.01
    assert rows["anatomy/rank/relation with share/stable/without"]["p_adjusted"] > 0.05
    assert "50 % of the heads give more than 0.3" in ranks
    assert "effective rank is lower than that of other heads" in ranks
    assert np.exp(rows["anatomy/tower/attention/outliers over others"]["estimate"]) == pytest.approx(4, rel=0.1)
    assert "1.00 of 16 patches" in tower
    lives = rows["anatomy/secondary/prompt"], rows["anatomy/secondary/birth"], rows["anatomy/secondary/lifetime"]
    assert [row["estimate"] for row in lives] == [1, 2, 3]
    assert rows["anatomy/first token/birth"]["estimate"] == 1
    assert "the most common are `<20>` 100 %" in secondary
    assert "the first token in layer 1.00" in secondary


def test_what_the_subject_lacks_is_not_testable():
    _, rows, (ranks, tower, secondary) = told([planted(seed, sinks=False) for seed in range(12)])
    assert all("not testable here" in part for part in (ranks, tower, secondary))
    assert rows["anatomy/rank/sink/stable/observed"]["reason"] == "no image has a value"
    assert np.isnan(rows["anatomy/rank/sink minus other/stable/observed"]["p"])


def test_a_tower_that_packs_its_patches_is_said_to_do_so():
    texts = [{**planted(seed, sinks=True), "norms": np.zeros((0, PATCHES))} for seed in range(5)]
    data, _, (_, tower, _) = told(texts, read=None)
    assert "not one to one" in tower
    assert json.loads(data.attrs["anatomy"])["read"] == -1


def test_a_caption_that_ends_at_once_has_no_ranks():
    subject = load_subject("emoji")
    (text,) = look(subject, subject.items(1), [[subject.tokenizer.eos_token_id]])
    assert np.isnan(text["rank"]).all()
    assert np.isnan(text["share"]).all()
    data = reduce([text], [0], 4, str)
    assert np.isnan(data["rank_of"]).all()
    assert np.isnan(data["rank_relation"]).all()


def test_one_caption_equals_sums_by_hand():
    text = planted(3, sinks=True)
    data = reduce([text], [0], 2, str)
    own = data.isel(scene=0)
    stable = [text["rank"][0, 0, layer, head] for layer in range(LAYERS) for head in range(HEADS) if text["share"][layer, head] > 0.3]
    assert float(own["rank_of"].sel(heads="sink", measure="stable", version="observed")) == pytest.approx(np.mean(stable))
    assert float(own["seen_on"].sel(patches="outlier")) == pytest.approx(text["seen"][:, 4].mean())
    assert float(own["seen_on"].sel(patches="other")) == pytest.approx(np.delete(text["seen"], 4, axis=1).mean())
    assert own["born"].values.tolist() == [0, 0, 1, 0, 0, 0]
    assert own["alive"].values.tolist() == [0, 0, 1, 1, 1, 0]
    assert own["first_alive"].values.tolist() == [0, 1, 1, 1, 1, 1]
