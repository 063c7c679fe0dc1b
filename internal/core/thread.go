package core

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// What a thread is to a user is a note of his: "thread/", the address of the
// conversation, '/' and the number of the message that began it.
const noteThread = "thread/"

func threadKey(addr im.Address, root im.Seq) string {
	return noteThread + string(addr) + "/" + strconv.FormatUint(uint64(root), 10)
}

// threadNote is the note.
type threadNote struct {
	Read   im.Seq `json:"read,string,omitempty"`
	Follow *bool  `json:"follow,omitempty"` // he asked to, or not to
	Wrote  bool   `json:"wrote,omitempty"`  // he wrote in it, or was named
	Level  string `json:"level,omitempty"`
}

const (
	defaultThreads = 20
	maxThreads     = 100
	maxThreadCount = 1000 // unread messages that are counted
	threadLooks    = 5000 // messages looked at for one list; beyond it unread ones are counted without a look at who sent them
	threadNewest   = 100  // messages of a thread that are searched for his own and for his name
)

// Threads lists the threads of a conversation, the one with the newest message first:
// those whose newest is below before (0 = all). A thread of which the user may see
// nothing is left out.
//
// Errors: those of resolve.
func (s *Session) Threads(ctx context.Context, conv im.Address, before im.Seq, most int) (threads []Thread, more bool, err error) {
	ref, err := s.resolve(conv)
	if err != nil || ref.conv == 0 {
		return nil, false, err
	}
	most = limit(most, defaultThreads, maxThreads)
	looks := threadLooks
	for {
		list, err := s.c.st.Threads(ref.conv, before, maxThreads)
		if err != nil {
			return nil, false, err
		}
		for _, t := range list {
			before = t.ThreadLast
			th, err := s.thread(&ref, t, &looks)
			switch {
			case err != nil:
				return nil, false, err
			case th.Root == nil && th.Last == nil:
				continue
			case len(threads) == most:
				return threads, true, nil
			}
			threads = append(threads, th)
		}
		if len(list) < maxThreads {
			return threads, false, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, false, im.Wrap(im.Unavailable, err, "the list was not read to its end")
		}
	}
}

// thread is what t is to ref's user. looks is how many messages may still be looked at
// to count what is unread.
func (s *Session) thread(ref *convRef, t im.Tally, looks *int) (Thread, error) {
	th := Thread{Tally: t}
	note, _, err := s.c.threadNote(s.user, threadKey(ref.addr, t.Seq))
	if err != nil {
		return th, err
	}
	th.Read = note.Read
	if th.Level, err = im.ParseLevel(note.Level); err != nil {
		th.Level = im.NotifyInherit
	}
	if th.Root, err = s.c.see(ref, t.Seq); err != nil {
		return th, err
	}
	newest, err := s.c.st.InThread(ref.conv, t.Seq, 1, ref.head.Seq, true, threadNewest)
	if err != nil {
		return th, err
	}
	his := note.Wrote || th.Root != nil && concerns(th.Root, s.user)
	for _, seq := range newest {
		if th.Last != nil && (his || note.Follow != nil) {
			break
		}
		m, err := s.c.see(ref, seq)
		if err != nil {
			return th, err
		}
		if m != nil {
			if th.Last == nil {
				th.Last = m
			}
			his = his || concerns(m, s.user)
		}
	}
	if th.Following = his; note.Follow != nil {
		th.Following = *note.Follow
	}
	th.Unread, err = s.unreadOf(ref, t.Seq, note.Read, looks)
	return th, err
}

// concerns says whether u wrote m or is named in it.
func concerns(m *im.Message, u im.UserID) bool {
	return m.Sender == u || m.Mentions != nil && slices.Contains(m.Mentions.Users, u)
}

// unreadOf counts the messages of others in a thread above a mark.
func (s *Session) unreadOf(ref *convRef, root, read im.Seq, looks *int) (int, error) {
	seqs, err := s.c.st.InThread(ref.conv, root, read+1, ref.head.Seq, false, maxThreadCount)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, seq := range seqs {
		if *looks--; *looks < 0 {
			n++
			continue
		}
		m, err := s.c.see(ref, seq)
		if err != nil {
			return 0, err
		}
		if m != nil && m.Sender != s.user {
			n++
		}
	}
	return n, nil
}

// threadNote reads a note; raw is what stands there, nil = nothing.
func (c *Core) threadNote(u im.UserID, key string) (n threadNote, raw []byte, err error) {
	raw, ok, err := c.st.Get(store.NoteRecord, u, key)
	if err != nil || !ok {
		return n, nil, err
	}
	if json.Unmarshal(raw, &n) != nil { // it is ours alone: begin anew
		n = threadNote{}
	}
	return n, raw, nil
}

// ThreadPage reads messages of a thread, without the one that began it: From..To,
// ascending, or the newest first with Backward. A part weighs about 256 KiB at most,
// but holds one at least.
//
// Errors: those of resolve; Invalid if the range is none.
func (s *Session) ThreadPage(ctx context.Context, q ThreadQuery) (msgs []*im.Message, more bool, err error) {
	ref, err := s.resolve(q.Conv)
	if err != nil || ref.conv == 0 {
		return nil, false, err
	}
	from, to := max(q.From, 1), q.To
	if to == 0 {
		to = ref.head.Seq
	} else if from > to {
		return nil, false, im.Errorf(im.Invalid, "the range %d to %d is empty", q.From, q.To)
	}
	to = min(to, ref.head.Seq)
	return s.c.seeList(ctx, &ref, limit(q.Limit, defaultPage, maxPage), func(last im.Seq, n int) ([]im.Seq, error) {
		lo, hi := from, to
		switch {
		case last != 0 && q.Backward:
			hi = last - 1
		case last != 0:
			lo = last + 1
		}
		if lo > hi {
			return nil, nil
		}
		return s.c.st.InThread(ref.conv, q.Root, lo, hi, q.Backward, n)
	})
}

// ThreadSet alters what a thread is to the user: how far he has read it (a mark never
// goes back), whether he follows it, and what he is notified of. His other devices are
// told, as of a note.
//
// Errors: those of resolve; NotFound if there is nothing of such a thread that this
// user may see; Invalid for a bad level; TooLarge with Limits.MaxNotes notes; Limited;
// Busy if his other devices keep changing it.
func (s *Session) ThreadSet(ctx context.Context, conv im.Address, root im.Seq, p ThreadPatch) (Thread, error) {
	if p.Level != nil && *p.Level > im.NotifyNone {
		return Thread{}, im.Errorf(im.Invalid, "notify level %d is not known", *p.Level)
	}
	ref, th, err := s.threadAt(conv, root)
	if err != nil {
		return th, err
	}
	if err := s.charge(); err != nil {
		return th, err
	}
	key := threadKey(ref.addr, root)
	for range maxTries {
		note, raw, err := s.c.threadNote(s.user, key)
		if err != nil {
			return th, err
		}
		if p.Read != nil && *p.Read > note.Read {
			note.Read = min(*p.Read, ref.head.Seq)
			note.Wrote = note.Wrote || th.Following && note.Follow == nil
		}
		if p.Follow != nil {
			note.Follow = p.Follow
		}
		if p.Level != nil {
			note.Level = p.Level.String()
		}
		switch moved, err := s.putThread(ctx, key, note, raw, s.c.cfg.Limits.MaxNotes, s); {
		case im.IsKind(err, im.Conflict): // another device of his
			continue
		case err != nil:
			return th, err
		case !moved:
			return th, nil
		}
		_, th, err = s.threadAt(conv, root)
		return th, err
	}
	return th, errContended()
}

// threadAt is a thread as it is now.
func (s *Session) threadAt(conv im.Address, root im.Seq) (convRef, Thread, error) {
	ref, err := s.resolve(conv)
	if err != nil {
		return ref, Thread{}, err
	}
	t := im.Tally{Seq: root}
	if ref.conv != 0 && root != 0 && root <= ref.head.Seq {
		list, err := s.c.st.Tallies(ref.conv, root, root)
		if err != nil {
			return ref, Thread{}, err
		}
		if len(list) > 0 {
			t = list[0]
		}
	} else {
		return ref, Thread{}, errNoMessage()
	}
	looks := threadLooks
	th, err := s.thread(&ref, t, &looks)
	if err == nil && th.Root == nil && th.Last == nil {
		err = errNoMessage()
	}
	return ref, th, err
}

// putThread writes a note where raw still stands, if the user then has at most most
// notes (below 0 = any number), and tells his devices but except.
//
// Errors: Conflict if something else stands there; those of putNote.
func (s *Session) putThread(ctx context.Context, key string, note threadNote, raw []byte, most int, except *Session) (moved bool, err error) {
	value, err := json.Marshal(note)
	if err != nil {
		return false, err
	}
	if bytes.Equal(value, raw) {
		return false, nil
	}
	op := &store.NoteOp{User: s.user, Key: key, Value: value, If: &raw, Device: s.device, Most: max(most, 0)}
	err = s.c.putNote(ctx, op, except)
	return err == nil && op.Moved, err
}

// A following is that somebody wrote in a thread, which he follows from then on.
type following struct {
	user im.UserID
	addr im.Address
	root im.Seq
}

// follows note who wrote in which thread, beside the sends: once for each user and
// thread, by one goroutine. What does not fit is found among the newest messages of
// the thread.
type follows struct {
	known names[following, struct{}] // noted already
	queue chan following             // fixed
}

const maxFollows = 1024 // that wait

func (f *follows) open() { f.queue = make(chan following, maxFollows) }

// wrote notes that s's user wrote m at addr. It does not block.
func (c *Core) wrote(s *Session, addr im.Address, m *im.Message) {
	f := following{s.user, addr, m.Thread}
	if _, ok := c.follows.known.get(f); ok {
		return
	}
	select {
	case c.follows.queue <- f:
	default:
	}
}

// runFollows notes until ctx ends.
func (c *Core) runFollows(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-c.follows.queue:
			c.noteFollowing(ctx, f)
		}
	}
}

func (c *Core) noteFollowing(ctx context.Context, f following) {
	if _, ok := c.follows.known.get(f); ok {
		return
	}
	s := &Session{c: c, user: f.user, self: im.DirectAddress(f.user)}
	key := threadKey(f.addr, f.root)
	most := c.cfg.Limits.MaxNotes
	if most > 0 { // the rest is for what he writes down himself
		most = max(most/2, 1)
	}
	for range maxTries {
		note, raw, err := c.threadNote(f.user, key)
		if err == nil && !note.Wrote {
			note.Wrote = true
			_, err = s.putThread(ctx, key, note, raw, most, nil)
		}
		switch {
		case im.IsKind(err, im.Conflict):
			continue
		case err == nil:
			f.addr = im.Address(strings.Clone(string(f.addr)))
			c.follows.known.put(f, struct{}{})
		case ctx.Err() == nil:
			c.log.Debug("that a user wrote in a thread is not noted", "user", f.user, "err", err)
		}
		return
	}
}
