package core

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
)

func TestReadNeverGoesBack(t *testing.T) {
	w := newWorld(t, Config{})
	for range 5 {
		w.say("bob", "u/ann", "x")
	}
	for _, c := range []struct {
		seq, read im.Seq
		unread    uint64
	}{{2, 2, 3}, {1, 2, 3}, {4, 4, 1}, {4, 4, 1}, {100, 5, 0}, {3, 5, 0}} {
		m, err := w.as("ann").Read(t.Context(), "u/bob", c.seq)
		w.ok(err)
		if m.Read != c.read || m.Unread != c.unread {
			t.Fatalf("after %d: %+v; want %d, %d unread", c.seq, m, c.read, c.unread)
		}
	}
	w.say("bob", "u/ann", "x")
	m, err := w.as("ann").Read(t.Context(), "u/bob", 0)
	w.ok(err)
	if m.Read != 6 || m.Unread != 0 {
		t.Fatalf("to the head: %+v", m)
	}
	c, err := w.as("bob").Conversation(t.Context(), "u/ann")
	w.ok(err)
	if c.Peer == nil || c.Peer.Read != 6 {
		t.Fatalf("the peer's mark: %+v", c.Peer)
	}
}

// A receipt made while the sender was away is in what he is told when he returns.
func TestReceiptsWait(t *testing.T) {
	w := newWorld(t, Config{})
	w.say("bob", "u/ann", "x")
	a, err := w.as("bob").Sync(t.Context(), SyncQuery{})
	w.ok(err)
	if p := a.Conversations[0].Peer; p.Read != 0 || p.Delivered != 0 {
		t.Fatalf("%+v", p)
	}
	ref, err := w.as("bob").resolve("u/ann")
	w.ok(err)
	w.st.Delivered(ref.conv, "ann", 1)
	_, err = w.as("ann").Read(t.Context(), "u/bob", 1)
	w.ok(err)
	a, err = w.as("bob").Sync(t.Context(), SyncQuery{Token: a.Token})
	w.ok(err)
	if len(a.Conversations) != 1 || *a.Conversations[0].Peer != (im.Peer{Read: 1, Delivered: 1}) {
		t.Fatalf("%+v", a.Conversations)
	}
}

func TestMentions(t *testing.T) {
	w := newWorld(t, Config{})
	g := w.group("ann", "bob", "eve")
	var want []im.Seq
	for i := range 120 {
		if i%2 == 0 {
			want = append(want, w.say("ann", g, "x", mention("bob")))
		} else {
			w.say("ann", g, "x", mention("eve"))
		}
	}
	all := w.say("ann", g, "x", func(m *im.Message) { m.Mentions = &im.Mentions{All: true} })
	got, err := w.as("bob").Mentions(t.Context(), g, 0)
	w.ok(err)
	if len(got) != 60 || got[0] != want[0] || got[59] != want[59] {
		t.Fatalf("%v; want %v", got, want)
	}
	got, err = w.as("bob").Mentions(t.Context(), g, 3)
	w.ok(err)
	if len(got) != 3 || got[2] != want[2] {
		t.Fatalf("%v", got)
	}
	if m := w.mine("bob", g); m.Mentions != 60 || m.UnreadAll != 1 || m.Unread != 121 {
		t.Fatalf("%+v", m)
	}
	m, err := w.as("bob").Read(t.Context(), g, want[9])
	w.ok(err)
	if m.Mentions != 50 || m.UnreadAll != 1 {
		t.Fatalf("%+v", m)
	}
	_, err = w.as("ann").Recall(t.Context(), RecallRequest{Conv: g, Seq: want[10], ID: ""})
	w.ok(err)
	_, err = w.as("ann").Edit(t.Context(), EditRequest{Conv: g, Seq: want[11], Body: []byte("y"), Mentions: &im.Mentions{}})
	w.ok(err)
	_, err = w.as("ann").Recall(t.Context(), RecallRequest{Conv: g, Seq: all, ID: ""})
	w.ok(err)
	if m := w.mine("bob", g); m.Mentions != 48 || m.UnreadAll != 0 || m.Unread != 121-20-2+1 {
		t.Fatalf("%+v", m)
	}
	m, err = w.as("bob").Read(t.Context(), g, 0)
	w.ok(err)
	if m.Mentions != 0 || m.Unread != 0 {
		t.Fatalf("%+v", m)
	}
}

// Unread is the number of counted messages above the cursor that are still there,
// whatever was sent, read and recalled in whatever order.
func TestUnreadArithmetic(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{})
		g := w.group("ann", "bob")
		type msg struct{ counted, all, gone bool }
		msgs := map[im.Seq]*msg{1: {}}
		head, read := im.Seq(1), im.Seq(0)
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			switch rapid.IntRange(0, 3).Draw(r, "op") {
			case 0, 1:
				m := &msg{counted: rapid.Bool().Draw(r, "count"), all: rapid.Bool().Draw(r, "all")}
				head = w.say("ann", g, "x", func(x *im.Message) {
					if !m.counted {
						x.Flags = im.Persist
					}
					if m.all {
						x.Mentions = &im.Mentions{All: true}
					}
				})
				msgs[head] = m
			case 2:
				seq := im.Seq(rapid.IntRange(0, int(head)+2).Draw(r, "read"))
				_, err := w.as("bob").Read(t.Context(), g, seq)
				w.ok(err)
				if seq == 0 || seq > head {
					seq = head
				}
				read = max(read, seq)
			case 3:
				if head == 1 {
					continue
				}
				seq := im.Seq(rapid.IntRange(2, int(head)).Draw(r, "recall"))
				_, err := w.as("ann").Recall(t.Context(), RecallRequest{Conv: g, Seq: seq, ID: ""})
				w.ok(err)
				msgs[seq].gone = true
			}
			var unread, all uint64
			for seq, m := range msgs {
				if seq > read && !m.gone {
					if m.counted {
						unread++
					}
					if m.all {
						all++
					}
				}
			}
			if m := w.mine("bob", g); m.Unread != unread || m.UnreadAll != all || m.Read != read {
				r.Fatalf("%+v; want %d unread, %d all, read %d", m, unread, all, read)
			}
		}
	})
}
