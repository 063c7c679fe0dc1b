package core

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// PresenceSignal is the kind of the signals that tell of comings and goings. Their body
// is a JSON object: user, online (classes), last_seen (Unix milliseconds, as a string),
// status. They come under the address u/<user> and are said by that user.
const PresenceSignal = "presence"

const (
	defaultWatch = time.Hour
	maxWatch     = 30 * 24 * time.Hour
	watchesNode  = 1 << 18                // that a node keeps; each takes about 200 bytes
	presencePace = 3 * time.Second        // a user's coming and going is told at most so often
	watchesGap   = 100 * time.Millisecond // between two looks at who moved: what moves meanwhile is told together
)

// watches are the sessions that want to know of users' comings and goings. Those who
// move say only that they did; one goroutine looks what each watcher may know by then
// and tells it if it is not what he was told. So a user who flaps is told of once in
// presencePace, and what moved for one reason or another costs the same.
//
// A signal finds no room in a full outbox, and none while a session is detached or
// holds signals: whoever comes back is told anew.
type watches struct {
	wake chan struct{} // fixed; holds one

	mu    sync.Mutex
	by    map[im.UserID]map[*hub.Session]*watching // guarded by mu
	of    map[*hub.Session]map[im.UserID]*watching // guarded by mu: the same
	count int                                      // guarded by mu
	dirty map[im.UserID]struct{}                   // guarded by mu: watched ones that moved
	last  map[im.UserID]time.Time                  // guarded by mu: when they were last told of, in the last presencePace
}

// watching is one user watched by one session.
type watching struct {
	until int64  // Unix milliseconds
	told  string // what the session was told last; "" = nothing
	again bool   // it is to be told once more, whatever it was told last
}

func (w *watches) open() {
	w.wake = make(chan struct{}, 1)
	w.by, w.of = map[im.UserID]map[*hub.Session]*watching{}, map[*hub.Session]map[im.UserID]*watching{}
	w.dirty, w.last = map[im.UserID]struct{}{}, map[im.UserID]time.Time{}
}

// Watch tells the session, from now on, when users come and go or change their status,
// by signals of the kind "presence"; and answers how they are now. It lasts for so many
// seconds (0 = an hour; at most 30 days), ends with the session, and is renewed by
// asking again. A session watches at most Limits.MaxWatched users.
//
// Errors: those of Presence; TooLarge above MaxWatched; Unsupported without a link; Busy
// if the node watches too many already.
func (s *Session) Watch(ctx context.Context, users []im.UserID, seconds int) ([]Presence, int64, error) {
	if err := s.here(); err != nil {
		return nil, 0, err
	}
	if s.box == nil {
		return nil, 0, errNoLink()
	}
	if seconds < 0 || seconds > int(maxWatch/time.Second) {
		return nil, 0, im.Errorf(im.Invalid, "presence is watched for 1 to %d seconds", int(maxWatch/time.Second))
	}
	if err := checkUsers(users, maxPresence); err != nil {
		return nil, 0, err
	}
	span := defaultWatch
	if seconds > 0 {
		span = time.Duration(seconds) * time.Second
	}
	now := s.c.Now()
	until := now.Add(span).UnixMilli()
	if err := s.c.watches.add(s.box, users, now.UnixMilli(), until, s.c.cfg.Limits.MaxWatched); err != nil {
		return nil, 0, err
	}
	if s.box.Gone() { // meanwhile: whoever ended it found no watches
		s.c.watches.left(s.box)
	}
	list, err := s.Presence(ctx, users) // after they are watched: what moves meanwhile is told
	if err != nil {
		return nil, 0, err
	}
	s.c.watches.answered(s.box, list)
	return list, until, nil
}

// Unwatch ends that for users; none = for all.
func (s *Session) Unwatch(_ context.Context, users []im.UserID) error {
	if err := s.here(); err != nil {
		return err
	}
	if s.box == nil {
		return errNoLink()
	}
	w := &s.c.watches
	if len(users) == 0 {
		w.left(s.box)
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range users {
		w.remove(s.box, u)
	}
	return nil
}

// add has box watch users, all or none.
func (w *watches) add(box *hub.Session, users []im.UserID, now, until int64, most int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for u, it := range w.of[box] {
		if it.until <= now {
			w.remove(box, u)
		}
	}
	fresh := map[im.UserID]bool{}
	for _, u := range users {
		if w.of[box][u] == nil {
			fresh[u] = true
		}
	}
	if n := len(w.of[box]) + len(fresh); most >= 0 && n > most {
		return im.Errorf(im.TooLarge, "this device would watch %d users; at most %d are allowed", n, most)
	}
	if len(fresh) > 0 && w.count+len(fresh) > watchesNode {
		for u, boxes := range w.by {
			for b, it := range boxes {
				if it.until <= now {
					w.remove(b, u)
				}
			}
		}
		if w.count+len(fresh) > watchesNode {
			return im.Errorf(im.Busy, "too many users are watched on this server: try again later").WithRetry(time.Minute)
		}
	}
	for _, u := range users {
		if it := w.of[box][u]; it != nil {
			it.until = until
			continue
		}
		u = clone(u) // it is a piece of a request, which may be large
		it := &watching{until: until}
		if w.of[box] == nil {
			w.of[box] = map[im.UserID]*watching{}
		}
		if w.by[u] == nil {
			w.by[u] = map[*hub.Session]*watching{}
		}
		w.of[box][u], w.by[u][box] = it, it
		w.count++
	}
	return nil
}

// remove ends one. mu is held.
func (w *watches) remove(box *hub.Session, u im.UserID) {
	if w.of[box][u] == nil {
		return
	}
	w.count--
	if delete(w.of[box], u); len(w.of[box]) == 0 {
		delete(w.of, box)
	}
	if delete(w.by[u], box); len(w.by[u]) == 0 {
		delete(w.by, u)
		delete(w.dirty, u)
	}
}

// left ends all of a session's.
func (w *watches) left(box *hub.Session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for u := range w.of[box] {
		w.remove(box, u)
	}
}

// answered notes what box was told by an answer. If a signal overtook it, who knows
// which of them is the newer: box is told once more.
func (w *watches) answered(box *hub.Session, list []Presence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range list {
		it, gist := w.of[box][list[i].User], list[i].gist()
		switch {
		case it == nil || it.again || it.told == gist:
		case it.told == "":
			it.told = gist
		default:
			it.again = true
			w.dirty[list[i].User] = struct{}{}
			w.nudge()
		}
	}
}

// again has box told anew of all whom it watches: it may have missed signals.
func (w *watches) again(box *hub.Session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for u, it := range w.of[box] {
		it.again = true
		w.dirty[u] = struct{}{}
	}
	if len(w.of[box]) > 0 {
		w.nudge()
	}
}

// moved says that u came, went, or changed what he tells whom. It does not block.
func (w *watches) moved(u im.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.by[u]) == 0 {
		return
	}
	w.dirty[u] = struct{}{}
	w.nudge()
}

func (w *watches) nudge() {
	select {
	case w.wake <- struct{}{}:
	default: // it is about to look
	}
}

// gist is what makes a presence worth telling: when somebody was last here moves all
// the time while he is.
func (p *Presence) gist() string {
	b := append(make([]byte, 0, 64), 0)
	for _, c := range p.Online {
		b = append(append(b, c...), ' ')
	}
	return string(append(append(b, 0), p.Status...))
}

// due takes those out who moved and may be told of at now, and says how long the first
// of the others has to wait; 0 = there are none.
func (w *watches) due(now time.Time) (users []im.UserID, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for u, at := range w.last {
		if d := now.Sub(at); d >= presencePace || d < 0 {
			delete(w.last, u)
		}
	}
	for u := range w.dirty {
		at, told := w.last[u]
		if !told {
			users = append(users, u)
			delete(w.dirty, u)
			w.last[u] = now
			continue
		}
		if d := at.Add(presencePace).Sub(now); wait == 0 || d < wait {
			wait = max(d, time.Millisecond)
		}
	}
	return users, wait
}

// watchers are the sessions that watch u at now.
func (w *watches) watchers(u im.UserID, now int64) []*hub.Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*hub.Session
	for box, it := range w.by[u] {
		if it.until <= now {
			w.remove(box, u)
		} else {
			list = append(list, box)
		}
	}
	return list
}

// news says whether p is other than what box was told, and notes that it is told now.
func (w *watches) news(box *hub.Session, p *Presence) bool {
	gist := p.gist()
	w.mu.Lock()
	defer w.mu.Unlock()
	it := w.of[box][p.User]
	if it == nil || it.told == gist && !it.again {
		return false
	}
	it.told, it.again = gist, false
	return true
}

// runWatches tells watchers until ctx ends.
func (c *Core) runWatches(ctx context.Context) {
	w := &c.watches
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
		users, wait := w.due(c.Now())
		for _, u := range users {
			if err := c.tellPresence(ctx, u); err != nil {
				c.log.Warn("a user's presence cannot be told now", "user", u, "err", err)
			}
		}
		timer.Reset(watchesGap)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if wait > 0 {
			timer.Reset(max(wait-watchesGap, time.Millisecond))
		}
	}
}

// tellPresence tells those who watch u how he is to each of them. Most are told the
// same: one event for each of what they are told.
func (c *Core) tellPresence(ctx context.Context, u im.UserID) error {
	events := map[string]*hub.Event{}
	for _, box := range c.watches.watchers(u, c.Now().UnixMilli()) {
		if ctx.Err() != nil {
			return nil
		}
		p, err := c.presenceTo(u, box.User)
		if err != nil {
			c.watches.moved(u)
			return err
		}
		if !box.Live() || !c.watches.news(box, &p) {
			continue
		}
		key := p.gist()
		if p.LastSeen != 0 {
			key += "\x00seen"
		}
		if events[key] == nil {
			events[key] = &hub.Event{Signal: &im.Signal{Kind: PresenceSignal, Sender: u, Body: p.body()}}
		}
		box.Offer(im.DirectAddress(u), events[key], nil)
	}
	return nil
}

// body is p as a signal says it.
func (p *Presence) body() []byte {
	b, _ := json.Marshal(struct { // of strings and a number alone
		User     im.UserID  `json:"user"`
		Online   []im.Class `json:"online"`
		LastSeen int64      `json:"last_seen,string,omitempty"`
		Status   string     `json:"status,omitempty"`
	}{p.User, append([]im.Class{}, p.Online...), p.LastSeen, p.Status})
	return b
}
