# Every target makes its own environment in .venv; nothing else of the machine is used but python3.11 (or newer), make and git.
PYTHON ?= python3
PY := .venv/bin/python
# one thread: on a busy machine torch's waiting threads slow each other several times, and the bundled subject is too small to gain from two
ENV := PYTHONHASHSEED=0 HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1

.PHONY: figures test fast lint redraw efficiency clean

## the main job: record the bundled subject with and without KVSmooth, test, and draw figures/
figures: .venv/ready
	$(ENV) $(PY) -m analysis.drift

## lint, import direction and every test
test: lint
	$(ENV) $(PY) -m pytest

## the tests that take seconds
fast: .venv/ready
	$(ENV) $(PY) -m pytest -m "not slow"

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

## figures from the committed data, without a model
redraw: .venv/ready
	$(ENV) $(PY) -m analysis.drift --redraw

## cost of KVSmooth and of recording against plain generate
efficiency: .venv/ready
	$(ENV) $(PY) -m analysis.efficiency --json figures/efficiency/efficiency.json

# constraints.txt holds the exact versions that our numbers were made with. Where the index offers several builds of torch, pip takes the
# index's default, on Linux the large one for CUDA: set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU builds to save the download.
.venv/ready: pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv recordings
