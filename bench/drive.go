package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// driver is the load on a relay: the same work as "anser bench", as cheaply made.
type driver struct {
	users, messages, size, window int
	fanout                        bool

	born    time.Time
	body    []byte
	clients []*client
	readers sync.WaitGroup

	accepted, delivered atomic.Int64 // brought up to date once per read
	wrong               atomic.Int64 // lost order, came twice, or was not asked for
	failed              atomic.Bool  // a connection ended
}

// client is one user of the relay.
type client struct {
	*sock
	d    *driver
	user uint32

	mu      sync.Mutex
	hello   bool // the relay knows me
	rest    []byte
	out     []byte
	sent    int
	acked   int // acknowledgements come in the order of the sends
	got     int // messages come in the order of their sender
	dueAt   []int64
	lats    []uint32 // microseconds, of the acknowledgements
	deliver []uint32 // microseconds, of the messages
	last    int64
}

// report has the fields of "anser bench" that a relay can have.
type report struct {
	Bench         string    `json:"bench"`
	Users         int       `json:"users"`
	Messages      int       `json:"messages"`
	Size          int       `json:"size"`
	Window        int       `json:"window"`
	Sent          int64     `json:"sent"`
	Accepted      int64     `json:"accepted"`
	Delivered     int64     `json:"delivered"`
	Lost          int64     `json:"lost"`
	Errors        int64     `json:"errors"`
	Seconds       float64   `json:"seconds"`
	AcceptedPerS  float64   `json:"accepted_per_s"`
	DeliveredPerS float64   `json:"delivered_per_s"`
	ServerCPU     float64   `json:"server_cpu_us_per_message"`
	AckMs         quantiles `json:"ack_ms"`
	DeliveryMs    quantiles `json:"delivery_ms"`
}

type quantiles struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// patience is how long nothing may move; settle is how long the server's CPU counts
// after the last delivery, as in "anser bench".
const (
	patience = 30 * time.Second
	settle   = 2 * time.Second
)

// driveRelay is "ceiling pairs" and "ceiling fanout".
func driveRelay(ctx context.Context, what string, args []string) error {
	d := &driver{fanout: what == "fanout", born: time.Now()}
	fs := flag.NewFlagSet("ceiling "+what, flag.ContinueOnError)
	fs.IntVar(&d.users, "users", 1000, "connected users")
	fs.IntVar(&d.messages, "messages", 1000, "messages of each user; in fanout of the one who sends")
	fs.IntVar(&d.size, "size", 128, "bytes of a message")
	fs.IntVar(&d.window, "window", 32, "messages of a user that may be unacknowledged")
	dir := fs.String("dir", os.TempDir(), "where the log is made: on a disk")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if d.users < 2 || d.users%2 != 0 || d.messages < 1 || d.window < 1 || d.size < 8 || d.size > maxFrame/2 {
		return errors.New("--users is even and from 2, --messages and --window from 1, --size from 8")
	}
	own, err := os.MkdirTemp(*dir, "ceiling-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	addr, pid, stop, err := startRelay(own)
	if err != nil {
		return err
	}
	rep, err := d.run(ctx, addr, pid)
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	rep.Bench = "ceiling " + what
	b, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", b)
	if rep.Lost > 0 || rep.Errors > 0 {
		return fmt.Errorf("%d lost, %d errors", rep.Lost, rep.Errors)
	}
	return nil
}

// startRelay starts "ceiling serve" as a process of its own.
func startRelay(dir string) (addr string, pid int, stop func() error, err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	cmd := exec.Command(exe, "ceiling", "serve", "--dir", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() error {
		cmd.Process.Signal(os.Interrupt)
		return cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return "", 0, nil, fmt.Errorf("the relay did not start: %w", err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid, stop, nil
}

func (d *driver) now() int64 { return int64(time.Since(d.born)) }

// run connects, drives and reports.
func (d *driver) run(ctx context.Context, addr string, pid int) (*report, error) {
	d.body = make([]byte, d.size)
	for i := range d.body {
		d.body[i] = "abcdefghijklmnopqrstuvwxyz234567"[i*7919%32]
	}
	defer func() {
		d.failed.Store(true)
		for _, c := range d.clients {
			c.close()
		}
		d.readers.Wait()
	}()
	for i := range d.users {
		if err := d.connect(addr, i); err != nil {
			return nil, err
		}
	}
	if !d.wait(ctx, func() bool { return d.accepted.Load() >= int64(d.users) }) {
		return nil, errors.New("the relay did not take all connections")
	}
	d.accepted.Store(0)
	cpu, begin := cpuOf(pid), d.now()
	senders := d.clients
	fan := int64(1)
	if d.fanout {
		senders, fan = d.clients[:1], int64(d.users-1)
	}
	for _, c := range senders {
		c.mu.Lock()
		c.fill(d.now())
		err := c.flush()
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	want := int64(len(senders)) * int64(d.messages)
	d.wait(ctx, func() bool { return d.accepted.Load() >= want && d.delivered.Load() >= want*fan })
	last := begin
	for _, c := range d.clients {
		c.mu.Lock()
		last = max(last, c.last)
		c.mu.Unlock()
	}
	time.Sleep(settle)
	cpu = cpuOf(pid) - cpu
	seconds := max(time.Duration(last-begin).Seconds(), 1e-9)
	rep := &report{
		Users: d.users, Messages: d.messages, Size: d.size, Window: d.window,
		Sent: want, Accepted: d.accepted.Load(), Delivered: d.delivered.Load(), Errors: d.wrong.Load(), Seconds: seconds,
	}
	rep.Lost = rep.Accepted*fan - rep.Delivered
	rep.AcceptedPerS, rep.DeliveredPerS = float64(rep.Accepted)/seconds, float64(rep.Delivered)/seconds
	if rep.Delivered > 0 {
		rep.ServerCPU = float64(cpu.Microseconds()) / float64(rep.Delivered)
	}
	var acks, deliveries []uint32
	for _, c := range d.clients {
		c.mu.Lock()
		acks, deliveries = append(acks, c.lats...), append(deliveries, c.deliver...)
		c.mu.Unlock()
	}
	rep.AckMs, rep.DeliveryMs = sum(acks), sum(deliveries)
	return rep, ctx.Err()
}

// wait waits for done, until nothing has moved for patience. It answers done's last word.
func (d *driver) wait(ctx context.Context, done func() bool) bool {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	moved, was := time.Now(), int64(-1)
	for !done() {
		if n := d.accepted.Load() + d.delivered.Load(); n != was {
			moved, was = time.Now(), n
		}
		if time.Since(moved) > patience || d.failed.Load() || ctx.Err() != nil {
			return done()
		}
		<-t.C
	}
	return true
}

func (d *driver) connect(addr string, i int) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	s, err := newSock(nc.(*net.TCPConn))
	if err != nil {
		nc.Close()
		return err
	}
	c := &client{sock: s, d: d, user: uint32(i), dueAt: make([]int64, d.window)}
	d.clients = append(d.clients, c)
	d.readers.Go(func() {
		if err := c.readLoop(c.feed); err != nil && !d.failed.Swap(true) {
			fmt.Fprintln(os.Stderr, "a connection ended:", err)
		}
	})
	return c.write(appendHello(nil, c.user))
}

// feed takes what the relay sent, and answers with what the window has room for.
func (c *client) feed(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rest) > 0 {
		c.rest = append(c.rest, b...)
		b = c.rest
	}
	now := c.d.now()
	var accepted, delivered int64
	for {
		typ, fields, n := next(b)
		if n < 0 {
			return errFrame
		}
		if n == 0 {
			break
		}
		b = b[n:]
		switch typ {
		case typeAck:
			if len(fields) != 8 {
				return errFrame
			}
			accepted++
			if !c.hello {
				c.hello = true
				continue
			}
			if id := int(binary.LittleEndian.Uint64(fields)); id != c.acked || id >= c.sent {
				c.d.wrong.Add(1)
				continue
			}
			c.lats = append(c.lats, uint32((now-c.dueAt[c.acked%c.d.window])/1000))
			c.acked++
		case typePush:
			_, id, body, ok := message(fields)
			if !ok {
				return errFrame
			}
			if int(id) != c.got || len(body) != c.d.size {
				c.d.wrong.Add(1)
				continue
			}
			c.got++
			delivered++
			c.deliver = append(c.deliver, uint32((now-int64(binary.LittleEndian.Uint64(body)))/1000))
		}
	}
	c.rest = append(c.rest[:0], b...)
	if delivered > 0 {
		c.last = now
		c.d.delivered.Add(delivered)
	}
	if accepted > 0 {
		c.d.accepted.Add(accepted)
	}
	if c.sent > 0 {
		c.fill(now)
	}
	return c.flush()
}

// fill sends what the window has room for.
func (c *client) fill(now int64) {
	to := c.user ^ 1
	if c.d.fanout {
		to = toAll
	}
	for c.sent < c.d.messages && c.sent-c.acked < c.d.window {
		c.dueAt[c.sent%c.d.window] = now
		at := len(c.out) + sendHead
		c.out = appendMessage(c.out, typeSend, to, uint64(c.sent), c.d.body)
		binary.LittleEndian.PutUint64(c.out[at:], uint64(now))
		c.sent++
	}
}

func (c *client) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.write(c.out)
	c.out = c.out[:0]
	return err
}

// sum sums latencies up.
func sum(us []uint32) quantiles {
	if len(us) == 0 {
		return quantiles{}
	}
	slices.Sort(us)
	at := func(q float64) float64 {
		return float64(us[min(int(q*float64(len(us))), len(us)-1)]) / 1000
	}
	return quantiles{P50: at(0.5), P99: at(0.99), P999: at(0.999), Max: float64(us[len(us)-1]) / 1000}
}
