# Leadflow: `make run` and `make test` do everything on a fresh machine.
#
# A pip mirror is honoured as pip honours it (PIP_INDEX_URL, pip.conf); LEADFLOW_WHEELS=FOLDER installs from a
# folder of wheels without network.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_FLAGS := --disable-pip-version-check --quiet $(if $(LEADFLOW_WHEELS),--no-index --find-links $(LEADFLOW_WHEELS))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run demo-large cluster demo-cluster test chaos lint format lock screenshots system clean

run: $(VENV)/run.stamp
	$(BIN)/leadflow demo

# The same company with 200 people, in a folder of its own.
demo-large: $(VENV)/run.stamp
	LEADFLOW_DATA=$${LEADFLOW_DATA:-demo-large-data} $(BIN)/leadflow demo --people 200

# Real Kafka and PostgreSQL, and every part of Leadflow as a process; in another terminal: make demo-cluster
cluster: system $(VENV)/dev.stamp
	$(BIN)/python -m tools.cluster up

demo-cluster:
	$(BIN)/python -m tools.cluster demo

# What starts brokers, kills processes or waits by the clock has the machine to itself; the rest shares it.
WORKERS ?= 2
ALONE := tests/chaos tests/cluster
SHARED := $(filter-out $(ALONE) tests/data tests/support tests/conftest.py,$(wildcard tests/[a-z]*))
test: system lint
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest -n $(WORKERS) $(SHARED)
	$(BIN)/python -m pytest $(ALONE)
endif

# The storm, the poison and the brokers' absence (in seconds) of the suite at full size, from another beginning each
# time; SEED=N repeats one. Ends with 1 if a lead is lost, done twice, without owner or out of order.
LEADS ?= 50000
AWAY ?= 180
SEED ?= $(shell date +%s)
chaos: system $(VENV)/dev.stamp
	LEADFLOW_TEST_LEADS=$(LEADS) LEADFLOW_TEST_SEED=$(SEED) LEADFLOW_TEST_AWAY_S=$(AWAY) $(BIN)/python -m pytest -s \
		tests/cluster/test_storm.py tests/cluster/test_faults.py tests/cluster/test_servers_gone.py \
		-k "storm or poison or away"

system:
	@sh tools/system.sh

# Every page on a phone and a desktop, in Chinese and English; to be looked at.
screenshots: system $(VENV)/dev.stamp
	$(BIN)/python -m tools.screenshots build/screenshots
	$(BIN)/python -m tools.screenshots

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy answers console enrich ingest leadflow router sales schemas sinks store stream worktime tests tools bench
	$(BIN)/lint-imports
	$(BIN)/deptry .

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Leadflow needs Python 3.11 or newer, and this is " + sys.version.split()[0] + ". Fix: install one and run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/build.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/run.stamp

# Locks carry versions and hashes, no addresses. Wheels only: faust-streaming's caps would otherwise make the
# resolver walk back to old source releases without a word.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: \
	--no-emit-index-url --no-header --no-annotate
lock:
	$(COMPILE) pyproject.toml -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra cluster --extra train -o requirements/cluster.txt
	$(COMPILE) pyproject.toml --extra cluster -o requirements/image.txt
	echo hatchling | $(COMPILE) - -c requirements/dev.txt -o requirements/build.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
