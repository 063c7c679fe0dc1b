#!/bin/sh
# Installs the Debian packages that the tests need and that are missing. Needs root
# only when something is.
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
[ -n "$missing" ] || exit 0

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
