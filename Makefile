# The project's commands. Each makes .venv when it is missing, installs what it needs once
# (again only after pyproject.toml has changed) and then runs.
#
#   make test ARGS="-k engine"       arguments for the program that is run
#   make test PYTHON=python3.13      the Python that .venv is made with (3.11 or newer)

VENV ?= .venv
PY := $(VENV)/bin/python
HAVE := $(VENV)/.have
MATHJAX := docs/_vendor/tex-svg-full.js

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: demo test check format docs bench bench-all hooks venv clean distclean help

demo: $(HAVE)-core ## train a small network; see its graph, its chain rule and its code in demo/
	@$(PY) -m tinygrad_mlp demo --out demo/ $(ARGS)

test: $(HAVE)-test ## run every test: the package, its docstrings, the README, the docs
	@$(PY) -m pytest -n auto $(ARGS)

check: $(HAVE)-dev ## format, lint and types, changing nothing
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy

format: $(HAVE)-dev ## put every file into the project's format, and mend what ruff can
	@$(PY) -m ruff check --fix-only .
	@$(PY) -m ruff format .

docs: $(HAVE)-docs $(if $(shell command -v npm),$(MATHJAX)) ## build the documentation; warnings are errors
	@$(PY) -m sphinx -W --keep-going --quiet -b html docs docs/_build/html $(ARGS)
	@echo "The documentation is in docs/_build/html/index.html"

# One file, vendored, so that the pages need no network. Without it formulas are MathML.
$(MATHJAX): | $(PY)
	@mkdir -p $(@D)
	@npm install --silent --no-save --no-package-lock --no-audit --no-fund \
	    --prefix $(VENV)/node mathjax@3 && cp $(VENV)/node/node_modules/mathjax/es5/$(@F) $@ \
	    || echo "npm could not fetch MathJax: formulas will be written as MathML"

bench: $(HAVE)-bench ## measure the main figures, in a few minutes
	@$(PY) -m benchmarks quick $(ARGS)

bench-all: $(HAVE)-bench ## measure everything, beside every peer that is installed
	@$(PY) -m benchmarks all $(ARGS)

hooks: $(HAVE)-dev ## run the checks before every commit
	@$(PY) -m pre_commit install

venv: $(PY) ## make .venv and install nothing

clean: ## remove what was built, keep .venv
	@rm -rf demo docs/_build docs/_vendor build dist htmlcov .coverage .coverage.* .hypothesis
	@rm -rf .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	@rm -rf $(VENV)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

# ------------------------------------------------------------------ the environment
# One stamp per extra, older than pyproject.toml when something has changed.

$(HAVE)-%: pyproject.toml | $(PY)
	@echo "Installing tinygrad-mlp$(if $(filter-out core,$*),[$*]) into $(VENV) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check \
	    --editable '.$(if $(filter-out core,$*),[$*])' || { $(SAY_NO_PIP); exit 1; }
	@touch $@

$(PY):
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then $(SAY_NO_PYTHON); exit 1; fi; \
	if ! $$python -c 'import ensurepip, venv' 2> /dev/null; then $(SAY_NO_VENV); exit 1; fi; \
	echo "Creating $(VENV) with $$($$python --version) ..."; \
	$$python -m venv --clear $(VENV) || { rm -rf $(VENV); $(SAY_NO_VENV); exit 1; }

CANDIDATES := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

define FIND_PYTHON
for python in $(CANDIDATES); do \
    if $$python -c '$(NEW_ENOUGH)' > /dev/null 2>&1; then echo $$python; break; fi; \
done
endef

define SAY_NO_PYTHON
found=$$(for python in $(CANDIDATES); do \
    command -v $$python > /dev/null && printf '%s (%s) ' $$python "$$($$python --version 2>&1)"; \
done); \
printf '%s\n' \
    "This needs Python 3.11 or newer. Found: $${found:-none }" \
    "Install one, or say where it is: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2
endef

define SAY_NO_VENV
printf '%s\n' \
    "$$python ($$($$python --version 2>&1)) cannot make a virtual environment: its module venv or ensurepip is missing." \
    "On Debian and Ubuntu: apt-get install python3-venv. Or use another one: make PYTHON=... $(MAKECMDGOALS)" >&2
endef

define SAY_NO_PIP
printf '%s\n' \
    "pip could not install what 'make $(MAKECMDGOALS)' needs; its own words stand above." \
    "If it reached no package index: check the network, or name an index with PIP_INDEX_URL (and PIP_CERT or HTTPS_PROXY)," \
    "or a folder of wheels with PIP_FIND_LINKS and PIP_NO_INDEX=1. Then run the same command again." >&2
endef

# PYTHON= given and .venv made by another one: make it anew rather than run the wrong Python.
ifneq ($(PYTHON),)
WHICH := -c 'import sys; print(sys.base_prefix, sys.version)'
ifneq ($(wildcard $(PY)),)
wanted := $(shell $(PYTHON) $(WHICH) 2> /dev/null)
ifeq ($(wanted),)
$(error PYTHON=$(PYTHON) does not run)
endif
ifneq ($(wanted),$(shell $(PY) $(WHICH) 2> /dev/null))
$(info $(VENV) was made with another Python than PYTHON=$(PYTHON))
$(shell rm -rf $(VENV))
endif
endif
endif
