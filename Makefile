# What a person or CI does with this repository. `make` lists it.

# Each target's own line says what it does; help prints those lines.
.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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
