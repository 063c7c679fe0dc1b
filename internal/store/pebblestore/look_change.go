package pebblestore

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// change notes what a change of the message in row needs. Where the message is another
// by the time the writer comes to it, the writer reads what it lacks.
func (l *looker) change(o *store.ChangeOp, row []byte) {
	m, err := decodeMessage(l.key, o.Seq, row)
	if err != nil {
		l.fail = true
		return
	}
	app := l.s.app
	switch o.Kind {
	case im.React:
		reacted(m.Message, o, func(key string) { l.row(keyReaction(nil, app, o.Conv, o.Seq, key, o.By)) })
	case im.Pinned:
		l.row(keyConv(nil, app, tagPin, o.Conv))
	case im.Recall:
		l.ties(o.Conv, m.Message, false)
	case im.Delete:
		l.ties(o.Conv, m.Message, true)
	case im.Restore:
		l.row(keyFormer(nil, app, o.Conv, o.Seq, m.Ver))
		now := *m.Message
		now.Deleted = false
		l.ties(o.Conv, &now, true)
	}
}

// ties notes what readTies reads. What it finds in no row it has the database keep in
// its cache.
func (l *looker) ties(conv im.ConvID, m *im.Message, links bool) {
	app := l.s.app
	if m.Pin != nil {
		l.row(keyConv(nil, app, tagPin, conv))
	}
	l.directed(conv, m)
	if !links || !linked(m) {
		return
	}
	l.tallies(conv, m)
	if m.ReplyTo != 0 {
		l.row(keyReply(nil, app, conv, m.ReplyTo, m.Seq))
	}
	if m.Thread != 0 {
		l.row(keyInThread(nil, app, conv, m.Thread, m.Seq))
		if _, _, err := lastInThread(l.v.snap, app, conv, m.Thread, m.Seq, func(im.Seq) bool { return false }); err != nil {
			l.fail = true
		}
	}
}

// tallies notes what was answered to the messages that m answers.
func (l *looker) tallies(conv im.ConvID, m *im.Message) {
	if m.ReplyTo != 0 {
		l.row(keyOf(nil, l.s.app, tagTally, conv, m.ReplyTo))
	}
	if m.Thread != 0 && m.Thread != m.ReplyTo {
		l.row(keyOf(nil, l.s.app, tagTally, conv, m.Thread))
	}
}

// lines has the database keep two users' business conversations in its cache.
func (l *looker) lines(users [2]im.UserID) {
	if err := l.s.scanLines(l.v.snap, users, func([]byte, im.ConvID) error { return nil }); err != nil {
		l.fail = true
	}
}
