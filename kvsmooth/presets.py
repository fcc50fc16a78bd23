"""Published settings, each with the place it comes from. Values that nobody published are not invented."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Options of KVSmooth that a source reports, and the source."""

    options: dict[str, float | int]
    source: str


_PAPER = "paper: arXiv 2602.04268, CHAIR, Object HalBench, OPOPE and AMBER, greedy, at most 512 new tokens"

PRESETS = {
    "llava-1.5": Preset({"lambda_ref": 0.9, "window": 15}, f"{_PAPER}; LLaVA-1.5-7B"),
    "minigpt-4": Preset({"lambda_ref": 0.5, "window": 15}, f"{_PAPER}; MiniGPT-4"),
    "instructblip": Preset({"lambda_ref": 0.7, "window": 15}, f"{_PAPER}; InstructBLIP-7B"),
}
