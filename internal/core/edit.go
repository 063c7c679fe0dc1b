package core

import (
	"context"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Edit puts another body into a message of one's own. Everybody who may see the
// message is told. The same client id again is the same change.
//
// Errors: those of resolve; NotFound if there is no such message for this user, or it
// was recalled; Invalid with CodeSchema and the like as for a send; Denied for messages of others, after the edit window, in a
// conversation whose peer blocks the user (CodeNotAccepted), and for what the server
// itself said; TooLarge; Invalid; Limited, with how long to wait; Conflict if the
// client id was used otherwise.
func (s *Session) Edit(ctx context.Context, q EditRequest) (Changed, error) {
	if err := s.checkEdit(&q); err != nil {
		return Changed{}, err
	}
	ch := changing{s: s, conv: q.Conv, seq: q.Seq, id: q.ID, hash: q.hash()}
	return ch.run(ctx, func(ref *convRef, m *im.Message) (*store.ChangeOp, error) {
		switch {
		case m.Recalled:
			return nil, im.Errorf(im.NotFound, "the message was recalled")
		case m.Sender != s.user && !s.app:
			return nil, im.Errorf(im.Denied, "only who sent a message may edit it")
		}
		if !s.app {
			if err := s.c.within(s.c.cfg.Limits.EditWindow, m, "edited"); err != nil {
				return nil, err
			}
		}
		if err := s.maySay(ref); err != nil {
			return nil, err
		}
		mentions, err := s.c.resolveRoles(q.Mentions, ref.kind, &ref.head, m.Sender)
		if err != nil {
			return nil, err
		}
		if err := ch.charge(); err != nil { // a schema may cost more than all the rest
			return nil, err
		}
		return s.editing(&q, m, mentions)
	})
}

// checkEdit refuses what no edit can be.
func (s *Session) checkEdit(q *EditRequest) error {
	limits := &s.c.cfg.Limits
	if limits.MaxBody > 0 && len(q.Body) > limits.MaxBody {
		return im.Errorf(im.TooLarge, "the message is %d bytes long; at most %d are allowed", len(q.Body), limits.MaxBody)
	}
	if err := checkLine("digest", q.Digest); err != nil {
		return err
	}
	if err := checkMentions(q.Mentions, limits.MaxMentions); err != nil {
		return err
	}
	return nil
}

// hash is of what the client asked for, so that its id cannot be used for another.
func (q *EditRequest) hash() uint64 {
	d := xxhash.New()
	hashNumber(d, uint64(im.Edit))
	hashNumber(d, uint64(q.Seq))
	hashString(d, string(q.Body))
	hashString(d, q.Digest)
	if q.Mentions != nil {
		all := uint64(0)
		if q.Mentions.All {
			all = 1
		}
		hashNumber(d, all)
		for _, u := range q.Mentions.Users {
			hashString(d, string(u))
		}
		for _, r := range q.Mentions.Roles {
			hashNumber(d, uint64(r))
		}
	}
	return d.Sum64()
}

// within refuses what comes after its time. 0 = there is no such time.
func (c *Core) within(window time.Duration, m *im.Message, done string) error {
	if window <= 0 || c.Now().UnixMilli()-m.Time <= window.Milliseconds() {
		return nil
	}
	return im.Errorf(im.Denied, "a message can be %s for %s after it was sent", done, window)
}

// changing is a change of one message on its way.
type changing struct {
	s    *Session
	conv im.Address
	seq  im.Seq
	id   im.ClientID
	hash uint64

	charged bool
}

// run decides and submits the change until it was decided on what is. decide answers
// what is to be different; nil without an error says that all is as wanted.
func (ch *changing) run(ctx context.Context, decide func(*convRef, *im.Message) (*store.ChangeOp, error)) (Changed, error) {
	if ch.id != "" {
		if err := im.CheckClientID(ch.id); err != nil {
			return Changed{}, err
		}
	}
	for range maxTries {
		ref, err := ch.s.resolve(ch.conv)
		if err != nil {
			return ch.refused(ctx, ref.conv, err)
		}
		m, err := ch.message(&ref)
		if err != nil {
			return ch.refused(ctx, ref.conv, err)
		}
		op, err := decide(&ref, m)
		switch {
		case err != nil:
			return ch.refused(ctx, ref.conv, err)
		case op == nil:
			return Changed{Ver: m.Ver, Time: m.Time, Dup: true}, nil
		}
		if err := ch.charge(); err != nil {
			return ch.refused(ctx, ref.conv, err)
		}
		op.Conv, op.Seq, op.Guard, op.Seen = ref.conv, ch.seq, ref.head.MVer, m.Ver
		op.By, op.Device, op.ID, op.Hash = ch.s.user, ch.s.device, ch.id, ch.hash
		op.Done = func() { ch.s.changeDone(op) }
		switch err := ch.s.c.do(ctx, op); {
		case err == store.ErrTurnedBack:
			ch.s.c.counts.turnedBack.Add(1)
		case err != nil:
			return Changed{}, err
		default:
			return Changed{Ver: op.Ver, Time: op.Time, Dup: op.Dup}, nil
		}
	}
	return Changed{}, errContended()
}

// charge counts the request, once.
//
// Errors: those of Session.charge.
func (ch *changing) charge() error {
	if ch.charged {
		return nil
	}
	err := ch.s.charge()
	ch.charged = err == nil
	return err
}

// message is the message to be changed, if the user may see it and it is one that
// people change.
func (ch *changing) message(ref *convRef) (*im.Message, error) {
	m, err := ch.s.c.see(ref, ch.seq)
	switch {
	case err != nil:
		return nil, err
	case m == nil:
		return nil, errNoMessage()
	case m.Type == GroupType:
		return nil, errServerSaid()
	}
	return m, nil
}

func errServerSaid() *im.Error {
	return im.Errorf(im.Denied, "what the server says of a group is not changed")
}

// refused answers a retry of a change that was made before, whatever holds by now,
// and else with the refusal.
func (ch *changing) refused(ctx context.Context, conv im.ConvID, refusal error) (Changed, error) {
	switch im.AsError(refusal).Kind {
	case im.NotFound, im.Denied, im.Limited, im.Invalid, im.TooLarge:
	default:
		return Changed{}, refusal // nothing was decided: the store did not answer
	}
	if conv == 0 {
		conv = noConv
	}
	op, found, err := ch.s.c.kept(ctx, conv, ch.s.user, ch.id, ch.hash)
	switch {
	case err != nil:
		return Changed{}, err
	case found:
		return Changed{Ver: im.Ver(op.Seq), Time: op.Time, Dup: true}, nil
	}
	return Changed{}, refusal
}

// changeDone is the completion of a change: all who may see the message are told.
func (s *Session) changeDone(op *store.ChangeOp) {
	if op.Err != nil || op.Dup {
		return
	}
	c := s.c
	switch op.Kind {
	case im.Edit:
		c.counts.edits.Add(1)
	case im.Recall:
		c.counts.recalls.Add(1)
	}
	c.tellConv(op.Conv, &hub.Event{Conv: op.Conv, Ver: op.Ver, Change: &im.Change{Ver: op.Ver, Seq: op.Seq, Kind: op.Kind,
		By: op.By, Device: op.Device, ID: op.ID, Time: op.Time, Added: op.Added, Removed: op.Removed, Msg: op.Msg}}, s)
	if op.Kind == im.Edit && op.Mentions != nil { // whom it names now, or no longer does
		c.unreadMoved(op.Conv)
	}
}
