# Nightmail. Needs Python 3.11 or newer and make; everything else is set up here.
PYTHON ?= python3
PORT ?= 4000
CONFIG ?=
ARCHITECTURE ?= arm64
WORKERS ?= 3
PORT_OPTION = $(if $(filter command environment,$(origin PORT)),--port $(PORT))
BIN = .venv/bin
SAM = .venv-sam/bin/sam
DEV_OVERRIDE = --override requirements/overrides.txt

.PHONY: demo test unit local stop check style types template format build docs bench bench-setup mutate lock clean

demo: .venv/ready ## a batch from end to end, on this machine
	@$(BIN)/python -m local demo $(PORT_OPTION)

local: .venv/ready ## start the local cloud in the background
	@$(BIN)/python -m local start $(PORT_OPTION) $(if $(CONFIG),--config $(CONFIG))

stop: .venv/ready ## end it
	@$(BIN)/python -m local stop

test: .venv/ready ## every test; files side by side, for the end-to-end ones wait more than they work
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

unit: .venv/ready ## the fast ones
	$(BIN)/pytest tests/unit

check: style types template ## what is wrong without running anything; make -j2 check is faster

style: .venv/ready ## lint, layering, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/codespell

types: .venv/ready
	$(BIN)/mypy

template: .venv/ready .venv-sam/ready ## its rules, and that it builds
	$(BIN)/cfn-lint template.yaml
	AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(SAM) validate --lint
	$(MAKE) build

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

build: .venv-sam/ready ## what `sam deploy` ships, in .aws-sam/
	ARCHITECTURE=$(ARCHITECTURE) SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 \
		$(SAM) build --parameter-overrides Architecture=$(ARCHITECTURE)

docs: .venv/ready ## what the adapters say of themselves, in docs/providers.md
	$(BIN)/python -m local.provider_table

bench: .venv/ready ## figures, printed; python -m bench <name> for one of them
	$(BIN)/python -m bench

bench-setup: .venv-bench/ready ## what the figures are compared with: LiteLLM, 215 MB

mutate: .venv/ready ## break the converters in small ways, to see that tests notice
	PYTHONPATH=. $(BIN)/python -m tests.mutation

lock: .venv/ready ## choose new versions
	@for name in layers/nightmail/requirements requirements/runtime requirements/sam requirements/bench requirements/dev; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --upgrade \
			--no-emit-index-url --no-emit-find-links \
			$$(test $$name = requirements/dev && echo --constraint layers/nightmail/requirements.txt $(DEV_OVERRIDE)) \
			$$name.in --output-file $$name.txt; \
	done

clean: stop
	rm -rf .venv .venv-sam .venv-bench .local .aws-sam

.venv/ready: requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nightmail needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements/dev.txt)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(DEV_OVERRIDE) --requirement requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# SAM pins other versions of what the tests use, so it lives by itself.
.venv-sam/ready: requirements/sam.txt .venv/ready
	$(PYTHON) -m venv --clear .venv-sam
	$(BIN)/uv pip install --quiet --python .venv-sam/bin/python --requirement requirements/sam.txt
	@touch $@

# LiteLLM pins what the layer has in other versions.
.venv-bench/ready: requirements/bench.txt .venv/ready
	$(PYTHON) -m venv --clear .venv-bench
	$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --requirement requirements/bench.txt
	@touch $@
