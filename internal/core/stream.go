package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/anser-im/anser/internal/hub"
	"github.com/anser-im/anser/internal/im"
)

// Types of streams: the message at the end, where the client gives no other, and the
// parts, which only who is online is given.
const (
	StreamType     = "an:stream"
	StreamPartType = "an:stream.part"
)

// Bounds of streams. A stream lives in the memory of the node that it was opened on.
const (
	streamGap    = 30 * time.Second // between two parts; then what came so far is stored
	streamLife   = 30 * time.Minute
	streamKept   = time.Minute // that an ended one still answers
	streamRate   = 50          // parts a second
	maxPart      = 16 << 10    // bytes of a part's text
	maxStreams   = 10_000      // of a node
	maxStreamsBy = 16          // of a user, open ones
	maxStreaming = 64 << 20    // bytes of all of a node
	streamRoom   = 1 << 10     // bytes of MaxBody that are not for text
	streamClose  = 5 * time.Second
)

// streams are those of a node, and those that ended just now.
type streams struct {
	mu    sync.Mutex
	m     map[streamKey]*stream // guarded by mu
	open  map[im.UserID]int     // guarded by mu: how many of them have not ended
	bytes int                   // guarded by mu: of text, of all
}

// streamKey names a stream alike to all in the conversation.
type streamKey struct {
	kind  im.ConvKind
	place string // group id; in direct conversations the users in byte order and the line
	id    im.ClientID
}

// stream is a message that comes in parts.
//
// Locks: mu, then streams.mu.
type stream struct {
	key   streamKey  // fixed
	s     *Session   // fixed: beside that of who opened it; only the message at the end is sent with it
	addr  im.Address // fixed: as its sender says it
	req   StreamOpen // fixed
	began time.Time  // fixed

	mu     sync.Mutex
	text   []byte       // guarded by mu
	coded  int          // guarded by mu: length of text as a JSON string
	next   int          // guarded by mu
	last   time.Time    // guarded by mu: of the newest part
	rate   bucket       // guarded by mu
	parts  []streamPart // guarded by mu: to be offered, in order
	offers bool         // guarded by mu: somebody offers them
	ending bool         // guarded by mu: no more parts
	done   bool         // guarded by mu
	ended  time.Time    // guarded by mu: when it was done
	seq    im.Seq       // guarded by mu: of the message; 0 = none
	closer func()       // guarded by mu: told when what is ending has its outcome; nil = nobody waits
}

// streamPart is a part on its way to who is online.
type streamPart struct {
	ev   *hub.Event
	from *Session // is not told
}

// streamKeyOf names the stream of that id at ref.
func streamKeyOf(ref *convRef, u im.UserID, id im.ClientID) streamKey {
	k := streamKey{kind: ref.kind, id: id}
	if ref.kind == im.Direct {
		a, b := u, ref.peer
		if b < a {
			a, b = b, a
		}
		k.place = string(a) + "/" + string(b) + "/" + ref.addr.Line()
	} else {
		k.place = string(ref.group)
	}
	return k
}

// state is what came so far. mu is held.
func (st *stream) state(text bool) StreamState {
	a := StreamState{ID: st.key.id, Sender: st.s.user, Next: st.next, Done: st.done, Seq: st.seq}
	if text {
		a.Text = string(st.text)
	}
	return a
}

// hash is what the client id of a stream's message stands for.
func (q *StreamOpen) hash() uint64 {
	d := xxhash.New()
	hashString(d, "stream")
	hashString(d, q.Type)
	hashNumber(d, uint64(q.ReplyTo))
	hashNumber(d, uint64(q.Thread))
	return max(d.Sum64(), 1)
}

// StreamOpen begins a message whose text comes in parts. Who may write to the
// conversation may. Parts are given to who is online there; at the end one message is
// stored, whose client id is the stream's and whose body is {"text": ...}. Where no
// part comes for 30 s, after 30 min, and when the node shuts down, what came so far is
// stored with "interrupted": true. The same again is the same stream, also when it has
// ended.
//
// Errors: those of Send; Conflict if the id is another stream's; Busy if too many are
// open.
func (s *Session) StreamOpen(ctx context.Context, q StreamOpen) (StreamState, error) {
	if q.Type == "" {
		q.Type = StreamType
	}
	if err := im.CheckClientID(q.ID); err != nil {
		return StreamState{}, err
	}
	if err := checkType(q.Type); err != nil {
		return StreamState{}, err
	}
	if err := s.here(); err != nil {
		return StreamState{}, err
	}
	ref, err := s.c.look(s.user, q.Conv)
	if err != nil {
		return StreamState{}, err
	}
	key := streamKeyOf(&ref, s.user, q.ID)
	if st := s.c.streams.get(key); st != nil {
		return s.sameStream(st, &q)
	}
	conv := ref.conv
	if op, found, err := s.c.kept(ctx, conv, s.user, q.ID, q.hash()); err != nil {
		return StreamState{}, err
	} else if found {
		return StreamState{ID: q.ID, Sender: s.user, Done: true, Seq: im.Seq(op.Seq)}, nil
	}
	if _, err := s.admission(q.Conv); err != nil {
		return StreamState{}, err
	}
	if max(q.ReplyTo, q.Thread) > ref.head.Seq {
		return StreamState{}, im.Errorf(im.Invalid, "the message answers, or stands in the thread of, one that is not there yet")
	}
	if err := s.charge(); err != nil {
		return StreamState{}, err
	}
	now := s.c.Now()
	st := &stream{key: key, s: s.aside(), addr: q.Conv, req: q, began: now, last: now, coded: 2}
	if was, err := s.c.streams.put(s.c, st); err != nil {
		return StreamState{}, err
	} else if was != nil {
		return s.sameStream(was, &q)
	}
	return StreamState{ID: q.ID, Sender: s.user}, nil
}

// sameStream answers who opens a stream that is there.
func (s *Session) sameStream(st *stream, q *StreamOpen) (StreamState, error) {
	if st.s.user != s.user || st.req.hash() != q.hash() {
		return StreamState{}, im.Errorf(im.Conflict, "the id %s is that of another stream here", q.ID)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.state(false), nil
}

// StreamAppend adds a part, and offers it to who is online in the conversation. A part
// that was taken before is no error.
//
// Errors: NotFound if there is no such stream of the user's; Invalid if parts before
// this one are missing; TooLarge past 16 KiB, and past Limits.MaxBody in all; Denied
// with CodeTooLate once it has ended, and as in Send if the user may no longer write
// there; Limited; Busy.
func (s *Session) StreamAppend(ctx context.Context, p StreamPart) (StreamState, error) {
	st, err := s.streamOf(p.Conv, p.ID)
	if err != nil {
		return StreamState{}, err
	}
	if len(p.Text) > maxPart {
		return StreamState{}, im.Errorf(im.TooLarge, "the part is %d bytes long; at most %d are allowed", len(p.Text), maxPart)
	}
	if !utf8.ValidString(p.Text) {
		return StreamState{}, im.Errorf(im.Invalid, "the part is not valid UTF-8")
	}
	at, err := s.admission(p.Conv)
	if err != nil {
		return StreamState{}, err
	}
	a, fresh, err := st.add(s, &p, len(plainJSON(p.Text))-2)
	if err != nil || !fresh {
		return a, err
	}
	st.offer(s.c, &at)
	return a, nil
}

// add takes a part; fresh says that it was not there.
func (st *stream) add(s *Session, p *StreamPart, coded int) (a StreamState, fresh bool, err error) {
	c := s.c
	st.mu.Lock()
	defer st.mu.Unlock()
	now := c.Now()
	switch {
	case p.Index < 0 || p.Index > st.next:
		return a, false, im.Errorf(im.Invalid, "part %d is the next of this stream, not %d", st.next, p.Index)
	case p.Index < st.next:
		return st.state(false), false, nil
	case st.ending || st.done:
		return a, false, im.Errorf(im.Denied, "the stream has ended").WithCode(im.CodeTooLate)
	}
	if most := c.cfg.Limits.MaxBody; most > 0 && st.coded+coded+streamRoom > most {
		return a, false, im.Errorf(im.TooLarge, "the parts together are longer than the %d bytes that a message may have", most)
	}
	if ok, wait := st.rate.take(now, streamRate); !ok && !s.app {
		return a, false, im.Errorf(im.Limited, "too many parts: at most %d a second", streamRate).WithRetry(wait)
	}
	if !c.streams.grow(len(p.Text)) {
		return a, false, im.Errorf(im.Busy, "too much is being streamed here: try again").WithRetry(time.Second)
	}
	body := plainJSON(struct {
		Stream im.ClientID `json:"stream"`
		Index  int         `json:"index"`
		Text   string      `json:"text"`
	}{st.key.id, p.Index, p.Text})
	st.parts = append(st.parts, streamPart{from: s, ev: &hub.Event{Msg: &im.Message{Time: now.UnixMilli(), ID: im.ClientID(fmt.Sprintf("%.50s.%d", st.key.id, p.Index)),
		Sender: st.s.user, Device: st.s.device, Type: StreamPartType, Flags: im.Status, Body: body, ReplyTo: st.req.ReplyTo, Thread: st.req.Thread}}})
	st.text = append(st.text, p.Text...)
	st.coded += coded
	st.next++
	st.last = now
	return st.state(false), true, nil
}

// offer offers the parts that wait, in order, unless somebody else does: who then
// offers these too.
func (st *stream) offer(c *Core, at *access) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.offers {
		return
	}
	st.offers = true
	for len(st.parts) > 0 {
		list := st.parts
		st.parts = nil
		st.mu.Unlock()
		for _, p := range list {
			p.ev.Conv = at.conv
			if at.alone {
				p.ev.Msg.To = []im.UserID{st.s.user}
			}
			c.spread(p.from, st.addr, at, p.ev)
		}
		st.mu.Lock()
	}
	st.offers = false
}

// StreamEnd stores the message, or, with Abort, drops it. Fields of Extra go into its
// body. The same again is no error.
//
// Errors: NotFound if there is no such stream of the user's; Invalid for what is no
// JSON object, or has a field "text"; those of Send: after one that may pass the
// stream is open still.
func (s *Session) StreamEnd(ctx context.Context, q StreamEnd) (StreamState, error) {
	st, err := s.streamOf(q.Conv, q.ID)
	if err != nil {
		return s.endedStream(ctx, &q, err)
	}
	extra, err := streamExtra(q.Extra)
	if err != nil {
		return StreamState{}, err
	}
	if q.Abort {
		st.mu.Lock()
		defer st.mu.Unlock()
		if !st.ending && !st.done {
			st.finish(s.c, 0)
		}
		if !st.done {
			return StreamState{}, errContended()
		}
		return st.state(false), nil
	}
	ended := make(chan *im.Error, 1)
	if st.end(s.c, extra, func(err *im.Error) { ended <- err }) {
		select {
		case err := <-ended:
			if err != nil {
				return StreamState{}, err
			}
		case <-ctx.Done():
			return StreamState{}, im.Wrap(im.Unavailable, ctx.Err(), "the outcome is not known yet: ask again")
		}
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.done { // another call is ending it
		return StreamState{}, errContended()
	}
	return st.state(false), nil
}

// endedStream answers who ends a stream that is not here any more: was its message
// stored?
func (s *Session) endedStream(ctx context.Context, q *StreamEnd, refusal error) (StreamState, error) {
	if !im.IsKind(refusal, im.NotFound) {
		return StreamState{}, refusal
	}
	ref, err := s.c.look(s.user, q.Conv)
	if err != nil || ref.conv == 0 || im.CheckClientID(q.ID) != nil {
		return StreamState{}, refusal
	}
	open := StreamOpen{Type: StreamType}
	op, found, err := s.c.kept(ctx, ref.conv, s.user, q.ID, open.hash())
	if err != nil || !found {
		return StreamState{}, refusal
	}
	return StreamState{ID: q.ID, Sender: s.user, Done: true, Seq: im.Seq(op.Seq)}, nil
}

// streamExtra reads the fields that go into the body.
func streamExtra(b []byte) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if len(b) == 0 {
		return fields, nil
	}
	if json.Unmarshal(b, &fields) != nil || fields == nil {
		return nil, im.Errorf(im.Invalid, "what goes into the body of the stream's message is no JSON object")
	}
	for _, own := range [...]string{"text", "interrupted"} {
		if _, ok := fields[own]; ok {
			return nil, im.Errorf(im.Invalid, "the field %q is the stream's own", own)
		}
	}
	return fields, nil
}

// end sends the message; then is told the outcome, once. false: it has ended, or
// somebody else is ending it, and then is not called. After a refusal that may pass
// the stream is open still.
func (st *stream) end(c *Core, fields map[string]json.RawMessage, then func(*im.Error)) bool {
	st.mu.Lock()
	if st.ending || st.done {
		st.mu.Unlock()
		return false
	}
	st.ending = true
	fields["text"] = plainJSON(string(st.text))
	st.mu.Unlock()
	body := plainJSON(fields)
	st.s.Send(&Send{To: st.addr, stands: st.req.hash(), paid: true,
		Msg: &im.Message{ID: st.key.id, Type: st.req.Type, Body: body, ReplyTo: st.req.ReplyTo, Thread: st.req.Thread},
		Done: func(snd *Send) {
			st.mu.Lock()
			switch {
			case snd.Err == nil:
				st.finish(c, snd.Seq)
			case snd.Err.Code.Retryable() || snd.Err.Kind == im.TooLarge || snd.Err.Kind == im.Invalid:
				st.ending = false
			default: // he may not write there any more
				st.finish(c, 0)
			}
			closer := st.closer
			st.closer = nil
			st.mu.Unlock()
			then(snd.Err)
			if closer != nil {
				closer()
			}
		}})
	return true
}

// finish notes the outcome. mu is held.
func (st *stream) finish(c *Core, seq im.Seq) {
	st.done, st.ending, st.seq, st.ended = true, true, seq, c.Now()
	x := &c.streams
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open[st.s.user]--; x.open[st.s.user] <= 0 {
		delete(x.open, st.s.user)
	}
}

// StreamGet answers what came so far of a stream: to who is in the conversation.
//
// Errors: those of resolve; NotFound if there is no such stream (any more): its
// message is among the others.
func (s *Session) StreamGet(ctx context.Context, conv im.Address, id im.ClientID) (StreamState, error) {
	if err := s.here(); err != nil {
		return StreamState{}, err
	}
	ref, err := s.c.look(s.user, conv)
	if err != nil {
		return StreamState{}, err
	}
	if ref.kind == im.Group && !ref.row.In() {
		return StreamState{}, errNoConv()
	}
	st := s.c.streams.get(streamKeyOf(&ref, s.user, id))
	if st == nil {
		return StreamState{}, errNoStream()
	}
	if st.s.user != s.user && ref.kind == im.Direct { // what he does not accept he is not shown
		if blocked, err := s.c.blocked(s.user, st.s.user); err != nil || blocked {
			return StreamState{}, errors.Join(err, errNoStream())
		}
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.state(true), nil
}

func errNoStream() *im.Error { return im.Errorf(im.NotFound, "there is no such stream here") }

// streamOf is a stream of the user's own.
func (s *Session) streamOf(conv im.Address, id im.ClientID) (*stream, error) {
	if err := s.here(); err != nil {
		return nil, err
	}
	ref, err := s.c.look(s.user, conv)
	if err != nil {
		return nil, err
	}
	st := s.c.streams.get(streamKeyOf(&ref, s.user, id))
	if st == nil || st.s.user != s.user {
		return nil, errNoStream()
	}
	return st, nil
}

func (x *streams) get(k streamKey) *stream {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.m[k]
}

// put takes a stream in; was is the one that stands there instead.
func (x *streams) put(c *Core, st *stream) (was *stream, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case c.draining.Load():
		return nil, errDraining()
	case x.m[st.key] != nil:
		return x.m[st.key], nil
	case len(x.m) >= maxStreams || x.open[st.s.user] >= maxStreamsBy && !st.s.app:
		return nil, im.Errorf(im.Busy, "too many streams are open: at most %d for each user", maxStreamsBy).WithRetry(time.Second)
	}
	if x.m == nil {
		x.m, x.open = map[streamKey]*stream{}, map[im.UserID]int{}
	}
	x.m[st.key] = st
	x.open[st.s.user]++
	return nil, nil
}

// grow makes room for n bytes; false: there is none.
func (x *streams) grow(n int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.bytes+n > maxStreaming {
		return false
	}
	x.bytes += n
	return true
}

// drop forgets a stream that has ended.
func (x *streams) drop(st *stream, bytes int) {
	x.mu.Lock()
	delete(x.m, st.key)
	x.bytes -= bytes
	x.mu.Unlock()
	st.s.Close()
}

func (x *streams) all() []*stream {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]*stream, 0, len(x.m))
	for _, st := range x.m {
		list = append(list, st)
	}
	return list
}

// runStreams ends the streams whose parts stopped coming, until ctx ends.
func (c *Core) runStreams(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.tendStreams(c.Now())
		}
	}
}

// tendStreams interrupts the streams whose time is over at now, and forgets those that
// ended a while ago.
func (c *Core) tendStreams(now time.Time) {
	for _, st := range c.streams.all() {
		st.mu.Lock()
		over := now.Sub(st.last) > streamGap || now.Sub(st.began) > streamLife
		forget := st.done && now.Sub(st.ended) > streamKept
		hopeless := over && now.Sub(st.last) > 2*streamLife // it could not be stored for so long
		bytes, open := len(st.text), !st.done && !st.ending
		st.mu.Unlock()
		switch {
		case forget:
			c.streams.drop(st, bytes)
		case hopeless && open:
			st.mu.Lock()
			if !st.ending && !st.done {
				st.finish(c, 0)
			}
			st.mu.Unlock()
		case over && open:
			st.interrupt(c, func(*im.Error) {})
		}
	}
}

// interrupt stores what came so far, if anything did, and says that it broke off.
func (st *stream) interrupt(c *Core, then func(*im.Error)) {
	st.mu.Lock()
	if len(st.text) == 0 && !st.ending && !st.done {
		st.finish(c, 0)
		st.mu.Unlock()
		then(nil)
		return
	}
	st.mu.Unlock()
	if !st.end(c, map[string]json.RawMessage{"interrupted": json.RawMessage("true")}, then) {
		then(nil)
	}
}

// closeStreams interrupts all streams, since the node is shutting down, and waits a
// while for that.
func (c *Core) closeStreams() {
	var wait sync.WaitGroup
	for _, st := range c.streams.all() {
		wait.Add(1)
		st.mu.Lock()
		ending := st.ending && !st.done
		if ending { // by somebody else, who is waited for too
			before := st.closer // a drain may have begun before the end of all
			st.closer = func() {
				if before != nil {
					before()
				}
				wait.Done()
			}
		}
		st.mu.Unlock()
		if !ending {
			st.interrupt(c, func(*im.Error) { wait.Done() })
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), streamClose)
	defer stop()
	if err := waitFor(ctx, &wait); err != nil {
		c.log.Warn("not all streams were stored", "err", err)
	}
	for _, st := range c.streams.all() {
		st.mu.Lock()
		bytes, done := len(st.text), st.done
		st.mu.Unlock()
		if done {
			c.streams.drop(st, bytes)
		}
	}
}

// plainJSON encodes what has no value that JSON has not: strings stand in it as they
// are, < and & too.
func plainJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
