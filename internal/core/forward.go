package core

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/im"
)

// MergedType is the type of several messages forwarded as one.
const MergedType = "an:merged"

const (
	maxForwardTo = 20  // conversations
	mergedLines  = 5   // abstracts in front of a merged message
	mergedLine   = 100 // characters of each
	maxTitle     = 300 // characters
)

// Forward sends what was said in one conversation to others: one by one, or merged
// into one message of the type an:merged. Each copy says whom it is from (Origin), and
// expires when the original does; mentions, quotes and reactions stay behind. What a
// target refuses is in its answer and does not stop the others. It counts as one send
// for every ten messages to each target, or part of them.
//
// The messages' client ids are made from q.ID: the same request again sends nothing
// twice, and is answered as before also where the originals are gone by then.
//
// Errors: those of resolve for q.From; Invalid, TooLarge; NotFound for a number that
// the user may not see; Denied for what is not forwarded: what was recalled, burns, is
// for some members only, is not shown, or is the server's own. For each target, those
// of Send.
func (s *Session) Forward(ctx context.Context, q ForwardRequest) ([]Forwarded, error) {
	if err := s.checkForward(&q); err != nil {
		return nil, err
	}
	if q.ID == "" {
		q.ID = im.ClientID(rand.Text())
	}
	f := forwarding{s: s, q: &q}
	ref, err := s.resolve(q.From)
	f.from = ref.conv
	if err == nil {
		f.msgs, err = s.forwardable(&ref, q.Seqs)
	}
	if err != nil {
		return f.refused(ctx, err)
	}
	side := s.aside()
	defer side.Close()
	all := make([]Forwarded, len(q.To))
	for i, to := range q.To {
		all[i] = f.send(ctx, side, to)
	}
	return all, nil
}

func (s *Session) checkForward(q *ForwardRequest) error {
	if q.ID != "" {
		if err := im.CheckClientID(q.ID); err != nil {
			return err
		}
	}
	most := s.c.cfg.Limits.MaxForward
	switch {
	case len(q.Seqs) == 0 || len(q.To) == 0:
		return im.Errorf(im.Invalid, "name what to forward, and where to")
	case most > 0 && len(q.Seqs) > most:
		return im.Errorf(im.TooLarge, "%d messages in one request; at most %d are forwarded at once", len(q.Seqs), most)
	case len(q.To) > maxForwardTo:
		return im.Errorf(im.TooLarge, "%d conversations in one request; at most %d are allowed", len(q.To), maxForwardTo)
	}
	for i, seq := range q.Seqs {
		if i > 0 && seq <= q.Seqs[i-1] {
			return im.Errorf(im.Invalid, "the numbers to be forwarded do not ascend")
		}
	}
	for i, to := range q.To {
		if slices.Contains(q.To[:i], to) {
			return im.Errorf(im.Invalid, "%s is named twice", to)
		}
	}
	if err := checkLine("title", q.Title); err != nil {
		return err
	}
	if len([]rune(q.Title)) > maxTitle {
		return im.Errorf(im.TooLarge, "the title is longer than %d characters", maxTitle)
	}
	return nil
}

// forwardable reads the messages, all of which the user may forward.
func (s *Session) forwardable(ref *convRef, seqs []im.Seq) ([]*im.Message, error) {
	list := make([]*im.Message, len(seqs))
	for i, seq := range seqs {
		m, err := s.c.see(ref, seq)
		if err != nil {
			return nil, err
		}
		why := ""
		switch {
		case m == nil:
			return nil, errNoMessage()
		case m.Recalled:
			why = "it was recalled"
		case m.Burn != 0:
			why = "it burns"
		case m.To != nil:
			why = "it is for some members only"
		case !m.Shown():
			why = "people are not shown it"
		case m.Type == GroupType:
			why = "the server said it"
		}
		if why != "" {
			return nil, im.Errorf(im.Denied, "message %d is not forwarded: %s", seq, why)
		}
		list[i] = m
	}
	return list, nil
}

// forwarding is a Forward on its way.
type forwarding struct {
	s    *Session
	q    *ForwardRequest
	from im.ConvID
	msgs []*im.Message

	merged []byte // the body, once it was made
}

// count is how many messages each target gets.
func (f *forwarding) count() int {
	if f.q.Merged {
		return 1
	}
	return len(f.q.Seqs)
}

// id is the client id of the i-th message to a target.
func (f *forwarding) id(to im.Address, i int) im.ClientID {
	d := sha256.New()
	d.Write([]byte("forward\x00" + string(f.q.ID) + "\x00" + string(to) + "\x00" + strconv.Itoa(i)))
	return im.ClientID("fw-" + base64.RawURLEncoding.EncodeToString(d.Sum(nil)[:24]))
}

// hash is what that id stands for: where it is from, not what it said by then.
func (f *forwarding) hash(i int) uint64 {
	d := xxhash.New()
	hashString(d, "forward")
	hashNumber(d, uint64(f.from))
	seqs := f.q.Seqs[i : i+1]
	if f.q.Merged {
		seqs = f.q.Seqs
		hashString(d, f.q.Title)
	}
	hashNumber(d, uint64(len(seqs)))
	for _, seq := range seqs {
		hashNumber(d, uint64(seq))
	}
	return max(d.Sum64(), 1)
}

// send sends to one target and waits for the outcome.
func (f *forwarding) send(ctx context.Context, side *Session, to im.Address) Forwarded {
	a := Forwarded{To: to}
	if err := f.s.chargeMany(len(f.msgs)); err != nil {
		a.Err = im.AsError(err)
		return a
	}
	var wait sync.WaitGroup
	sends := make([]*Send, f.count())
	for i := range sends {
		m, origin, err := f.message(i)
		if err != nil {
			a.Err = im.AsError(err)
			return a
		}
		m.ID = f.id(to, i)
		wait.Add(1)
		sends[i] = &Send{To: to, Msg: m, HasFlags: !f.q.Merged, stands: f.hash(i), origin: origin, paid: true, Done: func(*Send) { wait.Done() }}
		side.Send(sends[i])
	}
	if err := waitFor(ctx, &wait); err != nil {
		a.Err = im.AsError(err)
		return a
	}
	for _, snd := range sends {
		if snd.Err == nil {
			a.Seqs = append(a.Seqs, snd.Seq)
		} else if a.Err == nil {
			a.Err = snd.Err
		}
	}
	return a
}

// waitFor waits for w, which ends by itself.
//
// Errors: Unavailable if ctx ends first.
func waitFor(ctx context.Context, w *sync.WaitGroup) error {
	ended := make(chan struct{})
	go func() {
		w.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return im.Wrap(im.Unavailable, ctx.Err(), "the outcome is not known yet: ask again")
	}
}

// message makes the i-th message that a target gets.
func (f *forwarding) message(i int) (*im.Message, *im.Origin, error) {
	if f.q.Merged {
		if f.merged == nil {
			var err error
			if f.merged, err = f.merge(); err != nil {
				return nil, nil, err
			}
		}
		m := &im.Message{Type: MergedType, Body: f.merged}
		for _, o := range f.msgs { // gone with the first that goes
			if o.Expires != 0 && (m.Expires == 0 || o.Expires < m.Expires) {
				m.Expires = o.Expires
			}
		}
		return m, nil, nil
	}
	o := f.msgs[i]
	origin := o.Origin
	if origin == nil {
		origin = &im.Origin{Sender: o.Sender, Time: o.Time, Type: o.Type}
	}
	return &im.Message{Type: o.Type, Flags: o.Flags, Body: o.Body, Digest: o.Digest, Push: o.Push, Expires: o.Expires}, origin, nil
}

// merged is the body of an an:merged.
type merged struct {
	Title    string          `json:"title,omitempty"`
	Digest   []string        `json:"digest"`
	Messages []mergedMessage `json:"messages"`
}

type mergedMessage struct {
	Sender im.UserID       `json:"sender"`
	Time   int64           `json:"time"` // Unix milliseconds
	Type   string          `json:"type"`
	Body   json.RawMessage `json:"body,omitempty"`
	Bytes  []byte          `json:"body_base64,omitempty"` // where the body is no JSON
	Digest string          `json:"digest,omitempty"`
}

// merge makes the body of the merged message.
//
// Errors: TooLarge.
func (f *forwarding) merge() ([]byte, error) {
	c := f.s.c
	most := c.cfg.Limits.MaxBody
	all := merged{Title: f.q.Title}
	size := 0
	for _, m := range f.msgs {
		if size += len(m.Body); most > 0 && size > most { // before it is made
			return nil, errMerged(most)
		}
		line := c.digestOf(m, f.s.login.Locale)
		if len(all.Digest) < mergedLines {
			all.Digest = append(all.Digest, cutRunes(string(m.Sender)+": "+line, mergedLine))
		}
		mm := mergedMessage{Sender: m.Sender, Time: m.Time, Type: m.Type, Digest: line}
		if o := m.Origin; o != nil {
			mm.Sender, mm.Time = o.Sender, o.Time
		}
		if json.Valid(m.Body) {
			mm.Body = m.Body
		} else {
			mm.Bytes = m.Body
		}
		all.Messages = append(all.Messages, mm)
	}
	body := plainJSON(all)
	if most > 0 && len(body) > most {
		return nil, errMerged(most)
	}
	return body, nil
}

func errMerged(most int) *im.Error {
	return im.Errorf(im.TooLarge, "merged into one the messages are longer than %d bytes: forward fewer, or one by one", most)
}

// cutRunes is at most so many characters of s.
func cutRunes(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return s[:i]
		}
		n++
	}
	return s
}

// refused answers a retry of what was forwarded before, and else with the refusal.
func (f *forwarding) refused(ctx context.Context, refusal error) ([]Forwarded, error) {
	switch im.AsError(refusal).Kind {
	case im.NotFound, im.Denied:
	default:
		return nil, refusal
	}
	all := make([]Forwarded, len(f.q.To))
	for i, to := range f.q.To {
		ref, err := f.s.c.look(f.s.user, to)
		if err != nil || ref.conv == 0 {
			return nil, refusal
		}
		all[i].To = to
		for n := range f.count() {
			op, found, err := f.s.c.kept(ctx, ref.conv, f.s.user, f.id(to, n), f.hash(n))
			if err != nil {
				return nil, err
			}
			if !found {
				return nil, refusal
			}
			all[i].Seqs = append(all[i].Seqs, im.Seq(op.Seq))
		}
	}
	return all, nil
}

// aside is a session of the same user beside s, for what core sends for a request: its
// sends stand in no lane of the client's, and all the user's devices are told of them.
// Whoever made it closes it.
func (s *Session) aside() *Session {
	return &Session{c: s.c, user: s.user, device: s.device, class: s.class, self: s.self, app: s.app, since: s.since,
		login: Login{Door: s.login.Door, Locale: s.login.Locale}}
}
