#!/bin/sh
# Installs what the tests need and what is missing: Debian packages, for which it needs
# to be root, and the TypeScript compiler, by its exact version, under .bin.
set -eu

# command:package
needed="
curl:curl
git:git
ip:iproute2
iptables:iptables
nc:netcat-openbsd
node:nodejs
npm:npm
openssl:openssl
python3:python3
strace:strace
tmux:tmux
"

missing=
for pair in $needed; do
	command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
# gRPC of another language, of the Python that Debian has.
/usr/bin/python3 -c "import grpc" 2>/dev/null || missing="$missing python3-grpcio"

# npm carries the compiler as a binary, one package for each platform, each pinned by
# the exact version of the package above it: no lock file, as for buf in generate.sh.
typescript() {
	version=7.0.2
	dir=$(dirname "$0")/../.bin/npm-typescript
	if [ "$("$dir/node_modules/.bin/tsc" --version 2>/dev/null || true)" != "Version $version" ]; then
		mkdir -p "$dir"
		npm install --prefix "$dir" --no-save --no-package-lock --ignore-scripts \
			--no-audit --no-fund "typescript@$version" >&2
	fi
}

if [ -z "$missing" ]; then
	typescript
	exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
	echo "install.sh: this is no Debian; the tests need:$missing" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "install.sh: run as root: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -qq -y --no-install-recommends $missing >/dev/null
typescript
