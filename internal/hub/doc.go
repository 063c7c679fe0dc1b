// Package hub knows who is online on this node: sessions by user, what each is to be
// told (a bounded outbox), what it was told and has not acknowledged (a window), and
// in which conversations it is behind because there was no room. It holds no
// rule and reads no store: core offers events and feeds those who are behind.
package hub
