package core

import (
	"fmt"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// seqs are the numbers of a range's messages.
func seqs(r Range) string {
	s := []im.Seq{}
	for _, m := range r.Messages {
		s = append(s, m.Seq)
	}
	return fmt.Sprintf("%d-%d %v", r.From, r.To, s)
}

func TestPage(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	g := w.group("ann", "eve") // 1
	w.say("ann", g, "2")
	_, err := w.as("ann").GroupAdd(t.Context(), g, []im.UserID{"bob"}) // 3
	w.ok(err)
	w.say("ann", g, "4")
	w.say("ann", g, "5 for eve", func(m *im.Message) { m.To = []im.UserID{"eve"} })
	w.say("ann", g, "6 expires", func(m *im.Message) { m.Expires = clock.Now().UnixMilli() + 1000 })
	w.say("ann", g, "7 command", func(m *im.Message) { m.Flags = 0 })
	w.say("ann", g, "8")
	clock.add(1000)
	for _, c := range []struct {
		who  im.UserID
		q    PageQuery
		want string
	}{
		{"bob", PageQuery{}, "1-8 [3 4 7 8]"},
		{"bob", PageQuery{Backward: true}, "1-8 [3 4 7 8]"},
		{"eve", PageQuery{}, "1-8 [1 2 3 4 5 7 8]"},
		{"ann", PageQuery{}, "1-8 [1 2 3 4 5 7 8]"}, // the sender sees what she sent
		{"bob", PageQuery{From: 1, To: 2}, "1-2 []"},
		{"bob", PageQuery{From: 2, To: 4}, "2-4 [3 4]"},
		{"bob", PageQuery{From: 4, To: 1, Backward: true}, "1-4 [3 4]"},
		{"bob", PageQuery{From: 4, To: 4, Backward: true}, "4-4 [4]"},
		{"bob", PageQuery{Limit: 1}, "1-3 [3]"},
		{"bob", PageQuery{From: 4, Limit: 2}, "4-5 [4]"}, // 5 was read and is settled
		{"bob", PageQuery{Backward: true, Limit: 2}, "7-8 [7 8]"},
		{"bob", PageQuery{Backward: true, From: 6, Limit: 2}, "5-6 []"},
		{"bob", PageQuery{From: 7, To: 100}, "7-8 [7 8]"},
		{"bob", PageQuery{From: 9}, "9-8 []"},
		{"bob", PageQuery{From: 100, Backward: true, Limit: 1}, "8-8 [8]"},
		{"bob", PageQuery{From: 100, To: 200}, "100-99 []"},
	} {
		c.q.Conv = g
		r, head, err := w.as(c.who).Page(t.Context(), c.q)
		w.ok(err)
		if got := seqs(r); got != c.want || head.Seq != 8 {
			t.Errorf("%s %+v: %s; want %s (head %d)", c.who, c.q, got, c.want, head.Seq)
		}
	}
	_, _, err = w.as("bob").Page(t.Context(), PageQuery{Conv: g, From: 5, To: 4})
	w.refused(err, im.Invalid)
	_, _, err = w.as("bob").Page(t.Context(), PageQuery{Conv: g, From: 4, To: 5, Backward: true})
	w.refused(err, im.Invalid)
}

// However pages are cut, together they cover all numbers once and hold every message
// that is for this user, within the limits.
func TestPagesCoverAll(t *testing.T) {
	w := newWorld(t, Config{})
	for i := range 500 {
		body := "x"
		if i%7 == 0 {
			body = string(make([]byte, 100<<10))
		}
		w.say("bob", "u/ann", body)
	}
	for _, backward := range []bool{false, true} {
		next, got := im.Seq(0), 0
		for {
			r, _, err := w.as("ann").Page(t.Context(), PageQuery{Conv: "u/bob", From: next, Backward: backward, Limit: 1000})
			w.ok(err)
			if len(r.Messages) > maxPage || len(r.Messages) == 0 {
				t.Fatalf("%d messages", len(r.Messages))
			}
			bytes := 0
			for _, m := range r.Messages[1:] {
				bytes += m.Size()
			}
			if bytes > pageBytes+128<<10 {
				t.Fatalf("%d bytes", bytes)
			}
			got += len(r.Messages)
			if backward {
				if next != 0 && r.To != next {
					t.Fatalf("asked from %d, covered %d to %d", next, r.From, r.To)
				}
				next = r.From - 1
				if next == 0 {
					break
				}
			} else {
				if r.From != max(next, 1) {
					t.Fatalf("asked from %d, covered %d to %d", next, r.From, r.To)
				}
				next = r.To + 1
				if next > 500 {
					break
				}
			}
		}
		if got != 500 {
			t.Fatalf("%d of 500 messages (backward %v)", got, backward)
		}
	}
}
