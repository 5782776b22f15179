# The two commands a newcomer needs are `make all` and `make test`; both set up .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
TIER ?= quick
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
RUN := PATH="$(BIN):$$PATH"
CODE := algos envs analysis paper_tables

.PHONY: all install test slow smoke lint format bench doctor d4rl clean

# Where jobs failed, the report is made of what is there; the exit code stays that of snakemake.
define run_tier
@echo "snakemake --cores $(CORES) --config tier=$(1) -- all"
@$(RUN) snakemake --cores $(CORES) --config tier=$(1) -- all; status=$$?; \
if [ $$status -ne 0 ]; then $(RUN) python -m analysis.report --tier $(1); fi; \
$(RUN) python -m analysis.summary --tier $(1) || [ $$status -ne 0 ] || status=1; exit $$status
endef

all: $(STAMP)
	$(call run_tier,$(TIER))

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
	$(call run_tier,smoke)

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

# The tests compare our constants with those of this package; it cannot be imported, only read.
d4rl: $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps d4rl

clean:
	rm -rf results/*/scratch .snakemake
