// Package faults holds tests that run the real program and do to it what happens to
// servers: kill -9, a stop, a full disk, a failing sync, readers that do not read.
// What it sees it sees from outside, as a client: it shares no code with any store.
package faults
