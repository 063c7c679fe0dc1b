package client_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/testkit/servertest"
)

// BenchmarkSend sends through a real server in the same process, with what is kept in
// memory and on disk: what the SDK costs, with the server's share.
func BenchmarkSend(b *testing.B) {
	for _, kind := range []string{"memory", "disk"} {
		b.Run(kind, func(b *testing.B) {
			s := servertest.Start(b, servertest.Options{})
			with := func(o *client.Options) { o.OnEvent = func(client.Event) {} }
			if kind == "disk" {
				st, err := client.OpenFileStore(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { st.Close() })
				with = func(o *client.Options) { o.OnEvent = func(client.Event) {}; o.Store = st }
			}
			a := join(b, s, "alice", with)
			got := make(chan int, b.N+1)
			join(b, s, "bob", func(o *client.Options) {
				o.OnEvent = func(e client.Event) {
					if e.Kind == client.EventMessage {
						got <- 1
					}
				}
			})
			b.ResetTimer()
			var last *client.Pending
			for i := range b.N {
				p, err := a.c.Send(ctx, "u/bob", client.Outgoing{ID: fmt.Sprint(i), Body: []byte(`{"content":"hello"}`)})
				for err == client.ErrOutboxFull {
					time.Sleep(time.Millisecond)
					p, err = a.c.Send(ctx, "u/bob", client.Outgoing{ID: fmt.Sprint(i), Body: []byte(`{"content":"hello"}`)})
				}
				if err != nil {
					b.Fatal(err)
				}
				last = p
			}
			if _, err := last.Wait(limited(b)); err != nil {
				b.Fatal(err)
			}
			for range b.N {
				<-got
			}
		})
	}
}
