package core

import (
	"context"

	"github.com/anser-im/anser/internal/im"
)

const (
	defaultFormers = 50
	maxFormers     = 200
)

// EditHistory lists what a message said before its edits, the oldest first, those
// that edits above after replaced. Everybody who may see the message may. A part
// weighs about 256 KiB at most, but holds one at least.
//
// Errors: those of resolve; NotFound if there is no such message for this user.
func (s *Session) EditHistory(ctx context.Context, conv im.Address, seq im.Seq, after im.Ver, most int) (formers []im.Former, more bool, err error) {
	ref, m, err := s.seen(conv, seq)
	if err != nil || m.Recalled {
		return nil, false, err
	}
	most = limit(most, defaultFormers, maxFormers)
	bytes := 0
	for len(formers) < most && bytes < pageBytes {
		list, err := s.c.st.Formers(ref.conv, seq, after, min(most+1-len(formers), changesChunk))
		if err != nil {
			return nil, false, err
		}
		for i := range list {
			if len(formers) == most || bytes >= pageBytes {
				return formers, true, nil
			}
			formers = append(formers, list[i])
			after = list[i].Ver
			bytes += 64 + len(list[i].Body) + len(list[i].Digest)
		}
		if len(list) == 0 {
			return formers, false, nil
		}
	}
	list, err := s.c.st.Formers(ref.conv, seq, after, 1)
	return formers, len(list) > 0, err
}
