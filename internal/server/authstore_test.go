package server

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestAuthStore(t *testing.T) {
	db := memstore.New(memstore.Config{})
	defer db.Close()
	s := authStore{db}
	ctx := t.Context()
	read := func(u im.UserID, key string) string {
		t.Helper()
		b, err := s.Read(ctx, u, key)
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return "-"
		}
		return string(b)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if read("alice", "") != "-" || read("", "k") != "-" {
		t.Error("rows that are not there")
	}
	value := []byte("one")
	must(s.Write(ctx, nil, auth.Row{User: "alice", Value: value}, auth.Row{Key: "k", Value: []byte("s")}))
	value[0] = 'X' // the caller's
	if read("alice", "") != "one" || read("", "k") != "s" || read("bob", "") != "-" {
		t.Error("what was written is not read")
	}
	must(s.Write(ctx, &auth.Row{User: "alice", Value: []byte("one")}, auth.Row{User: "alice", Value: []byte("two")}))
	for name, was := range map[string]*auth.Row{
		"another value":        {User: "alice", Value: []byte("one")},
		"absent":               {User: "alice"},
		"a row that is absent": {User: "bob", Value: []byte("x")},
	} {
		err := s.Write(ctx, was, auth.Row{User: "alice", Value: []byte("no")}, auth.Row{Key: "other", Value: []byte("no")})
		if !im.IsKind(err, im.Conflict) || read("alice", "") != "two" || read("", "other") != "-" {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(s.Write(ctx, nil, auth.Row{Key: "k"}))
	if read("", "k") != "-" {
		t.Error("removed and still there")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Write(gone, nil, auth.Row{Key: "k", Value: []byte("x")}); err != nil && !im.IsKind(err, im.Unavailable) {
		t.Errorf("the caller left: %v", err)
	}
}

// The list has all users with an account record, none of auth's other rows, in parts.
func TestListAccounts(t *testing.T) {
	db := memstore.New(memstore.Config{})
	defer db.Close()
	s := authStore{db}
	var want []im.UserID
	for i := range 25 {
		u := im.UserID(fmt.Sprintf("user%02d", i))
		want = append(want, u)
		if err := s.Write(t.Context(), nil, auth.Row{User: u, Value: []byte("{}")}, auth.Row{Key: "dev/" + string(u), Value: []byte("1")}, auth.Row{Key: "abc", Value: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write(t.Context(), nil, auth.Row{User: "user03"}); err != nil {
		t.Fatal(err)
	}
	want = slices.Delete(want, 3, 4)
	var got []im.UserID
	after := im.UserID("")
	for {
		part, err := listAccounts(db, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(part) == 0 {
			break
		}
		got = append(got, part...)
		after = part[len(part)-1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
