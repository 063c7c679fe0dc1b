package core

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// flush commits what rides with the next commit.
func (w *world) flush() {
	w.Helper()
	w.ok(w.c.do(w.Context(), &store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: "flush", Key: "x", Value: []byte("x")}}}))
}

func TestDevices(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, Limits: im.Limits{Devices: 3}})
	for i := range 5 {
		c := w.login("ann", im.DeviceID(fmt.Sprint("d", i)), func(l *Login) { l.OS, l.SDK = "os", "sdk" })
		if i < 4 {
			c.Close()
		}
		w.flush()
		clock.add(1000)
	}
	ann := w.as("ann")
	list, err := ann.Devices(t.Context())
	w.ok(err)
	got := []string{}
	for _, d := range list {
		got = append(got, fmt.Sprint(d.ID, d.Online))
		if d.Class != im.Phone || d.OS != "os" || d.SDK != "sdk" || d.LastSeen == 0 {
			t.Fatalf("%+v", d)
		}
	}
	if s := fmt.Sprint(got); s != "[d4true d3false d2false]" {
		t.Fatalf("%s; want the newest three", s)
	}
	w.st.Hold()
	defer w.st.Release()
	w.login("ann", "new", func(l *Login) { l.Class = im.Web })
	list, err = ann.Devices(t.Context())
	w.ok(err)
	if len(list) != 4 || list[0].ID != "new" && list[1].ID != "new" {
		t.Fatalf("%+v", list)
	}
	for _, d := range list[:2] {
		if !d.Online || d.ID == "new" && d.Class != im.Web {
			t.Fatalf("what is not on the disk yet: %+v", list)
		}
	}
}

func TestKick(t *testing.T) {
	w := newWorld(t, Config{})
	phone, laptop := w.login("ann", "phone"), w.login("ann", "laptop")
	w.login("bob", "tablet")
	w.flush()
	w.ok(phone.Kick(t.Context(), "laptop", "lost\nit", false))
	if e := <-laptop.ended; e.Code != im.CodeKicked || e.Text != "lost it" || e.Resumable {
		t.Fatalf("%+v", e)
	}
	w.ok(phone.Kick(t.Context(), "laptop", "", false)) // known, and not here
	for device, want := range map[im.DeviceID]im.Kind{"tablet": im.NotFound, "": im.Invalid, "a b": im.Invalid} {
		w.refused(phone.Kick(t.Context(), device, "", false), want)
	}
	w.refused(phone.Kick(t.Context(), "phone", strings.Repeat("x", maxReason+1), false), im.TooLarge)

	token, err := w.signer.Sign(auth.Claims{User: "ann", IssuedAt: w.c.Now(), Expires: w.c.Now().Add(1e12)})
	w.ok(err)
	w.ok(phone.Kick(t.Context(), "laptop", "", true))
	_, err = w.c.Login(t.Context(), Login{Token: token, Door: "native", Device: "laptop"})
	w.refused(err, im.Unauthenticated, im.CodeRevoked)
	list, err := phone.Devices(t.Context())
	w.ok(err)
	if len(list) != 1 || list[0].ID != "phone" {
		t.Fatalf("%+v", list)
	}
	w.ok(phone.Kick(t.Context(), "phone", "", false)) // itself
	if e := <-phone.ended; e.Code != im.CodeKicked {
		t.Fatalf("%+v", e)
	}
	tablet := w.login("bob", "desktop")
	if n, err := w.c.KickUser(t.Context(), "bob", "", "closed", true); n != 2 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if e := <-tablet.ended; e.Text != "closed" {
		t.Fatalf("%+v", e)
	}
}

func TestBlocks(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.as("ann")
	for _, u := range []im.UserID{"c", "a", "b"} {
		w.ok(ann.Block(t.Context(), u))
	}
	w.refused(ann.Block(t.Context(), "ann"), im.Invalid)
	w.refused(ann.Block(t.Context(), "a/b"), im.Invalid)
	list, more, err := ann.Blocks(t.Context(), "", 2)
	w.ok(err)
	if fmt.Sprint(list, more) != "[a b] true" {
		t.Fatal(list, more)
	}
	list, more, err = ann.Blocks(t.Context(), "b", 2)
	w.ok(err)
	if fmt.Sprint(list, more) != "[c] false" {
		t.Fatal(list, more)
	}
	w.ok(ann.Unblock(t.Context(), "nobody"))
	w.ok(ann.Unblock(t.Context(), "a"))
	list, _, err = ann.Blocks(t.Context(), "", 0)
	w.ok(err)
	if fmt.Sprint(list) != "[b c]" {
		t.Fatal(list)
	}
}

// Who blocks somebody does not tell him that he is here.
func TestBlockedUsersDoNotSeeWhoIsOnline(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	w.login("bob", "phone")
	w.ok(w.as("bob").Block(t.Context(), "eve"))
	for who, want := range map[im.UserID]bool{"ann": true, "eve": false, "bob": true} {
		list, _, _, err := w.as(who).GroupMembers(t.Context(), g, "", 0)
		w.ok(err)
		if list[1].User != "bob" || list[1].Online != want || list[0].Online {
			t.Fatalf("%s sees %+v", who, list)
		}
	}
}

// Who was signed out is answered nothing any more, whatever his door still sends.
func TestVerbsEndWithTheSession(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	bob := w.login("bob", "phone")
	w.c.Kick("bob", "phone", "")
	errs := verbsOn(t, bob.Session, g)
	delete(errs, "reach") // is for sends that were taken before
	_, errs["Sync"] = bob.Sync(t.Context(), SyncQuery{})
	_, errs["Missed"] = bob.Missed(t.Context(), 0)
	_, errs["GroupCreate"] = bob.GroupCreate(t.Context(), NewGroup{})
	errs["Block"] = bob.Block(t.Context(), "eve")
	errs["Unblock"] = bob.Unblock(t.Context(), "eve")
	_, _, errs["Blocks"] = bob.Blocks(t.Context(), "", 0)
	_, errs["Devices"] = bob.Devices(t.Context())
	errs["Kick"] = bob.Kick(t.Context(), "phone", "", false)
	for verb, err := range errs {
		if !im.IsKind(err, im.Unavailable) {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if r := w.members("ann", g); len(r) != 2 {
		t.Errorf("%v", r)
	}
}
