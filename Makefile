# One entry point: each target sets up what it needs, once, in .venv, from the hashes in requirements.lock.
# Kept to GNU make 3.81 (macOS) and a POSIX shell (Git Bash on Windows).

CONFIG ?= configs/experiment/shapes.yaml
ARGS ?=
RESUME ?=
# Looked for in this order; PYTHON=/some/where/python3.12 looks nowhere else.
PYTHON ?= python3.13 python3.12 python3.11 python3 python

BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

# Without cached bytecode every start would compile torch and Lightning anew; an empty value means: cache it.
export PYTHONDONTWRITEBYTECODE :=

# READY holds which build of torch was chosen; its time says when the set-up was last completed.
READY := .venv/.ready
CHOSEN := $(shell cat $(READY) 2>/dev/null)
# "lock" is the build in requirements.lock (CUDA on Linux). Any other value is one of uv's --torch-backend: cpu for no
# CUDA packages at all, cu126 and the like for older drivers, auto. It stays chosen until another is asked for.
TORCH ?= $(or $(CHOSEN),lock)
ifneq ($(TORCH),$(CHOSEN))
.PHONY: $(READY)
endif
DISK_GB := $(if $(filter cpu,$(TORCH)),3,8)

# Starts a recipe line that can end in: || fail "one line that says what to do"
FAIL := fail() { echo "seglit: $$*" >&2; exit 1; };

.PRECIOUS: $(READY)
.PHONY: help setup train test chaos ranks repro coverage lint licences audit format bench dist structure rename lock
.PHONY: clean distclean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## Set up .venv (the others do it too); TORCH=cpu leaves out the CUDA packages

train: $(READY) ## Train: CONFIG=configs/experiment/shapes.yaml ARGS="--trainer.max_epochs 5"; or continue: RESUME=RUN
	$(BIN)/seglit fit $(if $(RESUME),--resume $(RESUME),-c $(CONFIG)) $(ARGS)

test: $(READY) ## Run the tests, on all cores: ARGS="-k unet -x"
	$(BIN)/python -m pytest -n auto --maxprocesses 8 $(ARGS)

chaos: $(READY) ## Kill runs at random moments, resume them, compare them bit by bit: ARGS=--kills=200
	$(BIN)/python -m tests.chaos $(ARGS)

ranks: $(READY) ## Start two ranks in several ways, kill them, resume them, compare them: ARGS=--resumes=20
	$(BIN)/python -m tests.chaos_ranks $(ARGS)

repro: $(READY) ## Train twice and compare bit by bit: CONFIG=configs/experiment/shapes.yaml ARGS=--steps=20
	$(BIN)/python -m tests.repro -c $(CONFIG) $(ARGS)

coverage: $(READY) ## Run the tests and list the lines that none of them reached
	$(BIN)/python -m pytest --cov $(ARGS)

lint: $(READY) ## Check style, types and workflows; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[bf]*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

licences: $(READY) ## Check that nothing needed at run time has a licence that does not allow it
	$(BIN)/python -m tools.licences

audit: $(READY) ## Look up known vulnerabilities of what is locked, and list it in build/sbom.json; needs a network
	mkdir -p build
	$(BIN)/python -m pip_audit --require-hashes --disable-pip --requirement requirements.lock
	$(BIN)/python -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.json requirements.lock

format: $(READY) ## Format the code and mend what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) ## Measure the speed of the hot paths
	$(BIN)/python -m benchmarks $(ARGS)

dist: $(READY) ## Build wheel and source archive into dist/, and try the wheel outside of the repository
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/uv pip install --quiet --no-deps --offline --target dist/try dist/*.whl
	cd dist/try && ../../$(BIN)/python -m seglit shapes images --num_train 8 --num_val 2 --num_test 2 >/dev/null && \
		../../$(BIN)/python -m seglit inspect images --write mine.yaml | \
		sed -n 's/.*train with `seglit \(fit .*\)`/\1 --trainer.max_epochs 1/p' >command && \
		../../$(BIN)/python -m seglit $$(cat command) >/dev/null
	rm -rf dist/try

structure: $(READY) ## Print sizes and limits of the code; updates the table of core files in README.md
	$(BIN)/python -m tools.structure

rename: $(READY) ## In a fork: rename package, command and identities: NAME=cracks
	$(BIN)/python -m tools.rename $(NAME)

lock: $(READY) ## Renew requirements.lock after a change to pyproject.toml: ARGS=--upgrade for the newest of all
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --extra dev --output-file requirements.lock $(ARGS) pyproject.toml

clean: ## Delete caches and build outputs; never runs/, data/ or .venv
	rm -rf build dist htmlcov .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache
	find seglit tests benchmarks tools examples -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Delete .venv as well; still never runs/ or data/
	rm -rf .venv seglit.egg-info

# An interrupted set-up leaves READY missing or in the year 2000, so the next call takes it up again.
$(READY): requirements.lock pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(NEW_VENV); }
	@echo $(TORCH) >$@ && touch -t 200001010000 $@
	@$(FAIL) awk '/^[a-z]/ { keep = /^uv==/ } keep' requirements.lock >.venv/uv.txt && \
	$(BIN)/python -m pip install --require-hashes --no-deps --retries 2 --disable-pip-version-check -r .venv/uv.txt \
		>.venv/pip.log 2>&1 || fail "pip could not install uv (no network? disk full?): $$(tail -n 1 .venv/pip.log)"
	@$(FAIL) { $(INSTALL_LOCKED); } && \
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --offline --editable . || \
		fail "set-up stopped, for the reason above (no network? disk full?); the same command takes it up again."
	@touch $@

define NEW_VENV
$(FAIL) for python in $(PYTHON) none; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; done; \
test $$python != none || fail "Python 3.11 or newer is needed; looked for: $(PYTHON). PYTHON=/path/to/python names one."; \
$$python -c 'import ensurepip, venv' 2>/dev/null || fail "$$python cannot make environments; on Debian and Ubuntu" \
	"install the package python$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv."; \
$$python -c 'import shutil, sys; sys.exit(shutil.disk_usage(".").free < $(DISK_GB) * 2**30)' || \
	fail "less than $(DISK_GB) GB free here; torch and the rest take about 6 (2 without CUDA: TORCH=cpu)."; \
echo "seglit: setting up .venv, once, with $$($$python --version)"; \
$$python -m venv --clear .venv || fail "could not make .venv, for the reason above."
endef

# Other builds of torch come from PyTorch's own index, which publishes other files: their hashes are not in the lock, so
# these two are installed by version, and what they need comes with them. All the rest is checked against its hash.
# The workflows are where this branch runs to its end; TORCH=lock goes back.
LOCKED_TORCH = $$(awk -F '[= ]+' '/^(torch|torchvision)==/ { print $$1 "==" $$2 }' requirements.lock)
ifeq ($(TORCH),lock)
INSTALL_LOCKED = $(BIN)/uv pip sync --python $(BIN)/python --require-hashes requirements.lock
else
INSTALL_LOCKED = awk '/^[a-z]/ { keep = !/^(torch|torchvision|triton)==|^(cuda|nvidia)-/ } keep' requirements.lock \
	>.venv/without-torch.txt && \
	$(BIN)/uv pip sync --python $(BIN)/python --require-hashes .venv/without-torch.txt && \
	$(BIN)/uv pip install --python $(BIN)/python --torch-backend $(TORCH) $(LOCKED_TORCH)
endif
