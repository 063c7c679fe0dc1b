package pebblestore

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Rows that stores hold which were written before there were settings, notes, nicks and
// timers. They are read as what they are, and what has none of those is written byte for
// byte as it was: such a store opens unchanged, and the former program opens what has
// none of them.
func TestFormerRows(t *testing.T) {
	direct := &store.Head{Conv: 7, Kind: im.Direct, Members: 2, Seq: 900, Ver: 3, MVer: 4, N: 800, NA: 9, Time: 1_800_000_000_123, LastShown: 899, Min: 2, MinVer: 1, Position: 1 << 40,
		Withdrawn: []store.Range{{From: 1, To: 1}, {From: 3, To: 700}}, WithdrawA: []store.Range{{From: 9, To: 9}},
		Sides: [2]store.Side{{User: "alice", Read: 5, ReadN: 4, ReadNA: 1, Delivered: 6}, {User: "用户7", Read: 900, ReadN: 800, ReadNA: 9, Delivered: 900}}}
	group := &store.Head{Conv: 7, Kind: im.Group, Members: 100_000, Min: 1, MinVer: 1, Group: "g", Closed: true}
	row := &store.Row{Conv: 7, User: "u", Role: im.Owner, MVer: 3, From: 4, FromN: 5, FromNA: 6, Read: 7, ReadN: 8, ReadNA: 9, Position: 1 << 60}
	member := &store.Row{Conv: 7, User: "u", Role: im.Owner, MVer: 3, From: 4, Position: 1 << 60}
	info := &im.GroupInfo{ID: "g", Name: "名", Join: im.JoinOpen, History: im.HistoryAll}
	record := &store.Record{Value: []byte("v"), Expires: 1 << 40}
	change := &im.Change{Ver: 4, Kind: im.BlockAdded, By: "a", Device: "d", Peer: "b", Time: 1 << 40}
	for _, c := range []struct {
		name, row string
		write     []byte
		read      func(row []byte) (any, error)
		want      any
	}{
		{"direct row", "0100", appendDirectRow(nil), func(b []byte) (any, error) {
			r, direct, err := decodeRow(nil, 7, "u", b)
			return fmt.Sprintf("%v %+v", direct, r), err
		}, fmt.Sprintf("true %+v", store.Row{Conv: 7, User: "u"})},
		{"row", "01010303040506070809808080808080808010", appendRow(nil, row), func(b []byte) (any, error) {
			r, direct, err := decodeRow(nil, 7, "u", b)
			return fmt.Sprintf("%v %+v", direct, r), err
		}, fmt.Sprintf("false %+v", *row)},
		{"how far one has read", "01010303040506070809808080808080808010", appendRow(nil, row), func(b []byte) (any, error) {
			from, read, ok, err := decodeRead(nil, b)
			return fmt.Sprint(from, read, ok), err
		}, fmt.Sprint(4, 7, true)},
		{"member", "01030304808080808080808010", appendMember(nil, member), func(b []byte) (any, error) {
			r, err := decodeMember(nil, 7, "u", b)
			return fmt.Sprintf("%+v", r), err
		}, fmt.Sprintf("%+v", *member)},
		{"direct head", "010100028407030464fb06fba0f1c2b13401020180808080802002010002b90501090005616c6963650504010607e794a8e688b7378407a006098407", appendHead(nil, direct), func(b []byte) (any, error) {
			h, err := decodeHead(nil, 7, b)
			return fmt.Sprintf("%+v", *h), err
		}, fmt.Sprintf("%+v", *direct)},
		{"group head", "010201a08d060000000000000001010000000167", appendHead(nil, group), func(b []byte) (any, error) {
			h, err := decodeHead(nil, 7, b)
			return fmt.Sprintf("%+v", *h), err
		}, fmt.Sprintf("%+v", *group)},
		{"info", "01010103e5908d", appendInfo(nil, info), func(b []byte) (any, error) {
			i, err := decodeInfo(nil, "g", b)
			return fmt.Sprintf("%+v", i), err
		}, fmt.Sprintf("%+v", *info)},
		{"membership", "0105616c696365808080808020030203626f6201056361726f6c00",
			appendMembership(nil, "alice", 1<<40, 3, []store.RoleSet{{User: "bob", Role: im.Member}, {User: "carol"}}), func(b []byte) (any, error) {
				m, err := decodeMembership(nil, b)
				return fmt.Sprintf("%+v", m), err
			}, fmt.Sprintf("%+v", membership{"alice", 1 << 40, 3, []store.RoleSet{{User: "bob", Role: im.Member}, {User: "carol"}}})},
		{"record", "0180808080804076", appendRecord(nil, record), func(b []byte) (any, error) {
			v, expires, due, err := decodeRecord(nil, b)
			return fmt.Sprintf("%s %d %d", v, expires, due), err
		}, fmt.Sprintf("v %d 0", 1<<40)},
		{"change", "01030080808080802000016101640162", appendChange(nil, change), func(b []byte) (any, error) {
			ch, err := decodeChange(nil, 4, b)
			return fmt.Sprintf("%+v", ch), err
		}, fmt.Sprintf("%+v", *change)},
	} {
		if got := hex.EncodeToString(c.write); got != c.row {
			t.Errorf("%s is written as\n%s, was\n%s", c.name, got, c.row)
		}
		b, err := hex.DecodeString(c.row)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.read(b); err != nil || got != c.want {
			t.Errorf("%s is read as\n%v %v, want\n%v", c.name, got, err, c.want)
		}
	}
}
