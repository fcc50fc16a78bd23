"""Observation 2 without the first token in the entropy: loops over rows, planted sinks, and rows of their own that change no other."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr
from matplotlib.figure import Figure
from scipy import stats

from analysis.sinks import results
from analysis.sinks.drawings import histogram
from analysis.sinks.findings import _without_first, verdict
from analysis.sinks.names import OBSERVATION, WITHOUT_FIRST
from analysis.sinks.observation import RECEIVED, RELATIONS, VARIANTS
from analysis.sinks.scores import _of_text
from analysis.sinks.targets import WINDOWS
from analysis.stats.rows import Row
from kvsmooth.spans import GENERATED, PROMPT

IMAGE, SEED = 7, 3
BOTH = ("observed", "observed_without_first")


def observed(rows, prompt, image=IMAGE):
    """The two arrays of one layer of one text, from its whole attention map."""
    group = torch.tensor([PROMPT] * prompt + [GENERATED] * (rows.shape[1] - prompt))
    found = _of_text(torch.from_numpy(rows).float(), group, image, SEED, WINDOWS)
    return [found[name] for name in BOTH]


def random_rows(tokens, heads=2, first=0.5):
    """Random causal attention that gives the first key about `first` of each row."""
    draw = np.random.default_rng(1)
    weight = draw.gamma(0.7, size=(heads, tokens, tokens)) * np.tri(tokens)
    weight[:, 1:, 0] = (weight[:, 1:].sum(-1) - weight[:, 1:, 0]) * first / (1 - first) * draw.uniform(0.2, 1.8, (heads, tokens - 1))
    return weight / weight.sum(-1, keepdims=True)


def slow(entropy, column):
    """The four relations of two lists."""
    product = sum(a * b for a, b in zip(entropy, column, strict=True))
    lengths = sum(a * a for a in entropy) ** 0.5 * sum(b * b for b in column) ** 0.5
    others = (stats.pearsonr, stats.spearmanr, stats.kendalltau)
    return [product / lengths, *(relation(entropy, column).statistic for relation in others)]


def entropy_of(row):
    """Entropy in nat of what a row gives all keys but the first, as shares of their sum."""
    shares = [p / sum(row[1:]) for p in row[1:]]
    return -sum(p * np.log(p) for p in shares if p > 0)


def test_every_number_equals_a_loop_over_rows():
    prompt, written, heads = 4, 16, 2
    rows = random_rows(prompt + written, heads)
    _, found = observed(rows, prompt)
    draw = np.random.default_rng([SEED, IMAGE])
    order, turn = draw.permutation(written), draw.integers(1, written)
    steps = range(prompt, prompt + written)
    flat_entropy = [np.log(step) for step in steps]  # step keys are left of step + 1
    for head in range(heads):
        entropy = [entropy_of(rows[head, step, : step + 1].tolist()) for step in steps]
        worlds = [entropy, [entropy[place] for place in order], [entropy[step - turn] for step in range(written)]]
        for number in range(len(RECEIVED)):
            column = [sum(rows[head, query, key] for query in steps if query >= key) for key in steps]
            flat = [sum(1 / (query + 1) for query in steps if query >= key) for key in steps]
            if RECEIVED[number] == "mean_received":
                column, flat = ([total / (written - at) for at, total in enumerate(sums)] for sums in (column, flat))
            expected = [*(slow(world, column) for world in worlds), slow(flat_entropy, flat)]
            np.testing.assert_allclose(found[:, :, number, head], expected, atol=1e-5)


def test_a_first_token_that_no_row_reads_makes_no_difference():
    rows = random_rows(30, first=0.0)
    whole, rest = observed(rows, 5)
    for name, changes in zip(VARIANTS, (False, False, False, True), strict=True):
        one, other = (values[VARIANTS.index(name)] for values in (whole, rest))
        assert np.allclose(one, other, atol=1e-6) is not changes, name


def test_a_row_that_is_all_on_the_first_token_has_no_entropy_without_it():
    rows = random_rows(30, heads=1)
    rows[0, 12] = np.eye(30)[0]
    whole, rest = observed(rows, 5)
    assert np.isfinite(whole).all()
    assert np.isnan(rest[:3]).all()


def planted(draw, through, prompt=30, written=60):
    """A map in which a token that gives the first token less, or the others more evenly, receives more from every later row.

    Parameters
    ----------
    through : "first": how much of a row the first token takes goes with what its own token receives; "rest": how evenly the rest of the
        row is spread over the prompt does, and what the first token takes is noise
    """
    rows = np.zeros((1, prompt + written, prompt + written))
    rows[0, :prompt] = np.tri(prompt, prompt + written) / np.arange(1, prompt + 1)[:, None]
    sink, spread = draw.uniform(0.1, 0.9, written), draw.uniform(0.2, 3.0, written)
    gets = 0.004 * ((1 - sink) if through == "first" else spread / 3)
    for step in range(written):
        row, here = rows[0, prompt + step], prompt + step
        row[prompt : here + 1] = gets[: step + 1]
        over_prompt = draw.uniform(size=prompt - 1) ** (1 / spread[step]) + 1e-6
        row[1:prompt] = (1 - row[prompt:].sum()) * over_prompt / over_prompt.sum()
        row *= 1 - sink[step]
        row[0] = sink[step]
    np.testing.assert_allclose(rows.sum(-1), 1)
    return rows


def rows_of(through, images=12):
    """Rows of the results, of captions with a planted map."""
    each = [observed(planted(np.random.default_rng([2, image]), through), 30, image) for image in range(images)]
    dims = {"image": range(images), "variant": list(VARIANTS), "relation": list(RELATIONS), "received": list(RECEIVED)}
    made: list[Row] = []
    for told, values in zip((OBSERVATION, WITHOUT_FIRST), zip(*each, strict=True), strict=True):
        made += results._observation(xr.DataArray(np.stack(values)[..., 0], dims), told, 0, 0.95)
    return {row.name: row for row in made}


@pytest.fixture(scope="module")
def made():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "RESAMPLES", 199)
        return {through: rows_of(through) for through in ("first", "rest")}


def test_a_relation_through_the_first_token_alone_is_gone_without_it(made):
    whole, rest = (made["first"][f"{told}/mean_received/spearman/observed"] for told in (OBSERVATION, WITHOUT_FIRST))
    assert whole.interval[0] > 0.5
    assert whole.p_adjusted < 0.01
    assert abs(rest.estimate) < 0.1
    assert rest.p_adjusted > 0.05


def test_a_relation_past_the_first_token_is_seen_without_it(made):
    whole, rest = (made["rest"][f"{told}/mean_received/spearman/observed"] for told in (OBSERVATION, WITHOUT_FIRST))
    assert rest.interval[0] > 0.5
    assert rest.p_adjusted < 0.01
    assert abs(whole.estimate) < 0.5 * rest.estimate, "what the first token takes is noise in the whole row"


def test_rows_are_a_family_of_their_own_with_all_variants(made):
    names = {f"{told}/{'/'.join(own)}" for told in (OBSERVATION, WITHOUT_FIRST) for own in itertools.product(RECEIVED, RELATIONS, VARIANTS)}
    assert made["first"].keys() == names
    for row in made["first"].values():
        assert row.where["question"] == row.name.split("/")[0]
        assert row.adjustment == ("max-T over 8 relations" if row.name.endswith("/observed") else "")


def test_the_sentence_is_told_where_there_are_rows(made):
    told = {
        name: {"estimate": r.estimate, "interval": r.interval, "n": r.n, "p_adjusted": r.p_adjusted} for name, r in made["rest"].items()
    }
    said = _without_first(told)
    assert said.startswith(
        "*Without the first token*, the usual sink, in the entropy (the rest of the row summing to one): the cosine is 0."
    )
    assert said.count("(n = 12, p ") == said.count("in random order") == 2
    assert _without_first({name: row for name, row in told.items() if name.startswith(f"{OBSERVATION}/")}) == ""


@pytest.mark.parametrize(
    ("whole", "without", "p", "told"),
    [
        (0.3, 0.2, 0.001, "is seen."),
        (0.3, 0.2, 0.5, "is seen; with the first token left out of the entropy their rank correlation is gone."),
        (0.3, -0.2, 0.001, "is seen; with the first token left out of the entropy their rank correlation turns round."),
        (-0.3, 0.2, 0.001, "is half seen; with the first token left out of the entropy their rank correlation turns round."),
        (
            0.0,
            -0.2,
            0.001,
            "is half seen; with the first token left out of the entropy their rank correlation is there, below random order.",
        ),
        (0.3, None, None, "is seen."),
    ],
)
def test_the_verdict_says_where_the_first_token_is_what_is_seen(whole, without, p, told):
    def row(estimate, p=0.001):
        return {"estimate": estimate, "p_adjusted": p}

    rows = {"prediction/within/row_entropy/w16": row(0.7)}
    for question, estimate, chance in ((OBSERVATION, whole, 0.001 if whole else 0.5), (WITHOUT_FIRST, without, p)):
        if estimate is not None:
            rows |= {f"{question}/column_sum/{relation}/permuted": row(0.0) for relation in ("cosine", "spearman")}
            rows |= {f"{question}/column_sum/{relation}/observed": row(estimate, chance) for relation in ("cosine", "spearman")}
    assert verdict(rows, 16).endswith(told)


def test_the_figure_draws_correlations_without_it_and_older_data_still_draw():
    data = xr.load_dataset("figures/emoji/sinks/sinks.nc")
    few = data[["observed", "observed_without_first"]].isel(image=slice(0, 7))
    drawn = few["observed_without_first"].sel(relation="spearman", received="column_sum", variant="observed")
    drawn[dict(image=0)] = np.nan  # a caption too short to tell
    for found, relation, outlined in ((few, "spearman", 1), (few, "cosine", 0), (few.drop_vars("observed_without_first"), "spearman", 0)):
        ax = Figure().add_subplot()
        histogram(ax, found, relation, "column_sum")
        outlines = [patch for patch in ax.patches if patch.get_label().startswith("observed, first token left out")]
        assert len(outlines) == outlined
        if outlines:
            edges, heights = np.unique(outlines[0].get_xy()[:, 0]), outlines[0].get_xy()[1:-1:2, 1]
            counts, _ = np.histogram(drawn.values[1:], bins=edges)
            np.testing.assert_array_equal(heights, counts)
