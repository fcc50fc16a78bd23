"""The command: what it refuses in one line, what it resumes, and a whole run on a few images against eager attention maps."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.sinks import reduce, results, scores
from analysis.sinks.__main__ import QUESTION, SinksConfig, main
from analysis.sinks.scores import detectors, look
from analysis.sinks.texts import measured, open_store, read, read_captions, write
from analysis.telling.wording import signed
from kvsmooth.sinks import SINKS
from kvsmooth.spans import GENERATED
from probes.command.cli import BadInput, Notice
from probes.session import Session
from tests.analysis.unlaid import UNLAID, unlaid
from tests.rounding import assert_close, of_model


@pytest.fixture(scope="module")
def subject(half_subject):
    return half_subject


@pytest.fixture
def items(subject):
    return subject.items(2)


CAPTIONS = {0: "The picture features a cake, a person, and a pizza in a restaurant.", 1: "The picture features a dog. There is a dog."}


def given(subject, items):
    return [subject.tokens(CAPTIONS[number % 2]) for number in range(len(items))]


def test_look_equals_loops_over_the_models_own_maps(subject, items):
    """Entropy, received attention and their relation, from eager attention in a loop over rows; the second text is padded."""
    captions = given(subject, items)
    found = look(subject, items, captions, detectors(subject))
    model = subject.model
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        for text, item, caption in zip(found, items, captions, strict=True):
            inputs = subject.encode([item])
            ids = torch.cat([inputs["input_ids"], torch.tensor([caption[:-1]])], 1)
            with torch.no_grad():
                out = model(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=inputs["pixel_values"], output_attentions=True)
            maps = torch.stack(out.attentions)[:, 0].double().numpy()
            prompt, size = inputs["input_ids"].shape[1], ids.shape[1]
            assert (text["tokens"] == ids[0].numpy()).all()
            assert ((text["groups"] == GENERATED) == (np.arange(size) >= prompt)).all()
            row = list(detectors(subject)).index("row_entropy")
            for layer in (0, 2, 5):
                entropy = [-sum(p * np.log(p) for p in maps[layer, head, t, : t + 1] if p > 0) for head in range(4) for t in range(size)]
                assert_close(text["scores"][row, layer], np.reshape(entropy, (4, size)).mean(0), of_model(model))
                for key in (0, 3):
                    later = maps[layer, :, prompt + key + 1 : prompt + key + 6, prompt + key].mean()
                    assert text["received"][1, layer, key] == pytest.approx(later, abs=of_model(model))
    finally:
        model.set_attn_implementation(before)


@pytest.mark.parametrize("lengths", [(1, 2, 25), pytest.param((1,), marks=pytest.mark.slow)])
def test_captions_of_one_token_and_short_ones_give_rows_with_reasons(subject, monkeypatch, lengths):
    """A model that ends at once has fed nothing: there is no token to score, and that is said."""
    monkeypatch.setattr(reduce, "RESAMPLES", 49)
    monkeypatch.setattr(results, "RESAMPLES", 49)
    items = subject.items(len(lengths))
    whole = subject.tokens(" ".join(CAPTIONS.values()))
    chosen = {name: detector for name, detector in detectors(subject).items() if name in ("row_entropy", "first_tokens", "key_norm")}
    found = look(subject, items, [whole[:length] for length in lengths], chosen)
    reduced = reduce.reduce(found, [item.image_id for item in items], chosen)
    rows = {row.name: row for row in results.results(reduced)}
    assert reduced["steps"].values.tolist() == [length - 1 for length in lengths]
    observed = [row.n for name, row in rows.items() if name.startswith("observation 2") and name.endswith("/observed")]
    assert observed == [int(25 in lengths)] * 16  # with the first token, and without it
    short = rows["prediction/within/row_entropy/w40"]
    assert np.isnan(short.estimate)
    assert short.reason
    assert np.isfinite(rows["prediction/within/row_entropy/w5"].estimate) == (25 in lengths)


OWN = """from kvsmooth.sinks import KeyNorm


class Short(KeyNorm):
    name = "short"

    def __call__(self, seen):
        return -super().__call__(seen)
"""


def test_a_detector_of_ones_own_is_asked_beside_the_others(subject, items, tmp_path, monkeypatch):
    (tmp_path / "sinks_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    assert SinksConfig(detectors=("sinks_of_mine:Short",)).detectors == ("sinks_of_mine:Short",)
    chosen = detectors(subject, ("sinks_of_mine:Short",))
    assert list(chosen) == [*detectors(subject), "short"]
    (text,) = look(subject, items[:1], given(subject, items[:1]), chosen)
    scores = dict(zip(chosen, text["scores"], strict=True))
    np.testing.assert_array_equal(scores["short"], -scores["key_norm"])
    with pytest.raises(ValueError, match=r"SinksConfig.detectors: key_norm is asked about anyway"):
        SinksConfig(detectors=("key_norm",))
    with pytest.raises(ValueError, match=r"SinksConfig.detectors: detector sinks_of_mine:Long: the module sinks_of_mine has no Long"):
        SinksConfig(detectors=("sinks_of_mine:Long",))


@pytest.mark.slow
def test_the_store_goes_on_where_it_was_left_and_knows_its_settings(subject, items, tmp_path):
    tokens = {item.image_id: caption for item, caption in zip(items, given(subject, items), strict=True)}
    session = Session(subject, items, {"baseline": None}, "replay", None, tokens, batch_size=1)
    first = list(measured(session, tmp_path / "store"))
    torn = tmp_path / "store" / f"{items[1].image_id}.npz"
    torn.write_bytes(torn.read_bytes()[:100])
    stamp = (tmp_path / "store" / f"{items[0].image_id}.npz").stat().st_mtime_ns
    again = list(measured(session, tmp_path / "store"))
    assert (tmp_path / "store" / f"{items[0].image_id}.npz").stat().st_mtime_ns == stamp
    for one, other in zip(first, again, strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])
    with pytest.raises(BadInput, match="was filled with another seed"):
        list(measured(session, tmp_path / "store", seed=1))


def test_a_file_of_another_image_is_not_taken(tmp_path):
    write(tmp_path / "1.npz", {"scores": np.ones(3)}, "abc")
    assert read(tmp_path / "1.npz", "abc")["scores"].tolist() == [1, 1, 1]
    assert read(tmp_path / "1.npz", "abd") is None
    assert read(tmp_path / "1.npz", "abc", ("scores",)) is not None
    assert read(tmp_path / "1.npz", "abc", ("scores", "received")) is None, "of an earlier version"
    assert read(tmp_path / "2.npz", "abc") is None


def test_a_file_that_is_damaged_anywhere_is_measured_again(tmp_path):
    path, draw = tmp_path / "1.npz", np.random.default_rng(0)
    write(path, {"scores": draw.random((3, 40))}, "abc")
    whole = path.read_bytes()
    for place in draw.integers(0, len(whole), 400):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = read(path, "abc")
        assert found is None or found["scores"].shape == (3, 40)


def test_texts_of_other_code_are_reused_with_a_notice(subject, items, tmp_path, monkeypatch):
    session = Session(subject, items[:1], {"baseline": None}, "replay", None, {items[0].image_id: CAPTIONS[0]}, max_new_tokens=17)
    (text,) = measured(session, tmp_path)
    assert (text["groups"] == GENERATED).sum() == 16  # the last of seventeen is not fed
    monkeypatch.setattr("analysis.sinks.texts.git_commit", lambda: "another")
    with pytest.warns(Notice, match="1 texts in .* are of another commit of the code and were reused"):
        list(measured(session, tmp_path))


@pytest.mark.parametrize("content", ["{", "[1]", "3"])
def test_damaged_settings_are_named(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(BadInput, match=r"settings\.json: is damaged; remove"):
        open_store(tmp_path, {"seed": 0})


@pytest.mark.parametrize(
    ("content", "said"), [("[1]", "is not a JSON object"), ("{", "is not a JSON object"), ('{"1": "a"}', "has no caption of image 2")]
)
def test_caption_files_are_refused_in_one_line(tmp_path, content, said):
    path = tmp_path / "captions.json"
    path.write_text(content)
    with pytest.raises(BadInput, match=said):
        read_captions(path, [1, 2])
    with pytest.raises(BadInput, match="cannot be read"):
        read_captions(tmp_path / "none.json", [1])


@pytest.mark.parametrize("options", [{"images": 0}, {"batch_size": 0}, {"seed": -1}, {"level": 1.0}])
def test_options_out_of_range_are_named(options):
    with pytest.raises(ValueError, match=rf"SinksConfig.{next(iter(options))} must"):
        SinksConfig(**options)


def test_a_redraw_without_files_says_what_to_run(tmp_path):
    with pytest.raises(BadInput, match=r"no such file to redraw from; run python -m analysis\.sinks"):
        main(SinksConfig(out=tmp_path, redraw=True))
    (tmp_path / "sinks.nc").write_bytes(b"torn")
    with pytest.raises(BadInput, match="cannot be read"):
        main(SinksConfig(out=tmp_path, redraw=True))


def page_of(folder):
    page = folder / "page.md"
    page.write_text("# Findings\n<!-- sinks -->\n<!-- /sinks -->\n")
    return page


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_committed_data_redraw(tmp_path, capsys):
    """figures/emoji/sinks holds all that its figures need."""
    committed = Path(__file__).parents[3] / "figures" / "emoji" / "sinks" / "sinks.nc"
    (tmp_path / "sinks.nc").write_bytes(committed.read_bytes())
    main(SinksConfig(out=tmp_path, page=page_of(tmp_path), redraw=True))
    assert "500 images" in capsys.readouterr().out
    made = json.loads((tmp_path / "sinks.json").read_text())["results"]
    assert made == json.loads((committed.parent / "sinks.json").read_text())["results"]
    assert committed.stat().st_size < 5e6


@pytest.mark.slow
@pytest.mark.usefixtures("halved")
@unlaid()
def test_a_whole_run_and_its_redraw(apart, tmp_path, capsys, monkeypatch):
    """Three images from their own captions to figures; the redraw makes the same bytes, and loads no model.

    Of some detectors: all are asked about a subject of other shape (`tests/analysis/question/test_foreign.py`), and drawn there.
    """
    some = ("row_entropy", "column_sum", "mean_received", "first_tokens", "key_norm", "massive_activation")
    monkeypatch.setattr(scores, "SINKS", {name: SINKS[name] for name in some})
    monkeypatch.setattr(reduce, "RESAMPLES", 49)
    monkeypatch.setattr(results, "RESAMPLES", 49)
    page = page_of(tmp_path)
    config = SinksConfig(
        images=3, out=tmp_path / "out", store=tmp_path / "store", recordings=tmp_path, page=page, max_new_tokens=30, batch_size=2
    )
    main(config)
    told = capsys.readouterr().out
    assert "Observation 2" in told
    assert "row entropy" in told
    rows = {row["name"]: row for row in json.loads((tmp_path / "out" / "sinks.json").read_text())["results"]}
    assert rows["observation 2/mean_received/pearson/uniform"]["estimate"] < -0.99
    first = rows["observation 2 without the first token/column_sum/cosine/observed"]["estimate"]
    assert f"the cosine is {signed(first)} [" in page.read_text()
    cosine = rows["observation 2/column_sum/cosine/observed"]["estimate"]
    assert f"| cosine | {signed(cosine)} [" in page.read_text()
    assert re.search(r"<!-- sinks -->\n\*\*[^*\n]+: the second observation is not testable here, [^*\n]+\.\*\*\n", page.read_text())
    assert rows["prediction/stratified/position/w20"]["estimate"] == 0.5
    assert rows["prevalence of the label/top/w20"]["estimate"] == pytest.approx(0.1, abs=0.02)
    with pytest.raises(BadInput, match=r"--images 7: .* was made with 3"):
        main(SinksConfig(images=7, out=tmp_path / "out", redraw=True))
    files = sorted((tmp_path / "out").iterdir())
    before = {path.name: path.read_bytes() for path in files}
    assert sum(name.endswith(".svg") for name in before) == 6
    (tmp_path / "out" / "sinks.json").unlink()
    code = f"{UNLAID}import sys; from pathlib import Path; from analysis.sinks import results\n"
    code += "from analysis.sinks.__main__ import SinksConfig, main; results.RESAMPLES = 49; "
    code += (
        f"main(SinksConfig(out=Path({str(tmp_path / 'out')!r}), page=Path({str(page)!r}), redraw=True)); assert 'torch' not in sys.modules"
    )
    apart(code)
    for path in files:
        assert path.read_bytes() == before[path.name], path.name


def test_reduced_data_survive_the_file(tmp_path):
    import xarray as xr

    values = np.array([[0.12341, np.nan, -1.0, 1.0]])
    data = xr.Dataset(dict.fromkeys(("spearman", "within", "rank_of"), (("image", "pair"), values)))
    QUESTION.write(data, tmp_path / "a.nc")
    found, _ = QUESTION.read(tmp_path / "a.nc")
    np.testing.assert_allclose(found["spearman"], values, atol=5e-5)
    np.testing.assert_allclose(found["within"], values, rtol=1e-6)
    QUESTION.write(data.drop_vars("rank_of"), tmp_path / "a.nc")
    with pytest.raises(BadInput, match=r"cannot be read \(KeyError\); run python -m analysis\.sinks without"):  # of an earlier version
        QUESTION.read(tmp_path / "a.nc")
