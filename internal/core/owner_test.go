package core

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// counting counts what is asked of a store.
type counting struct {
	store.Store
	members atomic.Int64
}

func (s *counting) Members(conv im.ConvID, after im.UserID, limit int) ([]store.Row, error) {
	s.members.Add(1)
	return s.Store.Members(conv, after, limit)
}

// The owner is read once, however many ask at the same time, and then followed
// through the changes made here.
func TestOwnerIsReadOnce(t *testing.T) {
	w := newWorld(t, Config{})
	users := make([]im.UserID, 300)
	for i := range users {
		users[i] = im.UserID(fmt.Sprintf("u%03d", i))
	}
	g := w.group("zoe", users...)
	st := &counting{Store: w.st}
	again := New(w.c.cfg, st, w.c.ver, w.rev) // as after a restart
	defer again.Close()
	as := func(u im.UserID) *Session { return &Session{c: again, user: u, device: "phone"} }
	owner := func(u im.UserID) im.UserID {
		c, err := as(u).Conversation(t.Context(), g)
		if err != nil {
			t.Error(err)
			return ""
		}
		return c.Group.Owner
	}
	var wg sync.WaitGroup
	for _, u := range users {
		wg.Go(func() {
			if o := owner(u); o != "zoe" {
				t.Errorf("%s sees the owner %q", u, o)
			}
		})
	}
	wg.Wait()
	if n := st.members.Load(); n > 3 { // who comes between the flight and the memory of it reads again
		t.Fatalf("the members were read %d times", n)
	}
	_, err := as("zoe").GroupRole(t.Context(), g, "u000", im.Owner)
	w.ok(err)
	_, err = as("zoe").Leave(t.Context(), g)
	w.ok(err)
	ref, err := as("u001").resolve(g)
	w.ok(err)
	if o, _ := again.owners.get(ref.conv); o != (ownedBy{ref.head.MVer, "u000"}) {
		t.Fatalf("remembered is %+v; the change is %d", o, ref.head.MVer)
	}
	if o := owner("u001"); o != "u000" {
		t.Fatalf("the owner is %q", o)
	}
}
