# `make` alone prints what there is. Everything runs in .venv, which `make` makes itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Beside the newest one, which is in dev.lock: each changed which thread a button is answered in.
OTHER_IPYKERNELS := 6.31 7.3
# The oldest one that the sidebar is for; the newest is in dev.lock, too.
OTHER_JUPYTERLABS := 4.2
# s3fs lives beside, too, in .venv/s3fs: its botocore wants an older python-dateutil than everybody else.
# Of `make up`: real nodes, nodes that only seem to be, GPUs that the first node claims to have; what is not said stays.
NODES := 1
KWOK :=
GPUS :=
# With bytecode, every process starts faster: `import ray` takes 0.4 s instead of 2 s.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONUNBUFFERED

.DEFAULT_GOAL := help
.PHONY: help install labextension demo test full lint format browser chromium proxy services node pictures docs bench bench-capture bench-cluster bench-images bench-kueue bench-local bench-panel bench-ray bench-rayjob bench-server up down cluster-status cluster-build lock clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.ready ## make .venv from the lock file

$(VENV)/.ready: $(wildcard requirements/*.lock) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "jobq-magic needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 2; }
	@echo "making $(VENV) (once; about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements/dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@for version in $(OTHER_IPYKERNELS); do $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode --upgrade --target $(VENV)/ipykernel-$$version -r requirements/ipykernel-$$version.lock || exit 1; done
	@for version in $(OTHER_JUPYTERLABS); do $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode --upgrade --target $(VENV)/jupyterlab-$$version -r requirements/jupyterlab-$$version.lock || exit 1; done
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode --upgrade --target $(VENV)/s3fs -r requirements/s3fs.lock
	@touch $@

demo: install ## run the π notebook headless on four Ray workers, and say what happened
	@$(BIN)/python examples/demo.py

test: lint chromium node proxy ## everything that must pass before a change lands; the cluster comes up beside it
	$(BIN)/python -m tests.cluster test $(BIN)/python -m pytest -m "not slow"

full: lint chromium node proxy ## test, and all that is slow (many kills, long runs); figures go to docs/evidence/
	$(BIN)/python -m tests.cluster test $(BIN)/python -m pytest

lint: install ## style, types, and the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: install chromium ## what a cell looks like in JupyterLab and in Notebook 7, in a real browser
	$(BIN)/python -m pytest tests/browser

pictures: install chromium node ## renew the pictures in the docs; those of waits and of Ray clusters on the cluster
	PICTURES=docs/_static $(BIN)/python -m pytest tests/browser/test_pictures.py tests/browser/test_runview.py::test_pictures_of_a_run_in_the_main_area tests/cluster/kueue/test_waits.py tests/cluster/rayjob/test_pictures.py

chromium:
	@sh tests/browser/chromium.sh >/dev/null

proxy:
	@sh tests/hub/install.sh >/dev/null

services:
	@sh tests/services/install.sh >/dev/null

node: services
	@sh tests/cluster/install.sh >/dev/null

labextension: install ## build the sidebar anew into jobq_magic/labextension (needs Node; what is built is committed)
	@$(BIN)/python labextension/build.py

docs: install ## the documentation, as a site: build/docs/html
	$(BIN)/python -m sphinx -W --keep-going -n -q -d build/docs/doctrees docs build/docs/html

format: install ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-local bench-ray bench-panel bench-server bench-capture bench-images ## the benches that need no cluster, each beside its peer

bench-local: install ## local mode and the magic itself, beside their peers
	$(BIN)/python -m benchmarks.local

bench-ray: install ## embedded Ray beside Ray's own Jobs API
	$(BIN)/python -m benchmarks.ray

bench-panel: install chromium ## what the panel costs: on the wire, in the kernel, and until a person sees a change
	$(BIN)/python -m benchmarks.panel

bench-server: install chromium ## what the sidebar's server costs: lists, logs, changes, and the sidebar itself
	$(BIN)/python -m benchmarks.server

bench-capture: install ## what capture costs, beside what the notebook holds and the disk
	$(BIN)/python -m benchmarks.capture

bench-images: install services ## from a cell to an image that pulls, beside docker build and push
	$(BIN)/python -m benchmarks.images

bench-cluster: install node ## what the cluster of the tests costs: up, down, a second node, idle
	$(BIN)/python -m benchmarks.cluster

bench-kueue: install node ## a cell in a queue, beside a Job by hand and kubectl (the cluster must be up)
	$(BIN)/python -m benchmarks.kueue

bench-rayjob: install node ## a cell on a Ray cluster of its own, beside RayJobs by hand (the cluster must be up)
	$(BIN)/python -m benchmarks.rayjob

up: install node ## a real cluster on this machine: Kubernetes, Kueue, KubeRay (NODES=2 KWOK=5 GPUS=4)
	@$(BIN)/python -m tests.cluster up --nodes $(NODES) --kwok "$(KWOK)" --gpus "$(GPUS)"

down: install ## take that cluster away, to its last mount and link
	@$(BIN)/python -m tests.cluster down

cluster-status: install ## what of the cluster is up, and how it is
	@$(BIN)/python -m tests.cluster status

cluster-build: install ## build the cluster's programs ahead of `up` (once; about ten minutes)
	@$(BIN)/python -m tests.cluster build

lock: install ## renew the lock files from pyproject.toml
	@echo 'uv>=0.5' | $(BIN)/uv pip compile --quiet - --generate-hashes --no-header --no-annotate --universal --python-version 3.11 --upgrade -o requirements/uv.lock
	@$(BIN)/uv pip compile --quiet pyproject.toml --extra all --group dev --generate-hashes --no-header --no-annotate --universal --python-version 3.11 --upgrade -o requirements/dev.lock
	@for version in $(OTHER_IPYKERNELS); do echo "ipykernel==$$version.*" | $(BIN)/uv pip compile --quiet - --no-deps --generate-hashes --no-header --no-annotate --universal --python-version 3.11 --upgrade -o requirements/ipykernel-$$version.lock || exit 1; done
	@for version in $(OTHER_JUPYTERLABS); do printf '%s\n' "jupyterlab==$$version.*" "notebook==7.$${version#*.}.*" | $(BIN)/uv pip compile --quiet - --no-deps --generate-hashes --no-header --no-annotate --universal --python-version 3.11 --upgrade -o requirements/jupyterlab-$$version.lock || exit 1; done
	@echo "s3fs $$(grep -o '^fsspec==[^ ]*' requirements/dev.lock)" | tr ' ' '\n' | $(BIN)/uv pip compile --quiet - --generate-hashes --no-header --no-annotate --universal --python-version 3.11 --upgrade -o requirements/s3fs.lock

clean: ## remove .venv and what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
