package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say who the client is, where it finds a server, and what becomes of what
// arrives. Endpoints and Token are required.
type Options struct {
	// Endpoints are where servers listen, the preferred one first: tcp://host:port,
	// tls://host:port (also tcp+tls://), ws://host[:port][/path], wss://...; http and
	// https are taken as ws and wss.
	Endpoints []string

	// Token gives the token to log in with. It is asked before every login and before
	// the present token ends, and may take a while (at most until ctx ends): ask your
	// server for a fresh one here. An error is tried again after a pause.
	Token func(ctx context.Context) (string, error)

	App    string // of the server's apps; empty = default
	Device Device
	Store  Store // nil = a MemStore

	// OnEvents is given what happens, in order, up to 256 events at a time, from one
	// goroutine. What is done in tx is kept together with the note that these events have been taken,
	// if the store is the application's own. After an error the same events come again
	// after a pause. Nothing else is delivered until it returns, and the server holds
	// back what it cannot deliver; the link lives on meanwhile. It may call every method
	// of the Client but Close.
	OnEvents func(tx Tx, events []Event) error

	// OnEvent is OnEvents for those who keep nothing in transactions. When the program
	// ends in the midst of it, the message, change or sent event that it was just given
	// comes again, and no earlier one; after a power cut with a FileStore up to 256 of
	// them, or a page, may. Events of other kinds come again if what came with them had
	// not all been taken. A Store of your own is committed after each. Set one of them at
	// most.
	OnEvent func(Event)

	// OnState is told how the connection stands, one call after another; steps that
	// pass quickly are left out while it takes its time.
	OnState func(State)

	// OnSignal is given what passes by: typing and the like, one call after another. While
	// it takes its time, 64 wait and others are dropped.
	OnSignal func(Signal)

	// Background begins in the background: see SetBackground.
	Background bool

	// Network and NetworkKind begin with this network: see NetworkChanged.
	Network, NetworkKind string

	// TLS is the configuration for tls and wss; nil = the system's roots. ServerName is
	// set from the endpoint if empty.
	TLS *tls.Config

	// Plaintext allows tcp:// and ws:// to hosts other than this machine. The token
	// and every message can then be read on the way.
	Plaintext bool

	// JSON speaks JSON on WebSockets, to be read while debugging.
	JSON bool

	// Types are message types of the application's own that it sends as bytes, without a
	// Go type: see Register for those that have one. Others than these, the registered
	// ones and ours are not sent: a misspelt type is found here and not by the receivers.
	Types []string

	// Keep has the client keep on the device so many of the newest messages of each
	// conversation, in the Store and in memory: Kept reads them, Search searches them,
	// and edits, recalls, deletions, expiry and reactions are followed. 0 = the
	// application keeps what it is given itself.
	Keep int

	// Backlog is how many of the newest messages of a conversation that is new to this
	// device are delivered at most; older ones are had by History. Of those that the
	// user has read elsewhere only the newest 20 are. 0 = 10,000; negative = all.
	Backlog int

	// MaxOutbox is how many messages may wait to be sent; 0 = 10,000. They have at most
	// 64 MiB.
	MaxOutbox int

	// Dial replaces the connecting itself, for proxies and tests: TLS and WebSocket are
	// put on what it returns. ctx ends when the attempt does.
	Dial func(ctx context.Context, endpoint string) (net.Conn, error)

	Log *slog.Logger // nil = none
}

// Device says what the user is signed in on. One device has one connection at a time:
// the newer replaces the older.
type Device struct {
	ID    string // 1-64 bytes, as a user id; empty = the token's, or the server gives one, which the store keeps
	Class string // wire.ClassPhone, ClassTablet, ClassDesktop, ClassWeb, ClassBot
	OS    string
}

// sdkName is how the client introduces itself.
const sdkName = "anser-go/1"

// Client is one user on one device. Its methods may be called from any goroutine.
type Client struct {
	opt       Options // fixed
	log       *slog.Logger
	endpoints []endpoint      // fixed
	types     map[string]bool // fixed

	running sync.Mutex    // held by Run
	redial  chan struct{} // holds one: try to connect now
	rebind  chan struct{} // holds one: the network changed, leave the link
	pumpNow chan struct{} // holds one: the outbox may have something to send
	inbox   inbox
	signals chan Signal // holds keepSignals

	mu         sync.Mutex
	box        *outbox                 // guarded by mu
	convs      map[string]*convo       // guarded by mu
	todo       todo                    // guarded by mu
	pending    map[string]*Pending     // guarded by mu: by outKey; of entries not answered
	accepted   map[string]*acceptance  // guarded by mu: by outKey; accepted, and EventSent is still to come
	epoch      string                  // guarded by mu
	syncTok    string                  // guarded by mu
	user       string                  // guarded by mu: as the server says
	device     string                  // guarded by mu: given by the options or the server
	link       *link                   // guarded by mu: nil while there is none
	up         chan struct{}           // guarded by mu: closed when link is set; renewed when it is over
	net        network                 // guarded by mu
	probe      bool                    // guarded by mu: Probe was called
	left       map[string]time.Time    // guarded by mu: endpoints that were left as dead, and when
	nodes      []endpoint              // guarded by mu: told by servers
	go2        []endpoint              // guarded by mu: where a server sent us; tried first, once
	last       *session                // guarded by mu: what can be resumed
	beats      map[string]*search      // guarded by mu: by network label
	dirty      map[string]bool         // guarded by mu: labels whose search is to be kept
	gone       map[string]ranges       // guarded by mu: by address; what the user deleted for himself
	due        *expiries               // guarded by mu
	kept       map[string]*shelf       // guarded by mu: by address
	skew       time.Duration           // guarded by mu: our clock less the server's
	delivering *delivering             // guarded by mu: the batch that OnEvents has now; nil if none
	closing    context.CancelFunc      // guarded by mu: ends Run
	attempt    context.CancelCauseFunc // guarded by mu: ends the attempt to connect that is under way; nil if none
	started    chan struct{}           // guarded by mu: closed when the Run of Start is over
	closed     bool                    // guarded by mu
	ran        bool                    // guarded by mu: Run has run

	locals  sync.Mutex     // held while the application's own of messages is written; taken before mu
	workers sync.WaitGroup // goroutines of a Run

	stateMu sync.Mutex    // may be taken while mu is held, not the other way round
	state   State         // guarded by stateMu
	stateCh chan struct{} // holds one: state changed
}

// acceptance is a message that was accepted and of which the application has not been
// told.
type acceptance struct {
	came *Message // it came as a message, too; nil if it did not
}

// message is it as it came.
func (a *acceptance) message() *Message {
	if a == nil {
		return nil
	}
	return a.came
}

// session is what a link leaves behind to be resumed.
type session struct {
	id   string
	acks *ackState
	at   string // key of the endpoint
}

// network is where the device is.
type network struct {
	label, kind string
	background  bool
	hold        bool
}

// New makes a client and reads its store. It does nothing else until Run or Start.
func New(o Options) (*Client, error) {
	switch {
	case len(o.Endpoints) == 0:
		return nil, errors.New("anser: Options.Endpoints is empty")
	case o.Token == nil:
		return nil, errors.New("anser: Options.Token is nil")
	case o.OnEvent != nil && o.OnEvents != nil:
		return nil, errors.New("anser: set one of Options.OnEvent and Options.OnEvents")
	}
	if !allUTF8(o.App, o.Device.ID, o.Device.Class, o.Device.OS) {
		return nil, errors.New("anser: Options.App and Options.Device must be UTF-8")
	}
	c := &Client{
		opt: o, log: o.Log, types: make(map[string]bool),
		redial: make(chan struct{}, 1), rebind: make(chan struct{}, 1), pumpNow: make(chan struct{}, 1),
		left: make(map[string]time.Time), pending: make(map[string]*Pending),
		up: make(chan struct{}), stateCh: make(chan struct{}, 1),
		net: network{label: clipLabel(o.Network), kind: o.NetworkKind, background: o.Background},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	for _, s := range o.Endpoints {
		e, err := parseEndpoint(s)
		if err != nil {
			return nil, err
		}
		if !e.tls && !o.Plaintext && o.Dial == nil && !e.loopback() {
			return nil, fmt.Errorf("anser: %s would send the token in plain text; use tls:// or wss://, or set Options.Plaintext", s)
		}
		c.endpoints = append(c.endpoints, e)
	}
	for _, t := range o.Types {
		c.types[t] = true
	}
	if c.opt.Store == nil {
		c.opt.Store = NewMemStore()
	}
	if c.opt.MaxOutbox <= 0 {
		c.opt.MaxOutbox = defaultOutbox
	}
	if c.opt.Backlog == 0 {
		c.opt.Backlog = 10_000
	}
	c.signals = make(chan Signal, keepSignals)
	c.inbox.init()
	if s, ok := c.opt.Store.(*FileStore); ok && s.Damaged() != "" {
		c.log.Error("the store was damaged; the rest was salvaged", "bytes", s.Torn(), "copy", s.Damaged())
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// load reads the store. Called by New, and by Run before it runs again: what Send is
// just putting into the store stays in the outbox then.
func (c *Client) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	box := newOutbox(c.opt.MaxOutbox)
	underWay := c.box.notKept()
	if c.box != nil {
		box.next = c.box.next // an order number is not given twice
	}
	c.box = box
	c.convs = make(map[string]*convo)
	c.beats, c.dirty = make(map[string]*search), make(map[string]bool)
	c.gone, c.due, c.kept = make(map[string]ranges), newExpiries(), make(map[string]*shelf)
	c.todo.reset()
	c.accepted = make(map[string]*acceptance)
	c.epoch, c.syncTok, c.user, c.device, c.last = "", "", "", c.opt.Device.ID, nil
	var entries []*entry
	var rows keptRows
	err := c.opt.Store.Load(func(key string, value []byte) error {
		var err error
		switch {
		case key == keyEpoch:
			c.epoch = string(value)
		case key == keyToken:
			c.syncTok = string(value)
		case key == keyUser:
			c.user = string(value)
		case key == keyDevice:
			if c.device == "" {
				c.device = string(value)
			}
		case key == keySkew:
			n, _ := strconv.ParseInt(string(value), 10, 64) // learnt again
			c.skew = time.Duration(n) * time.Millisecond
		case strings.HasPrefix(key, keyConv):
			addr := key[len(keyConv):]
			c.convs[addr], err = readConvo(addr, value)
		case strings.HasPrefix(key, keyOut):
			var order uint64
			if _, err = fmt.Sscanf(key[len(keyOut):], "%016x", &order); err != nil {
				return errRecord
			}
			if underWay[order] != nil {
				return nil // kept this moment; its Send does not know yet
			}
			e, err := readEntry(order, value)
			if err != nil {
				return err
			}
			entries = append(entries, e)
		case strings.HasPrefix(key, keyGone):
			c.gone[key[len(keyGone):]], err = readRanges(value)
		case strings.HasPrefix(key, keyDue), strings.HasPrefix(key, keyKept),
			strings.HasPrefix(key, keyLocal), strings.HasPrefix(key, keyInserted):
			err = rows.read(key, value, c)
		case strings.HasPrefix(key, keyNet):
			if s := readSearch(value); s != nil { // what cannot be read is learnt again
				c.beats[key[len(keyNet):]] = s
			}
		}
		return err
	})
	if err == nil {
		rows.place(c)
	} else {
		entries = nil
	}
	for _, e := range underWay {
		entries = append(entries, e)
	}
	c.box.load(entries)
	if err != nil {
		return fmt.Errorf("anser: reading the store: %w", err)
	}
	for at := c.box.list.Front(); at != nil; at = at.Next() {
		e := at.Value.(*entry)
		k := outKey(e.frame.Conv, e.frame.Id)
		if c.pending[k] == nil {
			c.pending[k] = newPending(e.frame.Conv, e.frame.Id)
		}
		e.pending = c.pending[k]
	}
	return nil
}

// Start runs the client in the background until Close, or until the server sends it
// away for good: OnState then tells Stopped. Starting it again after that is allowed.
func (c *Client) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if c.started != nil {
		select {
		case <-c.started:
		default:
			return nil // it runs
		}
	}
	done := make(chan struct{})
	c.started = done
	ctx, cancel := context.WithCancel(context.Background())
	c.closing = cancel
	go func() {
		defer close(done)
		defer cancel()
		c.Run(ctx)
	}()
	return nil
}

// Close ends the client and waits until it has let go of everything. What waits to be
// sent stays in the store, which is the caller's to close.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	cancel, started := c.closing, c.started
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if started != nil {
		<-started
	}
	c.running.Lock() // waits for a Run that was not Start's
	defer c.running.Unlock()
	return nil
}

// Phase is how the connection stands.
type Phase int

// The phases.
const (
	Idle       Phase = iota // not running
	Connecting              // looking for an endpoint that welcomes it
	Waiting                 // before the next attempt, at State.RetryAt
	Online                  // welcomed
	Stopped                 // sent away for good: State.Err is a *StopError
)

func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Waiting:
		return "waiting"
	case Online:
		return "online"
	case Stopped:
		return "stopped"
	}
	return "idle"
}

// State is how the connection stands.
type State struct {
	Phase    Phase
	Synced   bool   // online, and all that was missed has been delivered
	Stuck    bool   // online, but the server takes no sends now and no other endpoint is known
	Endpoint string // online: where
	Node     string // online: the server's name for itself
	User     string // as the server says; empty before the first login
	Device   string
	Err      error     // waiting, stopped: why
	RetryAt  time.Time // waiting: the next attempt; zero = when the network is back
}

// same says whether two states say the same. Errors are compared by their text: not
// every error can be compared.
func (s State) same(o State) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	a, b := text(s.Err), text(o.Err)
	s.Err, o.Err = nil, nil
	return s == o && a == b
}

// State tells how the connection stands.
func (c *Client) State() State {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	return c.state
}

// setState changes the state and has it told.
func (c *Client) setState(change func(*State)) {
	c.stateMu.Lock()
	before := c.state
	change(&c.state)
	same := before.same(c.state)
	c.stateMu.Unlock()
	if !same {
		poke(c.stateCh)
	}
}

// tellState calls OnState until stop is closed, and once more for the last state.
func (c *Client) tellState(stop <-chan struct{}) {
	if c.opt.OnState == nil {
		return
	}
	var told State
	tell := func() {
		if s := c.State(); !s.same(told) {
			told = s
			c.opt.OnState(s)
		}
	}
	for {
		select {
		case <-c.stateCh:
			tell()
		case <-stop:
			tell()
			return
		}
	}
}

// current is the link, and a channel that is closed when there is one.
func (c *Client) current() (*link, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link, c.up
}
