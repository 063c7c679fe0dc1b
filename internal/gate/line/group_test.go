package line_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/line"
	"github.com/anser-im/anser/internal/im"
)

// session signs in beside the line door.
func (h *house) session(user, device string) *core.Session {
	h.t.Helper()
	s, err := h.core.Login(context.Background(), core.Login{Token: h.token(user), Door: "native", Device: im.DeviceID(device),
		Wake: func() {}, Ended: func(core.End) {}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(s.Close)
	return s
}

// A signal has no push number: what comes with it is not taken for it.
func TestSignalsDoNotAcknowledge(t *testing.T) {
	h := newHouse(t, line.Config{})
	alice := h.session("alice", "phone")
	bob := h.login("bob")
	bob.type_("ACK ON")
	bob.want(`^\+OK`)
	for i := range 5 {
		send := func(text string) {
			s := &core.Send{To: "u/bob", Msg: &im.Message{ID: im.ClientID(text), Type: "an:text", Body: fmt.Appendf(nil, `{"content":%q}`, text)}}
			if err := alice.SendWait(context.Background(), s); err != nil {
				t.Fatal(err)
			}
		}
		alice.Signal("u/bob", im.Signal{Kind: "typing", TTL: int64(time.Second / time.Millisecond)})
		send(fmt.Sprint("m", i))
		bob.want(fmt.Sprint(`^<alice> m`, i))
	}
	bob.type_("QUIT")
	bob.want("goodbye")
	bob = h.connect()
	bob.type_("LOGIN " + h.token("bob"))
	bob.want(`5 unread: u/alice 5`)
	for i := range 5 {
		bob.want(fmt.Sprint(`^<alice> m`, i))
	}
}

// In a group the line says who speaks and where; WHO lists it; who is taken out is told.
func TestGroups(t *testing.T) {
	h := newHouse(t, line.Config{})
	alice := h.session("alice", "phone")
	ctx := context.Background()
	g, err := alice.GroupCreate(ctx, core.NewGroup{Name: "devs", Members: []im.UserID{"bob"}, Join: im.JoinOpen})
	if err != nil {
		t.Fatal(err)
	}
	addr := string(im.GroupAddress(g.ID))
	bob, carol := h.login("bob"), h.login("carol")
	bob.want(`alice made the group`)
	carol.type_("SEND " + addr + " hi")
	carol.want(`^-ERR 3004`)
	carol.type_("JOIN " + addr)
	for range 2 { // the answer and the news, in whatever order
		carol.want(`^\+OK joined ` + addr + `$|carol joined`)
	}
	bob.want(`carol joined`)
	carol.type_("TO " + addr)
	carol.want(`^\+OK talking to ` + addr)
	carol.type_("on it", ".")
	carol.want(`^\+OK ` + addr + `#\d+$`)
	carol.want(`^\+OK no longer`)
	bob.want(`^<` + addr + `/carol> on it$`)
	bob.type_("WHO " + addr)
	bob.want(`^\* alice \(owner\) online$`)
	bob.want(`^\* bob \(member\) online$`)
	bob.want(`^\* carol \(member\) online$`)
	bob.want(`^\+OK 3 members`)
	if _, err := alice.GroupRemove(ctx, im.Address(addr), []im.UserID{"bob"}); err != nil {
		t.Fatal(err)
	}
	for {
		l, err := bob.line()
		if err != nil {
			t.Fatal(err)
		}
		if l == "* you are no longer in "+addr {
			break
		}
	}
	bob.type_("HISTORY " + addr)
	bob.want(`^-ERR 3004`)
}

// A group so lively that only its head is told is fetched, and nothing is shown twice.
func TestLivelyGroup(t *testing.T) {
	h := newHouse(t, line.Config{MissedLines: 1000})
	alice := h.session("alice", "phone")
	ctx := context.Background()
	members := []im.UserID{"bob"}
	for i := range 600 {
		members = append(members, im.UserID(fmt.Sprint("m", i)))
	}
	g, err := alice.GroupCreate(ctx, core.NewGroup{Name: "crowd", Members: members})
	if err != nil {
		t.Fatal(err)
	}
	addr := im.GroupAddress(g.ID)
	bob := h.login("bob")
	bob.want(`alice made the group`)
	bob.want(`alice added`)
	stop := make(chan struct{})
	time.AfterFunc(7*time.Second, func() { close(stop) }) // lively is more than 20 messages a second for 5 s
	done := make(chan struct{})
	defer func() { <-done }()
	go func() {
		defer close(done)
		for n, ending := 1, false; !ending; n++ {
			select {
			case <-stop:
				ending = true
			case <-time.After(5 * time.Millisecond): // the pace of a lively group
			}
			text := fmt.Sprint("m", n)
			if ending {
				text += " end"
			}
			s := &core.Send{To: addr, Msg: &im.Message{ID: im.ClientID(fmt.Sprint(n)), Type: "an:text", Body: fmt.Appendf(nil, `{"content":%q}`, text)}}
			if err := alice.SendWait(ctx, s); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for last, ended := 0, false; !ended; {
		l, err := bob.line()
		if err != nil {
			t.Fatalf("after m%d: %v", last, err)
		}
		ended = strings.HasSuffix(l, " end")
		var m int
		if _, err := fmt.Sscanf(l, "<"+string(addr)+"/alice> m%d", &m); err != nil {
			t.Fatalf("%q after m%d", l, last)
		}
		if m != last+1 {
			t.Fatalf("m%d came after m%d", m, last)
		}
		last = m
	}
}
