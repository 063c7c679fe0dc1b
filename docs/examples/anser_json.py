#!/usr/bin/env python3
"""The JSON protocol over WebSocket, from docs/PROTOCOL.md alone, without a library: half
of this is WebSocket itself (RFC 6455), which browsers and most languages bring along.

    anser token bob | python3 anser_json.py 127.0.0.1 7300

The first line of standard input is the token; each line after it is a frame that is
sent as it is. Every frame that comes is printed on a line of its own. PUSH is
acknowledged. The end of the input ends it.
"""
import base64
import json
import os
import socket
import sys
import threading


class WebSocket:
    def __init__(self, host, port, path, protocol):
        self.sock = socket.create_connection((host, port), timeout=10)
        self.sock.settimeout(None)
        self.stream = self.sock.makefile("rb")
        self.lock = threading.Lock()
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall((
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n").encode())
        status = self.stream.readline().decode().strip()
        headers = {}
        while line := self.stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if " 101 " not in status + " " or headers.get("sec-websocket-protocol") != protocol:
            raise SystemExit(f"no WebSocket: {status} {headers}")

    def send(self, payload, opcode=1):
        size, mask = len(payload), os.urandom(4)
        if size < 126:
            head = bytes([0x80 | opcode, 0x80 | size])
        elif size < 1 << 16:
            head = bytes([0x80 | opcode, 0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 0x80 | 127]) + size.to_bytes(8, "big")
        with self.lock:
            self.sock.sendall(head + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload)))

    def receive(self):
        """The next message, put together; None at the end."""
        whole = b""
        while True:
            head = self.stream.read(2)
            if len(head) < 2:
                return None
            size = head[1] & 0x7F
            if size > 125:
                size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
            payload, opcode = self.stream.read(size), head[0] & 0x0F
            if opcode == 8:
                return None
            if opcode == 9:
                self.send(payload, 10)
                continue
            if opcode == 10:
                continue
            whole += payload
            if head[0] & 0x80:
                return whole


def frames(message):
    """A message holds a frame, or an array of them."""
    value = json.loads(message)
    return value if isinstance(value, list) else [value]


def main():
    token = sys.stdin.readline().strip()
    ws = WebSocket(sys.argv[1], int(sys.argv[2]), "/v1/ws", "anser.v1.json")

    def write(frame):
        ws.send(json.dumps(frame).encode())

    write({"t": "hello", "version": 1, "token": token, "device": {"id": "python-json", "class": "bot"}, "next_s": 30})
    ended = threading.Event()

    def run():
        while message := ws.receive():
            for frame in frames(message):
                if frame["t"] == "push":
                    write({"t": "ack", "push": frame["number"]})
                print(json.dumps(frame, ensure_ascii=False), flush=True)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    for line in sys.stdin:
        if ended.is_set():
            break
        ws.send(line.strip().encode())


if __name__ == "__main__":
    main()
