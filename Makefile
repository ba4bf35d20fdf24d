# Two commands do all the set-up: `make reanalysis` runs the main job, `make test` passes the tests.
# Everything is created inside the project: .tools (uv), .venv (from uv.lock), .cache (compiled programs).

UV_VERSION := 0.13.9
UV := .tools/bin/uv
RUN := $(UV) run --no-sync
STAMP := .venv/.synced
STUDY ?= zhou2026
TEST_ARGS ?=
BENCH ?=
export IXA_BAYES_CACHE := $(CURDIR)/.cache
export MPLBACKEND := agg

.DEFAULT_GOAL := help
.PHONY: help setup reanalysis test lint format browser notebooks bench calibrate build clean

help:  ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(UV):
	@echo "Installing uv $(UV_VERSION) into .tools"
	@python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools "uv==$(UV_VERSION)" 2>/dev/null \
	  || { rm -rf .tools && python3 -m venv .tools/venv && .tools/venv/bin/python -m pip install --quiet "uv==$(UV_VERSION)" \
	       && mkdir -p .tools/bin && ln -s ../venv/bin/uv .tools/bin/uv; }

$(STAMP): $(UV) pyproject.toml uv.lock .python-version
	$(UV) sync --locked --quiet
	@touch $@

setup: $(STAMP)  ## Create .venv from uv.lock

reanalysis: $(STAMP)  ## Fit the example cohort and reanalyse the built-in study into results/
	$(RUN) ixa-bayes fit pfs_weibull --cohort example_cohort --output results/example
	$(RUN) ixa-bayes reanalyse $(STUDY) --output results/$(STUDY)

test: $(STAMP)  ## Run the tests
	$(RUN) pytest -n 2 --dist loadgroup -q $(TEST_ARGS)

lint: $(STAMP)  ## Check format, style, types and layers
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports

format: $(STAMP)  ## Format the code
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

browser: $(STAMP)  ## Test the report in a real browser (installs Chromium where it may)
	@if [ -z "$$CHROMIUM" ] && ! command -v chromium >/dev/null 2>&1; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    apt-get update -qq && apt-get install -y -qq chromium fonts-dejavu-core >/dev/null; \
	  else echo "No Chromium found. Install it: sudo apt-get install chromium fonts-dejavu-core (or set CHROMIUM=/path/to/chromium)"; exit 1; fi; fi
	CI=true $(RUN) pytest -q -m browser

notebooks: $(STAMP)  ## Execute the notebooks
	$(RUN) pytest -q -m notebook

bench: $(STAMP)  ## Measure what commands and fits cost, beside bambi (BENCH="fits curve" for some sections)
	$(UV) sync --locked --quiet --group bench
	$(RUN) python -m benchmarks $(BENCH)

calibrate: $(STAMP)  ## Calibration at full size (slow)
	IXA_BAYES_CALIBRATION=full $(RUN) pytest -q -m calibration

build: $(STAMP)  ## Build sdist and wheel into dist/
	$(UV) build --quiet

clean:  ## Remove everything that was made
	rm -rf .venv .tools .cache results dist
