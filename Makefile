# Verdict: build, show, test. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.release=$(VERSION)

# Every go command gets the same flags, so that build, tests and lint compile a package once.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

# Two packages at a time: several of them start PostgreSQL or link large programs.
GOTEST     := go test -p 2 -timeout 15m
FUZZTIME   ?= 10s
BENCHTIME  ?= 2s

# Test data that is not part of the project; tests skip where it is missing.
ifeq ($(origin VERDICT_CORPORA),undefined)
VERDICT_CORPORA := $(wildcard $(abspath ../shared/corpora))
endif
export VERDICT_CORPORA

# Every fuzz target of the project, one line each; a law compares the list with the code.
FUZZ = \
	./:FuzzModuleSource \
	./advisory:FuzzCatalogue \
	./advisory:FuzzIndex \
	./advisory:FuzzRecord \
	./artifact:FuzzManifest \
	./artifact:FuzzParseReference \
	./artifact/registry:FuzzParseChallenge \
	./artifact/layers:FuzzDatabases \
	./artifact/layers:FuzzExecutable \
	./artifact/layers:FuzzLayer \
	./artifact/layers:FuzzManifests \
	./artifact/layers:FuzzRPM \
	./artifact/layers:FuzzSaved \
	./ci/iac:FuzzInstalled \
	./ci/iac:FuzzLibrary \
	./ci/iac:FuzzNative \
	./ci/iac:FuzzPipelines \
	./ci/iac:FuzzPlan \
	./ci/iac:FuzzReach \
	./ci/iac:FuzzRendered \
	./ci:FuzzArchives \
	./ci/reachability:FuzzImports \
	./ci:FuzzDecode \
	./ci:FuzzForms \
	./ci:FuzzIgnores \
	./ci/plain:FuzzJSON \
	./ci:FuzzLicence \
	./ci/inventory:FuzzLocked \
	./ci/inventory:FuzzLockfiles \
	./ci/inventory:FuzzLocks \
	./ci:FuzzResults \
	./ci:FuzzSecretsEqualTheLibrarys \
	./ci/inventory:FuzzTOMLBounds \
	./ci:FuzzTables \
	./cmd/verdict:FuzzBackup \
	./cmd/verdict:FuzzConfig \
	./cmd/verdict:FuzzExemptions \
	./cmd/verdict:FuzzPredicateOf \
	./code:FuzzCMS \
	./code:FuzzCatalog \
	./code:FuzzOpenPGP \
	./code:FuzzOwners \
	./code:FuzzSignature \
	./decisionmap:FuzzLoad \
	./evidence/remote:FuzzAnswers \
	./deploy/admission:FuzzReference \
	./deploy/admission:FuzzReview \
	./evidence/sigstore:FuzzVerify \
	./evidence:FuzzParseBundle \
	./evidence:FuzzParseStatement \
	./evidence:FuzzProvenance \
	./forge/azure:FuzzAnswers \
	./forge/azure:FuzzHook \
	./forge/github:FuzzAnswers \
	./forge/github:FuzzHook \
	./forge/gitlab:FuzzAnswers \
	./forge/gitlab:FuzzHook \
	./forge:FuzzHeaders \
	./git:FuzzAdded \
	./git:FuzzParse \
	./identity/token:FuzzConfig \
	./identity/token:FuzzPossession \
	./identity/token:FuzzVerify \
	./identity:FuzzPredicates \
	./ledger:FuzzParseTilePath \
	./policy:FuzzLoadArchive \
	./policy:FuzzParseCases \
	./policy:FuzzParseInput \
	./policy:FuzzResult \
	./report:FuzzNeutral \
	./sbom:FuzzBill \
	./sbom:FuzzBillTags \
	./sbom:FuzzBillXML \
	./sbom:FuzzLicence \
	./sbom:FuzzParsePURL \
	./sbom:FuzzVEX \
	./server/client:FuzzAnswers \
	./server:FuzzLocalPath \
	./server:FuzzRequest \
	./server:FuzzStrict \
	./store:FuzzUnpackIDs

.PHONY: help build image demo test test-long test-cluster parts lint bench bench-ci fuzz test-peers clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: ## bin/verdict, stripped and without cgo
	go build -ldflags '$(LDFLAGS)' -o bin/verdict ./cmd/verdict

image: ## bin/image: the container image for both architectures as an OCI layout (PUSH=REGISTRY/NAME:TAG pushes it)
	go run ./deploy/container -out bin/image -version '$(VERSION)' $(if $(PUSH),-push '$(PUSH)')

demo: build ## the whole journey on an example organisation, offline
	sh examples/acme/demo.sh bin/verdict

test: build parts ## every test; installs PostgreSQL from Debian when root
	@if [ -n "$(VERDICT_CORPORA)" ] && [ -d "$(VERDICT_CORPORA)" ]; then echo "corpora: $(VERDICT_CORPORA)"; \
	elif [ "$$CI" = true ]; then \
		echo "corpora: none at '$(VERDICT_CORPORA)'" >&2; \
		echo "  fix: set VERDICT_CORPORA to the folder that holds them, or unset CI to skip the tests that use them" >&2; exit 1; \
	else echo "corpora: none; the tests that use them are skipped (set VERDICT_CORPORA)"; fi
	VERDICT_BIN=$(CURDIR)/bin/verdict $(GOTEST) ./...

test-long: build parts ## test and test-peers; fails when a single test is skipped
	@echo "$(GOTEST) -count=1 -v ./..."; VERDICT_LONG=1 VERDICT_BIN=$(CURDIR)/bin/verdict $(GOTEST) -count=1 -v ./... >bin/test.log 2>&1; status=$$?; \
	grep -E '^(ok|FAIL|---|panic)|^ *--- (FAIL|SKIP)|kills, each with' bin/test.log; \
	if grep -E -A1 '^ *--- SKIP' bin/test.log; then echo "tests were skipped, see above and bin/test.log"; exit 1; fi; exit $$status
	$(MAKE) --no-print-directory test-peers

test-cluster: build parts ## three replicas on PostgreSQL, and one server on its file, killed 20 times each under load
	VERDICT_LONG=$(or $(VERDICT_LONG),1) VERDICT_BIN=$(CURDIR)/bin/verdict go test -count=1 -timeout 30m -v ./test/cluster

parts:
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "installing the Debian package postgresql"; \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql; \
	else echo "missing: PostgreSQL. Its tests are skipped."; echo "  fix: apt-get install postgresql"; fi

lint: ## gofmt, vet, staticcheck, govulncheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then \
		echo "gofmt changes these files:"; echo "$$unformatted"; echo "  fix: gofmt -w FILE"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	@if out=$$(go tool govulncheck -scan module 2>&1); [ $$? -eq 0 ] || [ $$? -eq 3 ]; then \
		echo go tool govulncheck ./...; go tool govulncheck ./...; \
	else echo "govulncheck was NOT run, its database cannot be reached:"; echo "  $$out" | tail -n 1; fi

bench: build ## the figures of speed and memory, with machine and load
	go run ./bench -verdict bin/verdict -benchtime $(BENCHTIME) -tools "$$($(MAKE) --no-print-directory -s -C test/peers where)"

bench-ci: build ## verdict ci beside gitleaks, osv-scanner and trivy: cost and findings (TREE=DIR for one more tree)
	$(MAKE) --no-print-directory -C test/peers scanners
	go build -o bin/bench-peers ./bench/peers
	bin/bench-peers -verdict bin/verdict -tools "$$($(MAKE) --no-print-directory -s -C test/peers where)" -tree '$(TREE)'

# Thirty of the targets each time, the next thirty the day after: five minutes in all.
# FUZZALL=1 runs every one of them.
fuzz: ## fuzz targets for FUZZTIME (10s) each, five minutes in all, others each day (FUZZALL=1: all)
	@set -- $(FUZZ); number=$$#; first=$$(( $$(date +%s) / 86400 * 30 % number )); n=0; \
	for target in "$$@" "$$@"; do \
		n=$$((n + 1)); \
		if [ -n "$(FUZZALL)" ]; then [ $$n -le $$number ] || break; \
		else [ $$n -gt $$first ] && [ $$n -le $$((first + 30)) ] || continue; fi; \
		echo "fuzz $$target for $(FUZZTIME)"; \
		go test -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) "$${target%%:*}" || exit 1; \
	done

test-peers: build ## the binary against cosign and other public tools (builds them once)
	$(MAKE) --no-print-directory -C test/peers VERDICT_BIN=$(CURDIR)/bin/verdict
	cd test/lockfiles && go test -count=1 ./...
	cd test/openapi && VERDICT_BIN=$(CURDIR)/bin/verdict go test -count=1 ./...

clean: ## remove what build made
	rm -rf bin
