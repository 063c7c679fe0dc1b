package storetest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// part makes up a change of what stands on or beside a message. Numbers, keys and ids
// are few, so that changes meet.
func (h *history) part(r *rapid.T, kind string, conv im.ConvID, seq im.Seq, guard im.MVer, by im.UserID) store.ChangeOp {
	if rapid.Bool().Draw(r, "an old one") {
		seq = im.Seq(rapid.IntRange(1, 3).Draw(r, "old seq"))
	}
	op := store.ChangeOp{Seq: seq, Guard: guard, By: by, Device: "d", Hash: 30}
	if m, _, _ := h.model.Message(conv, seq); m != nil {
		op.Seen = m.Ver
	}
	if rapid.IntRange(0, 8).Draw(r, "stale") == 0 {
		op.Seen++
	}
	if id := rapid.IntRange(0, 12).Draw(r, "id"); id > 6 {
		op.ID = im.ClientID(fmt.Sprint("p", id))
	}
	if rapid.Bool().Draw(r, "bounded") {
		op.Most = rapid.IntRange(1, 3).Draw(r, "most")
	}
	switch kind {
	case "react":
		op.Kind = im.React
		keys := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "vote:1", "vote:2", "👍"}), 0, 3)
		op.Add = keys.Draw(r, "add")
		op.Remove = keys.Draw(r, "remove")
		if rapid.IntRange(0, 3).Draw(r, "all of a kind") == 0 {
			op.Remove = append(op.Remove, rapid.SampledFrom([]string{"vote:*", "*", "z*"}).Draw(r, "which"))
		}
	case "pin":
		op.Kind, op.Pin = im.Pinned, rapid.IntRange(0, 2).Draw(r, "up") > 0
	case "expand":
		op.Kind = im.Expand
		for range rapid.IntRange(1, 3).Draw(r, "pairs") {
			op.Set = append(op.Set, im.Pair{Key: rapid.SampledFrom([]string{"k", "l", "m", "n"}).Draw(r, "key"), Value: rapid.SampledFrom([]string{"", "1", "2"}).Draw(r, "value")})
		}
	case "delete":
		op.Kind = im.Delete
	case "restore":
		op.Kind = im.Restore
	case "burn":
		op.Kind = im.Burn
		op.Expires = h.c.Now().Add(time.Duration(rapid.IntRange(1, 20).Draw(r, "expires"))*2*time.Minute + time.Second).UnixMilli()
	}
	return op
}

// parts notes all that stands beside the messages of a conversation.
func (h *history) parts(s store.Store, head store.Head, note func(format string, args ...any)) {
	conv := head.Conv
	for seq := im.Seq(1); seq <= head.Seq+1; seq++ {
		reactions, err := s.Reactions(store.ReactionQuery{Conv: conv, Seq: seq, AfterKey: "vote:1", AfterUser: "ab", Limit: 4})
		if len(reactions) > 0 || err != nil {
			note("some reactions to %d: %+v %v", seq, reactions, err)
		}
		for _, u := range historyUsers[:2] {
			own, err := s.Reactions(store.ReactionQuery{Conv: conv, Seq: seq, User: u, AfterKey: "vote:1", AfterUser: "a", Limit: 2})
			if len(own) > 0 || err != nil {
				note("of %s to %d: %+v %v", u, seq, own, err)
			}
		}
		reactions, err = s.Reactions(store.ReactionQuery{Conv: conv, Seq: seq, Limit: 100})
		formers, err2 := s.Formers(conv, seq, head.Ver/4, 3)
		replies, err3 := s.Replies(conv, seq, seq/2, 5)
		thread, err4 := s.InThread(conv, seq, head.Seq/3, 0, true, 3)
		whole, err5 := s.InThread(conv, seq, 0, head.Seq, false, 50)
		if len(reactions)+len(formers)+len(replies)+len(thread)+len(whole) > 0 || err != nil || err2 != nil || err3 != nil || err4 != nil || err5 != nil {
			note("beside %d: reactions %+v formers %+v replies %v thread %v, whole %v %v %v %v %v %v", seq, reactions, formers, replies, thread, whole, err, err2, err3, err4, err5)
		}
	}
	tallies, err := s.Tallies(conv, head.Seq/4, head.Seq)
	note("tallies %+v %v", tallies, err)
	threads, err := s.Threads(conv, 0, 3)
	note("threads %+v %v", threads, err)
	threads, err = s.Threads(conv, head.Seq/2+1, 3)
	note("older threads %+v %v", threads, err)
	pins, err := s.Pins(conv)
	note("pins %v %v", pins, err)
	for _, side := range head.Sides {
		burning, err := s.Burning(side.User, conv, head.Seq*3/4+1, 4)
		note("burning for %s: %v %v", side.User, burning, err)
	}
}
