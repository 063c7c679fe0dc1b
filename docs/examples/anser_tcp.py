#!/usr/bin/env python3
"""A small client in Python: the binary protocol over TCP, written from docs/PROTOCOL.md
alone, without a library. It shows what a client has to do, not all that it could.

    anser token alice | python3 anser_tcp.py 127.0.0.1 7301

The first line of standard input is the token. Each line after it, "u/bob hello", is
sent; what comes is printed: "u/alice 7 alice hello". The end of the input ends it.
"""
import json
import os
import socket
import sys
import threading
import time

PING, PONG, HELLO, WELCOME, REQ, RES, SEND, SENDACK, PUSH, ACK, SIGNAL, GOAWAY = range(1, 13)


# Protobuf, as far as the protocol needs it. A message is a dict of field number to
# value: int for varints, str and bytes for what has a length, dict for a message.

def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def encode(fields):
    out = bytearray()
    for number, value in fields.items():
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
            continue
        if isinstance(value, dict):
            value = encode(value)
        elif isinstance(value, str):
            value = value.encode()
        out += varint(number << 3 | 2) + varint(len(value)) + value
    return bytes(out)


def read_varint(b, i):
    n = shift = 0
    while True:
        n |= (b[i] & 0x7F) << shift
        shift += 7
        i += 1
        if b[i - 1] < 0x80:
            return n, i


def decode(b):
    """Gives {number: [values]}. Fields that nobody asks for are passed over by nobody
    asking: that is all that "unknown fields are ignored" takes."""
    fields, i = {}, 0
    while i < len(b):
        tag, i = read_varint(b, i)
        kind = tag & 7
        if kind == 0:
            value, i = read_varint(b, i)
        elif kind == 2:
            size, i = read_varint(b, i)
            value, i = b[i:i + size], i + size
        else:  # fixed: 8 bytes or 4
            size = 8 if kind == 1 else 4
            value, i = b[i:i + size], i + size
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def get(fields, number, default=b""):
    return fields[number][-1] if number in fields else default


def text(fields, number):
    return get(fields, number).decode()


class Client:
    def __init__(self, host, port, token, device="python"):
        self.sock = socket.create_connection((host, port), timeout=10)
        self.sock.settimeout(None)  # beats find a dead link
        self.stream = self.sock.makefile("rb")
        self.lock = threading.Lock()  # frames are written whole
        self.request = 0
        self.missed = 0  # beats without a frame since
        self.held = {}    # address -> numbers that are covered
        self.unsent = {}  # client id -> fields of the Send, until its SendAck
        self.answered = threading.Condition()
        self.write(HELLO, {1: 1, 2: token, 4: {1: device, 2: "bot", 4: "example/1"}, 8: 30})
        kind, welcome = self.read()
        if kind == GOAWAY:
            raise SystemExit(f"refused: {text(welcome, 3)} ({get(welcome, 2, 0)})")
        self.user = text(welcome, 13)
        print(f"* signed in as {self.user}, epoch {text(welcome, 2)}", flush=True)
        self.call("Sync", {3: 20})  # a client that keeps things sends its token here

    def write(self, kind, fields):
        body = encode(fields)
        with self.lock:
            self.sock.sendall(bytes([kind]) + varint(len(body)) + body)

    def read(self):
        """The next frame. Neither fragments nor compression: HELLO offered none."""
        first = self.stream.read(1)
        if not first:
            raise EOFError
        size, shift = 0, 0
        while True:
            c = self.stream.read(1)[0]
            size |= (c & 0x7F) << shift
            shift += 7
            if c < 0x80:
                break
        return first[0] & 0x0F, decode(self.stream.read(size))

    def call(self, method, body):
        self.request += 1
        self.write(REQ, {1: self.request, 2: method, 3: encode(body)})

    def send(self, conv, words):
        name = os.urandom(16).hex()
        fields = {1: name, 2: conv, 3: "an:text", 5: json.dumps({"content": words})}
        with self.answered:
            self.unsent[name] = fields
        self.write(SEND, fields)

    def run(self):
        """Takes frames until the link ends."""
        while True:
            try:
                kind, fields = self.read()
            except (EOFError, OSError):
                return
            self.missed = 0
            if kind == SENDACK:
                self.acknowledged(fields)
            elif kind == PUSH:
                for event in map(decode, fields.get(2, [])):
                    self.event(text(event, 1), event)
                self.write(ACK, {1: get(fields, 1, 0)})
            elif kind == RES:
                if get(fields, 2, 0):
                    print(f"* refused: {text(fields, 3)} ({get(fields, 2, 0)})", flush=True)
                else:
                    self.synced(decode(get(fields, 5)))
            elif kind == GOAWAY:
                print(f"* goodbye: {text(fields, 1)} ({get(fields, 2, 0)})", flush=True)
                return

    def beat(self):
        """A beat each 30 s, as announced; at the second that nothing answers the link is
        dead. (The document has shorter times for the second.)"""
        while self.missed < 2:
            self.missed += 1
            self.write(PING, {})
            time.sleep(30)
        self.sock.shutdown(socket.SHUT_RDWR)

    def acknowledged(self, fields):
        name, code = text(fields, 1), get(fields, 6, 0)
        with self.answered:
            fields_sent = self.unsent[name]
            if 5000 <= code < 7000:  # again, under the same id, after a while
                threading.Timer(get(fields, 8, 500) / 1000, self.write, (SEND, fields_sent)).start()
                return
            del self.unsent[name]
            self.answered.notify_all()
        conv, seq = text(fields, 2), get(fields, 3, 0)
        if code:
            print(f"* not sent to {conv}: {text(fields, 7)} ({code})", flush=True)
        else:
            self.held.setdefault(conv, set()).add(seq)
            print(f"* sent {conv} {seq}", flush=True)

    def synced(self, answer):
        for conversation in map(decode, answer.get(3, [])):
            conv = text(conversation, 1)
            page = decode(get(conversation, 6))
            for message in map(decode, page.get(3, [])):
                self.message(conv, message)
            self.held.setdefault(conv, set()).update(range(get(page, 1, 1), get(page, 2, 0) + 1))

    def event(self, conv, event):
        if 3 in event:
            self.message(conv, decode(get(event, 3)))
        elif get(event, 4, 0):  # settled, and not for us
            self.held.setdefault(conv, set()).add(get(event, 2, 0))
        elif get(event, 8, 0):
            self.call("Sync", {3: 20})

    def message(self, conv, message):
        seq = get(message, 1, 0)
        held = self.held.setdefault(conv, set())
        if seq in held:
            return  # a number comes once
        if seq:
            held.add(seq)
        if not get(message, 10, 0):
            return  # a command is not shown
        if text(message, 9) == "an:text":
            words = json.loads(get(message, 11)).get("content", "")
        else:
            words = text(message, 12) or f"[{text(message, 9)}]"
        print(f"{conv} {seq} {text(message, 7)} {words}", flush=True)

    def settle(self):
        """Waits until everything that was sent has its answer."""
        with self.answered:
            return self.answered.wait_for(lambda: not self.unsent, timeout=30)


def main():
    token = sys.stdin.readline().strip()
    client = Client(sys.argv[1], int(sys.argv[2]), token)
    threading.Thread(target=client.run, daemon=True).start()
    threading.Thread(target=client.beat, daemon=True).start()
    for line in sys.stdin:
        conv, _, words = line.rstrip("\n").partition(" ")
        client.send(conv, words)
    if not client.settle():
        raise SystemExit("no answer")


if __name__ == "__main__":
    main()
