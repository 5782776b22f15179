# The two commands a newcomer needs are `make all` and `make test`; both set up .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
TIER ?= quick
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
RUN := PATH="$(BIN):$$PATH"
CODE := algos envs analysis paper_tables

.PHONY: all install test slow smoke lint format bench doctor clean

all: $(STAMP)
	$(RUN) snakemake --cores $(CORES) --config tier=$(TIER) -- all
	@$(RUN) python -m analysis.summary --tier $(TIER)

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; set PYTHON=...')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $(STAMP)

test: $(STAMP)
	$(RUN) python -m pytest -n $(CORES) $(PYTEST)

slow: $(STAMP)
	$(RUN) python -m pytest -m slow $(PYTEST)

smoke: $(STAMP)
	$(RUN) snakemake --cores $(CORES) --config tier=smoke -- all
	@$(RUN) python -m analysis.summary --tier smoke

lint: $(STAMP)
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) snakefmt --check Snakefile workflow/Snakefile
	$(RUN) snakemake --lint --config tier=smoke

format: $(STAMP)
	$(RUN) ruff check --fix .
	$(RUN) ruff format .
	$(RUN) snakefmt Snakefile workflow/Snakefile

bench: $(STAMP)
	$(RUN) python -m benchmarks.run

doctor: $(STAMP)
	@$(RUN) python -m algos.doctor

clean:
	rm -rf results/*/scratch .snakemake
