package client

import (
	"context"
	"sync"

	"github.com/anser-im/anser/wire"
)

// StreamOptions are what few streams need.
type StreamOptions struct {
	ID      string // client id of the stream and of the message at its end; empty = a new one
	Type    string // of that message; empty = an:stream, whose body is a StreamBody
	ReplyTo uint64
	Thread  uint64
}

// Stream is a message whose text comes in parts, as an AI's answer does. Who is online is
// given each part as it comes, by EventStatus with a StreamPartBody; at the end one
// message is stored with all of it. Its methods may be called from any goroutine; what is
// appended is in the order of the calls.
type Stream struct {
	ID   string
	Conv string

	c    *Client
	mu   sync.Mutex // held while asking, so that parts keep their order
	next uint32     // guarded by mu
}

// OpenStream begins a stream. Between two parts at most 30 s may pass, in all 30 min.
func (c *Client) OpenStream(ctx context.Context, conv string, o StreamOptions) (*Stream, error) {
	if o.ID == "" {
		o.ID = newID()
	}
	r := new(wire.StreamResponse)
	err := c.do(ctx, wire.MethodStreamOpen, &wire.StreamOpenRequest{Id: o.ID, Conv: conv, Type: o.Type, ReplyTo: o.ReplyTo, Thread: o.Thread}, r, true)
	if err != nil {
		return nil, err
	}
	return &Stream{ID: o.ID, Conv: conv, c: c, next: r.Next}, nil
}

// Append adds a part, at most 16 KiB; all together have at most the size of a message.
func (s *Stream) Append(ctx context.Context, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := new(wire.StreamResponse)
	if err := s.c.do(ctx, wire.MethodStreamAppend, &wire.StreamAppendRequest{Id: s.ID, Conv: s.Conv, Index: s.next, Text: text}, r, true); err != nil {
		return err
	}
	s.next++
	return nil
}

// End stores the message and answers its number. fields, a JSON object, go into its body
// beside the text; nil = none.
func (s *Stream) End(ctx context.Context, fields []byte) (seq uint64, err error) {
	return s.end(ctx, &wire.StreamEndRequest{Id: s.ID, Conv: s.Conv, Body: fields})
}

// Abort ends it, and nothing is stored.
func (s *Stream) Abort(ctx context.Context) error {
	_, err := s.end(ctx, &wire.StreamEndRequest{Id: s.ID, Conv: s.Conv, Abort: true})
	return err
}

func (s *Stream) end(ctx context.Context, req *wire.StreamEndRequest) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := new(wire.StreamResponse)
	err := s.c.do(ctx, wire.MethodStreamEnd, req, r, true)
	return r.Seq, err
}

// StreamState is what came of a stream so far.
type StreamState struct {
	ID     string
	Sender string
	Text   string
	Next   int // index of the next part
	Done   bool
	Seq    uint64 // of the stored message; 0 = none
}

// StreamGet asks what came of a stream so far: for who comes in the midst of it, or has
// missed a part.
func (c *Client) StreamGet(ctx context.Context, conv, id string) (*StreamState, error) {
	r := new(wire.StreamResponse)
	if err := c.do(ctx, wire.MethodStreamGet, &wire.StreamGetRequest{Id: id, Conv: conv}, r, true); err != nil {
		return nil, err
	}
	return &StreamState{ID: id, Sender: r.Sender, Text: r.Text, Next: int(r.Next), Done: r.Done, Seq: r.Seq}, nil
}
