# `make` lists what can be done. PYTHON=python3.12 chooses the Python.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help book pdf test slow execute bench wheel student repository cover clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

# A second make does not install again.
.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

# Sphinx leaves old pages and style sheets where they are: all of them are written anew,
# from what it has read, in a few seconds.
book: .venv/ready  ## build the book and print the page to open
	rm -rf book/_build/html
	$(BIN)/jupyter-book build book/
	@echo "Open $(CURDIR)/book/_build/html/index.html"
	@echo "or, for excerpts in the search: $(BIN)/python -m http.server --directory book/_build/html"

pdf: book  ## print the book as one PDF, with Chromium
	@$(BIN)/python tools/pdf.py

test: .venv/ready  ## test the library, the rules and every chapter's outputs
	$(BIN)/python -m pytest --nbval

slow: .venv/ready  ## the long tests: the built book, the chapters alone on another host
	$(BIN)/python -m pytest tests -m slow -n 2 --dist loadfile

execute: .venv/ready  ## run the chapters whose outputs are stale, gather all claims
	$(BIN)/python tools/execute.py

fold: .venv/ready  ## fold the cells that have a #@title, without running them
	$(BIN)/python tools/execute.py --fold

bench: .venv/ready  ## measure the recorded times again, and print them on their page
	$(BIN)/python -m pip install --quiet siren-pytorch==0.1.7
	$(BIN)/python benchmarks/time_to_quality.py --task gray --device $(or $(DEVICE),cpu)
	$(BIN)/python benchmarks/time_to_quality.py --task color --device $(or $(DEVICE),cpu)
	$(BIN)/python benchmarks/steps.py --device $(or $(DEVICE),cpu)
	$(BIN)/python benchmarks/growth.py --device $(or $(DEVICE),cpu)
	$(BIN)/python benchmarks/derivatives.py --device $(or $(DEVICE),cpu)
	$(BIN)/python tools/tables.py

wheel: .venv/ready  ## make dist/sirenlib-*.whl, to upload beside a chapter in Colab, Kaggle or another host
	rm -rf build dist && $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

student: .venv/ready  ## write the chapters without their solutions into build/student, for a class
	$(BIN)/python tools/student.py

repository: .venv/ready  ## set the public address: make repository URL=https://github.com/OWNER/NAME (URL= takes it back)
	$(BIN)/python tools/address.py "$(URL)"

cover: .venv/ready  ## draw the logo and the cover picture with the book's own code
	$(BIN)/python tools/cover.py

clean:  ## remove what was built; .venv stays
	rm -rf book/_build build dist *.egg-info .pytest_cache .ruff_cache
