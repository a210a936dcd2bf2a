# Every verb that people and CI use. `make` alone lists them.
#
# PYTHON     the interpreter for .venv: 3.11 is what is tested, newer ones may work
# PIP_ARGS   passed to every `pip install`, e.g. an index of your own
# ARGS       passed to what the verb runs: make run ARGS='--port 9000', make test ARGS='-k sse'

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
PIP_ARGS ?=
ARGS ?=

BIN := .venv/bin
# The tests of a file share servers and models, so a file is run by one process.
ALL_TESTS = -m 'not container' --numprocesses logical --maxprocesses 4 --dist loadfile
# Each room's own tests have to cover it. Measuring that of the others too would double their time.
# (--cov comes last: it would take a folder behind it for what is to be covered.)
ROOMS = tests/service tests/training
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run training test lint audit check format bench soak abuse chaos dialects container-test screenshots system-packages lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: .venv/serving ## install the service (without torch) and serve the bundled model on port 8000
	@exec $(BIN)/lstm-serve serve $(ARGS)

training: .venv/complete ## install what training needs (torch), and say how to begin
	@echo "Ready. Train on a text of your own, and serve it:"
	@echo "  source $(BIN)/activate"
	@echo "  lstm-train run my.txt"
	@echo "docs/tutorial.md goes through all of it; lstm-train --help lists the commands."

test: .venv/complete ## install the rest and run all tests but those that need Docker
ifdef ARGS
	$(BIN)/pytest -m 'not container' $(ARGS)
else
	$(BIN)/pytest $(ALL_TESTS) $(ROOMS) --cov
	$(BIN)/coverage report --include='service/engine/*,service/artifacts/*' --fail-under=98
	$(BIN)/pytest $(ALL_TESTS) $(ROOMS:%=--ignore=%) tests
endif

lint: .venv/complete ## ruff, mypy --strict and import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

audit: | $(BIN)/python ## ask osv.dev for known vulnerabilities of what is pinned; skipped where it does not answer
	@$(BIN)/python .ci/audit.py $(ARGS)

check: lint test ## what has to pass before a commit: lint, then test

format: .venv/complete ## let ruff fix and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/complete ## measure the README's figures: the engine by itself, then the server
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.serving $(ARGS)

soak: .venv/complete ## ten minutes of clients of all kinds: nothing may leak, change or fail
	$(BIN)/python -m benchmarks.soak $(ARGS)

abuse: .venv/complete ## attack a server in every way we know: its other clients may not notice
	$(BIN)/python -m benchmarks.abuse $(ARGS)

chaos: .venv/complete ## 5,000 texts while everything around them goes wrong: each is as it would be alone
	$(BIN)/python -m benchmarks.chaos $(ARGS)

dialects: .venv/complete ## fifteen minutes of 256 clients in every dialect, through kill -9 (--minutes 2 for a trial)
	$(BIN)/python -m benchmarks.dialects $(ARGS)

container-test: .venv/complete ## build the image, compose it up, stream from it (needs Docker)
	$(BIN)/pytest -m container --capture=no tests/container $(ARGS)

screenshots: .venv/complete ## make the pictures of the page in docs/page (needs Chromium)
	$(BIN)/python -m tests.e2e.web.screenshots docs/page

system-packages: ## install what tests run where it is there: nginx, Caddy, Redis, promtool, Chromium (Debian and Ubuntu, as root)
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends nginx caddy prometheus redis-server chromium

lock: ## resolve every extra anew and write constraints.txt
	rm -rf build/lock && mkdir -p build && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet $(PIP_ARGS) -e '.[training,tensorboard,clients,dev]'
	{ grep '^#' constraints.txt; build/lock/bin/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+cpu$$//'; } >build/constraints.txt
	mv build/constraints.txt constraints.txt

clean: ## remove .venv and all caches
	rm -rf .venv .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find service training tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Stamps: an install happens once, and again only when what is to be installed has changed.

# A .venv without pip cannot be installed into. One that was copied or moved with its folder still says where it was
# made, and its scripts run the other folder's code. Both are made anew.
ifneq (,$(wildcard .venv))
MADE_FOR = $(shell $(BIN)/python -c 'import pip' 2>/dev/null && \
  sed -n "s/^ *\(export \)\{0,1\}VIRTUAL_ENV=[\"']\{0,1\}\([^\"']*\)[\"']\{0,1\} *$$/\2/p" $(BIN)/activate)
ifneq ($(CURDIR)/.venv,$(MADE_FOR))
.PHONY: $(BIN)/python
.venv/serving .venv/complete: $(BIN)/python
endif
endif

.venv/serving: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

.venv/complete: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[training,tensorboard,clients,dev]'
	@touch $@ .venv/serving

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "lstm-serve needs Python 3.11 or newer, and '$(PYTHON)' is not that: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
