package auth

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// desk is the built-in accounts with everything around them.
type desk struct {
	*Accounts
	c    *clock
	st   *mem
	v    *Verifier
	told []Revocation
}

// newDesk hashes cheaply: its tests are not about the cost.
func newDesk(t testing.TB) *desk {
	d := &desk{c: newClock(), st: newMem()}
	var err error
	if d.v, err = NewVerifier(Config{Secret: secretA, Now: d.c.Now}); err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(secretA, "", d.c.Now)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRevoker(d.st, d.c.Now, func(v Revocation) { d.told = append(d.told, v) })
	d.Accounts = NewAccounts(AccountsConfig{Store: d.st, Revoker: r, Signer: s, Now: d.c.Now})
	d.hasher = newHasher(cost{kib: 64, passes: 1, lanes: 1})
	return d
}

var (
	home    = netip.MustParseAddr("127.0.0.1")
	away    = netip.MustParseAddr("203.0.113.7")
	faraway = netip.MustParseAddr("198.51.100.9")
)

const pw = "correct horse battery"

func (d *desk) user(t testing.TB, u im.UserID, password string) {
	t.Helper()
	if _, err := d.SetPassword(context.Background(), u, password); err != nil {
		t.Fatal(err)
	}
	d.c.Step(time.Millisecond) // a login takes longer than this anyway
}

func (d *desk) login(u im.UserID, password string, a netip.Addr) (Grant, error) {
	return d.Login(context.Background(), LoginRequest{User: u, Password: password, Addr: a})
}

// good says whether a token signs in at this moment.
func (d *desk) good(token string) error {
	c, err := d.v.Verify(token)
	if err != nil {
		return err
	}
	return d.revoke.Check(context.Background(), c, "any")
}

func TestLogin(t *testing.T) {
	d := newDesk(t)
	d.user(t, "alice", pw)
	g, err := d.Login(context.Background(), LoginRequest{User: "alice", Password: pw, Device: "phone", Addr: away})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.v.Verify(g.Token)
	if err != nil {
		t.Fatal(err)
	}
	if c.User != "alice" || c.Device != "phone" || c.JTI == "" || !c.Expires.Equal(d.c.Now().Add(time.Hour)) || !g.Expires.Equal(c.Expires) {
		t.Errorf("%+v", c)
	}
	if err := d.good(g.Token); err != nil {
		t.Errorf("right after the password was set: %v", err)
	}
	if !g.RefreshExpires.Equal(d.c.Now().Add(30*24*time.Hour)) || len(g.Refresh) != refreshChars {
		t.Errorf("%+v", g)
	}
	for k, r := range d.st.rows { // what is stolen from the store opens nothing
		if v := string(r.Value); strings.Contains(v, pw) || strings.Contains(v, g.Refresh[22:]) || strings.Contains(k+v, g.Token) {
			t.Errorf("the row %q holds a secret", k)
		}
	}
	for _, tt := range []struct {
		u    im.UserID
		pw   string
		kind im.Kind
	}{
		{"alice", "wrong", im.Unauthenticated},
		{"alice", "", im.Unauthenticated},
		{"alice", strings.Repeat("x", MaxPassword+1), im.TooLarge},
		{"nobody", strings.Repeat("x", MaxPassword+1), im.TooLarge},
		{"a/b", pw, im.Invalid},
		{"", pw, im.Invalid},
	} {
		if _, err := d.login(tt.u, tt.pw, home); !im.IsKind(err, tt.kind) {
			t.Errorf("%q: %v", tt.u, err)
		}
	}
	d.st.down = true
	if _, err := d.login("alice", pw, home); !im.IsKind(err, im.Unavailable) {
		t.Errorf("without a store: %v", err)
	}
}

// TestUnknownUserIsNotTold: the same answer and the same work, whether there is such a
// user, one without a password, or none.
func TestUnknownUserIsNotTold(t *testing.T) {
	d := newDesk(t)
	d.user(t, "alice", pw)
	d.user(t, "gone", pw)
	if _, err := d.RemovePassword(context.Background(), "gone"); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, u := range []im.UserID{"alice", "nobody", "gone"} {
		for i := range freeTries + 1 {
			before := d.Hashes()
			_, err := d.login(u, "wrong password", home)
			if i < freeTries {
				wantErr(t, err, im.Unauthenticated, im.CodeUnauthenticated, "wrong password")
				if n := d.Hashes() - before; n != 1 {
					t.Errorf("%s: %d hashings", u, n)
				}
			} else {
				wantErr(t, err, im.Limited, im.CodeLimited)
			}
			texts = append(texts, err.Error())
		}
	}
	n := freeTries + 1
	for i := range n {
		if texts[i] != texts[n+i] || texts[i] != texts[2*n+i] {
			t.Errorf("told apart: %q %q %q", texts[i], texts[n+i], texts[2*n+i])
		}
	}
	if _, err := d.login("gone", pw, home); err == nil {
		t.Error("signed in with a password that was removed")
	}
	c1, _, _, err := parsePHC(d.hasher.dummy)
	if err != nil || c1 != d.hasher.cost {
		t.Errorf("the dummy costs %+v, %v", c1, err)
	}
}

func TestLoginBackoffByAccount(t *testing.T) {
	d := newDesk(t)
	d.user(t, "alice", pw)
	d.user(t, "bob", pw)
	from := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range freeTries {
		if _, err := d.login("alice", "wrong", from(i)); !im.IsKind(err, im.Unauthenticated) {
			t.Fatal(i, err)
		}
	}
	want := firstWait
	for i := range 12 {
		before := d.Hashes()
		_, err := d.login("alice", pw, from(1000))
		wantErr(t, err, im.Limited, im.CodeLimited)
		if e := im.AsError(err); e.Retry != want {
			t.Fatalf("wait %d is %v, want %v", i, e.Retry, want)
		}
		if d.Hashes() != before {
			t.Fatal("hashed for one who has to wait")
		}
		if _, err := d.login("bob", pw, from(1000)); err != nil {
			t.Fatalf("another account: %v", err)
		}
		d.c.Step(want)
		if _, err := d.login("alice", "wrong", from(2000+i)); !im.IsKind(err, im.Unauthenticated) {
			t.Fatal(err)
		}
		want = min(2*want, maxWait)
	}
	d.c.Step(maxWait)
	if _, err := d.login("alice", pw, from(1000)); err != nil {
		t.Fatalf("the right password after the wait: %v", err)
	}
	if _, err := d.login("alice", "wrong", from(1000)); !im.IsKind(err, im.Unauthenticated) {
		t.Fatal("a success did not clear the count")
	}
	if _, err := d.login("alice", pw, from(1000)); err != nil {
		t.Fatal(err)
	}
}

func TestLoginBackoffByAddress(t *testing.T) {
	for _, tt := range []struct {
		a, same, other netip.Addr
		exempt         bool
	}{
		{away, netip.MustParseAddr("::ffff:203.0.113.7"), faraway, false},
		{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:1"), netip.MustParseAddr("2001:db8:0:1::1"), false},
		{netip.Addr{}, netip.Addr{}, away, false},
		{home, netip.MustParseAddr("::1"), away, true},
	} {
		d := newDesk(t)
		d.user(t, "alice", pw)
		for i := range freeTries {
			if _, err := d.login(im.UserID(fmt.Sprint("user", i)), "wrong", tt.a); !im.IsKind(err, im.Unauthenticated) {
				t.Fatal(err)
			}
		}
		if _, err := d.login("alice", pw, tt.other); err != nil {
			t.Errorf("%v: another address: %v", tt.a, err)
		}
		_, err := d.login("alice", pw, tt.same)
		if tt.exempt {
			if err != nil {
				t.Errorf("%v: %v", tt.a, err)
			}
			continue
		}
		wantErr(t, err, im.Limited, im.CodeLimited)
		d.c.Step(firstWait)
		if _, err := d.login("alice", pw, tt.same); err != nil {
			t.Errorf("%v: after the wait: %v", tt.a, err)
		}
		if _, err := d.login("alice", "wrong", tt.same); !im.IsKind(err, im.Unauthenticated) {
			t.Error(err)
		}
		// A success of one's own does not clear the address.
		if _, err := d.login("alice", pw, tt.same); !im.IsKind(err, im.Limited) {
			t.Errorf("%v: %v", tt.a, err)
		}
	}
}

// TestManyGuessesAtOnce: guesses that come together are not free of the count.
func TestManyGuessesAtOnce(t *testing.T) {
	d := newDesk(t)
	d.user(t, "alice", pw)
	before := d.Hashes()
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() { d.login("alice", "guess", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})) })
	}
	wg.Wait()
	if n := d.Hashes() - before; n != freeTries {
		t.Errorf("%d guesses were checked, want %d", n, freeTries)
	}
}

// TestHashingIsBounded: two at once, a queue behind them, then Busy; who is not
// served has lost no try.
func TestHashingIsBounded(t *testing.T) {
	d := newDesk(t)
	d.user(t, "alice", pw)
	for range hashSlots {
		d.hasher.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var busy atomic.Int64
	full := make(chan struct{})
	for i := range hashWaiters + 1 {
		wg.Go(func() {
			_, err := d.Login(ctx, LoginRequest{User: im.UserID(fmt.Sprint("u", i)), Password: pw, Addr: home})
			if im.IsKind(err, im.Busy) {
				if busy.Add(1) == 1 {
					close(full) // the one over the limit comes back while the others wait
				}
			} else {
				t.Error(err)
			}
		})
	}
	select {
	case <-full:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was refused")
	}
	cancel()
	wg.Wait()
	if n := busy.Load(); n != hashWaiters+1 {
		t.Errorf("%d busy", n)
	}
	if n := len(d.byUser.byKey); n != 0 {
		t.Errorf("%d tries are counted that came to no decision", n)
	}
	for range hashSlots {
		<-d.hasher.slots
	}
	if _, err := d.login("alice", pw, home); err != nil {
		t.Error(err)
	}
}

func TestChangePassword(t *testing.T) {
	d, ctx := newDesk(t), context.Background()
	d.user(t, "alice", pw)
	g, err := d.login("alice", pw, home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ChangePassword(ctx, "alice", "wrong", "another password", home); !im.IsKind(err, im.Unauthenticated) {
		t.Errorf("wrong old password: %v", err)
	}
	for _, bad := range []string{"", "1234567", strings.Repeat("x", MaxPassword+1)} {
		if _, err := d.ChangePassword(ctx, "alice", pw, bad, home); err == nil {
			t.Errorf("%d bytes were taken", len(bad))
		}
		if _, err := d.SetPassword(ctx, "alice", bad); err == nil {
			t.Errorf("%d bytes were taken", len(bad))
		}
	}
	if err := d.good(g.Token); err != nil {
		t.Fatalf("nothing was changed: %v", err)
	}
	c, _ := d.v.Verify(g.Token)
	v, err := d.ChangePassword(ctx, "alice", pw, strings.Repeat("x", MaxPassword), home)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Hits(c, "any") || len(d.told) == 0 || d.told[len(d.told)-1] != v {
		t.Errorf("the live session is not told of: %+v %+v", v, d.told)
	}
	wantErr(t, d.good(g.Token), im.Unauthenticated, im.CodeRevoked)
	if _, err := d.Refresh(ctx, g.Refresh); !im.IsKind(err, im.Unauthenticated) {
		t.Errorf("a refresh token outlived the password: %v", err)
	}
	d.c.Step(time.Millisecond)
	if _, err := d.login("alice", pw, home); err == nil {
		t.Error("the old password is still good")
	}
	g, err = d.login("alice", strings.Repeat("x", MaxPassword), home)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.good(g.Token); err != nil {
		t.Errorf("right after the change: %v", err)
	}
	if g, err = d.Refresh(ctx, g.Refresh); err != nil {
		t.Fatalf("right after the change: %v", err)
	}
	if err := d.good(g.Token); err != nil {
		t.Errorf("refreshed right after the change: %v", err)
	}
}

func TestRefreshRotates(t *testing.T) {
	d, ctx := newDesk(t), context.Background()
	d.user(t, "alice", pw)
	g, err := d.Login(ctx, LoginRequest{User: "alice", Password: pw, Device: "phone", Addr: home})
	if err != nil {
		t.Fatal(err)
	}
	other, err := d.login("alice", pw, home)
	if err != nil {
		t.Fatal(err)
	}
	first := g.Refresh
	for range 5 {
		d.c.Step(29 * 24 * time.Hour)
		was := g
		if g, err = d.Refresh(ctx, was.Refresh); err != nil {
			t.Fatal(err)
		}
		if g.Refresh == was.Refresh || g.User != "alice" {
			t.Fatalf("%+v", g)
		}
		c, err := d.v.Verify(g.Token)
		if err != nil || c.Device != "phone" || c.User != "alice" {
			t.Fatalf("%+v %v", c, err)
		}
	}
	if _, err := d.Refresh(ctx, other.Refresh); !im.IsKind(err, im.Unauthenticated) || im.AsError(err).Code != im.CodeExpired {
		t.Errorf("after 30 days: %v", err)
	}
	told := len(d.told)
	_, err = d.Refresh(ctx, first)
	wantErr(t, err, im.Unauthenticated, im.CodeRevoked, first)
	c, _ := d.v.Verify(g.Token)
	if len(d.told) != told+1 || !d.told[told].Hits(c, "phone") {
		t.Errorf("the thief's session is not told of: %+v", d.told[told:])
	}
	wantErr(t, d.good(g.Token), im.Unauthenticated, im.CodeRevoked)
	if _, err := d.Refresh(ctx, g.Refresh); !im.IsKind(err, im.Unauthenticated) {
		t.Errorf("the family goes on: %v", err)
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", refreshChars), strings.Repeat("A", refreshChars-1), strings.Repeat("A", 1<<20), strings.Repeat("\n", refreshChars), g.Token} {
		_, err := d.Refresh(ctx, bad)
		wantErr(t, err, im.Unauthenticated, im.CodeUnauthenticated)
	}
	g, err = d.login("alice", pw, home)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.good(g.Token); err != nil {
		t.Errorf("a new login after the family ended: %v", err)
	}
}

// TestRefreshOnceAmongMany: of many who bring the same token at once, at most one is
// served, and the others end the family.
func TestRefreshOnceAmongMany(t *testing.T) {
	d, ctx := newDesk(t), context.Background()
	d.user(t, "alice", pw)
	g, err := d.login("alice", pw, home)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var served atomic.Int64
	for range 20 {
		wg.Go(func() {
			if _, err := d.Refresh(ctx, g.Refresh); err == nil {
				served.Add(1)
			}
		})
	}
	wg.Wait()
	if n := served.Load(); n != 1 {
		t.Errorf("%d were served", n)
	}
	wantErr(t, d.good(g.Token), im.Unauthenticated, im.CodeRevoked)
}

func TestRevokingEndsRefreshTokens(t *testing.T) {
	d, ctx := newDesk(t), context.Background()
	d.user(t, "alice", pw)
	var gs [3]Grant
	for i, dev := range []im.DeviceID{"phone", "laptop", ""} {
		var err error
		if gs[i], err = d.Login(ctx, LoginRequest{User: "alice", Password: pw, Device: dev, Addr: home}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.revoke.RevokeDevice(ctx, "alice", "phone"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Refresh(ctx, gs[0].Refresh); !im.IsKind(err, im.Unauthenticated) {
		t.Errorf("of the device: %v", err)
	}
	var err error
	if gs[1], err = d.Refresh(ctx, gs[1].Refresh); err != nil {
		t.Errorf("of another device: %v", err)
	}
	if err := d.Logout(ctx, gs[1].Refresh); err != nil {
		t.Error(err)
	}
	wantErr(t, d.good(gs[1].Token), im.Unauthenticated, im.CodeRevoked)
	if _, err := d.Refresh(ctx, gs[1].Refresh); !im.IsKind(err, im.Unauthenticated) {
		t.Errorf("after logout: %v", err)
	}
	if err := d.Logout(ctx, gs[1].Refresh); err != nil {
		t.Errorf("twice: %v", err)
	}
	if _, err := d.revoke.RevokeUser(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Refresh(ctx, gs[2].Refresh); !im.IsKind(err, im.Unauthenticated) {
		t.Errorf("of the user: %v", err)
	}
	if ok, err := d.HasPassword(ctx, "alice"); err != nil || !ok {
		t.Errorf("revoking took the password: %v", err)
	}
}

// TestPasswordHash uses the real cost once, and a hash made elsewhere.
func TestPasswordHash(t *testing.T) {
	ctx, h := context.Background(), newHasher(standardCost)
	s, err := h.hash(ctx, pw)
	if err != nil || !strings.HasPrefix(s, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatal(s, err)
	}
	for p, want := range map[string]bool{pw: true, pw + "x": false, "": false} {
		if ok, err := h.verify(ctx, s, p); err != nil || ok != want {
			t.Errorf("%q: %v %v", p, ok, err)
		}
	}
	for _, bad := range []string{"x", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=64,t=4000000000,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=64,t=1,p=0$c29tZXNhbHQ$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=64,t=1,p=1 $c29tZXNhbHQ$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=64,t=1,p=1$$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$"} {
		if ok, err := h.verify(ctx, bad, pw); ok || !im.IsKind(err, im.Internal) {
			t.Errorf("%q: %v %v", bad, ok, err)
		}
	}
}

// The first password of a user ends nothing: the token that he has from an app server
// stays good. Each one after it ends what was signed in before.
func TestFirstPasswordRevokesNothing(t *testing.T) {
	d, ctx := newDesk(t), context.Background()
	claims := Claims{User: "alice", IssuedAt: d.c.Now(), Expires: d.c.Now().Add(time.Hour)}
	d.c.Step(time.Second)
	for i, revoked := range []bool{false, true} {
		v, err := d.SetPassword(ctx, "alice", pw)
		if err != nil {
			t.Fatal(err)
		}
		err = d.revoke.Check(ctx, claims, "any")
		if (err != nil) != revoked || v.Hits(claims, "any") != revoked || len(d.told) != i {
			t.Errorf("password %d: %v, %+v, told %d times", i+1, err, v, len(d.told))
		}
	}
	if _, err := d.RemovePassword(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	if v, err := d.SetPassword(ctx, "alice", pw); err != nil || v != (Revocation{}) {
		t.Errorf("after a removal: %+v %v", v, err)
	}
}
