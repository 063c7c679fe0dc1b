package storetest

import (
	"fmt"
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// tied checks what stands beside the messages of a conversation against the messages,
// which are all: replies, threads, pins, reactions, and what is to burn.
func tied(s store.Store, h store.Head, all []*im.Message) error {
	tallies := map[im.Seq]im.Tally{}
	replies, threads := map[im.Seq][]im.Seq{}, map[im.Seq][]im.Seq{}
	burning := map[im.UserID][]im.Seq{}
	var pins []im.Seq
	for _, m := range all {
		if m.Pin != nil {
			pins = append(pins, m.Seq)
		}
		if m.Burn != 0 && h.Kind == im.Direct && !m.Recalled && !m.Deleted {
			burning[h.Peer(m.Sender)] = append(burning[h.Peer(m.Sender)], m.Seq)
		}
		if err := reactionsAre(s, h.Conv, m); err != nil {
			return err
		}
		if m.Deleted || !m.Shown() {
			continue
		}
		if m.ReplyTo != 0 {
			replies[m.ReplyTo] = append(replies[m.ReplyTo], m.Seq)
			if t := tallies[m.ReplyTo]; m.To == nil {
				t.Seq = m.ReplyTo
				t.Replies++
				tallies[m.ReplyTo] = t
			}
		}
		if m.Thread != 0 {
			threads[m.Thread] = append(threads[m.Thread], m.Seq)
			if t := tallies[m.Thread]; m.To == nil {
				t.Seq, t.ThreadLast, t.ThreadTime = m.Thread, m.Seq, m.Time
				t.Thread++
				tallies[m.Thread] = t
			}
		}
	}
	if got, err := s.Pins(h.Conv); err != nil || !slices.Equal(got, pins) {
		return fmt.Errorf("conversation %d: pins %v %v, want %v", h.Conv, got, err, pins)
	}
	for from := im.Seq(1); from <= h.Seq; {
		got, err := s.Tallies(h.Conv, from, h.Seq)
		if err != nil {
			return err
		}
		if len(got) == 0 {
			break
		}
		for _, t := range got {
			if tallies[t.Seq] != t {
				return fmt.Errorf("conversation %d: tally %+v, want %+v", h.Conv, t, tallies[t.Seq])
			}
			delete(tallies, t.Seq)
			from = t.Seq + 1
		}
	}
	for _, t := range tallies {
		if t.Seq <= h.Seq {
			return fmt.Errorf("conversation %d: the tally %+v is not there", h.Conv, t)
		}
	}
	for to, want := range replies {
		if got, err := s.Replies(h.Conv, to, 0, len(want)+1); err != nil || !slices.Equal(got, want) {
			return fmt.Errorf("conversation %d: replies to %d: %v %v, want %v", h.Conv, to, got, err, want)
		}
	}
	for root, want := range threads {
		if got, err := s.InThread(h.Conv, root, 0, 0, false, len(want)+1); err != nil || !slices.Equal(got, want) {
			return fmt.Errorf("conversation %d: thread %d: %v %v, want %v", h.Conv, root, got, err, want)
		}
	}
	for _, side := range h.Sides {
		got, err := s.Burning(side.User, h.Conv, h.Seq, 1<<20)
		if side.User == "" {
			continue
		}
		if err != nil {
			return err
		}
		for _, seq := range got { // some may have begun to burn
			if !slices.Contains(burning[side.User], seq) {
				return fmt.Errorf("conversation %d: %d is to burn for %s: %v", h.Conv, seq, side.User, burning[side.User])
			}
		}
	}
	return nil
}

// reactionsAre checks the counts on a message against those who reacted.
func reactionsAre(s store.Store, conv im.ConvID, m *im.Message) error {
	if len(m.Reactions) == 0 && m.Ver == 0 {
		return nil
	}
	list, err := s.Reactions(store.ReactionQuery{Conv: conv, Seq: m.Seq, Limit: 1 << 20})
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, r := range list {
		counts[r.Key]++
	}
	for _, r := range m.Reactions {
		if counts[r.Key] != r.Count || r.Count == 0 {
			return fmt.Errorf("conversation %d, message %d: %d of %q, and %d did so", conv, m.Seq, r.Count, r.Key, counts[r.Key])
		}
		delete(counts, r.Key)
	}
	if len(counts) > 0 {
		return fmt.Errorf("conversation %d, message %d: reactions %v are not on the message", conv, m.Seq, counts)
	}
	return nil
}
