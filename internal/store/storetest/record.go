package storetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// testRecords: put, replace, remove, conditions, lists, all or none.
func testRecords(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	rec := func(k store.RecordKind, u im.UserID, key, value string) store.Record {
		return store.Record{Kind: k, User: u, Key: key, Value: []byte(value)}
	}
	get := func(k store.RecordKind, u im.UserID, key, want string, there bool) {
		t.Helper()
		v, ok, err := s.Get(k, u, key)
		if err != nil || ok != there || string(v) != want {
			t.Fatalf("%s %q: %q %v %v", u, key, v, ok, err)
		}
	}
	long := string(bytes.Repeat([]byte{0, 255}, 32<<10))
	must(t, s, &store.PutOp{Records: []store.Record{
		rec(store.AccountRecord, "alice", "", "hash"), rec(store.DeviceRecord, "alice", "phone", "p"), rec(store.DeviceRecord, "alice", "tablet", ""),
		rec(store.DeviceRecord, "alic", "e", "x"), rec(store.SecretRecord, "", "jti", "s"), rec(store.SettingRecord, "alice", "k", long),
		rec(store.DeviceRecord, "alice", "console", "c"),
	}})
	for i := range 2 {
		get(store.AccountRecord, "alice", "", "hash", true)
		get(store.DeviceRecord, "alice", "tablet", "", true)
		get(store.SettingRecord, "alice", "k", long, true)
		get(store.SecretRecord, "", "jti", "s", true)
		get(store.SecretRecord, "alice", "jti", "", false)
		get(store.AccountRecord, "bob", "", "", false)
		list, err := s.List(store.DeviceRecord, "alice", "console", 10)
		if err != nil || len(list) != 2 || list[0].Key != "phone" || list[1].Key != "tablet" || list[0].User != "alice" || string(list[0].Value) != "p" {
			t.Fatalf("%+v %v", list, err)
		}
		if list, err := s.List(store.DeviceRecord, "alice", "", 2); err != nil || len(list) != 2 || list[0].Key != "console" {
			t.Fatalf("%+v %v", list, err)
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
	swap := func(old, now []byte) *store.PutOp {
		return &store.PutOp{If: &store.Record{Kind: store.SecretRecord, Key: "jti", Value: old},
			Records: []store.Record{{Kind: store.SecretRecord, Key: "jti", Value: now}, rec(store.SecretRecord, "", "with", string(now))}}
	}
	fails(t, s, swap(nil, []byte("t")), im.Conflict)
	fails(t, s, swap([]byte("x"), []byte("t")), im.Conflict)
	get(store.SecretRecord, "", "with", "", false)
	must(t, s, swap([]byte("s"), []byte("t")))
	get(store.SecretRecord, "", "with", "t", true)
	must(t, s, swap([]byte("t"), nil))
	get(store.SecretRecord, "", "jti", "", false)
	must(t, s, swap(nil, []byte("again")))
	// of two at once, one wins
	var waits []func() error
	for i := range 20 {
		waits = append(waits, start(s, swap([]byte("again"), []byte(fmt.Sprint("n", i)))))
	}
	won := 0
	for _, wait := range waits {
		if err := wait(); err == nil {
			won++
		} else if !im.IsKind(err, im.Conflict) {
			t.Fatal(err)
		}
	}
	if won != 1 {
		t.Fatalf("%d won", won)
	}
	lazy := &store.PutOp{Records: []store.Record{rec(store.DeviceRecord, "alice", "phone", "seen later")}, Lazy: true}
	must(t, s, lazy) // within a second, by itself
	get(store.DeviceRecord, "alice", "phone", "seen later", true)
	mine := []byte("mine")
	must(t, s, &store.PutOp{Records: []store.Record{{Kind: store.SettingRecord, User: "u", Key: "k", Value: mine}}})
	copy(mine, "xxxx")
	get(store.SettingRecord, "u", "k", "mine", true)
}

// testCursors: how far a device has been given a conversation never goes back.
func testCursors(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := store.Store(o.Store)
	conv := fill(t, s, 5)
	put := func(d im.DeviceID, seq im.Seq, lazy bool) {
		t.Helper()
		must(t, s, &store.CursorOp{User: "bob", Device: d, Conv: conv, Seq: seq, Lazy: lazy})
	}
	put("a", 3, false)
	put("a", 2, false)
	put("b", 5, true)
	for i := range 2 {
		for d, want := range map[im.DeviceID]im.Seq{"a": 3, "b": 5, "c": 0} {
			if seq, err := s.Cursor("bob", d, conv); seq != want || err != nil {
				t.Fatalf("%s: %d %v, want %d", d, seq, err, want)
			}
		}
		if i == 0 && o.Reopen != nil {
			s = o.reopen(t)
		}
	}
}
