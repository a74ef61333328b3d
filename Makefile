# Every target sets up what it needs, once. GNU make 3.81 and a POSIX sh are enough.
#   PYTHON=python3.13   the interpreter of a new environment (3.11 or newer; found by itself when not given)
#   UV=                 do without uv although it is on PATH
#   N=1000  so many seeds for each of `make faults`
#   PROMPT="..."        what `make demo` asks;  QUICK=1  a short `make bench`;  ARGS=--strict  one that fails on a missed budget

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV := $(shell command -v uv 2>/dev/null)
PROMPT ?= Explain in three sentences what a river is.
BIN := .venv/bin

ifeq ($(UV),)
new-venv = "$(PYTHON)" -m venv $(1) && $(1)/bin/python -m pip install -qq --disable-pip-version-check --upgrade pip
install = $(1)/bin/python -m pip install -qq --disable-pip-version-check
else
new-venv = "$(UV)" venv -q --python "$(or $(PYTHON),>=3.11)" $(1)
install = "$(UV)" pip install -q --python $(1)/bin/python
endif

.PHONY: help demo test faults mutants fuzz check fmt bench perfguard scoreboard docs dist clean
.DEFAULT_GOAL := help

help: ## list these targets
	@echo 'usage: make TARGET'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1 \2/p' Makefile | awk '{ t = $$1; $$1 = ""; printf "  %-12s%s\n", t, $$0 }'

demo: .venv/.run ## a real model answers, is replayed, and tools are called (the first time it fetches the model)
	@echo 'demo: streamd chat "$(PROMPT)" --stats --record .venv/demo.json'
	@$(BIN)/streamd chat "$(PROMPT)" --stats --record .venv/demo.json
	@echo 'demo: streamd replay .venv/demo.json --stats (the same bytes at the same pace; no model runs)'
	@$(BIN)/streamd replay .venv/demo.json --stats
	@echo 'demo: python examples/tools.py (a model this small calls no tools: here a script speaks for it)'
	@$(BIN)/python examples/tools.py

test: .venv/.dev ## all tests, with branch coverage
	@echo 'test: pytest on every core, branch coverage of the three packages'
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n auto --dist worksteal $(ARGS); code=$$?; $(BIN)/coverage combine -q && $(BIN)/coverage report && exit $$code

faults: .venv/.dev ## every fault with 20 seeds and on sockets, bytes, every step, memory (N=1000: for a night)
	@echo 'faults: in virtual time and on sockets, in two processes; some minutes (ARGS="--only faults": the first part alone)'
	@$(BIN)/python -m tests.faults $(if $(N),--n $(N)) $(ARGS)

mutants: .venv/.dev ## break supervisors/, and take out the runtime's guards, one at a time: each must be noticed
	@echo 'mutants: two at a time, each in a copy; some minutes'
	@$(BIN)/python -m tests.mutants $(ARGS)

fuzz: .venv/.fuzz ## mutate every wire's streams for a minute each (ARGS="--seconds 300 gemini")
	@echo 'fuzz: one wire after the other; finds go to build/fuzz'
	@$(BIN)/python -m tests.fuzz $(ARGS)

check: .venv/.dev ## lint, format, and types in two checkers
	@echo 'check: ruff'
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo 'check: mypy'
	@$(BIN)/mypy && $(BIN)/mypy examples
	@echo 'check: pyright'
	@$(BIN)/pyright
	@echo 'check: every public name is typed'
	@report=$$(PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=. pyright --verifytypes streamd --ignoreexternal) \
		&& echo "$$report" | grep score || { echo "$$report"; exit 1; }

fmt: .venv/.dev ## format the code, and mend what ruff can mend
	@echo 'fmt: ruff'
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .

bench: .venv-bench/.ready .venv-bench-litellm/.ready ## what it costs, beside a bare socket, httpx and the SDKs (QUICK=1: shorter)
	@echo 'bench: server on one core, one client at a time on another; some nine minutes, or one and a half with QUICK=1'
	@.venv-bench/bin/python tests/bench --litellm .venv-bench-litellm/bin/python $(if $(QUICK),--quick,--write) $(ARGS)

perfguard: .venv/.dev ## what a chunk costs in steps, calls and instructions, held against committed counts (ARGS=--renew)
	@echo 'perfguard: counts, no times; half a minute'
	@$(BIN)/python -m tests.perfguard $(ARGS)

scoreboard: .venv/.dev .venv-scoreboard/.ready .venv-scoreboard-litellm/.ready ## other clients under the same faults
	@echo 'scoreboard: every fault to every client on the loopback; some minutes'
	@$(BIN)/python -m tests.scoreboard && $(BIN)/python docs/scoreboard_table.py

docs: .venv/.docs ## the documentation, in docs/_build/html
	@$(BIN)/python docs/provider_table.py && $(BIN)/python docs/content_table.py && $(BIN)/python docs/fault_table.py
	@echo 'docs: sphinx, warnings are errors'
	@$(BIN)/python -m sphinx -q -W --keep-going docs docs/_build/html
	@echo 'docs: docs/_build/html/index.html'

dist: .venv/.dev ## wheel and source archive, in dist/
	@echo 'dist: python -m build'
	@rm -rf build dist
	@log=$$($(BIN)/python -m build 2>&1) || { echo "$$log"; exit 1; }
	@ls dist/*

clean: ## remove everything built; the environments stay
	@echo 'clean: outputs and caches'
	@rm -rf build dist docs/_build *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find streamd providers supervisors tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments. A stamp is touched when its step is done; editing pyproject.toml does the step again.

.venv/.made .venv-bench/.made .venv-bench-litellm/.made .venv-scoreboard/.made .venv-scoreboard-litellm/.made:
	@echo 'set-up: a Python environment in $(@D)'
	@test -n "$(PYTHON)$(UV)" || { echo 'streamd needs Python 3.11 or newer, and found none: make PYTHON=/path/to/python3' >&2; exit 1; }
	@test -n "$(UV)" || "$(PYTHON)" -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("streamd needs Python 3.11 or newer; $(PYTHON) is %d.%d" % v[:2])'
	@test -x $(@D)/bin/python || { $(call new-venv,$(@D)); } || { rm -rf $(@D); \
		echo 'The environment could not be made. On Debian: apt install python3-venv' >&2; exit 1; }
	@touch $@

.venv/.run: .venv/.made pyproject.toml
	@echo 'set-up: streamd with its command line and local model server'
	@$(call install,.venv) -e '.[cli,local,output]'
	@touch $@

.venv/.dev: .venv/.run
	@echo 'set-up: development tools'
	@$(call install,.venv) --group dev
	@touch $@

.venv/.fuzz: .venv/.dev
	@echo 'set-up: atheris, which chooses mutations by what they reach'
	@$(call install,.venv) --group fuzz || echo 'atheris has no wheel for this system: the mutations will be blind'
	@touch $@

.venv/.docs: .venv/.run
	@echo 'set-up: documentation tools'
	@$(call install,.venv) --group docs
	@touch $@

.venv-bench/.ready: .venv-bench/.made pyproject.toml
	@echo 'set-up: the libraries that are measured beside streamd'
	@$(call install,.venv-bench) --upgrade -e . --group bench
	@touch $@

.venv-bench-litellm/.ready: .venv-bench-litellm/.made pyproject.toml
	@echo 'set-up: litellm, which needs an older openai'
	@$(call install,.venv-bench-litellm) --upgrade --group bench-litellm
	@touch $@

.venv-scoreboard/.ready: .venv-scoreboard/.made pyproject.toml
	@echo 'set-up: the clients of the scoreboard'
	@$(call install,.venv-scoreboard) -e . --group scoreboard
	@touch $@

.venv-scoreboard-litellm/.ready: .venv-scoreboard-litellm/.made pyproject.toml
	@echo 'set-up: litellm, which needs an older openai'
	@$(call install,.venv-scoreboard-litellm) --group scoreboard-litellm
	@touch $@
