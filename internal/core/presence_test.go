package core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/wire"
)

func ofClass(c im.Class) func(*Login) { return func(l *Login) { l.Class = c } }

// presence is what asker is told of u.
func (w *world) presence(asker *Session, u im.UserID) Presence {
	w.Helper()
	list, err := asker.Presence(w.Context(), []im.UserID{u})
	w.ok(err)
	if len(list) != 1 || list[0].User != u {
		w.Fatalf("asked for %s: %+v", u, list)
	}
	return list[0]
}

// TestK1_OnlineByPlatform: who is here, on which classes of devices, for many at once.
func TestK1_OnlineByPlatform(t *testing.T) {
	w := newWorld(t, Config{})
	phone := w.login("ann", "p", ofClass(im.Phone))
	w.login("ann", "p2", ofClass(im.Phone))
	web := w.login("ann", "w", ofClass(im.Web))
	w.login("bob", "d", ofClass(im.Desktop))
	w.enter("carol", "") // a request is no presence
	list, err := w.as("eve").Presence(t.Context(), []im.UserID{"carol", "ann", "nobody", "bob", "ann"})
	w.ok(err)
	if got := fmt.Sprintf("%v", list); got != fmt.Sprintf("%v", []Presence{{User: "carol"}, {User: "ann", Online: []im.Class{im.Phone, im.Web}},
		{User: "nobody"}, {User: "bob", Online: []im.Class{im.Desktop}}, {User: "ann", Online: []im.Class{im.Phone, im.Web}}}) {
		t.Fatal(got)
	}
	web.Detach()
	phone.Close()
	if p := w.presence(w.as("eve"), "ann"); !slices.Equal(p.Online, []im.Class{im.Phone}) {
		t.Fatalf("%+v", p)
	}
	w.c.Kick("ann", "", "")
	if p := w.presence(w.as("eve"), "ann"); p.Online != nil {
		t.Fatalf("%+v", p)
	}
	_, err = w.as("eve").Presence(t.Context(), make([]im.UserID, 201))
	w.refused(err, im.TooLarge)
	_, err = w.as("eve").Presence(t.Context(), []im.UserID{"a/b"})
	w.refused(err, im.Invalid)
	if p := w.presence(w.act(""), "bob"); len(p.Online) != 1 {
		t.Fatalf("the app is told %+v", p)
	}
}

// TestK3_StatusAndLastSeen: who is told when a user was here, that he is, and his
// status.
func TestK3_StatusAndLastSeen(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now})
	ctx := t.Context()
	w.say("bob", "u/ann", "hi") // bob is a contact, carol is not
	w.say("ann", "u/bob", "hi")
	ann := w.login("ann", "phone")
	set := func(p PresencePatch) {
		t.Helper()
		w.ok(w.as("ann").SetPresence(ctx, p))
	}
	str := func(s string) *string { return &s }
	here := now.Now().UnixMilli()
	// told is online, seen and status as each is told
	told := func(name string, self, bob, carol, app string) {
		t.Helper()
		for _, c := range []struct {
			asker *Session
			want  string
		}{{w.as("ann"), self}, {w.as("bob"), bob}, {w.as("carol"), carol}, {w.act(""), app}, {w.act("carol"), carol}} {
			p := w.presence(c.asker, "ann")
			got := ""
			if p.Online != nil {
				got += "o"
			}
			if p.LastSeen != 0 {
				got += "s"
				if p.LastSeen != here {
					t.Errorf("%s: last seen at %d; want %d", name, p.LastSeen, here)
				}
			}
			if p.Status != "" {
				got += ":" + p.Status
			}
			if got != c.want {
				t.Errorf("%s: %q is told %q; want %q", name, c.asker.user, got, c.want)
			}
		}
	}
	told("by default", "os", "os", "o", "os")
	set(PresencePatch{Status: str("in Paris")})
	told("with a status", "os:in Paris", "os:in Paris", "o:in Paris", "os:in Paris")
	set(PresencePatch{Online: str(toContacts)})
	told("for contacts", "os:in Paris", "os:in Paris", "", "os:in Paris")
	set(PresencePatch{LastSeen: str(toAll), Online: str(toAll), Status: str("")})
	told("for all", "os", "os", "os", "os")
	set(PresencePatch{LastSeen: str(toNone)})
	told("seen by nobody", "os", "o", "o", "os")
	set(PresencePatch{Online: str(toNone), LastSeen: str(toNone)})
	told("nobody", "os", "", "", "os")
	now.add(5000)
	here = now.Now().UnixMilli()
	ann.Close()
	now.add(5000)
	set(PresencePatch{LastSeen: str(toContacts)})
	told("away", "s", "s", "", "s")
	w.ok(w.as("ann").Block(ctx, "bob"))
	told("away and blocking", "s", "", "", "s")
	w.ok(w.as("ann").Unblock(ctx, "bob"))

	w.refused(w.as("ann").SetPresence(ctx, PresencePatch{Online: str("friends")}), im.Invalid)
	w.refused(w.as("ann").SetPresence(ctx, PresencePatch{LastSeen: str("")}), im.Invalid)
	w.refused(w.as("ann").SetPresence(ctx, PresencePatch{Status: str(strings.Repeat("x", 129))}), im.TooLarge)
	w.refused(w.as("ann").SetPresence(ctx, PresencePatch{Status: str("a\nb")}), im.Invalid)
}

// TestLastSeenAfterRestart: when users were here is known to the next process.
func TestLastSeenAfterRestart(t *testing.T) {
	now := newClock()
	st := memstore.New(memstore.Config{Clock: now.Now})
	w := worldOver(t, Config{Clock: now.Now}, st)
	w.login("ann", "phone").Close()
	w.say("ann", "u/bob", "a commit") // what is noted rides with it
	v, err := auth.NewVerifier(auth.Config{Secret: testSecret, Now: now.Now})
	w.ok(err)
	again := New(Config{Clock: now.Now, SweepEvery: -1}, st, v, nil)
	defer again.Close()
	app, err := again.Act("", "")
	w.ok(err)
	for range 2 {
		p, err := app.Presence(t.Context(), []im.UserID{"ann", "eve"})
		w.ok(err)
		if p[0].LastSeen != now.Now().UnixMilli() || p[1].LastSeen != 0 {
			t.Fatalf("%+v", p)
		}
	}
}

// TestMembersShowOnlineAsTold: a list of members tells of nobody what he does not tell.
func TestMembersShowOnlineAsTold(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob")
	w.login("ann", "phone")
	none := toNone
	online := func() bool {
		list, _, _, err := w.as("bob").GroupMembers(t.Context(), g, "", 0)
		w.ok(err)
		return list[0].User == "ann" && list[0].Online
	}
	if !online() {
		t.Fatal("ann is not here")
	}
	w.ok(w.as("ann").SetPresence(t.Context(), PresencePatch{Online: &none}))
	if online() {
		t.Fatal("bob is told that ann is here")
	}
}

// seen is the next thing that a watcher is told of a user.
func (c *client) seen() (p struct {
	User     im.UserID
	Online   []im.Class
	LastSeen string `json:"last_seen"`
	Status   string
}) {
	c.w.Helper()
	it := c.until(func(it Item) bool { return it.Signal != nil && it.Signal.Kind == PresenceSignal })
	c.w.ok(json.Unmarshal(it.Signal.Body, &p))
	if it.Addr != im.DirectAddress(p.User) || it.Signal.Sender != p.User || p.Online == nil {
		c.w.Fatalf("%s: %s says %s", it.Addr, it.Signal.Sender, it.Signal.Body)
	}
	return p
}

func isPresence(it Item) bool { return it.Signal != nil && it.Signal.Kind == PresenceSignal }

// core knows no protocol, and yet the body of such a signal is Presence of the schema.
func TestPresenceSignalIsTheSchemas(t *testing.T) {
	for _, c := range []struct {
		p    Presence
		want *wire.Presence
	}{
		{Presence{User: "用户7", Online: []im.Class{im.Phone, im.Web}, LastSeen: 1<<53 + 1, Status: "<in> Paris"},
			&wire.Presence{User: "用户7", Online: []string{"phone", "web"}, LastSeen: 1<<53 + 1, Status: "<in> Paris"}},
		{Presence{User: "ann"}, &wire.Presence{User: "ann"}},
	} {
		var got wire.Presence
		if err := wire.JSON.UnmarshalBody(c.p.body(), &got); err != nil || !proto.Equal(&got, c.want) {
			t.Errorf("%s is read as %v, %v", c.p.body(), &got, err)
		}
	}
}

// pace moves the clock so far that a user who was told of may be told of again.
func (w *world) pace(now *clock) {
	now.add(presencePace.Milliseconds())
	w.c.watches.nudge()
}

// TestK2_Watch: comings, goings and a status are told to who watches, as far as he may
// know, until he or his session ends it.
func TestK2_Watch(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now})
	ctx := t.Context()
	bob, carol := w.login("bob", "phone"), w.login("carol", "phone")
	for _, c := range []*client{bob, carol} {
		list, until, err := c.Watch(ctx, []im.UserID{"ann", "dave"}, 0)
		w.ok(err)
		if len(list) != 2 || list[0].User != "ann" || list[0].Online != nil || until != now.Now().UnixMilli()+3_600_000 {
			t.Fatalf("%+v, %d", list, until)
		}
	}
	ann := w.login("ann", "tablet", ofClass(im.Tablet))
	for _, c := range []*client{bob, carol} {
		if p := c.seen(); p.User != "ann" || !slices.Equal(p.Online, []im.Class{im.Tablet}) {
			t.Fatalf("%s is told %+v", c.user, p)
		}
	}
	w.pace(now)
	status := "in Paris"
	w.ok(ann.SetPresence(ctx, PresencePatch{Status: &status}))
	if p := bob.seen(); p.Status != status || len(p.Online) != 1 {
		t.Fatalf("%+v", p)
	}
	w.pace(now)
	w.ok(ann.Block(ctx, "bob")) // for bob she is gone, for carol she is not
	if p := bob.seen(); len(p.Online) != 0 || p.Status != "" {
		t.Fatalf("%+v", p)
	}
	w.pace(now)
	ann.Close()
	if p := carol.seen(); p.Status != status || len(p.Online) != 1 { // the status of before
		t.Fatalf("%+v", p)
	}
	if p := carol.seen(); len(p.Online) != 0 {
		t.Fatalf("%+v", p)
	}
	bob.quiet(isPresence)

	w.pace(now)
	w.ok(carol.Unwatch(ctx, []im.UserID{"ann"}))
	w.login("ann", "phone")
	carol.quiet(isPresence)
	w.ok(carol.Unwatch(ctx, nil))
	w.login("dave", "phone")
	if p := bob.seen(); p.User != "dave" {
		t.Fatalf("%+v", p)
	}
	carol.quiet(isPresence)
	bob.Close()
	if w.c.watches.count != 0 || len(w.c.watches.by) != 0 || len(w.c.watches.of) != 0 {
		t.Fatalf("%d watches stay", w.c.watches.count)
	}
	_, _, err := w.enter("bob", "").Watch(ctx, []im.UserID{"ann"}, 0)
	w.refused(err, im.Unsupported)
	w.refused(w.enter("bob", "").Unwatch(ctx, nil), im.Unsupported)
}

// TestWatchFlaps: a user who comes and goes all the time is told of at most once in
// presencePace, and then as he is.
func TestWatchFlaps(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now})
	bob := w.login("bob", "phone")
	_, _, err := bob.Watch(t.Context(), []im.UserID{"ann"}, 0)
	w.ok(err)
	var ann *client
	for i := range 50 {
		ann = w.login("ann", "phone")
		if i == 0 {
			if p := bob.seen(); len(p.Online) != 1 {
				t.Fatalf("%+v", p)
			}
		}
		ann.Close()
	}
	bob.quiet(isPresence)
	w.pace(now)
	if p := bob.seen(); len(p.Online) != 0 {
		t.Fatalf("%+v", p)
	}
	w.login("ann", "phone").Close() // there and gone again: nothing to tell
	w.pace(now)
	bob.quiet(isPresence)
}

// TestWatchBounds: of a session, of time, of the node; and what is over is over.
func TestWatchBounds(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now, Limits: im.Limits{MaxWatched: 3}})
	ctx := t.Context()
	bob := w.login("bob", "phone")
	_, _, err := bob.Watch(ctx, []im.UserID{"a", "b", "b"}, 10)
	w.ok(err)
	_, _, err = bob.Watch(ctx, []im.UserID{"c", "d"}, 0)
	w.refused(err, im.TooLarge)
	_, until, err := bob.Watch(ctx, []im.UserID{"b", "c"}, 60)
	w.ok(err)
	if until != now.Now().UnixMilli()+60_000 {
		t.Fatal(until)
	}
	_, _, err = bob.Watch(ctx, []im.UserID{"d"}, 0)
	w.refused(err, im.TooLarge)
	now.add(10_000) // a is over
	_, _, err = bob.Watch(ctx, []im.UserID{"d"}, 0)
	w.ok(err)
	now.add(50_000) // b and c are
	w.login("b", "phone")
	w.login("d", "phone")
	if p := bob.seen(); p.User != "d" {
		t.Fatalf("%+v", p)
	}
	bob.quiet(isPresence)
	_, _, err = bob.Watch(ctx, []im.UserID{"a"}, -1)
	w.refused(err, im.Invalid)
	_, _, err = bob.Watch(ctx, []im.UserID{"a"}, 31*24*3600)
	w.refused(err, im.Invalid)
	_, _, err = bob.Watch(ctx, []im.UserID{"a/b"}, 0)
	w.refused(err, im.Invalid)

	ws := &w.c.watches
	ws.mu.Lock()
	ws.count += watchesNode
	ws.mu.Unlock()
	_, _, err = bob.Watch(ctx, []im.UserID{"e"}, 0)
	w.refused(err, im.Busy)
	_, _, err = bob.Watch(ctx, []im.UserID{"d"}, 0) // takes no more room
	w.ok(err)
}

// TestWatchAfterResume: whoever comes back is told how all are now.
func TestWatchAfterResume(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now})
	ctx := t.Context()
	bob := w.login("bob", "phone")
	_, _, err := bob.Watch(ctx, []im.UserID{"ann"}, 0)
	w.ok(err)
	id, last := bob.ID(), bob.last
	bob.Detach()
	w.login("ann", "phone")
	w.pace(now)
	bob = w.login("bob", "phone", func(l *Login) { l.Resume, l.LastPush = id, last })
	if !bob.Resumed() {
		t.Fatal("not resumed")
	}
	w.pace(now)
	if p := bob.seen(); p.User != "ann" || len(p.Online) != 1 {
		t.Fatalf("%+v", p)
	}
	hold, release := true, false
	bob.SetState(ClientState{HoldSignals: &hold})
	w.pace(now)
	w.c.Kick("ann", "", "")
	bob.quiet(isPresence)
	w.pace(now)
	bob.SetState(ClientState{HoldSignals: &release})
	w.pace(now)
	if p := bob.seen(); p.User != "ann" || len(p.Online) != 0 {
		t.Fatalf("%+v", p)
	}
}

// What a signal of presence says of somebody is believed: nobody says it but the server.
func TestNobodySignalsPresence(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("eve", "bob")
	for _, to := range []im.Address{"u/bob", g} {
		for _, s := range []*Session{w.as("eve"), w.act("eve")} {
			w.refused(s.Signal(to, im.Signal{Kind: PresenceSignal, Body: []byte(`{"user":"ann","online":["phone"]}`)}), im.Invalid)
		}
	}
}
