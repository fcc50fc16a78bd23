"""What the families share: token ids, the sizes of text and vision models, and left-padded prompts."""

import torch

VOCABULARY, IMAGE, PAD, BOS, EOS = 64, 60, 0, 1, 2
VISION_START, VISION_END, VIDEO = 62, 63, 61

TEXT = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=512,
    pad_token_id=PAD,
    bos_token_id=BOS,
    eos_token_id=EOS,
)
VISION = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16)


def prompt(n_image: int, before=(BOS, 5, 9), after=(7, 11, 13, 4)) -> list[int]:
    """A text with an image of `n_image` tokens in it."""
    return [*before, *[IMAGE] * n_image, *after]


def left_padded(prompts: list[list[int]]) -> dict[str, torch.Tensor]:
    """Left-pad to the longest prompt."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    return {"input_ids": ids, "attention_mask": mask}


def with_images(n_image: int, batch: int, before=(BOS, 5, 9), after=(7, 11, 13, 4)) -> dict[str, torch.Tensor]:
    """`batch` prompts; every second one lacks the last two tokens of its tail."""
    return left_padded([prompt(n_image, before, after if row % 2 == 0 else after[2:]) for row in range(batch)])
