// Package native is the door of Anser's own protocol: frames of package wire over TCP,
// TLS and WebSocket, in protobuf and in JSON. docs/PROTOCOL.md says what the frames
// mean; here each becomes one call of core, and each event of core a frame.
//
// What a connection says is taken frame by frame (conn.go, wsin.go). HELLO signs it in (hello.go). A
// SEND is queued in core and answered from its completion (send.go); a REQ is carried
// out by one of a few workers of its connection (req.go); what the user is told is
// taken from core when the link's turn to write comes (push.go). Nothing that writes
// waits: see package gate.
package native
