"""The worker: batches answer as single items do, sampling belongs to the item, what cannot be is refused in one line."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import chisquare

from analysis.answering.answering import Answerer, Answering
from analysis.answering.query import Completion, Query
from analysis.answering.sampling import Gumbel
from kvsmooth import KVSmooth
from kvsmooth.baselines import OPERA
from probes.command.cli import BadInput
from probes.subjects import Item
from probes.subjects.emoji import scenes
from probes.tracing.tokens import lengths

METHOD = KVSmooth(layers=range(1, 4), lambda_ref=0.9)


@pytest.fixture(scope="module")
def bundled(half_subject):
    return half_subject


@pytest.fixture(scope="module")
def queries():
    prompts = ("Please describe this image in detail.", "Describe.", "What is in the image?")
    return [Query(f"q{scene.image_id}", scene.image_id, scene.image, prompt) for scene, prompt in zip(scenes(3), prompts, strict=True)]


@pytest.mark.parametrize("method", [None, METHOD], ids=["baseline", "kvsmooth"])
@pytest.mark.parametrize("sample", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["greedy", "sampled"])
def test_a_batch_says_what_its_items_say_alone(bundled, queries, method, sample):
    worker = Answerer(Answering(method=method, max_new_tokens=12, sample=sample, seed=3), bundled)
    together = worker(queries)
    alone = [worker([query])[0] for query in queries]
    assert [(said.text, said.tokens) for said in together] == [(said.text, said.tokens) for said in alone]
    assert all((said.report is None) == (method is None) for said in together)
    if method is not None:
        assert together[0].report["rows"] == 3
        assert together[0].report == together[2].report


def test_greedy_answers_are_those_of_generate(bundled, queries):
    inputs = bundled.encode([Item(query.image_id, query.image, query.prompt) for query in queries])
    ids = bundled.model.generate(**inputs, do_sample=False, max_new_tokens=200)[:, inputs["input_ids"].shape[1] :]
    counts = lengths(ids, (bundled.tokenizer.eos_token_id,))
    expected = [(bundled.text(row[:n].tolist()), int(n)) for row, n in zip(ids, counts, strict=True)]
    said = Answerer(Answering(max_new_tokens=200), bundled)(queries)
    assert [(each.text, each.tokens) for each in said] == expected
    assert min(each.tokens for each in said) < 200, "a row that ends by itself is what is tested"
    assert all(each.text.endswith(".") and "</s>" not in each.text for each in said if each.tokens < 200)


def test_one_token_leaves_the_method_nothing_to_smooth(bundled, queries):
    (said,) = Answerer(Answering(method=METHOD, max_new_tokens=1), bundled)(queries[:1])
    assert (said.tokens, said.report["steps"], said.report["lambda_mean"]) == (1, 0, None)


def test_samples_follow_seed_and_key_alone(bundled, queries):
    def texts(seed, asked):
        return [said.text for said in Answerer(Answering(max_new_tokens=12, sample=True, seed=seed), bundled)(asked)]

    first = texts(0, queries)
    assert texts(0, queries[::-1]) == first[::-1]
    assert texts(1, queries) != first
    state = torch.random.get_rng_state()
    texts(0, queries)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_noise_on_the_logits_draws_from_their_softmax():
    n, temperature, none = 4000, 0.7, torch.zeros(1, 0, dtype=torch.long)
    logits = torch.tensor([[2.0, 0.5, -1.0, 1.0]])
    chosen = Gumbel(temperature, 0, [str(i) for i in range(n)])(none.expand(n, 0), logits.expand(n, 4)).argmax(1)
    wanted = np.exp(logits[0].double().numpy() / temperature)
    assert chisquare(np.bincount(chosen, minlength=4), n * wanted / wanted.sum()).pvalue > 0.01
    # a processor before it may have forbidden a token
    assert Gumbel(1.0, 0, ["a"])(none, torch.tensor([[-torch.inf, 0.0]])).argmax() == 1


def test_the_maker_crosses_processes_and_loads_what_it_names(queries):
    worker = pickle.loads(pickle.dumps(Answering(method=METHOD, max_new_tokens=4)))()
    assert isinstance(pickle.loads(pickle.dumps(worker(queries[:1])))[0], Completion)
    told = worker.describe()
    assert told["method"]["lambda_ref"] == 0.9
    assert told["revision"].startswith("sha256:")
    assert told["generation_config"]["eos_token_id"] == worker.subject.tokenizer.eos_token_id
    assert "max_new_tokens" not in told["generation_config"], "the option says it"
    assert pickle.loads(pickle.dumps(queries[0])).image.tobytes() == queries[0].image.tobytes()


def test_a_damaged_image_spoils_its_own_item_only(bundled, queries, tmp_path):
    torn = tmp_path / "torn.png"
    Image.new("RGB", (64, 64), "red").save(torn)
    torn.write_bytes(torn.read_bytes()[:80])
    worker = Answerer(Answering(max_new_tokens=3), bundled)
    with pytest.raises(BadInput, match=r"torn\.png: the image cannot be read \(item 9\)"):
        worker([*queries, Query("bad", 9, torn)])
    assert len(worker(queries)) == 3


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (dict(max_new_tokens=0), "Answering.max_new_tokens must be a positive integer; got 0"),
        (dict(max_new_tokens=True), "max_new_tokens must be"),
        (dict(temperature=0.0), r"temperature must lie from 1e-06 to 1e\+06; got 0.0"),
        (dict(temperature=1e-300), "temperature must lie"),
        (dict(seed=-1), "Answering.seed must be an integer from 0 on; got -1"),
        (dict(temperature=float("nan")), "temperature must lie"),
        (dict(method=KVSmooth), "got <class"),
        (dict(method="kvsmooth"), r"method must be None or a method, such as KVSmooth\(\); got 'kvsmooth'"),
    ],
)
def test_options_that_cannot_be_are_refused(given, complaint):
    with pytest.raises(BadInput, match=complaint):
        Answering(**given)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (dict(key=""), "Query.key must say something"),
        (dict(image_id=-1), "Query.image_id must be an integer from 0 on; got -1"),
        (dict(image_id=True), "Query.image_id"),
        (dict(image=None), "Query.image must be a PIL image or a path; got NoneType"),
        (dict(prompt=" "), "Query.prompt must say something"),
    ],
)
def test_queries_that_cannot_be_are_refused(given, complaint):
    with pytest.raises(BadInput, match=complaint):
        Query(**{"key": "a", "image_id": 1, "image": "a.png", **given})


def test_a_search_gets_the_beams_that_it_asks_for(bundled, queries):
    method = OPERA(candidates=2)
    worker = Answerer(Answering(method=method, max_new_tokens=4), bundled)
    (said,) = worker(queries[:1])
    worker.step(queries[0], method)
    inputs = bundled.encode([Item(queries[0].image_id, queries[0].image, queries[0].prompt)])
    with method(bundled.model):
        out = bundled.model.generate(**inputs, num_beams=5, do_sample=False, max_new_tokens=4)
    assert said.text == bundled.text(out[0, inputs["input_ids"].shape[1] :].tolist())
    assert said.report["steps"] == 3
    with pytest.raises(BadInput, match="--sample draws tokens and opera searches with beams"):
        Answerer(Answering(method=method, max_new_tokens=4, sample=True), bundled)(queries[:1])
