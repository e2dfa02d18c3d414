# `make demo` and `make test` set everything up by themselves; see README.md.

# How many simulated people `make demo` has.
PEOPLE ?= 5
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/test-results/*')
# Tests that do not drive pages in a browser.
BESIDE_EACH_OTHER := $(addprefix tests/,accounts api groups moderation relay server signaling simulated storage)
CODE := server moderation signaling relay simulated bench tests

# Installs Debian packages if a command is not there: $(call need,command package)
define need
	@command -v $(word 1,$(1)) >/dev/null || $(MAKE) --no-print-directory apt PACKAGES=$(word 2,$(1))
endef

.PHONY: help
help: ## Tell what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

.PHONY: demo
demo: .make/python server/assets/index.html ## Run the server on this machine and print links to a room
	@exec $(BIN)/holdspace demo --people $(PEOPLE)

.PHONY: test
test: .make/python .make/node server/assets/index.html ## Run the tests
	$(call need,chromium-headless-shell chromium-headless-shell)
	$(call need,firefox-esr firefox-esr)
	$(call need,espeak-ng espeak-ng)
	$(call need,redis-server redis-server)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || $(MAKE) --no-print-directory apt PACKAGES=postgresql
	$(BIN)/pytest --numprocesses auto --dist loadfile $(BESIDE_EACH_OTHER)
	$(BIN)/pytest -m 'not alone' --numprocesses 2 --dist loadfile --no-loadscope-reorder \
		tests/bench tests/e2e
	$(BIN)/pytest -m alone tests/bench tests/e2e
	npm --prefix web test

.PHONY: check check-python check-lint check-types
check: .make/python .make/node ## Check style and types
	@$(MAKE) --no-print-directory --jobs=2 --output-sync check-lint check-types check-python

check-python:
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy --strict $(CODE)

check-lint:
	npm --prefix web run lint

check-types:
	npm --prefix web run check

.PHONY: types
types: .make/python .make/node ## Make the JSON Schema and TypeScript types from signaling/messages.py
	$(BIN)/python -m signaling.schema > .make/schema.json
	mv .make/schema.json signaling/schema.json
	npm --prefix web run types

.PHONY: wheel
wheel: .make/python server/assets/index.html ## Build the wheel, with the pages in it, into dist/
	$(BIN)/python -m build --wheel --no-isolation

# The machine's pip configuration is left out, so that the locks name and hash only what PyPI has.
COMPILE = env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null \
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --no-config --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --allow-unsafe
.PHONY: lock
lock: .make/python ## Pin all Python packages anew, within pyproject.toml's bounds
	$(COMPILE) --upgrade -o requirements.lock pyproject.toml
	$(COMPILE) --upgrade --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

.PHONY: clean
clean: ## Remove all that make has made
	rm -rf $(VENV) .make dist server/assets web/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.make/python: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; set PYTHON to it."; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || \
		{ $(MAKE) --no-print-directory apt PACKAGES=python3-venv && \
		$(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@mkdir -p .make && touch $@

.make/node: web/package.json web/package-lock.json
	npm --prefix web ci --no-audit --no-fund
	@mkdir -p .make && touch $@

server/assets/index.html: .make/node $(WEB_SOURCES)
	npm --prefix web run build
	@touch $@

.PHONY: apt
apt:
	@test "$$(id -u)" = 0 || { echo "Please install the Debian package $(PACKAGES)."; exit 1; }
	@mkdir -p .make
	@test -e .make/apt || { apt-get -qq update && touch .make/apt; }
	DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends $(PACKAGES)
