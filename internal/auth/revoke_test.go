package auth

import (
	"context"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func TestRevoked(t *testing.T) {
	at := func(ms int64) Claims { return Claims{User: "u", IssuedAt: time.UnixMilli(ms)} }
	for _, tt := range []struct {
		c    Claims
		r    Records
		want bool
	}{
		{at(1000), Records{}, false},
		{at(1000), Records{UserBefore: 999, DeviceBefore: 999}, false},
		{at(1000), Records{UserBefore: 1000}, true},
		{at(1000), Records{DeviceBefore: 1000}, true},
		{at(1000), Records{JTI: true}, true},
		{at(0), Records{}, true}, // 1970 is no time of issue
	} {
		err := Revoked(tt.c, tt.r)
		if (err != nil) != tt.want {
			t.Errorf("%+v %+v: %v", tt.c, tt.r, err)
		}
		if err != nil {
			wantErr(t, err, im.Unauthenticated, im.CodeRevoked)
		}
	}
}

func TestRevoker(t *testing.T) {
	ctx, c, st := context.Background(), newClock(), newMem()
	var told []Revocation
	r := NewRevoker(st, c.Now, func(v Revocation) { told = append(told, v) })
	tok := func(u im.UserID, jti string) Claims { return Claims{User: u, JTI: jti, IssuedAt: c.Now()} }
	type use struct {
		c      Claims
		device im.DeviceID
	}
	uses := map[string]use{
		"alice phone":   {tok("alice", "1"), "phone"},
		"alice laptop":  {tok("alice", "2"), "laptop"},
		"alice no name": {tok("alice", ""), ""},
		"bob phone":     {tok("bob", "1"), "phone"},
		"ahead": {func() Claims {
			x := tok("alice", "3")
			x.IssuedAt = c.Now().Add(Leeway)
			return x
		}(), "tablet"},
	}
	check := func(step string, refused ...string) {
		t.Helper()
		want := map[string]bool{}
		for _, n := range refused {
			want[n] = true
		}
		for n, u := range uses {
			err := r.Check(ctx, u.c, u.device)
			if (err != nil) != want[n] {
				t.Errorf("%s: %s: %v", step, n, err)
			}
			if err != nil {
				wantErr(t, err, im.Unauthenticated, im.CodeRevoked)
			}
			hit := false
			for _, v := range told {
				hit = hit || v.Hits(u.c, u.device)
			}
			if hit != want[n] {
				t.Errorf("%s: %s: the revocations hit it: %v", step, n, hit)
			}
		}
	}
	check("at first")
	if _, err := r.RevokeToken(ctx, "alice", "1", c.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	check("by jti, of this user alone", "alice phone")
	if _, err := r.RevokeDevice(ctx, "alice", "laptop"); err != nil {
		t.Fatal(err)
	}
	check("by device", "alice phone", "alice laptop")
	if _, err := r.RevokeUser(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	check("by user", "alice phone", "alice laptop", "alice no name", "ahead")
	c.Step(Leeway + time.Millisecond)
	if err := r.Check(ctx, tok("alice", "9"), "phone"); err != nil {
		t.Errorf("issued after: %v", err)
	}
	c.Step(-time.Hour) // the clock goes back: the cutoff does not
	if _, err := r.RevokeUser(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	check("the clock went back", "alice phone", "alice laptop", "alice no name", "ahead")

	for _, err := range []error{
		second(r.RevokeUser(ctx, "a/b")),
		second(r.RevokeDevice(ctx, "a", "")),
		second(r.RevokeToken(ctx, "a", "", time.Time{})),
	} {
		if !im.IsKind(err, im.Invalid) {
			t.Errorf("bad names: %v", err)
		}
	}

	st.down = true
	wantErr(t, r.Check(ctx, tok("bob", ""), ""), im.Unavailable, im.CodeUnavailable)
	wantErr(t, second(r.RevokeUser(ctx, "bob")), im.Unavailable, im.CodeUnavailable)
	wantErr(t, second(r.RevokeDevice(ctx, "bob", "d")), im.Unavailable, im.CodeUnavailable)
	if len(told) != 4 {
		t.Errorf("%d told; want 4: what is not kept is not told", len(told))
	}
}

func second[A any](_ A, err error) error { return err }
