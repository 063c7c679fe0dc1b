package native_test

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/wire"
)

// server makes a world whose gate and door are as they are in the program.
func benchWorld(b *testing.B) *world {
	return newWorld(b, func(o *options) { o.core.Limits.SendRate = -1 })
}

// BenchmarkPairs sends from one to another over TCP, with a window. Client, server and
// store are one process here: compare runs of it, nothing else.
func BenchmarkPairs(b *testing.B) {
	for _, window := range []int{1, 32} {
		b.Run("window="+strconv.Itoa(window), func(b *testing.B) {
			w := benchWorld(b)
			addr := w.serve("tcp://127.0.0.1:0", nil)
			alice, bob := w.dial(addr).login(w, "alice", "d"), w.dial(addr).login(w, "bob", "d")
			done := make(chan struct{})
			go func() {
				defer close(done)
				for n := uint64(0); n < uint64(b.N); {
					p := until[wire.Push](bob)
					for _, e := range p.Events {
						if e.Message != nil {
							n++
						}
					}
					bob.say(&wire.Ack{Push: p.Number})
				}
			}()
			b.ReportAllocs()
			b.ResetTimer()
			before := w.gate.Stats()
			for sent, acked := 0, 0; acked < b.N; {
				var batch []wire.Body
				for ; sent < b.N && sent-acked < window; sent++ {
					batch = append(batch, text("m"+strconv.Itoa(sent), "u/bob", strings.Repeat("x", 112)))
				}
				if len(batch) > 0 {
					alice.say(batch...)
				}
				until[wire.SendAck](alice)
				acked++
			}
			<-done
			b.StopTimer()
			after := w.gate.Stats()
			b.ReportMetric(float64(after.Writes-before.Writes)/float64(b.N), "writes/send")
		})
	}
}

// BenchmarkPing beats over TCP: what an idle connection costs.
func BenchmarkPing(b *testing.B) {
	w := benchWorld(b)
	c := w.dial(w.serve("tcp://127.0.0.1:0", nil)).login(w, "alice", "d")
	ping, buf := wire.AppendPing(nil), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		c.nc.Write(ping)
		c.nc.Read(buf)
	}
}

// BenchmarkLogin signs in over TCP again and again.
func BenchmarkLogin(b *testing.B) {
	w := benchWorld(b)
	addr := w.serve("tcp://127.0.0.1:0", nil)
	hello := frameOf(b, hello(w.token("alice"), "d"))
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		nc, err := net.Dial("tcp", addr)
		w.ok(err)
		nc.Write(hello)
		nc.Read(buf)
		nc.Close()
	}
}

var idleClients = flag.String("idleclients", "", "internal: be the clients of BenchmarkIdle: kind,address,number")

// BenchmarkIdle measures what a connection costs that has signed in and waits. The
// clients are another process, so that theirs is not counted.
//
//	go test -run '^$' -bench Idle -benchtime 1x ./internal/gate/native
func BenchmarkIdle(b *testing.B) {
	const n = 5000
	for _, kind := range []string{"tcp", "ws", "ws-json", "tls"} {
		b.Run(kind, func(b *testing.B) {
			w := benchWorld(b)
			server, _ := certificate(b)
			var addr string
			switch kind {
			case "tcp":
				addr = w.serve("tcp://127.0.0.1:0", nil)
			case "tls":
				addr = w.serve("tls://127.0.0.1:0", server)
			default:
				addr = w.web("http://127.0.0.1:0", nil)
			}
			before := memory()
			cmd := exec.Command(os.Args[0], "-test.run", "^TestIdleClients$", "-idleclients", fmt.Sprintf("%s,%s,%d", kind, addr, n))
			cmd.Stderr = os.Stderr
			in, err := cmd.StdinPipe()
			w.ok(err)
			w.ok(cmd.Start())
			w.until("all have signed in", func() bool { return w.door.Stats().SignedIn == n })
			natural := rss()
			after := memory()
			if name := os.Getenv("IDLEPROF"); name != "" {
				f, _ := os.Create(name + kind)
				pprof.WriteHeapProfile(f)
				f.Close()
			}
			b.ReportMetric(float64(after.rss-before.rss)/n, "rss-B/conn")
			b.ReportMetric(float64(natural-before.rss)/n, "natural-rss-B/conn")
			b.ReportMetric(float64(after.heap-before.heap)/n, "heap-B/conn")
			b.ReportMetric(float64(after.stack-before.stack)/n, "stack-B/conn")
			b.ReportMetric(float64(runtime.NumGoroutine())/n, "goroutines/conn")
			in.Close()
			cmd.Wait()
			w.quiet()
		})
	}
}

type usage struct{ rss, heap, stack uint64 }

// memory is what this process holds after a collection.
func memory() usage {
	for range 3 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{rss(), m.HeapInuse, m.StackInuse}
}

func rss() uint64 {
	b, _ := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(b)); len(f) > 1 {
		pages, _ := strconv.ParseUint(f[1], 10, 64)
		return pages * uint64(os.Getpagesize())
	}
	return 0
}

// TestIdleClients is the other process of BenchmarkIdle, and nothing otherwise.
func TestIdleClients(t *testing.T) {
	if *idleClients == "" {
		return
	}
	f := strings.Split(*idleClients, ",")
	n, err := strconv.Atoi(f[2])
	check(t, err)
	signer, err := auth.NewSigner(secret, "", nil)
	check(t, err)
	w := &world{TB: t, signer: signer}
	buf := make([]byte, 4096)
	for i := range n {
		nc, err := net.Dial("tcp", f[1])
		check(t, err)
		defer nc.Close()
		h := &wire.Hello{Version: 1, Token: w.token("user" + strconv.Itoa(i)), Device: &wire.Device{Id: "phone", Class: "phone"}, NextS: 590}
		switch f[0] {
		case "tcp":
			nc.Write(must(wire.Binary.Append(nil, h)))
			nc.Read(buf)
			nc.Write(wire.AppendPing(nil)) // what an echo would leave behind
			nc.Read(buf)
		case "tls":
			tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
			defer tc.Close()
			tc.Write(must(wire.Binary.Append(nil, h)))
			tc.Read(buf)
			tc.Write(wire.AppendPing(nil))
			tc.Read(buf)
		default:
			format, op := wire.Format(wire.Binary), byte(0x82)
			if f[0] == "ws-json" {
				format, op = wire.JSON, 0x81
			}
			s, err := upgrade(nc, http.Header{"Sec-Websocket-Protocol": {format.Subprotocol()}})
			check(t, err)
			s.frame(op, must(format.Append(nil, h)))
			_, err = s.message()
			check(t, err)
			s.frame(op, must(format.Append(nil, &wire.Ping{})))
			_, err = s.message()
			check(t, err)
		}
		nc.SetDeadline(time.Time{})
	}
	os.Stdin.Read(buf) // until the benchmark is done
}
