# The only tools needed are Python 3.11 or later, and make. Each target makes its environment in .venv.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
ARGS ?=

.PHONY: help demo up test check format lint types imports messages wheel-smoke bench soak clean

help:
	@echo "make demo    run the product with sample queues, people and items"
	@echo "make up      run the product, empty"
	@echo "make test    run all tests"
	@echo "make check   what CI runs: format, lint, types, imports, tests, and the wheel in an empty environment"
	@echo "make messages collect the texts to translate, and compile the catalogues"
	@echo "make bench   measure against the floor; make soak: the long tests"

demo: .venv/.runtime
	$(BIN)/reviewqueue demo $(ARGS)

up: .venv/.runtime
	$(BIN)/reviewqueue up $(ARGS)

test: .venv/.dev
	$(PYTEST) -m "not soak" $(ARGS)

check: format lint types imports wheel-smoke test

format: .venv/.dev
	$(BIN)/ruff format --check .

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/djlint templates --lint --quiet

types: .venv/.dev
	$(BIN)/mypy

imports: .venv/.dev
	$(BIN)/lint-imports

wheel-smoke: .venv/.dev
	$(BIN)/python scripts/wheel_smoke.py

# With LANGUAGE=de, a catalogue for German is begun.
messages: .venv/.dev
	$(BIN)/python scripts/messages.py $(LANGUAGE)

bench: .venv/.dev
	$(BIN)/python -m bench $(ARGS)

soak: .venv/.dev
	$(PYTEST) -m soak $(ARGS)

clean:
	rm -rf .venv build dist

# -- the environment: a stamp a set, so that a second call is quick ---------------------------------------------------

.venv/.python:
	@test -n "$(PYTHON)" || { echo "reviewqueue needs Python 3.11 or later; found: $$(python3 --version 2>&1)." \
	  "Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@if command -v uv >/dev/null 2>&1; then uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" .venv; \
	else $(PYTHON) -m venv .venv || { echo "Python cannot make an environment. On Debian: apt-get install python3-venv" >&2; \
	  rm -rf .venv; exit 1; }; fi
	@touch $@

define install
	@echo "Installing into .venv ($(1)) …"
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python -e ".[$(1)]" $(2); \
	else : "an old pip tries versions for many minutes"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$(1)]" $(2); fi
	@# Not every installer does it, and a command that compiles all that it imports takes seconds to start.
	@$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true
	@touch $@
endef

.venv/.runtime: .venv/.python pyproject.toml
	$(call install,postgres,)

.venv/.dev: .venv/.python pyproject.toml client/pyproject.toml
	$(call install,dev$(comma)e2e,-e ./client)
	@touch .venv/.runtime

comma := ,
