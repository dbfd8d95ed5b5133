# Everything sets itself up: `make demo` and `make test` are enough on a fresh machine.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-containers test-long bench check format proto docs lock wheelhouse sbom audit-dependencies clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "%-18s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with .venv/bin/gba in it

$(STAMP): requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: install it with 'apt-get install python3 python3-venv' (Debian) or 'brew install python' (macOS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) -V): install one and call 'make PYTHON=python3.12 $(MAKECMDGOALS)'" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing: install it with 'apt-get install python3-venv' (Debian)" >&2; exit 1; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

demo: setup ## three regions, one signed query, one refusal, verified logs: in a minute
	@$(BIN)/gba demo

test: setup ## every test but the long ones, in parallel
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadscope -m "not long and not containers"

test-containers: setup ## the space in containers, and faults under load (needs a container engine)
	@$(BIN)/python -m pytest -m containers

test-long: setup ## soak, kill loops, benchmarks
	@$(BIN)/python -m pytest -m long

bench: setup ## rates of rules, the log, evidence, search, queries and linkage, on this machine
	@$(BIN)/python -m tests.bench.policy_rate
	@echo
	@$(BIN)/python -m tests.bench.append_rate
	@$(BIN)/python -m tests.bench.evidence_verify
	@$(BIN)/python -m tests.bench.audit_search
	@echo
	@$(BIN)/python -m tests.bench.cosigning
	@echo
	@$(BIN)/python -m tests.bench.query_load --seconds 8
	@echo
	@$(BIN)/python -m tests.bench.match_keys
	@echo
	@$(BIN)/python -m tests.bench.febrl
	@echo
	@$(BIN)/python -m tests.bench.linkage
	@$(BIN)/python -m tests.bench.existence

check: setup ## format, lint, strict types, import contracts, generated code current
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory proto OUT=$(VENV)/proto-check
	@diff -r -x __init__.py -x __pycache__ $(VENV)/proto-check/dataspace/v1 dataspace/v1 || { echo "generated code is stale: run 'make proto'" >&2; exit 1; }

format: setup ## format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

OUT ?= .
proto: setup ## generate Python from proto/
	@mkdir -p $(OUT)
	@$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=$(OUT) --pyi_out=$(OUT) proto/dataspace/v1/*.proto
	@$(BIN)/python -m grpc_tools.protoc -Iproto --grpc_python_out=$(OUT) proto/dataspace/v1/broker.proto

docs: setup ## write docs/policy.md and the table in docs/query-language.md anew
	@$(BIN)/python -m tests.unit.policy.policy_page
	@$(BIN)/python -m tests.unit.query.language_table

lock: setup ## resolve dependencies anew (needs the tool `uv`)
	uv pip compile pyproject.toml --extra otel --extra pkcs11 --extra postgres --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements.lock
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements-dev.lock

wheelhouse: setup ## fetch the locked wheels into deploy/wheelhouse/, to build images without network
	@$(BIN)/python deploy/fill_wheelhouse.py

sbom: setup ## write dist/sbom.cdx.json, a CycloneDX list of the locked dependencies
	@mkdir -p dist
	@$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.cdx.json requirements.lock 2>/dev/null || { echo "the list cannot be made: is cyclonedx-bom in requirements-dev.lock?" >&2; exit 1; }
	@echo "dist/sbom.cdx.json"

audit-dependencies: setup ## known vulnerabilities of the locked dependencies; exit 5 where the data is unreachable
	@$(BIN)/python deploy/audit_dependencies.py

clean: ## remove .venv and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis build dist
