package chat

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// screen is where chat is seen.
type screen interface {
	// print shows lines above what is being typed. Any goroutine may call it.
	print(lines ...string)
	// refresh shows the prompt anew, because what it tells has changed.
	refresh()
}

// app is what one run of chat knows. Its methods may be called by any goroutine.
type app struct {
	c    *client.Client // fixed once run has set it
	user string         // fixed
	lang lang           // fixed
	p    paint          // fixed
	out  screen         // fixed

	mu    sync.Mutex
	cur   string            // guarded by mu: the conversation that is talked to; "" = none
	convs map[string]*place // guarded by mu: by address
	names map[string]bool   // guarded by mu: users that were seen, for completion
	sent  map[string]*onWay // guarded by mu: by client id
	phase client.Phase      // guarded by mu
	lost  bool              // guarded by mu: it was told that there is no connection
	typed time.Time         // guarded by mu: when the last typing signal went out

	begunLine  string      // guarded by mu: what stands in the line that is being typed
	begunIn    string      // guarded by mu: in which conversation
	draftTimer *time.Timer // guarded by mu: keeps it as a draft; nil = nothing was begun yet
	ended      bool        // guarded by mu: nothing more is kept as a draft
}

// onWay is a message that was typed in this run and has no answer yet.
type onWay struct {
	text  string
	line  string        // as it is shown
	shown chan struct{} // closed when its outcome has been printed
}

// place is what is known of one conversation.
type place struct {
	title    string
	unread   uint64
	mentions uint64
	counted  uint64 // messages that unread knows of
	last     time.Time
	newest   uint64 // number of the newest message that was seen here
	oldest   uint64 // number of the oldest message that was shown; 0 = none
	sent     uint64 // number of my newest message
	peerRead uint64
	pinned   bool
	hidden   bool
	muted    bool
	draft    string // what I have begun to write
}

// mine takes what the server says of my row.
func (p *place) mine(m *client.Mine) {
	p.unread, p.mentions = m.Unread, m.Mentions
	s := &m.Settings
	p.pinned, p.muted = !s.Pinned.IsZero(), s.Level == wire.LevelNone
	p.hidden = s.Archived || s.Hidden != 0 && s.Hidden >= p.newest
	if s.Remark != "" {
		p.title = oneLine(s.Remark)
	}
}

func newApp(user string, l lang, p paint, out screen) *app {
	return &app{user: user, lang: l, p: p, out: out, convs: map[string]*place{},
		names: map[string]bool{}, sent: map[string]*onWay{}}
}

// place is the conversation's entry, made if there is none. a.mu is held.
func (a *app) place(conv string) *place {
	pl := a.convs[conv]
	if pl == nil {
		pl = &place{title: title(conv)}
		a.convs[conv] = pl
		if peer, ok := strings.CutPrefix(conv, "u/"); ok {
			a.names[peer] = true
		} else if a.c != nil {
			go a.ask(conv)
		}
	}
	return pl
}

// ask learns how a conversation that was met just now is called.
func (a *app) ask(conv string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if c, err := a.c.Conversation(ctx, conv); err == nil {
		a.heard(c)
		a.out.refresh()
	}
}

// title is how a conversation is called where it has no name.
func title(conv string) string {
	if peer, ok := strings.CutPrefix(conv, "u/"); ok {
		return peer
	}
	return conv
}

// event is the SDK's OnEvent.
func (a *app) event(e client.Event) {
	switch e.Kind {
	case client.EventMessage, client.EventStatus:
		a.message(e.Conv, e.Message)
	case client.EventChange:
		a.changed(e.Conv, e.Change)
	case client.EventSent:
		a.wasSent(e.Conv, e.Sent)
	case client.EventFailed:
		a.failed(e.Sent, e.Err)
	case client.EventConversation:
		a.heard(e.Conversation)
	case client.EventInfo:
		a.info(e.Conv, e.Info)
	case client.EventNoted:
		a.noted(e.Note)
	case client.EventExpired:
		a.gone(e.Conv, e.Ranges)
	case client.EventLeft:
		a.left(e.Conv)
	case client.EventReset:
		if e.Conv == "" {
			a.out.print(a.p.dim(a.lang.say(sayReset)))
		}
	}
}

// left forgets a conversation that this user is no longer in, once.
func (a *app) left(conv string) {
	a.mu.Lock()
	pl := a.convs[conv]
	delete(a.convs, conv)
	if a.cur == conv {
		a.cur = ""
	}
	a.mu.Unlock()
	if pl != nil {
		a.out.print(a.p.dim(a.lang.say(sayLeft, pl.title)))
	}
}

func (a *app) message(conv string, m *client.Message) {
	if !m.Shown() && m.Flags != wire.FlagStatus {
		return
	}
	a.mu.Lock()
	pl := a.place(conv)
	pl.newest = max(pl.newest, m.Seq)
	pl.last = m.Time
	a.names[m.Sender] = true
	here := conv == a.cur
	if here && (pl.oldest == 0 || m.Seq < pl.oldest) && m.Seq != 0 {
		pl.oldest = m.Seq
	}
	if m.Sender == a.user {
		pl.sent = max(pl.sent, m.Seq)
	} else if !here && m.Flags&wire.FlagCount != 0 && m.N > pl.counted {
		pl.unread++
	}
	pl.counted = max(pl.counted, m.N)
	name := pl.title
	a.mu.Unlock()

	if !here && m.Type == client.TypeGroup && m.Sender == a.user {
		return // the command that did it says so
	}
	line := a.line(m)
	if line == "" {
		return
	}
	if !here {
		line = a.p.mark("• ") + a.p.dim("["+name+"] ") + line
	}
	a.out.print(line)
	if here && m.Sender != a.user {
		a.markRead(conv, m.Seq)
	}
	if !here {
		a.out.refresh()
	}
}

func (a *app) wasSent(conv string, s *client.Sent) {
	a.mu.Lock()
	m := a.sent[s.ID]
	delete(a.sent, s.ID)
	pl := a.place(conv)
	pl.sent, pl.newest, pl.last = max(pl.sent, s.Seq), max(pl.newest, s.Seq), s.Time
	if pl.oldest == 0 {
		pl.oldest = s.Seq
	}
	name, here := pl.title, conv == a.cur
	a.mu.Unlock()
	if m == nil {
		return // of an earlier run
	}
	defer close(m.shown)
	line := fmt.Sprintf("%s %s %s", a.p.dim(s.Time.Local().Format("15:04")+fmt.Sprintf(" #%d", s.Seq)),
		a.p.dim(a.lang.say(sayYou)+" ✓"), strings.ReplaceAll(m.line, "\n", "\n        "))
	if !here {
		line = a.p.dim("["+name+"] ") + line
	}
	a.out.print(line)
}

func (a *app) failed(s *client.Sent, err error) {
	a.mu.Lock()
	text := ""
	if m := a.sent[s.ID]; m != nil {
		text = m.text
		defer close(m.shown)
	}
	delete(a.sent, s.ID)
	a.mu.Unlock()
	a.out.print(a.p.red("✗ " + a.lang.say(sayNotSent, oneLine(text), a.lang.tell(err))))
}

// heard takes what the server says of a conversation.
func (a *app) heard(c *client.Conversation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	pl := a.place(c.Conv)
	if c.Group != nil && c.Group.Name != "" {
		pl.title = oneLine(c.Group.Name)
	}
	pl.last = c.Head.Time
	pl.counted = max(pl.counted, c.Head.N)
	pl.newest = max(pl.newest, c.Head.Seq)
	pl.mine(&c.Mine)
	if c.Peer != nil {
		pl.peerRead = max(pl.peerRead, c.Peer.Read)
	}
}

func (a *app) info(conv string, i *client.Info) {
	a.mu.Lock()
	pl := a.place(conv)
	said := ""
	if i.Mine != nil {
		pl.mine(i.Mine)
	}
	if i.Peer != nil && i.Peer.Read > pl.peerRead {
		if pl.sent > pl.peerRead && i.Peer.Read >= pl.sent && conv == a.cur {
			said = a.lang.say(sayRead, pl.title)
		}
		pl.peerRead = i.Peer.Read
	}
	a.mu.Unlock()
	if said != "" {
		a.out.print(a.p.dim("✓✓ " + said))
	}
	if i.Mine != nil {
		a.out.refresh()
	}
}

// markRead tells the server, beside everything else: nobody waits for it.
func (a *app) markRead(conv string, seq uint64) {
	a.mu.Lock()
	pl := a.place(conv)
	pl.unread, pl.mentions = 0, 0
	a.mu.Unlock()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		a.c.Read(ctx, conv, seq) // a later one makes up for one that fails
	}()
}

// state is the SDK's OnState.
func (a *app) state(s client.State) {
	a.mu.Lock()
	a.phase = s.Phase
	lost := s.Phase == client.Waiting && s.Err != nil && !a.lost
	back := s.Phase == client.Online && a.lost
	if lost || back {
		a.lost = lost
	}
	a.mu.Unlock()
	switch {
	case lost:
		a.out.print(a.p.dim(a.lang.say(sayOffline, a.lang.tell(s.Err))))
	case back:
		a.out.print(a.p.dim(a.lang.say(sayOnline, s.Endpoint)))
	case s.Phase == client.Online && s.Stuck:
		a.out.print(a.p.dim(a.lang.say(sayStuck)))
	}
	a.out.refresh()
}

// prompt is what stands before what is typed.
func (a *app) prompt() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var others uint64
	for conv, pl := range a.convs {
		if conv != a.cur && !pl.muted {
			others += pl.unread
		}
	}
	text := ""
	if others > 0 {
		text = a.p.mark(fmt.Sprintf("(%d) ", others))
	}
	name := "…"
	if a.cur != "" {
		name = a.place(a.cur).title
	}
	if a.phase != client.Online {
		return text + a.p.dim(name+" ✗ ") + "> "
	}
	return text + a.p.bold(name) + "> "
}

// list is the conversations, the newest first.
func (a *app) list() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(a.convs), func(x, y string) int {
		if px, py := a.convs[x].pinned, a.convs[y].pinned; px != py {
			return map[bool]int{true: -1, false: 1}[px]
		}
		return cmp.Or(a.convs[y].last.Compare(a.convs[x].last), cmp.Compare(x, y))
	})
	var lines []string
	for _, k := range keys {
		pl := a.convs[k]
		if pl.hidden && k != a.cur {
			continue
		}
		line := "  "
		if k == a.cur {
			line = a.p.bold("> ")
		}
		line += a.p.name(pl.title)
		if pl.title != title(k) {
			line += a.p.dim(" " + k)
		}
		if pl.unread > 0 {
			line += " " + a.p.mark(a.lang.say(sayUnread, pl.unread))
		}
		if pl.mentions > 0 {
			line += a.p.mark(fmt.Sprintf(" @%d", pl.mentions))
		}
		if pl.pinned {
			line += " 📌"
		}
		if pl.muted {
			line += " 🔇"
		}
		if pl.draft != "" {
			line += a.p.dim(" ✎ " + short(pl.draft))
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		lines = []string{a.p.dim(a.lang.say(sayNoConvs))}
	}
	return lines
}
