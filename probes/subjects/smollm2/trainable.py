"""What the second stage trains: the decoder with adapters and the image side, and the losses of a few scenes."""

from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from probes.subjects.emoji.scenes import Scene
from probes.subjects.smollm2.base import EOS, IMAGE, base_tokenizer, base_weights, text_config
from probes.subjects.smollm2.captions import PROMPT, describe
from probes.subjects.smollm2.lora import adapt, adapters
from probes.subjects.smollm2.model import prompt_text
from probes.subjects.smollm2.tower import Sight, alignment, patch_weights, pixels, shown, small_patches, word_vectors


class TrainableParts(nn.Module):
    """The decoder with adapters, the image side, and the losses of a few scenes."""

    def __init__(self, sight: Sight, bfloat16: bool) -> None:
        super().__init__()
        self.tokenizer, self.sight, self.autocast = base_tokenizer(), sight, bfloat16
        self.language = LlamaForCausalLM(text_config()).eval()
        self.language.model.load_state_dict(base_weights())
        self.language.tie_weights()
        self.table = self.language.model.embed_tokens.weight
        self.words = word_vectors(self.table.detach(), self.tokenizer)
        adapt(self.language.model)
        if bfloat16:
            # frozen matrices are read in bfloat16 anyway: kept so, no step has to convert them
            for name, p in self.language.model.named_parameters():
                if name.endswith("proj.weight") or name.endswith("linear.weight"):
                    p.data = p.data.bfloat16()
        ids = self.tokenizer(prompt_text(PROMPT))["input_ids"]
        where = ids.index(IMAGE)
        self.before, self.after = torch.tensor(ids[:where]), torch.tensor(ids[where + 1 :])

    def groups(self, rate: float, projector: float, tower: float) -> list[dict]:
        """The trained parameters with their highest rates, of the image side as shares; `late` ones begin at half of the horizon."""
        sides: dict[bool, list[nn.Parameter]] = {False: [], True: []}
        for name, p in self.sight.named_parameters():
            sides[name.startswith("tower")].append(p)
        lora = [p for p in self.language.parameters() if p.requires_grad]
        held = ((lora, rate, False), (sides[False], rate * projector, True), (sides[True], rate * tower, True))
        return [{"params": params, "top": top, "late": late, "weight_decay": 0.01} for params, top, late in held]

    def precision(self):
        return torch.autocast("cpu", torch.bfloat16) if self.autocast else nullcontext()

    def embedded(self, seen: Tensor, words: Tensor | None = None) -> Tensor:
        """The prompt with the image tokens in it, then the caption's tokens."""
        rows = len(seen)
        parts = [self.table[self.before].expand(rows, -1, -1), seen, self.table[self.after].expand(rows, -1, -1)]
        return torch.cat([*parts, *([] if words is None else [self.table[words]])], 1)

    def losses(self, drawn: list[Scene], look: bool) -> dict[str, Tensor]:
        """Mean cross-entropy of the captions' tokens (nat) and the alignment; `look` says whether the image side is trained too."""
        with torch.set_grad_enabled(look and torch.is_grad_enabled()):
            seen = self.sight(pixels(drawn))
            labels = torch.from_numpy(np.stack([shown(item) for item in drawn]))
            weights = patch_weights(labels, torch.from_numpy(np.stack([small_patches(item) for item in drawn])))
            found = {"align": alignment(seen, labels, weights, self.words)}
        rows = [[*self.tokenizer(describe(item), add_special_tokens=False)["input_ids"], EOS] for item in drawn]
        longest = max(map(len, rows))
        words = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
        with self.precision():
            x = self.embedded(seen, words[:, :-1].clamp(min=0))
            hidden = self.language.model(inputs_embeds=x, use_cache=False).last_hidden_state[:, -longest:]
            said = words >= 0
            scores = nn.functional.linear(hidden[said], self.table)
        return {"caption": nn.functional.cross_entropy(scores.float(), words[said]), **found}

    @torch.no_grad()
    def write(self, drawn: list[Scene], most: int = 200) -> list[str]:
        """Greedy captions."""
        x = self.embedded(self.sight(pixels(drawn)))
        mask = torch.ones(x.shape[:2], dtype=torch.long)
        with self.precision():
            ids = self.language.generate(
                inputs_embeds=x, attention_mask=mask, max_new_tokens=most, do_sample=False, pad_token_id=EOS, eos_token_id=EOS
            )
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True)

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """What is shipped."""
        return {"lora": adapters(self.language.model), "sight": self.sight.state_dict()}

    def load_parts(self, parts: dict[str, dict[str, Tensor]]) -> None:
        """Take up what was shipped or saved."""
        self.language.model.load_state_dict(parts["lora"], strict=False)
        self.sight.load_state_dict(parts["sight"])
