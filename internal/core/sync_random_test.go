package core

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
)

// follower is a client that knows its conversations by Sync alone.
type follower struct {
	user  im.UserID
	token string
	list  map[im.Address]Conversation
}

// sync follows one Sync to its end, in parts of limit; between is called after each
// part but the last.
func (f *follower) sync(w *world, limit int, between func()) error {
	for {
		a, err := w.as(f.user).Sync(w.Context(), SyncQuery{Token: f.token, Limit: limit, HeadsOnly: true})
		if err != nil {
			return err
		}
		f.token = a.Token
		for _, addr := range a.Left {
			delete(f.list, addr)
		}
		for _, c := range a.Conversations {
			f.list[c.Addr] = c
		}
		if !a.More {
			return nil
		}
		between()
	}
}

// Whatever happens, and whenever in between a client syncs: what changed since its
// token makes what it holds equal to what a client that begins anew is told.
func TestSyncTellsAllThatChanged(t *testing.T) {
	users := []im.UserID{"ann", "bob", "eve", "joe"}
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{})
		groups := []im.Address{w.group("bob", "ann", "eve"), w.group("eve", "bob"), w.group("ann", "joe")}
		user := rapid.SampledFrom(users)
		conv := func(u im.UserID) im.Address {
			if rapid.Bool().Draw(r, "group") {
				return rapid.SampledFrom(groups).Draw(r, "conv")
			}
			return im.DirectAddress(user.Draw(r, "peer"))
		}
		seq := func(u im.UserID, c im.Address) im.Seq {
			ref, err := w.as(u).resolve(c)
			if err != nil || ref.head.Seq == 0 {
				return 1
			}
			return im.Seq(rapid.IntRange(1, int(ref.head.Seq)).Draw(r, "seq"))
		}
		act := func() { // refusals are fine: they change nothing
			u := user.Draw(r, "who")
			s, c := w.as(u), conv(u)
			switch rapid.IntRange(0, 10).Draw(r, "act") {
			case 0, 1, 2:
				if _, err := s.reach(c); err == nil {
					w.say(u, c, "x", mention(user.Draw(r, "named")))
				}
			case 3:
				s.Read(t.Context(), c, seq(u, c))
			case 4:
				s.Edit(t.Context(), EditRequest{Conv: c, Seq: seq(u, c), Body: []byte("y"), Mentions: &im.Mentions{Users: []im.UserID{user.Draw(r, "named")}}})
			case 5:
				s.Recall(t.Context(), RecallRequest{Conv: c, Seq: seq(u, c)})
			case 6:
				if p := user.Draw(r, "peer"); rapid.Bool().Draw(r, "on") {
					s.Block(t.Context(), p)
				} else {
					s.Unblock(t.Context(), p)
				}
			case 7:
				s.GroupAdd(t.Context(), c, []im.UserID{user.Draw(r, "whom")})
			case 8:
				s.GroupRemove(t.Context(), c, []im.UserID{user.Draw(r, "whom")})
			case 9:
				s.GroupRole(t.Context(), c, user.Draw(r, "whom"), rapid.SampledFrom([]im.Role{im.Member, im.Admin, im.Owner}).Draw(r, "role"))
			case 10:
				if rapid.IntRange(0, 3).Draw(r, "really") == 0 {
					s.Leave(t.Context(), c)
				} else {
					name := fmt.Sprint("name ", w.ids.Add(1))
					s.GroupUpdate(t.Context(), c, GroupUpdate{Name: &name})
				}
			}
		}
		f := &follower{user: "ann", list: map[im.Address]Conversation{}}
		for range rapid.IntRange(1, 8).Draw(r, "rounds") {
			for range rapid.IntRange(0, 8).Draw(r, "acts") {
				act()
			}
			limit := rapid.IntRange(1, 5).Draw(r, "limit")
			w.ok(f.sync(w, limit, func() {
				if rapid.Bool().Draw(r, "meanwhile") {
					act()
				}
			}))
			w.ok(f.sync(w, 100, func() {})) // what moved under the first
			anew := &follower{user: "ann", list: map[im.Address]Conversation{}}
			w.ok(anew.sync(w, 100, func() {}))
			for addr, want := range anew.list {
				if got := f.list[addr]; !reflect.DeepEqual(got, want) {
					r.Fatalf("%s is held as\n%+v %+v\nand is\n%+v %+v", addr, got, got.Group, want, want.Group)
				}
			}
			if len(f.list) != len(anew.list) {
				r.Fatalf("%d conversations are held; there are %d", len(f.list), len(anew.list))
			}
		}
	})
}
