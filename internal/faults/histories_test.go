package faults

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// cable is a way to a server that can be cut and mended.
type cable struct {
	l  net.Listener
	to string

	mu    sync.Mutex
	cut   bool                  // guarded by mu
	conns map[net.Conn]struct{} // guarded by mu: both ends of all links
	done  sync.WaitGroup
}

func newCable(t testing.TB, to string) *cable {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{l: l, to: to, conns: map[net.Conn]struct{}{}}
	c.done.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			c.done.Go(func() { c.carry(a) })
		}
	})
	return c
}

func (c *cable) carry(a net.Conn) {
	defer a.Close()
	b, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer b.Close()
	c.mu.Lock()
	if c.cut {
		c.mu.Unlock()
		return
	}
	c.conns[a], c.conns[b] = struct{}{}, struct{}{}
	c.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { io.Copy(a, b); a.Close() })
	both.Go(func() { io.Copy(b, a); b.Close() })
	both.Wait()
	c.mu.Lock()
	delete(c.conns, a)
	delete(c.conns, b)
	c.mu.Unlock()
}

// set cuts it, or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut = cut; cut {
		for nc := range c.conns {
			nc.Close()
		}
	}
}

func (c *cable) close() {
	c.l.Close()
	c.set(true)
	c.done.Wait()
}

// device is one of a user's, with what an application on it would show.
type device struct {
	user  *human
	c     *client.Client
	way   *cable
	cut   bool
	sends []*client.Pending // not waited for yet

	mu   sync.Mutex
	mine map[string]client.Mine // guarded by mu: as it was told last
}

func (d *device) event(e client.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case e.Kind == client.EventConversation:
		d.mine[e.Conv] = e.Conversation.Mine
	case e.Kind == client.EventInfo && e.Info.Mine != nil:
		d.mine[e.Conv] = *e.Info.Mine
	case e.Kind == client.EventLeft:
		delete(d.mine, e.Conv)
	}
}

type human struct {
	name    string
	devices []*device
}

// said is a message of the model.
type said struct {
	seq               uint64
	sender, text      string
	named             []string
	to                []string
	recalled, deleted bool
}

// talk is a conversation of the model: what has been said, and what each user has of it.
type talk struct {
	addr func(u string) string
	said []*said
	in   map[string]uint64          // user -> the first number he sees
	read map[string]uint64          // user -> his mark
	gone map[string]map[uint64]bool // user -> deleted for him alone
}

func (k *talk) sees(u string, m *said) bool {
	return m.seq >= k.in[u] && !m.deleted && !k.gone[u][m.seq] && (m.to == nil || m.sender == u || slices.Contains(m.to, u))
}

// shows is what u's devices are to show, and count.
func (k *talk) shows(u string) (lines []string, unread, mentions uint64) {
	slices.SortFunc(k.said, func(a, b *said) int { return int(a.seq) - int(b.seq) })
	for _, m := range k.said {
		if !k.sees(u, m) {
			continue
		}
		if m.recalled {
			lines = append(lines, fmt.Sprintf("#%d (recalled)", m.seq))
			continue
		}
		lines = append(lines, fmt.Sprintf("#%d %s", m.seq, m.text))
		if m.seq > k.read[u] {
			unread++
			if slices.Contains(m.named, u) {
				mentions++
			}
		}
	}
	return lines, unread, mentions
}

// TestF6_Histories draws histories of sends, reads, recalls, edits, deletions, joins and
// leaves on two devices of each of three users, whose links are cut and mended. In the
// end every device shows what the model says: messages, order, unread, mentions, badge.
func TestF6_Histories(t *testing.T) {
	p := start(t, t.TempDir()+"/data", "")
	round := 0
	checks := "8"
	if testkit.Soak(t) {
		checks = "200"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		round++
		histories(t, r, p, fmt.Sprintf("h%d-", round))
	})
}

func histories(t *testing.T, r *rapid.T, p *program, prefix string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var users []*human
	for i := range 3 {
		h := &human{name: fmt.Sprintf("%su%d", prefix, i)}
		users = append(users, h)
		for j := range 2 {
			d := &device{user: h, way: newCable(t, p.tcp), mine: map[string]client.Mine{}}
			c, err := client.New(client.Options{
				Endpoints: []string{"tcp://" + d.way.l.Addr().String()}, Device: client.Device{ID: fmt.Sprint("d", j), Class: "phone"},
				Token: func(context.Context) (string, error) { return token(p.secret, h.name), nil },
				Keep:  10_000, OnEvent: d.event,
			})
			if err != nil {
				r.Fatal(err)
			}
			d.c = c
			if err := c.Start(); err != nil {
				r.Fatal(err)
			}
			defer func() {
				c.Close()
				d.way.close()
			}()
			h.devices = append(h.devices, d)
		}
	}
	must := func(what string, err error) {
		if err != nil {
			r.Fatalf("%s: %v", what, err)
		}
	}
	a, b, c := users[0], users[1], users[2]
	g, _, err := a.devices[0].c.GroupCreate(ctx, client.NewGroup{Name: "g", Join: wire.JoinOpen, Members: []string{b.name, c.name}})
	must("group", err)
	group := &talk{addr: func(string) string { return g }, in: map[string]uint64{}, read: map[string]uint64{}, gone: map[string]map[uint64]bool{}}
	direct := &talk{addr: func(u string) string {
		if u == a.name {
			return "u/" + b.name
		}
		return "u/" + a.name
	}, in: map[string]uint64{a.name: 1, b.name: 1}, read: map[string]uint64{}, gone: map[string]map[uint64]bool{}}
	for _, h := range users {
		for _, k := range []*talk{group, direct} {
			k.gone[h.name] = map[uint64]bool{}
		}
		row, err := h.devices[0].c.Conversation(ctx, g)
		must("row", err)
		group.in[h.name], group.read[h.name] = row.Mine.From, row.Mine.Read
	}
	settle := func(d *device) { // what a device has sent is said once it is online
		for _, q := range d.sends {
			sent, err := q.Wait(ctx)
			must("a send that waited", err)
			for _, k := range []*talk{group, direct} {
				for _, m := range k.said {
					if m.seq == 0 && m.text == sent.ID {
						m.seq = sent.Seq
						k.read[d.user.name] = max(k.read[d.user.name], sent.Seq)
					}
				}
			}
		}
		d.sends = nil
	}
	mend := func(d *device) {
		if d.cut {
			d.cut = false
			d.way.set(false)
			d.c.NetworkChanged("", "")
		}
		settle(d)
	}
	n := 0
	for range rapid.IntRange(15, 50).Draw(r, "steps") {
		h := users[rapid.IntRange(0, 2).Draw(r, "user")]
		d := h.devices[rapid.IntRange(0, 1).Draw(r, "device")]
		u := h.name
		k := group
		if h != c && rapid.Bool().Draw(r, "direct") {
			k = direct
		}
		conv := k.addr(u)
		what := rapid.SampledFrom([]string{"send", "send", "send", "send", "name", "some", "read", "read", "recall", "edit", "delete", "delete for all", "join", "leave", "cut", "mend"}).Draw(r, "what")
		switch what {
		case "cut":
			if d.cut {
				continue
			}
			settle(d) // else a send may have got through or not
			d.cut = true
			d.way.set(true)
			continue
		case "mend":
			mend(d)
			continue
		case "join":
			if k == group && k.in[u] == 0 {
				mend(d)
				must("join", d.c.Join(ctx, g))
				row, err := d.c.Conversation(ctx, g)
				must("row", err)
				k.in[u] = row.Mine.From
				k.read[u] = max(k.read[u], row.Mine.Read)
			}
			continue
		case "leave":
			if k == group && k.in[u] != 0 && h != a {
				for _, d := range h.devices {
					mend(d) // what waits there could not be sent any more
				}
				must("leave", d.c.Leave(ctx, g))
				k.in[u] = 0
			}
			continue
		}
		if k.in[u] == 0 {
			continue
		}
		switch what {
		case "send", "name", "some":
			n++
			m := &said{sender: u, text: fmt.Sprintf("%st%d", prefix, n)}
			out := client.Text(m.text)
			out.ID = m.text
			if what == "name" {
				m.named = []string{users[rapid.IntRange(0, 2).Draw(r, "named")].name}
				if m.named[0] == u {
					m.named = nil
				}
				out.Mentions = m.named
			}
			if what == "some" && k == group {
				m.to = []string{users[rapid.IntRange(0, 2).Draw(r, "to")].name}
				out.To = m.to
			}
			for _, other := range h.devices { // one device's sends keep their order; those of two have none
				if other != d && len(other.sends) > 0 {
					mend(other)
				}
			}
			q, err := d.c.Send(ctx, conv, out)
			must("send", err)
			k.said = append(k.said, m)
			d.sends = append(d.sends, q)
			if !d.cut {
				settle(d)
			}
		case "read":
			mend(d)
			row, err := d.c.Read(ctx, conv, 0)
			if err != nil && !slices.ContainsFunc(k.said, func(m *said) bool { return m.seq != 0 }) {
				continue // nothing was said there yet, but what waits on a device
			}
			must("read", err)
			k.read[u] = max(k.read[u], row.Read)
		default: // of a message
			var of []*said
			for _, m := range k.said {
				if m.seq != 0 && k.sees(u, m) && !m.recalled && (what == "delete" || m.sender == u) {
					of = append(of, m)
				}
			}
			if len(of) == 0 {
				continue
			}
			m := of[rapid.IntRange(0, len(of)-1).Draw(r, "which")]
			mend(d)
			switch what {
			case "recall":
				_, err := d.c.Recall(ctx, conv, m.seq)
				must("recall", err)
				m.recalled = true
			case "edit":
				m.text += "!"
				_, err := d.c.Edit(ctx, conv, m.seq, client.Text(m.text))
				must("edit", err)
			case "delete":
				_, err := d.c.Delete(ctx, conv, m.seq)
				must("delete", err)
				k.gone[u][m.seq] = true
			case "delete for all":
				_, err := d.c.DeleteForAll(ctx, conv, m.seq)
				must("delete for all", err)
				m.deleted = true
			}
		}
	}
	for _, h := range users {
		for _, d := range h.devices {
			mend(d)
		}
	}
	for _, h := range users {
		for _, d := range h.devices {
			for _, k := range []*talk{group, direct} {
				if k.in[h.name] != 0 && len(k.said) > 0 {
					d.ends(r, k)
				}
			}
		}
	}
}

// ends waits until the device shows what the model says.
func (d *device) ends(r *rapid.T, k *talk) {
	u := d.user.name
	conv := k.addr(u)
	want, unread, mentions := k.shows(u)
	var got []string
	var mine client.Mine
	for end := time.Now().Add(limit); ; time.Sleep(2 * time.Millisecond) {
		got = nil
		kept := d.c.Kept(conv, nil, 10_000)
		slices.SortFunc(kept, func(a, b *client.Message) int { return int(a.Seq) - int(b.Seq) })
		for _, m := range kept {
			switch {
			case m.Type != client.TypeText && !m.Recalled || strings.HasPrefix(m.Type, "an:group"):
			case m.Recalled:
				got = append(got, fmt.Sprintf("#%d (recalled)", m.Seq))
			default:
				got = append(got, fmt.Sprintf("#%d %s", m.Seq, m.Text()))
			}
		}
		d.mu.Lock()
		mine = d.mine[conv]
		d.mu.Unlock()
		if slices.Equal(got, want) && mine.Unread == unread && mine.Mentions == mentions {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if row, err := d.c.Conversation(ctx, conv); err == nil {
		want = append(want, fmt.Sprintf("(the server: unread %d, mentions %d, read %d, gone %v)", row.Mine.Unread, row.Mine.Mentions, row.Mine.Read, row.Mine.Gone))
	}
	r.Fatalf("a device of %s (%+v) shows of %s:\n%s\nunread %d, mentions %d (read %d)\nand the model:\n%s\nunread %d, mentions %d (read %d)", u, d.c.State(), conv,
		strings.Join(got, "\n"), mine.Unread, mine.Mentions, mine.Read, strings.Join(want, "\n"), unread, mentions, k.read[u])
}
