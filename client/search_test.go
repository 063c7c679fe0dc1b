package client

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/wire"
)

// simulate runs a search over a network that forgets a silent link after limit, for as
// long as span. It answers the beats lost, the time links were dead without being
// noticed, the final interval, and when it last changed.
func simulate(s *search, t beatTable, limit, span time.Duration) (lost int, dead, changed time.Duration) {
	start := time.Unix(1_700_000_000, 0)
	now := start
	for now.Sub(start) < span {
		warm := 0
		for now.Sub(start) < span { // one link
			wait := s.interval(t, warm)
			now = now.Add(wait)
			before := s.cur
			if wait >= limit {
				lost++
				dead += wait - limit + t.pong + t.second
				now = now.Add(t.pong + t.second)
				if warm >= warmBeats {
					s.fail(t, now)
				}
				if s.cur != before {
					changed = now.Sub(start)
				}
				break
			}
			if warm < warmBeats {
				warm++
			} else {
				s.ok(t, now)
			}
			if s.cur != before {
				changed = now.Sub(start)
			}
		}
	}
	return lost, dead, changed
}

// docs/PROTOCOL.md, heartbeat: what the search promises, for every fixed limit.
func TestSearchSettles(t *testing.T) {
	table := defaultBeats
	for limit := 31 * time.Second; limit <= 30*time.Minute; limit += time.Second {
		s := newSearch(table)
		lost, dead, changed := simulate(s, table, limit, 24*time.Hour)
		best := min(limit, table.most)
		switch {
		case !s.stable:
			t.Fatalf("limit %v: not stable after a day, at %v", limit, s.cur)
		case s.cur >= limit:
			t.Fatalf("limit %v: settled at %v", limit, s.cur)
		case best-s.cur > table.step+table.margin:
			t.Errorf("limit %v: settled at %v, more than %v below", limit, s.cur, table.step+table.margin)
		case lost > 3:
			t.Errorf("limit %v: %d beats lost", limit, lost)
		case limit >= 60*time.Second && dead > 315*time.Second, dead > 6*time.Minute:
			t.Errorf("limit %v: dead for %v in all", limit, dead)
		case changed > 4*time.Hour:
			t.Errorf("limit %v: still changing after %v", limit, changed)
		}
		before := *s
		lost, _, _ = simulate(s, table, limit, 6*24*time.Hour)
		if lost != 0 || s.cur != before.cur || !s.stable {
			t.Errorf("limit %v: from %v to %v with %d beats lost while the limit stood", limit, before.cur, s.cur, lost)
		}
	}
}

func TestSearchSteps(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	table := defaultBeats
	at := func(s *search, want time.Duration, stable bool) {
		t.Helper()
		if s.cur != want || s.stable != stable {
			t.Fatalf("at %v, stable %v; want %v, %v", s.cur, s.stable, want, stable)
		}
	}
	good := func(s *search, n int) {
		for range n {
			s.ok(table, now)
		}
	}
	const sec = time.Second

	s := newSearch(table)
	at(s, 210*sec, false)
	if s.interval(table, 2) != 30*sec || s.interval(table, 3) != 210*sec {
		t.Error("a new link is warmed at the floor")
	}
	good(s, 4)
	at(s, 210*sec, false)
	good(s, 1)
	at(s, 270*sec, false)
	s.fail(table, now) // never proved: the first one is enough
	at(s, 190*sec, true)

	// Stable: one failure is forgiven, a good beat forgets it, two mean begin again.
	s.fail(table, now)
	at(s, 190*sec, true)
	good(s, 1)
	s.fail(table, now)
	at(s, 190*sec, true)
	s.fail(table, now)
	at(s, 30*sec, false)
	good(s, 5)
	at(s, 90*sec, false)

	// Nothing shorter proved: down and on with the search.
	s = newSearch(table)
	s.fail(table, now)
	at(s, 130*sec, false)
	s.fail(table, now)
	at(s, 50*sec, false)
	s.fail(table, now)
	at(s, 30*sec, false)
	good(s, 5)
	at(s, 30*sec, true) // 90 is known to fail, as 50 does

	// Closer than the margin to what is known to fail.
	s = &search{cur: 200 * sec, failed: 215 * sec, proved: 200 * sec}
	good(s, 5)
	at(s, 180*sec, true)

	// To the top.
	s = newSearch(table)
	good(s, 5*7)
	at(s, 570*sec, true)

	// After a week a little more is tried; if that fails, back to what held.
	s = &search{cur: 190 * sec, stable: true, proved: 190 * sec, failed: 250 * sec, since: now}
	good(s, 1)
	at(s, 190*sec, true)
	now = now.Add(7 * 24 * time.Hour)
	good(s, 1)
	at(s, 210*sec, false)
	s.fail(table, now)
	at(s, 190*sec, true)
	now = now.Add(7 * 24 * time.Hour)
	good(s, 1)
	at(s, 210*sec, false)
	good(s, 5) // the network has become kinder
	at(s, 270*sec, false)
}

func TestNetworksForgotten(t *testing.T) {
	c, err := New(Options{Endpoints: []string{"tcp://127.0.0.1:1"}, Token: func(context.Context) (string, error) { return "", nil }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxNetworks {
		s := newSearch(defaultBeats)
		label := fmt.Sprint("cell:", i)
		c.beats[label] = s
		c.learnt(label, s)
		s.used = time.Unix(1_700_000_000+int64(i), 0)
	}
	if len(c.beats) != maxNetworks || c.beats["cell:59"] == nil || c.beats["cell:40"] == nil || c.beats["cell:39"] != nil {
		t.Errorf("%d networks are remembered", len(c.beats))
	}
	b := &batch{convs: map[string]*convo{}}
	c.keepSearches(b)
	m := map[string][]byte{"n/cell:1": {1}}
	b.puts.apply(m)
	if len(m) != maxNetworks || m["n/cell:1"] != nil || c.searchDirty() {
		t.Errorf("%d networks are kept", len(m))
	}
}

func TestSlept(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1_700_000_000+int64(s), 0) }
	for _, c := range []struct {
		due, now int
		want     bool
	}{{30, 30, false}, {30, 60, false}, {30, 61, true}, {210, 400, false}, {210, 421, true}, {0, 1, false}, {0, 3, true}, {30, -86400, false}} {
		if got := slept(at(0), at(c.due), at(c.now)); got != c.want {
			t.Errorf("set for %d s, rang after %d s: %v", c.due, c.now, got)
		}
	}
}

// Setting the clock back neither delays a beat nor makes an answer look old.
func TestBeatsKeepOwnTime(t *testing.T) {
	own := func(what string, at time.Time) {
		if !strings.Contains(at.String(), " m=") {
			t.Errorf("%s is of the wall clock: %v", what, at)
		}
	}
	l := newLink(nil, endpoint{})
	l.activity.sent(true)
	l.activity.received(wire.TypePong)
	l.ponged(wire.HealthOK)
	own("what was sent", l.activity.lastSent)
	own("what was received", l.activity.lastRecv)
	own("a PONG", (<-l.pongs).at)
	box := newOutbox(1)
	m := Text("hello")
	m.ID = "id"
	e := &entry{order: 1, frame: m.frame("u/bob"), kept: true}
	box.add(e)
	box.fly(e, time.Now())
	b := &beater{c: &Client{box: box}, l: l, t: defaultBeats, last: time.Now()}
	at, _ := b.oldest()
	own("a send", at)
	own("the next beat", b.due())
	c := &Client{left: map[string]time.Time{"a": wall().Add(time.Hour)}} // and then the clock was set back
	if c.leftLately("a") {
		t.Error("left for an hour")
	}
}

func FuzzReadSearch(f *testing.F) {
	f.Add(newSearch(defaultBeats).record())
	f.Add((&search{cur: time.Minute, stable: true, failed: time.Hour, since: time.Unix(1, 0), used: time.Unix(2, 0)}).record())
	f.Add([]byte{1, 0, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := readSearch(b)
		if s == nil {
			return
		}
		again := readSearch(s.record())
		if again == nil || *again != *s {
			t.Fatalf("%+v became %+v", s, again)
		}
		if d := s.interval(defaultBeats, warmBeats); d < defaultBeats.floor || d > defaultBeats.most {
			t.Fatalf("interval %v", d)
		}
	})
}
