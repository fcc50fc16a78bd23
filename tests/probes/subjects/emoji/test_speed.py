"""What makes training affordable on two cores changes no result beyond what it says."""

import pytest
import torch

from probes.subjects.emoji import build
from probes.subjects.emoji.attention import RENEWAL, DropoutPool, register
from probes.subjects.emoji.products import Product, shorten
from tests.rounding import assert_close, of_model


def test_attention_equals_eager_in_evaluation():
    model, _ = build(0)
    embedded = torch.randn(2, 9, 128)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        want = model.model.language_model(inputs_embeds=embedded).last_hidden_state
        model.set_attn_implementation(register())
        got = model.model.language_model(inputs_embeds=embedded).last_hidden_state
    assert_close(got, want, of_model(model))


def test_dropout_drops_the_share_it_is_asked_for():
    pool, weights = DropoutPool(), torch.ones(300, 400, requires_grad=True)
    first, second = pool(weights, 0.05), pool(weights, 0.05)
    assert (first == 0).float().mean().item() == pytest.approx(0.05, abs=0.003)
    assert first.mean().item() == pytest.approx(1.0, abs=0.004)
    assert not torch.equal(first, second)
    assert first.detach().unique().tolist() == pytest.approx([0.0, 1 / 0.95])
    for _ in range(RENEWAL):
        pool(weights.detach(), 0.05)
    first.sum().backward()
    assert torch.equal(weights.grad == 0, first == 0)


def test_products_are_bfloat16_and_right():
    x, weight = torch.randn(3, 5, 16, requires_grad=True), torch.randn(7, 16, requires_grad=True)
    seed = torch.randn(3, 5, 7)
    got, want = Product.apply(x, weight), x @ weight.T
    assert got.dtype == torch.float32
    assert torch.allclose(got, want, atol=0.1)
    for gradient, exact in zip(
        torch.autograd.grad((got * seed).sum(), (x, weight)), torch.autograd.grad((want * seed).sum(), (x, weight)), strict=True
    ):
        assert gradient.shape == exact.shape
        assert torch.nn.functional.cosine_similarity(gradient.flatten(), exact.flatten(), 0) > 0.9999


def test_shortened_layers_are_exact_in_evaluation():
    layer = torch.nn.Sequential(torch.nn.Linear(16, 8, bias=False)).eval()
    x = torch.randn(4, 16)
    want = layer(x)
    shorten(layer)
    assert torch.equal(layer(x), want)
    assert not torch.equal(layer.train()(x), want)
