package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// set makes up what somebody alters for himself: settings, what he deletes, or both.
func (h *history) set(r *rapid.T, conv im.ConvID, head store.Head, u im.UserID) store.SetOp {
	op := store.SetOp{User: u}
	if rapid.Bool().Draw(r, "settings") {
		p := &im.SettingsPatch{}
		few := rapid.IntRange(0, 2)
		switch rapid.IntRange(0, 6).Draw(r, "which") {
		case 0:
			v := int64(few.Draw(r, "pinned"))
			p.Pinned = &v
		case 1:
			v := im.Level(few.Draw(r, "level"))
			p.Level = &v
		case 2:
			v := im.Seq(few.Draw(r, "hidden"))
			p.Hidden = &v
		case 3:
			v := rapid.Bool().Draw(r, "archived")
			p.Archived = &v
		case 4:
			v := rapid.IntRange(0, 2).Draw(r, "marked") > 0
			p.Marked = &v
		case 5:
			v := rapid.SampledFrom([][]string{nil, {}, {"a"}, {"b", "a"}}).Draw(r, "tags")
			p.Tags = &v
		case 6:
			v := rapid.SampledFrom([]string{"", "friend"}).Draw(r, "remark")
			p.Remark = &v
		}
		op.Patch = p
	}
	for range rapid.IntRange(0, 3).Draw(r, "ranges") {
		from := im.Seq(rapid.Uint64Range(0, uint64(head.Seq)+1).Draw(r, "from"))
		g := im.SeqRange{From: from, To: from + im.Seq(rapid.IntRange(0, 2).Draw(r, "more"))}
		op.Gone = append(op.Gone, g)
		for seq := g.From; seq <= min(g.To, head.Seq); seq++ {
			if m, ok, _ := h.model.Message(conv, seq); ok && m.To == nil && m.Flags&im.Count != 0 {
				op.Withdrawn = append(op.Withdrawn, store.Range{From: m.N, To: m.N})
			}
			if m, ok, _ := h.model.Message(conv, seq); ok && m.To == nil && m.Mentions != nil && m.Mentions.All {
				op.WithdrawA = append(op.WithdrawA, store.Range{From: m.NA, To: m.NA})
			}
		}
	}
	return op
}

// noteOp makes up a note. Keys begin with one another, so that counts of them differ.
func (h *history) noteOp(r *rapid.T, u im.UserID, body []byte) store.NoteOp {
	op := store.NoteOp{User: u, Device: "d", Key: rapid.SampledFrom([]string{"", "a", "ab", "abc", "b"}).Draw(r, "key")}
	if rapid.IntRange(0, 3).Draw(r, "remove") > 0 {
		op.Value = append([]byte{}, body[:min(len(body), 1)]...)
	}
	if rapid.IntRange(0, 2).Draw(r, "if") == 0 {
		have, ok, _ := h.model.Get(store.NoteRecord, u, op.Key)
		if !ok {
			have = nil
		}
		op.If = &have
	}
	if rapid.Bool().Draw(r, "bounded") {
		op.Most, op.Of = rapid.IntRange(1, 3).Draw(r, "most"), rapid.SampledFrom([]string{"", "a", "ab"}).Draw(r, "of")
	}
	for range rapid.IntRange(0, 2).Draw(r, "drop") {
		op.Drop = append(op.Drop, store.Record{Kind: store.TimerRecord, User: u, Key: h.timerKey(r)})
	}
	return op
}

func (h *history) timerKey(r *rapid.T) string {
	return rapid.SampledFrom([]string{"", "t", "tt"}).Draw(r, "timer")
}

// timer makes up a timer, or the removal of one.
func (h *history) timer(r *rapid.T, u im.UserID) store.Record {
	t := store.Record{Kind: store.TimerRecord, User: u, Key: h.timerKey(r), Due: h.c.Now().Add(time.Duration(rapid.IntRange(-1, 9).Draw(r, "due")) * time.Minute).UnixMilli()}
	if rapid.IntRange(0, 3).Draw(r, "remove") > 0 {
		t.Value = []byte("v")
	}
	switch rapid.IntRange(0, 5).Draw(r, "rare") {
	case 0:
		t.Due = 0
	case 1:
		t.Expires = h.c.Now().Add(11*time.Minute + time.Second).UnixMilli()
	}
	return t
}

// own is what a row holds for its user alone, as text. How much is withdrawn shows in
// what he has not read; how the ranges are cut does not matter.
func own(r *store.Row) string {
	s := r.Settings
	out := fmt.Sprintf("pinned %d level %d hidden %d archived %v marked %v tags %q remark %q gone %v directed %v nick %q muted %d",
		s.Pinned, s.Level, s.Hidden, s.Archived, s.Marked, s.Tags, s.Remark, r.Gone, r.Directed, r.Nick, r.MutedUntil)
	for i, g := range r.Gone {
		if g.From > g.To || i > 0 && r.Gone[i-1].To+1 >= g.From {
			out += "; ranges overlap, touch or are out of order"
		}
	}
	if !slices.IsSorted(r.Directed) || len(r.Directed) > 0 && r.Directed[0] <= r.Read {
		out += "; directed ones are out of order or read"
	}
	for _, w := range [][]store.Range{r.Withdrawn, r.WithdrawA} {
		if u := store.Unite(w, nil); !slices.Equal(u, w) {
			out += fmt.Sprintf("; withdrawn %v", w)
		}
	}
	return out
}

// rows notes what a conversation is to its members.
func (h *history) rows(s store.Store, conv im.ConvID, note func(format string, args ...any)) {
	marks, err := s.Marks(conv, "a", 3)
	note("marks %v", err)
	for _, r := range marks {
		note("mark of %s %d %d", r.User, r.From, r.Read)
	}
	members, err := s.Members(conv, "", 10)
	note("members %v", err)
	for _, r := range members {
		note("member %s %d %q %d", r.User, r.Role, r.Nick, r.MutedUntil)
	}
}

// notes is a user's notes and timers.
func (h *history) notes(s store.Store, u im.UserID, note func(format string, args ...any)) {
	for _, k := range []store.RecordKind{store.NoteRecord, store.TimerRecord} {
		records, err := s.List(k, u, "", 10)
		note("records %v", err)
		for _, r := range records {
			note("record %d %q %q %d %d", k, r.Key, r.Value, r.Expires, r.Due)
		}
		v, ok, err := s.Get(k, u, "")
		note("record %q %v %v", v, ok, err)
	}
}

// times is what is to be done, and when.
func (h *history) times(s store.Store) string {
	var b strings.Builder
	now := h.c.Now().UnixMilli()
	for _, q := range []struct {
		now   int64
		limit int
	}{{now, 2}, {now, 100}, {now + 1<<40, 100}, {now - 1<<40, 100}, {now, 0}} {
		due, next, err := s.Due(q.now, q.limit)
		fmt.Fprintf(&b, "%d due, next %d %v\n", len(due), next, err)
		for _, r := range due {
			fmt.Fprintf(&b, "due %d %s %q %q %d %d\n", r.Kind, r.User, r.Key, r.Value, r.Due, r.Expires)
		}
	}
	return b.String()
}

// compareTimes fails unless both stores have the same to do. When the next message
// expires a store may believe too early: of one that has gone.
func (h *history) compareTimes(r *rapid.T) {
	if want, got := h.times(h.model), h.times(h.real); want != got {
		r.Fatalf("timers:\n%s", lineDiff(want, got))
	}
	want, _ := h.model.NextExpiry()
	got, err := h.real.NextExpiry()
	if err != nil || want != 0 && (got == 0 || got > want) {
		r.Fatalf("the next message expires at %d, want %d; %v", got, want, err)
	}
}
