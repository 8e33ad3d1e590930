# cashew's verbs. `make help` lists them; `make check` is what has to pass before anything is merged.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 10s
# Seeds of a longer simulation; each is a fleet with 2000 to 3000 requests, once with faults and once without.
SEEDS ?= 800
# How long make chaos has things go wrong, and flags of its own: make chaos DURATION=1m CHAOS='-chaos.seed 7'
DURATION ?= 3m
CHAOS    ?=
# Flags of the measuring tool, for example: make bench BENCH='-quick -only 50c'
BENCH    ?=
# Binaries of other proxies that make bench-peers measures too, those of them that are given.
PREDIXY  ?=
CODIS    ?=
OVERLORD ?=
# Flags of the tool that tries client libraries, for example: make compat COMPAT='-only redis-py -v'
COMPAT   ?=

# The race detector costs five to ten times the CPU, so it runs where goroutines meet and nowhere else.
# internal/archtest fails when a room that starts goroutines or takes locks is missing here.
RACE_ROOMS := stats eventloop proxy redisclient health control metrics admin daemon demo servertest redistest memcachedtest

# What `go build ./...` must accept. The one that is vetted has the poll(2) driver.
CROSS      := linux/amd64 linux/arm64 darwin/arm64 darwin/amd64 freebsd/amd64
CROSS_VET  := darwin/arm64

LDFLAGS   := -s -w -X github.com/cashew-proxy/cashew/internal/daemon.release=$(VERSION)
GO_DIRS    = $(wildcard cmd internal bench packaging test)
RACE_PKGS  = $(foreach r,$(RACE_ROOMS),$(if $(wildcard internal/$(r)/*_test.go),./internal/$(r)/...)) \
             $(if $(wildcard cmd/cashew/*_test.go),./cmd/...)

# The version comes from git describe above; Go's own stamp fails in checkouts owned by someone else.
export GOFLAGS := $(filter-out -buildvcs=%,$(GOFLAGS)) -buildvcs=false
# A workspace file of the surroundings would change what is built.
export GOWORK := off
# Distributions install nutcracker where only root looks.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo test race sim fuzz cover lint fmt cross check bench bench-build bench-latency bench-peers profile compat package clean peers chaos

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

build: ## bin/cashew: static, with its version
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/cashew ./cmd/cashew

demo: build ## build, then run cashew in front of servers of its own
	bin/cashew demo

peers:
	@scripts/peers.sh redis-server memcached memccapable nutcracker curl promtool groff zsh fish

# Tests build what they run without the profile for the compiler: it changes how fast, and costs a second build of
# everything.
test race: export GOFLAGS += -pgo=off
test: peers ## install missing peers, then run every test
	go test -shuffle=on -timeout 5m ./...

race: ## the race detector over the rooms with goroutines
	@scripts/peers.sh cc redis-server memcached memccapable nutcracker zsh fish
	$(if $(strip $(RACE_PKGS)),CGO_ENABLED=1 go test -race -shuffle=on -timeout 8m $(RACE_PKGS),@echo "race: no room with goroutines has tests yet")

sim: ## millions of simulated requests, from SEEDS seeds with faults and as many without
	go test ./internal/sim -run 'TestSeeds' -sim.seeds $(SEEDS) -timeout 60m

fuzz: ## every fuzz target for FUZZTIME (10s)
	@scripts/fuzz.sh $(FUZZTIME)

chaos: ## a real proxy under load while servers, clients and its surroundings fail, for DURATION (3m); report in bin/chaos.json
	@scripts/peers.sh redis-server memcached
	@mkdir -p bin
	go test ./test/chaos -run 'TestChaos$$' -v -count=1 -timeout 0 -chaos.for $(DURATION) -chaos.json $(CURDIR)/bin/chaos.json $(CHAOS)

cover: ## what the engine rooms' tests cover, and every block that they do not; fails below 95 % (slow; not in check)
	@scripts/cover.sh

tools/bin/.built: tools/go.mod tools/go.sum
	cd tools && go build -o bin/ mvdan.cc/gofumpt honnef.co/go/tools/cmd/staticcheck
	@touch $@

lint: tools/bin/.built ## go vet, staticcheck, gofumpt (reports, changes nothing)
	go vet ./...
	tools/bin/staticcheck ./...
	@unformatted=$$(tools/bin/gofumpt -l $(GO_DIRS)); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi

fmt: tools/bin/.built ## format every Go file
	tools/bin/gofumpt -w $(GO_DIRS)

cross: ## compile for every supported system
	@set -e; for target in $(CROSS); do \
		echo "build $$target"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 go build ./...; \
	done; \
	echo "vet $(CROSS_VET)"; \
	GOOS=$(firstword $(subst /, ,$(CROSS_VET))) GOARCH=$(lastword $(subst /, ,$(CROSS_VET))) CGO_ENABLED=0 go vet ./...

check: lint cross test race sim fuzz ## everything above that judges; under 15 minutes on two cores

bench-build: build
	@scripts/peers.sh redis-server redis-benchmark memcached nutcracker
	go build -o bin/cashew-bench ./bench

bench: bench-build ## measure against nutcracker and no proxy (BENCH='-quick …', BENCH='-group many|large|workers|hot')
	bin/cashew-bench -cashew bin/cashew -out bench/results $(BENCH)

profile: bench-build ## cmd/cashew/default.pgo: what the compiler optimizes for, from the rows of make bench; four minutes
	rm -rf bin/profiles && mkdir -p bin/profiles
	bin/cashew-bench -targets cashew -rounds 1 -seconds 6 -profile bin/profiles
	go tool pprof -proto -ignore Syscall6 -output cmd/cashew/default.pgo bin/profiles/*.pb.gz

bench-latency: bench-build ## latencies in an open loop, at half of nutcracker's saturation (BENCH='-rounds 5 -seconds 60')
	bin/cashew-bench latency -cashew bin/cashew -out bench/results $(BENCH)

bench-peers: bench-build ## the same table with other proxies (PREDIXY=path CODIS=path OVERLORD=path)
	bin/cashew-bench -cashew bin/cashew -out bench/results -group peers \
		-predixy '$(PREDIXY)' -codis '$(CODIS)' -overlord '$(OVERLORD)' $(BENCH)

compat: build ## try the client libraries that can be had, write docs/clients.md (slow; not in check)
	go build -o bin/cashew-compat ./test/compat
	bin/cashew-compat -cashew bin/cashew $(COMPAT)

package: build ## a Debian package and a container image in bin/, of what build makes
	@scripts/package.sh '$(VERSION)' bin
	@arch=$$(go env GOARCH); GOOS= GOARCH= go run ./packaging/image -version '$(VERSION)' -arch $$arch -out bin bin/cashew

clean: ## remove what was built
	rm -rf bin tools/bin
