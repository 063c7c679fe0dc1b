// Package line is the door for people with a terminal and nothing else: one line of
// text is one command, one line is one message. nc host 7302, or openssl s_client
// where the listener has TLS. docs/PROTOCOL.md, "The line protocol", has it all.
//
//   - Anser line 1. Type LOGIN <token>, HELP or QUIT
//     LOGIN eyJ...
//     +OK alice/line, 1 unread: u/bob 1
//     <bob> are you there?
//     SEND bob yes
//     +OK u/bob#2
//
// Answers begin with +OK or -ERR and a number, news with * or <. The server keeps how
// far a device has been shown each conversation (core.Login.Cursors).
package line
