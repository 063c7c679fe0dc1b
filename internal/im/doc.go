// Package im holds the nouns of Anser: identifiers, addresses, messages, flags,
// limits and the twelve kinds of error. Every room of the house may import it; it
// imports none of them, and it knows no protocol and no store.
package im
