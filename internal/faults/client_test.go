package faults

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
)

// person is a user with the Go SDK, who notes everything he is told.
type person struct {
	c *client.Client

	mu    sync.Mutex
	got   map[string][]uint64 // guarded by mu: numbers by conversation, in the order of delivery, since the last reset
	texts map[string]int      // guarded by mu: how often each text came since the last reset
	total map[string]int      // guarded by mu: how often each text came at all
	state client.State        // guarded by mu
	moved chan struct{}       // room for one: something above has changed
}

// meet starts a client of user and stops it with the test.
func meet(t *testing.T, user string, token func() string, store client.Store, endpoints ...string) *person {
	t.Helper()
	p := &person{got: map[string][]uint64{}, texts: map[string]int{}, total: map[string]int{}, moved: make(chan struct{}, 1)}
	c, err := client.New(client.Options{
		Endpoints: endpoints, Store: store, Device: client.Device{ID: "phone", Class: "phone"},
		Token:   func(context.Context) (string, error) { return token(), nil },
		OnEvent: p.event,
		OnState: func(s client.State) {
			p.mu.Lock()
			p.state = s
			p.mu.Unlock()
			p.poke()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.c = c
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return p
}

func (p *person) poke() {
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

func (p *person) event(e client.Event) {
	p.mu.Lock()
	switch e.Kind {
	case client.EventMessage:
		p.got[e.Conv] = append(p.got[e.Conv], e.Message.Seq)
		p.texts[e.Message.Text()]++
		p.total[e.Message.Text()]++
	case client.EventReset:
		if e.Conv == "" {
			clear(p.got)
			clear(p.texts)
		} else {
			delete(p.got, e.Conv)
		}
	}
	p.mu.Unlock()
	p.poke()
}

// until waits until ok holds; p.mu is held while it looks.
func (p *person) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		p.mu.Lock()
		done := ok()
		p.mu.Unlock()
		if done {
			return
		}
		select {
		case <-p.moved:
		case <-timer.C:
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Fatalf("%s: not after %v; state %+v, texts %v", what, limit, p.state, p.texts)
		}
	}
}

// has waits until every text has come, each exactly once since the last reset.
func (p *person) has(t *testing.T, texts ...string) {
	t.Helper()
	p.until(t, fmt.Sprint("all of ", texts), func() bool {
		for _, x := range texts {
			if p.texts[x] == 0 {
				return false
			}
		}
		return true
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range texts {
		if p.texts[x] != 1 {
			t.Errorf("%q came %d times", x, p.texts[x])
		}
	}
}

// ascending checks that no number came twice or out of order since the last reset.
func (p *person) ascending(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for conv, seqs := range p.got {
		for i := 1; i < len(seqs); i++ {
			if seqs[i] <= seqs[i-1] {
				t.Errorf("%s: number %d came after %d", conv, seqs[i], seqs[i-1])
			}
		}
	}
}

// say sends text and waits until it is kept.
func (p *person) say(t *testing.T, conv, text string) client.Sent {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	q, err := p.c.Send(ctx, conv, client.Text(text))
	if err != nil {
		t.Fatal(err)
	}
	sent, err := q.Wait(ctx)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return sent
}
