package faults

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// sender is a user who sends to random others and a group, sixteen at a time, and
// sends what was not acknowledged again under the same client id, as every client has
// to, whenever he gets a new link.
type sender struct {
	name   string
	group  string // address
	users  []string
	rng    *rand.Rand
	l      *ledger
	secret string

	next    int
	pending []*wire.Send // not acknowledged, oldest first; kept from link to link
}

// run uses one server until its link breaks or stop is closed, then waits for what is
// under way.
func (s *sender) run(addr string, stop <-chan struct{}) error {
	l, w, err := dial(addr, token(s.secret, s.name), "phone")
	if err != nil {
		return err
	}
	defer l.close()
	for _, p := range s.pending {
		if err := l.write(p); err != nil {
			return err
		}
	}
	window := min(16, int(w.SendCredit))
	for {
		stopping := false
		select {
		case <-stop:
			stopping = true
		default:
		}
		for !stopping && len(s.pending) < window {
			s.next++
			to := "u/" + s.users[s.rng.IntN(len(s.users))]
			if s.rng.IntN(4) == 0 {
				to = s.group
			}
			m := &wire.Send{Id: fmt.Sprint("n", s.next), Conv: to, Type: "an:text",
				Body: fmt.Appendf(nil, `{"content":"%s says %d"}`, s.name, s.next)}
			s.pending = append(s.pending, m)
			if err := l.write(m); err != nil {
				return err
			}
		}
		if stopping && len(s.pending) == 0 {
			return nil
		}
		l.nc.SetReadDeadline(time.Now().Add(limit))
		f, err := l.read()
		if err != nil {
			return err
		}
		switch f.Type {
		case wire.TypePush:
			p := new(wire.Push)
			if err := wire.Binary.Decode(f, p); err != nil {
				return err
			}
			if err := l.write(&wire.Ack{Push: p.Number}); err != nil {
				return err
			}
		case wire.TypeSendAck:
			a := new(wire.SendAck)
			if err := wire.Binary.Decode(f, a); err != nil {
				return err
			}
			if err := s.answered(l, a); err != nil {
				return err
			}
		}
	}
}

func (s *sender) answered(l *link, a *wire.SendAck) error {
	for i, p := range s.pending {
		if p.Id != a.Id {
			continue
		}
		if a.Code == wire.CodeOK {
			s.l.ack(acked{s.name, p.Conv, p.Id, a.Seq, string(p.Body)})
			s.pending = append(s.pending[:i:i], s.pending[i+1:]...)
			return nil
		}
		if a.Code < 5000 {
			return fmt.Errorf("refused for good: %d %s", a.Code, a.Message)
		}
		return l.write(p) // Busy, Limited: again
	}
	return nil
}

// TestKill kills the server with signal 9 again and again while it takes sends, and
// then looks for everything it acknowledged.
func TestKill(t *testing.T) {
	rounds := 10
	if testkit.Soak(t) {
		rounds = 100
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir() + "/data"

	var users []string
	for i := range 20 {
		users = append(users, fmt.Sprint("user", i))
	}
	l := newLedger()
	p := start(t, dir, "")
	group := func() string {
		o, _, err := dial(p.tcp, token(p.secret, users[0]), "phone")
		if err != nil {
			t.Fatal(err)
		}
		defer o.close()
		var g wire.GroupResponse
		o.must(t, wire.MethodGroupCreate, &wire.GroupCreateRequest{Id: "g", Name: "all", Members: users[1:]}, &g)
		return g.Conv
	}()
	var senders []*sender
	for i, u := range users {
		senders = append(senders, &sender{name: u, group: group, users: users, l: l, secret: p.secret,
			rng: rand.New(rand.NewPCG(seed, uint64(i+1)))})
	}

	var up []time.Duration
	for round := range rounds {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var killing atomic.Bool
		for _, s := range senders {
			wg.Go(func() {
				if err := s.run(p.tcp, stop); err != nil && !killing.Load() {
					t.Errorf("round %d: %s: %v", round, s.name, err)
				}
			})
		}
		time.Sleep(100*time.Millisecond + time.Duration(rng.Int64N(int64(1900*time.Millisecond)))) // the fault's own time, no synchronisation
		killing.Store(true)
		p.kill()
		close(stop)
		wg.Wait()
		began := time.Now()
		p = start(t, dir, "")
		up = append(up, time.Since(began))
		if t.Failed() {
			return
		}
	}

	// What is still unanswered is sent again, then everything is looked at.
	stop := make(chan struct{})
	close(stop)
	for _, s := range senders {
		if err := s.run(p.tcp, stop); err != nil {
			t.Fatalf("%s after the last start: %v", s.name, err)
		}
	}
	messages, wrong := l.audit(p.tcp, p.secret, users)
	for i, w := range wrong {
		if i == 20 {
			t.Errorf("and %d more", len(wrong)-i)
			break
		}
		t.Error(w)
	}
	t.Logf("%d kills, %d sends acknowledged, %d messages read back; ready again after %v at the median, %v at most",
		rounds, l.count(), messages, quantile(up, 0.5), quantile(up, 1))
	if l.count() < 100*rounds {
		t.Errorf("only %d sends were acknowledged in %d rounds: there was no load", l.count(), rounds)
	}

	// The audit has to be able to fail.
	l.ack(acked{users[0], "u/" + users[1], "never-sent", 1 << 40, "x"})
	if _, wrong := l.audit(p.tcp, p.secret, users[:1]); len(wrong) == 0 {
		t.Error("the audit does not see a message that is missing")
	}
}
