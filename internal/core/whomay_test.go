package core

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// Who may do what with a message of mem's in a group: the owner, admins, its sender,
// another member, one who is muted, who has left, who never was in, the app as a
// member, and the app as a stranger.
func TestWhoMayDoWhatWithAMessage(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("own", "adm", "mem", "oth", "mut", "left")
	_, err := w.as("own").GroupRole(ctx, g, "adm", im.Admin)
	w.ok(err)
	_, err = w.as("own").GroupMute(ctx, MuteRequest{Conv: g, Users: []im.UserID{"mut"}, Until: w.c.Now().UnixMilli() + 3_600_000})
	w.ok(err)
	_, err = w.as("own").GroupRemove(ctx, g, []im.UserID{"left"})
	w.ok(err)
	act := func(u im.UserID) *Session {
		s, err := w.c.Act(u, "")
		w.ok(err)
		return s
	}
	sessions := map[string]*Session{"own": w.as("own"), "adm": w.as("adm"), "mem": w.as("mem"), "oth": w.as("oth"),
		"mut": w.as("mut"), "left": w.as("left"), "eve": w.as("eve"), "app:oth": act("oth"), "app:eve": act("eve"), "app": act("")}
	poll := func() im.Seq {
		return w.say("mem", g, `{"question":"?","options":[{"id":"a","text":"A"},{"id":"b","text":"B"}]}`, func(m *im.Message) { m.Type = PollType })
	}
	deleted := func(by im.UserID) im.Seq {
		seq := poll()
		_, err := w.as(by).Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{seq}, ForAll: true})
		w.ok(err)
		return seq
	}
	const no, none, invalid = im.Denied, im.NotFound, im.Invalid
	type rights map[string]im.Kind
	outside := rights{"left": none, "eve": none, "app:eve": none, "app": invalid}
	with := func(more rights) rights {
		for k, v := range outside {
			if _, ok := more[k]; !ok {
				more[k] = v
			}
		}
		return more
	}
	anyMember := with(rights{})
	rulers := with(rights{"oth": no, "mut": no})
	for _, v := range []struct {
		name   string
		do     func(s *Session, seq im.Seq) error
		seq    func() im.Seq
		except rights // who may not, and how that is said
	}{
		{"recall", func(s *Session, seq im.Seq) error {
			_, err := s.Recall(ctx, RecallRequest{Conv: g, Seq: seq})
			return err
		}, poll, rulers},
		{"delete for all", func(s *Session, seq im.Seq) error {
			_, err := s.Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{seq}, ForAll: true})
			return err
		}, poll, rulers},
		{"delete for me", func(s *Session, seq im.Seq) error {
			_, err := s.Delete(ctx, DeleteRequest{Conv: g, Seqs: []im.Seq{seq}})
			return err
		}, poll, anyMember},
		{"undelete the sender's", func(s *Session, seq im.Seq) error {
			_, err := s.Undelete(ctx, g, []im.Seq{seq})
			return err
		}, func() im.Seq { return deleted("mem") }, with(rights{"oth": no, "mut": no})},
		{"undelete the admin's", func(s *Session, seq im.Seq) error {
			_, err := s.Undelete(ctx, g, []im.Seq{seq})
			return err
		}, func() im.Seq { return deleted("adm") }, with(rights{"mem": no, "oth": no, "mut": no})},
		{"undelete the owner's", func(s *Session, seq im.Seq) error {
			_, err := s.Undelete(ctx, g, []im.Seq{seq})
			return err
		}, func() im.Seq { return deleted("own") }, with(rights{"adm": no, "mem": no, "oth": no, "mut": no})},
		{"react", func(s *Session, seq im.Seq) error {
			_, err := s.React(ctx, ReactRequest{Conv: g, Seq: seq, Add: []string{"👍"}})
			return err
		}, poll, with(rights{"mut": no})},
		{"reactions", func(s *Session, seq im.Seq) error {
			_, _, err := s.Reactions(ctx, ReactionsQuery{Conv: g, Seq: seq})
			return err
		}, poll, anyMember},
		{"pin", func(s *Session, seq im.Seq) error {
			_, err := s.Pin(ctx, g, seq, true, "")
			return err
		}, poll, with(rights{"mem": no, "oth": no, "mut": no})},
		{"pins", func(s *Session, seq im.Seq) error {
			_, err := s.Pins(ctx, g)
			return err
		}, poll, anyMember},
		{"expand", func(s *Session, seq im.Seq) error {
			_, err := s.Expand(ctx, ExpandRequest{Conv: g, Seq: seq, Set: []im.Pair{{Key: "k", Value: "v"}}})
			return err
		}, poll, with(rights{"mut": no})},
		{"edit history", func(s *Session, seq im.Seq) error {
			_, _, err := s.EditHistory(ctx, g, seq, 0, 0)
			return err
		}, poll, anyMember},
		{"messages", func(s *Session, seq im.Seq) error {
			_, err := s.Messages(ctx, g, []im.Seq{seq})
			return err
		}, poll, anyMember},
		{"replies", func(s *Session, seq im.Seq) error {
			_, _, err := s.Replies(ctx, g, seq, 0, 0)
			return err
		}, poll, anyMember},
		{"threads", func(s *Session, seq im.Seq) error {
			_, _, err := s.Threads(ctx, g, 0, 0)
			return err
		}, poll, anyMember},
		{"a thread's page", func(s *Session, seq im.Seq) error {
			_, _, err := s.ThreadPage(ctx, ThreadQuery{Conv: g, Root: seq})
			return err
		}, poll, anyMember},
		{"follow a thread", func(s *Session, seq im.Seq) error {
			_, err := s.ThreadSet(ctx, g, seq, ThreadPatch{Follow: new(bool)})
			return err
		}, poll, anyMember},
		{"forward", func(s *Session, seq im.Seq) error {
			_, err := s.Forward(ctx, ForwardRequest{From: g, Seqs: []im.Seq{seq}, To: []im.Address{"u/zoe"}})
			return err
		}, poll, anyMember},
		{"vote", func(s *Session, seq im.Seq) error {
			_, err := s.Vote(ctx, g, seq, []string{"a"}, "")
			return err
		}, poll, anyMember},
		{"close a poll", func(s *Session, seq im.Seq) error {
			_, err := s.PollClose(ctx, g, seq, "")
			return err
		}, poll, rulers},
		{"stream", func(s *Session, seq im.Seq) error {
			_, err := s.StreamOpen(ctx, StreamOpen{ID: w.id(), Conv: g})
			return err
		}, poll, with(rights{"mut": no})},
		{"report", func(s *Session, seq im.Seq) error {
			_, err := s.Report(ctx, ReportRequest{Conv: g, Seq: seq, Reason: "spam"})
			return err
		}, poll, with(rights{"mem": invalid})}, // his own
		{"around", func(s *Session, seq im.Seq) error {
			_, _, err := s.Page(ctx, PageQuery{Conv: g, Around: seq})
			return err
		}, poll, anyMember},
		{"list reports", func(s *Session, _ im.Seq) error {
			_, _, err := s.Reports(ctx, "", "", 0)
			return err
		}, poll, rights{"own": no, "adm": no, "mem": no, "oth": no, "mut": no, "left": no, "eve": no, "app:oth": invalid, "app:eve": invalid}},
	} {
		for who, s := range sessions {
			err := v.do(s, v.seq())
			if want, not := v.except[who]; not {
				check(t, who+": "+v.name, err, want, 0)
			} else {
				check(t, who+": "+v.name, err, 0, 0)
			}
		}
	}
}

// In a direct conversation: the sender, the peer, whom the peer blocks, and others.
func TestWhoMayDoWhatWithADirectMessage(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	w.say("ann", "u/bob", "x")
	blocked := w.say("eve", "u/bob", "x")
	w.ok(w.as("bob").Block(ctx, "eve"))
	for _, v := range []struct {
		name         string
		do           func(s *Session, conv im.Address, seq im.Seq) error
		peer, barred im.Kind // the peer, and the sender whom the peer blocks
	}{
		{"recall", func(s *Session, conv im.Address, seq im.Seq) error {
			_, err := s.Recall(ctx, RecallRequest{Conv: conv, Seq: seq})
			return err
		}, im.Denied, 0},
		{"react", func(s *Session, conv im.Address, seq im.Seq) error {
			_, err := s.React(ctx, ReactRequest{Conv: conv, Seq: seq, Add: []string{"+"}})
			return err
		}, 0, im.Denied},
		{"pin", func(s *Session, conv im.Address, seq im.Seq) error {
			_, err := s.Pin(ctx, conv, seq, true, "")
			return err
		}, 0, im.Denied},
		{"expand", func(s *Session, conv im.Address, seq im.Seq) error {
			_, err := s.Expand(ctx, ExpandRequest{Conv: conv, Seq: seq, Set: []im.Pair{{Key: "k", Value: "v"}}})
			return err
		}, 0, im.Denied},
		{"delete for all", func(s *Session, conv im.Address, seq im.Seq) error {
			_, err := s.Delete(ctx, DeleteRequest{Conv: conv, Seqs: []im.Seq{seq}, ForAll: true})
			return err
		}, im.Denied, 0},
		{"stream", func(s *Session, conv im.Address, _ im.Seq) error {
			_, err := s.StreamOpen(ctx, StreamOpen{ID: w.id(), Conv: conv})
			return err
		}, 0, im.Denied},
	} {
		check(t, "bob: "+v.name, v.do(w.as("bob"), "u/ann", w.say("ann", "u/bob", "x")), v.peer, 0)
		check(t, "ann: "+v.name, v.do(w.as("ann"), "u/bob", w.say("ann", "u/bob", "x")), 0, 0)
		check(t, "zoe: "+v.name, v.do(w.as("zoe"), "u/zed", 1), map[bool]im.Kind{true: 0, false: im.NotFound}[v.name == "stream"], 0)
		check(t, "eve: "+v.name, v.do(w.as("eve"), "u/bob", blocked), v.barred, 0)
		if v.name == "recall" || v.name == "delete for all" {
			blocked = w.seqOf("eve", "bob")
		}
	}
}

// seqOf puts another message of a user's past a block, as if it came before it.
func (w *world) seqOf(from, to im.UserID) im.Seq {
	w.Helper()
	w.ok(w.as(to).Unblock(w.Context(), from))
	seq := w.say(from, im.DirectAddress(to), "x")
	w.ok(w.as(to).Block(w.Context(), from))
	return seq
}
