"""The card's counts against plain loops, its page, and its search for sinks on attention that has one."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.captions.shares import COLUMNS, estimates, overlap, shares, table, third
from analysis.card import claims as card_claims
from analysis.card.__main__ import CardConfig, main, others_of, placed
from analysis.card.conditions import captions, conditions, shuffled
from analysis.card.page import END, ROWS, START, _claims, filled, markdown
from analysis.card.readers import CARDS, card_of
from analysis.card.sinks import KEYS, LATER, received, search
from analysis.metrics.chair import score_caption
from analysis.stats.bootstrap import cluster_bca, ratio
from probes.command.cli import BadInput
from probes.command.files import write_bytes
from probes.subjects.bundled import BUNDLED
from probes.subjects.emoji import build, scenes
from probes.subjects.emoji.captions import describe
from probes.subjects.emoji.vocabulary import BY_NAME

CAPTIONS = ("A dog and a cat. A cup here. A pizza.", "A dog. A dog. A kite.", "Nothing at all. Nothing at all.")
TRUTH = ({"dog", "cup"}, {"dog"}, {"cat"})


@pytest.fixture(scope="module")
def counts():
    return table([score_caption(text, truth) for text, truth in zip(CAPTIONS, TRUTH, strict=True)], CAPTIONS)


def test_shares_of_hand_counted_captions(counts):
    got = {name: float(value) for name, value in shares(counts.sum(0)).items()}
    assert got["chair_s"] == pytest.approx(2 / 3)
    assert got["chair_i"] == pytest.approx(3 / 7)
    assert got["recall"] == pytest.approx(3 / 4)
    assert got["precision"] == pytest.approx(3 / 6)
    assert got["repeated_sentences"] == pytest.approx(2 / 8)
    # "a dog . a | dog . a dog | ..." and "nothing at all . | at all . nothing | ...": of 10, 6 and 5 runs, 0, 1 and 1 occurred before
    assert got["repeated_4grams"] == pytest.approx(2 / (10 + 6 + 5))
    assert got["hallucinated_first_third"] == pytest.approx(1 / 3)
    assert got["hallucinated_last_third"] == 1.0
    assert got["late_minus_early"] == pytest.approx(2 / 3)


def test_thirds_are_of_characters():
    assert [third(start, 9) for start in (0, 2, 3, 5, 6, 8)] == ["first", "first", "middle", "middle", "last", "last"]


def test_intervals_hold_the_estimate_and_repeat(counts):
    many = np.tile(counts[:2], (20, 1))
    found = estimates(many, draws=200, seed=3)
    low, high = found["chair_i"].interval
    assert low < found["chair_i"].estimate < high
    assert estimates(many, draws=200, seed=3) == found
    assert found["chair_s"].interval is None


def test_intervals_are_those_of_the_other_questions(counts):
    """BCa over images of `analysis.stats`, of a measure that is a ratio of sums."""
    many = np.tile(counts[:2], (20, 1))
    above, below = (many[:, [COLUMNS.index(name)]] for name in ("hallucinated", "mentions"))
    expected = cluster_bca(ratio(above, below), len(many), resamples=200, seed=3)
    assert estimates(many, draws=200, seed=3)["chair_i"].interval == pytest.approx((expected.low[0], expected.high[0]), abs=1e-12)
    assert all(one.interval is None for one in estimates(counts[:1], draws=50, seed=0).values())


def test_overlap_is_jaccard_and_leaves_out_empty_pairs():
    assert overlap({1: frozenset("ab"), 2: frozenset()}, {1: frozenset("bc"), 2: frozenset()}) == pytest.approx(1 / 3)
    assert math.isnan(overlap({1: frozenset()}, {1: frozenset()}))
    records = [score_caption(text, ()) for text in CAPTIONS]
    assert others_of(records, records) == {"overlap_with_baseline": 1.0}


def test_shuffling_keeps_the_patches():
    image = scenes(1)[0].image
    mixed = shuffled(image, 1)
    assert mixed.tobytes() != image.tobytes()
    assert sorted(mixed.tobytes()) == sorted(image.tobytes())
    assert shuffled(image, 1).tobytes() == mixed.tobytes()


def test_received_attention_is_the_mean_over_later_queries():
    attention = torch.rand(2, 3, 40, 40).tril()
    attention /= attention.sum(-1, keepdim=True)
    got = received(attention)
    for key in range(40):
        want = attention[..., key + 1 :, key].mean(-1)
        assert torch.allclose(got[..., key], want) if 39 - key >= LATER else got[..., key].isnan().all()


def test_page_keeps_what_is_written_by_hand():
    page = filled("# Card\n", "| a |")
    assert page == f"# Card\n{START}\n| a |\n{END}\n"
    assert filled(page + "more\n", "| b |") == f"# Card\n{START}\n| b |\n{END}\nmore\n"


@pytest.mark.parametrize("page", [f"a {START} b", f"a {END} b", f"{END} {START}", f"{START}{END}{START}{END}"])
def test_a_page_with_half_of_its_markers_loses_nothing(page, tmp_path):
    with pytest.raises(BadInput, match="each once; mend the page by hand"):
        filled(page, "| a |")
    (tmp_path / "subject.md").write_text(page)
    with pytest.raises(BadInput, match="mend the page"):  # before anything is captioned
        main(CardConfig(scenes=1, out=tmp_path))
    assert (tmp_path / "subject.md").read_text() == page


def test_conditions_end_with_the_arms_that_smooth():
    names = [condition.name for condition in conditions(scenes(2), 0, smoothing=True)]
    assert names[:3] == ["baseline", "blank image", "shuffled patches"]
    assert [name for name in names[3:] if "KVSmooth" in name or "constant" in name] == names[3:]
    assert len(conditions(scenes(2), 0, smoothing=False)) == 3


@pytest.fixture
def brief(subject, monkeypatch):
    """The bundled subject, which says a few words."""
    monkeypatch.setattr(subject.model.generation_config, "max_new_tokens", 6)
    return subject


@pytest.mark.slow
def test_captions_of_patches_shuffled_another_way_are_not_taken_from_the_cache(brief, tmp_path):
    drawn = scenes(1)
    first, again, other = (conditions(drawn, seed, smoothing=False)[2] for seed in (0, 0, 1))
    said = captions(brief, first, 1, 1, tmp_path)
    (kept,) = tmp_path.glob("*.json")
    write_bytes(kept, b'["A dog."]')
    assert captions(brief, again, 1, 1, tmp_path) == ["A dog."] != said
    assert captions(brief, other, 1, 1, tmp_path) != ["A dog."]


@pytest.mark.slow
def test_captions_of_weights_whose_hashes_begin_alike_are_not_taken_for_each_other(brief, tmp_path):
    plain, *_ = conditions(scenes(1), 0, smoothing=False)
    for number, revision in enumerate(("sha256:0123456789aaaa", "sha256:0123456789bbbb"), 1):
        captions(replace(brief, revision=revision), plain, 1, 1, tmp_path)
        assert len(list(tmp_path.glob("*.json"))) == number


@pytest.mark.slow
def test_the_card_of_an_untrained_subject(tmp_path, monkeypatch):
    model, processor = build(0)
    model.generation_config.max_new_tokens = 10
    model.save_pretrained(tmp_path / "weights")
    processor.save_pretrained(tmp_path / "weights")
    docs, cache = tmp_path / "docs", tmp_path / "cache"
    config = CardConfig(scenes=4, out=docs, subject=str(tmp_path / "weights"), sink_scenes=1, prior_scenes=2, draws=50, cache=cache)
    main(config)
    first = (docs / "subject.md").read_text()
    assert (docs / "subject.json").stat().st_size > 1000
    stated = json.loads((docs / "subject.json").read_text())["provenance"]["config"]
    assert (stated["out"], stated["cache"]) == ("docs", None), "a place of this disk"
    assert len(list(cache.glob("*.json"))) == 7
    main(config)
    assert (docs / "subject.md").read_text() == first

    def meanwhile(*found):
        write_bytes(docs / "subject.md", f"{first}by hand\n".encode())
        return markdown(*found)

    monkeypatch.setattr("analysis.card.__main__.markdown", meanwhile)
    main(config)
    assert (docs / "subject.md").read_text() == f"{first}by hand\n", "what is written meanwhile stays"


def test_claims_of_the_training_captions_are_true():
    drawn = scenes(60, "train")
    got = card_claims.shares([describe(item) for item in drawn], drawn)
    assert (got["side_true"], got["height_true"], got["number_true"]) == (1.0, 1.0, 1.0)
    assert 0.9 < got["side_claims"] <= 1.0
    assert 0.9 < got["number_claims"] <= 1.0


def test_false_claims_and_claims_of_an_object_with_itself():
    item = scenes(1)[0]
    left, right = BY_NAME[item.objects[0].category].noun, BY_NAME[item.objects[-1].category].noun
    wrong = (
        f"The {left} is to the right of the {right}. The {left} is positioned higher than the {left}. There are six {right}s in the image."
    )
    got = card_claims.claims(wrong, item)
    assert (got["side", "false"], got["height", "itself"], got["number", "false"]) == (1, 1, 1)


def test_two_words_that_name_nothing_are_not_one_object_with_itself():
    (text,) = (f"The {left} is to the right of the {right}." for left, right in [("thingamajig", "whatsit")])
    assert card_claims.claims(text, scenes(1)[0]) == {("side", "false"): 1}


def test_a_sentence_on_one_object_does_not_compare_it_with_itself():
    said = {"side": 0.25, "place": 0.0}
    rows = {f"baseline: {kind}_{what}": {"estimate": value} for kind, value in said.items() for what in ("claims", "true", "itself")}
    lines = _claims(rows, {"side": "beside", "place": "where it is"})
    assert [line.split(" | ")[-1] for line in lines[2:]] == ["0.250 |", "– |"]


def test_a_committed_card_is_written_by_the_defaults_alone():
    assert placed(CardConfig()) == placed(CardConfig(subject="smollm2", cache=Path("x"))) == Path("docs")
    assert placed(CardConfig(scenes=4)) == placed(CardConfig(scenes=4, out=Path("docs").resolve())) == Path("out/emoji-4")
    assert placed(CardConfig(subject="smollm2@early")) == Path("out/smollm2@early-500")
    assert placed(CardConfig(scenes=4, out=Path("mine"))) == Path("mine")


def test_each_bundled_subject_has_a_card_with_bars_that_it_measures():
    assert CARDS.keys() == BUNDLED.keys()
    for name in CARDS:
        assert card_of(name).bars.keys() <= ROWS.keys()
    with pytest.raises(BadInput, match="a card is made of a bundled subject"):
        card_of("mine")


def test_the_caption_s_attention_on_its_groups_sums_to_one(subject):
    items = subject.items(2)
    got = search(subject, items, ["A dog and a cat in the picture."] * 2)
    assert set(got["mass_by_layer"]) == set(KEYS)
    assert np.allclose(np.sum(list(got["mass_by_layer"].values()), 0), 1, atol=1e-5)
    assert got["mass_by_layer"]["image"][0] > 0.05
    (most, *_) = got["largest_activation_places"]
    assert 0 < most["share"] <= 1
