# What a developer types. Everything is done by scripts/, so that it can be had
# without make, too.

.PHONY: build test soak fmt lint generate install bench clean

build: ## the program, as ./anser
	CGO_ENABLED=0 go build -trimpath -o anser ./cmd/anser

test: install ## everything that must hold; installs what it needs (as root, by apt)
	scripts/test.sh

soak: install ## the same tests for much longer: hours
	ANSER_SOAK=1 scripts/gotest.sh -timeout 6h ./...

lint: ## gofmt, vet, staticcheck
	scripts/check.sh

fmt:
	gofmt -w $$(git ls-files '*.go')

generate: ## what is made from the schema and from the comments of settings
	scripts/generate.sh
	go test ./wire -run Reference -update
	go generate ./...

install:
	@scripts/install.sh

bench: ## time and allocations of the hot functions; see docs/PERFORMANCE.md for the whole
	go test -run '^$$' -bench . -benchmem ./...

clean:
	rm -rf .bin anser
