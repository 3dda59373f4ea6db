# Everything a checkout needs, from nothing but make and a Python of 3.11 or newer:
#
#   make dev      make .venv, install Stepwell, start it with the example shop
#   make test     install what the tests need, run them        ARGS="-k sleep" goes to pytest
#   make check    lint, format check and the type checkers of Python and of JavaScript
#   make bench    measure the hot path
#   make images   take the pictures of the dashboard anew
#
# A stamp file in .venv says what is installed there, so that only a change of pyproject.toml installs again.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help dev test check bench images

help:
	@sed -n 's/^#   make/  make/p' Makefile

dev: $(VENV)/.installed
	$(BIN)/stepwell dev examples/shop.py $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

check: $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/npx --yes --package typescript@5.9.3 tsc --project jsconfig.json

bench: $(VENV)/.installed
	$(BIN)/python bench $(ARGS)

images: $(VENV)/.test
	$(BIN)/python docs/images/take.py

# pip understands dependency groups from 25.1 on; the one that comes with a new .venv is often older.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Stepwell needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing)." \
			"Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install 'pip>=25.1'
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml
	$(PIP) install --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.installed pyproject.toml
	$(PIP) install --group test
	@touch $@

$(VENV)/.check: $(VENV)/.test pyproject.toml
	$(PIP) install --group check
	@touch $@
