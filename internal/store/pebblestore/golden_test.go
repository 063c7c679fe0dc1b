package pebblestore

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// TestGolden: what stores held before messages could have reactions, pins and the like
// is read as it was meant, and what has none of these is written in the same bytes.
func TestGolden(t *testing.T) {
	plain := stored{&im.Message{Seq: 900, N: 897, NA: 2, Time: 1_800_000_000_123, ID: "0190f3a2-7c4b-7d11-8f00-0123456789ab", Sender: "alice", Device: "phone",
		Type: "an:text", Flags: im.DefaultFlags, Body: []byte(`{"text":"hi"}`)}, false}
	full := stored{&im.Message{Seq: 900, Ver: 4, N: 897, NA: 2, Time: 1_800_000_000_123, ID: "0190f3a2-7c4b-7d11-8f00-0123456789ab", Sender: "alice", Device: "电话",
		Type: "app:card", Flags: im.DefaultFlags, Body: []byte("body\x00"), Digest: "d", Mentions: &im.Mentions{All: true, Users: []im.UserID{"bob", "49"}},
		ReplyTo: 1 << 40, Thread: 3, Expires: 1 << 50, Push: "p", To: []im.UserID{"bob"}, Recalled: true, RecallBy: "carol", Edited: 5}, true}
	h := &store.Head{Conv: 7, Kind: im.Direct, Members: 2, Seq: 900, Ver: 3, MVer: 4, N: 800, NA: 9, Time: 1_800_000_000_123, LastShown: 899, Min: 2, MinVer: 1, Position: 1 << 40,
		Withdrawn: []store.Range{{From: 1, To: 1}, {From: 3, To: 700}}, WithdrawA: []store.Range{{From: 9, To: 9}},
		Sides: [2]store.Side{{User: "alice", Read: 5, ReadN: 4, ReadNA: 1, Delivered: 6}, {User: "bob", Read: 900, ReadN: 800, ReadNA: 9, Delivered: 900}}}
	group := &store.Head{Conv: 7, Kind: im.Group, Members: 100_000, Min: 1, MinVer: 1, Group: "g", Closed: true}
	change := im.Change{Ver: 9, Kind: im.Edit, Seq: 3, By: "alice", Device: "d", ID: "0190f3a2-7c4b-7d11-8f00-0123456789ab", Time: 1 << 40}
	message := func(row []byte) (any, []byte, error) {
		m, err := decodeMessage(nil, 900, row)
		if err != nil {
			return nil, nil, err
		}
		return m, appendMessage(nil, m), nil
	}
	head := func(row []byte) (any, []byte, error) {
		h, err := decodeHead(nil, 7, row)
		if err != nil {
			return nil, nil, err
		}
		return h, appendHead(nil, h), nil
	}
	for _, g := range []struct {
		name, row string
		want      any
		again     func(row []byte) (any, []byte, error)
	}{
		{"plain message", "010003fba0f1c2b13403820711010190f3a27c4b7d118f000123456789ab05616c6963650570686f6e65017b2274657874223a226869227d", plain, message},
		{"full message", "01ff1f03fba0f1c2b13403820711010190f3a27c4b7d118f000123456789ab05616c69636506e794b5e8af9d00086170703a636172640401640203626f6202343980808080802003808080808080800201700103626f62056361726f6c05626f647900", full, message},
		{"head", "010100028407030464fb06fba0f1c2b13401020180808080802002010002b90501090005616c6963650504010603626f628407a006098407", h, head},
		{"head of a group", "010201a08d060000000000000001010000000167", group, head},
		{"change", "01010380808080802011010190f3a27c4b7d118f000123456789ab05616c696365016400", change, func(row []byte) (any, []byte, error) {
			c, err := decodeChange(nil, 9, row)
			return c, appendChange(nil, &c), err
		}},
		{"former body", "01016462", former{digest: "d", body: []byte("b")}, func(row []byte) (any, []byte, error) {
			f, err := decodeFormer(nil, row)
			return f, row, err // new ones say more
		}},
	} {
		row, err := hex.DecodeString(g.row)
		if err != nil {
			t.Fatal(err)
		}
		got, out, err := g.again(bytes.Clone(row))
		if err != nil || !reflect.DeepEqual(got, g.want) {
			t.Errorf("%s: %+v %v, want %+v", g.name, got, err, g.want)
		}
		if !bytes.Equal(out, row) {
			t.Errorf("%s: %x is written\n%x", g.name, row, out)
		}
	}
	if key := keyLine(nil, 1, [2]im.UserID{"alice", "bob"}, ""); hex.EncodeToString(key) != "01016164616c69636500626f62" {
		t.Errorf("the address of a plain direct conversation is %x", key)
	}
}
