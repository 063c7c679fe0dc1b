#!/usr/bin/env python3
"""A backend in Python over gRPC (Debian: python3-grpcio): sends a message for a user
with an app key, reads it back as the other, and shows what a refusal looks like.

    ANSER=127.0.0.1:7300 KEY=$(anser key create backend) python3 anser_grpc.py

With grpcio-tools you would generate messages and stubs from wire/anser.proto; to need
nothing but grpcio, the few messages here are written by the codec of anser_tcp.py.
"""
import os
import sys

import grpc

from anser_tcp import decode, encode, get, text

channel = grpc.insecure_channel(os.environ["ANSER"])


def call(verb, user, fields):
    """Calls a verb for a user; fields by their numbers in the schema."""
    rpc = channel.unary_unary(f"/anser.v1.{verb}", encode, decode)
    return rpc(fields, timeout=10, metadata=[("authorization", "Bearer " + os.environ["KEY"]), ("anser-as", user)])


sent = call("MessageService/Send", "alice", {1: "order-7", 2: "u/bob", 5: '{"content":"your order"}'})
print("sent as number", get(sent, 2, 0))

page = decode(get(call("MessageService/Page", "bob", {1: "u/alice"}), 1))
for raw in page.get(3, []):
    message = decode(raw)
    print("read", get(message, 1, 0), text(message, 7), text(message, 11))

try:
    call("MessageService/Page", "alice", {1: "g/nothere"})
except grpc.RpcError as e:
    number = dict(e.initial_metadata() or ()).get("anser-code") or dict(e.trailing_metadata() or ()).get("anser-code")
    print("refused", e.code().name, number, e.details())
channel.close()
sys.exit(0)
