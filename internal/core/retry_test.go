package core

import (
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Every change with an id is made once: its retry is answered with the first outcome
// from another device too, after the conversation was left and the rate used up; the
// id stands for nothing else.
func TestChangesAreMadeOnce(t *testing.T) {
	for _, v := range []struct {
		name  string
		do    func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error)
		other func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error)
	}{
		{"edit", func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.Edit(t.Context(), EditRequest{Conv: conv, Seq: seq, ID: id, Body: []byte("y")})
		}, func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.Edit(t.Context(), EditRequest{Conv: conv, Seq: seq, ID: id, Body: []byte("z")})
		}},
		{"recall", func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			r, err := s.Recall(t.Context(), RecallRequest{Conv: conv, Seq: seq, ID: id})
			return r.Changed, err
		}, func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			r, err := s.Recall(t.Context(), RecallRequest{Conv: conv, Seq: seq - 1, ID: id})
			return r.Changed, err
		}},
		{"react", func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.React(t.Context(), ReactRequest{Conv: conv, Seq: seq, ID: id, Add: []string{"+"}})
		}, func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.React(t.Context(), ReactRequest{Conv: conv, Seq: seq, ID: id, Remove: []string{"+"}})
		}},
		{"pin", func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.Pin(t.Context(), conv, seq, true, id)
		}, func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.Pin(t.Context(), conv, seq, false, id)
		}},
		{"expand", func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.Expand(t.Context(), ExpandRequest{Conv: conv, Seq: seq, ID: id, Set: []im.Pair{{Key: "k", Value: "v"}}})
		}, func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.Expand(t.Context(), ExpandRequest{Conv: conv, Seq: seq, ID: id, Remove: []string{"k"}})
		}},
		{"vote", func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.Vote(t.Context(), conv, seq, []string{"a"}, id)
		}, func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.Vote(t.Context(), conv, seq, []string{"b"}, id)
		}},
		{"close", func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.PollClose(t.Context(), conv, seq, id)
		}, func(s *Session, conv im.Address, seq im.Seq, id im.ClientID) (Changed, error) {
			return s.React(t.Context(), ReactRequest{Conv: conv, Seq: seq, ID: id, Add: []string{"+"}})
		}},
	} {
		t.Run(v.name, func(t *testing.T) {
			clock := newClock()
			w := newWorld(t, Config{Clock: clock.Now, MembersPin: true, Limits: im.Limits{SendRate: 1, SendBurst: 1}})
			g := w.group("own", "mem")
			w.say("mem", g, "before")
			seq := w.say("mem", g, `{"options":[{"id":"a"},{"id":"b"}]}`, asPoll)
			first, err := v.do(w.as("mem"), g, seq, "id")
			w.ok(err)
			if first.Dup || first.Ver != 1 {
				t.Fatalf("%+v", first)
			}
			clock.add(time.Hour.Milliseconds())
			for range 3 { // one of them uses up the rate, if it is counted
				again, err := v.do(w.as("mem"), g, seq, "id")
				w.ok(err)
				if !again.Dup || again.Ver != first.Ver || again.Time != first.Time {
					t.Fatalf("%+v, then %+v", first, again)
				}
			}
			clock.add(time.Hour.Milliseconds())
			_, err = v.other(w.as("mem"), g, seq, "id")
			w.refused(err, im.Conflict)
			clock.add(time.Hour.Milliseconds())
			_, err = w.as("own").GroupRemove(t.Context(), g, []im.UserID{"mem"})
			w.ok(err)
			again, err := v.do(w.as("mem"), g, seq, "id")
			w.ok(err)
			if !again.Dup || again.Ver != first.Ver {
				t.Fatalf("after he left: %+v", again)
			}
			_, err = v.do(w.as("mem"), g, seq, "other")
			w.refused(err, im.NotFound)
			if h, _ := w.st.Head(w.conv("own", g)); h.Ver != 1 {
				t.Fatalf("%d changes", h.Ver)
			}
		})
	}
}

// Whatever writes is counted against the user's rate, and says how long to wait; the
// app has none.
func TestWhatWritesIsLimited(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, MembersPin: true, Limits: im.Limits{SendRate: 0.1, SendBurst: 1}})
	ctx := t.Context()
	follow := true
	for name, do := range map[string]func(*Session, im.Seq) error{
		"recall": func(s *Session, n im.Seq) error {
			_, err := s.Recall(ctx, RecallRequest{Conv: "u/bob", Seq: n})
			return err
		},
		"react": func(s *Session, n im.Seq) error {
			_, err := s.React(ctx, ReactRequest{Conv: "u/bob", Seq: n, Add: []string{"+"}})
			return err
		},
		"pin":   func(s *Session, n im.Seq) error { _, err := s.Pin(ctx, "u/bob", n, true, ""); return err },
		"vote":  func(s *Session, n im.Seq) error { _, err := s.Vote(ctx, "u/bob", n, []string{"a"}, ""); return err },
		"close": func(s *Session, n im.Seq) error { _, err := s.PollClose(ctx, "u/bob", n, ""); return err },
		"follow": func(s *Session, n im.Seq) error {
			_, err := s.ThreadSet(ctx, "u/bob", n, ThreadPatch{Follow: &follow})
			return err
		},
		"stream": func(s *Session, n im.Seq) error {
			_, err := s.StreamOpen(ctx, StreamOpen{ID: w.id(), Conv: "u/bob"})
			return err
		},
		"delete for me": func(s *Session, n im.Seq) error {
			_, err := s.Delete(ctx, DeleteRequest{Conv: "u/bob", Seqs: []im.Seq{n}})
			return err
		},
		"delete for all": func(s *Session, n im.Seq) error {
			_, err := s.Delete(ctx, DeleteRequest{Conv: "u/bob", Seqs: []im.Seq{n}, ForAll: true})
			return err
		},
		"report a person": func(s *Session, n im.Seq) error {
			_, err := s.Report(ctx, ReportRequest{User: "bob", Reason: "x"})
			return err
		},
		"expand": func(s *Session, n im.Seq) error {
			_, err := s.Expand(ctx, ExpandRequest{Conv: "u/bob", Seq: n, Set: []im.Pair{{Key: "k", Value: "v"}}})
			return err
		},
	} {
		seqs := [4]im.Seq{}
		for i := range seqs {
			seqs[i] = w.say("ann", "u/bob", `{"options":[{"id":"a"}]}`, asPoll)
		}
		clock.add(time.Hour.Milliseconds())
		if err := do(w.as("ann"), seqs[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		err := im.AsError(do(w.as("ann"), seqs[1]))
		if err == nil || err.Kind != im.Limited || err.Retry != 10*time.Second {
			t.Errorf("%s again: %+v", name, err)
		}
		for range 3 {
			if _, err := w.as("ann").Messages(ctx, "u/bob", seqs[:]); err != nil {
				t.Error(err)
			}
		}
		for _, seq := range seqs[2:] {
			if err := do(w.act("ann"), seq); err != nil {
				t.Errorf("the app: %s: %v", name, err)
			}
		}
	}
}

// A body that a client sends may be anything: what is taken from it is good, or
// nothing.
func FuzzReserved(f *testing.F) {
	f.Add([]byte(`{"mentionedInfo":{"type":1}}`))
	f.Add([]byte(`{"mentionedInfo":{"type":2,"userIdList":["bob","a b"]},"burnDuration":7}`))
	f.Add([]byte(`{"burnDuration":-1e99,"mentionedInfo":[]}`))
	s := &Session{c: &Core{cfg: Config{Limits: im.Limits{}.Defaults()}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		snd := &Send{To: "u/bob", Msg: &im.Message{Body: body}}
		s.reserved(snd)
		if err := checkMentions(snd.Msg.Mentions, 100); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		m := &im.Message{Type: PollType, Body: body}
		if p, err := pollOf(m); err == nil {
			p.closed(m, 1)
		}
		if fields, err := streamExtra(body); err == nil && fields == nil {
			t.Fatalf("%q: no fields and no error", body)
		}
	})
}
