package native

import (
	"context"
	"time"

	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// workers carry out the requests of a connection side by side; more wait in line.
const workers = 8

// requests are the REQs of a connection without their RES.
type requests struct {
	ctx  context.Context // ends with the connection
	stop context.CancelFunc

	// The rest is guarded by conn.mu.
	open    map[uint64]*request
	line    []*request // not begun
	running int        // workers
	bytes   int        // of bodies in open
	over    bool
}

type request struct {
	id        uint64
	verb      *rpc.Verb
	body      []byte
	cancel    context.CancelFunc // nil until begun
	cancelled bool               // no answer is wanted
}

// maxRequests bounds the bytes of a connection's open requests: above it, one is
// refused unless it is alone.
const maxRequests = 2 << 20

// req takes a REQ: a worker answers it.
func (c *conn) req(f wire.Frame) error {
	var w wire.Req
	if err := c.f.Decode(f, &w); err != nil {
		return c.broken(err)
	}
	c.d.count.requests.Add(1)
	c.ack(w.Ack)
	verb := rpc.Of(w.Method)
	if verb == nil {
		c.refuse(w.Id, im.Errorf(im.Unsupported, "this server has no verb of that name"))
		return nil
	}
	r := &request{id: w.Id, verb: verb, body: append([]byte(nil), w.Body...)}
	most := c.core.Limits().Outstanding
	c.mu.Lock()
	if c.reqs == nil {
		ctx, stop := context.WithCancel(c.d.ctx)
		c.reqs = &requests{ctx: ctx, stop: stop, open: map[uint64]*request{}}
	}
	q := c.reqs
	_, twice := q.open[r.id]
	full := most >= 0 && len(q.open) >= most || len(q.open) > 0 && q.bytes+len(r.body) > maxRequests
	start := false
	if !twice && !full {
		q.open[r.id] = r
		q.bytes += len(r.body)
		q.line = append(q.line, r)
		if q.running < workers {
			start = true
			q.running++
		}
	}
	c.mu.Unlock()
	switch {
	case twice: // an answer would be taken for that of the first
		c.end(malformed("a REQ has the id of one that is not answered yet"))
		return errEnding
	case full:
		c.refuse(w.Id, im.Errorf(im.Busy, "too many of your requests are not answered yet: wait for some").WithRetry(200*time.Millisecond))
	case start:
		c.d.running.Add(1)
		go c.work(q)
	}
	return nil
}

// work carries out requests until none waits in line.
func (c *conn) work(q *requests) {
	defer c.d.running.Done()
	for {
		c.mu.Lock()
		if len(q.line) == 0 || q.over {
			q.running--
			c.mu.Unlock()
			return
		}
		r := q.line[0]
		q.line = q.line[1:]
		if len(q.line) == 0 {
			q.line = nil
		}
		var answer []byte
		if !r.cancelled {
			var ctx context.Context
			ctx, r.cancel = context.WithCancel(q.ctx)
			c.mu.Unlock()
			answer = c.carryOut(ctx, r)
			r.cancel()
			c.mu.Lock()
		}
		delete(q.open, r.id) // before the answer: the client may use the id again when it has that
		q.bytes -= len(r.body)
		wanted := !r.cancelled
		c.mu.Unlock()
		if wanted && answer != nil {
			c.answerWhole(answer)
		}
	}
}

// carryOut answers the frame that answers a request; nil if the connection ends.
func (c *conn) carryOut(ctx context.Context, r *request) (frame []byte) {
	defer c.recovered("a request", nil)
	// What answers wait for the client is bounded: no more is made meanwhile.
	if c.wait() != nil {
		return nil
	}
	if c.d.requests.Add(1) > int64(c.d.cfg.Requests) {
		c.d.requests.Add(-1)
		return c.refusal(r.id, im.Errorf(im.Busy, "the server is carrying out too many requests: try again").WithRetry(time.Second))
	}
	answer, err := r.verb.Do(ctx, c.sess, c.f, r.body)
	c.d.requests.Add(-1)
	if err != nil {
		return c.refusal(r.id, im.AsError(err))
	}
	body, err := c.f.MarshalBody(answer)
	if err == nil {
		frame, err = c.f.Append(nil, &wire.Res{Id: r.id, Body: body})
	}
	if err != nil {
		return c.refusal(r.id, im.AsError(err))
	}
	if len(frame) > c.maxFrame {
		return c.refusal(r.id, im.Errorf(im.TooLarge, "the answer has %d bytes, more than the %d that you take: ask for less", len(frame), c.maxFrame))
	}
	return frame
}

// refusal is the frame that answers a request with an error.
func (c *conn) refusal(id uint64, e *im.Error) []byte {
	if e.Kind == im.Internal {
		c.log().Error("request failed", "err", e, "cause", e.Unwrap())
	}
	frame, err := c.f.Append(nil, &wire.Res{Id: id, Code: rpc.CodeOf(e), Message: e.Text, RetryMs: rpc.RetryMillis(e.Retry)})
	if err != nil {
		c.log().Error("a frame cannot be encoded", "err", err)
	}
	return frame
}

// refuse answers a request with an error.
func (c *conn) refuse(id uint64, e *im.Error) { c.answerWhole(c.refusal(id, e)) }

// cancel carries out a CANCEL: the request ends as soon as it can, and is not
// answered.
func (c *conn) cancel(f wire.Frame) error {
	var w wire.Cancel
	if err := c.f.Decode(f, &w); err != nil {
		return c.broken(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reqs == nil {
		return nil
	}
	if r := c.reqs.open[w.Id]; r != nil {
		r.cancelled = true
		if r.cancel != nil {
			r.cancel()
		}
	}
	return nil
}

// closeRequests ends what is open; mu is held.
func (c *conn) closeRequests() {
	if c.reqs != nil {
		c.reqs.over = true
		c.reqs.stop()
	}
}
