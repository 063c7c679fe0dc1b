package client_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// exampleRun stands for the test that a real server wants, where there is none.
type exampleRun struct {
	testing.TB
	ends []func()
}

func (*exampleRun) Helper()                           {}
func (*exampleRun) Failed() bool                      { return false }
func (*exampleRun) Logf(string, ...any)               {}
func (r *exampleRun) Cleanup(f func())                { r.ends = append(r.ends, f) }
func (*exampleRun) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (*exampleRun) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (r *exampleRun) TempDir() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	r.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// person is somebody who is signed in.
type person struct {
	*client.Client
	mu     sync.Mutex
	events []client.Event // guarded by mu
}

// await is the next event that pick picks.
func (p *person) await(pick func(client.Event) bool) client.Event {
	for end := time.Now().Add(testkit.Limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		p.mu.Lock()
		for i, e := range p.events {
			if pick(e) {
				p.events = p.events[i+1:]
				p.mu.Unlock()
				return e
			}
		}
		p.mu.Unlock()
	}
	panic("it did not come")
}

// message is the next message.
func (p *person) message() *client.Message {
	return p.await(func(e client.Event) bool { return e.Kind == client.EventMessage }).Message
}

// change is the next change of a message.
func (p *person) change() *client.Change {
	return p.await(func(e client.Event) bool { return e.Kind == client.EventChange }).Change
}

// say sends a text and waits until it is kept.
func (p *person) say(conv string, m client.Outgoing) uint64 {
	pending, err := p.Send(context.Background(), conv, m)
	if err != nil {
		panic(err)
	}
	sent, err := pending.Wait(context.Background())
	if err != nil {
		panic(err)
	}
	return sent.Seq
}

// exampleUsers starts a server for the examples and signs users in. end ends it all.
func exampleUsers(names ...string) (people []*person, end func()) {
	run := new(exampleRun)
	s := servertest.Start(run, servertest.Options{})
	for _, name := range names {
		p := new(person)
		synced := make(chan struct{}, 1)
		c, err := client.New(client.Options{
			Endpoints: []string{s.TCP()},
			Token:     s.TokenSource(name),
			Device:    client.Device{ID: "phone", Class: wire.ClassPhone},
			Keep:      100,
			OnEvent: func(e client.Event) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.events = append(p.events, e)
				if e.Kind == client.EventSynced {
					synced <- struct{}{}
				}
			},
		})
		if err != nil {
			panic(err)
		}
		if err := c.Start(); err != nil {
			panic(err)
		}
		<-synced
		p.Client = c
		people = append(people, p)
		run.Cleanup(func() { c.Close() })
	}
	return people, func() {
		for i := len(run.ends) - 1; i >= 0; i-- {
			run.ends[i]()
		}
	}
}
