# The front door. Each target installs what it needs (scripts/setup), configures, builds and runs.
# JOBS=n limits the compile jobs, TEST_JOBS=n the tests at once, ARGS='…' goes to the program of `make run`.
JOBS ?= $(shell nproc)
TEST_JOBS ?= 2
PREFIX ?= /usr/local
CTEST_ARGS ?=
PYTEST_ARGS ?=

# build,preset,what: all of the preset, or these targets.
build = cmake --preset $(1) && cmake --build --preset $(1) --parallel $(JOBS) $(addprefix --target ,$(2))
# In the order of their names, each with its output if it fails.
ctest = ctest --preset $(1) --parallel $(TEST_JOBS) $(CTEST_ARGS)

# The package in .venv, its extension built in build/python.
python_package = .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps .
python_tests = .venv/bin/python -m pytest -q $(PYTEST_ARGS) tests bench/python

.PHONY: help setup python run test test-cpp test-python test-long test-kernels test-asan test-tsan test-all asan tsan bench bench-python lint lint-quick format install clean
.DEFAULT_GOAL := help
# The targets of one call share build folders.
.NOTPARALLEL:

help:
	@echo 'make run        search real light curves for planets while a saboteur kills the workers'
	@echo 'make test       build and run the tests (also test-asan, test-tsan, test-all)'
	@echo 'make test-long  storms, soaks, hundreds of kills: what make test leaves out'
	@echo 'make test-kernels  a pool under Linux 5.10, 6.1, 6.12 and the newest, in QEMU'
	@echo 'make bench      measure; the table goes to build/bench/results.json too'
	@echo 'make bench-python  the Python package and its peers beside each other'
	@echo 'make python     build the Python package into .venv'
	@echo 'make lint       clang-tidy, clang-format, ruff, mypy and the rules of scripts/check_style (lint-quick: without clang-tidy)'
	@echo 'make format     rewrite the sources as clang-format wants them'
	@echo 'make install    install the release build to PREFIX ($(PREFIX))'
	@echo 'make clean      remove build/'

setup:
	@scripts/setup

run: setup
	$(call build,release,transit_search)
	build/release/examples/transit_search/transit_search $(ARGS)

test: test-cpp test-python

test-cpp: setup
	$(call build,dev)
	$(call ctest,dev)

python: setup
	$(python_package)

test-python: python
	$(python_tests)

test-long: setup python
	@scripts/setup long
	$(call build,dev)
	$(call ctest,long)
	$(python_tests) -m long

# Real kernels from 5.10 to the newest, emulated.
test-kernels:
	@scripts/setup kernels
	$(call build,dev,whole_life environments)
	tests/environments/kernels/all build/kernels $(addprefix build/dev/tests/environments/,kernels/whole_life environments)

test-asan: setup
	$(call build,asan)
	$(call ctest,asan)

test-tsan: setup
	$(call build,tsan)
	$(call ctest,tsan)

test-all: test test-asan test-tsan
asan: test-asan
tsan: test-tsan

bench: setup
	$(call build,release,hotspare_bench)
	@mkdir -p build/bench
	build/release/bench/hotspare_bench --out build/bench/results.json $(ARGS)

bench-python: python
	@mkdir -p build/bench
	.venv/bin/python bench/python/main.py --out build/bench/python_results.json $(ARGS)

lint: lint-quick
	cmake --preset lint
	scripts/lint tidy

# All but clang-tidy, which takes most of an hour.
lint-quick:
	@scripts/setup lint
	scripts/lint
	.venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/mypy

format:
	@scripts/setup lint
	scripts/sources | xargs clang-format-14 -i
	.venv/bin/ruff format

install: setup
	$(call build,release)
	cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build
