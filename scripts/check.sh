#!/bin/sh
# Checks the code without running it: gofmt, go vet and staticcheck, in the main module
# and in bench/. Prints what is wrong and ends with status 1.
set -eu
cd "$(dirname "$0")/.."

bad=$(git ls-files --cached --others --exclude-standard '*.go' | while read -r f; do
	[ ! -f "$f" ] || echo "$f"
done | xargs gofmt -l)
if [ -n "$bad" ]; then
	echo "not formatted (make fmt):"
	echo "$bad"
	exit 1
fi

(cd tools && GOFLAGS=-mod=readonly go build -o ../.bin/ honnef.co/go/tools/cmd/staticcheck)
for module in . bench; do
	[ -f "$module/go.mod" ] || continue
	(cd "$module" && go vet ./...)
	(cd "$module" && "$OLDPWD/.bin/staticcheck" ./...)
done
