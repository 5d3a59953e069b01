# `make` lists the targets. Each does the set-up it needs.
SHELL := bash
.DEFAULT_GOAL := help

BIN := .venv/bin
# More arguments for the command behind a target: make run ARGS="--set training.epochs=2"
ARGS ?=
# Files of tests side by side; the tests of one file stay together, with what they share.
PYTEST := $(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile
# The stack of libraries, today or older; without one, what is installed, or the newest that this machine can run.
STACK ?=
# The name of the container image.
IMAGE ?= crowdflow:0.1.0
# How each stack is locked. Today's lock is one for both of its Pythons: lines that differ have markers.
LOCK_FORM := --quiet --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
LOCK := pip compile setup.py --extra dev --extra kubeflow $(LOCK_FORM)
# The older stack is of 2025-02-01, but for libraries whose newer versions mend known vulnerabilities, and what these need.
MENDED := anyio bleach cffi cryptography flask flask-cors fonttools h11 httpcore idna jaraco-context jinja2 \
	jupyter-builder jupyter-core jupyter-server jupyterlab jupyterlab-server lxml markdown mistune nbconvert \
	nltk notebook oauthlib orjson pillow pyasn1 pygments pymongo pytest python-json-logger requests soupsieve \
	sqlparse tornado typing-extensions werkzeug wheel xmltodict
OLDER := --python-version 3.10 --exclude-newer 2025-02-01 \
	$(foreach name,$(MENDED),--upgrade-package $(name) --exclude-newer-package $(name)=2026-11-15)
TODAY := --python-version 3.12 --exclude-newer 2026-11-15 --universal \
	--override requirements/today-overrides.txt

.PHONY: help install install-gpu run test test-e2e test-engines fuzz fuzz-guided kills lint format lock pin bench image image-gpu \
	test-stack audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
	@echo 'ARGS="..." adds arguments to run, test and test-e2e.'

install: ## set up .venv, where it is not up to date; STACK=today or older chooses the stack
	@scripts/install.sh $(STACK)

install-gpu: ## the same with the CUDA libraries: driver 525 or later (README.md has the cards)
	@scripts/install.sh $(STACK)-gpu

run: install ## the whole pipeline on the simulated city: crowdflow run --preset tiny-city
	$(BIN)/crowdflow run --preset tiny-city $(ARGS)

test: install ## every test but the longest
	$(PYTEST) -m "not e2e and not engines" $(ARGS)

test-stack: ## the tests on the other stack: in a copy of its own, or in a folder with Debian 13
	@scripts/test-stack.sh $(ARGS)

test-e2e: install ## the longest tests: whole runs of the pipeline
	$(PYTEST) -m e2e --timeout=1800 $(ARGS)

test-engines: install ## ingest, windows and whole runs on a real Flink and Spark, from Maven Central and PyPI
	$(BIN)/pytest -m engines -rs $(ARGS) tests/engines

fuzz: install ## damaged files into every reader, FUZZ_SECONDS=200 of each kind
	FUZZ_SECONDS=$${FUZZ_SECONDS:-200} $(PYTEST) --timeout=0 --dist load tests/fuzz $(ARGS)

fuzz-guided: install ## one reader with atheris, where it installs: FILE=trips.csv FUZZ_SECONDS=600
	scripts/uv.sh pip install --quiet --python $(BIN)/python --require-hashes -r tests/fuzz/requirements.txt
	PYTHONPATH=$(CURDIR):$(CURDIR)/tests $(BIN)/python -m tests.fuzz.guided $${FILE:-trips.csv} $${FUZZ_SECONDS:-600}

kills: install ## a run killed at random moments, KILLS=16 for each kind of serving folder, KILLS_SEED=1
	KILLS=$${KILLS:-16} $(PYTEST) --dist load -m e2e -rP tests/e2e/test_random_kills.py $(ARGS)

lint: install ## check style, format, and that no floor imports from above it
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	cd .venv && bin/lint-imports --no-cache --config ../pyproject.toml

format: install ## put the sources into format
	$(BIN)/ruff check --select I --fix
	$(BIN)/ruff format

lock: ## compile the locks in requirements/ from setup.py
	@scripts/uv.sh $(LOCK) $(OLDER) -o requirements/older.txt
	@scripts/uv.sh $(LOCK) $(OLDER) --extra gpu -o requirements/older-gpu.txt
	scripts/uv.sh $(LOCK) $(TODAY) -o requirements/today.txt
	scripts/uv.sh $(LOCK) $(TODAY) --extra gpu -o requirements/today-gpu.txt
	scripts/uv.sh pip compile requirements/audit.in $(LOCK_FORM) --python-version 3.10 --exclude-newer 2026-11-15 \
		-o requirements/audit.txt
	rm -rf crowdflow.egg-info

audit: ## check both stacks' locks against known vulnerabilities, with pip-audit
	@scripts/audit.sh $(STACK)

pin: ## fix the images in deploy/ to the digests of today, with docker
	@scripts/pin.sh

bench: ## list the benchmarks
	@for file in benchmarks/[a-z]*.py; do \
		[[ -f $$file ]] && printf '%s\n    %s\n' "$(BIN)/python $$file" "$$(head -1 $$file | tr -d '"')"; \
	done; true

image: ## the container image, IMAGE=crowdflow:0.1.0 unless it is given
	@scripts/image.sh $(IMAGE)

image-gpu: ## the same with the CUDA libraries, its tag with -gpu; driver and card as for install-gpu
	@scripts/image.sh $(IMAGE)-gpu today-gpu

clean: ## remove environments, builds and caches; runs/ stays
	rm -rf .venv .uv .promtool build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
