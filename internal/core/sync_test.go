package core

import (
	"encoding/base64"
	"fmt"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// syncAll asks until nothing is more and answers the conversations by address, the
// last told of each winning, and the parts.
func syncAll(w *world, u im.UserID, token string, limit int, between func(part int)) (map[im.Address]Conversation, []SyncAnswer) {
	w.Helper()
	list := map[im.Address]Conversation{}
	var parts []SyncAnswer
	for {
		a, err := w.as(u).Sync(w.Context(), SyncQuery{Token: token, Limit: limit})
		w.ok(err)
		if len(a.Conversations)+len(a.Left) > limit {
			w.Fatalf("%d conversations in one answer; asked for %d", len(a.Conversations)+len(a.Left), limit)
		}
		for _, c := range a.Conversations {
			list[c.Addr] = c
		}
		for _, left := range a.Left {
			delete(list, left)
		}
		parts = append(parts, a)
		if !a.More {
			return list, parts
		}
		if a.Token == token {
			w.Fatal("the token does not move")
		}
		token = a.Token
		if between != nil {
			between(len(parts))
		}
	}
}

func TestSyncTellsAllNewestFirstThenWhatMoved(t *testing.T) {
	w := newWorld(t, Config{})
	for i := range 25 {
		w.say(im.UserID(fmt.Sprintf("u%02d", i)), "u/ann", "hi")
	}
	list, parts := syncAll(w, "ann", "", 10, nil)
	if len(list) != 25 || len(parts) != 3 {
		t.Fatalf("%d conversations in %d parts", len(list), len(parts))
	}
	last := int64(1 << 62)
	for _, p := range parts {
		for _, c := range p.Conversations {
			if c.Head.Time > last {
				t.Fatal("not newest first")
			}
			last = c.Head.Time
			if c.Mine.Unread != 1 || len(c.Page.Messages) != 1 || c.Page.From != 1 || c.Page.To != 1 || c.Peer.Read != 1 {
				t.Fatalf("%+v", c)
			}
		}
	}
	token := parts[2].Token
	list, parts = syncAll(w, "ann", token, 10, nil)
	if len(list) != 0 || len(parts) != 1 {
		t.Fatalf("nothing moved, and %d are told", len(list))
	}
	w.say("u07", "u/ann", "again")
	_, err := w.as("ann").Read(t.Context(), "u/u03", 0)
	w.ok(err)
	w.ok(w.as("ann").Block(t.Context(), "u05"))
	list, _ = syncAll(w, "ann", parts[0].Token, 10, nil)
	if len(list) != 4 { // u05's head moved with the block
		t.Fatalf("told: %v", list)
	}
	for _, addr := range []im.Address{"u/u07", "u/u03", "u/u05", im.Me} {
		if _, ok := list[addr]; !ok {
			t.Fatalf("%s is not told", addr)
		}
	}
	if list[im.Me].Head.Ver != 1 || !list["u/u05"].Mine.Blocked || list["u/u07"].Mine.Unread != 2 || list["u/u03"].Mine.Unread != 0 {
		t.Fatalf("told: %+v", list)
	}
}

// A thousand conversations in pages, while they move under it: none is missed, and
// the next Sync from the last token tells whatever moved since this one began.
func TestSyncWhileThingsMove(t *testing.T) {
	w := newWorld(t, Config{})
	const n = 1000
	for i := range n {
		w.say(im.UserID(fmt.Sprintf("u%04d", i)), "u/ann", "hi")
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				w.say(im.UserID(fmt.Sprintf("u%04d", i*37%n)), "u/ann", "more")
			}
		}
	})
	list, parts := syncAll(w, "ann", "", 100, func(int) { w.say("new", "u/ann", "first") })
	close(stop)
	wg.Wait()
	if len(list) < n {
		t.Fatalf("%d of %d conversations were told", len(list), n)
	}
	again, _ := syncAll(w, "ann", parts[len(parts)-1].Token, 1000, nil)
	for addr, c := range list {
		now, err := w.as("ann").Conversation(t.Context(), addr)
		w.ok(err)
		told := c.Head.Seq
		if c, ok := again[addr]; ok {
			told = c.Head.Seq
		}
		if told != now.Head.Seq {
			t.Fatalf("%s: told %d, is at %d", addr, told, now.Head.Seq)
		}
	}
	if len(again) == 0 {
		t.Fatal("nothing moved: the test shows nothing")
	}
}

// A conversation that jumps over the place a Sync has reached is told at its end.
func TestSyncTellsWhatJumped(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	for i := range 9 {
		w.say(im.UserID(fmt.Sprintf("u%d", i)), "u/ann", "hi")
		clock.add(1000)
	}
	list, parts := syncAll(w, "ann", "", 3, func(part int) {
		if part == 1 {
			w.say("u0", "u/ann", "up") // was to be told last
		}
	})
	if len(list) != 9 || list["u/u0"].Head.Seq != 2 {
		t.Fatalf("told %d in %d parts, u0 at %d", len(list), len(parts), list["u/u0"].Head.Seq)
	}
}

func TestSyncOfGroups(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	w.say("ann", g, "one", mention("bob"))
	list, parts := syncAll(w, "bob", "", 10, nil)
	c := list[g]
	if c.Group == nil || c.Group.Owner != "ann" || c.Group.Members != 3 || c.Group.Name != "test" || c.Mine.Mentions != 1 ||
		c.Mine.Role != im.Member || c.Mine.From != 1 || c.Head.Seq != 2 || len(c.Page.Messages) != 2 || c.Peer != nil {
		t.Fatalf("%+v %+v", c, c.Group)
	}
	token := parts[0].Token
	_, err := w.as("ann").GroupRemove(t.Context(), g, []im.UserID{"bob"})
	w.ok(err)
	w.say("ann", g, "not for bob")
	a, err := w.as("bob").Sync(t.Context(), SyncQuery{Token: token})
	w.ok(err)
	if len(a.Conversations) != 0 || len(a.Left) != 1 || a.Left[0] != g {
		t.Fatalf("%+v", a)
	}
	a, err = w.as("bob").Sync(t.Context(), SyncQuery{})
	w.ok(err)
	if len(a.Conversations) != 0 || len(a.Left) != 0 {
		t.Fatalf("without a token nothing is said of what he left: %+v", a)
	}
	_, err = w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"bob"})
	w.ok(err)
	list, _ = syncAll(w, "bob", token, 10, nil)
	c = list[g]
	if c.Mine.From != 5 || len(c.Page.Messages) != 1 || c.Page.From != 1 || c.Page.To != 5 {
		t.Fatalf("who came again sees from then on: %+v", c)
	}
}

func TestSyncHoldsItsSize(t *testing.T) {
	w := newWorld(t, Config{})
	big := string(make([]byte, 100<<10))
	for i := range 4 {
		for range 3 {
			w.say(im.UserID(fmt.Sprintf("u%d", i)), "u/ann", big)
		}
	}
	list, parts := syncAll(w, "ann", "", 100, nil)
	if len(list) != 4 || len(parts) < 3 {
		t.Fatalf("%d conversations in %d parts", len(list), len(parts))
	}
	for _, p := range parts {
		sum := 0
		for _, c := range p.Conversations {
			for _, m := range c.Page.Messages {
				sum += m.Size()
			}
			if len(c.Page.Messages) == 0 || c.Page.To != c.Head.Seq {
				t.Fatalf("%s: %d to %d", c.Addr, c.Page.From, c.Page.To)
			}
		}
		if sum > syncBytes+(128<<10) {
			t.Fatalf("%d bytes in one answer", sum)
		}
	}
	a, err := w.as("ann").Sync(t.Context(), SyncQuery{HeadsOnly: true})
	w.ok(err)
	if len(a.Conversations) != 4 || a.More || len(a.Conversations[0].Page.Messages) != 0 || a.Conversations[0].Page.From <= a.Conversations[0].Page.To {
		t.Fatalf("%+v", a)
	}
}

func TestSyncTokensThatAreNone(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("bob", "u/ann", "hi")
	a, err := w.as("ann").Sync(t.Context(), SyncQuery{})
	w.ok(err)
	other := newWorld(t, Config{})
	raw, err := base64.RawURLEncoding.DecodeString(a.Token)
	w.ok(err)
	flipped := func(i int) string {
		b := append([]byte(nil), raw...)
		b[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	bad := map[string]string{
		"garbage":      "!!!",
		"cut":          a.Token[:len(a.Token)-1],
		"longer":       a.Token + "A",
		"another key":  other.c.seal("ann", syncToken{epoch: w.st.Epoch(), pos: 1 << 40}),
		"another user": w.c.seal("bob", syncToken{epoch: w.st.Epoch(), pos: 1 << 40}),
	}
	for i := range raw {
		bad[fmt.Sprintf("bit of byte %d", i)] = flipped(i)
	}
	epoch := w.st.Epoch()
	for name, token := range bad {
		b, err := w.as("ann").Sync(t.Context(), SyncQuery{Token: token})
		w.ok(err)
		if len(b.Conversations) != 1 || b.Epoch != epoch {
			t.Errorf("%s: %+v", name, b)
		}
	}
	if w.st.Epoch() != epoch {
		t.Fatal("a token that is none made a new epoch")
	}
	old := w.c.seal("ann", syncToken{epoch: im.NewEpoch(), pos: 1 << 40})
	b, err := w.as("ann").Sync(t.Context(), SyncQuery{Token: old})
	w.ok(err)
	if len(b.Conversations) != 1 || w.st.Epoch() != epoch {
		t.Fatalf("a token of another epoch: %+v", b)
	}
}

// A good token from above the position: the store was put back.
func TestSyncTokenAheadOfTheStore(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("bob", "u/ann", "hi")
	was := w.st.Epoch()
	ahead := w.c.seal("ann", syncToken{epoch: was, pos: w.st.Position() + 1})
	var wg sync.WaitGroup
	answers := make([]SyncAnswer, 8)
	for i := range answers {
		wg.Go(func() {
			a, err := w.as("ann").Sync(t.Context(), SyncQuery{Token: ahead})
			if err != nil {
				t.Error(err)
			}
			answers[i] = a
		})
	}
	wg.Wait()
	if w.st.Epoch() == was {
		t.Fatal("the epoch is the old one")
	}
	w.ok(w.c.renewEpoch(t.Context(), was)) // by one who saw it before the others had done it
	if n := w.c.VerbCounts().Epochs; n != 1 {
		t.Fatalf("%d new epochs", n)
	}
	for _, a := range answers {
		if a.Epoch != w.st.Epoch() || len(a.Conversations) != 1 {
			t.Fatalf("answered under the old epoch, or not as without a token: %+v", a)
		}
	}
	a, err := w.as("ann").Sync(t.Context(), SyncQuery{Token: answers[0].Token})
	w.ok(err)
	if len(a.Conversations) != 0 {
		t.Fatalf("the new token is not good: %+v", a)
	}
}

func FuzzSyncToken(f *testing.F) {
	c := &Core{}
	c.key = []byte("key")
	good := c.seal("ann", syncToken{epoch: im.Epoch{1}, pos: 7, phase: syncMoved, since: 3, time: -1, conv: 9})
	f.Add(good)
	f.Add(good[1:])
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		tok, ok := c.unseal("ann", s)
		if ok && (s != good || c.seal("ann", tok) != s) {
			t.Fatalf("%q passes", s)
		}
	})
}
