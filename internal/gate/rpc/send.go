package rpc

import (
	"context"

	"github.com/google/uuid"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

const (
	maxBatch    = 100       // sends of a SendBatch
	defaultType = "an:text" // of a send that names none
)

func doSend(ctx context.Context, s *core.Session, q *wire.SendRequest) (*wire.SendResponse, error) {
	snd, err := sending(q)
	if err != nil {
		return nil, err
	}
	id := snd.Msg.ID
	if err := s.SendWait(ctx, snd); err != nil {
		return nil, err
	}
	return sent(id, snd), nil
}

// doSendBatch queues all sends, in order, and then waits: they share the store's
// commits.
func doSendBatch(ctx context.Context, s *core.Session, q *wire.SendBatchRequest) (*wire.SendBatchResponse, error) {
	if len(q.Sends) > maxBatch {
		return nil, im.Errorf(im.TooLarge, "the batch has %d messages; at most %d are allowed", len(q.Sends), maxBatch)
	}
	a := &wire.SendBatchResponse{Outcomes: make([]*wire.SendOutcome, len(q.Sends))}
	done := make(chan *core.Send, len(q.Sends)) // room for all: who completes a send does not wait for us
	ids := make([]im.ClientID, len(q.Sends))
	waiting := 0
	for i, w := range q.Sends {
		snd, err := sending(w)
		if err != nil {
			a.Outcomes[i] = refusedSend(im.AsError(err))
			continue
		}
		ids[i] = snd.Msg.ID
		snd.Tag, snd.Done = uint64(i), func(snd *core.Send) { done <- snd }
		waiting++
		s.Send(snd)
	}
	for ; waiting > 0; waiting-- {
		select {
		case snd := <-done:
			o := &wire.SendOutcome{}
			if snd.Err != nil {
				o = refusedSend(snd.Err)
			} else {
				o.Sent = sent(ids[snd.Tag], snd)
			}
			a.Outcomes[snd.Tag] = o
		case <-ctx.Done():
			unknown := im.Wrap(im.Unavailable, ctx.Err(), "the outcome is not known yet: send it again under the same client id")
			for i := range a.Outcomes {
				if a.Outcomes[i] == nil {
					a.Outcomes[i] = refusedSend(unknown)
				}
			}
			return a, nil
		}
	}
	return a, nil
}

func sent(id im.ClientID, s *core.Send) *wire.SendResponse {
	return &wire.SendResponse{Id: string(id), Seq: uint64(s.Seq), Time: s.Time, N: s.N, Duplicate: s.Dup}
}

func refusedSend(e *im.Error) *wire.SendOutcome {
	return &wire.SendOutcome{Code: CodeOf(e), Message: e.Text, RetryMs: RetryMillis(e.Retry)}
}

// sending makes core's send of a request. Where the client gives no id, one is made.
func sending(w *wire.SendRequest) (*core.Send, error) {
	m, err := outgoing(w)
	if err != nil {
		return nil, err
	}
	return &core.Send{To: im.Address(w.GetConv()), Msg: m, HasFlags: w != nil && w.Flags != nil}, nil
}

func outgoing(w *wire.SendRequest) (*im.Message, error) {
	if w == nil {
		w = &wire.SendRequest{} // refused below, for its address
	}
	m := &im.Message{ID: im.ClientID(w.Id), Type: w.Type, Body: w.Body}
	if m.ID == "" {
		m.ID = newID()
	}
	if m.Type == "" {
		m.Type = defaultType
	}
	if w.Flags != nil {
		if *w.Flags > 0xff {
			return nil, FlagsError(*w.Flags)
		}
		m.Flags = im.Flags(*w.Flags)
	}
	if o := w.Options; o != nil {
		named, err := mentions(o.Mentions)
		if err != nil {
			return nil, err
		}
		m.Digest, m.Push, m.Mentions = o.Digest, o.Push, named
		m.ReplyTo, m.Thread, m.Expires, m.Burn = im.Seq(o.ReplyTo), im.Seq(o.Thread), o.Expires, o.BurnS
		m.To = listOf[im.UserID](o.To)
	}
	return m, nil
}

// FlagsError refuses flags that do not even fit.
func FlagsError(flags uint32) *im.Error {
	return im.Errorf(im.Invalid, "flags %d are not known: 1 persist, 2 count, 16 status, 0 command", flags)
}

// newID makes a client id: a UUIDv7, as the SDKs do.
func newID() im.ClientID {
	id, err := uuid.NewV7()
	if err != nil {
		panic(err) // the system's random source has failed
	}
	return im.ClientID(id.String())
}

// incoming is a message to be sent, as a request that would send it.
func incoming(to im.Address, m *im.Message, hasFlags bool) *wire.SendRequest {
	if m == nil {
		return nil
	}
	w := &wire.SendRequest{Id: string(m.ID), Conv: string(to), Type: m.Type, Body: m.Body}
	if hasFlags {
		f := uint32(m.Flags)
		w.Flags = &f
	}
	o := &wire.SendOptions{Digest: m.Digest, Mentions: wireMentions(m.Mentions), ReplyTo: uint64(m.ReplyTo), Thread: uint64(m.Thread),
		Expires: m.Expires, Push: m.Push, To: listOf[string](m.To), BurnS: m.Burn}
	if o.SizeVT() > 0 {
		w.Options = o
	}
	return w
}
