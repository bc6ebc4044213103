# neurodata: `make demo` shows it working, `make test` runs the suite, `make check` is what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test fuzz check format lint types wheel-check benchmarks clean

demo: $(VENV)/.demo  ## prepare a generated look-alike of DVS Gesture, train a spiking network on it
	$(BIN)/neurodata prepare dvs-gesture --T 16 --twin
	$(BIN)/neurodata train dvs-gesture --T 16 --twin --epochs 15 --run demo

test: $(VENV)/.test  ## the whole suite
	$(BIN)/python -m pytest --numprocesses auto

fuzz: $(VENV)/.test  ## damaged files of every format, by the thousand
	$(BIN)/python -m tests.formats.fuzz

check: $(VENV)/.test lint types test  ## formatting, lint, types, tests

lint: $(VENV)/.test
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: $(VENV)/.test
	$(BIN)/mypy

format: $(VENV)/.test  ## rewrite in the project's format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

wheel-check: $(VENV)/.test  ## build the wheel, install it away from the checkout, prepare and train there
	$(BIN)/python tests/wheel_check.py

benchmarks: $(VENV)/.test  ## measured ratios against other libraries
	$(BIN)/python -m benchmarks.formats
	$(BIN)/python -m benchmarks.encodings
	$(BIN)/python -m benchmarks.encodings_static
	$(BIN)/python -m benchmarks.encodings_audio
	$(BIN)/python -m benchmarks.encodings_other
	$(BIN)/python -m benchmarks.transforms
	$(BIN)/python -m benchmarks.augment

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Installed again when what is to be installed has changed.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing (torch and its companions are about 250 MB)"
	$(INSTALL) --editable '.[train,report]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing with the test tools"
	$(INSTALL) --editable '.[test]'
	@touch $@ $(VENV)/.demo

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "neurodata needs Python 3.11 or later; say which: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
