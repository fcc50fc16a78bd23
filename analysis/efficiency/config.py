"""The options of `python -m analysis.efficiency`; a process that measures memory gets them, and knows no `__main__` of the command."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from analysis.efficiency.names import IMAGE_TOKENS, LENGTHS
from probes.command.cli import BadInput
from probes.options import check_level, check_positive


@dataclass(frozen=True)
class EfficiencyConfig:
    """Cost of KVSmooth and of recording, as ratios to plain sdpa generate."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--json cost.json",
        "--hidden 4096 --heads 32 --layers 4 --vocabulary 1000 --prefilled --arms plain_again,kvsmooth,kvsmooth_fast --no-memory",
        "--subject smollm2 --no-memory",
        "--image --no-memory --arms kvsmooth,pai,vcd,dola",
        "--prompt --json prompt.json",
        "--rounds 1 --new-tokens 8",
    )
    json: Path | None = None
    """results file; printed only when left out"""
    page: Path | None = None
    """a page that gets the table of arms between its marks <!-- costs --> and <!-- /costs -->"""
    subject: str = ""
    """a bundled subject (emoji, smollm2) on its first scene, in the place of the random Llama that the next options describe"""
    prompt_tokens: int = 600
    """length of the prompt"""
    new_tokens: int = 32
    """tokens generated a run"""
    rounds: int = 20
    """rounds, in each of which every other arm runs once between two runs of plain decoding"""
    processes: int = 1
    """fresh processes, one after another, in each of which all rounds run; with two or more, intervals are over processes"""
    hidden: int = 768
    """width of the random Llama"""
    layers: int = 12
    """its decoder layers; of four or fewer all are smoothed, else the method's default band"""
    heads: int = 12
    """its query and key/value heads"""
    vocabulary: int = 16000
    """its vocabulary; 97 M parameters with the other defaults"""
    prefilled: bool = False
    """read the prompt once, before any clock runs, so that runs are of decoding alone: for stacks whose prompts take long; not with
    --subject, and not for the arms that record"""
    arms: tuple[str, ...] = ()
    """these arms alone beside plain, in one word with commas or in several; names of `kvsmooth.baselines.METHODS` among them"""
    image: bool = False
    """the random Llama reads an image of 576 tokens in its prompt, as LLaVA-1.5 does: most methods of others act on it"""
    threads: int = 1
    """torch threads"""
    level: float = 0.95
    """coverage of the intervals"""
    seed: int = 0
    """of the bootstrap"""
    prompt: bool = False
    """measure attention statistics of whole prompts instead, without maps and with them; the options of the model and of generation then
    count for nothing"""
    lengths: tuple[int, ...] = LENGTHS
    """tokens of the prompts, with `prompt`"""
    memory: bool = True
    """also start a process an arm and report its peak memory"""
    debug: bool = False
    """show the trace of an error"""

    def __post_init__(self):
        check_positive(self, "prompt_tokens", "rounds", "processes", "hidden", "layers", "heads", "vocabulary", "threads")
        check_level(self)
        if self.new_tokens < 2:
            raise BadInput(f"EfficiencyConfig.new_tokens must be at least 2, a prefill and a decoding step; got {self.new_tokens}.")
        if self.image and (self.subject or self.prompt_tokens <= IMAGE_TOKENS):
            raise BadInput(f"EfficiencyConfig.image is for the random Llama and a prompt of more than {IMAGE_TOKENS} tokens.")
        if self.named or self.prefilled:
            self._check_arms()

    def _check_arms(self) -> None:
        from analysis.efficiency.arms import arm, recorded  # only now: --help need not wait for torch
        from analysis.efficiency.rounds import chosen

        for name in self.named:
            try:
                arm(name)
            except BadInput as error:
                raise BadInput(f"EfficiencyConfig.arms: {error}") from error
        if self.prefilled and self.image:
            raise BadInput("EfficiencyConfig.prefilled is for a prompt of text; leave it out, or image.")
        if self.prefilled and (self.subject or any(map(recorded, chosen(self.named)))):
            raise BadInput("EfficiencyConfig.prefilled is for the random Llama, and for arms that do not record: name them with --arms.")

    @property
    def named(self) -> tuple[str, ...]:
        """The arms asked for."""
        return tuple(name for word in self.arms for name in word.split(",") if name)
