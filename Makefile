# Four words to learn on the first day: make demo, make test, make check, make bench.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
# Many tests and benches start Claimwire in a process of its own: what Python compiled is kept for the next, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-postgresql check bench campaign simulate format clean

demo: $(VENV)/.installed
	$(BIN)/claimwire demo

# One process a core; a file's tests stay together, for what they share, and the files that take longest begin first (tests/longest.py).
# The house rules, tests/tidy, are `make check`'s.
SHARED := -n auto --dist loadfile --no-loadscope-reorder

test: $(VENV)/.ready
	$(RUN) -m pytest --ignore tests/tidy $(SHARED)

# The flows once more, on PostgreSQL.
test-postgresql: $(VENV)/.ready
	CLAIMWIRE_ENGINE=postgresql $(RUN) -m pytest tests/flows -m "not embedded and not one_engine and not campaign" $(SHARED)

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(RUN)
	$(BIN)/lint-imports
	$(RUN) -m pytest tests/tidy

bench: $(VENV)/.ready
	$(RUN) -m tests.bench

# Longer runs of what CI takes a seeded share of; a failure prints its seed for CLAIMWIRE_SEED. The first line writes and reads back
# more than 20,000 documents of all guides.
campaign: $(VENV)/.ready
	CLAIMWIRE_CASES=$${CLAIMWIRE_CASES:-4} $(RUN) -m pytest tests/laws -k "written or read_back or hostile"
	CLAIMWIRE_CAMPAIGN=$${CLAIMWIRE_CAMPAIGN:-3} $(RUN) -m pytest -m campaign -s

# Half a thousand lives, one more for each point at which a machine may die, two thousand power cuts, a death of a real process at each point over
# each road on each engine, and the planted defects.
simulate: $(VENV)/.ready
	$(BIN)/claimwire simulate --seeds $${CLAIMWIRE_SEEDS:-500} --years 20
	$(BIN)/claimwire simulate --points --seeds 4
	CLAIMWIRE_CAMPAIGN=2000 $(RUN) -m pytest tests/contract/test_power_cuts.py
	CLAIMWIRE_CAMPAIGN=100000 $(RUN) -m pytest tests/flows/test_points.py -s
	$(RUN) -m tests.simulation

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# What running needs.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable .
	touch $@

# What developing needs on top.
$(VENV)/.ready: $(VENV)/.installed
	$(RUN) -m pip install --quiet --group dev
	touch $@
