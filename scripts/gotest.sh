#!/bin/sh
# Runs go test -race with the given arguments; fails for skipped tests, too.
set -eu
cd "$(dirname "$0")/.."
(cd scripts/gotest && go build -o ../../.bin/gotest .)
exec .bin/gotest -race "$@"
