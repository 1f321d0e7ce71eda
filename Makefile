# Two commands for a new machine: `make demo` shows the main job, `make test` passes every test.
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
PEER := .venv-bench
FUZZ_SECONDS ?= 600
CLIENTS ?= 10000
REQUESTS ?= 100000
READS ?= 10000
ROUNDS ?= 50
NODES ?= 50
PODS ?= 10
CALLS ?= 20000
RATE ?= 40
KERNEL ?= linux-image-amd64
MINUTES ?= 90
MEMORY ?= 6G
SLOWER ?= 8
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready ## install what is missing; leaves .venv/bin/chaperone

$(VENV)/.ready: pyproject.toml deploy/setup.sh deploy/packages.sh
	deploy/setup.sh $(PYTHON) $(VENV)
	touch $@

demo: setup ## record kubectl, a Python client and curl against a local API server, and show the recording
	deploy/demo.sh $(BIN)

test: setup lint ## every test
	$(BIN)/python tests/run.py

lint: setup ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup $(PEER)/.ready ## ratios taken side by side in one run; as root, the probes' cost too
	$(BIN)/python bench/decode.py --peer $(PEER)
	$(BIN)/python bench/capture.py
	$(BIN)/python bench/node.py
	$(BIN)/python bench/rules.py
	$(BIN)/python bench/verdicts.py --peer $(PEER)

$(PEER)/.ready:
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --disable-pip-version-check mitmproxy==11.0.2
	touch $@

test-kernel: setup .venv-kernel/.ready ## the live tests under another kernel in qemu: KERNEL=linux-image-amd64 SUITE=bookworm APPEND=… MINUTES=90 MEMORY=6G SLOWER=8 TESTS=…
	.venv-kernel/bin/python tests/in_kernel.py --package $(KERNEL) --minutes $(MINUTES) --memory $(MEMORY) --slower $(SLOWER) $(if $(SUITE),--suite $(SUITE)) $(addprefix --append ,$(APPEND)) $(TESTS)

.venv-kernel/.ready:
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends qemu-system-x86 busybox-static kmod faketime >/dev/null
	$(PYTHON) -m venv .venv-kernel
	.venv-kernel/bin/python -m pip install --quiet --disable-pip-version-check virtme-ng
	touch $@

test-cluster: image ## the chart on a real kubelet, containerd and kube-apiserver of this machine, which are built first; as root
	tests/cluster/make.sh .cluster
	$(BIN)/python -m pytest -q -x tests/cluster/checks.py

fuzz: setup ## the parsers' properties on every recording, for FUZZ_SECONDS
	$(BIN)/python tests/fuzz.py --seconds $(FUZZ_SECONDS)

soak: setup ## REQUESTS under verdicts; READS of secrets, masked; CLIENTS short-lived clients of fresh files, all recorded; again with agent and collector killed at random, nothing lost in silence; as root
	PYTHONPATH=tests $(BIN)/python -m soak.run --clients $(CLIENTS) --deaths 0
	PYTHONPATH=tests $(BIN)/python -m soak.run --clients $(CLIENTS)
	PYTHONPATH=tests $(BIN)/python -m soak.denials --count $(REQUESTS)
	PYTHONPATH=tests $(BIN)/python -m soak.masked --count $(READS)
	PYTHONPATH=tests $(BIN)/python -m soak.deaths --rounds $(ROUNDS)

load: setup ## recordings replayed as NODES nodes with PODS pods each into one collector: calls/s, lag, memory, what saturates
	PYTHONPATH=tests $(BIN)/python -m load.run --nodes $(NODES) --pods $(PODS) --calls $(CALLS)
	PYTHONPATH=tests $(BIN)/python -m load.run --nodes $(NODES) --pods $(PODS) --calls $(RATE)000 --rate $(RATE)

zoo: setup ## record every client we know of, compare with the servers' logs, write docs/clients.md; as root
	mkdir -p .zoo
	tests/zoo/make.sh $(PYTHON) $(CURDIR)/.zoo
	PYTHONPATH=tests $(BIN)/python tests/zoo/run.py

image: setup ## images of agent and collector as OCI archives in dist/, without pulling one; as root
	deploy/image.sh agent $(BIN)/python dist
	deploy/image.sh collector $(BIN)/python dist
	deploy/try-images.sh dist

manifests: setup ## deploy/manifests from deploy/chart
	$(BIN)/python deploy/definition.py
	$(BIN)/python deploy/manifests.py

proto: setup ## regenerate proto/*_pb2*
	$(BIN)/python -m grpc_tools.protoc -I chaperone/proto=proto --python_out=typings --pyi_out=typings \
	  --grpc_python_out=typings proto/capture.proto proto/query.proto

.PHONY: help setup demo test test-kernel test-cluster lint bench fuzz soak load zoo image manifests proto
