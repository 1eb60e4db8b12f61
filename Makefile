# Lianzao (联造). Needs git, make and python3 >= 3.11; all else is fetched, by hash, into this folder.
PYTHON ?= python3
VENV := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help run test check lint format bench soak docs lock clean

help: ## Show this list
	@echo "make …"; sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-9s %s\n' "  $$name" "$$text"; done

run: ## Start Lianzao with the demo plant; prints the address to open
	@$(PYTHON) scripts/bootstrap.py run
	@exec $(VENV) -m project.cli demo

test: ## Everything that must hold: style, types, layers, licences, all tests, screens, PostgreSQL 15 and 18
	@$(PYTHON) scripts/bootstrap.py tools
	@exec $(VENV) scripts/check.py all

check: ## The quick part of test: style, types, layers, licences, unit tests
	@$(PYTHON) scripts/bootstrap.py tools
	@exec $(VENV) scripts/check.py quick

lint: ## Style, types and layers only
	@$(PYTHON) scripts/bootstrap.py tools
	@exec $(VENV) scripts/check.py lint

format: ## Bring the Python code into shape
	@$(PYTHON) scripts/bootstrap.py tools
	@$(VENV) -m ruff check --fix --quiet . ; $(VENV) -m ruff format .

bench: ## Measure speed against a reference taken in the same run
	@$(PYTHON) scripts/bootstrap.py dev
	@exec $(VENV) -m pytest tests/bench -m bench -s

soak: ## For hours: a plant that lives (SOAK_SECONDS), histories (SOAK_STEPS), requests (SOAK_CASES), kills (SOAK_KILLS), database leaders lost (SOAK_FAILOVERS); books proved
	@$(PYTHON) scripts/bootstrap.py dev
	@exec $(VENV) -m pytest tests/bench -m soak -s

docs: ## Write docs/reference and the API schema anew from the code
	@$(PYTHON) scripts/bootstrap.py run
	@exec $(VENV) -m project.cli docs

lock: ## Write the locks anew from requirements*.in and package.json
	@$(PYTHON) scripts/lock.py

clean: ## Remove what was made here except your data (.run)
	@if [ -x $(VENV) ]; then PYTHONPATH=. $(VENV) -c 'from tests.databases import forget_test_clusters as f; f()'; fi
	rm -rf .venv .cache .test .ruff_cache .pytest_cache .hypothesis .import_linter_cache web/dist web/node_modules scripts/pyright/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
