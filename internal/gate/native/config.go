package native

import (
	"log/slog"
	"time"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/wire"
)

// Config says how a Door behaves. Everything but Core has a default.
type Config struct {
	// Core is the core of an app, by the name in HELLO ("" = default); nil if there is
	// no such app. It is called once for each login.
	Core func(app string) *core.Core

	Heartbeat Heartbeat // zero fields have their defaults

	Node  string   // this node's name, told in WELCOME; "" = "anser"
	Nodes []string // endpoints of other nodes, told in WELCOME and GOAWAY; default: none

	// Origins are the web pages, besides those of the same host, that may open a
	// WebSocket: https://chat.example.org. "*" = all. Default: none.
	Origins []string

	HelloTimeout time.Duration // from the connection to HELLO, TLS and all; 0 = 10 s
	Budget       int64         // bytes of unfinished frames, all connections together; 0 = 64 MiB
	Requests     int           // requests being carried out, all connections together; 0 = 4,096
	NoCompress   bool          // no permessage-deflate on WebSockets; default: where the client offers it
	Log          *slog.Logger  // nil = nothing is logged
}

// Heartbeat holds the figures of docs/PROTOCOL.md that WELCOME tells.
type Heartbeat struct {
	Foreground time.Duration // a client's beat while it is used; 0 = 30 s
	Pong       time.Duration // no PONG after this: a miss, and a second beat at once; 0 = 10 s
	SecondPong time.Duration // no PONG to that: the link is dead; 0 = 5 s
	Grace      time.Duration // the server waits for 1.5 beats and this; 0 = 10 s

	BackgroundFloor  time.Duration // the shortest beat in the background, where clients search for the longest that their network allows; 0 = 30 s
	BackgroundStart  time.Duration // the beat with which that search begins; 0 = 210 s
	BackgroundStep   time.Duration // how much longer a beat is tried after five good ones; 0 = 60 s
	BackgroundMargin time.Duration // how far a beat stays below what was lost; 0 = 20 s
	BackgroundMax    time.Duration // the longest beat, the margin included; 0 = 590 s
}

// TestHeartbeat is a heartbeat for tests: a second a beat, half a second of grace.
func TestHeartbeat() Heartbeat {
	return Heartbeat{Foreground: time.Second, Pong: time.Second, SecondPong: time.Second, Grace: time.Second / 2}
}

func (h Heartbeat) defaults() Heartbeat {
	def(&h.Foreground, 30*time.Second)
	def(&h.Pong, 10*time.Second)
	def(&h.SecondPong, 5*time.Second)
	def(&h.Grace, 10*time.Second)
	def(&h.BackgroundFloor, 30*time.Second)
	def(&h.BackgroundStart, 210*time.Second)
	def(&h.BackgroundStep, 60*time.Second)
	def(&h.BackgroundMargin, 20*time.Second)
	def(&h.BackgroundMax, 590*time.Second)
	return h
}

func (h Heartbeat) wire() *wire.Heartbeat {
	ms := func(d time.Duration) uint32 { return uint32(d.Milliseconds()) }
	return &wire.Heartbeat{
		ForegroundMs: ms(h.Foreground), PongMs: ms(h.Pong), SecondPongMs: ms(h.SecondPong), GraceMs: ms(h.Grace),
		BackgroundFloorMs: ms(h.BackgroundFloor), BackgroundStartMs: ms(h.BackgroundStart), BackgroundStepMs: ms(h.BackgroundStep),
		BackgroundMarginMs: ms(h.BackgroundMargin), BackgroundMaxMs: ms(h.BackgroundMax),
	}
}

// patience is how long a client may be silent whose next beat comes within nextS
// seconds; 0 = it did not say: as in the foreground. No beat is longer than the longest
// in the background.
func (h Heartbeat) patience(nextS uint32) time.Duration {
	next := h.Foreground
	if nextS > 0 {
		next = min(time.Duration(nextS)*time.Second, max(h.BackgroundMax, h.Foreground))
	}
	return next*3/2 + h.Grace
}

func (c Config) defaults() Config {
	c.Heartbeat = c.Heartbeat.defaults()
	def(&c.Node, "anser")
	def(&c.HelloTimeout, 10*time.Second)
	def(&c.Budget, 64<<20)
	def(&c.Requests, 4096)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// What WELCOME tells of the window of a session, which core keeps.
const (
	windowEvents = 256
	windowBytes  = 256 << 10
)

// Sizes in bytes.
const (
	maxAnswers = 256 << 10 // of answers that wait; above it the connection is not read
	maxTurn    = 256 << 10 // of events taken at one turn of the link
	maxPush    = 32 << 10  // of a PUSH, one event at least
	pushEvents = 100       // events of a PUSH
)
