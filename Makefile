# What a person or CI does with this repository. `make` lists it.

# Each target's own line says what it does; help prints those lines.
.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Built and then exec'd, for `go run` does not pass SIGTERM on.
.PHONY: run
run: ## Run the proxy, three sample backends and a little traffic; Ctrl-C ends all
	@go build -o bin/dev ./scripts/dev
	@exec bin/dev

.PHONY: build
build: ## Build both programs, static, into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: test
test: ## Run all tests, under the race detector where it works
	@scripts/test

.PHONY: check
check: ## Look for faults without running anything: format, vet, imports, modules
	@scripts/check

.PHONY: cover
cover: ## Measure test coverage and hold it to its minimum
	@scripts/cover

.PHONY: fuzz
fuzz: export FUZZTIME ?= 60s
fuzz: ## Fuzz every target for FUZZTIME each (60s)
	@scripts/fuzz

.PHONY: e2e
e2e: ## Show the README's promises from outside, in process, with real binaries and in containers (Docker)
	@scripts/e2e

.PHONY: e2e-nethttp
e2e-nethttp: ## Show the same in the plane nethttp, in process
	@E2E_PLANES=nethttp scripts/test -count=1 -timeout=10m ./e2e

.PHONY: e2e-breaks
e2e-breaks: ## Break the promises one by one: exactly their tests must turn red (ONLY=name,name)
	@go run ./e2e/breaks $(if $(ONLY),-only '$(ONLY)')

.PHONY: soak
soak: export SOAK ?= 5m
soak: ## Random faults over containers for SOAK (5m); SOAK_SEED replays a run
	@E2E_MODES=containers go test -count=1 -timeout=0 -v -run '^TestSoak$$' ./e2e

.PHONY: bench
bench: ## Measure what the hot path costs: Go benchmarks, then hey's scenarios
	@scripts/bench

.PHONY: bench-compare
bench-compare: ## Compare the benchmarks with those of the commit BASE, run in turns
	@scripts/bench-compare

.PHONY: bench-peers
bench-peers: ## Measure beside nginx, HAProxy and Caddy, as far as installed, and write bench/RESULTS.md
	@scripts/bench-peers

.PHONY: bench-smoke
bench-smoke: ## Try all that measures, in a minute; only allocations and errors can fail it
	@scripts/bench-smoke

.PHONY: pgo
pgo: ## Take a new profile for the build of reverse_proxy
	@scripts/pgo
