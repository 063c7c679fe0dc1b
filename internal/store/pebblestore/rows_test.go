package pebblestore

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// code is how a row is read and written. again decodes a row, encodes what it said and
// returns that with the decoded value; an error means that the row is refused.
type code struct {
	name  string
	again func(row []byte) (value any, out []byte, err error)
	rows  [][]byte // good ones
}

const seqOfTests = 1 << 33

func codes() []code {
	key := []byte("the key")
	h := &store.Head{Conv: 7, Kind: im.Direct, Members: 2, Seq: 900, Ver: 3, MVer: 4, N: 800, NA: 9, Time: 1_800_000_000_123, LastShown: 899, Min: 2, MinVer: 1, Position: 1 << 40,
		Withdrawn: []store.Range{{From: 1, To: 1}, {From: 3, To: 700}}, WithdrawA: []store.Range{{From: 9, To: 9}},
		Sides: [2]store.Side{{User: "alice", Read: 5, ReadN: 4, ReadNA: 1, Delivered: 6}, {User: "用户7", Read: 900, ReadN: 800, ReadNA: 9, Delivered: 900}}}
	group := &store.Head{Conv: 8, Kind: im.Group, Members: 100_000, Min: 1, MinVer: 1, Group: "g", Closed: true}
	full := stored{&im.Message{Seq: seqOfTests, Ver: 4, N: seqOfTests - 3, NA: 2, Time: 1_800_000_000_123, ID: "0190f3a2-7c4b-7d11-8f00-0123456789ab", Sender: "alice", Device: "电话",
		Type: "app:card", Flags: im.DefaultFlags, Body: []byte("body\x00"), Digest: "d", Mentions: &im.Mentions{All: true, Users: []im.UserID{"bob", "49"}},
		ReplyTo: 1 << 40, Thread: 3, Expires: 1 << 50, Push: "p", To: []im.UserID{"bob"}, Recalled: true, RecallBy: "carol", Edited: 5}, true}
	short := stored{&im.Message{Seq: seqOfTests, ID: "a", Sender: "b", Type: "an:text", Time: 1}, false}
	empty := stored{&im.Message{Seq: seqOfTests, Sender: "b", To: []im.UserID{}, Mentions: &im.Mentions{}, Time: 1}, false}
	parts := stored{&im.Message{Seq: seqOfTests, Sender: "b", Time: 1, Silent: true, Deleted: true, Burn: 1 << 30, Reactions: []im.Reaction{{Key: "👍", Count: 300}, {Key: "vote:a", Count: 1}},
		Expansion: []im.Pair{{Key: "k", Value: "v"}, {Key: "l", Value: ""}}, Pin: &im.Pin{By: "c", Time: 1 << 41}, Origin: &im.Origin{Sender: "d", Time: 2, Type: "an:text"},
		Mentions: &im.Mentions{Users: []im.UserID{"e"}, Roles: []im.Role{im.Owner}}}, false}
	nick, until := "名", int64(1)<<41
	own := &store.Row{Role: im.Member, MVer: 3, From: 4, FromN: 5, FromNA: 6, Read: 7, ReadN: 8, ReadNA: 9, Position: 1 << 60,
		Settings: im.Settings{Pinned: 1 << 41, Level: im.NotifyNone, Hidden: 300, Archived: true, Marked: true, Tags: []string{"a", ""}, Remark: "r"},
		Gone:     []im.SeqRange{{From: 1, To: 3}, {From: 300, To: 1 << 40}}, Withdrawn: []store.Range{{From: 9, To: 9}}, WithdrawA: []store.Range{{From: 10, To: 12}},
		Directed: []im.Seq{8, 300}, Nick: nick, MutedUntil: until}
	owned := *h
	owned.Sides[1].Own = true
	settled := *group
	settled.Settled = 1 << 40
	line := *h
	line.Line, line.Closed = "shop", true
	commit := appendCommit(nil, 1_800_000_000_500, 12)
	commit = appendTouched(commit, 1_800_000_000_500, h, didSend|readAt0|readAt1|delivered1, nil)
	commit = appendTouched(commit, 1_800_000_000_500, group, didSend, []memberCursor{{"u", cursor{3, 2, 1}}, {"v", cursor{300, 299, 298}}})
	return []code{
		{"message", func(row []byte) (any, []byte, error) {
			m, err := decodeMessage(key, seqOfTests, row)
			if err != nil {
				return nil, nil, err
			}
			return m, appendMessage(nil, m), nil
		}, [][]byte{appendMessage(nil, full), appendMessage(nil, short), appendMessage(nil, empty), appendMessage(nil, parts)}},
		{"head", func(row []byte) (any, []byte, error) {
			h, err := decodeHead(key, 7, row)
			if err != nil {
				return nil, nil, err
			}
			return h, appendHead(nil, h), nil
		}, [][]byte{appendHead(nil, h), appendHead(nil, group), appendHead(nil, &line), appendHead(nil, &owned), appendHead(nil, &settled)}},
		{"row", func(row []byte) (any, []byte, error) {
			r, direct, err := decodeRow(key, 7, "u", row)
			if err != nil {
				return nil, nil, err
			}
			if direct && r.Position == 0 {
				return r, appendDirectRow(nil), nil
			} else if direct {
				return r, appendDirectOwn(nil, &r), nil
			}
			return r, appendRow(nil, &r), nil
		}, [][]byte{appendDirectRow(nil), appendRow(nil, own), appendDirectOwn(nil, own), appendDirectOwn(nil, &store.Row{Position: 1}),
			appendRow(nil, &store.Row{Role: im.Member, Nick: "n"}), appendRow(nil, &store.Row{Role: im.Owner, MVer: 3, From: 4, FromN: 5, FromNA: 6, Read: 7, ReadN: 8, ReadNA: 9, Position: 1 << 60})}},
		{"member", func(row []byte) (any, []byte, error) {
			r, err := decodeMember(key, 7, "u", row)
			if err != nil {
				return nil, nil, err
			}
			return r, appendMember(nil, &r), nil
		}, [][]byte{appendMember(nil, &store.Row{Role: im.Admin, MVer: 3, From: 4, Position: 9}), appendMember(nil, own)}},
		{"commit", func(row []byte) (any, []byte, error) {
			millis := int64((&dec{b: row[min(1, len(row)):]}).num())
			var out []byte
			var all []string
			next, err := decodeCommit(key, row, func(t *touched) error {
				t.head.Conv = t.conv
				did := t.did&^(readAtHead0|readAtHead1|readMembers) | (t.did&(readAtHead0|readAtHead1))<<2
				if did&didSend == 0 {
					did &^= readAt0 | readAt1
				}
				out = appendTouched(out, millis, &t.head, did, t.members)
				if t.did&didSend == 0 { // then appendTouched sees a head that is none
					t.head.Sides = [2]store.Side{}
				}
				all = append(all, fmt.Sprint(t.conv, t.head.Seq, t.head.LastShown, t.head.N, t.head.NA, t.head.Sides, t.members))
				return nil
			})
			if err != nil {
				return nil, nil, err
			}
			return all, append(appendCommit(nil, millis, next), out...), nil
		}, [][]byte{appendCommit(nil, 5, 1), commit}},
		{"meta", func(row []byte) (any, []byte, error) {
			m, version, err := decodeMeta(key, row)
			if err != nil || version > format {
				return nil, nil, errRow(key, "meta")
			}
			return m, appendMeta(nil, &m), nil
		}, [][]byte{appendMeta(nil, &meta{epoch: im.NewEpoch(), bucket: 3, began: time.UnixMilli(-5)})}},
		{"client id", func(row []byte) (any, []byte, error) {
			k, err := decodeKept(key, row)
			if err != nil {
				return nil, nil, err
			}
			return k, appendKept(nil, &k), nil
		}, [][]byte{appendKept(nil, &kept{kind: sent, hash: 1 << 63, seq: 300}), appendKept(nil, &kept{kind: made, hash: 1, seq: 1, conv: 9, time: 1 << 40})}},
		{"change", func(row []byte) (any, []byte, error) {
			c, err := decodeChange(key, 4, row)
			if err != nil {
				return nil, nil, err
			}
			return c, appendChange(nil, &c), nil
		}, [][]byte{appendChange(nil, &im.Change{Kind: im.Edit, Seq: 3, By: "alice", Device: "d", ID: "0190f3a2-7c4b-7d11-8f00-0123456789ab", Time: 1 << 40}),
			appendChange(nil, &im.Change{Kind: im.BlockAdded, By: "a", Peer: "b"}), appendChange(nil, &im.Change{Kind: im.Noted, By: "a", Key: "k"}),
			appendChange(nil, &im.Change{Kind: im.React, Seq: 3, By: "a", Added: []string{"x", "y"}, Removed: []string{"z"}})}},
		{"former body", func(row []byte) (any, []byte, error) {
			f, err := decodeFormer(key, row)
			if err != nil {
				return nil, nil, err
			}
			shown := fmt.Sprintf("%d %d %q %q %q %v", f.said, f.deleted, f.digest, f.push, f.body, f.mentions != nil)
			if f.mentions != nil {
				shown += fmt.Sprintf(" %+v", *f.mentions)
			}
			return shown, appendFormer(nil, &f), nil
		}, [][]byte{appendFormer(nil, &former{said: 3, digest: "d", body: []byte("b")}), appendFormer(nil, &former{}),
			appendFormer(nil, &former{deleted: 1 << 40, push: "p", mentions: &im.Mentions{All: true, Users: []im.UserID{"bob"}, Roles: []im.Role{im.Admin}}})}},
		{"tally", func(row []byte) (any, []byte, error) {
			t, err := decodeTally(key, 7, row)
			if err != nil {
				return nil, nil, err
			}
			return t, appendTally(nil, &t), nil
		}, [][]byte{appendTally(nil, &im.Tally{Replies: 300}), appendTally(nil, &im.Tally{Replies: 1, Thread: 2, ThreadLast: 1 << 40, ThreadTime: 1 << 41})}},
		{"time", func(row []byte) (any, []byte, error) {
			n, err := decodeTime(key, row, "time")
			if err != nil {
				return nil, nil, err
			}
			return n, appendUint(nil, uint64(n)), nil
		}, [][]byte{appendUint(nil, 0), appendUint(nil, 1<<41)}},
		{"info", func(row []byte) (any, []byte, error) {
			i, err := decodeInfo(key, "g", row)
			if err != nil {
				return nil, nil, err
			}
			return i, appendInfo(nil, &i), nil
		}, [][]byte{appendInfo(nil, &im.GroupInfo{Name: "名", Join: im.JoinOpen, History: im.HistoryAll}), appendInfo(nil, &im.GroupInfo{Mute: true})}},
		{"membership", func(row []byte) (any, []byte, error) {
			m, err := decodeMembership(key, row)
			if err != nil {
				return nil, nil, err
			}
			return m, appendMembership(nil, m.by, m.time, m.seq, m.set), nil
		}, [][]byte{appendMembership(nil, "alice", 1<<40, 3, []store.RoleSet{{User: "bob", Role: im.Member}, {User: "carol"}}),
			appendMembership(nil, "alice", 1<<40, 0, []store.RoleSet{{User: "bob", Role: im.Member, Nick: &nick, Muted: &until}, {User: "carol", Muted: &until}})}},
		{"record", func(row []byte) (any, []byte, error) {
			v, expires, due, err := decodeRecord(key, row)
			if err != nil {
				return nil, nil, err
			}
			return []any{v, expires, due}, appendRecord(nil, &store.Record{Value: v, Expires: expires, Due: due}), nil
		}, [][]byte{appendRecord(nil, &store.Record{Value: []byte("v"), Expires: 3, Due: 1 << 41}), appendRecord(nil, &store.Record{Value: []byte("v"), Expires: 1 << 40}), appendRecord(nil, &store.Record{Value: []byte{}})}},
		{"note counts", func(row []byte) (any, []byte, error) {
			c, err := decodeNoteCounts(key, row)
			if err != nil {
				return nil, nil, err
			}
			return c, appendNoteCounts(nil, c), nil
		}, [][]byte{appendNoteCounts(nil, []noteCount{{"", 300}, {"save/", 0}})}},
		{"number", func(row []byte) (any, []byte, error) {
			n, err := decodeNumber(key, row, "number")
			if err != nil {
				return nil, nil, err
			}
			return n, appendUint(nil, n), nil
		}, [][]byte{appendUint(nil, 1), appendUint(nil, 1<<63)}},
	}
}

// Every row comes back as it was written.
func TestRows(t *testing.T) {
	for _, c := range codes() {
		for i, row := range c.rows {
			_, out, err := c.again(bytes.Clone(row))
			if err != nil || !bytes.Equal(out, row) {
				t.Errorf("%s %d: %v\n%x came back as\n%x", c.name, i, err, row, out)
			}
		}
	}
	// and every field of a message
	want := &im.Message{Seq: 5, Ver: 4, N: 3, NA: 2, Time: 1, ID: "i", Sender: "s", Device: "d", Type: "t", Flags: 3, Body: []byte("b"), Digest: "g",
		Mentions: &im.Mentions{All: true, Users: []im.UserID{"m"}}, ReplyTo: 6, Thread: 7, Expires: 8, Push: "p", To: []im.UserID{"x"}, Recalled: true, RecallBy: "r", Edited: 9,
		Silent: true, Deleted: true, Burn: 10, Reactions: []im.Reaction{{Key: "k", Count: 2}}, Expansion: []im.Pair{{Key: "e", Value: "v"}}, Pin: &im.Pin{By: "b", Time: 11}, Origin: &im.Origin{Sender: "o", Time: 12, Type: "y"}}
	want.Mentions.Roles = []im.Role{im.Admin, im.Owner}
	if v := reflect.ValueOf(want).Elem(); true {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Fatalf("this test does not set Message.%s", v.Type().Field(i).Name)
			}
		}
	}
	got, err := decodeMessage(nil, 5, appendMessage(nil, stored{want, true}))
	if err != nil || !reflect.DeepEqual(got.Message, want) || !got.called {
		t.Fatalf("%+v %v, want %+v", got.Message, err, want)
	}
}

// A row that was cut off, made longer or written in another version is refused, but
// where the rest of a row is a body.
func TestRowsRefused(t *testing.T) {
	open := map[string]bool{"message": true, "former body": true, "record": true, "commit": true} // may be shorter or longer
	for _, c := range codes() {
		for i, row := range c.rows {
			if c.name != "client id" && c.name != "number" && c.name != "time" {
				other := append([]byte{row[0] + 1}, row[1:]...)
				if _, _, err := c.again(other); !im.IsKind(err, im.Internal) {
					t.Errorf("%s %d of another version: %v", c.name, i, err)
				}
			}
			if open[c.name] {
				continue
			}
			for n := range row {
				if _, _, err := c.again(bytes.Clone(row[:n])); err == nil {
					t.Errorf("%s %d cut to %d of %d bytes was taken", c.name, i, n, len(row))
				} else if !strings.Contains(fmt.Sprint(err.(*im.Error).Unwrap()), `"the key"`) {
					t.Errorf("%s: the error does not name the key: %v", c.name, err.(*im.Error).Unwrap())
				}
			}
			if _, _, err := c.again(append(bytes.Clone(row), 0)); err == nil {
				t.Errorf("%s %d with a byte more was taken", c.name, i)
			}
		}
	}
}

// fuzzRow holds a decoder to: no panic, and what it took means the same when it is
// written again.
func fuzzRow(f *testing.F, name string) {
	for _, c := range codes() {
		if c.name != name {
			continue
		}
		for _, row := range c.rows {
			f.Add(row)
			f.Add(row[:len(row)/2])
		}
		f.Fuzz(func(t *testing.T, row []byte) {
			v, out, err := c.again(bytes.Clone(row))
			if err != nil {
				return
			}
			v2, _, err := c.again(bytes.Clone(out))
			if err != nil || fmt.Sprintf("%+v", deref(v2)) != fmt.Sprintf("%+v", deref(v)) {
				t.Fatalf("%x: %+v, written again %x: %+v %v", row, deref(v), out, deref(v2), err)
			}
		})
		return
	}
	f.Fatal(name)
}

// deref shows what is behind the pointers.
func deref(v any) any {
	switch v := v.(type) {
	case *store.Head:
		return *v
	case membership:
		shown := fmt.Sprint(v.by, v.time, v.seq)
		for _, s := range v.set {
			shown += fmt.Sprintf(" %q %d", s.User, s.Role)
			if s.Nick != nil {
				shown += fmt.Sprintf(" %q", *s.Nick)
			}
			if s.Muted != nil {
				shown += fmt.Sprintf(" until %d", *s.Muted)
			}
		}
		return shown
	case stored:
		m, mentions := *v.Message, im.Mentions{}
		if m.Mentions != nil {
			mentions = *m.Mentions
			m.Mentions = &im.Mentions{}
		}
		shown := fmt.Sprintf("%v %+v %+v %q", m.Mentions != nil, mentions, v.called, m.Body)
		if m.Pin != nil {
			shown += fmt.Sprint(*m.Pin)
		}
		if m.Origin != nil {
			shown += fmt.Sprint(*m.Origin)
		}
		m.Mentions, m.Body, m.Pin, m.Origin = nil, nil, nil, nil
		return []any{shown, m}
	}
	return v
}

func FuzzMessageRow(f *testing.F)    { fuzzRow(f, "message") }
func FuzzHeadRow(f *testing.F)       { fuzzRow(f, "head") }
func FuzzUserRow(f *testing.F)       { fuzzRow(f, "row") }
func FuzzMemberRow(f *testing.F)     { fuzzRow(f, "member") }
func FuzzCommitRow(f *testing.F)     { fuzzRow(f, "commit") }
func FuzzMetaRow(f *testing.F)       { fuzzRow(f, "meta") }
func FuzzClientIDRow(f *testing.F)   { fuzzRow(f, "client id") }
func FuzzChangeRow(f *testing.F)     { fuzzRow(f, "change") }
func FuzzTallyRow(f *testing.F)      { fuzzRow(f, "tally") }
func FuzzFormerRow(f *testing.F)     { fuzzRow(f, "former body") }
func FuzzInfoRow(f *testing.F)       { fuzzRow(f, "info") }
func FuzzMembershipRow(f *testing.F) { fuzzRow(f, "membership") }
func FuzzNoteCountsRow(f *testing.F) { fuzzRow(f, "note counts") }
func FuzzRecordRow(f *testing.F)     { fuzzRow(f, "record") }
