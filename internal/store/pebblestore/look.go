package pebblestore

import (
	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// hint is what was read for an operation before it was queued, on the durable state of
// commit at. The writer checks it against what it wrote since, and so need not read.
// A hint may lack anything: then the writer reads after all.
type hint struct {
	at   im.Position
	rows map[string][]byte // nil = was not there
	size int               // bytes of rows and mentions

	idAsked bool  // kept says what is known of the client id
	kept    *kept // nil = it was not used

	mark     im.Seq // a number that somebody is to have read ...
	markN    uint64 // ... and n and na at it
	markNA   uint64
	mentions []im.Seq // what names him up to there, or in what he deletes for himself

	head         im.Seq            // of the conversation in which somebody deletes ranges for himself
	below, above map[im.Seq]im.Seq // by a range's first and last number: the nearest message beside it, 0 = none
}

// looker makes a hint. The first error ends it: the writer will meet it too.
type looker struct {
	s    *Store
	v    *view
	h    *hint
	f    finder
	key  []byte
	fail bool

	before *store.Head // headBefore's
}

// headBefore is the head of a conversation some of whose numbers op names, loaded before
// the view is acquired, which is thus never older: up to it the view has all messages.
func (s *Store) headBefore(op store.Op) *store.Head {
	switch o := op.(type) {
	case *store.ReadOp:
		return s.conv(o.Conv).durable()
	case *store.SetOp:
		return s.conv(o.Conv).durable()
	}
	return nil
}

// look reads what the writer would have to read for it.op. Sends with a fresh client
// id to a conversation, which are most, need nothing.
func (s *Store) look(it *item) {
	db := s.db
	switch o := it.op.(type) {
	case *store.AppendOp:
		if o.Conv == 0 {
			break
		}
		c := s.conv(o.Conv)
		h := c.durable()
		if h == nil {
			return
		}
		it.fp = db.filter.fingerprint(s.app, o.Conv, o.Msg.Sender, o.Msg.ID)
		if (o.Msg.ID == "" || !db.filter.maybe(it.fp)) && (h.Kind == im.Direct || !o.Read && h.MVer == o.Guard || c.knows(o.Msg.Sender)) &&
			o.Msg.To == nil && !needsOwn(o) &&
			(o.Msg.ReplyTo == 0 && o.Msg.Thread == 0 || !linked(o.Msg)) {
			return
		}
	case *store.KeptOp:
		if o.Conv == 0 {
			break
		}
		it.fp = db.filter.fingerprint(s.app, o.Conv, o.Sender, o.ID)
		if !db.filter.maybe(it.fp) {
			return
		}
	}
	before := s.headBefore(it.op)
	v := db.acquire()
	if v == nil {
		return
	}
	l := looker{s: s, v: v, h: &hint{at: v.at}, before: before}
	defer v.release()
	l.f.r = v.snap
	defer l.f.close()
	l.look(it)
	it.hint = l.h
	it.size += l.h.size // it waits in the queue too
}

func (l *looker) look(it *item) {
	s := l.s
	switch o := it.op.(type) {
	case *store.AppendOp:
		conv := o.Conv
		if conv == 0 {
			conv = l.address(keyLine(l.key[:0], s.app, pair(o.Msg.Sender, o.Peer), o.Line))
			l.row(keyBlock(l.key[:0], s.app, o.Peer, o.Msg.Sender))
			if conv == 0 && o.Line != "" { // the writer counts them
				l.address(keyDirect(l.key[:0], s.app, pair(o.Msg.Sender, o.Peer)))
				l.lines(pair(o.Msg.Sender, o.Peer))
			}
		}
		h := s.conv(conv).durable()
		if h == nil {
			return
		}
		it.fp = s.db.filter.fingerprint(s.app, conv, o.Msg.Sender, o.Msg.ID)
		l.id(it.fp, conv, o.Msg.Sender, o.Msg.ID)
		if h.Kind != im.Direct && (o.Read || h.MVer != o.Guard) || needsOwn(o) {
			l.member(conv, o.Msg.Sender)
		}
		l.directed(conv, o.Msg)
		if o.Msg.To == nil && linked(o.Msg) {
			l.tallies(conv, o.Msg)
		}
	case *store.KeptOp:
		conv := o.Conv
		if conv == 0 {
			conv = l.address(keyLine(l.key[:0], s.app, pair(o.Sender, o.Peer), o.Line))
		}
		if conv != 0 {
			it.fp = s.db.filter.fingerprint(s.app, conv, o.Sender, o.ID)
			l.id(it.fp, conv, o.Sender, o.ID)
		}
	case *store.ChangeOp:
		h := s.conv(o.Conv).durable()
		if h == nil {
			return
		}
		if o.ID != "" {
			it.fp = s.db.filter.fingerprint(s.app, o.Conv, o.By, o.ID)
			l.id(it.fp, o.Conv, o.By, o.ID)
		}
		if row := l.message(o.Conv, o.Seq); row != nil {
			l.change(o, row)
		}
		if h.MVer != o.Guard && h.Kind != im.Direct {
			l.member(o.Conv, o.By)
		}
	case *store.ReadOp:
		l.read(o)
	case *store.SetOp:
		l.settings(o)
	case *store.NoteOp:
		l.noteOp(o)
	case *store.MemberOp:
		l.membership(it, o)
	case *store.BlockOp:
		l.row(keyBlock(l.key[:0], s.app, o.User, o.Peer))
		l.address(keySelf(l.key[:0], s.app, o.User))
		l.address(keyDirect(l.key[:0], s.app, pair(o.User, o.Peer)))
		l.lines(pair(o.User, o.Peer))
	case *store.PutOp:
		if o.If != nil {
			l.row(keyRecord(l.key[:0], s.app, o.If.Kind, o.If.User, o.If.Key))
		}
		l.records(o.Records)
	case *store.CursorOp:
		l.row(keyCursor(l.key[:0], s.app, o.User, o.Device, o.Conv))
	}
}

// row notes a row that may be missing.
func (l *looker) row(key []byte) []byte {
	l.key = key
	if l.fail {
		return nil
	}
	row, ok, err := l.f.find(key)
	if err != nil {
		l.fail = true
		return nil
	}
	if !ok {
		row = nil
	}
	l.note(key, row)
	return row
}

func (l *looker) note(key, row []byte) {
	if l.h.rows == nil {
		l.h.rows = map[string][]byte{}
	}
	l.h.rows[string(key)] = row
	l.h.size += len(key) + len(row) + 32
}

func (l *looker) address(key []byte) im.ConvID {
	row := l.row(key)
	if row == nil {
		return 0
	}
	n, err := decodeNumber(key, row, "number of a conversation")
	if err != nil {
		l.fail = true
	}
	return im.ConvID(n)
}

func (l *looker) member(conv im.ConvID, u im.UserID) {
	c := l.s.conv(conv)
	if c == nil || c.knows(u) {
		return
	}
	if h := c.durable(); h != nil && h.Kind == im.Direct {
		if side := h.Side(u); side == nil || !side.Own {
			return
		}
	}
	l.row(keyRow(l.key[:0], l.s.app, u, conv))
}

// message notes a message that is likely to be there.
func (l *looker) message(conv im.ConvID, seq im.Seq) (row []byte) {
	l.key = keyMessage(l.key[:0], l.s.app, conv, seq)
	row, ok, err := get(l.v.snap, l.key)
	if err != nil {
		l.fail = true
	} else if ok {
		l.note(l.key, row)
		return row
	}
	return nil
}

// id notes what is known of a client id.
func (l *looker) id(fp uint64, conv im.ConvID, sender im.UserID, id im.ClientID) {
	if l.fail || id == "" {
		return
	}
	if !l.s.db.filter.maybe(fp) {
		return // the writer will ask the filter again
	}
	k, err := l.s.findID(l.v.snap, &l.f, fp, conv, sender, id)
	if err != nil {
		l.fail = true
		return
	}
	l.h.idAsked, l.h.kept = true, k
}

// findID looks a client id up in those of the two buckets where the filter thinks it
// may be, and with it the time and n of what it was used for; nil if it was not.
func (s *Store) findID(r pebble.Reader, f *finder, fp uint64, conv im.ConvID, sender im.UserID, id im.ClientID) (*kept, error) {
	bucket := s.db.bucket.Load()
	for _, b := range [2]uint64{bucket, bucket - 1} {
		if !s.db.filter.maybeIn(b, fp) {
			continue
		}
		key := keyID(nil, b, s.app, conv, sender, id)
		row, ok, err := f.find(key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		k, err := decodeKept(key, row)
		if err != nil {
			return nil, err
		}
		switch k.kind {
		case sent:
			key = keyMessage(key[:0], s.app, conv, k.seq)
			if row, ok, err := get(r, key); err != nil {
				return nil, err
			} else if ok {
				m, err := decodeMessage(key, k.seq, row)
				if err != nil {
					return nil, err
				}
				k.time, k.n = m.Time, m.N
			}
		case changed:
			key = keyChange(key[:0], s.app, conv, im.Ver(k.seq))
			if row, ok, err := get(r, key); err != nil {
				return nil, err
			} else if ok {
				c, err := decodeChange(key, im.Ver(k.seq), row)
				if err != nil {
					return nil, err
				}
				k.time = c.Time
			}
		}
		return &k, nil
	}
	return nil, nil
}

// read notes what a cursor needs: n and na where it goes, and the mentions on its way.
func (l *looker) read(o *store.ReadOp) {
	s := l.s
	h := l.before
	if h == nil || h.Kind == im.Self {
		return
	}
	l.member(o.Conv, o.User)
	if o.Seq < h.Seq { // else it becomes the head, or goes where this view does not reach
		n, na, err := s.ordinals(l.v.snap, o.Conv, o.Seq)
		if err != nil {
			l.fail = true
			return
		}
		l.h.mark, l.h.markN, l.h.markNA = o.Seq, n, na
	}
	prefix := keyMentions(nil, s.app, o.User, o.Conv)
	to := after(appendNum(append([]byte(nil), prefix...), uint64(min(o.Seq, h.Seq))))
	err := scan(l.v.snap, prefix, to, func(key, _ []byte) (bool, error) {
		seq, rest, ok := takeNum(key[len(prefix):])
		if !ok || len(rest) > 0 {
			return false, errRow(key, "mention")
		}
		l.h.mentions = append(l.h.mentions, im.Seq(seq))
		l.h.size += 8
		return len(l.h.mentions) < mostMentions, nil
	})
	if err != nil {
		l.fail = true
	}
}

// mostMentions is how many rows of mentions one ReadOp removes; the next goes on.
const mostMentions = 1000

// ordinals is n and na at seq: of that message, or if it is gone of the one before.
func (s *Store) ordinals(r pebble.Reader, conv im.ConvID, seq im.Seq) (n, na uint64, err error) {
	prefix := keyConv(nil, s.app, tagMessage, conv)
	iter, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return 0, 0, errRead(err)
	}
	defer iter.Close()
	if !iter.SeekLT(keyMessage(nil, s.app, conv, seq+1)) {
		if err := iter.Error(); err != nil {
			return 0, 0, errRead(err)
		}
		return 0, 0, nil
	}
	at, rest, ok := takeNum(iter.Key()[len(prefix):])
	if !ok || len(rest) > 0 {
		return 0, 0, errRow(iter.Key(), "message")
	}
	row, err := iter.ValueAndErr()
	if err != nil {
		return 0, 0, errRead(err)
	}
	m, err := decodeMessage(iter.Key(), im.Seq(at), row)
	if err != nil {
		return 0, 0, err
	}
	return m.N, m.NA, nil
}

func (l *looker) membership(it *item, o *store.MemberOp) {
	s := l.s
	if o.Conv == 0 {
		l.address(keyGroup(l.key[:0], s.app, o.Info.ID))
		if o.ID != "" {
			it.fp = s.db.filter.fingerprint(s.app, 0, o.By, o.ID)
			l.id(it.fp, 0, o.By, o.ID)
		}
		return
	}
	if o.Info == nil {
		l.row(keyConv(l.key[:0], s.app, tagInfo, o.Conv))
	}
	for _, set := range o.Set {
		l.member(o.Conv, set.User)
	}
}

// pair is two users in byte order.
func pair(a, b im.UserID) [2]im.UserID {
	if b < a {
		a, b = b, a
	}
	return [2]im.UserID{a, b}
}
