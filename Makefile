# Everything a change goes through. `make help` lists the targets.
#
# Nothing here needs more than Go, make, bash and git; `make e2e` also fetches
# the real programs it talks to (see e2e/peers.sh).

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# raft-boltdb's metrics need the tag to reach the same sink as raft's.
TAGS := hashicorpmetrics
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo unknown)

# The version is stamped by hand below, so a build works outside of git too.
export GOFLAGS     := -buildvcs=false -tags=$(TAGS)
export CGO_ENABLED := 0

LDFLAGS   := -s -w -X main.version=$(VERSION)
PLATFORMS := linux-amd64 linux-arm64 linux-armv7
LINT_VERSION := v2.15.0
LINT := .tools/bin/golangci-lint-$(LINT_VERSION)

# How long `make demo` runs; without it until Ctrl-C, or 30 s away from a terminal.
DURATION ?=
# More flags for the demo, such as DEMO='--kill-leader-every 10s'.
DEMO ?=
# Time for each fuzz target, or its number of executions, which goes before.
FUZZTIME  ?= 2m
FUZZEXECS ?=
# Which fuzz targets run, as a pattern of their names.
FUZZ ?= .
# Datagrams of `make fuzz-peer`, and their seed; without one it is drawn and printed.
PEERCOUNT ?= 1000000
PEERSEED  ?=
# Time and numbers of clients of the load that `make bench` puts on a site.
BENCHTIME ?= 10s
CLIENTS   ?= 1 64 256 2000
# Which end-to-end tests run, as a pattern of their names.
E2E ?= .
# Faults: the seed (drawn from the clock without one) and how long to go on with
# them; of those in virtual time how many hours, and of which kind.
SEED  ?=
TIME  ?=
HOURS ?= 0
MODE  ?= all
# Bits that `make rot` flips of each kind of file, of a running and of a stopped node.
FLIPS ?= 400

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: bin/skerry ## run a site of three nodes with sensors and a camera (DURATION=30s)
	@duration='$(DURATION)'; \
	if [ -z "$$duration" ] && [ ! -t 1 ]; then duration=30s; fi; \
	exec bin/skerry demo $${duration:+--duration "$$duration"} $(DEMO)

.PHONY: bin/skerry
bin/skerry:
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/skerry

# The version after this one, as tests of upgrades see it: with a command and a
# field more. It is no release.
.PHONY: bin/skerry-next
bin/skerry-next:
	@$(GO) build -trimpath -tags '$(TAGS) trial' -ldflags '$(LDFLAGS)-next' -o $@ ./cmd/skerry

.PHONY: build
build: bin/skerry $(PLATFORMS:%=bin/skerry-%) ## build static binaries for all platforms into bin/
	@$(GO) run ./internal/staticelf bin/skerry $(PLATFORMS:%=bin/skerry-%)

.PHONY: $(PLATFORMS:%=bin/skerry-%)
bin/skerry-linux-amd64: export GOARCH := amd64
bin/skerry-linux-arm64: export GOARCH := arm64
bin/skerry-linux-armv7: export GOARCH := arm
bin/skerry-linux-armv7: export GOARM  := 7
bin/skerry-linux-%: export GOOS := linux
$(PLATFORMS:%=bin/skerry-%):
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/skerry

.PHONY: test
test: ## run all unit tests
	$(GO) test -timeout 6m ./...

.PHONY: race
race: export CGO_ENABLED := 1
race: ## run all unit tests under the race detector (needs a C compiler)
	$(GO) test -race -timeout 20m ./...

.PHONY: fmt
fmt: ## fail on files that gofmt would change
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go' -not -path './.*')); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

.PHONY: vet
vet: ## run go vet, on the tests behind tags too
	$(GO) vet ./...
	$(GO) vet -tags '$(TAGS) peer' ./coap/message
	$(GO) vet -tags '$(TAGS) trial' ./cluster ./cmd/skerry
	$(GO) vet -tags '$(TAGS) e2e engines' ./e2e/...

.PHONY: lint
lint: $(LINT) ## run golangci-lint with .golangci.yml
	$(LINT) run ./...

$(LINT):
	@mkdir -p $(@D)/tmp
	GOBIN=$(abspath $(@D))/tmp $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(@D)/tmp/golangci-lint $@ && rmdir $(@D)/tmp

# A new input is made small in at most 100 tries, not for up to a minute.
.PHONY: fuzz
fuzz: ## run each fuzz target (FUZZ) for FUZZTIME, or FUZZEXECS times
	@grep -rlE '^func Fuzz[A-Z0-9_]' --include='*_test.go' . | sort | while read -r file; do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file" | grep -E '$(FUZZ)' || true); do \
	    echo "$$(dirname "$$file") $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzzminimizetime 100x \
	      -fuzztime $(if $(FUZZEXECS),$(FUZZEXECS)x,$(FUZZTIME)) "$$(dirname "$$file")"; \
	  done; \
	done

.PHONY: fuzz-peer
fuzz-peer: export NODE_PATH = $(or $(SKERRY_PEERS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/skerry-peers)/node/node_modules
fuzz-peer: peers ## read PEERCOUNT datagrams together with npm's coap-packet
	$(GO) test -tags '$(TAGS) peer' -count=1 -v -run '^TestPeer$$' ./coap/message \
	  -args -peer.count=$(PEERCOUNT) $(if $(PEERSEED),-peer.seed=$(PEERSEED))

.PHONY: bench
bench: bin/skerry ## run the Go benchmarks, then load a site of three (BENCHTIME, CLIENTS)
	$(GO) test -run '^$$' -bench . -benchmem ./...
	@for clients in $(CLIENTS); do \
	  bin/skerry bench ingest --nodes 3 --clients $$clients --duration $(BENCHTIME); \
	done
	@bin/skerry bench ingest --nodes 3 --clients 256 --pack 30 --duration $(BENCHTIME)

.PHONY: bench-logstore
bench-logstore: ## compare the stores of the log, and of votes, on the disk of TMPDIR
	$(GO) test -run '^$$' -bench 'LogStore|Vote' -benchtime 1s -count 3 ./cluster/logstore

# The history that `make bench-start` fills a site with.
READINGS ?= 100000000
SERIES   ?= 100000

.PHONY: bench-start
bench-start: bin/skerry ## time the start of a node that holds READINGS of SERIES, and its memory
	@bin/skerry bench start --readings $(READINGS) --series $(SERIES)

.PHONY: bench-disturb
bench-disturb: bin/skerry ## compare acknowledgements with and without work in the background
	@bin/skerry bench disturb

.PHONY: bench-door
bench-door: bin/skerry ## load the devices' door without a site behind it (BENCHTIME, CLIENTS)
	@$(GO) build -trimpath -o bin/emptydoor ./internal/emptydoor
	@bin/emptydoor -addr 127.0.0.1:15683 2>/dev/null & door=$$!; trap "kill $$door" EXIT; sleep 0.5; \
	for clients in $(CLIENTS); do \
	  bin/skerry bench ingest --to 127.0.0.1:15683 --pids $$door --clients $$clients --duration $(BENCHTIME); \
	done

# Campaigns of `make faults-real` (all by default), and how many faults each makes
# at most.
CAMPAIGNS ?=
FAULTS    ?= 150

.PHONY: bin/faultreal
bin/faultreal:
	@$(GO) build -trimpath -o $@ ./internal/faultreal

.PHONY: rot
rot: ## flip bits (FLIPS of each kind of file) of one node of three in virtual time, and count what becomes of them
	$(GO) test -count=1 -timeout 30m -v -run 'FlippedBitsOf|EveryFlipped' ./cluster -args -rot.flips $(FLIPS)

.PHONY: faults-real
faults-real: bin/skerry bin/skerry-next bin/faultreal ## break a site of real processes (CAMPAIGNS, SEED, FAULTS, TIME)
	@bin/faultreal -campaigns '$(CAMPAIGNS)' -count $(FAULTS) -time $(or $(TIME),10m) $(if $(SEED),-seed $(SEED)) -dir faults-real

.PHONY: test-small
test-small: bin/skerry bin/faultreal ## run the tests of a node, and a real site, in 512 MB with a slow disk
	@$(GO) test -c -o bin/cluster.test ./cluster
	@cd cluster && ../bin/faultreal -within ../bin/cluster.test -test.timeout 15m
	@bin/faultreal -campaigns small -count 10 $(if $(SEED),-seed $(SEED))

.PHONY: faults
faults: ## meet sites with faults in virtual time (SEED=, TIME=5m, HOURS=, MODE=all|powercuts|rot)
	@$(GO) test -c -o bin/faultlab.test ./internal/faultlab
	@$(GO) run ./internal/faultlab/conduct $(if $(SEED),-seed $(SEED)) -time $(or $(TIME),5m) -hours $(HOURS) -mode $(MODE) -commit $(VERSION)

.PHONY: faults-again
faults-again: ## meet again the seeds that once found a violation
	$(GO) test ./internal/faultlab -run FoundAViolation -count=1 -v -timeout 60m -args -faults.again

.PHONY: faults-broken
faults-broken: ## let the same laboratory find skerrys that are broken on purpose
	$(GO) test ./internal/faultlab -run ABrokenSkerry -count=1 -v -timeout 60m -args -faults.broken=all

.PHONY: peers
peers: ## fetch the real programs and data that the end-to-end tests use
	e2e/peers.sh

.PHONY: e2e
e2e: bin/skerry bin/skerry-next bin/faultreal peers ## run the end-to-end tests against real programs
	$(GO) test -tags '$(TAGS) e2e' -count=1 -timeout 20m -v -run '$(E2E)' ./e2e/...

.PHONY: e2e-engines
e2e-engines: bin/skerry peers ## let Spark and Flink read the bucket, Californium post (fetches them)
	e2e/peers.sh engines
	$(GO) test -tags '$(TAGS) e2e engines' -count=1 -timeout 30m -v -run 'Spark|Weather|Californium' ./e2e/...

.PHONY: e2e-floating
e2e-floating: bin/skerry ## kill and stop the holder of the floating address 20 times
	FLOATING_LOSSES=20 $(GO) test -tags '$(TAGS) e2e' -count=1 -timeout 10m -v -run Floating ./e2e/...

.PHONY: check
check: fmt vet lint test e2e ## all that a change must pass

.PHONY: clean
clean: ## remove what was built (fetched tools and peers stay)
	rm -rf bin
