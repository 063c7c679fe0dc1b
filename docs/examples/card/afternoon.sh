#!/bin/sh
# An app developer's afternoon: a server, an app key, a message type of one's own from a
# file, sent by curl, and seen by a Go client as a value, by nc and in the list of
# conversations as its digest; refused, with the field's name, when the body is wrong.
#
#	docs/examples/card/afternoon.sh [anser]    needs Go, curl and nc
set -eu
cd "$(dirname "$0")/../../.."
work=$(mktemp -d) server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

anser=${1:-$work/anser}
[ -x "$anser" ] || go build -o "$anser" ./cmd/anser
go build -o "$work/card" ./docs/examples/card

say "1. Start the server."
LC_ALL=C "$anser" serve --data "$work/data" --admin http://127.0.0.1:0 \
	--listen http://127.0.0.1:0,tcp://127.0.0.1:0,line://127.0.0.1:0 >"$work/out" 2>"$work/log" &
server=$!
until grep -q 'anser token' "$work/out"; do
	kill -0 $server 2>/dev/null || { cat "$work/out" "$work/log"; exit 1; }
	sleep 0.1
done
cat "$work/out"
listener() { grep -o "^$1://[0-9.:]*" "$work/out" | head -n 1; }
http=$(listener http) tcp=$(listener tcp) line=$(listener line)
bob=$("$anser" token bob --data "$work/data")

say "2. Make an app key: it may do everything, as anybody. It is shown once."
key=$("$anser" key create shop --data "$work/data" | grep -o 'ank_[A-Za-z0-9]*' | head -n 1)
[ -n "$key" ]

# post VERB BODY: as alice, with the app key.
post() {
	curl -sS "$http/anser.v1.$1" -H "Authorization: Bearer $key" -H 'Anser-As: alice' \
		-H 'Content-Type: application/json' -d "$2"
	echo
}

say "3. Register the type acme:card from its file."
"$anser" types put docs/examples/card/card.yaml --server "$http" --key "$key"

say "4. Bob waits, with a Go client that knows the type."
ANSER_TOKEN=$bob "$work/card" "$tcp" 1 >"$work/seen" 2>&1 &
client=$!

say "5. Send a card by curl."
post MessageService/Send '{"id": "card-1", "conv": "u/bob", "type": "acme:card", "body": {"title": "Goose", "count": 2}}' | tee "$work/sent"
grep -q '"seq"' "$work/sent"

say "6. The Go client has it, as a value."
wait $client
cat "$work/seen"
grep -q 'a card: 2 x "Goose"' "$work/seen"

say "7. In nc it is its digest."
{ printf 'LOGIN %s\n' "$bob"; printf 'HISTORY u/alice\nQUIT\n'; } | nc -N "$(echo "$line" | cut -d/ -f3 | cut -d: -f1)" "$(echo "$line" | cut -d: -f3)" | tee "$work/nc"
grep -q '\[Card\] Goose, 2 pieces' "$work/nc"

say "8. In bob's list of conversations too, in his language."
curl -sS "$http/anser.v1.ConversationService/Conversations" -H "Authorization: Bearer $bob" \
	-H 'Accept-Language: zh-CN' -H 'Content-Type: application/json' -d '{}' | tee "$work/list"
echo
grep -q '"digest": *"\[卡片\] Goose，2 件"' "$work/list"

say "9. A body that breaks the schema is refused, and the field is named."
post MessageService/Send '{"id": "card-2", "conv": "u/bob", "type": "acme:card", "body": {"title": "Goose", "count": 0}}' | tee "$work/refused"
grep -q '/count' "$work/refused"

say "Done."
