package client

import (
	"context"
	"sync"

	"github.com/anser-im/anser/wire"
)

// call is a REQ that waits for its RES.
type call struct {
	done chan *wire.Res // holds one
}

// callTable are the outstanding requests of a link.
type callTable struct {
	mu   sync.Mutex
	last uint64           // guarded by mu
	m    map[uint64]*call // guarded by mu
	room chan struct{}    // as many as may be outstanding; fixed at adopt
}

// request makes one REQ and waits. The error is the context's, ErrUnknown when the
// link ended first, or a refusal.
func (l *link) request(ctx context.Context, method string, req, res wire.Body) error {
	select {
	case l.calls.room <- struct{}{}:
		defer func() { <-l.calls.room }()
	case <-l.done:
		return ErrUnknown
	case <-ctx.Done():
		return ctx.Err()
	}
	body, err := l.ca.format().MarshalBody(req)
	if err != nil {
		return &Error{Code: wire.CodeInvalid, Message: err.Error()}
	}
	k := &call{done: make(chan *wire.Res, 1)}
	l.calls.mu.Lock()
	l.calls.last++
	id := l.calls.last
	l.calls.m[id] = k
	l.calls.mu.Unlock()
	defer func() {
		l.calls.mu.Lock()
		delete(l.calls.m, id)
		l.calls.mu.Unlock()
	}()
	ack := l.acks.take()
	chunks, err := l.encode(&wire.Req{Id: id, Method: method, Body: body, Ack: ack})
	if err != nil {
		if ack != nil {
			l.control(ack)
		}
		return err
	}
	if !l.queue(chunks) {
		return ErrUnknown
	}
	select {
	case r := <-k.done:
		if r.Code != wire.CodeOK {
			return refusal(r.Code, r.Message, r.RetryMs)
		}
		if err := l.ca.format().UnmarshalBody(r.Body, res); err != nil {
			l.fail(err)
			return ErrUnknown
		}
		return nil
	case <-l.done:
		return ErrUnknown
	case <-ctx.Done():
		l.send(&wire.Cancel{Id: id})
		return ctx.Err()
	}
}

// answered hands r, whose memory is its own, to whoever waits for it.
func (l *link) answered(r *wire.Res) {
	l.calls.mu.Lock()
	k := l.calls.m[r.Id]
	delete(l.calls.m, r.Id)
	l.calls.mu.Unlock()
	if k != nil {
		k.done <- r
	}
}
