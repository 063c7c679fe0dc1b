package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// patience is how long a command may wait for the server.
const patience = 15 * time.Second

// errUsage says that a command's words are off.
var errUsage = errors.New("usage")

// command is what a line that begins with a slash does.
type command struct {
	usage string
	run   func(*app, context.Context, []string) error
	teach phrase // what it is for
}

// line is one line that was typed; false ends chat.
func (a *app) typedLine(ctx context.Context, text string) bool {
	text = strings.TrimRight(text, " \t\r")
	if text == "" {
		return true
	}
	if text[0] != '/' || strings.HasPrefix(text, "//") {
		a.say(ctx, strings.TrimPrefix(text, "/"))
		return true
	}
	words := strings.Fields(text[1:])
	if len(words) == 0 {
		return true
	}
	name := strings.ToLower(words[0])
	if name == "quit" || name == "exit" {
		return false
	}
	cmd, ok := commands[name]
	if !ok {
		a.out.print(a.p.red(a.lang.say(sayUnknown, oneLine("/"+name))))
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch err := cmd.run(a, ctx, words[1:]); {
	case err == errUsage:
		a.out.print(a.p.red(a.lang.say(sayUsage, cmd.usage)))
	case err != nil:
		a.out.print(a.p.red("✗ " + a.lang.tell(err)))
	}
	return true
}

// say sends text to who is talked to.
func (a *app) say(ctx context.Context, text string) { a.send(ctx, text, nil) }

// send is say for a message that alter has added to; nil = nothing.
func (a *app) send(ctx context.Context, text string, alter func(*client.Outgoing)) {
	conv := a.current()
	if conv == "" {
		a.out.print(a.p.red(a.lang.say(sayNobody)))
		return
	}
	m := a.outgoing(conv, text)
	if alter != nil {
		alter(&m)
	}
	a.dispatch(ctx, conv, m, text)
}

// outgoing is the message of a text, with whom it mentions.
func (a *app) outgoing(conv, text string) client.Outgoing {
	m := client.Text(text)
	for _, w := range strings.Fields(text) {
		name := strings.TrimRight(strings.TrimPrefix(w, "@"), ".,:;!?，。：；！？")
		switch {
		case w[0] != '@' || name == "":
		case name == "all" && strings.HasPrefix(conv, "g/"):
			m.MentionsAll = true
		case !slices.Contains(m.Mentions, name) && len(m.Mentions) < 100:
			m.Mentions = append(m.Mentions, name)
		}
	}
	return m
}

// dispatch sends m, which is shown as text once it is kept.
func (a *app) dispatch(ctx context.Context, conv string, m client.Outgoing, text string) {
	shown := text
	if m.ReplyTo != 0 {
		shown = a.p.dim("↪ "+a.quote(conv, m.ReplyTo)+" ⏎ ") + clean(text)
	}
	if m.Thread != 0 {
		shown = a.p.dim(fmt.Sprintf("≡#%d ", m.Thread)) + clean(text)
	}
	a.mu.Lock() // held until the text is noted: the answer may be faster
	online := a.phase == client.Online
	if a.begunLine != "" && a.draftTimer != nil { // it is no draft any more
		a.begunLine, a.begunIn = "", conv
		a.draftTimer.Reset(draftAfter)
	}
	p, err := a.c.Send(ctx, conv, m)
	way := &onWay{text: text, line: shown, shown: make(chan struct{})}
	if err == nil {
		a.sent[p.ID] = way
	}
	a.mu.Unlock()
	switch {
	case err != nil:
		a.out.print(a.p.red("✗ " + a.lang.say(sayNotSent, oneLine(text), a.lang.tell(err))))
	case !online:
		a.out.print(a.p.dim("… " + a.lang.say(sayWaiting)))
	default: // most answers come before the next prompt, and stand in front of it
		select {
		case <-way.shown:
		case <-time.After(answerWait):
		}
	}
}

// answerWait is how long the next prompt waits for the answer to what was sent.
const answerWait = 300 * time.Millisecond

// address reads what people type for a conversation.
func address(s string) string {
	if strings.Contains(s, "/") {
		return s
	}
	return "u/" + strings.TrimPrefix(s, "@")
}

// here is the group that is talked to.
func (a *app) here() (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !strings.HasPrefix(a.cur, "g/") {
		return "", errors.New(a.lang.say(phrase{"that works in a group: /to g/<group> first", "请先进入一个群：/to g/<群号>"}))
	}
	return a.cur, nil
}

func (a *app) cmdTo(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return a.cmdList(ctx, nil)
	}
	return a.talkTo(ctx, a.named(words[0]))
}

// named is the conversation that people call so: a group may be called by its name.
func (a *app) named(s string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, pl := range a.convs {
		if pl.title == s && strings.HasPrefix(k, "g/") {
			return k
		}
	}
	return address(s)
}

// talkTo makes conv the one that is talked to and shows its newest messages.
func (a *app) talkTo(ctx context.Context, conv string) error {
	a.mu.Lock()
	online := a.phase == client.Online
	a.mu.Unlock()
	messages := a.c.Kept(conv, nil, 20)
	if online { // else what is kept here must do
		switch page, err := a.c.History(ctx, conv, 0, 20); {
		case err == nil:
			messages = page.Messages
		case !(client.IsCode(err, wire.CodeNotFound) && strings.HasPrefix(conv, "u/")):
			return err // whom nobody has written to yet has no history
		}
	}
	a.mu.Lock()
	a.cur = conv
	pl := a.place(conv)
	pl.oldest = 0
	name := pl.title
	var lines []string
	var newest uint64
	for _, m := range messages {
		if m.Shown() {
			if pl.oldest == 0 {
				pl.oldest = m.Seq
			}
			if m.Sender == a.user {
				pl.sent = max(pl.sent, m.Seq)
			}
		}
		newest = max(newest, m.Seq)
	}
	draft := pl.draft
	a.begunLine = ""
	a.mu.Unlock()
	lines = a.lines(messages)
	if draft != "" {
		lines = append(lines, a.p.dim(a.lang.say(sayDraft, short(draft))))
	}
	a.out.print(append([]string{a.p.dim("── " + a.lang.say(sayTalking, name) + " ──")}, lines...)...)
	if newest > 0 {
		a.markRead(conv, newest)
	}
	a.out.refresh()
	return nil
}

func (a *app) cmdList(context.Context, []string) error {
	a.out.print(a.list()...)
	return nil
}

func (a *app) cmdOlder(ctx context.Context, words []string) error {
	n := 20
	if len(words) > 0 {
		v, err := strconv.Atoi(words[0])
		if err != nil || v < 1 {
			return errUsage
		}
		n = min(v, 200)
	}
	a.mu.Lock()
	conv := a.cur
	var before uint64
	if conv != "" {
		before = a.place(conv).oldest
	}
	a.mu.Unlock()
	if conv == "" {
		return errors.New(a.lang.say(sayNobody))
	}
	page, err := a.c.History(ctx, conv, before, n)
	if err != nil {
		return err
	}
	lines := a.lines(page.Messages)
	if len(lines) == 0 {
		lines = []string{a.p.dim(a.lang.say(sayNoOlder))}
	} else {
		a.mu.Lock()
		a.place(conv).oldest = page.Messages[0].Seq
		a.mu.Unlock()
	}
	a.out.print(lines...)
	return nil
}

// number reads #12 or 12.
func number(s string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 10, 64)
	if err != nil || n == 0 {
		return 0, errUsage
	}
	return n, nil
}

func (a *app) current() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cur
}

func (a *app) cmdEdit(ctx context.Context, words []string) error {
	if len(words) < 2 {
		return errUsage
	}
	seq, err := number(words[0])
	if err != nil {
		return err
	}
	text := strings.Join(words[1:], " ")
	if _, err = a.c.Edit(ctx, a.current(), seq, client.Text(text)); err != nil {
		return err
	}
	a.out.print(a.p.dim(a.lang.say(sayEdits, seq, oneLine(text))))
	return nil
}

func (a *app) cmdGroup(ctx context.Context, words []string) error {
	if len(words) < 1 {
		return errUsage
	}
	conv, g, err := a.c.GroupCreate(ctx, client.NewGroup{Name: words[0], Members: users(words[1:])})
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.place(conv).title = oneLine(g.Name)
	a.mu.Unlock()
	a.out.print(a.p.dim(a.lang.say(sayMade, oneLine(g.Name), conv)))
	return a.talkTo(ctx, conv)
}

// users takes the @ off names.
func users(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.TrimPrefix(w, "@")
	}
	return out
}

func (a *app) cmdAdd(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return errUsage
	}
	conv, err := a.here()
	if err != nil {
		return err
	}
	refused, err := a.c.GroupAdd(ctx, conv, users(words)...)
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		a.out.print(a.p.red(a.lang.say(sayRefused, oneLine(strings.Join(refused, ", ")))))
	}
	return nil
}

func (a *app) cmdRemove(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return errUsage
	}
	conv, err := a.here()
	if err != nil {
		return err
	}
	return a.c.GroupRemove(ctx, conv, users(words)...)
}

func role(name string) func(*app, context.Context, []string) error {
	return func(a *app, ctx context.Context, words []string) error {
		if len(words) != 1 {
			return errUsage
		}
		conv, err := a.here()
		if err != nil {
			return err
		}
		return a.c.GroupRole(ctx, conv, strings.TrimPrefix(words[0], "@"), name)
	}
}

// whoIsIn tells who is in a group.
func (a *app) whoIsIn(ctx context.Context, conv string) error {
	members, more, err := a.c.GroupMembers(ctx, conv, "", 200)
	if err != nil {
		return err
	}
	var names []string
	a.mu.Lock()
	for _, m := range members {
		a.names[m.User] = true
		name := a.p.name(oneLine(m.User))
		if m.Nick != "" {
			name += a.p.dim(" “" + oneLine(m.Nick) + "”")
		}
		if m.Online {
			name += " ●"
		}
		if m.Role != wire.RoleMember {
			name += a.p.dim(" (" + m.Role + ")")
		}
		if m.MutedUntil.After(time.Now()) {
			name += " 🔇"
		}
		names = append(names, name)
	}
	pl := a.place(conv).title
	a.mu.Unlock()
	text := strings.Join(names, ", ")
	if more {
		text += a.lang.say(sayMore)
	}
	a.out.print(a.lang.say(sayMembers, len(members), pl, text))
	return nil
}

func (a *app) cmdJoin(ctx context.Context, words []string) error {
	if len(words) != 1 {
		return errUsage
	}
	conv := address(words[0])
	if err := a.c.Join(ctx, conv); err != nil {
		return err
	}
	return a.talkTo(ctx, conv)
}

func (a *app) cmdLeave(ctx context.Context, words []string) error {
	conv := a.current()
	if len(words) > 0 {
		conv = address(words[0])
	}
	if !strings.HasPrefix(conv, "g/") {
		return errUsage
	}
	if err := a.c.Leave(ctx, conv); err != nil {
		return err
	}
	a.left(conv)
	return nil
}

func (a *app) cmdBlock(ctx context.Context, words []string) error {
	return a.onUser(ctx, words, a.c.Block)
}

func (a *app) cmdUnblock(ctx context.Context, words []string) error {
	return a.onUser(ctx, words, a.c.Unblock)
}

func (a *app) onUser(ctx context.Context, words []string, verb func(context.Context, string) error) error {
	if len(words) != 1 {
		return errUsage
	}
	if err := verb(ctx, strings.TrimPrefix(words[0], "@")); err != nil {
		return err
	}
	a.out.print(a.p.dim(a.lang.say(sayDone)))
	return nil
}

func (a *app) cmdBlocked(ctx context.Context, _ []string) error {
	blocked, _, err := a.c.Blocks(ctx, "", 1000)
	if err != nil {
		return err
	}
	if len(blocked) == 0 {
		a.out.print(a.p.dim(a.lang.say(sayNoBlocked)))
		return nil
	}
	a.out.print(a.lang.say(sayBlocked, oneLine(strings.Join(blocked, ", "))))
	return nil
}

func (a *app) cmdDevices(ctx context.Context, _ []string) error {
	list, err := a.c.Devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range list {
		seen := ""
		if !d.LastSeen.IsZero() {
			seen = d.LastSeen.Local().Format("2006-01-02 15:04")
		}
		mark := " "
		if d.Online {
			mark = "●"
		}
		a.out.print(fmt.Sprintf("%s %s %s", mark, a.p.bold(oneLine(d.ID)), a.p.dim(strings.Join([]string{d.Class, oneLine(d.OS), seen}, " "))))
	}
	return nil
}

func (a *app) cmdKick(ctx context.Context, words []string) error {
	if len(words) != 1 {
		return errUsage
	}
	return a.c.Kick(ctx, words[0], "", false)
}

func (a *app) cmdHelp(_ context.Context, words []string) error {
	if len(words) == 0 {
		a.out.print(a.help()...)
		return nil
	}
	name := strings.ToLower(strings.TrimPrefix(words[0], "/"))
	cmd, ok := commands[name]
	if !ok {
		return errors.New(a.lang.say(sayUnknown, oneLine("/"+name)))
	}
	a.out.print(a.p.bold(cmd.usage), "  "+a.lang.say(cmd.teach))
	return nil
}
