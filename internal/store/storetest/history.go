package storetest

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/memstore"
)

// testHistory gives a store and the model the same random operations, in the same
// batches, and compares every outcome and all that readers can be told, after each
// batch, after reopening and after a power cut. A failure prints the seed to run it
// again with (-rapid.seed) and the shortest history that fails.
func testHistory(t *testing.T, open Open) {
	defer setFlag("rapid.checks", "100", map[bool]string{false: "40", true: "15"}[testing.Short()])()
	defer setFlag("rapid.nofailfile", "false", "true")()
	defer setFlag("rapid.shrinktime", "30s", "10s")()
	rapid.Check(t, func(r *rapid.T) {
		c := newClock()
		o := open(t, Options{Clock: c.Now, Small: true})
		h := &history{r: r, c: c, o: &o, real: o.Store, model: memstore.New(memstore.Config{Clock: c.Now}),
			lanes: map[string]*[2]store.Lane{}, rounds: map[string]uint32{}}
		defer func() {
			h.o.Store.Close()
			h.model.Close()
		}()
		r.Repeat(map[string]func(*rapid.T){
			"batch":  h.batch,
			"batch2": h.batch, // more often than the rest
			"batch3": h.batch,
			"batch4": h.batch,
			"sweep":  h.sweep,
			"reopen": h.reopen,
			"crash":  h.crash,
			"clock":  func(r *rapid.T) { c.advance(2 * time.Minute * time.Duration(rapid.IntRange(1, 30).Draw(r, "minutes"))) },
		})
		h.compare(r)
	})
}

// setFlag sets a flag that stands at its default and returns what puts it back.
func setFlag(name, normal, value string) (restore func()) {
	f := flag.Lookup(name)
	if f == nil || f.Value.String() != normal {
		return func() {}
	}
	flag.Set(name, value)
	return func() { flag.Set(name, normal) }
}

// history is one run of a store beside the model.
type history struct {
	r     *rapid.T
	c     *clock
	o     *Opened
	real  store.Store
	model *memstore.Store

	lanes   map[string]*[2]store.Lane // by sender and conversation: the model's and the store's
	rounds  map[string]uint32
	sends   int
	expired bool // something was swept: what the head says of the newest shown message may be gone
}

var (
	historyUsers  = []im.UserID{"a", "ab", "b", "用户", "49"}
	historyGroups = []im.GroupID{"g", "g2", "gg"}
)

// name is a conversation as both stores know it.
type name struct {
	a, b  im.UserID // a direct one
	line  string
	group im.GroupID
	self  im.UserID
}

func names() []name {
	var all []name
	for i, a := range historyUsers {
		for _, b := range historyUsers[i:] {
			all = append(all, name{a: a, b: b})
			if lined(a, b) {
				all = append(all, name{a: a, b: b, line: "line"})
			}
		}
		all = append(all, name{self: a})
	}
	for _, g := range historyGroups {
		all = append(all, name{group: g})
	}
	return all
}

// lined says whether two users have a business conversation too.
func lined(a, b im.UserID) bool { return a == "a" && b <= "ab" }

// in is the conversation's number in s; 0 if it is not there.
func (n name) in(s store.Store) im.ConvID {
	var id im.ConvID
	var err error
	switch {
	case n.self != "":
		id, _, err = s.Self(n.self)
	case n.group != "":
		id, _, err = s.Group(n.group)
	default:
		id, _, err = s.Direct(n.a, n.b, n.line)
	}
	if err != nil {
		panic(err)
	}
	return id
}

// batch submits some operations to both without waiting in between.
func (h *history) batch(r *rapid.T) {
	n := rapid.IntRange(1, 12).Draw(r, "operations")
	type step struct {
		what string
		ops  [2]store.Op
		done [2]func() error
	}
	var steps []step
	for range n {
		what, build := h.draw(r)
		if build == nil {
			continue
		}
		st := step{what: what}
		for i, s := range []store.Store{h.model, h.real} {
			st.ops[i] = build(s, i)
		}
		steps = append(steps, st)
	}
	for i := range steps {
		for j, s := range []store.Store{h.model, h.real} {
			steps[i].done[j] = start(s, steps[i].ops[j])
		}
	}
	for _, st := range steps {
		want, got := st.done[0](), st.done[1]()
		if class(want) != class(got) {
			r.Fatalf("%s: ended with %v, want %v", st.what, got, want)
		}
		if a, b := h.outcome(h.model, st.ops[0]), h.outcome(h.real, st.ops[1]); a != b {
			r.Fatalf("%s:\n  %s, want\n  %s", st.what, b, a)
		}
		if a, ok := st.ops[0].(*store.AppendOp); ok && a.Lane != nil && a.Err != nil {
			h.rounds[laneOf(a.Msg.Sender, st.what)]++
		}
	}
	h.compare(r)
}

func laneOf(u im.UserID, what string) string { return string(u) + strings.Fields(what)[1] }

// class is what errors are compared by.
func class(err error) string {
	if err == nil || err == store.ErrTurnedBack {
		return fmt.Sprint(err)
	}
	return im.AsError(err).Kind.String()
}

// outcome is an operation's out fields as text that means the same in both stores.
func (h *history) outcome(s store.Store, op store.Op) string {
	there := func(seq im.Seq, at im.ConvID) bool { _, ok, _ := s.Message(at, seq); return ok }
	switch o := op.(type) {
	case *store.AppendOp:
		if o.Dup && !there(o.Seq, o.At) { // time and n of what was swept need not be known
			return fmt.Sprintf("dup %d", o.Seq)
		}
		return fmt.Sprintf("made %v dup %v seq %d time %d n %d at %v; message %d %d %d %d", o.Made, o.Dup, o.Seq, o.Time, o.N, o.At != 0, o.Msg.Seq, o.Msg.N, o.Msg.NA, o.Msg.Time)
	case *store.KeptOp:
		return fmt.Sprintf("found %v seq %d", o.Found, o.Seq)
	case *store.ChangeOp:
		return fmt.Sprintf("ver %d dup %v added %q removed %q %s", o.Ver, o.Dup, o.Added, o.Removed, show(o.Msg))
	case *store.ReadOp:
		return fmt.Sprintf("moved %v read %d role %d mver %d from %d %s", o.Moved, o.Row.Read, o.Row.Role, o.Row.MVer, o.Row.From, own(&o.Row))
	case *store.SetOp:
		return fmt.Sprintf("moved %v read %d role %d mver %d %s", o.Moved, o.Row.Read, o.Row.Role, o.Row.MVer, own(&o.Row))
	case *store.NoteOp:
		return fmt.Sprintf("moved %v at %v change %d %d %s %s %q %q %d", o.Moved, o.At != 0, o.Change.Ver, o.Change.Kind, o.Change.By, o.Change.Device, o.Change.Key, o.Change.Value, o.Change.Time)
	case *store.MemberOp:
		if o.Dup {
			return fmt.Sprintf("dup %s", o.Group)
		}
		gone, added := slices.Sorted(slices.Values(o.Gone)), slices.Sorted(slices.Values(o.New))
		return fmt.Sprintf("group %s mver %d seq %d time %d gone %q new %q", o.Group, o.MVer, o.Seq, o.Time, gone, added)
	case *store.BlockOp:
		return fmt.Sprintf("moved %v change %d %d %s", o.Moved, o.Change.Ver, o.Change.Kind, o.Change.Peer)
	}
	return ""
}

// draw makes up an operation; build makes it for one of the stores. Guards and seen
// versions are those of the model now, and sometimes older ones.
func (h *history) draw(r *rapid.T) (what string, build func(s store.Store, i int) store.Op) {
	user := rapid.SampledFrom(historyUsers)
	u, peer := user.Draw(r, "user"), user.Draw(r, "peer")
	n := name{a: min(u, peer), b: max(u, peer)}
	if rapid.Bool().Draw(r, "in a group") {
		n = name{group: rapid.SampledFrom(historyGroups).Draw(r, "group")}
	} else if lined(n.a, n.b) && rapid.Bool().Draw(r, "line") {
		n.line = "line"
	}
	conv := n.in(h.model)
	head, _ := h.model.Head(conv)
	guard := head.MVer
	if guard > 0 && rapid.IntRange(0, 4).Draw(r, "old guard") == 0 {
		guard--
	}
	at := func(s store.Store) im.ConvID { // a number that no store has, rather than 0
		if id := n.in(s); id != 0 {
			return id
		}
		return 1 << 40
	}
	seq := im.Seq(1)
	if head.Seq > 0 {
		seq = im.Seq(rapid.Uint64Range(1, uint64(head.Seq)+1).Draw(r, "seq"))
	}
	body := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(r, "body")
	kind := rapid.SampledFrom([]string{"send", "send", "send", "send", "retry", "edit", "edit", "recall", "react", "react", "react", "pin", "expand", "delete", "delete", "restore", "restore", "burn", "read", "read", "set", "set", "note", "note", "timer", "member", "member", "group", "block", "put", "cursor", "delivered", "kept"}).Draw(r, "kind")
	what = fmt.Sprintf("%s %+v by %s, seq %d guard %d", kind, n, u, seq, guard)
	what = strings.ReplaceAll(what, fmt.Sprintf("%+v", n), strings.ReplaceAll(fmt.Sprintf("%+v", n), " ", "_"))
	switch kind {
	case "send", "retry":
		m := im.Message{Sender: u, Device: "d", Type: "an:text", Body: body,
			Flags: rapid.SampledFrom([]im.Flags{0, im.Persist, im.DefaultFlags, im.DefaultFlags}).Draw(r, "flags")}
		switch rapid.IntRange(0, 11).Draw(r, "extra") {
		case 0:
			m.Mentions = &im.Mentions{Users: []im.UserID{peer}}
		case 1:
			m.Mentions = &im.Mentions{All: true}
		case 2:
			m.To = []im.UserID{peer}
			if other := user.Draw(r, "and"); other != peer {
				m.To = append(m.To, other)
			}
		case 3:
			m.Expires = h.c.Now().Add(time.Duration(rapid.IntRange(1, 40).Draw(r, "expires"))*2*time.Minute + time.Second).UnixMilli()
		case 4:
			m.ReplyTo = seq
		case 5:
			m.Thread = seq
		case 6:
			m.ReplyTo, m.Thread = seq, seq
		case 7:
			m.Burn = 60
		}
		if rapid.IntRange(0, 5).Draw(r, "answers") == 0 { // few messages, so that much stands in one thread
			m.ReplyTo, m.Thread = im.Seq(rapid.IntRange(0, 2).Draw(r, "to")), im.Seq(rapid.IntRange(0, 2).Draw(r, "root"))
		}
		h.sends++
		m.ID = im.ClientID(fmt.Sprint("n", h.sends))
		if kind == "retry" {
			m.ID = im.ClientID(fmt.Sprint("n", max(1, h.sends-rapid.IntRange(1, 20).Draw(r, "back"))))
		}
		m2 := m
		hash := uint64(1 + rapid.IntRange(0, 8).Draw(r, "other hash")/8)
		blocked, _ := h.model.Blocked(peer, u)
		if rapid.IntRange(0, 9).Draw(r, "blind") == 0 {
			blocked = !blocked
		}
		laned, read := rapid.Bool().Draw(r, "lane"), rapid.Bool().Draw(r, "moves cursor")
		byPeer := n.group == "" && (conv == 0 || rapid.Bool().Draw(r, "by peer"))
		return what, func(s store.Store, i int) store.Op {
			op := &store.AppendOp{Guard: guard, Msg: []*im.Message{&m, &m2}[i], Hash: hash, Read: read}
			if byPeer {
				op.Peer, op.Blocked, op.Line = peer, blocked, n.line
			} else {
				op.Conv = at(s)
			}
			if laned {
				k := laneOf(u, what)
				if h.lanes[k] == nil {
					h.lanes[k] = &[2]store.Lane{}
				}
				op.Lane, op.Round = &h.lanes[k][i], 1+h.rounds[k]
			}
			return op
		}
	case "edit", "recall":
		m, _, _ := h.model.Message(conv, seq)
		op := store.ChangeOp{Seq: seq, Guard: guard, Kind: im.Recall, By: u, Device: "d", Hash: 10}
		if m != nil {
			op.Seen = m.Ver
		}
		if rapid.IntRange(0, 5).Draw(r, "stale") == 0 {
			op.Seen++
		}
		if id := rapid.IntRange(0, 12).Draw(r, "id"); id > 0 {
			op.ID = im.ClientID(fmt.Sprint("c", id)) // often used before
		}
		if kind == "edit" {
			op.Kind, op.Body, op.Digest, op.Hash = im.Edit, body, "d", 20
			if rapid.Bool().Draw(r, "mentions") {
				op.Mentions = &im.Mentions{Users: []im.UserID{peer}, All: m != nil && m.Mentions != nil && m.Mentions.All}
			}
		}
		return what, func(s store.Store, i int) store.Op {
			c := op
			c.Conv = at(s)
			return &c
		}
	case "react", "pin", "expand", "delete", "restore", "burn":
		op := h.part(r, kind, conv, seq, guard, u)
		return what, func(s store.Store, i int) store.Op {
			c := op
			c.Conv = at(s)
			return &c
		}
	case "set":
		op := h.set(r, conv, head, u)
		return what, func(s store.Store, i int) store.Op {
			c := op
			c.Conv = at(s)
			return &c
		}
	case "note":
		op := h.noteOp(r, u, body)
		return what, func(s store.Store, i int) store.Op {
			c := op
			return &c
		}
	case "timer":
		op := store.PutOp{Records: []store.Record{h.timer(r, u), h.timer(r, peer)}}
		return what, func(s store.Store, i int) store.Op {
			c := op
			return &c
		}
	case "read":
		return what, func(s store.Store, i int) store.Op {
			return &store.ReadOp{Conv: at(s), User: u, Seq: seq}
		}
	case "member":
		op := store.MemberOp{Guard: guard, By: u}
		for range rapid.IntRange(1, 3).Draw(r, "roles") {
			set := store.RoleSet{User: user.Draw(r, "who"), Role: im.Role(rapid.IntRange(0, 3).Draw(r, "role"))}
			if rapid.IntRange(0, 2).Draw(r, "nick") == 0 {
				nick, until := rapid.SampledFrom([]string{"", "nick"}).Draw(r, "name"), int64(rapid.IntRange(0, 1).Draw(r, "muted"))
				set.Nick, set.Muted = &nick, &until
			}
			if !slices.ContainsFunc(op.Set, func(x store.RoleSet) bool { return x.User == set.User }) {
				op.Set = append(op.Set, set)
			}
		}
		said, history := rapid.Bool().Draw(r, "said"), rapid.IntRange(0, 5).Draw(r, "history")
		return what, func(s store.Store, i int) store.Op {
			c := op
			c.Conv = at(s)
			if said {
				c.Msg = &im.Message{Sender: u, Type: "an:group", Flags: im.Persist}
			}
			if history < 2 {
				c.Info = &im.GroupInfo{Name: fmt.Sprint("name ", history), History: im.HistoryMode(history), Mute: said}
			}
			return &c
		}
	case "group":
		g := rapid.SampledFrom(historyGroups).Draw(r, "made")
		id := im.ClientID(fmt.Sprint("m", rapid.IntRange(1, 4).Draw(r, "id")))
		return what, func(s store.Store, i int) store.Op {
			return &store.MemberOp{Info: &im.GroupInfo{ID: g, Name: string(g)}, By: u, ID: id, Hash: 1,
				Set: []store.RoleSet{{User: u, Role: im.Owner}}, Msg: &im.Message{Sender: u, Type: "an:group", Flags: im.Persist}}
		}
	case "block":
		on := rapid.Bool().Draw(r, "on")
		return what, func(s store.Store, i int) store.Op {
			return &store.BlockOp{User: u, Peer: peer, On: on, Device: "d"}
		}
	case "put":
		key := rapid.SampledFrom([]string{"", "k", "kk"}).Draw(r, "key")
		value, remove := slices.Clone(body), rapid.IntRange(0, 3).Draw(r, "remove") == 0
		expires := rapid.IntRange(0, 3).Draw(r, "expires")
		op := store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: u, Key: key, Value: value}}}
		if expires == 0 {
			op.Records[0].Expires = h.c.Now().Add(11*time.Minute + time.Second).UnixMilli()
		}
		if value == nil {
			op.Records[0].Value = []byte{}
		}
		if remove {
			op.Records[0].Value = nil
		}
		if rapid.Bool().Draw(r, "if") {
			have, _, _ := h.model.Get(store.SettingRecord, u, key)
			op.If = &store.Record{Kind: store.SettingRecord, User: u, Key: key, Value: have}
		}
		return what, func(s store.Store, i int) store.Op {
			c := op
			return &c
		}
	case "cursor":
		return what, func(s store.Store, i int) store.Op {
			c := n.in(h.model) // whatever the number is, it is the same in both
			return &store.CursorOp{User: u, Device: "d", Conv: c, Seq: seq}
		}
	case "kept":
		id := im.ClientID(fmt.Sprint("n", max(1, h.sends-rapid.IntRange(0, 20).Draw(r, "back"))))
		return what, func(s store.Store, i int) store.Op {
			return &store.KeptOp{Conv: at(s), Sender: u, ID: id, Hash: 1}
		}
	}
	// delivered is no operation
	if a, b := h.model.Delivered(conv, u, seq), h.real.Delivered(n.in(h.real), u, seq); a != b {
		r.Fatalf("%s: moved %v, want %v", what, b, a)
	}
	return what, nil
}

func (h *history) sweep(r *rapid.T) {
	p := store.SweepPolicy{Commands: time.Hour + time.Second, Changes: time.Hour + time.Second, Deleted: 2*time.Hour + time.Second, KeepNewest: rapid.IntRange(1, 5).Draw(r, "keep")}
	a, err := h.model.Sweep(context.Background(), h.c.Now(), p)
	if err != nil {
		r.Fatal(err)
	}
	b, err := h.real.Sweep(context.Background(), h.c.Now(), p)
	if err != nil || (a > 0) != (b > 0) {
		r.Fatalf("swept %d rows, want %d; %v", b, a, err)
	}
	h.expired = h.expired || a > 0
	h.compare(r)
}

func (h *history) reopen(r *rapid.T) {
	if h.o.Reopen == nil {
		r.Skip("cannot be reopened")
	}
	h.o.Store = h.o.Reopen()
	h.real = h.o.Store
	h.compare(r)
}

// crash cuts the power while nothing is under way: everything is there but delivered
// numbers that no commit took along.
func (h *history) crash(r *rapid.T) {
	if h.o.Crash == nil {
		r.Skip("cannot be crashed")
	}
	seed := rapid.Uint64().Draw(r, "seed")
	if err := do(h.real, &store.PutOp{Records: []store.Record{{Kind: store.SecretRecord, Key: "flush", Value: []byte("x")}}}); err != nil {
		r.Fatal(err) // takes delivered numbers along
	}
	x := h.o.Crash(rand.New(rand.NewPCG(seed, 1)))
	h.o.Store.Close()
	h.o, h.real = &x, x.Store
	h.compare(r)
}

// compare fails unless readers of both stores are told the same.
func (h *history) compare(r *rapid.T) {
	for _, n := range names() {
		want, got := h.conversation(h.model, n), h.conversation(h.real, n)
		if want != got {
			r.Fatalf("conversation %+v:\n%s", n, lineDiff(want, got))
		}
		h.page(r, n)
	}
	for _, u := range historyUsers {
		if want, got := h.user(h.model, u), h.user(h.real, u); want != got {
			r.Fatalf("user %s:\n%s", u, lineDiff(want, got))
		}
	}
	h.compareTimes(r)
}

// page compares a random page of both.
func (h *history) page(r *rapid.T, n name) {
	head, ok := h.model.Head(n.in(h.model))
	if !ok || head.Seq == 0 {
		return
	}
	q := store.PageQuery{From: im.Seq(rand.Uint64N(uint64(head.Seq) + 2)), Limit: 1 + rand.IntN(9), Backward: rand.IntN(2) == 0}
	q.To = q.From + im.Seq(rand.IntN(12))
	q.Conv = n.in(h.model)
	want, err := h.model.Page(q)
	if err != nil {
		r.Fatal(err)
	}
	q.Conv = n.in(h.real)
	got, err := h.real.Page(q)
	if err != nil {
		r.Fatal(err)
	}
	same := len(want.Messages) == len(got.Messages) && (want.From > want.To) == (got.From > got.To)
	for i := 0; same && i < len(want.Messages); i++ {
		same = differ(want.Messages[i], got.Messages[i]) == ""
	}
	// what a page covers beyond its last message it may say or leave for the next
	if q.Backward {
		same = same && (got.From > got.To || got.To == want.To && got.From <= max(want.From, 1))
	} else {
		same = same && (got.From > got.To || max(got.From, 1) == want.From && got.To >= want.To)
	}
	if !same {
		r.Fatalf("%+v of %+v:\n%s, want\n%s", q, n, showPage(got), showPage(want))
	}
}

func showPage(p store.Page) string {
	s := fmt.Sprintf("%d..%d", p.From, p.To)
	for _, m := range p.Messages {
		s += "\n  " + show(m)
	}
	return s
}

// conversation is all of one as text. Left out is what stores may have differently:
// numbers of conversations, positions, how ranges are cut.
func (h *history) conversation(s store.Store, n name) string {
	var b strings.Builder
	note := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	conv := n.in(s)
	head, ok := s.Head(conv)
	note("there %v", ok)
	if !ok {
		return b.String()
	}
	if head.Position > s.Position() {
		note("position of the head %d above the store's %d", head.Position, s.Position())
	}
	for i := range head.Sides {
		head.Sides[i].ReadN, head.Sides[i].ReadNA = 0, 0
	}
	if head.Kind != im.Self {
		note("members %d", head.Members)
	}
	note("kind %d seq %d ver %d mver %d n %d na %d time %d minver %d group %q closed %v settled %d line %q sides %+v", head.Kind,
		head.Seq, head.Ver, head.MVer, head.N, head.NA, head.Time, max(head.MinVer, 1), head.Group, head.Closed, head.Settled, head.Line, head.Sides)
	if !h.expired {
		note("last shown %d", head.LastShown)
	}
	for seq := im.Seq(0); seq <= head.Seq+1; seq++ {
		m, ok, err := s.Message(conv, seq)
		if err != nil {
			note("error %v", err)
		}
		if ok {
			note("%s", show(m))
			if seq < head.Min {
				note("below Min %d", head.Min)
			}
		}
	}
	changes, err := s.Changes(conv, 0, 1000)
	note("changes %v", err)
	for _, c := range changes {
		note("change %d %d %d %s %s %s %d %s %q %q %q %q: %s", c.Ver, c.Seq, c.Kind, c.By, c.Device, c.ID, c.Time, c.Peer, c.Added, c.Removed, c.Key, c.Value, show(c.Msg))
	}
	if info, ok, _ := s.Info(conv); ok {
		note("info %+v", info)
	}
	if n.self != "" {
		return b.String()
	}
	h.parts(s, head, note)
	h.rows(s, conv, note)
	members, err := s.Members(conv, "a", 3)
	note("members %v", err)
	for _, r := range members {
		note("member %s %d", r.User, r.Role)
	}
	for _, u := range historyUsers {
		r, ok, err := s.Row(conv, u)
		note("row of %s: %v %v", u, ok, err)
		if !ok {
			continue
		}
		unread, all := head.Unread(&r)
		note("role %d mver %d from %d n %d na %d read %d %s", r.Role, r.MVer, r.From, r.FromN, r.FromNA, r.Read, own(&r))
		if r.In() {
			note("unread %d all %d", unread, all)
			seqs, err := s.Mentions(u, conv, im.Seq(len(u)), 5)
			count, _ := s.CountMentions(u, conv)
			note("mentions %v %d %v", seqs, count, err)
		}
	}
	return b.String()
}

// user is all of one as text.
func (h *history) user(s store.Store, u im.UserID) string {
	var b strings.Builder
	note := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	known := map[im.ConvID]string{}
	for _, n := range names() {
		if id := n.in(s); id != 0 {
			known[id] = fmt.Sprintf("%+v", n)
		}
	}
	rows, err := s.Rows(u, 0, 100)
	note("rows %v", err)
	if !slices.IsSortedFunc(rows, func(a, b store.Row) int { return cmp.Compare(a.Conv, b.Conv) }) {
		note("rows are not in order")
	}
	var lines []string
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("row %s %s %d %d %d %s", known[r.Conv], r.User, r.Role, r.MVer, r.Read, own(&r)))
	}
	slices.Sort(lines)
	note("%s", strings.Join(lines, "\n"))
	blocks, err := s.Blocks(u, "a", 10)
	note("blocks %q %v", blocks, err)
	records, err := s.List(store.SettingRecord, u, "", 10)
	note("records %v", err)
	for _, r := range records {
		note("record %q %q %d", r.Key, r.Value, r.Expires)
	}
	h.notes(s, u, note)
	for id := im.ConvID(0); id < 30; id++ {
		seq, err := s.Cursor(u, "d", id)
		note("cursor %d %v", seq, err)
	}
	return b.String()
}
