package client

import (
	"fmt"
	"slices"
	"time"

	"github.com/anser-im/anser/wire"
)

// The outgoing queue. Sends wait in the outbox and not here, so that what is urgent
// comes through.
const (
	queueSends   = 128 << 10 // above it no more sends are added
	queueSignals = 64 << 10  // above it signals are dropped
	writeAtOnce  = wire.FragmentSize + 64
)

// send queues m as one frame, cut if it is long. False means that the link is over,
// or that m does not fit into a frame.
func (l *link) send(m wire.Body) bool {
	b, err := l.encode(m)
	return err == nil && l.queue(b)
}

// control queues a small frame that goes ahead of the others: PING and ACK.
func (l *link) control(m wire.Body) bool {
	b, err := l.ca.format().Append(nil, m)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	if _, beat := m.(*wire.Ping); !beat {
		l.other = true
	}
	if l.ca.format() == wire.Format(wire.JSON) { // one object a message
		l.data = append(l.data, b)
		l.bytes += len(b)
	} else {
		l.ctl = append(l.ctl, b...)
	}
	poke(l.wake)
	return true
}

// encode makes the chunks of a frame: one, or its fragments.
func (l *link) encode(m wire.Body) ([][]byte, error) {
	b, err := l.ca.format().Append(nil, m)
	if err != nil {
		return nil, err
	}
	if len(b) > l.maxOut() {
		return nil, &Error{Code: wire.CodeTooLarge, Message: fmt.Sprintf("the frame has %d bytes; the server takes %d", len(b), l.maxOut())}
	}
	if !l.ca.fragments() {
		return [][]byte{b}, nil
	}
	if slices.Contains(l.welcome.Features, wire.FeatureZstd) {
		if b, err = wire.AppendCompressed(nil, b); err != nil {
			return nil, err
		}
	}
	if len(b) <= wire.FragmentSize {
		return [][]byte{b}, nil
	}
	if b, err = wire.AppendSplit(nil, b, 0); err != nil {
		return nil, err
	}
	var chunks [][]byte
	for len(b) > 0 {
		_, n, err := wire.Next(b, 0)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, b[:n])
		b = b[n:]
	}
	return chunks, nil
}

// maxOut is the longest frame the server takes, header included.
func (l *link) maxOut() int {
	if n := int(l.welcome.MaxFrame); n > 0 {
		return n
	}
	return wire.MaxFrame
}

// queue adds the chunks of one frame; false when the link is over.
func (l *link) queue(chunks [][]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	for _, b := range chunks {
		l.data = append(l.data, b)
		l.bytes += len(b)
	}
	l.other = true
	poke(l.wake)
	return true
}

// waiting is how many bytes wait to be written.
func (l *link) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// writeLoop writes until the link is over: what is urgent first, then about a fragment
// of the rest.
func (l *link) writeLoop() {
	for {
		p, json, other := l.next()
		var err error
		switch {
		case len(json) > 0:
			for _, b := range json {
				if err = l.ca.write(b); err != nil {
					break
				}
			}
		case len(p) > 0:
			err = l.ca.write(p)
		default:
			if bye := l.leaving(); bye != nil {
				l.fail(bye)
				return
			}
			select {
			case <-l.wake:
			case <-l.done:
				return
			}
			continue
		}
		if err != nil {
			l.fail(err)
			return
		}
		l.activity.sent(other)
	}
}

// farewell is how long the last words may take.
const farewell = time.Second

// leave ends the link for cause, after saying what was taken and that nobody comes back
// to this session: the device is away at once.
func (l *link) leave(cause error) {
	l.acks.flush()
	l.control(&wire.GoAway{Reason: "bye"})
	l.mu.Lock()
	l.bye = cause
	l.mu.Unlock()
	poke(l.wake)
	t := time.NewTimer(farewell)
	defer t.Stop()
	select {
	case <-t.C:
		l.fail(cause)
	case <-l.done:
	}
}

func (l *link) leaving() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bye
}

// next takes what is to be written in one go; other says that it is more than beats.
func (l *link) next() (p []byte, each [][]byte, other bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, nil, false
	}
	before := l.bytes
	other, l.other = l.other, false
	if l.ca.format() == wire.Format(wire.JSON) {
		each, l.data, l.bytes = l.data, nil, 0
	} else {
		p, l.ctl = l.ctl, nil
		n := 0
		for n < len(l.data) && (n == 0 || len(p)+len(l.data[n]) <= writeAtOnce) {
			p = append(p, l.data[n]...)
			l.bytes -= len(l.data[n])
			n++
		}
		if l.data = l.data[n:]; len(l.data) == 0 {
			l.data = nil
		}
	}
	if before >= queueSends && l.bytes < queueSends {
		poke(l.drained)
	}
	l.other = len(l.data) > 0
	return p, each, other
}
