package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func (m *mem) Rows(_ context.Context, prefix string, limit int) ([]Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errors.New("the disk is gone")
	}
	var out []Row
	for k, r := range m.rows {
		if key, ok := strings.CutPrefix(k, "\x00"); ok && strings.HasPrefix(key, prefix) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Row) int { return strings.Compare(a.Key, b.Key) })
	return out[:min(len(out), limit)], nil
}

func newKeys(st *mem, c *clock) *AppKeys { return NewAppKeys(st, c.Now) }

func TestAppKeyLife(t *testing.T) {
	st, c, ctx := newMem(), newClock(), t.Context()
	a := newKeys(st, c)
	t.Cleanup(a.Close)
	key, k, err := a.Create(ctx, AppKey{Name: "backend", Services: []string{"MessageService"}, Expires: c.Now().Add(time.Hour).UnixMilli()})
	if err != nil || !strings.HasPrefix(key, KeyPrefix) || len(key) != 68 || k.Created != c.Now().UnixMilli() || k.LastUsed != 0 {
		t.Fatalf("%d characters, %+v, %v", len(key), k, err)
	}
	for _, r := range st.rows {
		if strings.Contains(string(r.Value), key[len(KeyPrefix):]) {
			t.Fatal("the store holds the key itself")
		}
	}
	if _, _, err := a.Create(ctx, AppKey{Name: "backend"}); !im.IsKind(err, im.Conflict) {
		t.Errorf("the same name again: %v", err)
	}
	c.Step(time.Minute)
	again := newKeys(st, c) // another process, after a restart
	t.Cleanup(again.Close)
	for _, a := range []*AppKeys{a, again} {
		k, err := a.Check(ctx, key)
		if err != nil || k.Name != "backend" || !k.Allows("MessageService") || k.Allows("AppService") {
			t.Fatalf("%+v %v", k, err)
		}
		a.Close() // the use is written
	}
	if l, err := newKeys(st, c).List(ctx); err != nil || len(l) != 1 || l[0].LastUsed != c.Now().UnixMilli() {
		t.Fatalf("%+v %v", l, err)
	}
	other, _, err := a.Create(ctx, AppKey{Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "ank_", key[:67], key + "0", strings.ToUpper(key), "ank_" + strings.Repeat("0", 64), other[:67] + "x", strings.Repeat("a", 1<<20)} {
		if _, err := a.Check(ctx, bad); !im.IsKind(err, im.Unauthenticated) {
			t.Errorf("%.10q... of %d: %v", bad, len(bad), err)
		}
	}
	c.Step(time.Hour)
	if _, err := a.Check(ctx, key); im.AsError(err).Code != im.CodeExpired {
		t.Errorf("after its end: %v", err)
	}
	if _, err := a.Check(ctx, other); err != nil {
		t.Error(err)
	}
	if err := a.Revoke(ctx, "other"); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*AppKeys{a, newKeys(st, c)} {
		if _, err := a.Check(ctx, other); !im.IsKind(err, im.Unauthenticated) {
			t.Errorf("after it was revoked: %v", err)
		}
	}
	if err := a.Revoke(ctx, "other"); !im.IsKind(err, im.NotFound) {
		t.Errorf("again: %v", err)
	}
}

func TestAppKeyRefuses(t *testing.T) {
	st, c := newMem(), newClock()
	a := newKeys(st, c)
	for _, name := range []string{"", "a b", "a/b", "ä", strings.Repeat("a", 65), "a\n"} {
		if _, _, err := a.Create(t.Context(), AppKey{Name: name}); !im.IsKind(err, im.Invalid) {
			t.Errorf("name %q: %v", name, err)
		}
		if err := a.Revoke(t.Context(), name); !im.IsKind(err, im.Invalid) {
			t.Errorf("revoking %q: %v", name, err)
		}
	}
	if _, _, err := a.Create(t.Context(), AppKey{Name: "a", Expires: c.Now().UnixMilli()}); !im.IsKind(err, im.Invalid) {
		t.Errorf("over already: %v", err)
	}
	// A store that does not answer lets nobody in, and is asked again.
	key, _, err := a.Create(t.Context(), AppKey{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	down := newKeys(st, c)
	st.down = true
	if _, err := down.Check(t.Context(), key); !im.IsKind(err, im.Unavailable) {
		t.Errorf("while the store is down: %v", err)
	}
	if err := a.Revoke(t.Context(), "a"); !im.IsKind(err, im.Unavailable) {
		t.Errorf("revoked while the store is down: %v", err)
	}
	if _, err := a.Check(t.Context(), key); !im.IsKind(err, im.Unauthenticated) {
		t.Errorf("what could not be written is good again: %v", err)
	}
	st.down = false
	if _, err := down.Check(t.Context(), key); err != nil {
		t.Error(err)
	}
	down.Close()
	// Who revokes it again is not told that it is gone while it would come back.
	if err := a.Revoke(t.Context(), "a"); err != nil {
		t.Errorf("revoked again when the store is back: %v", err)
	}
	if _, err := newKeys(st, c).Check(t.Context(), key); !im.IsKind(err, im.Unauthenticated) {
		t.Errorf("after a restart: %v", err)
	}
	if err := a.Revoke(t.Context(), "a"); !im.IsKind(err, im.NotFound) {
		t.Errorf("a third time: %v", err)
	}
	if _, _, err := a.Create(t.Context(), AppKey{Name: "a"}); err != nil {
		t.Errorf("its name is not free: %v", err)
	}
}

// Use, revocation and making at the same time: a revoked key does not come back.
func TestAppKeysAtOnce(t *testing.T) {
	st, c := newMem(), newClock()
	a := newKeys(st, c)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			name := fmt.Sprint("k", i)
			key, _, err := a.Create(t.Context(), AppKey{Name: name})
			if err != nil {
				t.Error(err)
				return
			}
			c.Step(2 * time.Minute)
			if _, err := a.Check(t.Context(), key); err != nil {
				t.Error(err)
			}
			if err := a.Revoke(t.Context(), name); err != nil {
				t.Error(err)
			}
			if _, err := a.Check(t.Context(), key); err == nil {
				t.Error("a revoked key is good")
			}
		})
	}
	wg.Wait()
	a.Close()
	if l, err := newKeys(st, c).List(t.Context()); err != nil || len(l) != 0 {
		t.Errorf("%+v %v", l, err)
	}
}

func TestFailures(t *testing.T) {
	var f Failures
	c := newClock()
	bad, good := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("198.51.100.7")
	for i := range failuresAtOnce {
		if err := f.Allow(bad, c.Now()); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		f.Wrong(bad, c.Now())
	}
	same := netip.MustParseAddr("2001:db8::2") // of the same customer
	err := f.Allow(same, c.Now())
	if !im.IsKind(err, im.Limited) || im.AsError(err).Retry != time.Second/failuresPerSecond {
		t.Fatalf("%v, %v", err, im.AsError(err).Retry)
	}
	if err := f.Allow(good, c.Now()); err != nil {
		t.Errorf("another address: %v", err)
	}
	c.Step(time.Second / failuresPerSecond)
	if err := f.Allow(bad, c.Now()); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	for range 10 * failuresAtOnce {
		f.Wrong(netip.MustParseAddr("127.0.0.1"), c.Now())
	}
	if err := f.Allow(netip.MustParseAddr("127.0.0.1"), c.Now()); err != nil {
		t.Errorf("loopback: %v", err)
	}
	for i := range maxFailing + 10 { // bounded, and who is at the limit stays there
		f.Wrong(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), c.Now())
	}
	if n := len(f.byAddr); n > maxFailing {
		t.Errorf("%d addresses are kept", n)
	}
}
