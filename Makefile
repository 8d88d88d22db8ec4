# The only place that a person types. `make help` is made from the comments behind the targets.
STUDY ?= all
DATA ?= phantom
PROFILE ?= quick
SEED ?= 0
PORT ?= 8501
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 1)
PYTHON ?= python3
PROFILE_SNAKEMAKE ?=
TO ?=
# TORCH=cpu asks uv for PyTorch's CPU build from PyTorch's own index, 4 GB less; it needs that index and cannot be tried offline
TORCH ?=

SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
export MPLBACKEND := agg
STUDIES = $(if $(filter all,$(STUDY)),$(patsubst notebooks/%,%,$(basename $(wildcard notebooks/[0-9][0-9]_*.ipynb))),$(subst $(comma), ,$(STUDY)))
comma := ,
NUMBERS = $(foreach s,$(STUDIES),$(shell echo $(s) | cut -c1-2))
SNAKEMAKE = python -m snakemake --cores $(JOBS) --keep-going --nolock --rerun-incomplete --rerun-triggers mtime \
	--quiet host reason rules progress $(if $(PROFILE_SNAKEMAKE),--workflow-profile $(PROFILE_SNAKEMAKE)) \
	--config study=$(subst $() ,$(comma),$(NUMBERS)) data=$(DATA) profile=$(PROFILE) seed=$(SEED) workers=$(JOBS)

.DEFAULT_GOAL := help
.PHONY: reproduce test kills lint bench data lab site doctor expected clean help networks archive app

# ---- what to do
reproduce: .venv/.ready ## train, run the notebooks, write reports/ (STUDY=02 DATA=phantom|real PROFILE=quick|standard|paper SEED=0 JOBS=2; DRY=1 only says what)
ifdef DRY
	@python -m studylib plan $(NUMBERS) --data $(DATA) --profile $(PROFILE) --seed $(SEED)
else
	@mkdir -p logs
	@python -m studylib plan $(NUMBERS) --data $(DATA) --profile $(PROFILE) --seed $(SEED)
	@status=0; $(SNAKEMAKE) || status=$$?; python -m studylib site || status=$$?; \
		python -m studylib summary $(NUMBERS) --data $(DATA) --profile $(PROFILE); exit $$status
endif

test: .venv/.ready ## every test: values, faults, notebooks (nbval)
	python -m pytest -q -n $(JOBS) --dist loadscope tests
	@echo "notebooks: every cell on quick phantoms (networks that are there are not trained again)"
	@$(MAKE) --no-print-directory networks DATA=phantom PROFILE=quick SEED=0
	@export STUDYLIB_REPORTS=$$(mktemp -d); trap 'rm -rf "$$STUDYLIB_REPORTS"' EXIT; \
		python -m pytest -q -n $(JOBS) --dist loadscope --nbval-lax --nbval-current-env --nbval-cell-timeout 600 notebooks && \
		python -m studylib expected $(NUMBERS)

kills: .venv/.ready ## kill -9 at ten random moments of a quick run, rerun, compare metrics.json (STUDY=02; a quarter of an hour)
	@python tests/kill_reproduce.py --study $(firstword $(NUMBERS))

expected: .venv/.ready ## measure again what tests/expected/ allows each number: quick phantoms, five seeds (ten minutes)
	@for seed in 0 1 2 3 4; do $(MAKE) --no-print-directory networks DATA=phantom PROFILE=quick SEED=$$seed || exit 1; done
	@python -m studylib expected $(NUMBERS) --write

networks: .venv/.ready ## train the networks that a run needs, without its reports
	@$(SNAKEMAKE) --until fits

lint: .venv/.ready ## ruff on code and notebooks, formatting too
	ruff check .
	ruff format --check .

bench: .venv-bench/.ready ## speed and memory of maps against other libraries, ratios in one run, 40 minutes, resumable (ONLY=resnet18 a part; FRESH=1 anew; MEMORY=1 peaks alone)
	.venv-bench/bin/python bench/bench_training.py
	.venv-bench/bin/python bench/bench_maps.py $(if $(ONLY),--only $(ONLY)) $(if $(FRESH),--fresh) $(if $(MEMORY),--memory)
	.venv-bench/bin/python bench/bench_growth.py

data: .venv/.ready ## which real sets are known, which are here, and where to get the rest
	@python -m studylib data list

archive: .venv/.ready ## pack networks, reports, ledgers and lock of a run into one file with checksums (TO=FILE.tar.gz; unpack: python -m studylib archive --unpack FILE --to FOLDER)
	@python -m studylib archive $(NUMBERS) --data $(DATA) --profile $(PROFILE) --seed $(SEED) $(if $(TO),--to $(TO))

lab: .venv/.ready ## the notebooks in Jupyter
	jupyter lab notebooks

app: .venv/.ready ## look at one image in the browser, by a network trained here: maps beside their floor, warnings, one page to keep (PORT=8501)
	@python -m studylib app --port $(PORT) --seed $(SEED)

site: .venv/.ready ## reports/index.html from the reports that are there
	@python -m studylib site

doctor: .venv/.ready ## what is here (Python, cores, memory, weights, data, accelerator) and what each profile would take
	@python -m studylib doctor

clean: ## remove trained networks, caches and logs; reports and the environment stay
	rm -rf runs logs .snakemake .pytest_cache .ruff_cache

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

# ---- set-up, done by itself
# the peers stand in an environment of their own, which sees .venv through one .pth file
.venv-bench/.ready: requirements-bench.lock .venv/.ready
	@echo "setting up .venv-bench: the libraries that ours is measured against"
	@test -x .venv-bench/bin/python || .venv/bin/python -m venv --without-pip .venv-bench
	@.venv/bin/python -c "import glob, sysconfig; open(glob.glob('.venv-bench/lib/python*/site-packages')[0] + '/beside.pth', 'w').write('import site; site.addsitedir(' + repr(sysconfig.get_path('purelib')) + ')')"
	@.venv/bin/uv pip install -q --python .venv-bench/bin/python --no-deps --require-hashes -r requirements-bench.lock
	@touch $@

.venv/.ready: requirements.lock pyproject.toml
	@echo "setting up .venv from requirements.lock (once, about a minute; 6 GB on disk)"
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install -q uv
ifeq ($(TORCH),cpu)
	@.venv/bin/uv pip install -q --compile-bytecode --torch-backend cpu -r pyproject.toml --extra test --extra app --extra cluster
else
	@.venv/bin/uv pip sync -q --compile-bytecode requirements.lock
endif
	@.venv/bin/uv pip install -q --no-deps -e .
	@touch $@
	@echo "ready"
