package types

import "github.com/anser-im/anser/internal/im"

// Alone is a registry of the server's types and list, without a store: for tools. Put
// and Remove are not for it.
//
// The error says which type is wrong, and how.
func Alone(list ...im.MessageType) (*Registry, error) {
	s := &state{types: map[string]*entry{}}
	for _, e := range builtins(0) {
		s.types[e.t.Name] = e
	}
	for _, t := range list {
		e, err := newEntry(clone(t))
		if err != nil {
			return nil, im.Errorf(im.Invalid, "%s: %w", t.Name, err)
		}
		s.types[t.Name] = e
	}
	r := &Registry{locale: "en"}
	r.state.Store(s)
	return r, nil
}

// Validate holds a body to a type, an:text too, as the server does to others before a
// send.
//
// Errors: those of Registry.Check; Invalid if the type itself is wrong.
func Validate(t im.MessageType, body []byte) *im.Error {
	e, err := newEntry(clone(t))
	switch {
	case err != nil:
		return im.Errorf(im.Invalid, "%w", err)
	case t.MaxBytes > 0 && len(body) > t.MaxBytes:
		return im.Errorf(im.TooLarge, "the body is %d bytes long; at most %d are allowed for the type %s", len(body), t.MaxBytes, t.Name)
	case e.schema == nil:
		return nil
	}
	_, invalid := e.validate(body)
	return invalid
}
