package client

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever comes in whatever order, as often as it likes: every visible number comes out
// once, ascending, when what is missing is paged in; and a convo read back from its
// record goes on from there.
func TestConvoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := uint64(rapid.IntRange(1, 60).Draw(t, "numbers"))
		hidden := map[uint64]bool{}
		for i := range n {
			hidden[i+1] = rapid.IntRange(0, 4).Draw(t, "hidden") == 0
		}
		own := map[uint64]bool{} // accepted sends of this device: settled, not given
		c := newConvo("u/bob")
		c.met = rapid.Bool().Draw(t, "met")
		var got []uint64
		out := func(m *Message) { got = append(got, m.Seq) }
		msg := func(seq uint64) *Message { return &Message{Seq: seq} }
		page := func(from, to uint64) {
			var in []*Message
			for s := from; s <= to; s++ {
				if !hidden[s] {
					in = append(in, msg(s))
				}
			}
			c.page(from, to, in, out)
		}
		given := func(s uint64) bool { return slices.Contains(got, s) }
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			s := rapid.Uint64Range(1, n).Draw(t, "seq")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				if hidden[s] {
					c.settle(s, out)
				} else {
					c.message(msg(s), out)
				}
			case 1:
				page(s, min(n, s+rapid.Uint64Range(0, 10).Draw(t, "more")))
			case 2:
				if !hidden[s] && !given(s) && c.held[s] == nil {
					own[s] = true
					c.settle(s, out)
				}
			case 3:
				c.head = max(c.head, s)
			case 4:
				b := c.record()
				back, err := readConvo(c.addr, b)
				if err != nil {
					t.Fatal(err)
				}
				if back.done != c.done || back.met != c.met {
					t.Fatalf("%+v became %+v", c, back)
				}
				c = back
			}
		}
		c.met = true
		c.head = n
		c.advance(out)
		for tries := 0; ; tries++ {
			g, ok := c.gap()
			if !ok {
				break
			}
			if g.from > g.to || g.to > n || tries > 200 {
				t.Fatalf("gap %v of %+v", g, c)
			}
			page(g.from, min(g.to, g.from+6))
		}
		var want []uint64
		for s := uint64(1); s <= n; s++ {
			if !hidden[s] && !own[s] {
				want = append(want, s)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("given %v, want %v (own %v)", got, want, own)
		}
		if c.done != n || len(c.held) != 0 || len(c.covered) != 0 || c.heldB != 0 {
			t.Fatalf("left over: %+v", c)
		}
	})
}

func TestConvoHoldsSoMuch(t *testing.T) {
	c := newConvo("u/bob")
	c.met, c.head = true, 1
	var got []uint64
	out := func(m *Message) { got = append(got, m.Seq) }
	for s := uint64(2); s < 3000; s++ {
		c.message(&Message{Seq: s}, out)
	}
	if len(c.held) > maxHeld || len(got) > 0 {
		t.Fatalf("%d held, %d given", len(c.held), len(got))
	}
	for rounds := 0; ; rounds++ {
		g, ok := c.gap()
		if !ok {
			break
		}
		if rounds > 100 {
			t.Fatal("no end")
		}
		var in []*Message
		to := min(g.to, g.from+199)
		for s := g.from; s <= to; s++ {
			in = append(in, &Message{Seq: s})
		}
		c.page(g.from, to, in, out)
	}
	if len(got) != 2999 || !slices.IsSorted(got) {
		t.Errorf("%d given", len(got))
	}

	// In bytes and in spans, too.
	c = newConvo("u/bob")
	c.met = true
	for s := uint64(2); s < 200; s++ {
		c.message(&Message{Seq: s, Body: make([]byte, 128<<10)}, out)
	}
	if c.heldB > maxHeldB || len(c.held) < 10 {
		t.Errorf("%d bytes of %d messages held", c.heldB, len(c.held))
	}
	c = newConvo("u/bob")
	c.met = true
	for s := uint64(2); s < 10_000; s += 2 {
		c.settle(s, out)
		c.page(s, s, nil, out)
	}
	if len(c.covered) > maxSpans {
		t.Errorf("%d spans", len(c.covered))
	}
}

func TestConvoSkips(t *testing.T) {
	c := newConvo("g/x")
	c.met, c.done, c.head = true, 3, 3
	var got []uint64
	out := func(m *Message) { got = append(got, m.Seq) }
	c.message(&Message{Seq: 6}, out)
	c.message(&Message{Seq: 9}, out)
	c.message(&Message{Seq: 12}, out)
	c.skipTo(9, out) // he left and came again: from 9 on
	if fmt.Sprint(got) != "[9]" || c.done != 9 {
		t.Fatal(got, c.done)
	}
	c.skipTo(5, out) // never back
	if g, ok := c.gap(); !ok || g != (span{10, 11}) {
		t.Error(g, ok)
	}
	c.begin(11, 4)
	c.advance(out)
	if fmt.Sprint(got) != "[9 12]" || c.heldB != 0 {
		t.Error(got, c.heldB)
	}
}

func TestConvoChanges(t *testing.T) {
	c := newConvo("u/bob")
	c.met, c.done, c.head = true, 5, 5
	var got []string
	out := func(m *Message) { got = append(got, fmt.Sprint(m.Seq, "v", m.Ver)) }
	edit := func(ver, seq uint64) bool {
		return c.change(ver, &Change{Ver: ver, Seq: seq, Message: &Message{Seq: seq, Ver: ver}}, out)
	}
	if !edit(1, 3) || c.ver != 1 {
		t.Error("the next change is not given")
	}
	if edit(1, 3) {
		t.Error("a change is given twice")
	}
	if edit(4, 3) || c.headVer != 4 || c.ver != 1 {
		t.Error("a change came out of turn")
	}
	c.ver = 4
	if c.change(5, nil, out) || c.ver != 5 {
		t.Error("a change that is not for this user is not settled")
	}
	// The change of a message that is still to come: the message comes changed.
	if edit(6, 7) {
		t.Error("a change is given before its message")
	}
	c.message(&Message{Seq: 7}, out) // older than what is held
	c.message(&Message{Seq: 6}, out)
	if fmt.Sprint(got) != "[6v0 7v6]" {
		t.Error(got)
	}
	// Its own message ahead of its turn: the application has it, so it is told.
	c.settle(9, out)
	if !edit(7, 9) {
		t.Error("a change of an own message is lost")
	}
	// Not met yet: what is known to exist is fetched later.
	n := newConvo("u/carol")
	if n.change(3, &Change{Ver: 3}, out) || n.headVer != 3 {
		t.Error("a change of an unknown conversation is lost")
	}
}

func TestRanges(t *testing.T) {
	for range 300 {
		var r ranges
		set := map[uint64]bool{}
		for range rand.IntN(40) {
			a := 1 + rand.Uint64N(50)
			if rand.IntN(3) == 0 {
				r = r.remove(a)
				delete(set, a)
				continue
			}
			b := a + rand.Uint64N(6)
			r = r.add(a, b)
			for n := a; n <= b; n++ {
				set[n] = true
			}
		}
		for n := uint64(1); n < 60; n++ {
			if r.has(n) != set[n] {
				t.Fatalf("%v has %d: %v", r, n, r.has(n))
			}
		}
		for i := 1; i < len(r); i++ {
			if r[i].from <= r[i-1].to+1 {
				t.Fatalf("%v is not in order", r)
			}
		}
	}
}

func FuzzReadConvo(f *testing.F) {
	c := newConvo("g/x")
	c.met, c.done, c.head, c.ver, c.headVer = true, 5, 20, 2, 3
	c.covered = ranges{{7, 9}, {12, 12}}
	f.Add(c.record())
	f.Add(newConvo("g/x").record())
	f.Add([]byte{1, 1, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := readConvo("g/x", b)
		if err != nil {
			return
		}
		if g, ok := c.gap(); ok && g.from > g.to {
			t.Fatalf("gap %v of %+v", g, c)
		}
		again, err := readConvo("g/x", c.record())
		if err != nil || again.done != c.done || !slices.Equal(again.covered, c.covered) {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}

func FuzzReadEntry(f *testing.F) {
	m := Text("hello")
	m.ID = "id"
	e := &entry{frame: m.frame("u/bob")}
	b, err := e.record()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := readEntry(1, b)
		if err != nil {
			return
		}
		b2, err := e.record()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := readEntry(1, b2); err != nil || again.frame.Id != e.frame.Id || !again.created.Equal(e.created) {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}

func FuzzReadJournal(f *testing.F) {
	b := appendRecord([]byte(journalMagic), ops{{"a", []byte("1")}, {"b", []byte{}}})
	f.Add(b)
	f.Add(appendRecord(b, ops{{"a", nil}}))
	f.Add(appendRecord(b, ops{{"long", make([]byte, 300)}})[:60])
	f.Add([]byte(journalMagic + "\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := map[string][]byte{}
		whole, err := readJournal(b, m)
		if err != nil {
			if len(m) != 0 {
				t.Fatal("a foreign file was read in part")
			}
			return
		}
		if whole > len(b) {
			t.Fatalf("%d whole bytes of %d", whole, len(b))
		}
		again := map[string][]byte{}
		if n, err := readJournal(b[:whole], again); err != nil || n != whole || len(again) != len(m) {
			t.Fatalf("%d of %d, %v", n, whole, err)
		}
		if whole > 0 { // it can be gone on from there
			more := appendRecord(slices.Clone(b[:whole]), ops{{"new", []byte("x")}})
			if n, _ := readJournal(more, again); n != len(more) || string(again["new"]) != "x" {
				t.Fatal("what is appended is not read")
			}
		}
	})
}

func TestSalvage(t *testing.T) {
	evil := appendRecord(nil, ops{{"o/1", []byte("from somebody else's message")}})
	first := appendRecord(nil, ops{{"app/1", evil}, {"app/2", []byte("x")}})
	second := appendRecord(nil, ops{{"b", []byte("2")}})
	for _, c := range []struct {
		name    string
		b       []byte
		damaged bool
		lost    int
		want    int
	}{
		{"torn within a value that holds a record", first[:len(first)-1], true, len(first) - 1, 0},
		{"and nothing is torn", second, true, 0, 1},
		{"zeros between", slices.Concat(make([]byte, 50), second), true, 50 + len(second), 0},
		{"only zeros", make([]byte, 50), false, 50, 0},
		{"a bad length before a value that holds a record", slices.Concat([]byte{255}, first[1:], second), true, len(first), 1},
		{"a bad part with a value that holds a record", slices.Concat(first[:10], []byte{255}, first[11:], second), true, len(first), 1},
	} {
		m := map[string][]byte{}
		damaged, lost := salvage(c.b, m)
		if damaged != c.damaged || lost != c.lost || len(m) != c.want || m["o/1"] != nil {
			t.Errorf("%s: %v, %d lost, %v", c.name, damaged, lost, m)
		}
	}
}
