package core

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func (w *watches) waiting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.dirty) > 0
}

// TestWatchersAgree: whatever users do at the same time, in the end every watcher has
// been told what he would be answered, and no watch stays of who is gone.
func TestWatchersAgree(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now})
	ctx := t.Context()
	users := []im.UserID{"ann", "bob", "carol"}
	type view map[im.UserID]string
	watchers, views := []*client{}, []view{}
	for i := range 4 {
		c := w.login(im.UserID(fmt.Sprint("watcher", i)), "phone")
		watchers, views = append(watchers, c), append(views, view{})
	}
	say := func(online []im.Class, status string) string { return fmt.Sprint(online, status) }

	var busy sync.WaitGroup
	for i, u := range users {
		busy.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for n := range 200 {
				switch rng.IntN(5) {
				case 0, 1:
					c := w.login(u, im.DeviceID(fmt.Sprint("d", rng.IntN(2))), ofClass([]im.Class{im.Phone, im.Web}[rng.IntN(2)]))
					if rng.IntN(2) == 0 {
						c.Close()
					}
				case 2:
					status := fmt.Sprint("status ", n)
					w.ok(w.as(u).SetPresence(ctx, PresencePatch{Status: &status}))
				case 3:
					v := []string{toAll, toNone}[rng.IntN(2)]
					w.ok(w.as(u).SetPresence(ctx, PresencePatch{Online: &v}))
				case 4:
					of := watchers[rng.IntN(len(watchers))].user
					if rng.IntN(2) == 0 {
						w.ok(w.as(u).Block(ctx, of))
					} else {
						w.ok(w.as(u).Unblock(ctx, of))
					}
				}
				now.add(int64(rng.IntN(1000)))
				w.c.watches.nudge()
			}
		})
	}
	for i, c := range watchers {
		busy.Go(func() {
			for range 100 {
				list, _, err := c.Watch(ctx, users, 0)
				w.ok(err)
				for _, p := range list {
					views[i][p.User] = say(p.Online, p.Status)
				}
			}
		})
	}
	busy.Wait()

	for i, c := range watchers {
		limit := time.Now().Add(patience)
		for agreed := 0; agreed < 3; { // and stays so
			w.pace(now)
			for w.c.watches.waiting() { // until all who moved are looked at
				runtime.Gosched()
			}
			w.say("end", im.DirectAddress(c.user), "end")
			for it := c.next(); it.Msg == nil; it = c.next() {
				if isPresence(it) {
					var p struct {
						User   im.UserID
						Online []im.Class
						Status string
					}
					w.ok(json.Unmarshal(it.Signal.Body, &p))
					views[i][p.User] = say(p.Online, p.Status)
				}
			}
			list, err := c.Presence(ctx, users)
			w.ok(err)
			agreed++
			for _, p := range list {
				if got := views[i][p.User]; got != say(p.Online, p.Status) {
					agreed = 0
					if time.Now().After(limit) {
						t.Fatalf("%s was told of %s %s; he is %s", c.user, p.User, got, say(p.Online, p.Status))
					}
				}
			}
		}
		c.Close()
	}
	ws := &w.c.watches
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.count != 0 || len(ws.by) != 0 || len(ws.of) != 0 {
		t.Errorf("%d watches stay", ws.count)
	}
}
