# swift-peer: `make run` to chat, `make test` to prove it. Everything else is below.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Arguments for the program: make run ARGS="--nick ada --room tea"
ARGS ?=
# What Debian must provide to build, and what the tests want besides.
RUN_PACKAGES := libssl-dev libusrsctp-dev libncursesw5-dev pkg-config
TEST_PACKAGES := tmux iproute2 util-linux
# Other people's peers, pinned: py-libp2p, and go-libp2p's daemon out of a wheel.
PY_LIBP2P := 0.8.1
HIVEMIND := 1.1.12
# How long each fuzzer runs, and which: all of them when none is named.
SECONDS := 60
FUZZERS ?=
# Where the sources of Swift are.
SOURCES := Package.swift Sources Tests Benchmarks Fuzz/Package.swift Fuzz/Sources/Fuzz

STAMPS := .tools/stamps

.PHONY: help run build test peers bench fuzz format lint clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMPS)/run ## install what is missing, build in release, open the chat: make run [ARGS="--nick ada"]
	@Scripts/need-swift
	@swift build -c release --product swift-peer
	@# Should it ever crash, its own handler gives the terminal back; Swift's backtracer would take the handler's place.
	@SWIFT_BACKTRACE=$${SWIFT_BACKTRACE:-enable=no} exec .build/release/swift-peer $(ARGS)

build: $(STAMPS)/run ## build everything for debugging, tests too
	@Scripts/need-swift
	swift build --build-tests

test: $(STAMPS)/run peers ## install what is missing, build, run every test, other people's peers included
	@Scripts/need-swift
	swift build --build-tests
	swift test --skip-build --skip InteropTests
	swift test --skip-build --filter InteropTests

peers: $(STAMPS)/test $(STAMPS)/py-libp2p-$(PY_LIBP2P) .tools/p2pd-$(HIVEMIND) ## install the peers the tests talk to

bench: $(STAMPS)/run peers ## measure the release build against py-libp2p and go: see Benchmarks/RESULTS.md
	@Scripts/need-swift
	swift build --package-path Benchmarks --scratch-path .build/benchmarks -c release --product swift-peer
	swift build --package-path Benchmarks --scratch-path .build/benchmarks -c release --product BenchPeer
	.venv/bin/python Benchmarks/measure.py --p2pd .tools/p2pd \
		--program .build/benchmarks/release/swift-peer --bench .build/benchmarks/release/BenchPeer

fuzz: $(STAMPS)/run ## feed the parsers what nobody thought of: make fuzz [SECONDS=60] [FUZZERS="stun sdp"]
	@Scripts/need-swift
	swift build --package-path Fuzz --scratch-path .build/fuzz --product Fuzz
	@Fuzz/run .build/fuzz/debug/Fuzz $(SECONDS) $(FUZZERS)

format: ## format all Swift sources in place
	swift format -i -r $(SOURCES)

lint: ## check their format, change nothing
	swift format lint --strict -r $(SOURCES)

clean: ## remove what was built and installed in this folder
	rm -rf .build .tools .venv

$(STAMPS)/run: Makefile Scripts/need-packages
	@Scripts/need-packages $(RUN_PACKAGES)
	@mkdir -p $(@D) && touch $@

$(STAMPS)/test: Makefile Scripts/need-packages
	@Scripts/need-packages $(TEST_PACKAGES)
	@mkdir -p $(@D) && touch $@

$(STAMPS)/py-libp2p-$(PY_LIBP2P): | $(STAMPS)/test
	@Scripts/make-venv .venv "libp2p==$(PY_LIBP2P)"
	@mkdir -p $(@D) && touch $@

.tools/p2pd-$(HIVEMIND): | $(STAMPS)/py-libp2p-$(PY_LIBP2P)
	@echo "Fetching go-libp2p's daemon p2pd from the wheel of hivemind $(HIVEMIND)."
	@mkdir -p .tools/wheel
	@.venv/bin/pip download --quiet --no-deps --dest .tools/wheel "hivemind==$(HIVEMIND)"
	@.venv/bin/python -m zipfile -e .tools/wheel/hivemind-*.whl .tools/wheel
	@mv .tools/wheel/hivemind/hivemind_cli/p2pd .tools/p2pd && rm -rf .tools/wheel
	@chmod 755 .tools/p2pd && touch .tools/p2pd && ln -sf p2pd $@
