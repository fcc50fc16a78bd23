"""How well the subject sees while it trains: greedy captions of unseen scenes against what is drawn."""

import re

import torch
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from probes.sentences import repeated_sentences
from probes.subjects.emoji.captions import named
from probes.subjects.emoji.model import prompt_text
from probes.subjects.emoji.scenes import Scene, scenes


@torch.no_grad()
def captions(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, drawn: list[Scene], batch: int = 50, max_new_tokens: int = 160
) -> list[str]:
    """Greedy captions of the scenes, in batches."""
    model.eval()
    texts = []
    for start in range(0, len(drawn), batch):
        part = drawn[start : start + batch]
        inputs = processor(text=[prompt_text()] * len(part), images=[item.image for item in part], return_tensors="pt", padding=True)
        ids = model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)
        texts += processor.tokenizer.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def score(drawn: list[Scene], texts: list[str]) -> dict[str, float]:
    """Recall and precision over distinct objects, shares of captions and mentions with an absent object, words, repeated sentences."""
    mentions = [named(text) for text in texts]
    right = sum(len(set(m) & s.names) for m, s in zip(mentions, drawn, strict=True))
    absent = [[name not in s.names for name in m] for m, s in zip(mentions, drawn, strict=True)]
    sentences = [repeated_sentences(text) for text in texts]
    return {
        "recall": right / max(sum(len(s.names) for s in drawn), 1),
        "precision": right / max(sum(len(set(m)) for m in mentions), 1),
        "chair_s": sum(map(any, absent)) / max(len(drawn), 1),
        "chair_i": sum(map(sum, absent)) / max(sum(map(len, absent)), 1),
        "words": sum(len(re.findall(r"[\w-]+|[.,]", text)) for text in texts) / max(len(texts), 1),
        "repeated": sum(again for _, again in sentences) / max(sum(count for count, _ in sentences), 1),
    }


def validate(model: LlavaForConditionalGeneration, processor: LlavaProcessor, n: int) -> dict:
    """Scores ``n`` validation scenes and shows two captions; uses the fast attention for the while."""
    before = model.config._attn_implementation
    model.set_attn_implementation("sdpa")
    drawn = scenes(n, "validation")
    texts = captions(model, processor, drawn)
    model.set_attn_implementation(before)
    return {"validation": score(drawn, texts), "captions": texts[:2]}
