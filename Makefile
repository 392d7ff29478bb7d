# Darkroom's workshop: `make` alone lists what it can do. Needs Python 3.11 or newer and nothing else.

PYTHON ?= python3
BIN := .venv/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# On a terminal pip shows how far it is; elsewhere it is quiet.
INSTALL := $(BIN)/pip install $$(test -t 2 || echo -qq)
# Handed on as it was typed, so that no shell sees its quotes or dollar signs.
override PROMPT := $(value PROMPT)
export PROMPT

.DEFAULT_GOAL := help
.PHONY: help setup run hosted test lint bench image

help: ## Show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: .venv/.installed ## Make the environment in .venv

run: .venv/.installed ## Serve the studio on http://localhost:8501
	@host=$$($(BIN)/python -c 'import sys; sys.tracebacklimit = 0; from pipeline.settings import read_settings; \
	print(read_settings().host)') && \
	exec $(BIN)/streamlit run app.py --server.address "$$host"

hosted: .venv/.hosted ## Add what hosted models need: docs/hosted.md

test: .venv/.dev .venv/.browser ## Run all tests, in a real browser too
	@$(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile

lint: .venv/.dev ## Check style, types and who imports whom
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

bench: .venv/.dev ## Measure this machine with every script of benchmarks/
	@for name in web_process cold_start picture end_to_end overhead processor four_bits upscale gallery; do $(BIN)/python -m benchmarks.$$name || exit 1; done

image: .venv/.installed ## Make one picture: make image PROMPT="a lighthouse at dusk"
	@test -n "$$PROMPT" || { echo 'Say what it shows: make image PROMPT="a lighthouse at dusk"' >&2; exit 2; }
	@$(BIN)/python -m pipeline generate -- "$$PROMPT"

# A stamp stands for each finished stage, so that a call with nothing to do takes no time.

.venv/.created:
	@command -v $(PYTHON) >/dev/null || \
	{ echo 'Python was not found. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and \
	"Darkroom needs Python 3.11 or newer; this is %s. Name another: make PYTHON=python3.12" % v)'
	@$(PYTHON) -m venv .venv || \
	{ echo 'The environment could not be made. On Debian and Ubuntu: sudo apt install python3-venv' >&2; exit 1; }
	@touch $@

.venv/.installed: requirements.txt .venv/.created
	@echo 'Installing what requirements.txt names into .venv: once, some minutes (torch for CUDA is large) …'
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.installed
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

.venv/.hosted: requirements-hosted.txt .venv/.installed
	@$(INSTALL) -r requirements-hosted.txt
	@touch $@

.venv/.browser: .ci/browser .venv/.dev
	@.ci/browser
	@touch $@
