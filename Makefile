# Every target sets up what it needs by itself (see tools/setup); `make` alone lists them.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test test-slow chaos chaos-sample fuzz soak bench-ingest bench-transcribe bench-delivery bench-trigger check format docs lock clean setup terraform-check test-localstack \
        package images images-check compose-check push \
        check-format check-lint check-types check-imports check-docs check-locks check-repository

# The environment is .venv's alone, and neither pyright nor its Node is fetched from anywhere: the locked
# packages bring both.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYRIGHT_PYTHON_FORCE_VERSION PYRIGHT_PYTHON_NODE_VERSION
export PYRIGHT_PYTHON_GLOBAL_NODE := 0
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
python := .venv/bin/python

help:  ## list the targets
	@awk -F ':[^#]*## *' '/^[a-z-]+:.*## / { printf "  make %-16s%s\n", $$1, $$2 }' Makefile

demo: setup  ## play two sample calls and watch them become words (own audio: AUDIO=path/to/stereo.wav; on what Terraform makes: TERRAFORM=1)
	@exec $(python) -m demo $${TERRAFORM:+--terraform} $${AUDIO:+-- "$$AUDIO"}

test: setup  ## run every test: unit, integration, system, two at a time (some of them: ARGS="-k timeline")
	@$(python) -m pytest -n 2 --dist loadfile $(ARGS)

test-slow: setup  ## run the tests that need a machine to themselves: dead endpoints, two releases
	@$(python) -m pytest -m slow $(ARGS)

chaos: setup  ## kill, freeze and cut what serves 100 calls, 30 rounds (CALLS=20 ROUNDS=2 SEED=7)
	@$(python) -m tests.chaos $(if $(CALLS),--calls $(CALLS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

chaos-sample: setup  ## run the sample of it that is among the tests ten times in a row (RUNS=10)
	@$(python) -m tests.chaos.again $(RUNS)

fuzz: setup  ## run mutated Connect streams through ingest (FUZZ_INPUTS=200000)
	@$(python) -m tests.integration.ingest.fuzzing $${FUZZ_INPUTS:-200000}

soak: setup  ## run calls of three hours through ingest
	@SOAK_HOURS=3 $(python) -m pytest -q tests/integration/ingest/test_long_calls.py

bench-ingest: setup  ## measure what a call costs in ingest (the table in docs/performance.md)
	@$(python) -m benchmarks.bench_ingest

bench-transcribe: setup  ## measure what a call costs in transcribe (the table in docs/performance.md)
	@$(python) -m benchmarks.bench_transcribe

bench-delivery: setup  ## measure what a message costs in delivery (the table in docs/performance.md; RUNS=3)
	@$(python) -m benchmarks.delivery $${RUNS:-3}

bench-trigger: setup  ## measure the trigger's cold start in an environment of its own packages
	@$(python) -m benchmarks.bench_trigger

test-localstack: setup  ## run adapter tests and a whole call with SQS, EventBridge and secrets on LocalStack
	@tools/localstack $(ARGS)

check: check-format check-lint check-types check-imports check-docs check-locks check-repository  ## run what CI checks beside the tests

format: setup  ## format the code and apply the linter's safe fixes
	@$(python) -m ruff format .
	@$(python) -m ruff check --fix .

docs: setup  ## write the generated documents anew
	@$(python) -m contracts.schema
	@$(python) -m tools.configuration
	@$(python) -m tools.event_schemas

package: setup  ## write the trigger's archive for Lambda (ARCHITECTURE=arm64|x86_64)
	@$(python) -m tools.package

images: setup  ## build the container images, with Docker or Podman (IMAGE_TAG, PLATFORM)
	@$(python) -m tools.images build

images-check: setup  ## build the images, look into them and start each one
	@$(python) -m tools.wheels
	@$(python) -m tools.images build check

compose-check: setup  ## play the demo on docker-compose.yml, in its MiniStack variant
	@$(python) -m tools.compose

push: setup  ## log in to ECR and push the images (AWS_REGION, AWS_ACCOUNT_ID, PREFIX, IMAGE_TAG)
	@$(python) -m tools.images push

terraform-check: setup  ## check the Terraform configuration: format, validate, test, plan, policies
	@$(python) -m tools.terraform

lock:  ## lock requirements/*.in, keeping the versions that are locked (newest ones: UPGRADE=1)
	@tools/lock $(if $(UPGRADE),--upgrade)

clean:  ## remove everything that the other targets made
	@rm -rf .venv .tools .build .demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@tools/setup

check-format: setup
	@echo "format: ruff"
	@$(python) -m ruff format --check --quiet .

check-lint: setup
	@echo "lint: ruff"
	@$(python) -m ruff check --quiet .

check-types: setup
	@echo "types: pyright"
	@$(python) -m pyright

check-imports: setup
	@echo "imports: import-linter"
	@.venv/bin/lint-imports --no-logo

check-docs: setup
	@echo "generated documents"
	@$(python) -m contracts.schema --check
	@$(python) -m tools.configuration --check
	@$(python) -m tools.event_schemas --check

check-locks: setup
	@echo "locked requirements"
	@$(python) -m tools.locks

check-repository: setup
	@echo "repository"
	@$(python) -m tools.repository
