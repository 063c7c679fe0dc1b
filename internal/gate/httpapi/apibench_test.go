package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/wire"
	"github.com/anser-im/anser/wire/wireconnect"
)

// What a send costs over HTTP, from the socket to the model of a store and back, one
// after the other on one connection.
func BenchmarkSend(b *testing.B) {
	w := newWorld(b)
	token := w.token("alice")
	for _, name := range []string{"connect json", "connect proto", "grpc"} {
		c := wireconnect.NewMessageServiceClient(w.clients(token)[name])
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if _, err := c.Send(b.Context(), &wire.SendRequest{Id: fmt.Sprint(name[:4], i), Conv: "u/bob", Body: []byte(`{"content":"hello"}`)}); err != nil && connect.CodeOf(err) != connect.CodeAborted {
					b.Fatal(err)
				}
			}
		})
	}
	// Without sockets and clients: what the door itself costs.
	for name, headers := range map[string][]string{"handler/token": bearer(token), "handler/key": as(w.key(auth.AppKey{Name: "bench"}), "alice")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if rec := w.serve("/anser.v1.MessageService/Send", strings.NewReader(fmt.Sprintf(`{"id":"%s%d","conv":"u/bob","body":{"content":"hello"}}`, name[len("handler/"):], i)), headers...); rec.Code != 200 && rec.Code != 409 {
					b.Fatal(rec.Code, rec.Body)
				}
			}
		})
	}
	b.Run("handler/batch of 100", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			var q strings.Builder
			for j := range 100 {
				fmt.Fprintf(&q, `,{"id":"batch%d.%d","conv":"u/bob","body":{"content":"hello"}}`, i, j)
			}
			if rec := w.serve("/anser.v1.MessageService/SendBatch", strings.NewReader(`{"sends":[`+q.String()[1:]+`]}`), bearer(token)...); rec.Code != 200 {
				b.Fatal(rec.Code, rec.Body)
			}
		}
	})
}
