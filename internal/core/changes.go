package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	defaultChanges = 200
	maxChanges     = 1000
	maxBehind      = 1000 // changes behind the head; beyond it a reset is cheaper
	changesChunk   = 64   // changes read at once: each may hold a message of MaxBody
)

// Changes reads a conversation's change log from a number on: the first one wanted,
// so a client's cursor + 1. Changes of messages that are not for this user, or are
// gone, are settled unseen; that a message was deleted for all, or has burnt, is told
// without the message.
//
// Below the log's start, or more than 1,000 behind, the answer is a reset to the
// head's Ver, which was loaded before anything else.
//
// Errors: those of resolve.
func (s *Session) Changes(ctx context.Context, conv im.Address, from im.Ver, most int) (Changes, error) {
	ref, err := s.resolve(conv)
	if err != nil {
		return Changes{}, err
	}
	return s.c.changesFor(&ref.row, &ref.head, from, limit(most, defaultChanges, maxChanges))
}

// changesFor reads the change log for row.User, up to h.Ver. It ends at most changes
// or at about 256 KiB of the messages they altered.
func (c *Core) changesFor(row *store.Row, h *store.Head, from im.Ver, most int) (Changes, error) {
	from = max(from, 1)
	if from > h.Ver {
		return Changes{From: from, To: from - 1}, nil
	}
	if from < h.MinVer || h.Ver-from >= maxBehind {
		return Changes{Reset: true, Ver: h.Ver}, nil
	}
	a := Changes{From: from, To: from - 1}
	bytes := 0
	for a.To < h.Ver && most > 0 && bytes < pageBytes {
		log, err := c.st.Changes(h.Conv, a.To+1, min(most, changesChunk))
		if err != nil {
			return Changes{}, err
		}
		if len(log) == 0 || log[0].Ver != a.To+1 { // the log was cut meanwhile
			return Changes{Reset: true, Ver: h.Ver}, nil
		}
		for _, ch := range log {
			if ch.Ver > h.Ver || bytes >= pageBytes {
				break
			}
			a.To = ch.Ver
			most--
			if h.Kind != im.Self {
				told, as := c.changeTold(&ch, row.User, row.From)
				if as == asSettled || row.Hides(ch.Seq) {
					continue
				}
				ch = *told
			}
			if ch.Msg != nil {
				bytes += ch.Msg.Size()
			}
			a.Changes = append(a.Changes, ch)
		}
	}
	a.More = a.To < h.Ver
	return a, nil
}
