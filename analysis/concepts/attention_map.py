"""A real attention map of the pretrained subject: one caption, the mean over the heads of one layer, and what its positions are."""

from dataclasses import dataclass

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from kvsmooth.spans import GROUPS
from probes.sequence import LayerView, layers_of, texts
from probes.subjects import load_subject


@dataclass
class _Kept:
    """The map of the layer asked for, once it was seen."""

    layer: int
    found: Float[Tensor, "query key"] | None = None

    def __call__(self, view: LayerView) -> None:
        if view.layer == self.layer:
            self.found = view.probabilities()[0].mean(0)


def attention_map(subject: str = "smollm2", layer: int = 20, tokens: int = 60) -> xr.Dataset:
    """Mean attention "query key" of one layer over prompt and caption of the first test scene, with the group of every position."""
    loaded = load_subject(subject)
    item = loaded.items(1)
    inputs = loaded.encode(item)
    with torch.no_grad():
        said = loaded.model.generate(**inputs, max_new_tokens=tokens, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        whole, groups = texts(loaded, item, [said[:-1].tolist()])
        kept = _Kept(layer)
        layers_of(loaded, whole, kept)
    return xr.Dataset(
        {
            "attention": (("query", "key"), kept.found.numpy().astype("float32"), {"meaning": f"mean over heads of layer {layer}"}),
            "group": ("key", groups[0].numpy().astype("int16"), {"meaning": ", ".join(GROUPS)}),
        },
        attrs={"subject": subject, "layer": layer, "model_revision": loaded.revision},
    )
