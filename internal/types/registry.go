package types

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// maxTypes is how many types an app may have, besides those of the server.
const maxTypes = 1000

// Config says how a registry behaves. The zero value works.
type Config struct {
	Closed bool   // types that are not registered are refused; default: they pass
	Locale string // the language of digests where nobody asked for one; "" = en
	Files  []File // types from files, as ReadDir gives them; nil = none. Those that came from files before and are not among them go
}

// Store is what the registry needs of a store.
type Store interface {
	List(k store.RecordKind, u im.UserID, after string, limit int) ([]store.Record, error)
	Submit(op store.Op) error
}

// Registry is one app's message types. Its methods may be called from any goroutine.
type Registry struct {
	closed bool
	locale string
	st     Store
	state  atomic.Pointer[state] // readers load it and look; it is never altered
	turn   chan struct{}         // holds one while somebody writes
}

// state is the registry at one version.
type state struct {
	types   map[string]*entry
	version int64
	custom  int    // types that are not the server's
	mark    record // what the store's mark holds
}

// Open loads the types of an app, brings those of the server and of files in, and
// keeps in st what is different.
//
// Errors: those of the store; Internal if a record cannot be read.
func Open(ctx context.Context, st Store, cfg Config) (*Registry, error) {
	r := &Registry{closed: cfg.Closed, locale: cmp.Or(cfg.Locale, "en"), st: st, turn: make(chan struct{}, 1)}
	s, err := load(st)
	if err != nil {
		return nil, err
	}
	if err := r.begin(ctx, s, cfg.Files); err != nil {
		return nil, err
	}
	return r, nil
}

// begin takes the loaded types, the server's and those of files together.
func (r *Registry) begin(ctx context.Context, s *state, files []File) error {
	var changed []store.Record
	version := s.version + 1 // of what is different now
	fresh := func(name string, value []byte) {
		changed = append(changed, store.Record{Kind: store.TypeRecord, Key: name, Value: value})
	}
	_, sum := builtin()
	other := s.mark.Built != sum // the server's own are different from those of last time
	if other {
		s.mark.Built, s.mark.BuiltVersion = sum, version
	}
	named := map[string]bool{}
	for _, f := range files {
		e, err := newEntry(clone(f.Type))
		if err != nil {
			return im.Errorf(im.Invalid, "%s: %s: %w", f.Path, f.Type.Name, err)
		}
		named[f.Type.Name] = true
		e.file = true
		old := s.types[f.Type.Name]
		e.t.Version = version
		if old != nil && same(old.t, e.t) {
			e.t.Version = old.t.Version
			if old.file {
				continue
			}
		}
		b, err := encodeRecord(e)
		if err != nil {
			return err
		}
		s.types[f.Type.Name] = e
		fresh(f.Type.Name, b)
	}
	for name, e := range s.types {
		if e.file && !named[name] {
			delete(s.types, name)
			fresh(name, nil)
		}
	}
	s.custom = len(s.types)
	if s.custom > maxTypes {
		return im.Errorf(im.TooLarge, "there are %d types; at most %d can be registered", s.custom, maxTypes)
	}
	if other || len(changed) > 0 {
		s.version = version
		mark, err := encodeMark(s)
		if err != nil {
			return err
		}
		// It goes first, so that no version is given twice if what follows is cut off.
		changed = slices.Insert(changed, 0, mark)
	}
	for part := range slices.Chunk(changed, 400) {
		if err := r.put(ctx, &store.PutOp{Records: part}); err != nil {
			return err
		}
	}
	for _, e := range builtins(s.mark.BuiltVersion) {
		s.types[e.t.Name] = e
	}
	r.state.Store(s)
	return nil
}

// put submits op and waits for it.
func (r *Registry) put(ctx context.Context, op *store.PutOp) error {
	done := make(chan struct{})
	op.Done = func() { close(done) }
	if err := r.st.Submit(op); err != nil {
		return err
	}
	select {
	case <-done:
		return op.Err
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the outcome is not known yet")
	}
}

// Flags are a type's default ones; false = not registered.
func (r *Registry) Flags(name string) (im.Flags, bool) {
	e := r.state.Load().types[name]
	if e == nil {
		return 0, false
	}
	return e.t.Flags, true
}

// Get is a type as it is registered. What it points to is shared: not to be altered.
func (r *Registry) Get(name string) (im.MessageType, bool) {
	e := r.state.Load().types[name]
	if e == nil {
		return im.MessageType{}, false
	}
	return e.t, true
}

// List gives the types that changed after a version (0 = all), by name, and the
// version of the registry. What was removed is not among them.
func (r *Registry) List(since int64) ([]im.MessageType, int64) {
	s := r.state.Load()
	out := []im.MessageType{}
	for _, e := range s.types {
		if e.t.Version > since {
			out = append(out, e.t)
		}
	}
	slices.SortFunc(out, func(a, b im.MessageType) int { return strings.Compare(a.Name, b.Name) })
	return out, s.version
}

// Put registers a type, or replaces it, and gives it as it is then. One that is the
// same already keeps its version. An update that older bodies are not as the schema
// says is allowed: what is stored is never looked at again.
//
// Errors: Invalid, which names what is wrong; TooLarge; those of the store. Unavailable
// if ctx ends first: the outcome is then not known.
func (r *Registry) Put(ctx context.Context, t im.MessageType) (im.MessageType, error) {
	if err := custom(t.Name); err != nil {
		return im.MessageType{}, err
	}
	t = clone(t)
	t.Built, t.Version = false, 0
	e, err := newEntry(t)
	if err != nil {
		return im.MessageType{}, im.Errorf(im.Invalid, "%w", err)
	}
	err = r.change(ctx, func(s *state) (*store.Record, error) {
		old := s.types[e.t.Name]
		if old != nil && same(old.t, e.t) {
			e = old
			return nil, nil
		}
		if old == nil {
			if s.custom++; s.custom > maxTypes {
				return nil, im.Errorf(im.TooLarge, "%d types are registered; that is the most", maxTypes)
			}
		}
		e.t.Version = s.version
		b, err := encodeRecord(e)
		if err != nil {
			return nil, err
		}
		s.types[e.t.Name] = e
		return &store.Record{Kind: store.TypeRecord, Key: e.t.Name, Value: b}, nil
	})
	if err != nil {
		return im.MessageType{}, err
	}
	return e.t, nil
}

// Remove takes a type out of the registry: messages of it are like any of an unknown
// type then. One that comes from a file is there again after the next start.
//
// Errors: NotFound; Invalid for a type of the server's; those of Put.
func (r *Registry) Remove(ctx context.Context, name string) error {
	if err := custom(name); err != nil {
		return err
	}
	return r.change(ctx, func(s *state) (*store.Record, error) {
		if s.types[name] == nil {
			return nil, im.Errorf(im.NotFound, "no type %s is registered", clip(name, maxName))
		}
		delete(s.types, name)
		s.custom--
		return &store.Record{Kind: store.TypeRecord, Key: name}, nil
	})
}

// custom refuses names that are the server's own.
func custom(name string) error {
	if strings.HasPrefix(name, reserved) {
		return im.Errorf(im.Invalid, "names that begin with %s are the server's own: choose another beginning, as in acme:card", reserved)
	}
	return nil
}

// change makes the next state, writes what alter answers, and lets readers have it once
// it is durable. alter changes the state that it is given, which has the next version;
// nil = nothing is different.
func (r *Registry) change(ctx context.Context, alter func(*state) (*store.Record, error)) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return im.Wrap(im.Busy, ctx.Err(), "others are changing the types: try again")
	}
	old := r.state.Load()
	next := &state{types: maps.Clone(old.types), version: old.version + 1, custom: old.custom, mark: old.mark}
	rec, err := alter(next)
	if rec == nil || err != nil {
		<-r.turn
		return err
	}
	mark, err := encodeMark(next)
	if err != nil {
		<-r.turn
		return err
	}
	op := &store.PutOp{Records: []store.Record{mark, *rec}}
	done := make(chan struct{})
	op.Done = func() {
		if op.Err == nil {
			r.state.Store(next)
		}
		<-r.turn // who waits no longer leaves it to us
		close(done)
	}
	if err := r.st.Submit(op); err != nil {
		<-r.turn
		return err
	}
	select {
	case <-done:
		return op.Err
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the outcome is not known yet: ask for the type, or do it again")
	}
}

// load reads the types of an app.
func load(st Store) (*state, error) {
	s := &state{types: map[string]*entry{}}
	for after := ""; ; {
		list, err := st.List(store.TypeRecord, "", after, 500)
		if err != nil {
			return nil, err
		}
		for _, rec := range list {
			after = rec.Key
			if rec.Key == markKey {
				if s.mark, err = decodeMark(rec.Value); err != nil {
					return nil, err
				}
				s.version = s.mark.Version
				continue
			}
			e, err := decodeRecord(rec)
			if err != nil {
				return nil, im.Wrap(im.Internal, fmt.Errorf("the stored type %q cannot be used: %w", rec.Key, err), "a message type cannot be read from the store")
			}
			s.types[rec.Key] = e
		}
		if len(list) < 500 {
			return s, nil
		}
	}
}

var errNoRecord = errors.New("it is no record of a type")

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
