package core

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/im"
)

// end is why the client's session ended.
func (c *client) end() End {
	c.w.Helper()
	select {
	case e := <-c.ended:
		return e
	case <-time.After(patience):
		c.w.Fatalf("the session of %s/%s does not end", c.user, c.device)
		panic("unreachable")
	}
}

// alive wants that the session has not ended and is told what happens.
func (c *client) alive() {
	c.w.Helper()
	select {
	case e := <-c.ended:
		c.w.Fatalf("the session of %s/%s ended: %+v", c.user, c.device, e)
	default:
	}
	c.quiet(func(Item) bool { return false })
}

func (w *world) token(c auth.Claims) string {
	w.Helper()
	if c.Expires.IsZero() {
		c.Expires = w.c.Now().Add(time.Hour)
	}
	t, err := w.signer.Sign(c)
	w.ok(err)
	return t
}

func TestLoginChecks(t *testing.T) {
	w := newWorld(t, Config{})
	for name, c := range map[string]struct {
		l    Login
		code im.Code // 0 = allowed
	}{
		"no token":             {Login{Door: "native"}, im.CodeUnauthenticated},
		"no device":            {Login{Token: w.token(auth.Claims{User: "ann"}), Door: "native"}, 0},
		"a device with a /":    {Login{Token: w.token(auth.Claims{User: "ann"}), Door: "native", Device: "a/b"}, im.CodeInvalid},
		"a device of 65 bytes": {Login{Token: w.token(auth.Claims{User: "ann"}), Door: "native", Device: im.DeviceID(strings.Repeat("a", 65))}, im.CodeTooLarge},
		"its device":           {Login{Token: w.token(auth.Claims{User: "ann", Device: "d"}), Door: "native", Device: "d"}, 0},
		"its device, unsaid":   {Login{Token: w.token(auth.Claims{User: "ann", Device: "d"}), Door: "native"}, 0},
		"another device":       {Login{Token: w.token(auth.Claims{User: "ann", Device: "d"}), Door: "native", Device: "e"}, im.CodeOtherDevice},
		"another door":         {Login{Token: w.token(auth.Claims{User: "ann", Doors: []string{"line"}}), Door: "native"}, im.CodeDoor},
		"its door":             {Login{Token: w.token(auth.Claims{User: "ann", Doors: []string{"line"}}), Door: "line"}, 0},
		"an unknown class":     {Login{Token: w.token(auth.Claims{User: "ann"}), Door: "native", Class: "fridge"}, im.CodeInvalid},
		"expired":              {Login{Token: w.token(auth.Claims{User: "ann", IssuedAt: time.Now().Add(-time.Hour), Expires: time.Now().Add(-time.Minute)}), Door: "native"}, im.CodeExpired},
	} {
		s, err := w.c.Login(t.Context(), c.l)
		if err == nil {
			s.Close()
		}
		switch {
		case c.code == 0 && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.code != 0 && (err == nil || im.AsError(err).Code != c.code):
			t.Errorf("%s: %v; want %d", name, err, c.code)
		}
	}
	if n := w.c.sessions(); n != 0 {
		t.Fatalf("%d sessions are left", n)
	}
	a, b := w.login("ann", ""), w.login("ann", "")
	if a.device == b.device || im.CheckName("device", string(a.device)) != nil {
		t.Fatalf("devices made up: %q %q", a.device, b.device)
	}
}

func TestClasses(t *testing.T) {
	w := newWorld(t, Config{})
	for _, c := range []struct {
		token, said im.Class
		door        string
		want        im.Class
	}{
		{"", "", "native", im.Phone}, {"", "", "line", im.Line}, {"", im.Web, "native", im.Web},
		{im.Bot, "", "native", im.Bot}, {im.Bot, im.Web, "native", im.Bot}, {"", im.Desktop, "line", im.Desktop},
	} {
		s, err := w.c.Login(t.Context(), Login{Token: w.token(auth.Claims{User: "ann", Class: c.token}), Door: c.door, Class: c.said, Device: "d"})
		w.ok(err)
		if s.Class() != c.want {
			t.Errorf("%+v: %s", c, s.Class())
		}
	}
}

// The newer of two sessions of a device stays.
func TestReplaced(t *testing.T) {
	w := newWorld(t, Config{})
	old := w.login("ann", "phone")
	laptop := w.login("ann", "laptop")
	newer := w.login("ann", "phone")
	if e := old.end(); e.Code != im.CodeReplaced || e.Resumable {
		t.Fatalf("%+v", e)
	}
	newer.alive()
	laptop.alive()
	w.refused(old.send("u/bob", w.id(), "x").Err, im.Unavailable)
	if items, _ := old.Take(nil, 10, 1000); len(items) != 0 {
		t.Fatal("a session that has ended is told something")
	}
	old.Close() // says nothing any more
	old.Detach()
	newer.alive()
}

func TestReplacedAtTheSameTime(t *testing.T) {
	w := newWorld(t, Config{})
	const n = 16
	clients := make([]*client, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { clients[i] = w.login("ann", "phone") })
	}
	wg.Wait()
	alive := 0
	for _, c := range clients {
		select {
		case e := <-c.ended:
			if e.Code != im.CodeReplaced {
				t.Fatalf("%+v", e)
			}
		default:
			alive++
			c.alive()
		}
	}
	if alive != 1 || w.c.sessions() != 1 || len(w.c.hub.Sessions("ann")) != 1 {
		t.Fatalf("%d are alive, %d sessions", alive, w.c.sessions())
	}
}

func TestTooManySessions(t *testing.T) {
	w := newWorld(t, Config{Limits: im.Limits{Sessions: 3, SessionsByClass: map[im.Class]int{im.Web: 1, im.Bot: -1}}})
	class := func(c im.Class) func(*Login) { return func(l *Login) { l.Class = c } }
	first := w.login("ann", "d1")
	second := w.login("ann", "d2", class(im.Tablet))
	third := w.login("ann", "d3")
	web := w.login("ann", "w1", class(im.Web)) // counted alone
	for i := range 5 {
		w.login("ann", im.DeviceID(fmt.Sprint("b", i)), class(im.Bot)).alive()
	}
	w.login("bob", "d1").alive()
	first.alive()
	fourth := w.login("ann", "d4")
	if e := first.end(); e.Code != im.CodeKicked || e.Text == "" || e.Resumable {
		t.Fatalf("%+v", e)
	}
	web2 := w.login("ann", "w2", class(im.Web))
	if e := web.end(); e.Code != im.CodeKicked {
		t.Fatalf("%+v", e)
	}
	w.login("ann", "d2") // the same device: nobody else goes
	if e := second.end(); e.Code != im.CodeReplaced {
		t.Fatalf("%+v", e)
	}
	for _, c := range []*client{third, fourth, web2} {
		c.alive()
	}
	third.Detach() // does not count
	w.login("ann", "d5")
	fourth.alive()
}

func TestRevoked(t *testing.T) {
	w := newWorld(t, Config{})
	phone, laptop, bob := w.login("ann", "phone"), w.login("ann", "laptop"), w.login("bob", "phone")
	named, err := w.c.Login(t.Context(), Login{Token: w.token(auth.Claims{User: "ann", JTI: "j1"}), Door: "native", Device: "tv", Ended: func(e End) {
		if e.Code != im.CodeRevoked {
			t.Errorf("%+v", e)
		}
	}})
	w.ok(err)
	_, err = w.rev.RevokeToken(t.Context(), "ann", "j1", time.Time{})
	w.ok(err)
	if !named.over.Load() {
		t.Fatal("the session of the revoked token goes on")
	}
	_, err = w.rev.RevokeDevice(t.Context(), "ann", "phone")
	w.ok(err)
	if e := phone.end(); e.Code != im.CodeRevoked || e.Resumable {
		t.Fatalf("%+v", e)
	}
	laptop.alive()
	token := w.token(auth.Claims{User: "ann"})
	_, err = w.c.Login(t.Context(), Login{Token: token, Door: "native", Device: "phone"})
	w.refused(err, im.Unauthenticated, im.CodeRevoked)
	_, err = w.rev.RevokeUser(t.Context(), "ann")
	w.ok(err)
	if e := laptop.end(); e.Code != im.CodeRevoked {
		t.Fatalf("%+v", e)
	}
	_, err = w.c.Login(t.Context(), Login{Token: token, Door: "native", Device: "new"})
	w.refused(err, im.Unauthenticated, im.CodeRevoked)
	if n := w.c.sessions(); n != 1 {
		t.Fatalf("%d sessions", n)
	}
	bob.alive()
}

// A login with a revoked token ends nobody else's session.
func TestRevokedLoginReplacesNobody(t *testing.T) {
	w := newWorld(t, Config{})
	stolen := w.token(auth.Claims{User: "ann", JTI: "stolen"})
	_, err := w.rev.RevokeToken(t.Context(), "ann", "stolen", time.Time{})
	w.ok(err)
	phone := w.login("ann", "phone")
	_, err = w.c.Login(t.Context(), Login{Token: stolen, Door: "native", Device: "phone"})
	w.refused(err, im.Unauthenticated, im.CodeRevoked)
	phone.alive()
}

// slowRows answers when it is told to.
type slowRows struct {
	authRows
	asked, answer chan struct{}
}

func (r *slowRows) Read(ctx context.Context, u im.UserID, key string) ([]byte, error) {
	v, err := r.authRows.Read(ctx, u, key)
	r.asked <- struct{}{}
	<-r.answer
	return v, err
}

// A revocation between the check of a token and the end of the login hits it.
func TestRevokedWhileSigningIn(t *testing.T) {
	w := newWorld(t, Config{})
	rows := &slowRows{authRows: authRows{rows: map[string][]byte{}}, asked: make(chan struct{}), answer: make(chan struct{})}
	w.c.rev = auth.NewRevoker(rows, nil, w.c.Revoked)
	token := w.token(auth.Claims{User: "ann", JTI: "j"})
	got := make(chan error)
	go func() {
		_, err := w.c.Login(context.Background(), Login{Token: token, Door: "native", Device: "phone"})
		got <- err
	}()
	for range 2 { // account and device were read
		<-rows.asked
		rows.answer <- struct{}{}
	}
	<-rows.asked // the token has been read: not revoked
	_, err := w.c.rev.RevokeToken(t.Context(), "ann", "j", time.Time{})
	w.ok(err)
	rows.answer <- struct{}{}
	w.refused(<-got, im.Unauthenticated, im.CodeRevoked)
	if n := w.c.sessions(); n != 0 {
		t.Fatalf("%d sessions", n)
	}
}

func TestExpiry(t *testing.T) {
	clk := newClock()
	w := newWorld(t, Config{Clock: clk.Now})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	hour := time.Hour.Milliseconds()
	clk.add(hour - 1)
	w.c.expire(clk.Now())
	at, err := bob.Renew(t.Context(), w.token(auth.Claims{User: "bob", Expires: clk.Now().Add(time.Hour)}))
	w.ok(err)
	if !at.Equal(bob.Expires()) || at.Sub(clk.Now()).Round(time.Second) != time.Hour {
		t.Fatalf("%v", at)
	}
	clk.add(1)
	w.c.expire(clk.Now())
	if e := ann.end(); e.Code != im.CodeExpired || !e.Resumable {
		t.Fatalf("%+v", e)
	}
	bob.alive()
	again := w.login("ann", "phone", func(l *Login) { l.Resume = ann.ID() }) // with a new token it goes on
	if !again.Resumed() {
		t.Fatal("not resumed")
	}
	clk.add(hour)
	w.c.expire(clk.Now())
	if e := bob.end(); e.Code != im.CodeExpired {
		t.Fatalf("%+v", e)
	}
	if e := again.end(); e.Code != im.CodeExpired {
		t.Fatalf("%+v", e)
	}
	if len(w.c.expiry.heap) != 0 {
		t.Fatalf("%d are still to expire", len(w.c.expiry.heap))
	}
}

func TestRenew(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone")
	before := ann.Expires()
	for name, c := range map[string]struct {
		token string
		code  im.Code
	}{
		"nonsense":       {"x.y.z", im.CodeUnauthenticated},
		"another user's": {w.token(auth.Claims{User: "bob"}), im.CodeDenied},
		"another device": {w.token(auth.Claims{User: "ann", Device: "tv"}), im.CodeOtherDevice},
		"another door":   {w.token(auth.Claims{User: "ann", Doors: []string{"line"}}), im.CodeDoor},
	} {
		if _, err := ann.Renew(t.Context(), c.token); err == nil || im.AsError(err).Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.rev.RevokeToken(t.Context(), "ann", "gone", time.Time{})
	w.ok(err)
	_, err = ann.Renew(t.Context(), w.token(auth.Claims{User: "ann", JTI: "gone"}))
	w.refused(err, im.Unauthenticated, im.CodeRevoked)
	if !ann.Expires().Equal(before) {
		t.Fatal("a refused renewal changed the session")
	}
	_, err = ann.Renew(t.Context(), w.token(auth.Claims{User: "ann", JTI: "new", Expires: time.Now().Add(2 * time.Hour)}))
	w.ok(err)
	_, err = w.rev.RevokeToken(t.Context(), "ann", "new", time.Time{})
	w.ok(err)
	if e := ann.end(); e.Code != im.CodeRevoked {
		t.Fatalf("%+v", e)
	}
	_, err = ann.Renew(t.Context(), w.token(auth.Claims{User: "ann"}))
	w.refused(err, im.Unavailable)
	if len(w.c.expiry.heap) != 0 {
		t.Fatal("a session that has ended is still to expire")
	}
}

func TestExpiryOfMany(t *testing.T) {
	clk := newClock()
	var x expiry
	var all []*Session
	for i := range 1000 {
		s := &Session{}
		all = append(all, s)
		x.add(s, clk.Now().Add(time.Duration(i*7919%1000)*time.Second))
	}
	for i := range 500 {
		x.add(all[i], clk.Now().Add(time.Duration(i*31%1000)*time.Second)) // renewed
	}
	for i := 0; i < 1000; i += 3 {
		x.remove(all[i])
		x.remove(all[i])
	}
	n, last := 0, int64(0)
	for at := clk.Now(); !at.After(clk.Now().Add(1000 * time.Second)); at = at.Add(time.Second) {
		for s := x.next(at); s != nil; s = x.next(at) {
			if s.place != 0 || at.UnixMilli() < last {
				t.Fatal("out of order")
			}
			last = at.UnixMilli()
			n++
		}
	}
	if n != 666 {
		t.Fatalf("%d expired", n)
	}
}

func TestDrain(t *testing.T) {
	w := newWorld(t, Config{})
	var all []*client
	for i := range 20 {
		all = append(all, w.login(im.UserID(fmt.Sprint("u", i)), "phone"))
	}
	away := w.login("gone", "phone")
	away.Detach()
	began := time.Now()
	w.c.Drain(t.Context(), 100*time.Millisecond)
	if d := time.Since(began); d < 90*time.Millisecond {
		t.Fatalf("all at once, in %v", d)
	}
	for _, c := range all {
		if e := c.end(); e.Code != im.CodeDraining || !e.Resumable || e.RetryAfter < time.Second {
			t.Fatalf("%+v", e)
		}
	}
	_, err := w.c.Login(t.Context(), Login{Token: w.token(auth.Claims{User: "ann"}), Door: "native"})
	w.refused(err, im.Busy, im.CodeDraining)
}

func TestClose(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.login("ann", "phone")
	w.st.Hold()
	done := make(chan *Send, 1)
	ann.Send(&Send{To: "u/bob", Msg: text("a", "x"), Done: func(s *Send) { done <- s }})
	w.c.Close()
	if e := ann.end(); e.Code != im.CodeDraining {
		t.Fatalf("%+v", e)
	}
	w.st.Release()
	if s := <-done; s.Err != nil || s.Seq != 1 {
		t.Fatalf("%+v", s)
	}
	if st := w.c.Stats(); st.Detached != 0 || len(st.Sessions) != 0 {
		t.Fatalf("%+v", st)
	}
}

func TestStats(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.login("ann", "phone"), w.login("bob", "phone")
	_, err := w.c.Login(t.Context(), Login{Door: "native"})
	w.refused(err, im.Unauthenticated)
	ann.sent("u/bob", "x")
	ann.send("g/nope", "y", "y")
	bob.gets("u/ann", 1, "x")
	background, network := true, "wifi home"
	bob.SetState(ClientState{Background: &background, Network: network})
	st := w.c.Stats()
	if st.Sessions["native"] != 2 || st.Logins != 2 || st.LoginsRefused != 1 || st.Sends != 1 || st.Refusals[im.NotFound] != 1 ||
		st.Pushed < 1 || st.Delivered < 1 || st.Acks < 1 {
		t.Fatalf("%+v", st)
	}
	list := w.c.Sessions("bob")
	if len(list) != 1 || list[0].Device != "phone" || list[0].Class != im.Phone || list[0].Door != "native" || !list[0].Background || list[0].Network != network {
		t.Fatalf("%+v", list)
	}
	if len(w.c.Sessions("nobody")) != 0 {
		t.Fatal("nobody has sessions")
	}
}
