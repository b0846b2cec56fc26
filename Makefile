# The few commands of the house; `make help` lists them.
#
#   PYTHON   the interpreter to build .venv with (3.11, 3.12 or 3.13); found by itself when not given
#   PORT     the port that `make serve` listens on; the server's default when not given
#   VERSION  of `make sdl`
#   ARGS     passed on: `make test ARGS="tests/test_ladder.py -k upward"`, `make serve ARGS=--no-seeds`

PYTHON ?=
PORT ?=
ARGS ?=
VERSION ?=
UPGRADE ?=

python := .venv/bin/python
pytest := $(python) -m pytest
uv := uv==0.13.9
compile := pip compile --quiet --universal --python-version 3.11 --only-binary :all: \
           --generate-hashes --no-emit-index-url --no-header --no-annotate $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help venv runtime serve test check format lint types fix bench docs nightly sdl lock wheels clean

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1 \2/p' Makefile | awk '{printf "  %s %-9s", $$1, $$2; $$1 = $$2 = ""; print}'

venv: ## make .venv with all that serving, testing and checking need
	@PYTHON='$(PYTHON)' .ci/venv requirements-dev.lock

runtime:
	@PYTHON='$(PYTHON)' .ci/venv requirements.lock

serve: runtime ## run the service on the seeds, and say its address
	@exec $(python) server.py serve $(if $(PORT),--port $(PORT)) $(ARGS)

test: venv ## run the tests, all of them with branch coverage, or those that ARGS names
	$(if $(ARGS),$(pytest) -m "not slow" $(ARGS),@.ci/test $(python))

check: format lint types test ## all that must hold before a commit: format, lint, types, tests

format: venv
	$(python) -m ruff format --check .

lint: venv
	$(python) -m ruff check .

types: venv
	$(python) -m mypy

fix: venv ## mend what can be mended by itself: imports, format
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

bench: venv ## measure, and print the tables of docs/performance.md
	$(python) -m bench $(ARGS)

docs: venv ## write the generated pages and files anew from code and ontology
	$(pytest) -m generated --update $(ARGS)

nightly: venv wheels ## everything, in random order and with many more generated examples
	.ci/nightly $(python) $(ARGS)

sdl: venv ## keep the GraphQL schema as that of the release VERSION, which later ones must not break
	$(python) -m schema.evolution $(or $(VERSION),$(error VERSION says of which release: make sdl VERSION=0.3.0))

lock: venv ## pin anew what pyproject.toml asks for; UPGRADE=1 takes the newest that fits
	$(python) -m venv --clear .venv/lock
	.venv/lock/bin/python -m pip -qq install --only-binary :all: '$(uv)'
	.venv/lock/bin/uv $(compile) --output-file requirements.lock pyproject.toml >/dev/null
	.venv/lock/bin/uv $(compile) --output-file requirements-dev.lock --group dev \
	    --constraint requirements.lock pyproject.toml >/dev/null
	.venv/lock/bin/uv $(compile) --output-file tests/clients/python/requirements.lock \
	    tests/clients/python/requirements.in >/dev/null
	.venv/lock/bin/uv $(compile) --output-file tests/clients/research/requirements.lock \
	    tests/clients/research/requirements.in >/dev/null
	rm -r .venv/lock

wheels: venv ## show that the locks install on x86-64 and aarch64, with this Python (needs the network)
	.ci/wheels $(python) requirements-dev.lock

clean: ## remove .venv and caches; never var/, where the data lives
	rm -rf .venv .coverage .coverage.* htmlcov coverage.xml dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find graph schema web tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
