package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testBodies: every body comes back as it was, and so does every other field.
func testBodies(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	const most = 128 << 10
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	bodies := [][]byte{nil, {0}, []byte("\x00\x00a\x00"), {0xff, 0xfe, 0xc0}, all[:], []byte("💬𠮷é用户"),
		bytes.Repeat([]byte("x"), most), bytes.Repeat([]byte{0}, most-1), bytes.Repeat([]byte("long "), (most+5)/5)}
	full := &im.Message{ID: "full", Sender: "alice", Device: "电话", Type: "app:card", Flags: im.Persist, Body: []byte(`{"a":1}`),
		Digest: "a line", Mentions: &im.Mentions{All: true, Users: []im.UserID{"bob", "用户7"}}, ReplyTo: 3, Thread: 1 << 40,
		Expires: 1 << 50, Push: "push", To: []im.UserID{"bob", "49"}}
	var sent []*im.Message
	var conv im.ConvID
	for i, body := range bodies {
		m := text("alice", im.ClientID(fmt.Sprint(i)), string(body))
		conv = must(t, s, direct(m, "bob")).At
		sent = append(sent, m)
	}
	must(t, s, direct(full, "bob"))
	sent = append(sent, full)
	for i := range 2 {
		got, err := every(s, conv)
		if err != nil || len(got) != len(sent) {
			t.Fatalf("%d messages, %v", len(got), err)
		}
		for j, m := range got {
			if d := differ(m, sent[j]); d != "" {
				t.Fatal(d)
			}
			if d := differ(message(t, s, conv, m.Seq), sent[j]); d != "" {
				t.Fatal(d)
			}
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	must(t, s, edit(s, conv, 1, "alice", string(all[:])))
	if m := message(t, s, conv, 1); !bytes.Equal(m.Body, all[:]) {
		t.Fatalf("%s", show(m))
	}
}

// testClientIDs: ids of one byte and of 64, and ids and names that begin alike or meet
// at their ends are told apart.
func testClientIDs(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	long := im.ClientID(strings.Repeat("~", 64))
	ids := []im.ClientID{"a", "!", long, long[:63], "ab", "b", "bob"}
	users := []im.UserID{"u", "ua", "49", "alice", "alic", im.UserID(strings.Repeat("用", 21)), "+8613800138000", "a.b@c"}
	conv := group(t, s, "g", users...)
	seqs := map[string]im.Seq{}
	for i := range 2 {
		for _, u := range users {
			for _, id := range ids {
				op := must(t, s, into(s, conv, text(u, id, "x")))
				k := fmt.Sprint(u, " ", id)
				if op.Dup != (i == 1) || i == 1 && op.Seq != seqs[k] {
					t.Fatalf("%s: %+v, first %d", k, op, seqs[k])
				}
				seqs[k] = op.Seq
			}
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	for _, u := range users { // a name that another begins with
		rows, err := s.Rows(u, 0, 10)
		if err != nil || len(rows) != 1 || rows[0].User != u {
			t.Fatalf("%s: %+v %v", u, rows, err)
		}
	}
}

// testLargeNumbers: numbers go on past 2^32.
func testLargeNumbers(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	if o.SkipTo == nil {
		t.Skip("the store cannot be told to skip numbers")
	}
	conv := fill(t, o.Store, 2)
	const edge = im.Seq(1<<32 - 1)
	o.Store = o.SkipTo(conv, edge-1)
	s := o.Store
	for seq := edge; seq < edge+4; seq++ {
		if op := must(t, s, direct(text("alice", im.ClientID(fmt.Sprint(uint64(seq))), "x"), "bob")); op.Seq != seq {
			t.Fatalf("number %d, want %d", op.Seq, seq)
		}
	}
	p, err := s.Page(store.PageQuery{Conv: conv, From: edge - 1, To: edge + 10})
	if err != nil || len(p.Messages) != 4 || p.Messages[3].Seq != edge+3 || p.To != edge+3 {
		t.Fatalf("%+v %v", p, err)
	}
	must(t, s, edit(s, conv, edge+2, "alice", "y"))
	if op := must(t, s, &store.ReadOp{Conv: conv, User: "bob", Seq: edge + 2}); op.Row.Read != edge+2 {
		t.Fatalf("%+v", op)
	}
}
