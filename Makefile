# make demo    builds the wheel, installs it into .venv and runs the quickstart
# make test    everything: Rust, Python, stubs, documentation
# make bench   measures, and writes the figures into README.md
# make lint    format, clippy, licences, ruff, mypy
# make docs    the documentation's site, in target/site/html
#
# Each profile is built once: `dev` for tests and the test wheel, `release` for demo and bench. Both share target/.

PYTHON ?= python3
VENV   := $(CURDIR)/.venv
BIN    := $(VENV)/bin
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)

# What maturin sets is set for cargo too, so that neither builds again what the other has built.
export PYO3_PYTHON := $(BIN)/python
export PYO3_BUILD_EXTENSION_MODULE := 1
export VIRTUAL_ENV := $(VENV)

# Tools for building and for tests come from pyproject.toml, so that their versions stand in one place.
define INSTALL
import subprocess, sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))
build = project["build-system"]["requires"]
extras = project["project"]["optional-dependencies"]
tools = build if sys.argv[1] == "build" else extras["test"] + extras["dev"]
tools = [tool for tool in tools if not tool.startswith("ledgerstone")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *tools]))
endef
export INSTALL

.PHONY: help demo test test-rust test-python bench lint docs clean

help:
	@sed -n '1,6p' Makefile

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.build-tools: pyproject.toml | $(BIN)/python
	$(BIN)/python -c "$$INSTALL" build
	@touch $@

$(VENV)/.test-tools: pyproject.toml | $(BIN)/python
	$(BIN)/python -c "$$INSTALL" test
	@touch $@ $(VENV)/.build-tools

# Wheels of older versions are removed first, so that there is exactly one to install.
demo: $(VENV)/.build-tools
	rm -rf $(TARGET)/demo-wheels demo-out
	$(BIN)/maturin build --release --out $(TARGET)/demo-wheels
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps $(TARGET)/demo-wheels/*.whl
	$(BIN)/python examples/quickstart.py demo-out

test: test-rust test-python

test-rust: | $(BIN)/python
	cargo test --workspace --no-fail-fast

# Threads work on one ledger for that long; a plain pytest run is content with less.
test-python: export LEDGERSTONE_HAMMER_SECONDS ?= 60
test-python: $(VENV)/.test-tools
	$(BIN)/maturin develop --quiet
	$(BIN)/python -m pytest tests/python tests/verifier python
	$(BIN)/python -m mypy.stubtest ledgerstone
	rm -rf $(TARGET)/quickstart-out
	$(BIN)/python examples/quickstart.py $(TARGET)/quickstart-out

bench: $(VENV)/.build-tools
# Together, so that both see the same features of what they share.
	cargo build --release -p ledgerstone-bench -p ledgerstone-python
# On the disk that holds target/: a /tmp in memory would make durable commits free.
	TMPDIR=$(TARGET) $(TARGET)/release/ledgerstone-bench $(TARGET)/figures.json $(ROWS)
	rm -rf $(TARGET)/demo-wheels
	$(BIN)/maturin build --quiet --release --out $(TARGET)/demo-wheels
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps $(TARGET)/demo-wheels/*.whl
	TMPDIR=$(TARGET) $(BIN)/python tests/bench/dicts.py $(TARGET)/figures.json $(ROWS)
	$(BIN)/python .ci/figures.py $(TARGET)/figures.json README.md

lint: $(VENV)/.test-tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny --log-level error check; \
	 else echo 'lint: cargo-deny is not installed, so licences and advisories were NOT checked: cargo install --locked cargo-deny'; fi
	$(BIN)/ruff check python tests examples .ci
	$(BIN)/ruff format --check python tests examples .ci
	$(BIN)/mypy

docs: $(VENV)/.test-tools
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps -p ledgerstone -p ledgerstone-verify -p ledgerstone-cli
	$(BIN)/python .ci/site.py $(TARGET)

clean:
	rm -rf $(VENV) demo-out .pytest_cache .mypy_cache .ruff_cache
	cargo clean
