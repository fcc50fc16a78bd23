"""How probable captions are to the subject itself, without a method and with their image in view: its own NLL.

A caption that a method has changed and that the subject would not have said by itself is dear here, whatever its words are worth.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from probes.subjects import Item


@torch.no_grad()
def own_nll(subject: Any, items: Sequence[Item], captions: Sequence[str], name: str = "captions") -> Float[np.ndarray, " caption"]:
    """Mean negative log-likelihood of each caption's tokens, its end included, nat a token; NaN of an empty caption.

    Parameters
    ----------
    items : the images with their prompts, one a caption
    captions : texts, read back into tokens
    """
    found = np.full(len(captions), np.nan)
    for at, (item, text) in enumerate(tqdm(zip(items, captions, strict=True), total=len(items), desc=name, unit="caption", disable=None)):
        if not text.strip():
            continue
        inputs = subject.encode([item])
        prompt = inputs["input_ids"]
        said = torch.tensor([subject.tokens(text)], device=prompt.device)
        inputs["input_ids"] = torch.cat([prompt, said], 1)
        inputs["attention_mask"] = torch.cat([inputs["attention_mask"], torch.ones_like(said)], 1)
        logits = subject.model(**inputs, use_cache=False, logits_to_keep=said.shape[1] + 1).logits[0, :-1].float()
        found[at] = float(torch.nn.functional.cross_entropy(logits, said[0]))
    return found
