"""A compiled decode step with a static cache is one graph, and gives the tokens of the uncompiled one."""

import json

import pytest

# in a process of its own: the shape checks that wrap every function under pytest cannot be traced. It takes one case after another.
PROGRAM = """
import json, sys, traceback, warnings
warnings.resetwarnings()  # those of torch are torch's
from functools import partial
import torch, torch._dynamo, transformers
from transformers import StaticCache
from tests.zoo import build, decoder_of
from kvsmooth import KVSmooth
from kvsmooth.policies import FirstPass, Inverse, Permuted, TokenClass, Top
from kvsmooth.sinks import KeyOutlier, RowEntropy, SinkGap, VisualSink
from tests.rounding import assert_close

torch.set_num_threads(1)
torch.manual_seed(0)
transformers.logging.set_verbosity_error()
ROOM, STEPS, LAYERS = 40, 8, 2
FIRST = FirstPass(torch.rand(STEPS, LAYERS, 2), torch.tensor([STEPS, 6]))
FED = torch.randint(0, 64, (STEPS, 2))
OPTIONS = {
    "default": {},
    "raw_before_text_per_head_output": {
        "previous": "raw", "rope": "before", "score": RowEntropy("text", normalise=True), "heads": "per_head", "output": True
    },
    "recompute_bottom": {"timing": "recompute", "policy": Inverse(Top(0.25, 0.6)), "mix": "norm_preserving", "score": KeyOutlier()},
    "replayed": {"policy": Permuted(FIRST), "mix": "running_mean", "score": VisualSink()},
    "classes_fast": {"policy": TokenClass(FIRST, FED, torch.arange(64) % 3), "mix": "shrink_only", "score": SinkGap(), "exact": False},
}

def loop(model, prompt, forward, inputs):
    cache = StaticCache(config=model.config.get_text_config(), max_cache_len=ROOM)
    out = prompt(**inputs, past_key_values=cache, use_cache=True)
    mask, position, tokens = inputs["attention_mask"], inputs["attention_mask"].sum(1, keepdim=True), []
    while len(tokens) < STEPS:
        tokens.append(out.logits[:, -1].argmax(-1, keepdim=True))
        mask, room = torch.cat((mask, torch.ones_like(tokens[-1])), 1), ROOM
        full = torch.nn.functional.pad(mask, (0, ROOM - mask.shape[1]))
        out = forward(input_ids=tokens[-1], past_key_values=cache, attention_mask=full, position_ids=position)
        position = position + 1
    return torch.cat(tokens, 1)

def shallow(name, layers):
    # each layer is traced by itself: a first one and one behind it show what three do
    model, inputs = build(name, batch=2)
    del decoder_of(model).layers[layers:]
    decoder_of(model).config.num_hidden_layers = layers
    return model, inputs

def graphs(what, name, options):
    torch._dynamo.reset()
    layers = LAYERS if what == "model" else 1  # a stream is the same for all layers
    model, inputs = shallow(name, layers)
    method = KVSmooth(lambda_ref=0.5, margin=0.5, window=4, layers=range(layers), **OPTIONS[options])
    with torch.no_grad(), method(model) as run:
        tokens = loop(model, model, model, inputs)
    torch._dynamo.utils.counters.clear()
    decoder = decoder_of(model)
    # aot_eager also rewrites what a graph changes in place, which is the same for every option, and wherever the graph begins
    compiled = partial(torch.compile, fullgraph=True, backend="aot_eager" if (what, options) == ("model", "default") else "eager")
    if what != "decoder":
        forward = compiled(model.forward)
    else:
        forward, decoder.forward = model, compiled(decoder.forward)
    with torch.no_grad(), method(model) as other:
        for text in range(2):
            if what == "prompt" and text:  # a compiled prompt from which nothing is decoded is no part of the next one
                cache = StaticCache(config=model.config.get_text_config(), max_cache_len=ROOM)
                forward(**inputs, past_key_values=cache, use_cache=True)
            assert torch.equal(loop(model, forward if what == "prompt" else model, forward, inputs), tokens), "tokens differ"
    assert [len(generation["rates"]) for generation in other.generations] == [STEPS, STEPS]
    assert torch.equal(other.rates, run.rates), "rates differ"
    assert_close(other.change_keys, run.change_keys)
    counters = torch._dynamo.utils.counters
    assert not counters["graph_break"], counters["graph_break"]
    return counters["stats"]["unique_graphs"]

while line := sys.stdin.readline().strip():
    try:
        told = graphs(*json.loads(line))
    except Exception:
        told = traceback.format_exc()
    print(json.dumps(told), flush=True)
"""


@pytest.fixture(scope="module")
def graphs(apart):
    """How many graphs a case compiles to; asserts there that it gives the tokens, rates and changes of the uncompiled model."""
    with apart.talk(PROGRAM) as ask:

        def asked(*case: str) -> int:
            told = json.loads(ask(json.dumps(case)))
            assert isinstance(told, int), told[-2000:]
            return told

        yield asked


@pytest.mark.slow
def test_a_compiled_model_is_one_graph(graphs):
    assert graphs("model", "llava", "default") == 1


@pytest.mark.slow
@pytest.mark.parametrize("options", ["raw_before_text_per_head_output", "recompute_bottom", "replayed", "classes_fast"])
def test_every_path_compiles_to_one_graph(graphs, options):
    assert graphs("model", "llama", options) == 1


@pytest.mark.slow
def test_a_compiled_decoder(graphs):
    # the prompt goes through the compiled decoder too: one graph for it, one for the steps
    assert graphs("decoder", "llama", "default") == 2


@pytest.mark.slow
def test_compiled_prompts_each_begin_a_stream(graphs):
    assert graphs("prompt", "llama", "default") >= 2
