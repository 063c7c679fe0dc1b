package client

import (
	"encoding/binary"
	"time"
)

// beatTable are the figures of the heartbeat, as Welcome tells them.
type beatTable struct {
	foreground time.Duration
	pong       time.Duration // no answer after this: miss 1, and a second beat at once
	second     time.Duration // no answer to that: the link is dead
	floor      time.Duration // background: never below
	start      time.Duration // background: where the search begins
	step       time.Duration
	margin     time.Duration
	most       time.Duration // background: never above most - margin
}

// defaultBeats are docs/PROTOCOL.md's.
var defaultBeats = beatTable{
	foreground: 30 * time.Second, pong: 10 * time.Second, second: 5 * time.Second,
	floor: 30 * time.Second, start: 210 * time.Second, step: 60 * time.Second,
	margin: 20 * time.Second, most: 590 * time.Second,
}

// Figures of the search that no server changes.
const (
	warmBeats  = 3                  // good beats at the floor on every new link; they prove nothing
	goodInARow = 5                  // that prove an interval
	stableFor  = 7 * 24 * time.Hour // then a little more is tried
)

// search finds the longest interval between beats that a network lets live: NAT boxes
// on the way forget a link that is silent for longer than they like. It is a state
// machine without clock or I/O; there is one for each network, kept in the store.
type search struct {
	cur    time.Duration // the interval to use when a link is warm
	stable bool          // cur is found
	good   int           // in a row at cur
	lost   int           // in a row at cur
	proved time.Duration // the longest interval that held goodInARow times; 0 = none
	failed time.Duration // the shortest interval given up; 0 = none
	since  time.Time     // when it became stable
	used   time.Time     // last time; the oldest networks are forgotten
}

// newSearch begins a search for an unknown network.
func newSearch(t beatTable) *search {
	return &search{cur: max(t.floor, min(t.start, t.most-t.margin))}
}

// interval is how long to wait for the next beat on a link that has had warm good beats.
func (s *search) interval(t beatTable, warm int) time.Duration {
	if warm < warmBeats {
		return t.floor
	}
	return max(t.floor, min(s.cur, t.most-t.margin))
}

// ok notes a beat that came back after nothing had passed on the link for cur.
func (s *search) ok(t beatTable, now time.Time) {
	s.lost = 0
	if s.stable {
		if now.Sub(s.since) < stableFor {
			return
		}
		// The network may have become kinder: a little more, from here.
		s.since = now
		if next := min(s.cur+t.margin, t.most-t.margin); next > s.cur {
			s.cur, s.stable, s.good = next, false, 0
		}
		return
	}
	if s.good++; s.good < goodInARow {
		return
	}
	s.good = 0
	s.proved = max(s.proved, s.cur)
	if s.cur >= s.failed {
		s.failed = 0 // the network has become kinder
	}
	next := s.cur + t.step
	switch {
	case s.cur >= t.most-t.margin:
		s.cur = t.most - t.margin
		s.settle(now)
	case s.failed > 0 && next >= s.failed:
		if s.failed-s.cur < t.margin {
			s.cur = max(t.floor, s.cur-t.margin)
		}
		s.settle(now)
	default:
		s.cur = min(next, t.most-t.margin)
	}
}

func (s *search) settle(now time.Time) {
	s.stable, s.good, s.lost, s.since = true, 0, 0, now
}

// fail notes a link that was lost at cur: one for the link, however many beats it
// missed.
func (s *search) fail(t beatTable, now time.Time) {
	s.good = 0
	if s.lost++; s.lost < 2 && (s.stable || s.proved >= s.cur) {
		return // it held before: this may have had another reason
	}
	s.lost = 0
	if s.stable { // the network has become stricter: from the floor, knowing nothing
		s.cur, s.stable, s.proved, s.failed = t.floor, false, 0, 0
		return
	}
	if s.cur <= t.floor { // nothing shorter is allowed
		s.settle(now)
		return
	}
	failed := s.cur
	if s.failed == 0 || failed < s.failed {
		s.failed = failed
	}
	if s.proved > 0 && s.proved < failed && failed-s.proved <= t.margin {
		s.cur = s.proved // a little more was tried after a week: back to what held
		s.settle(now)
		return
	}
	if s.proved > 0 && s.proved < failed {
		s.cur = max(t.floor, failed-t.step-t.margin)
		s.settle(now)
		return
	}
	s.cur = max(t.floor, failed-t.step-t.margin)
}

// record is the search as it is kept.
func (s *search) record() []byte {
	b := []byte{1, 0}
	if s.stable {
		b[1] = 1
	}
	for _, v := range []int64{int64(s.cur), int64(s.good), int64(s.lost), int64(s.proved), int64(s.failed),
		millis(s.since), millis(s.used)} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

// readSearch is the reverse of record; nil if it cannot be read.
func readSearch(b []byte) *search {
	if len(b) < 2 || b[0] != 1 {
		return nil
	}
	s := &search{stable: b[1] == 1}
	b = b[2:]
	var v [7]int64
	for i := range v {
		n := 0
		if v[i], n = binary.Varint(b); n <= 0 {
			return nil
		}
		b = b[n:]
	}
	s.cur, s.good, s.lost, s.proved, s.failed = time.Duration(v[0]), int(v[1]), int(v[2]), time.Duration(v[3]), time.Duration(v[4])
	s.since, s.used = timeOf(v[5]), timeOf(v[6])
	if s.cur <= 0 || s.cur > 24*time.Hour || s.good < 0 || s.lost < 0 {
		return nil
	}
	return s
}
