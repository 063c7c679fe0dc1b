// Package rpc is the plumbing that doors share: the table of verbs, and the translation
// between the schema of package wire and the nouns of core.
//
// Every RPC of the schema has one row here, which is one method of core.Session. The
// native door looks a row up by REQ.method, the HTTP door by its path; both get the same
// answer and the same error. What a door has to itself (frames, headers, status codes)
// stays there.
//
// Requests are memory of their own: their strings and bytes may be kept by core. Answers
// share strings and bytes with core and the store, and are not to be altered.
package rpc
