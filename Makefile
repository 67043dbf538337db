# Two commands matter: `make mission` and `make test`.  Both set themselves up on a fresh machine (Python 3.11+, venv, make).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: mission test lint types contracts bench soak clean

mission: $(STAMP)
	$(BIN)/nautilus stress flash-crash --exit-zero

# Whole fleets take the machine for themselves; all else shares its cores.
test: $(VENV)/.dev lint types contracts
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile --ignore tests/integration
	$(BIN)/python -m pytest tests/integration

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks

soak: $(VENV)/.dev
	$(BIN)/python -m tests.soak --kills 500

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
