# `make help` lists the targets. All of them work in a virtual environment of the repository's own, .venv.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
EXCHANGE ?=
MODE ?= simulated
CREDENTIALS ?= .
MINUTES ?= 30
BOTS ?= 20
FILE ?= examples/gridbot.yaml
ARGS ?=

.PHONY: help run up down test conformance crash soak lint format proto crds manifests images bench mutants audit lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'Options: make run FILE=my.yaml ARGS=--fresh; make test ARGS="-k engine"; KUBE_CONTEXT=name make up'

run: $(VENV)/.run ## Run the example here: embedded PostgreSQL, paper exchange, bot
	@exec opensqt run -f $(FILE) $(ARGS)

up: $(VENV)/.dev ## Make a kind cluster (or use KUBE_CONTEXT=name), install everything, wait until the example trades
	@python -m tests.cluster up

down: $(VENV)/.dev ## Take away all that `make up` made
	@python -m tests.cluster down

test: $(VENV)/.dev ## Run all tests that this machine can run, and say which it cannot
	@python -m tests.cluster prepare
	@exec python -m pytest -n auto --dist loadgroup --no-loadscope-reorder $(ARGS)

conformance: $(VENV)/.dev ## Run the exchanges' suite; EXCHANGE=bybit MODE=demo CREDENTIALS=folder (MARKET=Spot) against a demo account
	@exec env OPENSQT_CONFORMANCE_EXCHANGE=$(EXCHANGE) OPENSQT_CONFORMANCE_MODE=$(MODE) \
	  OPENSQT_CONFORMANCE_MARKET=$(MARKET) OPENSQT_CONFORMANCE_CREDENTIALS=$(abspath $(CREDENTIALS)) \
	  python -m pytest tests/conformance $(if $(filter demo,$(MODE)),-n 0,-n 2) $(ARGS)

crash: $(VENV)/.dev ## Play longer markets than `make test`: bot, connector and PostgreSQL killed at every boundary, the PnL of a month, thousands of random ones
	@exec python -m pytest -n auto -m exhaustive -rP tests/faults tests/runtime tests/engine $(ARGS)

soak: $(VENV)/.dev ## Run BOTS=20 bots on one connector for MINUTES=30 at EXCHANGE=binance, simulated, while all sorts of things fail
	@exec env PYTHONPATH=. python -m tests.soak --exchange $(or $(EXCHANGE),binance) --minutes $(MINUTES) --bots $(BOTS) $(ARGS)

lint: $(VENV)/.dev ## Check style, types, layers, protos and the chart
	ruff check
	ruff format --check
	mypy
	lint-imports
	cd proto && buf lint
	python -m opensqt.api.crd --check
	python -m tests.cluster manifests --check

format: $(VENV)/.dev ## Format the code
	ruff format
	ruff check --fix

proto: $(VENV)/.dev ## Generate the gRPC code
	cd proto && buf generate

crds: $(VENV)/.dev ## Generate the CRDs, their reference, and the manifests made of them
	python -m opensqt.api.crd
	python -m tests.cluster manifests

manifests: crds ## The same as crds

images: $(VENV)/.dev ## Build the two images (IMAGE_REGISTRY, BASE_IMAGE)
	@python -m tests.cluster images

bench: $(VENV)/.bench ## Measure, and compare with the targets; all of them, then say which missed
	@missed=; for benchmark in benchmarks/*.py; do echo "== $$benchmark"; \
	PYTHONPATH=. python "$$benchmark" $(ARGS) || missed="$$missed $$benchmark"; done; \
	test -z "$$missed" || { echo "missed:$$missed"; exit 1; }

mutants: $(VENV)/.mutants ## Change engine and journal in many small ways, and see which of them no test notices (hours; ARGS=settlement)
	@exec python -m tests.mutants $(ARGS)

audit: $(VENV)/.dev ## Look for known vulnerabilities in what is locked
	@for lock in run bot operator dev; do pip-audit --disable-pip --require-hashes -r requirements/$$lock.txt || exit 1; done

lock: $(VENV)/.dev ## Lock the dependencies anew (ARGS=--upgrade)
	requirements/lock.sh $(ARGS)

clean: ## Remove the environment and the tools' caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@uv pip install -q --python $(BIN)/python --require-hashes -r requirements/bench.txt
	@touch $@

$(VENV)/.mutants: $(VENV)/.dev requirements/mutants.txt
	@uv pip install -q --python $(BIN)/python --require-hashes -r requirements/mutants.txt
	@touch $@

# The environment. dev.txt contains run.txt, with the same versions.
$(VENV)/.run: requirements/run.txt requirements/uv.txt requirements/environment.sh
	@requirements/environment.sh $(VENV) run
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/uv.txt requirements/environment.sh
	@requirements/environment.sh $(VENV) dev
	@touch $@ $(VENV)/.run
