# Two commands matter: `make run` and `make test`. Everything is called as `.venv/bin/python -m ...`: the scripts in
# .venv/bin break where the project's path holds a space.

python := .venv/bin/python
# Three tests at a time, also on two cores: half of the time they wait. A file's tests run on one worker; each worker has
# a MariaDB server of its own.
WORKERS ?= 3
# Further arguments for pytest: make test ARGS="-k replay"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check format demo bench lock clean app-venv dev-venv packages

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/make \1\t\2/p' Makefile | expand -t 15

run: app-venv  ## start the app on http://localhost:8501
	@exec $(python) -m streamlit run app.py

test: dev-venv packages  ## run every test, on SQLite, MariaDB and in a browser
	@$(python) -m pytest -n $(WORKERS) --dist loadfile --fail-on-skip $(ARGS)

check: dev-venv  ## lint, formatting, types, architecture
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy
	@$(python) -m pytest -q tests/test_architecture.py

format: dev-venv  ## format the code and mend what ruff can mend
	@$(python) -m ruff check --fix .
	@$(python) -m ruff format .

demo: app-venv  ## show on the command line that a second process recalls
	@$(python) -m lib.demo

bench: dev-venv packages  ## measure, side by side with plain Agno
	@$(python) -m benchmarks

lock: dev-venv  ## compile requirements*.in to requirements*.txt; UPGRADE=--upgrade takes newer versions
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(python) -m uv pip compile -q --universal --python-version 3.11 \
		$(UPGRADE) requirements.in -o requirements.txt
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(python) -m uv pip compile -q --universal --python-version 3.11 \
		$(UPGRADE) requirements-dev.in -o requirements-dev.txt

clean:  ## remove what the other commands made; data/ stays
	rm -rf .venv .tools .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

app-venv:
	@sh .ci/venv requirements.txt

dev-venv:
	@sh .ci/venv requirements.txt requirements-dev.txt

packages:
	@sh .ci/packages
