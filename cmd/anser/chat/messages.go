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
)

// numbers reads #3, 3 and 3-7.
func numbers(words []string) (out []uint64, err error) {
	for _, w := range words {
		from, to, span := strings.Cut(w, "-")
		first, err := number(from)
		if err != nil {
			return nil, err
		}
		last := first
		if span {
			if last, err = number(to); err != nil || last < first {
				return nil, errUsage
			}
		}
		if last-first >= 100 {
			return nil, errUsage
		}
		for n := first; n <= last; n++ {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// at reads the number that a command begins with, for the conversation that is talked to.
func (a *app) at(words []string, least int) (conv string, seq uint64, rest []string, err error) {
	if len(words) < least {
		return "", 0, nil, errUsage
	}
	if conv, err = a.talking(); err != nil {
		return "", 0, nil, err
	}
	seq, err = number(words[0])
	return conv, seq, words[1:], err
}

// talking is the conversation that is talked to.
func (a *app) talking() (string, error) {
	if conv := a.current(); conv != "" {
		return conv, nil
	}
	return "", errors.New(a.lang.say(sayNobody))
}

func (a *app) done() { a.out.print(a.p.dim(a.lang.say(sayDone))) }

func (a *app) cmdRecall(ctx context.Context, words []string) error {
	conv, seq, rest, err := a.at(words, 1)
	if err != nil || len(rest) > 1 || len(rest) == 1 && rest[0] != "silently" {
		return first(err, errUsage)
	}
	var how []client.RecallOption
	if len(rest) == 1 {
		how = append(how, client.Silently)
	}
	r, err := a.c.Recall(ctx, conv, seq, how...)
	if err != nil {
		return err
	}
	line := a.lang.say(sayRecalls, a.lang.say(sayYou), seq)
	if r.Former != nil {
		line += "  " + a.lang.say(sayFormer, short(a.text(r.Former)))
	}
	a.out.print(a.p.dim(line))
	return nil
}

// first is the first error that is one.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) cmdReply(ctx context.Context, words []string) error {
	_, seq, rest, err := a.at(words, 2)
	if err != nil {
		return err
	}
	a.send(ctx, strings.Join(rest, " "), func(m *client.Outgoing) { m.ReplyTo = seq })
	return nil
}

func (a *app) cmdReact(ctx context.Context, words []string) error {
	conv, seq, signs, err := a.at(words, 2)
	if err != nil {
		return err
	}
	if _, err = a.c.React(ctx, conv, seq, signs...); err == nil {
		a.out.print(a.p.dim(fmt.Sprintf("%s %s %s", a.lang.say(sayYou), oneLine(strings.Join(signs, " ")), a.quote(conv, seq))))
	}
	return err
}

func (a *app) cmdUnreact(ctx context.Context, words []string) error {
	conv, seq, signs, err := a.at(words, 2)
	if err != nil {
		return err
	}
	if _, err = a.c.Unreact(ctx, conv, seq, signs...); err == nil {
		a.done()
	}
	return err
}

func (a *app) cmdReactions(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	list, more, err := a.c.Reactions(ctx, conv, seq, "", client.Reacted{}, 200)
	if err != nil {
		return err
	}
	by := map[string][]string{}
	var order []string
	for _, r := range list {
		if by[r.Key] == nil {
			order = append(order, r.Key)
		}
		by[r.Key] = append(by[r.Key], oneLine(r.User))
	}
	for _, k := range order {
		text := strings.Join(by[k], ", ")
		if more {
			text += a.lang.say(sayMore)
		}
		a.out.print(oneLine(k) + " " + text)
	}
	if len(order) == 0 {
		a.out.print(a.p.dim(a.lang.say(sayNone)))
	}
	return nil
}

func (a *app) cmdPin(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	if _, err = a.c.PinMessage(ctx, conv, seq); err == nil {
		a.out.print(a.p.dim(a.lang.say(sayPins, a.lang.say(sayYou), a.quote(conv, seq))))
	}
	return err
}

func (a *app) cmdUnpin(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	if _, err = a.c.UnpinMessage(ctx, conv, seq); err == nil {
		a.done()
	}
	return err
}

func (a *app) cmdPins(ctx context.Context, _ []string) error {
	conv, err := a.talking()
	if err != nil {
		return err
	}
	list, err := a.c.Pins(ctx, conv)
	return a.show(list, err)
}

// show prints messages, or that there are none.
func (a *app) show(list []*client.Message, err error) error {
	if err != nil {
		return err
	}
	lines := a.lines(list)
	if len(lines) == 0 {
		lines = []string{a.p.dim(a.lang.say(sayNone))}
	}
	a.out.print(lines...)
	return nil
}

func (a *app) cmdDelete(ctx context.Context, words []string) error {
	conv, err := a.talking()
	if err != nil {
		return err
	}
	all := len(words) > 0 && words[0] == "all"
	if all {
		words = words[1:]
	}
	seqs, err := numbers(words)
	if err != nil || len(seqs) == 0 {
		return first(err, errUsage)
	}
	verb := a.c.Delete
	if all {
		verb = a.c.DeleteForAll
	}
	d, err := verb(ctx, conv, seqs...)
	if err == nil {
		a.out.print(a.p.dim(a.lang.say(sayDeletes, d.Count)))
	}
	return err
}

func (a *app) cmdUndelete(ctx context.Context, words []string) error {
	conv, err := a.talking()
	if err != nil {
		return err
	}
	seqs, err := numbers(words)
	if err != nil || len(seqs) == 0 {
		return first(err, errUsage)
	}
	if _, err = a.c.Undelete(ctx, conv, seqs...); err == nil {
		a.done()
	}
	return err
}

func (a *app) cmdHistory(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	formers, _, err := a.c.EditHistory(ctx, conv, seq, 0, 0)
	if err != nil {
		return err
	}
	for _, f := range formers {
		m := client.Message{Type: client.TypeText, Body: f.Body, Digest: f.Digest}
		at := ""
		if !f.Time.IsZero() {
			at = f.Time.Local().Format("15:04") + " "
		}
		a.out.print(a.p.dim(at) + short(a.text(&m)))
	}
	if len(formers) == 0 {
		a.out.print(a.p.dim(a.lang.say(sayNone)))
	}
	return nil
}

func (a *app) cmdReplies(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	list, _, err := a.c.Replies(ctx, conv, seq, 0, 50)
	return a.show(list, err)
}

func (a *app) cmdThread(ctx context.Context, words []string) error {
	conv, root, rest, err := a.at(words, 1)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		a.send(ctx, strings.Join(rest, " "), func(m *client.Outgoing) { m.Thread = root })
		return nil
	}
	list, _, err := a.c.ThreadHistory(ctx, conv, root, 0, 50)
	if err == nil && len(list) > 0 {
		last := list[len(list)-1].Seq
		a.c.ThreadSet(ctx, conv, root, client.ThreadSettings{Read: &last}) // a later one makes up for one that fails
	}
	return a.show(list, err)
}

func (a *app) cmdThreads(ctx context.Context, _ []string) error {
	conv, err := a.talking()
	if err != nil {
		return err
	}
	list, _, err := a.c.Threads(ctx, conv, 0, 20)
	if err != nil {
		return err
	}
	for _, t := range list {
		line := fmt.Sprintf("≡#%d %s", t.Root, a.p.dim(a.lang.say(sayThread, t.Count)))
		if t.First != nil {
			line = fmt.Sprintf("≡#%d %s %s", t.Root, short(a.text(t.First)), a.p.dim(a.lang.say(sayThread, t.Count)))
		}
		if t.Unread > 0 {
			line += " " + a.p.mark(a.lang.say(sayUnread, t.Unread))
		}
		a.out.print(line)
	}
	if len(list) == 0 {
		a.out.print(a.p.dim(a.lang.say(sayNone)))
	}
	return nil
}

func (a *app) cmdForward(ctx context.Context, words []string) error {
	return a.forward(ctx, words, false)
}
func (a *app) cmdMerge(ctx context.Context, words []string) error { return a.forward(ctx, words, true) }

func (a *app) forward(ctx context.Context, words []string, merged bool) error {
	if len(words) < 2 {
		return errUsage
	}
	conv, err := a.talking()
	if err != nil {
		return err
	}
	seqs, err := numbers(words[1:])
	if err != nil {
		return err
	}
	f, err := a.c.Forward(ctx, client.Forward{Conv: conv, Seqs: seqs, To: []string{a.named(words[0])}, Merged: merged, Title: a.titleOf(conv)})
	if err == nil && len(f) == 1 {
		err = f[0].Err
	}
	if err == nil {
		a.done()
	}
	return err
}

// titleOf is how a conversation is called.
func (a *app) titleOf(conv string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.place(conv).title
}

func (a *app) cmdPoll(ctx context.Context, words []string) error {
	parts := strings.Split(strings.Join(words, " "), "|")
	if len(parts) < 3 || len(parts) > 51 {
		return errUsage
	}
	conv, err := a.talking()
	if err != nil {
		return err
	}
	poll := &client.PollBody{Question: strings.TrimSpace(parts[0])}
	for i, p := range parts[1:] {
		poll.Options = append(poll.Options, client.PollOption{ID: strconv.Itoa(i + 1), Text: strings.TrimSpace(p)})
	}
	m, err := client.Encode(poll)
	if err != nil {
		return err
	}
	a.dispatch(ctx, conv, m, fmt.Sprintf("%s %s", poll.Question, a.votes(&client.Message{}, poll)))
	return nil
}

func (a *app) cmdVote(ctx context.Context, words []string) error {
	conv, seq, choice, err := a.at(words, 1)
	if err != nil {
		return err
	}
	list, err := a.c.Messages(ctx, conv, seq)
	if err != nil {
		return err
	}
	var poll *client.PollBody
	if len(list) == 1 {
		poll, _ = list[0].Value().(*client.PollBody)
	}
	if poll == nil {
		return errors.New(a.lang.say(sayNoPoll, seq))
	}
	var ids []string
	for _, w := range choice {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 || n > len(poll.Options) {
			return errUsage
		}
		ids = append(ids, poll.Options[n-1].ID)
	}
	if _, err := a.c.Vote(ctx, conv, seq, ids...); err != nil {
		return err
	}
	if list, err = a.c.Messages(ctx, conv, seq); err == nil && len(list) == 1 {
		a.out.print(a.p.dim(fmt.Sprintf("#%d %s: %s", seq, oneLine(poll.Question), a.votes(list[0], poll))))
	}
	return err
}

func (a *app) cmdClose(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	if _, err = a.c.PollClose(ctx, conv, seq); err == nil {
		a.done()
	}
	return err
}

func (a *app) cmdAround(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	p, err := a.c.Around(ctx, conv, seq, 20)
	if err != nil {
		return err
	}
	return a.show(p.Messages, nil)
}

func (a *app) cmdFind(_ context.Context, words []string) error {
	if len(words) == 0 {
		return errUsage
	}
	list := a.c.Search(client.Search{Text: strings.Join(words, " "), Limit: 20})
	var lines []string
	for _, m := range list {
		lines = append(lines, a.p.dim("["+a.titleOf(m.Conv)+"] ")+a.line(m))
	}
	if len(lines) == 0 {
		lines = []string{a.p.dim(a.lang.say(sayNone))}
	}
	a.out.print(lines...)
	return nil
}

func (a *app) cmdBurn(ctx context.Context, words []string) error {
	if len(words) < 2 {
		return errUsage
	}
	d, err := time.ParseDuration(words[0])
	if err != nil || d < time.Second {
		return errUsage
	}
	a.send(ctx, strings.Join(words[1:], " "), func(m *client.Outgoing) {
		if conv := a.current(); strings.HasPrefix(conv, "u/") {
			m.Burn = d
		} else {
			m.Expires = time.Now().Add(d)
		}
	})
	return nil
}

func (a *app) cmdReport(ctx context.Context, words []string) error {
	conv, seq, rest, err := a.at(words, 2)
	if err != nil {
		return err
	}
	if _, err = a.c.Report(ctx, conv, seq, rest[0], strings.Join(rest[1:], " ")); err == nil {
		a.done()
	}
	return err
}

func (a *app) cmdReadBy(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	read, err := a.c.ReadBy(ctx, conv, seq, "", 100)
	if err != nil {
		return err
	}
	unread, err := a.c.UnreadBy(ctx, conv, seq, "", 100)
	if err != nil {
		return err
	}
	list := func(l client.ReadList) string {
		text := oneLine(strings.Join(l.Users, ", "))
		if l.More {
			text += a.lang.say(sayMore)
		}
		return text
	}
	a.out.print("✓✓ "+list(read), a.p.dim("… "+list(unread)))
	return nil
}
