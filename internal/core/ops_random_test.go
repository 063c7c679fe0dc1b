package core

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
)

// mirror is a device that keeps what it is told of some conversations: messages by
// number, as a client does.
type mirror struct {
	c     *client
	user  im.UserID
	name  im.DeviceID
	convs map[im.Address]*mirrored
}

type mirrored struct {
	seq  im.Seq
	ver  im.Ver
	msgs map[im.Seq]*im.Message
	gone map[im.Seq]im.Ver // deleted or burnt, by which change
}

func (d *mirror) at(conv im.Address) *mirrored {
	m := d.convs[conv]
	if m == nil {
		m = &mirrored{msgs: map[im.Seq]*im.Message{}, gone: map[im.Seq]im.Ver{}}
		d.convs[conv] = m
	}
	return m
}

// put keeps m unless what is kept is as new.
func (x *mirrored) put(m *im.Message) {
	if have := x.msgs[m.Seq]; have != nil && have.Ver >= m.Ver || x.gone[m.Seq] > m.Ver {
		return
	}
	x.msgs[m.Seq] = m
}

func (x *mirrored) change(ch *im.Change) {
	x.ver = max(x.ver, ch.Ver)
	if ch.Msg != nil {
		x.put(ch.Msg)
		return
	}
	x.gone[ch.Seq] = max(x.gone[ch.Seq], ch.Ver)
	if have := x.msgs[ch.Seq]; have != nil && have.Ver <= ch.Ver {
		delete(x.msgs, ch.Seq)
	}
}

// take applies an event.
func (d *mirror) take(it Item) {
	x := d.at(it.Addr)
	switch {
	case it.Msg != nil && it.Seq != 0:
		x.seq = max(x.seq, it.Seq)
		x.put(it.Msg)
	case it.Hidden:
		x.seq = max(x.seq, it.Seq)
	case it.Change != nil:
		x.change(it.Change)
	case it.Ver != 0:
		x.ver = max(x.ver, it.Ver)
	}
}

// catchUp reads what a device that was away lacks.
func (d *mirror) catchUp(w *world, convs []im.Address) {
	for _, conv := range convs {
		x := d.at(conv)
		for more := true; more; {
			log, err := d.c.Changes(w.Context(), conv, x.ver+1, 3)
			if im.IsKind(err, im.NotFound) { // nobody has begun it
				return
			}
			w.ok(err)
			for i := range log.Changes {
				x.change(&log.Changes[i])
			}
			x.ver, more = max(x.ver, log.To), log.More
		}
		for {
			r, head, err := d.c.Page(w.Context(), PageQuery{Conv: conv, From: x.seq + 1, Limit: 7})
			w.ok(err)
			for _, m := range r.Messages {
				x.put(m)
			}
			if x.seq = max(x.seq, r.To); x.seq >= head.Seq {
				break
			}
		}
	}
}

// Whatever people do with messages, in whatever order and on whatever devices, each
// device ends with the messages that the server shows its user, as they are: what it
// was told live and what it caught up with after being away come to the same.
func TestDevicesEndAlike(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := newClock()
		w := newWorld(t, Config{Clock: clock.Now, MembersPin: true})
		defer w.c.Close()
		ctx := t.Context()
		g := w.group("ann", "bob", "cat")
		users := []im.UserID{"ann", "bob", "cat"}
		convsOf := map[im.UserID][]im.Address{"ann": {g, "u/bob"}, "bob": {g, "u/ann"}, "cat": {g}}
		var devices []*mirror
		for _, u := range users {
			for _, name := range []im.DeviceID{"phone", "web"} {
				devices = append(devices, &mirror{user: u, name: name, convs: map[im.Address]*mirrored{}})
			}
		}
		connect := func(d *mirror) {
			d.c = w.login(d.user, d.name)
			d.catchUp(w, convsOf[d.user])
		}
		for _, d := range devices {
			connect(d)
		}
		fine := func(err error) {
			switch e := im.AsError(err); {
			case e == nil, e.Kind == im.NotFound, e.Kind == im.Denied, e.Kind == im.Invalid, e.Kind == im.TooLarge:
			default:
				rt.Fatal(err)
			}
		}
		steps := rapid.IntRange(5, 60).Draw(rt, "steps")
		for i := range steps {
			u := rapid.SampledFrom(users).Draw(rt, "user")
			conv := rapid.SampledFrom(convsOf[u]).Draw(rt, "conv")
			s := w.as(u)
			n := im.Seq(rapid.IntRange(1, 12).Draw(rt, "number"))
			switch what := rapid.SampledFrom([]string{"say", "say", "to", "burn", "burn", "poll", "edit", "recall", "react", "unreact", "vote", "pin", "unpin", "expand",
				"delete", "hide", "restore", "read", "read", "later", "away", "back", "take"}).Draw(rt, "what"); what {
			case "say":
				w.say(u, conv, fmt.Sprint(i))
			case "to":
				if conv == g {
					w.say(u, conv, fmt.Sprint(i), func(m *im.Message) { m.To = []im.UserID{rapid.SampledFrom(users).Draw(rt, "to")} })
				}
			case "burn":
				if conv != g {
					w.say(u, conv, fmt.Sprint(i), func(m *im.Message) { m.Burn = 5 })
				}
			case "poll":
				w.say(u, conv, `{"options":[{"id":"a"},{"id":"b"}],"anonymous":true}`, asPoll)
			case "edit":
				_, err := s.Edit(ctx, EditRequest{Conv: conv, Seq: n, Body: fmt.Append(nil, "edit ", i)})
				fine(err)
			case "recall":
				_, err := s.Recall(ctx, RecallRequest{Conv: conv, Seq: n})
				fine(err)
			case "react", "unreact":
				q := ReactRequest{Conv: conv, Seq: n, Add: []string{"+"}}
				if what == "unreact" {
					q.Add, q.Remove = nil, q.Add
				}
				_, err := s.React(ctx, q)
				fine(err)
			case "vote":
				_, err := s.Vote(ctx, conv, n, []string{rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "option")}, "")
				fine(err)
			case "pin", "unpin":
				_, err := s.Pin(ctx, conv, n, what == "pin", "")
				fine(err)
			case "expand":
				_, err := s.Expand(ctx, ExpandRequest{Conv: conv, Seq: n, Set: []im.Pair{{Key: "k", Value: fmt.Sprint(i)}}})
				fine(err)
			case "delete":
				_, err := s.Delete(ctx, DeleteRequest{Conv: conv, Range: im.SeqRange{From: n, To: n + 1}, ForAll: true})
				fine(err)
			case "hide":
				_, err := s.Delete(ctx, DeleteRequest{Conv: conv, Seqs: []im.Seq{n}})
				fine(err)
			case "restore":
				_, err := s.Undelete(ctx, conv, []im.Seq{n})
				fine(err)
			case "read":
				_, err := s.Read(ctx, conv, 0)
				fine(err)
			case "later":
				clock.add(6000)
				w.c.sweepExpired(ctx)
			default:
				d := rapid.SampledFrom(devices).Draw(rt, "device")
				switch {
				case what == "away" && d.c != nil:
					d.c.Close()
					d.c = nil
				case what == "back" && d.c == nil:
					connect(d)
				case what == "take" && d.c != nil:
					d.c.quiet(func(it Item) bool { d.take(it); return false })
				}
			}
		}
		for _, d := range devices {
			if d.c == nil {
				connect(d)
			}
		}
		w.spreadAll()
		for _, d := range devices {
			d.c.quiet(func(it Item) bool { d.take(it); return false })
			for _, conv := range convsOf[d.user] {
				x := d.at(conv)
				r, head, err := d.c.Page(ctx, PageQuery{Conv: conv, Limit: maxPage})
				if im.IsKind(err, im.NotFound) {
					continue
				}
				w.ok(err)
				mine := w.mine(d.user, conv)
				shown := map[im.Seq]*im.Message{}
				for _, m := range r.Messages {
					shown[m.Seq] = m
				}
				for seq, m := range x.msgs { // what a client leaves out by itself
					if w.c.expired(m) || slices.ContainsFunc(mine.Gone, func(g im.SeqRange) bool { return g.From <= seq && seq <= g.To }) {
						delete(x.msgs, seq)
					}
				}
				if !reflect.DeepEqual(x.msgs, shown) {
					for seq := range head.Seq + 1 {
						if a, b := x.msgs[seq], shown[seq]; !reflect.DeepEqual(a, b) {
							t.Errorf("%s/%s, %s, message %d: has %+v, want %+v", d.user, d.name, conv, seq, a, b)
						}
					}
					rt.Fatal("a device ended otherwise")
				}
				if x.seq != head.Seq || x.ver != head.Ver {
					rt.Fatalf("%s/%s, %s: at %d, %d; the head is at %d, %d", d.user, d.name, conv, x.seq, x.ver, head.Seq, head.Ver)
				}
			}
		}
	})
}
