package faults

import (
	"fmt"
	"sync"

	"github.com/anser-im/anser/wire"
)

// acked is one send whose acknowledgement arrived.
type acked struct {
	user, conv string // the conversation as the sender says it
	id         string
	seq        uint64
	body       string
}

// ledger is what senders were told, to hold the server against it.
type ledger struct {
	mu    sync.Mutex
	acked []acked
	seqs  map[[3]string]uint64 // user, conv, id: the first number told
	twice []string             // one id, two numbers
}

func newLedger() *ledger { return &ledger{seqs: map[[3]string]uint64{}} }

func (l *ledger) ack(a acked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := [3]string{a.user, a.conv, a.id}
	if seq, ok := l.seqs[k]; ok {
		if seq != a.seq {
			l.twice = append(l.twice, fmt.Sprintf("%s of %s to %s was told %d, then %d", a.id, a.user, a.conv, seq, a.seq))
		}
		return
	}
	l.seqs[k] = a.seq
	l.acked = append(l.acked, a)
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// audit reads every conversation of every user from number 1 and answers how many
// messages there are and everything that is wrong: what was acknowledged and is not
// there, numbers with gaps, a client id stored twice.
func (l *ledger) audit(addr, secret string, users []string) (messages int, wrong []string) {
	type key struct{ user, conv string }
	seen := map[key]map[uint64]*wire.Message{}
	for _, u := range users {
		err := walk(addr, token(secret, u), func(conv string, head uint64, all []*wire.Message) {
			bySeq := map[uint64]*wire.Message{}
			ids := map[[2]string]uint64{}
			for _, m := range all {
				bySeq[m.Seq] = m
				if k := [2]string{m.Sender, m.Id}; m.Id != "" {
					if other := ids[k]; other != 0 {
						wrong = append(wrong, fmt.Sprintf("%s of %s is number %d and %d of %s", m.Id, m.Sender, other, m.Seq, conv))
					}
					ids[k] = m.Seq
				}
			}
			for seq := uint64(1); seq <= head; seq++ {
				if bySeq[seq] == nil {
					wrong = append(wrong, fmt.Sprintf("%s sees no number %d of %d in %s", u, seq, head, conv))
				}
			}
			messages += len(all)
			seen[key{u, conv}] = bySeq
		})
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", u, err))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	wrong = append(wrong, l.twice...)
	for _, a := range l.acked {
		m := seen[key{a.user, a.conv}][a.seq]
		if m == nil || m.Id != a.id || m.Sender != a.user || string(m.Body) != a.body {
			wrong = append(wrong, fmt.Sprintf("acknowledged and not there: %s of %s, number %d of %s (there is %v)", a.id, a.user, a.seq, a.conv, m))
		}
	}
	return messages, wrong
}

// walk signs in and reads all conversations whole.
func walk(addr, token string, do func(conv string, head uint64, all []*wire.Message)) error {
	l, _, err := dial(addr, token, "auditor")
	if err != nil {
		return err
	}
	defer l.close()
	for cursor := ""; ; {
		var s wire.SyncResponse
		if err := l.call(wire.MethodSync, &wire.SyncRequest{Token: cursor, HeadsOnly: true}, &s); err != nil {
			return err
		}
		for _, c := range s.Conversations {
			all, err := every(l, c.Conv, c.Head.Seq)
			if err != nil {
				return err
			}
			do(c.Conv, c.Head.Seq, all)
		}
		if !s.More {
			return nil
		}
		cursor = s.Token
	}
}

// every reads numbers 1 to head of a conversation.
func every(l *link, conv string, head uint64) (all []*wire.Message, err error) {
	for from := uint64(1); from <= head; {
		var p wire.PageResponse
		if err := l.call(wire.MethodPage, &wire.PageRequest{Conv: conv, From: from, To: head, Limit: 200}, &p); err != nil {
			return nil, err
		}
		r := p.Range
		if r == nil || r.From != from || r.To < from {
			return nil, fmt.Errorf("the page of %s from %d on covers %v", conv, from, r)
		}
		all = append(all, r.Messages...)
		from = r.To + 1
	}
	return all, nil
}
