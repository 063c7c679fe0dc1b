package core

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/anser-im/anser/internal/im"
)

// within says whether the bytes of s are some of those of all.
func within(s, all string) bool {
	at, from := uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(unsafe.Pointer(unsafe.StringData(all)))
	return len(s) > 0 && at >= from && at < from+uintptr(len(all))
}

// TestNamesAreCopied: names in a request are pieces of its body, which may be large:
// what outlives the request holds on to nothing of it.
func TestNamesAreCopied(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	alice := w.login("alice", "phone")
	w.say("alice", "u/bob", "hello")
	group := w.group("alice", "bob")
	w.c.directs, w.c.groups = names[pair, im.ConvID]{}, names[im.GroupID, im.ConvID]{} // as after a restart

	request := strings.Repeat("x", 1<<20) + "u/bob" + string(group)
	direct := request[1<<20 : 1<<20+len("u/bob")]
	bob := im.UserID(direct[len("u/"):])
	for _, conv := range []string{direct, request[len(request)-len(group):]} {
		_, _, err := alice.Page(ctx, PageQuery{Conv: im.Address(conv)})
		w.ok(err)
	}
	_, _, err := alice.Watch(ctx, []im.UserID{bob}, 0)
	w.ok(err)

	if len(w.c.directs.m) != 1 || len(w.c.groups.m) != 1 || len(w.c.watches.by) != 1 {
		t.Fatalf("%d, %d, %d are kept", len(w.c.directs.m), len(w.c.groups.m), len(w.c.watches.by))
	}
	for k := range w.c.directs.m {
		if within(string(k.a), request) || within(string(k.b), request) || within(k.line, request) {
			t.Errorf("the name %v holds the request", k)
		}
	}
	for k := range w.c.groups.m {
		if within(string(k), request) {
			t.Errorf("the name %s holds the request", k)
		}
	}
	for u := range w.c.watches.by {
		if within(string(u), request) {
			t.Errorf("who watches %s holds the request", u)
		}
	}
	for _, of := range w.c.watches.of {
		for u := range of {
			if within(string(u), request) {
				t.Errorf("what a session watches, %s, holds the request", u)
			}
		}
	}
}
