package mobile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/anser-im/anser/client"
)

// Handler is the application. Its methods are called one after another by one thread,
// but OnState and OnSignal, which have their own.
type Handler interface {
	OnMessage(m *Message)           // the next message of its conversation, each once
	OnStatus(m *Message)            // for now only, kept nowhere
	OnChange(c *Change)             // of a message that was given before
	OnSelf(c *Change)               // of the account
	OnNoted(n *Note)                // another device of this user has set something
	OnSent(s *Sent)                 // a message of this device was accepted
	OnFailed(conv, id, text string) // a message of this device was given up; see ErrorCode
	OnConversation(c *Conversation) // after an absence, or a new one
	OnInfo(i *Info)                 // unread counts, read marks
	OnReset(conv string)            // forget what was given of it; empty = of all
	OnLeft(conv string)             // no longer in it: remove it

	OnDeleted(conv string, r *Ranges) // this user deleted them for himself: take them away
	OnExpired(conv string, r *Ranges) // their time is over: take them away

	OnSynced() // all that was missed has been given

	// Commit asks to keep what was given since the last Commit. After an error all of it
	// is given again.
	Commit() error

	OnState(s *State)
	OnSignal(s *Signal)
}

// TokenSource gives the token to log in with. It may take a while.
type TokenSource interface {
	Token() (string, error)
}

// Options say who the client is. Endpoints are added one by one.
type Options struct {
	App            string
	DeviceID       string // empty = the server gives one
	DeviceClass    string // phone, tablet
	OS             string
	Dir            string // where the store lies, for this user and device alone; empty = in memory
	Network        string // wifi:home
	NetworkKind    string // wifi, cell, wired, none
	Background     bool
	Plaintext      bool // allow tcp:// and ws:// to other machines
	JSON           bool
	Backlog        int // see client.Options
	Keep           int // messages of each conversation that are kept here, for Kept and Search; 0 = none
	MaxOutbox      int
	TimeoutSeconds int // of calls that ask the server; 0 = 30

	endpoints []string
	types     []string
}

// NewOptions makes empty ones.
func NewOptions() *Options { return &Options{DeviceClass: "phone"} }

// AddEndpoint adds tls://host:port or wss://host.
func (o *Options) AddEndpoint(url string) {
	if o != nil {
		o.endpoints = append(o.endpoints, url)
	}
}

// AddType adds a message type of the application's.
func (o *Options) AddType(name string) {
	if o != nil {
		o.types = append(o.types, name)
	}
}

// Client is one user on one device.
type Client struct {
	c       *client.Client
	store   *client.FileStore // nil if in memory
	timeout time.Duration
}

// NewClient makes a client and opens its store. Nothing else happens before Start.
func NewClient(o *Options, h Handler, tokens TokenSource) (c *Client, err error) {
	defer guard(&err)
	if o == nil || h == nil || tokens == nil {
		return nil, errors.New("0: options, handler and tokens are needed")
	}
	m := &Client{timeout: time.Duration(o.TimeoutSeconds) * time.Second}
	if m.timeout <= 0 {
		m.timeout = 30 * time.Second
	}
	opt := client.Options{
		Endpoints: o.endpoints, App: o.App, Types: o.types,
		Device:     client.Device{ID: o.DeviceID, Class: o.DeviceClass, OS: o.OS},
		Background: o.Background, Network: o.Network, NetworkKind: o.NetworkKind,
		Plaintext: o.Plaintext, JSON: o.JSON, Backlog: o.Backlog, Keep: o.Keep, MaxOutbox: o.MaxOutbox,
		Token:    func(ctx context.Context) (string, error) { return ask(ctx, tokens) },
		OnEvents: func(_ client.Tx, events []client.Event) error { return give(h, events) },
		OnState:  func(s client.State) { tell(h, s) },
		OnSignal: func(s client.Signal) { signal(h, s) },
		Log:      slog.New(slog.DiscardHandler),
	}
	if o.Dir != "" {
		if m.store, err = client.OpenFileStore(o.Dir); err != nil {
			return nil, coded(err)
		}
		opt.Store = m.store
	}
	if m.c, err = client.New(opt); err != nil {
		if m.store != nil {
			m.store.Close()
		}
		return nil, coded(err)
	}
	return m, nil
}

// ask asks the application for a token. Its code cannot be stopped: when ctx ends first
// the answer is dropped.
func ask(ctx context.Context, tokens TokenSource) (string, error) {
	type answer struct {
		token string
		err   error
	}
	ch := make(chan answer, 1)
	go func() {
		var a answer
		defer func() { ch <- a }()
		defer guard(&a.err)
		a.token, a.err = tokens.Token()
	}()
	select {
	case a := <-ch:
		return a.token, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// give hands events to the application.
func give(h Handler, events []client.Event) (err error) {
	defer guard(&err)
	for _, e := range events {
		switch e.Kind {
		case client.EventMessage:
			h.OnMessage(messageOf(e.Message))
		case client.EventStatus:
			h.OnStatus(messageOf(e.Message))
		case client.EventChange:
			h.OnChange(changeOf(e.Conv, e.Change))
		case client.EventSelf:
			h.OnSelf(changeOf(e.Conv, e.Change))
		case client.EventNoted:
			h.OnNoted(&Note{Key: e.Note.Key, Value: string(e.Note.Value), Gone: e.Note.Gone})
		case client.EventDeleted:
			h.OnDeleted(e.Conv, &Ranges{e.Ranges})
		case client.EventExpired:
			h.OnExpired(e.Conv, &Ranges{e.Ranges})
		case client.EventSent:
			h.OnSent(&Sent{ID: e.Sent.ID, Conv: e.Conv, Seq: int64(e.Sent.Seq), N: int64(e.Sent.N), Millis: millis(e.Sent.Time), Duplicate: e.Sent.Duplicate})
		case client.EventFailed:
			h.OnFailed(e.Conv, e.Sent.ID, coded(e.Err).Error())
		case client.EventConversation:
			h.OnConversation(conversationOf(e.Conversation))
		case client.EventInfo:
			h.OnInfo(infoOf(e.Conv, e.Info))
		case client.EventReset:
			h.OnReset(e.Conv)
		case client.EventLeft:
			h.OnLeft(e.Conv)
		case client.EventSynced:
			h.OnSynced()
		}
	}
	return h.Commit()
}

func tell(h Handler, s client.State) {
	defer mute()
	h.OnState(stateOf(s))
}

func signal(h Handler, s client.Signal) {
	defer mute()
	h.OnSignal(&Signal{Conv: s.Conv, Kind: s.Kind, Body: s.Body, TTLMillis: s.TTL.Milliseconds(), Sender: s.Sender, Device: s.Device})
}

func stateOf(s client.State) *State {
	out := &State{Phase: s.Phase.String(), Synced: s.Synced, Stuck: s.Stuck, Endpoint: s.Endpoint, User: s.User, Device: s.Device,
		RetryAtMillis: millis(s.RetryAt)}
	if s.Err != nil {
		out.ErrorText = coded(s.Err).Error()
	}
	var stop *client.StopError
	if errors.As(s.Err, &stop) && s.Phase == client.Stopped {
		out.StopReason = stop.Reason
	}
	return out
}

// Start runs the client until Close, or until it is sent away for good: OnState then
// tells "stopped". Starting it again is allowed.
func (c *Client) Start() (err error) {
	defer guard(&err)
	return coded(c.c.Start())
}

// Close ends the client, waits until it has let go of everything, and closes its store.
// Do not call it from the Handler.
func (c *Client) Close() (err error) {
	defer guard(&err)
	err = c.c.Close()
	if c.store != nil {
		err = errors.Join(err, c.store.Close())
	}
	return coded(err)
}

// State is how the connection stands.
func (c *Client) State() (s *State) {
	s = &State{Phase: "idle"}
	defer mute()
	return stateOf(c.c.State())
}

// SetBackground tells whether the application is in the background.
func (c *Client) SetBackground(background bool) {
	defer mute()
	c.c.SetBackground(background)
}

// NetworkChanged tells that the device is on another network, or on one again; kind is
// wifi, cell, wired or none.
func (c *Client) NetworkChanged(label, kind string) {
	defer mute()
	c.c.NetworkChanged(label, kind)
}

// Probe makes sure that the link lives: call it when a push of the platform arrives.
func (c *Client) Probe() {
	defer mute()
	c.c.Probe()
}

// HoldSignals asks the server to send no signals, or to send them again.
func (c *Client) HoldSignals(hold bool) {
	defer mute()
	c.c.HoldSignals(hold)
}
