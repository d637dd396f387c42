# swift-peer: `make run` to chat, `make test` to prove it. Everything else is below.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Arguments for the program: make run ARGS="--nick ada --room tea"
ARGS ?=
# What Debian must provide to build, and what the tests want besides.
RUN_PACKAGES := libssl-dev libusrsctp-dev libncursesw5-dev pkg-config
TEST_PACKAGES := tmux coturn iproute2 nftables util-linux chromium golang-go golang-github-pion-webrtc.v3-dev
# Other people's peers, pinned: py-libp2p with aiortc, and out of wheels go-libp2p's daemon and libdatachannel.
PY_LIBP2P := 0.8.1
AIORTC := 1.15.0
AIOICE := 0.10.2
HIVEMIND := 1.1.12
LIBDATACHANNEL := 2026.5.7
# How long each fuzzer runs, and which: all of them when none is named.
SECONDS := 60
FUZZERS ?=
# Where the sources of Swift are.
SOURCES := Package.swift Sources Tests Benchmarks Fuzz/Package.swift Fuzz/Sources/Fuzz

STAMPS := .tools/stamps
PYTHON_PEERS := $(STAMPS)/py-libp2p-$(PY_LIBP2P)-aiortc-$(AIORTC)-aioice-$(AIOICE)
PION := Tests/InteropTests/Peers/pion_peer

.PHONY: help run build test sanitize peers bench bench-webrtc paths fuzz format lint clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

sanitize: $(STAMPS)/run ## run what calls OpenSSL and usrsctp under the address sanitizer; minutes to build
	@Scripts/need-swift
	swift build --build-tests --sanitize=address --scratch-path .build/sanitize
	ASAN_OPTIONS=detect_leaks=0 swift test --skip-build --sanitize=address --scratch-path .build/sanitize \
		--no-parallel --filter "EnginesTests|WebRTCRuntimeTests"

peers: $(PYTHON_PEERS) .tools/p2pd-$(HIVEMIND) .tools/libdatachannel-$(LIBDATACHANNEL) .tools/pion_peer ## install the peers the tests talk to

bench: $(STAMPS)/run peers ## measure the release build against py-libp2p and go: see Benchmarks/RESULTS.md
	@Scripts/need-swift
	swift build --package-path Benchmarks --scratch-path .build/benchmarks -c release --product swift-peer
	swift build --package-path Benchmarks --scratch-path .build/benchmarks -c release --product BenchPeer
	.venv/bin/python Benchmarks/measure.py --p2pd .tools/p2pd \
		--program .build/benchmarks/release/swift-peer --bench .build/benchmarks/release/BenchPeer

bench-webrtc: $(STAMPS)/run .tools/dcb1/libdatachannel .tools/dcb1/pion .tools/dcb1/cstack ## measure a data channel against libdatachannel, pion and plain C
	@Scripts/need-swift
	swift build --package-path Benchmarks --scratch-path .build/benchmarks -c release --static-swift-stdlib --product DataChannelBench
	Benchmarks/measure_webrtc.py --ours .build/benchmarks/release/DataChannelBench \
		--libdatachannel .tools/dcb1/libdatachannel --pion .tools/dcb1/pion --cstack .tools/dcb1/cstack

paths: $(STAMPS)/run ## measure the time to a direct path in virtual time, 200 networks for each pair of NATs: a quarter of an hour
	@Scripts/need-swift
	swift build --build-tests
	SWIFT_PEER_ALL_SEEDS=1 swift test --skip-build --filter NodeMatrixTests | tee .build/paths.log | grep '^|' | sort
	@! grep -q '✘' .build/paths.log

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

$(PYTHON_PEERS): | $(STAMPS)/test
	@Scripts/make-venv .venv "libp2p[webrtc]==$(PY_LIBP2P)" "aiortc==$(AIORTC)" "aioice==$(AIOICE)"
	@mkdir -p $(@D) && touch $@

.tools/p2pd-$(HIVEMIND): | $(PYTHON_PEERS)
	@echo "Fetching go-libp2p's daemon p2pd from the wheel of hivemind $(HIVEMIND)."
	@Scripts/from-wheel .tools/p2pd "hivemind==$(HIVEMIND)" 'hivemind/hivemind_cli/p2pd'
	@ln -sf p2pd $@

.tools/libdatachannel-$(LIBDATACHANNEL): | $(PYTHON_PEERS)
	@echo "Fetching libdatachannel from the wheel of aiolibdatachannel $(LIBDATACHANNEL)."
	@Scripts/from-wheel .tools/libdatachannel "aiolibdatachannel==$(LIBDATACHANNEL)" . \
		--only-binary=:all: --python-version=3.12 --platform=manylinux_2_28_$$(uname -m)
	@ln -sfn libdatachannel $@

.tools/pion_peer: $(PION)/main.go $(PION)/go.mod Scripts/build-pion | $(STAMPS)/test
	@echo "Building the peer on pion with Debian's Go and Debian's pion."
	@mkdir -p $(@D) && Scripts/build-pion $(PION) $@

.tools/dcb1/libdatachannel: Benchmarks/dcb1/ldc/bench.cpp | .tools/libdatachannel-$(LIBDATACHANNEL)
	@mkdir -p $(@D)
	g++ -O2 -std=c++17 -w -include cstdarg -DRTC_STATIC -I.tools/libdatachannel/include $< -o $@ \
		.tools/libdatachannel/lib64/lib{datachannel,juice,usrsctp}.a \
		.tools/libdatachannel/aiolibdatachannel.libs/*.so* \
		-Wl,-rpath,$(CURDIR)/.tools/libdatachannel/aiolibdatachannel.libs -lpthread

.tools/dcb1/pion: Benchmarks/dcb1/pion3/main.go Benchmarks/dcb1/pion3/mdns.go Scripts/build-pion | $(STAMPS)/test
	@mkdir -p $(@D) && Scripts/build-pion Benchmarks/dcb1/pion3 $@

.tools/dcb1/cstack: Benchmarks/dcb1/cstack.c | $(STAMPS)/run
	@mkdir -p $(@D)
	gcc -O2 -w $(if $(filter x86_64,$(shell uname -m)),-msse4.2) $< -o $@ -lusrsctp -lssl -lcrypto -lpthread
