# Three commands do everything: `make demo`, `make ablation` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# Three on two cores: a third of the time, what starts Ray waits for Ray.
PROCESSES := -n 3 --dist loadgroup --no-loadscope-reorder
export OMP_NUM_THREADS ?= 1
# Each of a thousand processes would compile all that it imports where the caller forbids to keep it.
export PYTHONDONTWRITEBYTECODE =

.PHONY: install demo ablation test quick lint faults fidelity readme docs looks

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0 -c constraints.txt
	$(BIN)/pip install --quiet -e '.[dev]' -c constraints.txt
	touch $@

install: .venv/.installed

demo: install
	$(BIN)/rgx sweep sweeps/demo.yaml

ablation: install
	$(BIN)/rgx sweep sweeps/ablation_table3.yaml --no-report
	$(BIN)/rgx report sweeps/ablation_table3.yaml

lint: install
	$(BIN)/ruff check .
	$(BIN)/mypy

# The types take a minute on one processor, so they are checked while the tests begin.
test: install
	$(MAKE) --no-print-directory lint & lint=$$!; \
	$(BIN)/pytest $(PROCESSES) --durations=30; tests=$$?; \
	wait $$lint && exit $$tests

quick: install
	$(BIN)/pytest $(PROCESSES) -m 'not slow'

# README's tables and its sentence on the paper, from what is committed beside it.
readme: install
	$(BIN)/python benchmarks/readme.py
	$(BIN)/python benchmarks/fidelity.py --write

fidelity: install
	$(BIN)/python benchmarks/fidelity.py

# Ends at a link to nothing. The theme's advertisement of its successor is no finding.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The site in headless Chromium, by axe-core, which npm brings: ends at a serious finding.
looks: docs
	$(BIN)/python benchmarks/site_looks.py --fail

faults: install
	RGX_MUTATIONS=2000 RGX_MISSPELLINGS=500 RGX_KILLS=50 RGX_FOREIGN=500 RGX_CLIPS=1000 $(BIN)/pytest -s tests/faults
	RGX_WHOLE_RECORDINGS=1 $(BIN)/pytest tests/pipeline/test_prepare.py -k real_recordings
