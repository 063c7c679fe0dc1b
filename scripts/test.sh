#!/bin/sh
# Everything that must hold before a change is taken. Prints each step with its time.
set -eu
cd "$(dirname "$0")/.."

step() {
	begin=$(date +%s)
	echo "== $1"
	shift
	"$@"
	echo "== $(($(date +%s) - begin)) s"
}

# The committed code of wire is what the schema says. Only the generated files are
# looked at, so that this also runs with work in progress.
generated() {
	before=$(cat wire/*.pb.go | sha256sum)
	scripts/generate.sh
	if [ "$before" != "$(cat wire/*.pb.go | sha256sum)" ]; then
		echo "wire/*.pb.go are not what wire/anser.proto says; they are now: commit them"
		return 1
	fi
}

step "format, vet, staticcheck" scripts/check.sh
step "generated code" generated
step "tests" scripts/gotest.sh -timeout 20m ./...
if [ -f bench/go.mod ]; then
	step "tests of bench" sh -c 'cd bench && ../.bin/gotest -race ./...'
fi
