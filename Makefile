# Everything starts here: `make run`, `make test`. Needs Python 3.11 or later and make.
# PORT=8020 RUN_DIR=.run2 make run     a second copy beside the first
# make test ARGS="tests/local -x"      what pytest is told besides
# make manage ARGS="shell"             manage.py, with the database of `make run`
# make weave ARGS="--seed 7"           one order of events again; without: 30 at random
# make serve                           what production runs, on what the environment names

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install -c requirements/constraints.txt

# The types of models come from Django's settings, which want an address; nothing is connected.
UNCONNECTED := DJANGO_SECRET_KEY=types DATABASE_URL=postgres://127.0.0.1/types REDIS_URL=redis://127.0.0.1/0

.DEFAULT_GOAL := help
.PHONY: help run serve test lint audit manage bench storm weave soak clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

run: $(VENV)/.local
	@$(BIN)/python -m fluxer.local run

serve: $(VENV)/.prod
	@$(BIN)/python manage.py migrate --verbosity 0
	@exec $(BIN)/python -m fluxer.serve $(ARGS)

manage: $(VENV)/.local
	@$(BIN)/python -m fluxer.local manage $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m tests.browser
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(UNCONNECTED) $(BIN)/mypy

# Known weaknesses in every package that is pinned and in the vendored browser client. Fails where
# there is one, and where PyPI or npm does not say.
audit: $(VENV)/.audit
	@failed=0; \
	$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
	-r requirements/constraints.txt || { failed=1; echo "The Python packages are not known to be sound." >&2; }; \
	client=$$(sed -n 's/^# livekit-client //p' fluxer/static/fluxer/livekit-client/README.md); \
	echo '{"private": true}' > $(VENV)/audit/package.json; rm -f $(VENV)/audit/package-lock.json; \
	cd $(VENV)/audit && npm install --silent --package-lock-only --ignore-scripts "livekit-client@$$client" && npm audit \
	|| { failed=1; echo "The browser client is not known to be sound." >&2; }; \
	exit $$failed

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench $(ARGS)

# A minute of everything at once, on fake media servers: ends with the number of disagreements.
storm: $(VENV)/.dev
	@$(BIN)/python -m tests.storm $(ARGS)

# Many orders of events, one after another, each by its seed: ARGS="--seeds 200", ARGS="--seed 7".
weave: $(VENV)/.dev
	@$(BIN)/python -m tests.weave $(ARGS)

# Every fault at its full length, on real media servers: under half an hour, and a table at the end.
soak: $(VENV)/.dev
	@$(BIN)/python -m tests.faults.soak $(ARGS)

# Also takes the data of `make run` away; the built LiveKit stays in the user's cache.
clean:
	@if [ -e .run/lock ] && ! $(PYTHON) -c 'import fcntl; fcntl.flock(open(".run/lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; \
	then echo "make run is running here: stop it first." >&2; exit 1; fi
	@rm -rf $(VENV) .run .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp older than a list of packages is a virtual environment that is out of date.
$(VENV)/.prod: $(VENV)/.python requirements/base.txt requirements/prod.txt requirements/constraints.txt
	@echo "Installing the packages of the service into $(VENV) (about a minute, once)." >&2
	@umask 022 && $(PIP) -r requirements/prod.txt
	@touch $@

$(VENV)/.local: $(VENV)/.python requirements/base.txt requirements/prod.txt requirements/local.txt requirements/constraints.txt
	@echo "Installing the packages of the service into $(VENV) (about a minute, once)." >&2
	@umask 022 && $(PIP) -r requirements/local.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.local requirements/dev.txt
	@echo "Installing the packages for tests and lint into $(VENV) (about a minute, once)." >&2
	@umask 022 && $(PIP) -r requirements/dev.txt
	@touch $@

# Apart, so that what audits is not among what is audited.
$(VENV)/.audit: $(VENV)/.python requirements/audit.txt
	@umask 022 && $(PYTHON) -m venv $(VENV)/audit
	@umask 022 && $(VENV)/audit/bin/python -m pip --disable-pip-version-check --quiet install -r requirements/audit.txt
	@touch $@

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "Python 3.11 or later is needed: install it, or name it with PYTHON=/path/to/python3." >&2; exit 1; }
	@umask 022 && $(PYTHON) -m venv $(VENV) || \
	{ echo "Python has no venv module here: install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@touch $@
