# Everything runs in .venv, which `make setup` builds; see .ci/setup.sh.
export OMP_NUM_THREADS ?= 2
# Without compiled modules each start of mmdet takes three times as long.
unexport PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python
ONEDL := .venv-onedl/bin/python
# Tests are many and small: a process a core, each with one thread. Their
# order is that of tests/conftest.py.
TEST := -m pytest -n logical --maxprocesses 8 --dist loadfile \
    --no-loadscope-reorder
# As a processor that has SSE4 only and other thread numbers than the rest.
LESSER := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 \
    MKL_ENABLE_INSTRUCTIONS=AVX2 IGQ_MMDET_ISA=none OMP_NUM_THREADS=2
test test-fast test-onedl: export OMP_NUM_THREADS = 1

.PHONY: help setup demo test test-fast test-onedl test-lesser results \
    evidence-saliency bench lint docs format lock

help:
	@echo 'make demo        float and quantized AP of the demo detector'
	@echo 'make test        all tests'
	@echo 'make test-fast   the tests not marked slow'
	@echo 'make test-onedl  all tests on the maintained forks of OpenMMLab'
	@echo 'make test-lesser tests of what computes, as on a lesser processor'
	@echo 'make results     docs/results.md anew, hours; goes on after a stop'
	@echo 'make evidence-saliency  what is kept of pretrained weights, hours'
	@echo 'make bench       docs/performance.md anew, with OpenVINO and ONNX Runtime'
	@echo 'make lint        ruff and mypy'
	@echo 'make docs        the documentation, into site/'
	@echo 'make format      let ruff fix what it can'
	@echo 'make setup       only build .venv (the others do so by themselves)'
	@echo 'make lock        resolve requirements/lock.txt anew'

setup:
	@bash .ci/setup.sh

demo: setup
	$(PY) tools/ptq_coco.py --work-dir work_dirs/demo

test: setup
	$(PY) $(TEST)

test-fast: setup
	$(PY) $(TEST) -m 'not slow'

test-onedl:
	@bash .ci/setup.sh onedl
	$(ONEDL) $(TEST)

test-lesser: setup
	$(LESSER) $(PY) -m igq_mmdet | grep -E '^(device|instruction|threads)'
	$(LESSER) $(PY) -m pytest $(addprefix tests/,quantizers fitting \
	    observers kernels modules runtime)

results: setup
	$(PY) tools/run_results.py

evidence-saliency: setup
	$(PY) tools/evidence_saliency.py

bench: setup
	VIRTUAL_ENV=.venv .venv/bin/uv pip install -q -r requirements/bench-lock.txt
	$(PY) -m benchmarks --json docs/performance.json --page

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

docs: setup
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

format: setup
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock: setup
	cd requirements && ../.venv/bin/uv pip compile -q --universal \
	    --python-version 3.11 --no-annotate \
	    --custom-compile-command 'make lock' \
	    runtime.txt mm.txt timm.txt segmentation.txt dev.txt docs.txt \
	    -o lock.txt
	cd requirements && ../.venv/bin/uv pip compile -q --universal \
	    --python-version 3.11 --no-annotate \
	    --custom-compile-command 'make lock' \
	    runtime.txt onedl.txt timm.txt segmentation.txt dev.txt \
	    -o lock-onedl.txt
	cd requirements && ../.venv/bin/uv pip compile -q --universal \
	    --python-version 3.11 --no-annotate \
	    --custom-compile-command 'make lock' \
	    -c lock.txt bench.txt -o bench-lock.txt
