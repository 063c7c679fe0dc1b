// Package gate is the plumbing under all doors: listeners named by URLs, TLS, the
// PROXY protocol, the connections themselves (Link) with their writer (a few flushers
// for all of them), the deadline of silent peers, and the way to the end.
//
// A door accepts from a Listener and starts a goroutine of its own for each
// connection, which reads. Until [Link.Queue] a Link is a plain net.Conn. From then on
// nothing that writes ever waits: the door calls [Link.Wake] when it has something to
// say, and at the connection's turn a flusher asks [Owner.Fill] for all of it and
// makes one non-blocking write. Only a connection that cannot take all of that at once
// gets a goroutine, until it has. So thousands of idle connections cost one small
// goroutine each, and what was said to one connection by many leaves in one write.
//
// gate knows no protocol and decides nothing about users.
package gate
