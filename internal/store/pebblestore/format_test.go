package pebblestore_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
	"github.com/anser-im/anser/internal/store/pebblestore"
)

// copied is what a former version left, in memory.
func copied(t *testing.T, from string) vfs.FS {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("data/store", 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(from)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(from + "/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		out, err := mem.Create("data/store/"+f.Name(), vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = out.Write(b)
		}
		if err == nil {
			err = out.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

// formatOf is the format that a store says it has.
func formatOf(t *testing.T, mem vfs.FS) (n int) {
	t.Helper()
	raw(t, mem, func(db *pebble.DB) error {
		row, closer, err := db.Get(pebblestore.KeyMeta())
		if err != nil {
			return err
		}
		n = int(row[0])
		return closer.Close()
	})
	return n
}

// A store of the format before is brought up by opening it: all of it is there as it was,
// and takes what is new.
func TestFormerFormat(t *testing.T) {
	mem := copied(t, "testdata/format1")
	if n := formatOf(t, mem); n != 1 {
		t.Fatalf("the files are of format %d", n)
	}
	check := func(s *pebblestore.Store) (d, g im.ConvID) {
		t.Helper()
		d, ok, err := s.Direct("alice", "bob", "")
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		g, ok, err = s.Group("g")
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		h, _ := s.Head(d)
		bob, _, err := s.Row(d, "bob")
		n, _ := h.Unread(&bob)
		if err != nil || h.Seq != 4 || h.Ver != 2 || h.N != 4 || bob.Read != 2 || n != 1 || fmt.Sprint(h.Withdrawn) != "[{4 4}]" {
			t.Fatalf("%+v\n%+v\nunread %d, %v", h, bob, n, err)
		}
		said := ""
		p, err := s.Page(store.PageQuery{Conv: d, From: 1, To: 9})
		for _, m := range p.Messages {
			said += fmt.Sprintf("%d %q %v %v, ", m.Seq, m.Body, m.Edited != 0, m.Recalled)
		}
		if err != nil || said != `1 "edited" true false, 2 "more" false false, 3 "more" false false, 4 "" false true, ` {
			t.Fatalf("%s %v", said, err)
		}
		formers, err := s.Formers(d, 1, 0, 10)
		if err != nil || len(formers) != 1 || string(formers[0].Body) != "hello" {
			t.Fatalf("%+v %v", formers, err)
		}
		m, ok, err := s.Message(g, 2)
		if !ok || err != nil || m.Type != "acme:card" || m.Digest != "card" || !m.Mentions.All {
			t.Fatalf("%+v %v %v", m, ok, err)
		}
		if n, err := s.CountMentions("bob", g); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		marks, err := s.Marks(g, "", 10)
		if err != nil || len(marks) != 3 || marks[0].Read != 2 || marks[1].Read != 0 || marks[2].Read != 1 {
			t.Fatalf("%+v %v", marks, err)
		}
		if info, _, err := s.Info(g); info != (im.GroupInfo{ID: "g", Name: "group", Join: im.JoinOpen}) || err != nil {
			t.Fatalf("%+v %v", info, err)
		}
		if b, err := s.Blocked("bob", "mallory"); !b || err != nil {
			t.Fatal(b, err)
		}
		if v, _, err := s.Get(store.AccountRecord, "bob", ""); string(v) != "hash" || err != nil {
			t.Fatal(v, err)
		}
		if dup := send("alice", "bob", "1", "hello"); do(t, s, dup) != nil || !dup.Dup || dup.Seq != 1 {
			t.Fatalf("%+v", dup)
		}
		return d, g
	}
	db, s := opened(t, mem, pebblestore.Config{})
	d, g := check(s)
	nick := "B"
	pinned := int64(7)
	for _, conv := range []im.ConvID{d, g} {
		must(t, s, &store.SetOp{Conv: conv, User: "bob", Patch: &im.SettingsPatch{Pinned: &pinned}, Gone: []im.SeqRange{{From: 1, To: 1}}})
	}
	must(t, s, &store.MemberOp{Conv: g, Guard: 1, By: "alice", Set: []store.RoleSet{{User: "bob", Role: im.Member, Nick: &nick}}})
	must(t, s, &store.NoteOp{User: "bob", Key: "k", Value: []byte("v"), Most: 1})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := formatOf(t, mem); n != 2 {
		t.Fatalf("brought up to format %d", n)
	}
	_, s = opened(t, mem, pebblestore.Config{})
	check(s)
	for _, conv := range []im.ConvID{d, g} {
		r, _, err := s.Row(conv, "bob")
		if err != nil || r.Settings.Pinned != 7 || !r.Hides(1) || r.Hides(2) || (r.Nick == "B") != (conv == g) {
			t.Fatalf("%+v %v", r, err)
		}
	}
}
