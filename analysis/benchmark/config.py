"""The options of `python -m analysis.benchmark`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from analysis.benchmark.benchmarks import BENCHMARKS
from analysis.benchmark.names import BASELINE, DEVICES, DTYPES, ENGINES, MODES, PARSERS, PARTS, SPLIT
from probes.command.cli import BadInput
from probes.command.values import check_temperature
from probes.options import check_level, check_not_negative, check_positive, check_seed

CHOICES = {"benchmark": BENCHMARKS, "engine": ENGINES, "mode": MODES, "dtype": DTYPES, "part": PARTS, "parser": PARSERS}
"""What may be said of options that are one of a few names."""
DECODING = ("subject", "dtype", "max_new_tokens", "sample", "temperature", "seed", "batch_size")
FROM_PLAN = (*DECODING, "images", "ids", "prompt", "split")
"""Options that a plan decides where one is given."""
UNNUMBERED = (
    *("out", "image_folder", "cache", "engine", "address", "workers", "device", "plan"),
    *("redraw", "rescore", "retry", "dry_run", "debug"),
)
"""Options that decide no score."""


@dataclass(frozen=True)
class BenchmarkConfig:
    """A subject answers a benchmark once with each method: captions (resumable), scores with intervals, paired tests, table, figure."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--out runs/few --images 8 --max-new-tokens 60",
        "--out runs/first --dry-run",
        "--out runs/first --methods baseline kvsmooth:lambda_ref=0.9,window=15 constant:rate=0.74",
        "--out runs/others --methods baseline kvsmooth pai:alpha=0.2 image_bias:strength=0.5 eos_bias:bias=1",
        "--benchmark opope --rescore --out runs/first",
        '--benchmark pope --subject models/mine --questions POPE/coco --image-folder val2014 --prompt "{question} Yes?" --out runs/pope',
    )
    RESUMES: ClassVar[bool] = True
    benchmark: str = "chair"
    """chair, pope, opope, amber or halbench"""
    subject: str = "emoji"
    """the bundled "emoji", a folder of a saved model, or a hub id"""
    methods: tuple[str, ...] = (BASELINE, "kvsmooth")
    """baseline, kvsmooth, constant, inverse, top, or a method of kvsmooth.baselines, such as pai (`python -m kvsmooth` lists them); options
    behind a colon: kvsmooth:lambda_ref=0.9,window=15 kvsmooth:preset=llava-1.5"""
    annotations: Path | None = None
    """folder of the benchmark's annotations (COCO's JSON files, AMBER's data); the bundled subject brings its own scenes"""
    image_folder: Path | None = None
    """folder of the images that the annotations name"""
    questions: Path | None = None
    """POPE's question file, or the folder of the three; halbench's jsonl. Left out, questions are built from the annotations"""
    images: int | None = None
    """how many images; left out: 500 (all, where questions come in a file)"""
    ids: Path | None = None
    """a file of image ids, one a line or a JSON list, or a log of captions: these images, in this order"""
    split: str = SPLIT
    """of annotations that name files of several splits, only images whose file name holds this word are chosen from"""
    prompt: str | None = None
    """what is asked for a description; left out: the benchmark's own. With {question} in it, what words a benchmark's questions instead"""
    max_new_tokens: int = 512
    """longest answer, tokens"""
    sample: bool = False
    """draw tokens instead of taking the most probable one"""
    temperature: float = 1.0
    """of the draw"""
    seed: int = 0
    """of the choice of images, of drawn tokens, of built questions, of bootstrap and permutations"""
    batch_size: int = 8
    """answers that are generated together; part of what is asked, since it touches the last digits"""
    device: str = "cpu"
    """cpu, cuda, cuda:<n>, or auto (spread over all devices)"""
    dtype: str = "float32"
    """float32, bfloat16 or float16"""
    engine: str = "local"
    """local, or ray (a cluster, or processes of this machine)"""
    address: str | None = None
    """of a running Ray cluster"""
    workers: int | None = None
    """Ray actors, each with the model; left out: one a GPU, or one a CPU"""
    out: Path = Path("figures/benchmark")
    """folder of plan.json and captions, and of scores, table and figure by benchmark. Committed results are written with the settings that
    they state alone: with others all goes to out/<subject>-<images>/benchmark"""
    plan: Path | None = None
    """a plan.json of another run: the same images, prompts, decoding, seeds and methods are asked again"""
    cache: Path | None = None
    """folder of the compact copy of annotations; left out: the user's cache"""
    mode: str = "auto"
    """how words are read: exact (NLTK and its data), bundled, or auto: exact where it can be"""
    parser: str = "pope"
    """which of POPE's public parsers reads yes and no"""
    part: str = "all"
    """AMBER: generative, discriminative, or all"""
    similarity: str = "auto"
    """AMBER: when two words mean the same: exact, spacy, spacy:<model>, a table (CSV or JSON), auto (spacy if installed, else exact)"""
    extractor: str | None = None
    """halbench: address of an OpenAI-compatible service that names the objects of answers; left out: rules do it here"""
    extractor_model: str = ""
    """its model; its key is read from the environment variable OPENAI_API_KEY"""
    fluent: int | None = None
    """captions of each method, the first ones, that the packaged language model reads: their NLL and which are broken; 0: none;
    left out: 100, or none where its package is not installed"""
    level: float = 0.95
    """coverage of the intervals"""
    retry: bool = False
    """ask again what was set aside with an error"""
    dry_run: bool = False
    """say what would be done and how much memory it needs, and do nothing"""
    rescore: bool = False
    """score the captions that are there; loads no subject"""
    redraw: bool = False
    """table and figure from benchmark.json alone"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise BadInput(f"BenchmarkConfig.{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}.")
        if not re.fullmatch(DEVICES, self.device, re.ASCII):
            raise BadInput(f"BenchmarkConfig.device must be cpu, cuda, cuda:<n> or auto; got {self.device[:40]!r}.")
        check_positive(self, "images", "workers", "batch_size", "max_new_tokens")
        check_not_negative(self, "fluent")
        check_seed(self)
        check_level(self)
        check_temperature(self.temperature, "BenchmarkConfig.temperature")
        if self.prompt is not None and not self.prompt.strip():
            raise BadInput("BenchmarkConfig.prompt must say something; it is empty.")
        if not self.methods:
            raise BadInput("BenchmarkConfig.methods must name at least one method; got none.")
        if self.address is not None and self.engine != "ray":
            raise BadInput(f"BenchmarkConfig.address must go with --engine ray; got {self.address} with --engine {self.engine}.")
        if self.images is not None and self.ids is not None:
            raise BadInput(f"BenchmarkConfig.images must be left out where --ids names the images; got {self.images}.")
        if bool(self.extractor) != bool(self.extractor_model):
            raise BadInput("BenchmarkConfig.extractor must go with extractor_model; give both or neither.")
        if self.dry_run + self.rescore + self.redraw > 1:
            raise BadInput("BenchmarkConfig.dry_run, rescore and redraw must not be given together; choose one.")
