"""The paragraphs of the findings page on ranks of head outputs, sinks of the image tower, and secondary sinks."""

import json
import math
from typing import Any

import xarray as xr

from analysis.sinks.anatomy.names import ONE, OUTLIER, PLACES, SINK
from analysis.sinks.targets import EPS
from analysis.telling.wording import Row, Rows, bracketed, chance, direction, number, signed

FEW = 0.1
"""Share of images with an outlier under which attention on outliers is not told."""
_PLACE = {"prompt": "in the prompt", "image": "in the image", "generated": "among generated tokens"}
_RANK = {-1: "lower than", 0: "no other than", 1: "higher than"}


def paragraphs(data: xr.Dataset, rows: Rows) -> tuple[str, ...]:
    """Three paragraphs; what the subject lacks is said to be not testable."""
    about = json.loads(data.attrs["anatomy"])
    own = {name.removeprefix("anatomy/"): row for name, row in rows.items() if name.startswith("anatomy/")}
    return ranks(own, data.sizes["scene"]), tower(own, about), secondary(own, about)


def ranks(rows: Rows, images: int) -> str:
    """What heads write that lean on one token."""
    head = f"*Ranks of head outputs*, {images} captions"
    lean = rows["heads/lean on one token"]
    if not lean["estimate"] > 0:
        return " ".join(
            (
                f"{head}: not testable here, since no head gives more than {SINK:g} of a caption's attention to one token.",
                f"The stable rank of what heads write is {bracketed(rows['rank/other/stable/observed'])}.",
                f"Under uniform attention it would be {signed(rows['rank/other/stable/uniform']['estimate'])}.",
            )
        )
    stable = {heads: bracketed(rows[f"rank/{heads}/stable/observed"]) for heads in ("sink", "other")}
    near = {heads: _share(rows[f"near rank one/{heads}/stable"]) for heads in ("sink", "other")}
    observed, hidden = (rows[f"rank/sink minus other/effective/{version}"] for version in ("observed", "without"))
    return " ".join(
        (
            f"{head}. {_share(lean)} of the heads give more than {SINK:g} of a caption's attention to one token, and of these",
            f"{_share(rows['heads/of these, on the first'])} to the first one.",
            f"What they write has a stable rank of {stable['sink']}, what other heads write {stable['other']}.",
            f"Below {ONE:g} lie {near['sink']} of them and {near['other']} of the others.",
            f"The value that they read has {signed(rows['norm of its value/sink/observed']['estimate'])} of the median norm,",
            f"and {_share(rows['energy along its value/sink/observed'])} of what they write lies along it.",
            f"Their effective rank is {_RANK[direction(observed)]} that of other heads, by {number(observed)};",
            f"with that token hidden the difference is {number(hidden)}.",
            f"Control: uniform attention has a stable rank of {signed(rows['rank/sink/stable/uniform']['estimate'])} in the same heads;",
            "a low rank alone is no sign of a sink.",
        )
    )


def tower(rows: Rows, about: dict[str, Any]) -> str:
    """Norm outliers among the patches, and whether the language model attends to them."""
    head, read = "*Sinks of the image tower*", f"layer {about['read']}"
    many = rows.get(f"tower/outliers/{read}")
    if many is None:
        return f"{head}: not told, since patches and image tokens are not one to one in this model."
    rule = f"a norm more than {OUTLIER:g} robust standard deviations above the image's median"
    ratio = f"the largest norm is {signed(rows[f'tower/ratio/{read}']['estimate'])} times the median"
    plain, given = (rows[f"tower/attention/norm, given {what}"] for what in ("nothing", "contrast"))
    contrast = rows["tower/norm and contrast"]
    relation = (
        f"Spearman's of norm and the language model's attention is {number(plain)}, given the contrast of the patch's pixels "
        f"{number(given)}; of norm and contrast it is {bracketed(contrast)}."
    )
    if not rows["tower/with outliers"]["estimate"] > FEW:
        earlier = max(row["estimate"] for name, row in rows.items() if name.startswith("tower/outliers/"))
        some = _share(rows["tower/with outliers"])
        return (
            f"{head}: not testable here. In the layer that the language model reads {some} of the images have a patch with {rule} "
            f"({ratio}); in an earlier one there are up to {signed(earlier)} an image. {relation}"
        )
    over = rows["tower/attention/outliers over others"]
    times, low, high = (signed(math.exp(value)) for value in (over["estimate"], *over["interval"]))
    marked = " Outliers are patches that show something; the registers of large towers are patches that show nothing."
    return (
        f"{head}. In the layer that the language model reads {bracketed(many)} of {about['patches']} patches have {rule} ({ratio}). "
        f"The language model gives one of them {times} [{low}, {high}] times the attention of another patch (n = {over['n']}, "
        f"{chance(over['p_adjusted'])}). {relation}{marked if contrast['interval'][0] > 0 else ''}"
    )


def secondary(rows: Rows, about: dict[str, Any]) -> str:
    """Where sinks behind the first token lie, in which layer they are born, and how long they live."""
    counts = {place: rows[f"secondary/{place}"] for place in PLACES}
    rule = f"behind the first token that some head gives more than {EPS:g} of the attention of the queries from it on"
    if not any(row["estimate"] > 0 for row in counts.values()):
        return f"*Secondary sinks*: not testable here, since there is no token {rule}."
    named = ", ".join(f"`{piece}` {100 * times / about['tokens']:.0f} %" for piece, times in about["common"][:3])
    each = ", ".join(f"{bracketed(row)} {_PLACE[place]}" for place, row in counts.items() if row["estimate"] > 0)
    first, lived, beyond = rows["first token/birth"], rows["secondary/lifetime"], rows["secondary/lifetime beyond chance"]
    own = f"the first token in layer {bracketed(first)}" if math.isfinite(first["estimate"]) else "the first token never"
    order = f", by {number(beyond)} longer than the same layers in random order" if math.isfinite(beyond["p_adjusted"]) else ""
    return (
        f"*Secondary sinks*, tokens {rule}. By caption: {each}; the most common are {named}. They become one in layer "
        f"{bracketed(rows['secondary/birth'])} on average ({own}), and stay one for {bracketed(lived)} layers on end{order}."
    )


def _share(row: Row) -> str:
    return f"{100 * row['estimate']:.3g} %" if math.isfinite(row["estimate"]) else "none"
