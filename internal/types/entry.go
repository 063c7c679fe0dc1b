package types

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/anser-im/anser/internal/im"
)

// Bounds of a type.
const (
	maxName   = 64 // bytes of an object name
	maxSearch = 20 // fields that are searched
	reserved  = "an:"
)

// entry is a type, ready for use. It is never altered.
type entry struct {
	t      im.MessageType // shared with readers: not to be altered
	file   bool           // it came from a file
	schema *jsonschema.Schema
	cost   int // looks of schema at one value of a body
	digest texts
	push   texts
	title  texts
	search [][]string
	notice func(body any, chinese bool) string // digest of what the server says; nil = by template
	light  bool                                // nothing to look at before a send but who sends it and how large it is
}

// typeError is what is wrong with a type, and under which key of its file.
type typeError struct {
	key string // name, flags, schema, digest ...
	err error
}

func (e *typeError) Error() string { return e.key + ": " + e.err.Error() }
func (e *typeError) Unwrap() error { return e.err }

// newEntry makes t ready. What it points to is the entry's from now on.
//
// The error is a *typeError.
func newEntry(t im.MessageType) (*entry, error) {
	e := &entry{t: t}
	bad := func(key string, err error) (*entry, error) { return nil, &typeError{key, err} }
	if err := checkName(t.Name); err != nil {
		return bad("name", err)
	}
	flags, err := t.Flags.Check()
	if err != nil {
		return bad("flags", err)
	}
	e.t.Flags = flags
	if t.MaxBytes < 0 {
		return bad("max_bytes", errors.New("is below 0; 0 is the server's limit"))
	}
	if len(t.Schema) == 0 {
		e.t.Schema = nil
	} else if e.schema, e.cost, err = compile(t.Schema); err != nil {
		return bad("schema", err)
	} else {
		e.t.Schema = compact(t.Schema)
	}
	if e.digest, err = parseTexts(t.Digest); err != nil {
		return bad("digest", err)
	}
	if e.push, err = parseTexts(t.Push); err != nil {
		return bad("push", err)
	}
	if e.title, err = parseTexts(t.Title); err != nil {
		return bad("title", err)
	}
	if len(t.Search) > maxSearch {
		return bad("search", fmt.Errorf("names %d fields; at most %d are allowed", len(t.Search), maxSearch))
	}
	for _, p := range t.Search {
		path, err := unescape(p)
		if err != nil || len(path) == 0 {
			return bad("search", fmt.Errorf("%q is no JSON pointer: /title and /author/name are", clip(p, 40)))
		}
		e.search = append(e.search, path)
	}
	e.light = e.schema == nil && len(e.digest.by) == 0 && len(e.push.by) == 0
	return e, nil
}

// checkName looks at an object name: 1-64 printable ASCII characters.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is missing: a type has a name like acme:card")
	case len(name) > maxName:
		return fmt.Errorf("is %d bytes long; at most %d are allowed", len(name), maxName)
	}
	for _, r := range name {
		if r <= ' ' || r > '~' {
			return fmt.Errorf("%q holds a character that is not printable ASCII", clip(name, 40))
		}
	}
	return nil
}

// clone makes a type that shares nothing with t.
func clone(t im.MessageType) im.MessageType {
	t.Schema = bytes.Clone(t.Schema)
	t.Digest, t.Push, t.Title = maps.Clone(t.Digest), maps.Clone(t.Push), maps.Clone(t.Title)
	t.Search = slices.Clone(t.Search)
	return t
}

// same says whether two types differ in nothing but their version.
func same(a, b im.MessageType) bool {
	return a.Name == b.Name && a.Flags == b.Flags && a.MaxBytes == b.MaxBytes && a.Clients == b.Clients && a.Built == b.Built &&
		bytes.Equal(a.Schema, b.Schema) && maps.Equal(a.Digest, b.Digest) && maps.Equal(a.Push, b.Push) &&
		maps.Equal(a.Title, b.Title) && slices.Equal(a.Search, b.Search)
}
