package core

import (
	"context"
	"time"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// maxRounds is how often a send is submitted again because what it was decided on had
// changed: each time somebody altered the membership or a block in between.
const maxRounds = 16

// sending is what core keeps in a Send.
type sending struct {
	s       *Session
	l       *lane
	at      access      // where it goes, as far as that was looked up
	to      []im.UserID // the client's To list
	op      store.AppendOp
	hash    uint64
	named   *im.Mentions // the client's: its roles are looked up by what holds when it is submitted
	looked  bool         // its type has been asked
	typed   *im.Error    // what its type refuses
	place   uint64       // among the lane's sends, from 1; 0 = it has not got there
	charged bool         // counted against the user's rate
	rounds  int
}

// Send checks and queues and returns at once; Done tells the outcome. Sends of a
// session to one conversation keep the order in which Send was called.
//
// Errors, by Done: Invalid, TooLarge, with CodeSchema and CodeNoType what the type
// refuses; Unsupported for kinds of conversation that this
// server has not; NotFound for a conversation the user is not in; Denied from
// who is blocked, not listed or muted (see maySay); Conflict if the client id was used for
// something else; Limited, with how long to wait; Busy, ReadOnly; Unavailable: the
// outcome is not known. Where the id is kept already, the answer is its number,
// whatever holds by now.
func (s *Session) Send(snd *Send) {
	snd.begin(s)
	if err := s.check(snd); err != nil {
		snd.finish(err)
		return
	}
	if err := s.here(); err != nil {
		snd.finish(im.AsError(err))
		return
	}
	l := s.lane(snd.To)
	if l == nil {
		snd.finish(im.Errorf(im.Busy, "too many conversations wait for a refused message to be sent again: send or skip those first"))
		return
	}
	snd.l = l
	status := snd.Msg.Flags == im.Status
	l.order.Lock()
	err := l.submit(snd) // without an error, snd may be done, and its door's again
	l.order.Unlock()
	switch {
	case err != nil:
		l.refuse(snd, err)
	case status:
		s.c.pass(snd)
		snd.finish(nil)
	}
}

// SendWait is Send for doors that take one unit at a time; the error is Send.Err. If
// ctx ends first it is Unavailable, snd is still core's, and Done is called later.
func (s *Session) SendWait(ctx context.Context, snd *Send) error {
	ended := make(chan *im.Error, 1)
	then := snd.Done
	snd.Done = func(snd *Send) {
		snd.Done = then // it may be used again
		if then != nil {
			then(snd)
		}
		ended <- snd.Err
	}
	s.Send(snd)
	select {
	case err := <-ended:
		if err != nil {
			return err
		}
		return nil
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the outcome is not known yet: send it again under the same client id")
	}
}

// begin makes a Send ready that may have been used before.
func (snd *Send) begin(s *Session) {
	done := snd.op.Done
	if done == nil || snd.self != snd { // not one that was copied
		done = snd.durable
		snd.self = snd
	}
	snd.sending = sending{s: s, charged: snd.paid}
	snd.op.Done = done
	snd.Seq, snd.Time, snd.N, snd.Dup, snd.Err = 0, 0, 0, false, nil
}

// finish tells the outcome.
func (snd *Send) finish(err *im.Error) {
	snd.Err = err
	if err != nil {
		snd.s.c.tallies.refused(err.Kind)
	} else {
		snd.s.c.tallies.sends.Add(1)
	}
	if snd.Done != nil {
		snd.Done(snd)
	}
}

// submit gives snd to the store, or keeps it until the lane goes on, or says why not:
// the caller then calls refuse, with no lock held. Of a STATUS message it only says
// whether it may be passed on. order is held.
func (l *lane) submit(snd *Send) *im.Error {
	status := snd.Msg.Flags == im.Status
	snd.at = l.at
	if !status {
		if held, err := l.enter(snd); held || err != nil {
			return err
		}
	}
	err := l.allow(snd, status)
	snd.at = l.at
	if status || err != nil {
		if err != nil && err.Code.Retryable() && !status {
			l.mu.Lock()
			l.stop(snd)
			l.mu.Unlock()
		}
		return err
	}
	op := &snd.op
	l.mu.Lock()
	if snd.at.conv == 0 {
		snd.at.conv = l.conv
	}
	l.flying++
	op.Round = l.round
	l.mu.Unlock()
	op.Conv, op.Peer, op.Line, op.Guard, op.Blocked = snd.at.conv, snd.at.peer, snd.at.line, snd.at.guard, snd.at.alone
	op.Lane, op.Msg, op.Hash, op.Read, op.Err = &l.Lane, snd.Msg, snd.hash, !l.s.app && !l.s.later, nil // a person for whom the app sends, or the clock, has not read
	op.Msg.To = snd.audience()
	sub := l.s.c.st.Submit(op)
	if sub == nil {
		return nil
	}
	err = im.AsError(sub)
	l.mu.Lock()
	l.flying--
	if err.Code.Retryable() {
		l.round++ // the store turns back what follows in this one
		l.stop(snd)
	}
	ready := l.ready()
	l.mu.Unlock()
	if ready {
		l.s.c.redo.add(l)
	}
	return err
}

// enter looks whether snd's turn has come: not if earlier ones wait to be submitted
// again (it is held behind them), nor if one was refused.
func (l *lane) enter(snd *Send) (held bool, err *im.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if snd.place == 0 {
		l.made++
		snd.place = l.made
	}
	if l.waits(snd) {
		if snd.Msg.ID != l.stopped && snd.Skip != l.stopped {
			return false, errWaits()
		}
		l.stopped = ""
	}
	if !l.redo {
		return false, nil
	}
	if len(l.held) >= maxHeld {
		l.stop(snd)
		return false, im.Errorf(im.Busy, "%d messages wait already: try again", maxHeld).WithRetry(retryContended)
	}
	l.held = append(l.held, snd)
	return true, nil
}

// audience is the To list to be stored.
func (snd *Send) audience() []im.UserID {
	if snd.at.alone {
		return []im.UserID{snd.s.user}
	}
	return snd.to
}

// allow looks whether the user may send this there now. order is held.
func (l *lane) allow(snd *Send, status bool) *im.Error {
	if l.known && l.moves.Load() != l.moved {
		l.known = false
	}
	if l.known && status { // the store will not look at it
		if conv := l.at.conv; conv == 0 {
			l.known = false
		} else if h, ok := l.s.c.st.Head(conv); !ok || h.MVer != l.at.guard {
			l.known = false
		}
	}
	var refusal *im.Error
	if !l.known {
		refusal = l.learn()
	}
	if err := l.charge(snd); err != nil { // whoever asks for names is limited, too
		return err
	}
	if refusal != nil {
		return refusal
	}
	if t := l.s.c.cfg.Types; t != nil && !snd.looked { // paid for above: a schema may cost more than all the rest
		snd.looked, snd.typed = true, t.Check(snd.Msg, l.s.app)
	}
	if snd.typed != nil {
		return snd.typed
	}
	if snd.to != nil && l.at.kind == im.Direct {
		return im.Errorf(im.Invalid, "a message to some members only is for groups")
	}
	if m := snd.Msg; m.Expires != 0 && m.Expires <= l.s.c.Now().UnixMilli() {
		return im.Errorf(im.Invalid, "the message has expired already: expires is a time, in milliseconds since 1970")
	}
	return l.options(snd)
}

// charge counts snd, once, against what the user and the session may send.
func (l *lane) charge(snd *Send) *im.Error {
	if snd.charged {
		return nil
	}
	if snd.Over {
		return im.Errorf(im.Busy, "too many of your messages are on their way: at most %d, wait for their answers", l.s.c.cfg.Limits.SendCredit).WithRetry(retryContended)
	}
	if l.s.app || l.s.later {
		snd.charged = true
		return nil
	}
	now := l.s.c.Now()
	if r := l.s.rateOf(); !r.AllowN(now, 1) {
		wait := l.s.c.rates.wait(r, now)
		return im.Errorf(im.Limited, "you are sending too fast: at most %v messages a second, %d at once", l.s.c.cfg.Limits.SendRate, l.s.c.rates.burst).WithRetry(wait)
	}
	snd.charged = true
	return nil
}

func errWaits() *im.Error {
	return im.Errorf(im.Busy, "an earlier message to this conversation was refused: send that again first, or skip it").WithRetry(100 * time.Millisecond)
}

// refuse answers snd with err, unless its id is kept: then it is a retry, which is
// answered whatever holds by now. No lock is held.
func (l *lane) refuse(snd *Send, err *im.Error) {
	at := snd.at
	if at.conv == 0 && at.peer == "" && err.Kind == im.NotFound {
		at.conv = noConv
	}
	if snd.Msg.Flags == im.Status || at.conv == 0 && at.peer == "" {
		snd.finish(err)
		return
	}
	op := &store.KeptOp{Conv: at.conv, Peer: at.peer, Line: at.line, Sender: l.s.user, ID: snd.Msg.ID, Hash: snd.hash}
	op.Done = func() {
		switch {
		case op.Err != nil:
			if e := im.AsError(op.Err); !e.Code.Retryable() { // it was used for something else
				err = e
			} else if !err.Code.Retryable() {
				err = e // it cannot be found out now
			}
		case op.Found:
			snd.Seq, snd.Time, snd.N, snd.Dup = op.Seq, op.Time, op.N, true
			err = nil
		}
		if err == nil || !err.Code.Retryable() {
			l.lift(snd.Msg.ID)
		}
		snd.finish(err)
	}
	if e := l.s.c.st.Submit(op); e != nil {
		if !err.Code.Retryable() {
			err = im.AsError(e)
		}
		snd.finish(err)
	}
}

// noConv is a conversation that no store has. What is not there is asked for under it,
// so that the answer takes as long as that of one the user is not in.
const noConv im.ConvID = 1 << 62

// durable is the store's completion.
func (snd *Send) durable() {
	l, op := snd.l, &snd.op
	if op.Err != nil {
		l.failed(snd, op.Err)
		return
	}
	l.landed(op.At)
	snd.Seq, snd.Time, snd.N, snd.Dup = op.Seq, op.Time, op.N, op.Dup
	if !op.Dup {
		snd.s.c.deliver(snd)
		if !op.Read { // his devices would think that he has read up to it
			snd.s.c.mineMoved(snd.s.user, op.At, nil)
		}
	}
	snd.finish(nil)
}

// failed deals with a send that the store did not keep.
func (l *lane) failed(snd *Send, err error) {
	s := l.s
	turned := err == store.ErrTurnedBack
	var e *im.Error
	l.mu.Lock()
	l.flying--
	switch {
	case !turned:
		if e = im.AsError(err); e.Code.Retryable() {
			l.round = max(l.round, snd.op.Round+1)
			l.stop(snd)
		}
	case l.waits(snd): // one before it has been refused
		e = errWaits()
	case snd.rounds >= maxRounds:
		e = errContended()
		l.stop(snd)
	default:
		snd.rounds++
		l.redo = true
		l.back = append(l.back, snd)
	}
	ready := l.ready()
	l.mu.Unlock()
	if ready {
		s.c.redo.add(l)
	}
	switch {
	case e == nil:
	case turned:
		s.c.redo.refuse(snd, e)
	default:
		snd.finish(e) // the store has looked for the id
	}
}

// again submits what was turned back, in order, under a new round, by what holds now.
func (l *lane) again() {
	l.order.Lock()
	l.mu.Lock()
	list := append(l.back, l.held...)
	l.back, l.held, l.redo, l.queued = nil, nil, false, false
	l.round++
	l.mu.Unlock()
	l.known = false
	refusals := make([]*im.Error, len(list))
	for i, snd := range list {
		refusals[i] = l.submit(snd)
	}
	l.order.Unlock()
	for i, err := range refusals {
		if err != nil {
			l.refuse(list[i], err)
		}
	}
}

// pass offers a STATUS message to who is online now.
func (c *Core) pass(snd *Send) {
	snd.Msg.Time = c.Now().UnixMilli()
	snd.Msg.To = snd.audience()
	snd.Time = snd.Msg.Time
	c.spread(snd.s, snd.l.addr, &snd.at, &hub.Event{Conv: snd.at.conv, Msg: snd.Msg})
}
