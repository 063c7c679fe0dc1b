// Package gate is the plumbing under all doors: listeners named by URLs, TLS, the
// PROXY protocol, the connections themselves (Link) with their writer (a few flushers
// for all of them), the deadline of silent peers, and the way to the end.
//
// A door accepts from a Listener. Until [Link.Queue] a Link is a plain net.Conn. From
// then on nothing that writes ever waits: the door calls [Link.Wake] when it has
// something to say, and at the connection's turn a flusher asks [Owner.Fill] for all of
// it and makes one non-blocking write. Only a connection that cannot take all of that at
// once gets a goroutine, until it has. So what was said to one connection by many leaves
// in one write.
//
// What comes is read by a [Reader] and handled by a few workers. A TCP connection that is
// quiet waits in an epoll of our own and needs neither goroutine nor buffer; a busy one
// has a goroutine that only reads, because the runtime wakes that with less ado.
//
// gate knows no protocol and decides nothing about users.
package gate
