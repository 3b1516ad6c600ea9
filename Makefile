# What a developer types. The gate is .ci/run, whose steps can also be run alone: .ci/run lint length
.DEFAULT_GOAL := help
FUZZTIME ?= 10s
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -X github.com/asyncmsglib/msgq/pkg/msgq.Version=$(VERSION)
COMPOSE  := MSGQ_VERSION=$(VERSION) docker compose -f deploy/docker-compose.yml

.PHONY: help
help: ## show this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the services and the command line into ./bin
	go build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./cmd/... ./services/publish ./services/subscribe

.PHONY: test
test: ## all tests
	./run_all.sh test

.PHONY: test-unit
test-unit: ## the tests of the packages alone, no Docker, no browser
	go test -race ./pkg/... ./services/... ./cmd/...

.PHONY: test-e2e
test-e2e: ## the tests of the whole: services, containers, faults, browser
	go test -count=1 ./tests/...

.PHONY: lint
lint: ## formatting, vet, golangci-lint (pinned, installed into ./bin), shellcheck, length of files
	.ci/run gofmt vet lint shellcheck length

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s)
	FUZZTIME=$(FUZZTIME) .ci/run fuzz

.PHONY: bench
bench: ## benchmarks of the packages
	go test -run '^$$' -bench . -benchmem ./pkg/... ./services/...

.PHONY: bench-publish
bench-publish: build ## the publish service under wrk: messages/s, latency, memory; about 3 minutes
	cd bench && go run ./publish -service ../bin/publish

.PHONY: bench-fanout
bench-fanout: ## live delivery to thousands of WebSocket clients; about 12 minutes, FANOUT='-only burst,paced' for less
	cd bench && go run ./fanout $(FANOUT)

.PHONY: up
up: ## start broker and services with Docker Compose; ends with Ctrl-C
	$(COMPOSE) up --build

.PHONY: docker
docker: ## build the images of both services
	$(COMPOSE) build

.PHONY: ci
ci: ## everything that has to pass before a change lands
	.ci/run

.PHONY: clean
clean: ## remove what was built, and the data of a local run
	rm -rf bin .msgq
