"""Names that the files of the command share; nothing here loads a model, so that a redraw need not."""

BASELINE = "baseline"
"""The method that every other one is compared with."""

PROMPT = "Please describe this image in detail."
"""The paper's."""

QUESTION = "{question}"
"""Where a benchmark asks questions of its own, a prompt says by this word where they stand."""

SPLIT = "val2014"
"""The field's."""

MODES = ("auto", "exact", "bundled")

ENGINES = ("local", "ray")

DTYPES = ("float32", "bfloat16", "float16")

DEVICES = r"cpu|cuda(:\d{1,3})?|auto"
"""A pattern: whether they are there is asked of the machine that loads the model."""

PARSERS = ("pope", "opera", "vcd", "exact")

PARTS = ("generative", "discriminative", "all")
"""Of AMBER."""
