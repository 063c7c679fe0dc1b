package server_test

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lxzan/gws"

	"github.com/anser-im/anser/internal/server"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
	"github.com/anser-im/anser/wire"
)

// Five thousand links that say nothing, that say it slowly, or that stop after the
// upgrade to a WebSocket take every place there is for those who have not signed in.
// Who does sign in gets a place all the same, and needs not wait for their time to be
// over, which here never is.
func TestSlowLinksKeepNobodyOut(t *testing.T) {
	const flood = 5000
	s := servertest.Start(t, servertest.Options{Config: func(c *server.Config) { c.Native.HelloTimeout = time.Hour }})
	tcp := strings.TrimPrefix(s.TCP(), "tcp://")
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range flood {
		if i%50 == 0 {
			// The file descriptors of both ends are this process's: WebSockets are few.
			c, _, err := gws.NewClient(new(gws.BuiltinEventHandler), &gws.ClientOption{Addr: s.WS() + wire.Path, RequestHeader: http.Header{"Sec-Websocket-Protocol": {wire.SubprotocolBinary}}})
			if err == nil {
				conns = append(conns, c.NetConn())
			}
			continue
		}
		c, err := net.Dial("tcp", tcp)
		if err != nil {
			t.Fatalf("link %d: %v", i, err)
		}
		conns = append(conns, c)
		if i%2 == 0 {
			c.Write([]byte{byte(wire.TypeHello)})
		}
	}
	stop, dripping := make(chan struct{}), sync.WaitGroup{}
	dripping.Go(func() { // a byte now and then of a long frame
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for b := byte(0x80); ; b = 1 {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for i := 2; i < len(conns); i += 4 {
				conns[i].Write([]byte{b})
			}
		}
	})
	defer dripping.Wait()
	defer close(stop)

	began, refused := time.Now(), 0
	for _, door := range []string{"tcp", "ws", "ws json"} {
		for {
			l, err := tryDial(t, s, door)
			if err == nil && l.hello(s.Token("alice"), "phone") == 0 {
				break
			}
			if refused++; time.Since(began) > testkit.Limit {
				t.Fatalf("%s: nobody gets in", door)
			}
			time.Sleep(20 * time.Millisecond) // between two tries
		}
	}
	t.Logf("%d slow links; the first logins took %v and were refused %d times", len(conns), time.Since(began).Round(time.Millisecond), refused)
	var worst time.Duration
	for range 200 { // from then on nobody is refused
		at := time.Now()
		if code := dial(t, s, "tcp").hello(s.Token("bob"), "phone"); code != 0 {
			t.Fatalf("an honest login is refused: %d", code)
		}
		worst = max(worst, time.Since(at))
	}
	t.Logf("200 logins beside them, the slowest in %v", worst.Round(time.Millisecond))
}
