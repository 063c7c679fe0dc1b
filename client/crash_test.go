package client_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/testkit"
)

// camera is a store that takes a picture of what is kept at every commit: what a crash
// at that moment would leave.
type camera struct {
	client.Store
	mu       sync.Mutex
	pictures []map[string]string
}

func (c *camera) Begin() (client.Tx, error) {
	tx, err := c.Store.Begin()
	return &cameraTx{tx, c}, err
}

func (c *camera) shoot() {
	m := map[string]string{}
	c.Store.Load(func(k string, v []byte) error { m[k] = string(v); return nil })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pictures = append(c.pictures, m)
}

type cameraTx struct {
	client.Tx
	c *camera
}

func (t *cameraTx) Commit() error {
	err := t.Tx.Commit()
	t.c.shoot()
	return err
}

// diary is an application that keeps what it is given in the client's own transaction,
// and notices what it is given twice.
func diary(t testing.TB, store client.Store) func(*client.Options) {
	have := map[string]bool{}
	for k := range contents(t, store) {
		have[k] = true
	}
	var mu sync.Mutex
	return func(o *client.Options) {
		o.Store = store
		o.OnEvent = nil
		o.OnEvents = func(tx client.Tx, events []client.Event) error {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range events {
				var key, text string
				switch e.Kind {
				case client.EventMessage:
					key, text = fmt.Sprintf("app/%s/%06d", e.Conv, e.Message.Seq), e.Message.ID
				case client.EventSent:
					key, text = fmt.Sprintf("app/%s/%06d", e.Conv, e.Sent.Seq), e.Sent.ID
				default:
					continue
				}
				if have[key] {
					return errors.New(key + " was given twice") // and for ever: the test sees that it is missing
				}
				have[key] = true
				if err := tx.Set(key, []byte(text)); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// After a crash at any moment, the application that keeps message and cursor in one
// transaction ends up with every message once, and every send is stored once.
func TestCrashAnywhere(t *testing.T) {
	seeds := 3
	if testkit.Soak(t) {
		seeds = 500
	}
	for seed := range seeds {
		bubble(t, fmt.Sprint("seed ", seed), func(t *testing.T, f *fake) {
			rnd := newRand(uint64(seed))
			cam := &camera{Store: client.NewMemStore()}
			a := start(t, f, diary(t, cam))
			sent := map[string]bool{}
			n := 0
			for range 120 {
				conv := []string{"u/bob", "g/x"}[rnd.IntN(2)]
				switch rnd.IntN(8) {
				case 0:
					f.forget()
					f.drop()
				case 1:
					f.drop()
				case 2, 3:
					n++
					f.post(conv, "bob", fmt.Sprint("p", n), rnd.IntN(5) == 0)
				case 4, 5:
					n++
					id := fmt.Sprint("s", n)
					sent[conv+" "+id] = true
					sendAll(t, a, conv, id)
				case 6:
					f.hide(conv)
				default:
					time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
				}
			}
			settle(2 * time.Minute)
			a.stop()
			check := func(kept map[string]string, what string) {
				f.mu.Lock()
				defer f.mu.Unlock()
				for addr, v := range f.convs {
					for i, m := range v.msgs {
						key := fmt.Sprintf("app/%s/%06d", addr, i+1)
						switch {
						case m == nil && kept[key] != "":
							t.Fatalf("%s: %s is hidden and was given", what, key)
						case m != nil && kept[key] != m.Id:
							t.Fatalf("%s: %s is %q and not %q", what, key, kept[key], m.Id)
						}
					}
					ids := map[string]int{}
					for _, m := range v.msgs {
						if m != nil {
							ids[m.Id]++
						}
					}
					for id, n := range ids {
						if n != 1 {
							t.Fatalf("%s: %s is stored %d times", what, id, n)
						}
					}
					for s := range sent {
						if conv, id, _ := strings.Cut(s, " "); conv == addr && ids[id] != 1 {
							t.Fatalf("%s: %s is stored %d times", what, s, ids[id])
						}
					}
				}
			}
			for i := 0; i < len(cam.pictures); i += 1 + len(cam.pictures)/40 {
				again := client.NewMemStore()
				put(t, again, flatten(cam.pictures[i])...)
				f.forget()
				b := start(t, f, diary(t, again))
				settle(time.Minute)
				b.stop()
				check(contents(t, again), fmt.Sprintf("crash at commit %d of %d", i, len(cam.pictures)))
			}
		})
	}
}

func flatten(m map[string]string) (kv []string) {
	for k, v := range m {
		kv = append(kv, k, v)
	}
	return kv
}

// Without such a transaction only what was not confirmed comes again.
func TestCrashWithoutTransaction(t *testing.T) {
	bubble(t, "the last one again", func(t *testing.T, f *fake) {
		cam := &camera{Store: client.NewMemStore()}
		a := start(t, f, func(o *client.Options) { o.Store = cam })
		settle(time.Second)
		for i := range 10 {
			f.post("u/bob", "bob", fmt.Sprint("m", i+1))
			settle(2 * time.Second)
		}
		a.stop()
		again := client.NewMemStore()
		before := cam.pictures[len(cam.pictures)-3] // the application had the last one; the note was lost, and what was unread then
		put(t, again, flatten(maps.Clone(before))...)
		b := start(t, f, func(o *client.Options) { o.Store = again })
		settle(5 * time.Second)
		b.expect("u/bob 10 m10")
	})
}

// Also when many came at once, only the one that was being handled comes again.
func TestCrashWithinBatch(t *testing.T) {
	for _, kind := range []string{"memory", "file"} {
		bubble(t, kind, func(t *testing.T, f *fake) {
			store := client.Store(client.NewMemStore())
			if kind == "file" {
				s := open(t, t.TempDir())
				t.Cleanup(func() { s.Close() })
				store = s
			}
			for i := range 10 {
				f.post("g/x", "bob", fmt.Sprint("m", i+1), true)
				f.hide("g/x", true)
			}
			var crashes []map[string]string
			a := start(t, f, func(o *client.Options) {
				o.Store = store
				o.OnEvent = func(e client.Event) {
					if e.Kind == client.EventMessage {
						crashes = append(crashes, contents(t, store))
					}
				}
			})
			settle(5 * time.Second)
			a.stop()
			if len(crashes) != 10 {
				t.Fatalf("%d messages", len(crashes))
			}
			for i, kept := range crashes {
				again := client.NewMemStore()
				put(t, again, flatten(kept)...)
				b := start(t, f, func(o *client.Options) { o.Store = again })
				settle(5 * time.Second)
				var want []string
				for n := i; n < 10; n++ {
					want = append(want, fmt.Sprintf("g/x %d m%d", 2*n+1, n+1))
				}
				b.expect(want...)
				b.stop()
			}
		})
	}
}
