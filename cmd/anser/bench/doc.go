// Package bench is the load tool of anser: it drives a server from outside, through
// package wire, and measures what arrives, how fast, and what it cost.
//
//	anser bench pairs     users talk in pairs
//	anser bench fanout    one user talks to a group
//	anser bench idle      connections that only beat
//	anser bench offline   an absent user comes back to many messages
//	anser bench store     the store alone
//
// [Cmd] is the part of a kong command line; its commands take a [context.Context]
// and an [*Env] from kong's bindings. Every bench checks as it counts: each message
// carries who sent it and which one it is, so a lost, doubled or reordered one is
// seen, each at each receiver, and ends the bench with [ErrUnsound] (status 1).
//
// # How the load is made
//
// The tool shares its machine with the server, so it must be cheap. A connection is
// one goroutine, parked in the poller without a buffer. When bytes come it borrows
// one, reads once, looks only at the fields it needs, and answers with one write:
// what the window has room for and the acknowledgement of what was pushed. Nothing is
// allocated per message. Latencies go into histograms with logarithmic buckets.
//
// With a rate the load is open: messages fall due by the clock, however slow the
// answers are, and latency counts from the moment a message was due.
package bench
