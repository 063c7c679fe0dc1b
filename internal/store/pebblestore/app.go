package pebblestore

import (
	"context"
	"slices"
	"strings"

	"github.com/anser-im/anser/internal/im"
)

// DefaultApp is the app that a new database has.
const DefaultApp = "default"

// App gives the store of an app, NotFound if the database has none of that name.
func (db *DB) App(name string) (*Store, error) {
	db.appsMu.Lock()
	defer db.appsMu.Unlock()
	if s := db.apps[name]; s != nil {
		return s, nil
	}
	return nil, im.Errorf(im.NotFound, "the store has no app %q", name)
}

// Apps lists the names of all apps.
func (db *DB) Apps() []string {
	db.appsMu.Lock()
	defer db.appsMu.Unlock()
	var names []string
	for n := range db.apps {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// NewApp makes an app, durably, and gives its store.
//
// Errors: Conflict if there is one of that name; Invalid for a name that is empty,
// longer than 64 bytes or holds a NUL.
func (db *DB) NewApp(ctx context.Context, name string) (*Store, error) {
	if name == "" || len(name) > im.MaxID || strings.IndexByte(name, 0) >= 0 {
		return nil, im.Errorf(im.Invalid, "%q is no name for an app", name)
	}
	var s *Store
	done := make(chan struct{})
	add := func(w *writer) bool {
		db.appsMu.Lock()
		defer db.appsMu.Unlock()
		if db.apps[name] == nil && !db.making[name] {
			db.making[name] = true
			db.lastApp++
			s = &Store{db: db, app: db.lastApp, name: name}
			w.k, w.v = keyApp(w.k[:0], name), appendUint(w.v[:0], uint64(s.app))
			w.set()
		}
		return false
	}
	durable := func() {
		db.appsMu.Lock()
		defer db.appsMu.Unlock()
		if s != nil {
			delete(db.making, name)
			db.apps[name] = s
		}
		close(done)
	}
	if err := db.submitOwn(item{own: add, done: durable}); err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, im.Wrap(im.Unavailable, ctx.Err(), "the store did not get to it in time; it may still do it")
	}
	if s == nil {
		return nil, im.Errorf(im.Conflict, "there is an app %q already", name)
	}
	return s, nil
}
