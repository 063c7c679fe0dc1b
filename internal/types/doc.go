// Package types keeps the registry of message types: what an app calls a kind of
// message, what its body looks like, and what stands for it where it cannot be shown.
//
// A type has an object name (acme:card), default flags, a JSON Schema (2020-12) that
// bodies are held to, or none, and templates in several languages for its digest and
// its text of notifications. Types come with the server (an:text, an:image ...;
// builtin/), from files at the start (ReadDir), and at run time by Put. Those that are
// registered are kept in the store, with a version that grows with every change.
//
// Readers take no lock: they load the registry as it is and look there. Check, which
// is on the way of every message, does nothing more than that for a type without
// schema and templates, nor for an:text.
//
// # Templates
//
// A template is a line of text with fields of the body in braces:
//
//	{title}                        a field; {user.name} one within another, {photos.0.name} one of a list
//	{photos, plural, =0 {no photos} one {# photo} other {# photos}}
//	{state, select, open {is open} other {is closed}}
//
// A list stands for its length, an object and a missing field for nothing. plural
// takes a number and picks =N, else the form that the language has for it (zero, one,
// two, few, many; CLDR), else other; # is the number. select compares text. \{, \}, \#
// and \\ are the characters themselves.
package types
