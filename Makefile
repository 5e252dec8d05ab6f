# `make music` and `make test` need Python 3.11 or later, and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKDIR ?= runs/music
# a third of an installation is compiling modules: those that are imported are compiled then, and kept
PIP := $(BIN)/python -m pip install --quiet --upgrade --no-compile
unexport PYTHONDONTWRITEBYTECODE

.PHONY: music test fuzz tables docs clean

music: $(VENV)/.music
	$(BIN)/python experiments/melody/music.py --workdir $(WORKDIR)

# mypy takes what the two workers of pytest leave of the cores
test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	nice -n 19 $(BIN)/mypy & types=$$!; \
		$(BIN)/python -m pytest -n 2 -rs; tests=$$?; wait $$types && exit $$tests

# new examples for every codec and reader, for MINUTES or SECONDS: make fuzz MINUTES=60
fuzz: $(VENV)/.dev
	$(BIN)/python tests/fuzz.py --minutes $(or $(MINUTES),$(if $(SECONDS),0,10)) \
		--seconds $(or $(SECONDS),0)

tables: $(VENV)/.music
	PYTHONPATH=benchmarks $(BIN)/python docs/tables/write.py

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.music: pyproject.toml | $(BIN)/python
	$(PIP) -e .
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/.music

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[docs]'
	touch $@ $(VENV)/.music

clean:
	rm -rf $(VENV) build site *.egg-info
