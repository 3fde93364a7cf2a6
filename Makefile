# Each target is a command that CI runs as well. New here: `make setup`, then `make demo`.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

UV_VERSION := 0.13.9
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Extra arguments of pytest: make test ARGS='-x -k timers'
ARGS ?=

BIN := .venv/bin
SETUP := .venv/.setup-done
KAFKA := .kafka/.jars-done

# uv takes the interpreter of .venv and never fetches one; a .venv elsewhere is not touched.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv

.PHONY: help setup demo test check fmt bench faults docs clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(SETUP) ## Make .venv from the lock file (nothing to do while the lock is the same)

$(SETUP): uv.lock pyproject.toml Makefile
	@test -n '$(PYTHON)' || { echo 'python3.11 is not on the PATH: install it, or make setup PYTHON=/path/to/python' >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/uv --version 2>/dev/null | grep -qF 'uv $(UV_VERSION) ' || $(BIN)/python -m pip install --quiet 'uv==$(UV_VERSION)'
	$(BIN)/uv sync --quiet --frozen --all-groups
	@touch $@

demo: setup ## Everything on this machine, with made-up traffic in fast time; Ctrl-C stops it
	$(BIN)/dripline up --demo --speed 3600

test: setup $(KAFKA) ## Install what is missing and run every test (ARGS='-k name' for some)
	$(BIN)/pytest $(ARGS)

check: setup ## Format, lint, types, import contracts, dependencies
	$(BIN)/uv lock --quiet --check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

fmt: setup ## Format, and repair what the linter can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup $(KAFKA) ## The project's benchmarks (docs/explanation/performance.md)
	$(BIN)/python -m tests.bench.engine_costs $(ARGS)

faults: setup $(KAFKA) ## Only the tests that kill, stop and cut off real processes
	FAULTS_LONG=1 FAULTS_KILLS=20 $(BIN)/pytest tests/faults $(ARGS)

docs: setup ## Write the generated reference again (schemas/json, docs/reference)
	$(BIN)/dripline schema --write

clean: ## Remove what the targets above made: .venv, Kafka's jars, caches
	rm -rf .venv .kafka tests/kafka/target .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The brokers of the tests are real: the jars come from Maven Central, once per pom.xml.
$(KAFKA): tests/kafka/pom.xml
	@command -v mvn >/dev/null && command -v java >/dev/null || { echo 'the tests need Java 17 and Maven for a real Kafka broker: apt-get install maven' >&2; exit 2; }
	rm -rf .kafka/lib
	mvn -q -B -f tests/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.kafka/lib
	@touch $@
