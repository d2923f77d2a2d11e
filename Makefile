# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
OLDEST ?= .venv-oldest
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test test-faults test-gpu test-oldest lint test-serving docs clean reuse

help:
	@echo "make demo          train on digits, export, serve, and query over gRPC and REST"
	@echo "make test          linters, import layers, types, tests"
	@echo "make test-faults   what takes minutes: kills, full disks, broken files, load"
	@echo "make test-gpu      what needs a GPU; without one each test says so"
	@echo "make test-oldest   the tests with the oldest libraries of setup.cfg, in $(OLDEST)"
	@echo "make test-serving  the client against TensorFlow Serving in Docker"
	@echo "make docs          the site: examples run, then pages and reference, into site/"
	@echo "make clean         remove $(VENV), $(OLDEST) and caches; runs/ and exports/ stay"

demo: reuse $(VENV)/.installed
	@$(VENV)/bin/python scripts/demo.py

# Three at once on two cores, since many tests wait for a server or a browser.
test: lint
	$(VENV)/bin/python -m pytest -n 3 --dist worksteal

test-faults: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -m faults -n 2 --dist worksteal

test-gpu: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest -m gpu

# Their warnings are those of old releases, which no one mends.
test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pytest -n 2 --dist worksteal -p no:warnings -m 'not faults and not gpu'

lint: $(VENV)/.installed-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

test-serving: $(VENV)/.installed
	@PATH="$(abspath $(VENV))/bin:$$PATH" scripts/test_serving.sh

# What the pages show is run first, so that no example on the site is one that fails.
docs: $(VENV)/.installed-test $(VENV)/.installed-docs
	$(VENV)/bin/python -m pytest -n 2 tests/test_docs.py tests/test_notebooks.py \
		tests/test_public_api.py tests/test_readme.py tests/test_translations.py
	$(VENV)/bin/mkdocs build --strict
	@echo "to read it: $(VENV)/bin/python -m http.server --directory site"

reuse:
	@if [ -e $(VENV)/.installed ]; then echo "reusing $(VENV), where gan_keras is installed"; fi

clean:
	rm -rf $(VENV) $(OLDEST) build dist site *.egg-info .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/bin/python $(OLDEST)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is older than Python 3.11; name another, as in PYTHON=python3.12"; exit 1; }
	@echo "making $(@D:/bin=)"
	@$(PYTHON) -m venv $(@D:/bin=)

$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing gan_keras and TensorFlow into $(VENV): a minute or two"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "installing the test tools into $(VENV)"
	@$(PIP) install --editable '.[test]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@echo "installing MkDocs into $(VENV)"
	@$(PIP) install --editable '.[docs]'
	@touch $@

# What is not named in setup.cfg is as new as what is named allows.
$(OLDEST)/.installed: setup.cfg pyproject.toml | $(OLDEST)/bin/python
	@echo "installing the oldest libraries that setup.cfg allows into $(OLDEST): a minute or two"
	@$(OLDEST)/bin/python -m pip --disable-pip-version-check --quiet install uv
	@rm -f $(OLDEST)/requirements.txt  # uv would keep what it holds
	@echo 'setuptools<81  # TensorBoard 2.20 imports its pkg_resources' > $(OLDEST)/constraints.txt
	@$(OLDEST)/bin/uv pip compile --quiet --python $(OLDEST)/bin/python --extra test \
		--constraint $(OLDEST)/constraints.txt --resolution lowest-direct --output-file $(OLDEST)/requirements.txt setup.cfg
	@$(OLDEST)/bin/uv pip install --quiet --python $(OLDEST)/bin/python \
		--requirement $(OLDEST)/requirements.txt
	@$(OLDEST)/bin/uv pip install --quiet --python $(OLDEST)/bin/python --no-deps --editable .
	@touch $@
