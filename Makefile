# The same words by hand and in CI. `make setup` is quick when nothing changed.
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
ARGS ?=
# Most tests wait for processes to start and sessions to end: more workers than cores.
WORKERS ?= 3

COMPILED := build/compiled.json

.PHONY: help setup compile interpret demo test check supply fmt bench soak soak-outage mutants fuzz monitoring proto docs constraints clean

help:
	@echo 'make demo    run the whole pipeline against embedded stand-ins   (ARGS="--help" for options)'
	@echo 'make test    run every test                                     (ARGS="-k name" to choose)'
	@echo 'make check   format, lint, types, import direction, supply'
	@echo 'make supply  bill of materials, licences, known vulnerabilities  (REQUIRE_AUDIT=1: fail when not asked)'
	@echo 'make setup   only create $(VENV) with the pinned dependencies'
	@echo 'make compile the hot modules to C, here: faster (needs a C compiler);  make interpret  undoes it'
	@echo 'make soak    faults at random, about 20 minutes                  (ARGS="--seed 7 --rounds 50")'
	@echo 'make soak-outage  two million messages, the warehouse away half of the time: memory, backlog'
	@echo 'make mutants break each rule of the protocol, and see that a test notices'
	@echo 'make fuzz    contract files, messages and texts by a fuzzer guided by coverage (ARGS="messages --seconds 600")'
	@echo 'make bench   benchmarks                                         (ARGS="--list" for their names)'
	@echo 'make monitoring  k8s/METRICS.md, thresholds, dashboard anew      (ARGS="--preview": its picture too)'
	@echo 'make docs    write docs/contract/ anew from the contract'
	@echo 'make proto   compile messages.proto anew, and record its new tags'
	@echo 'make fmt     format the code;  make constraints  pin anew'

setup: $(STAMP)

$(STAMP): constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or 3.12 is needed (Bytewax has no wheels for newer ones). Install one, or name it: make setup PYTHON=/path/to/python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo '$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv'; exit 1; }
	@echo 'Setting up $(VENV) with' "$$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r constraints.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--editable .
	@touch $(STAMP)

# Of the sources' times; the tests compare contents, and say so when a product is not of its source.
compile: $(COMPILED)

$(COMPILED): $(STAMP) setup.py $(shell find dataflow -name '*.py')
	@echo 'Compiling: about a minute the first time'
	@$(BIN)/python -m tests.compiled build

interpret: setup
	@$(BIN)/python -m tests.compiled remove

demo: setup
	@$(BIN)/python -m tests.demo $(ARGS)

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) --maxschedchunk=1 $(ARGS)

check: setup supply
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

supply: setup
	$(BIN)/python -m tests.supply

fmt: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m tests.bench $(ARGS)

soak: setup
	$(BIN)/python -m tests.faults --rounds 250 $(ARGS)

soak-outage: setup
	$(BIN)/python -m tests.faults.soak $(ARGS)

mutants: setup
	$(BIN)/python -m tests.mutants $(ARGS)

fuzz: setup
	$(BIN)/python -m tests.fuzz $(ARGS)

monitoring: setup
	$(BIN)/python -m tests.monitoring $(ARGS)

proto: setup
	$(BIN)/python -m tests.protobuf.generate

docs: setup
	@$(BIN)/python -m dataflow contract docs --directory docs/contract

# What an image installs, and compiles with, is part of what the tests run with: the same versions and hashes.
PIN := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

constraints: setup
	$(PIN) --extra dev --extra msk-iam -o constraints.txt pyproject.toml
	$(PIN) --extra msk-iam --constraint constraints.txt --no-annotate -o constraints-runtime.txt pyproject.toml
	echo mypy | $(PIN) --constraint constraints.txt --no-annotate -o constraints-compile.txt -
	$(PIN) -o tests/contracts/datacontract-cli.txt tests/contracts/datacontract-cli.in

clean:
	find dataflow -name '*.so' -delete
	rm -rf $(VENV) .cache build *.egg-info .mypy_cache .ruff_cache .hypothesis
