# Every target sets up what it needs. `make demo` needs Python 3.11 or later with venv, git and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_STAMP := $(VENV)/.installed-demo
DEV_STAMP := $(VENV)/.installed-dev
DOCS_STAMP := $(VENV)/docs/.installed
SITE ?= build/docs-site
PYTEST_ARGS ?=
# Tests wait for real services as often as they compute: three files at a time on two cores, each with nodes of its own.
WORKERS ?= 3
# What images are built with, and from; BASE is named in images/*.Containerfile otherwise.
ENGINE ?= $(firstword $(shell command -v podman buildah docker))
BASE ?=

.PHONY: help demo federation test test-unit test-integration test-cluster test-attack lint format bench docs docs-site requirements images system-packages clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  \1|/' | column -t -s '|'

$(BIN)/uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null || { echo "Python 3.11 or later is needed (PYTHON=$(PYTHON)). Remedy: install python3.11, or say make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python has no venv. Remedy (as root): apt-get install python3-venv"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt

$(DEMO_STAMP): requirements/demo.txt pyproject.toml | $(BIN)/uv
	@echo "Setting up $(VENV) (once) ..."
	@test -e $(DEV_STAMP) && test $(DEV_STAMP) -nt requirements/dev.txt || $(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/demo.txt requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements/dev.txt pyproject.toml | $(BIN)/uv
	@echo "Setting up $(VENV) with the tests' tools (once) ..."
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@ $(DEMO_STAMP)

demo: $(DEMO_STAMP) ## the main job, from code to a released result, checked as it goes
	@exec $(BIN)/phems demo

federation: $(DEMO_STAMP) ## the example of a federation: two nodes train one model, each claim checked
	@exec $(BIN)/python -m examples.federation

test: system-packages $(DEV_STAMP) ## every test, with the services they need
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-unit: $(DEV_STAMP) ## the pure, fast tests
	@exec $(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

test-integration: $(DEV_STAMP)
	@exec $(BIN)/python -m pytest tests/integration $(PYTEST_ARGS)

test-cluster: $(DEV_STAMP) ## the profile kubernetes on the small cluster of the tests; with KUBECONFIG (and PHEMS_TEST_IMAGE) steps as Jobs of that one
	@exec $(BIN)/python -m pytest $(if $(KUBECONFIG),-m cluster) tests/integration/cluster $(PYTEST_ARGS)

test-attack: $(DEV_STAMP)
	@exec $(BIN)/python -m pytest tests/attack $(PYTEST_ARGS)

lint: $(DEV_STAMP) ## ruff, mypy strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEV_STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(DEV_STAMP) ## speed and memory, side by side with stock Dagster; then over a broker, beside its peers; then growth
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.server
	@exec $(BIN)/python -m benchmarks.growth

docs: $(DEV_STAMP) ## the generated reference
	@exec $(BIN)/python docs/generate.py

$(DOCS_STAMP): requirements/docs.txt | $(BIN)/uv
	@$(BIN)/python -m venv --clear --without-pip $(VENV)/docs
	@$(BIN)/uv pip sync --quiet --python $(VENV)/docs/bin/python --require-hashes requirements/docs.txt
	@touch $@

docs-site: $(DOCS_STAMP) ## the documents as a site that needs no network, in build/docs-site (or SITE=...)
	@rm -rf $(SITE)
	@$(VENV)/docs/bin/python -m sphinx --quiet --fresh-env --fail-on-warning --doctree-dir $(VENV)/docs/doctrees docs $(SITE)
	@echo "$(SITE)/index.html"

images: ## the container images, where podman, buildah or docker is (MLFLOW=1 with MLflow, BASE=... for a base of your own)
	@test -n "$(ENGINE)" || { echo "No podman, buildah or docker is here. Remedy (as root): apt-get install podman"; exit 2; }
	@for image in control project; do \
	  $(ENGINE) build $(if $(BASE),--build-arg BASE=$(BASE)) \
	    $$(test $$image = project || echo "$(if $(MLFLOW),--build-arg PACKAGES=control-mlflow.txt)") --file images/$$image.Containerfile --tag phems-$$image . || exit 2; \
	done

requirements: $(BIN)/uv ## compile the pinned requirements anew
	@compile() { $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --universal --python-version 3.11 "$$@"; }; \
	compile requirements/bootstrap.in -o requirements/bootstrap.txt; \
	compile requirements/crate-validator.in -o requirements/crate-validator.txt; \
	compile requirements/docs.in -o requirements/docs.txt; \
	for peer in airflow luigi prefect; do compile requirements/peers-$$peer.in -o requirements/peers-$$peer.txt; done; \
	compile pyproject.toml --extra node --extra s3 --extra kubernetes --extra otel --extra mlflow --extra examples --extra dev --constraint requirements/bootstrap.txt -o requirements/dev.txt; \
	compile pyproject.toml --extra node --extra mlflow --extra examples --constraint requirements/dev.txt -o requirements/demo.txt; \
	compile pyproject.toml --extra node --extra s3 --extra kubernetes --extra otel --constraint requirements/dev.txt -o requirements/control.txt; \
	compile pyproject.toml --extra node --extra s3 --extra kubernetes --extra otel --extra mlflow --constraint requirements/dev.txt -o requirements/control-mlflow.txt; \
	compile pyproject.toml --constraint requirements/dev.txt -o requirements/base.txt

# As root on Debian, install what the tests start; elsewhere say what is missing and go on.
system-packages:
	@bash tests/system-packages.sh

clean:
	rm -rf .demo .federation .mypy_cache .ruff_cache .pytest_cache
