package client_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// described is what people see of a message, in a line.
func described(m *client.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %q", m.Seq, m.Sender, m.Text())
	if m.Recalled {
		b.WriteString(" recalled")
	}
	if !m.Edited.IsZero() {
		b.WriteString(" edited")
	}
	if m.Pin != nil {
		fmt.Fprintf(&b, " pinned by %s", m.Pin.By)
	}
	fmt.Fprint(&b, " ", m.Reactions, m.Expansion, m.ReplyTo)
	if m.Extra != nil {
		mine := slices.Clone(m.Extra.Mine)
		slices.Sort(mine)
		fmt.Fprint(&b, " mine ", mine)
	}
	return strings.ReplaceAll(b.String(), " mine []", "")
}

// What devices keep while people do everything at once, and their links break, is in the
// end what the server has, on every device.
func TestM3_DevicesAgree(t *testing.T) {
	t.Parallel()
	rounds, ops := 3, 60
	if testkit.Soak(t) {
		rounds, ops = 40, 300
	}
	s := servertest.Start(t, servertest.Options{})
	var cuts cutter
	device := func(id string) func(*client.Options) {
		return func(o *client.Options) { o.Device.ID, o.Keep, o.Dial = id, 10_000, cuts.dial }
	}
	phone, laptop, bob := join(t, s, "alice", device("phone")), join(t, s, "alice", device("laptop")), join(t, s, "bob", device("dev"))
	g := group(t, phone, laptop, bob)
	all := []*user{phone, laptop, bob}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range rounds {
		var wg sync.WaitGroup
		for i, u := range all {
			rnd := rand.New(rand.NewPCG(seed, uint64(round*10+i)))
			wg.Go(func() {
				for n := range ops {
					u.acts(g, rnd, fmt.Sprintf("%d-%d-%d", round, i, n))
				}
			})
		}
		stop := make(chan struct{})
		wg.Go(func() { // links break all the while
			for i := range 6 {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(rand.IntN(60)) * time.Millisecond):
				}
				cuts.cut()
				for _, u := range all {
					u.c.NetworkChanged(fmt.Sprint("net", round, i), wire.NetworkWifi)
				}
			}
		})
		wg.Wait()
		close(stop)
		for _, u := range all {
			u.wait("an empty outbox", func() bool { return len(u.c.Outbox()) == 0 && u.c.State().Synced })
			var kept, there string
			ok := func() bool {
				kept, there = "", ""
				page, err := u.c.History(limited(t), g, 0, 200)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range page.Messages {
					there += described(m) + "\n"
				}
				list := u.c.Kept(g, nil, 10_000)
				for _, m := range list {
					if m.Seq >= page.From {
						kept += described(m) + "\n"
					}
				}
				return kept == there
			}
			end := time.Now().Add(testkit.Limit)
			for !ok() {
				if time.Now().After(end) {
					t.Fatalf("%s %s keeps\n%s\nand the server has\n%s", u.name, u.c.State().Device, differs(kept, there), differs(there, kept))
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
}

// differs is the lines of a that are not in b.
func differs(a, b string) string {
	var out []string
	for _, l := range strings.Split(a, "\n") {
		if !strings.Contains("\n"+b, "\n"+l+"\n") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// acts does one thing, on a message of those that are there. Refusals are part of it.
func (u *user) acts(conv string, rnd *rand.Rand, id string) {
	list := u.c.Kept(conv, nil, 20)
	n := rnd.IntN(12)
	if len(list) == 0 || n < 3 {
		m := client.Text("m" + id)
		if len(list) > 0 && n == 2 {
			m.ReplyTo = list[rnd.IntN(len(list))].Seq
		}
		if _, err := u.c.Send(ctx, conv, m); err != nil {
			u.t.Error(err)
		}
		return
	}
	seq := list[rnd.IntN(len(list))].Seq
	signs := []string{"👍", "🎉", "x"}
	sign := signs[rnd.IntN(len(signs))]
	ctx := limited(u.t)
	var err error
	switch n {
	case 3:
		_, err = u.c.Edit(ctx, conv, seq, client.Text("edited "+id))
	case 4:
		_, err = u.c.Recall(ctx, conv, seq)
	case 5, 6:
		_, err = u.c.React(ctx, conv, seq, sign)
	case 7:
		_, err = u.c.Unreact(ctx, conv, seq, sign)
	case 8:
		_, err = u.c.PinMessage(ctx, conv, seq)
	case 9:
		_, err = u.c.Delete(ctx, conv, seq)
	case 10:
		if _, err = u.c.DeleteForAll(ctx, conv, seq); err == nil && rnd.IntN(2) == 0 {
			_, err = u.c.Undelete(ctx, conv, seq)
		}
	case 11:
		_, err = u.c.Expand(ctx, conv, seq, map[string]string{"k" + fmt.Sprint(len(sign)): id})
	}
	for _, code := range []uint32{wire.CodeNotFound, wire.CodeDenied, wire.CodeRole, wire.CodeInvalid, wire.CodeTooLarge, wire.CodeConflict} {
		if client.IsCode(err, code) {
			return
		}
	}
	if err != nil {
		u.t.Errorf("%s %d: %v", conv, n, err)
	}
}
