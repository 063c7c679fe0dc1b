package chat

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/anser-im/anser/client"
)

// when reads a time: in 10m or 2h30m, at 18:30 (the next), or 2026-11-25T10:00, in the
// time of this machine.
func when(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(d), nil
	}
	if t, err := time.ParseInLocation("15:04", s, now.Location()); err == nil {
		y, m, d := now.Date()
		at := time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, now.Location())
		if !at.After(now) {
			at = at.AddDate(0, 0, 1)
		}
		return at, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil && t.After(now) {
			return t, nil
		}
	}
	return time.Time{}, errUsage
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

func (a *app) cmdSchedule(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return a.scheduled(ctx)
	}
	if len(words) < 2 {
		return errUsage
	}
	conv, err := a.talking()
	if err != nil {
		return err
	}
	at, err := when(words[0], time.Now())
	if err != nil {
		return err
	}
	text := strings.Join(words[1:], " ")
	if _, err := a.c.Schedule(ctx, conv, a.outgoing(conv, text), at); err != nil {
		return err
	}
	a.out.print(a.p.dim(a.lang.say(sayScheduled, clock(at), a.titleOf(conv), oneLine(text))))
	return nil
}

func (a *app) scheduled(ctx context.Context) error {
	list, _, err := a.c.ListScheduled(ctx, "", 0)
	if err != nil {
		return err
	}
	for i, s := range list {
		m := client.Message{Type: s.Message.Type, Body: s.Message.Body, Digest: s.Message.Digest}
		line := fmt.Sprintf("%d) %s %s %s", i+1, clock(s.At), a.p.dim("["+a.titleOf(s.Conv)+"]"), short(a.text(&m)))
		if s.Failed != "" {
			line += " " + a.p.red("✗ "+oneLine(s.Failed))
		}
		a.out.print(line)
	}
	if len(list) == 0 {
		a.out.print(a.p.dim(a.lang.say(sayNone)))
	}
	return nil
}

func (a *app) cmdUnschedule(ctx context.Context, words []string) error {
	if len(words) != 1 {
		return errUsage
	}
	n, err := number(words[0])
	if err != nil {
		return err
	}
	list, _, err := a.c.ListScheduled(ctx, "", 0)
	if err != nil {
		return err
	}
	if n > uint64(len(list)) {
		return errUsage
	}
	if err := a.c.Unschedule(ctx, list[n-1].ID); err != nil {
		return err
	}
	a.done()
	return nil
}

func (a *app) cmdRemind(ctx context.Context, words []string) error {
	if len(words) == 0 {
		return a.reminders(ctx)
	}
	if len(words) < 2 {
		return errUsage
	}
	at, err := when(words[0], time.Now())
	if err != nil {
		return err
	}
	r := client.Reminder{At: at, Conv: a.current(), Text: strings.Join(words[1:], " ")}
	if seq, err := number(words[1]); err == nil && strings.HasPrefix(words[1], "#") {
		r.Seq, r.Text = seq, strings.Join(words[2:], " ")
	}
	if _, err := a.c.Remind(ctx, r); err != nil {
		return err
	}
	a.out.print(a.p.dim(a.lang.say(sayRemindAt, clock(at))))
	return nil
}

// reminder is one in a line.
func (a *app) reminder(r client.Reminder) string {
	text := oneLine(r.Text)
	if r.Seq != 0 {
		text += " " + a.quote(r.Conv, r.Seq)
	}
	if r.Conv != "" {
		text = a.p.dim("["+a.titleOf(r.Conv)+"] ") + text
	}
	return text
}

func (a *app) reminders(ctx context.Context) error {
	list, _, err := a.c.Reminders(ctx, "", 0)
	if err != nil {
		return err
	}
	n := 0
	for _, r := range list {
		if r.Fired.IsZero() {
			n++
			a.out.print(clock(r.At) + " " + a.reminder(r))
		}
	}
	if n == 0 {
		a.out.print(a.p.dim(a.lang.say(sayNone)))
	}
	return nil
}

func (a *app) cmdSave(ctx context.Context, words []string) error {
	conv, seq, rest, err := a.at(words, 1)
	if err != nil {
		return err
	}
	if _, err = a.c.Save(ctx, conv, seq, strings.Join(rest, " ")); err == nil {
		a.done()
	}
	return err
}

func (a *app) cmdSaved(ctx context.Context, _ []string) error {
	list, _, err := a.c.ListSaved(ctx, "", 0)
	if err != nil {
		return err
	}
	for _, s := range list {
		line := a.p.dim("[" + a.titleOf(s.Conv) + "] ")
		if s.Message != nil {
			line += a.line(s.Message)
		} else {
			line += a.p.dim(a.lang.say(sayDeleted, s.Seq))
		}
		if s.Note != "" {
			line += a.p.dim(" — " + oneLine(s.Note))
		}
		a.out.print(line)
	}
	if len(list) == 0 {
		a.out.print(a.p.dim(a.lang.say(sayNone)))
	}
	return nil
}

func (a *app) cmdUnsave(ctx context.Context, words []string) error {
	conv, seq, _, err := a.at(words, 1)
	if err != nil {
		return err
	}
	if err = a.c.Unsave(ctx, conv, seq); err == nil {
		a.done()
	}
	return err
}

// noted takes what another device of this user has set, or a reminder that is due.
func (a *app) noted(n *client.Note) {
	if r, ok := n.Reminder(); ok && !n.Gone && !r.Fired.IsZero() {
		a.out.print(a.p.mark("⏰ ") + a.p.bold(a.reminder(r)))
	}
	if d, ok := n.Draft(); ok {
		a.mu.Lock()
		a.place(d.Conv).draft = string(d.Body)
		here := d.Conv == a.cur && len(d.Body) > 0
		a.mu.Unlock()
		if here {
			a.out.print(a.p.dim(a.lang.say(sayDraft, short(string(d.Body)))))
		}
	}
}
