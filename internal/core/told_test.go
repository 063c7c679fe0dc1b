package core

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func isState(it Item) bool { return it.State != nil }

func isReaders(it Item) bool { return it.State != nil && it.State.Readers != nil }

func isChange(it Item) bool { return it.Change != nil }

func TestReadIsTold(t *testing.T) {
	w := newWorld(t, Config{})
	phone, laptop := w.login("ann", "phone"), w.login("ann", "laptop")
	bob := w.login("bob", "phone")
	w.from(bob.Session, "u/ann", "1")
	w.from(bob.Session, "u/ann", "2")
	m, err := phone.Read(t.Context(), "u/bob", 1)
	w.ok(err)
	it := bob.until(isState) // first, for what ann's devices acknowledge is told with the mark
	if it.Addr != "u/ann" || it.State.Mine != nil || it.State.Peer == nil || *it.State.Peer != (im.Peer{Read: 1}) {
		t.Fatalf("%s %+v", it.Addr, it.State)
	}
	it = laptop.until(isState)
	if it.Addr != "u/bob" || it.State.Mine == nil || !reflect.DeepEqual(*it.State.Mine, m) || m.Unread != 1 {
		t.Fatalf("%s %+v; want %+v", it.Addr, it.State.Mine, m)
	}
	_, err = phone.Read(t.Context(), "u/bob", 1) // moves nothing
	w.ok(err)
	phone.quiet(func(it Item) bool { // behind messages that it has not taken yet it is told what it was answered
		return isState(it) && (it.State.Mine == nil || !reflect.DeepEqual(*it.State.Mine, m))
	})
	laptop.quiet(isState)
}

// Who has taken all there is knows from the answer, and is not told again.
func TestReadIsNotToldTwice(t *testing.T) {
	w := newWorld(t, Config{})
	phone := w.login("ann", "phone")
	w.say("bob", "u/ann", "1")
	phone.until(says("1"))
	_, err := phone.Read(t.Context(), "u/bob", 1)
	w.ok(err)
	phone.quiet(isState)
}

// The read marks of a small group are told together, once a second, each as it is by
// then.
func TestReadersOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		var members []im.UserID
		for i := range 50 {
			members = append(members, im.UserID(fmt.Sprintf("u%02d", i)))
		}
		g := w.group("ann", members...)
		ann := w.login("ann", "phone")
		for range 3 {
			w.say("u00", g, "x")
		}
		synctest.Wait()
		for seq := range im.Seq(4) {
			for _, u := range members {
				_, err := w.as(u).Read(t.Context(), g, seq+1)
				w.ok(err)
			}
		}
		began := time.Now()
		it := ann.until(isReaders)
		if d := time.Since(began); d != readersEvery {
			t.Fatalf("told after %v", d)
		}
		if len(it.State.Readers) != 49 { // u00's cursor moved by sending
			t.Fatalf("%d readers", len(it.State.Readers))
		}
		for _, r := range it.State.Readers {
			if r.Read != 4 {
				t.Fatalf("%+v", r)
			}
		}
		ann.quiet(isReaders)
	})
}

func TestReadersOfALargeGroupAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		var members []im.UserID
		for i := range readersGroup { // and ann
			members = append(members, im.UserID(fmt.Sprintf("u%03d", i)))
		}
		g := w.group("ann", members...)
		ann := w.login("ann", "phone")
		_, err := w.as("u001").Read(t.Context(), g, 0)
		w.ok(err)
		time.Sleep(3 * readersEvery)
		synctest.Wait()
		ann.quiet(isReaders)
	})
}

func TestChangesAreTold(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	seq := w.say("ann", g, "1")
	secret := w.say("ann", g, "2", func(m *im.Message) { m.To = []im.UserID{"bob"} })
	phone, laptop := w.login("ann", "phone"), w.login("ann", "laptop")
	bob, eve := w.login("bob", "phone"), w.login("eve", "phone")
	_, err := phone.Edit(t.Context(), EditRequest{Conv: g, Seq: seq, ID: "e1", Body: []byte("one")})
	w.ok(err)
	_, err = phone.Edit(t.Context(), EditRequest{Conv: g, Seq: secret, ID: "e2", Body: []byte("two")})
	w.ok(err)
	for _, c := range []*client{laptop, bob} {
		for i, want := range []string{"one", "two"} {
			it := c.until(isChange)
			ch := it.Change
			if it.Addr != g || it.Ver != im.Ver(i+1) || ch.Ver != it.Ver || ch.Kind != im.Edit || ch.By != "ann" || ch.Device != "phone" ||
				ch.ID != im.ClientID("e"+fmt.Sprint(i+1)) || ch.Time == 0 || string(ch.Msg.Body) != want || ch.Msg.Ver != it.Ver {
				t.Fatalf("%s is told %+v of %+v", c.user, ch, ch.Msg)
			}
		}
	}
	it := eve.until(isChange)
	if string(it.Change.Msg.Body) != "one" {
		t.Fatalf("%+v", it.Change.Msg)
	}
	if it := eve.next(); it.Ver != 2 || it.Change != nil || it.Msg != nil {
		t.Fatalf("eve is told %+v; want that 2 is settled", it.Event)
	}
	phone.quiet(isChange)
}

func TestBlocksAreTold(t *testing.T) {
	w := newWorld(t, Config{})
	phone, laptop, bob := w.login("ann", "phone"), w.login("ann", "laptop"), w.login("bob", "phone")
	w.ok(phone.Block(t.Context(), "bob"))
	w.ok(phone.Unblock(t.Context(), "bob"))
	for i, kind := range []im.ChangeKind{im.BlockAdded, im.BlockRemoved} {
		it := laptop.until(isChange)
		if it.Addr != im.Me || it.Ver != im.Ver(i+1) || it.Change.Kind != kind || it.Change.Peer != "bob" || it.Change.Device != "phone" {
			t.Fatalf("%+v", it.Change)
		}
	}
	phone.quiet(isChange)
	bob.quiet(isChange)
}

func TestMembershipIsTold(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob, eve := w.login("ann", "phone"), w.login("bob", "phone"), w.login("eve", "phone")
	isMsg := func(it Item) bool { return it.Msg != nil }
	g, err := ann.GroupCreate(t.Context(), NewGroup{Members: []im.UserID{"bob"}})
	w.ok(err)
	addr := im.GroupAddress(g.ID)
	if it := bob.until(isMsg); it.Addr != addr || it.Msg.Type != GroupType || it.Seq != 1 {
		t.Fatalf("%+v", it.Event)
	}
	_, err = ann.GroupAdd(t.Context(), addr, []im.UserID{"eve"})
	w.ok(err)
	for _, c := range []*client{bob, eve} {
		if it := c.until(isMsg); it.Addr != addr || it.Seq != 2 {
			t.Fatalf("%+v", it.Event)
		}
	}
	_, err = ann.GroupRemove(t.Context(), addr, []im.UserID{"eve"})
	w.ok(err)
	w.from(ann.Session, addr, "without eve")
	if it := eve.until(isState); it.Addr != addr || it.State.Mine == nil || !it.State.Mine.Left || it.State.Mine.Role != im.NoRole {
		t.Fatalf("%+v", it.State)
	}
	eve.quiet(func(it Item) bool { return it.Addr == addr && it.Msg != nil })
}

// The store is found to be put back: all sessions end before anything is answered.
func TestNewEpochEndsAllSessions(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	w.from(bob.Session, "u/ann", "1")
	_, err := ann.Sync(t.Context(), SyncQuery{Token: w.c.seal("ann", syncToken{epoch: w.st.Epoch(), pos: 1 << 40})})
	w.ok(err)
	for _, c := range []*client{ann, bob} {
		select {
		case e := <-c.ended:
			if e.Resumable {
				t.Fatalf("%+v", e)
			}
		default:
			t.Fatalf("%s has not ended", c.user)
		}
	}
	if again := w.login("ann", "phone", func(l *Login) { l.Resume = ann.ID() }); again.Resumed() {
		t.Fatal("a session of the old epoch is resumed")
	}
}

// Where more moves than is kept to be told, the user is asked to sync.
func TestWhatIsTooMuchToTell(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone")
	tells := &w.c.tells
	tells.mu.Lock()
	for i := range maxMoved {
		tells.moved[movedKey{"nobody", im.ConvID(i)}] = moved{mine: true}
	}
	tells.mu.Unlock()
	w.c.mineMoved("ann", 1, nil)
	if it := ann.next(); !it.Sync {
		t.Fatalf("%+v", it.Event)
	}
	for i := range maxReaders + 10 {
		w.c.readerMoved(im.ConvID(i), "nobody")
	}
	tells.mu.Lock()
	defer tells.mu.Unlock()
	if len(tells.moved) > maxMoved || tells.count > maxReaders {
		t.Fatalf("%d, %d are kept", len(tells.moved), tells.count)
	}
}
