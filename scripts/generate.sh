#!/bin/sh
# Makes wire/*.pb.go again from wire/anser.proto. The same versions give the same
# bytes: buf's is named here, the plugins' stand in tools/go.mod. To check that the
# committed code is what the schema says:
#
#	scripts/generate.sh && git diff --exit-code -- wire
set -eu
cd "$(dirname "$0")/.."

# npm carries buf as a binary, one package for each platform, each pinned by the
# exact version of the package above it. So there is no lock file: npm would write
# one that knows only the platforms it was made on.
version=1.75.0
buf=.bin/npm/node_modules/.bin/buf
if [ "$("$buf" --version 2>/dev/null || true)" != "$version" ]; then
	mkdir -p .bin/npm
	npm install --prefix .bin/npm --no-save --no-package-lock --ignore-scripts \
		--no-audit --no-fund "@bufbuild/buf@$version" >&2
fi

(cd tools && GOFLAGS=-mod=readonly go build -o ../.bin/ \
	google.golang.org/protobuf/cmd/protoc-gen-go \
	github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto \
	connectrpc.com/connect/v2/cmd/protoc-gen-connect-go)

"$buf" lint
"$buf" generate
