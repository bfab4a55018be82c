# The same words are called by .ci/run.

PG    := go run ./tools/withpostgres
TOOL  := go tool -modfile=tools/lint/go.mod
# How long each fuzz target is fuzzed, flags of bench, which benchmarks of packages run, and for which systems a release is built.
FUZZTIME  ?= 30s
BENCH     ?=
GOBENCH   ?= .
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64

.PHONY: help run demo test race fuzz bench gobench lint tidy emptyroot nightly release

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## serve on 127.0.0.1:8000 with an embedded SQLite file in ./data
	go run ./cmd/xyra

demo: ## bill a real month: 19,366 requests of a language model, one invoice, then a server to look around in
	go run ./cmd/xyra demo

test: ## all tests on SQLite and on a private PostgreSQL that is found or installed
	$(PG) go test -timeout 15m ./...

race: need-cc ## all tests on PostgreSQL, and those of concurrency on SQLite, under the race detector
	CGO_ENABLED=1 $(PG) sh -ec 'XYRA_TEST_ONLY_POSTGRES=1 go test -race -timeout 20m ./...; go test -race -timeout 20m -run Concurren ./...'

fuzz: ## every fuzz target for FUZZTIME (30s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "== $$target of $$(dirname "$$file")"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" || exit 1; \
		done; \
	done

bench: ## what recording and reading cost beside their rivals, on both databases; ten minutes (BENCH=flags, see docs/benchmarks.md)
	$(PG) go run ./bench $(BENCH)

gobench: ## every benchmark of the packages, with allocations (GOBENCH=name for some)
	$(PG) go test -run '^$$' -bench '$(GOBENCH)' -benchmem -timeout 60m ./...

lint: ## gofmt, vet, staticcheck, gosec and five smaller linters; modules verified and tidy
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w is due for: $$unformatted"; exit 1; }
	go vet ./...
	$(TOOL) staticcheck ./...
	go -C tools/lint run ./gosec ../..
	$(TOOL) errcheck -ignoretests -exclude tools/lint/errcheck.txt ./...
	$(TOOL) bodyclose ./...
	$(TOOL) sqlclosecheck ./...
	$(TOOL) rowserrcheck ./...
	git ls-files -z '*.go' '*.md' '*.sql' Makefile | xargs -0 $(TOOL) misspell -error
	go mod verify
	go mod tidy -diff
	go -C tools/lint mod verify

tidy: ## the rules of this house: import rings, no floats near money, sizes, names (tidy_*_test.go)
	go test -count=1 -run '^TestTidy' .

emptyroot: ## the static binary as the container runs it: empty read-only root, user without rights (Linux, root)
	$$(test "$$(id -u)" = 0 || echo sudo) tools/empty-root.sh

nightly: need-cc ## what takes hours: everything above, the long form of the promises, and fuzzing at length
	$(MAKE) lint test race emptyroot
	XYRA_TEST_LONG=1 $(PG) go test -p 1 -timeout 6h ./... # one after the other: attacks measure latency and take most connections
	$(MAKE) fuzz FUZZTIME=10m

release: ## static binaries for every platform, with checksums, in ./bin
	@mkdir -p bin && rm -f bin/xyra-*
	@for platform in $(PLATFORMS); do \
		os=$${platform%/*}; arch=$${platform#*/}; suffix=; test $$os != windows || suffix=.exe; \
		echo "bin/xyra-$$os-$$arch$$suffix"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags '-s -w' -o "bin/xyra-$$os-$$arch$$suffix" ./cmd/xyra || exit 1; \
	done
	cd bin && sha256sum xyra-* > xyra-SHA256SUMS

.PHONY: need-cc
need-cc:
	@command -v "$${CC:-cc}" >/dev/null || command -v gcc >/dev/null || { \
		echo 'make race: the race detector needs a C compiler: install gcc (apt-get install gcc libc6-dev)'; exit 1; }
