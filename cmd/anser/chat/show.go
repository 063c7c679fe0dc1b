package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anser-im/anser/client"
)

// keepHere is how many messages of each conversation chat keeps: what is answered to can
// then be quoted, and is there without a connection.
const keepHere = 500

// locale is what the SDK calls the language.
func (l lang) locale() string {
	if l == chinese {
		return "zh-CN"
	}
	return "en"
}

// text is what a message says, on as many lines as it has.
func (a *app) text(m *client.Message) string {
	switch v := m.Value().(type) {
	case nil:
		return ""
	case *client.TextBody:
		return clean(v.Content)
	case *client.StreamBody:
		return clean(v.Text)
	case *client.PollBody:
		return clean(m.Line(a.lang.locale())) + " " + a.votes(m, v)
	case *client.MergedBody:
		text := clean(m.Line(a.lang.locale()))
		for _, l := range v.Digest {
			text += "\n" + oneLine(l)
		}
		return text
	}
	return clean(m.Line(a.lang.locale())) // also what this program does not know: by its digest
}

// votes is how a poll stands, in one line.
func (a *app) votes(m *client.Message, p *client.PollBody) string {
	var parts []string
	for i, o := range p.Options {
		part := fmt.Sprintf("%d) %s", i+1, oneLine(o.Text))
		if n := p.Count(m, o.ID); n > 0 {
			part += a.p.bold(fmt.Sprintf(" ×%d", n))
		}
		parts = append(parts, part)
	}
	text := strings.Join(parts, "  ")
	if p.Closed(m, time.Now()) {
		text += a.p.dim(" " + a.lang.say(sayClosed))
	}
	return text
}

// short is the beginning of a text in one line.
func short(text string) string {
	const most = 40
	text = oneLine(text)
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

// quote names a message by its number and, if it is kept here, by its beginning.
func (a *app) quote(conv string, seq uint64) string {
	text := fmt.Sprintf("#%d", seq)
	if m := a.c.KeptMessage(conv, seq); m != nil && !m.Recalled {
		text += fmt.Sprintf(" %s: %s", oneLine(m.Sender), short(a.text(m)))
	}
	return text
}

// line is how a message is shown: what it answers before it, what was made of it behind.
func (a *app) line(m *client.Message) string {
	at := m.Time.Local().Format("15:04")
	who := a.p.name(oneLine(m.Sender)) + a.p.dim(":")
	if m.Sender == a.user {
		who = a.p.dim(a.lang.say(sayYou)) + a.p.dim(":")
	}
	text := a.text(m)
	switch {
	case m.Recalled && m.Silent:
		return ""
	case m.Type == client.TypeGroup || m.Type == client.TypeNotice:
		return a.p.dim(fmt.Sprintf("%s ── %s ──", at, oneLine(text)))
	case m.Recalled:
		text = a.p.dim(a.lang.say(sayRecalled))
	case slices.Contains(m.Mentions, a.user) || m.MentionsAll:
		text = a.p.bold(text)
	}
	if o := m.Origin; o != nil {
		text = a.p.dim(a.lang.say(sayFrom, oneLine(o.Sender))+" ") + text
	}
	if m.ReplyTo != 0 {
		text = a.p.dim("↪ "+a.quote(m.Conv, m.ReplyTo)+" ⏎ ") + text
	}
	if m.Thread != 0 {
		text = a.p.dim(fmt.Sprintf("≡#%d ", m.Thread)) + text
	}
	text += a.marks(m)
	text = strings.ReplaceAll(text, "\n", "\n        ")
	return fmt.Sprintf("%s %s %s", a.p.dim(at+fmt.Sprintf(" #%d", m.Seq)), who, text)
}

// marks is what was made of a message, behind its text.
func (a *app) marks(m *client.Message) string {
	if m.Recalled {
		return ""
	}
	var out []string
	if !m.Edited.IsZero() {
		out = append(out, a.p.dim("✎"))
	}
	for _, r := range m.Reactions {
		if !strings.HasPrefix(r.Key, client.VotePrefix) { // votes stand in the poll
			out = append(out, fmt.Sprintf("%s%d", oneLine(r.Key), r.Count))
		}
	}
	if m.Pin != nil {
		out = append(out, "📌")
	}
	if m.Burn > 0 || !m.Expires.IsZero() {
		out = append(out, "⏳")
	}
	if e := m.Extra; e != nil {
		if e.Replies > 0 {
			out = append(out, a.p.dim(fmt.Sprintf("↩%d", e.Replies)))
		}
		if e.Thread > 0 {
			out = append(out, a.p.dim(fmt.Sprintf("≡%d", e.Thread)))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " " + strings.Join(out, " ")
}

// lines is how messages are shown. Those that are not for people are left out.
func (a *app) lines(messages []*client.Message) (lines []string) {
	for _, m := range messages {
		if l := a.line(m); m.Shown() && l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// changed tells of a change that somebody else, or another device, made.
func (a *app) changed(conv string, ch *client.Change) {
	a.mu.Lock()
	here := conv == a.cur
	a.mu.Unlock()
	own := ch.By == a.user && ch.Device == a.c.State().Device // the command has said so
	if !here || own {
		return
	}
	if line := a.tellChange(conv, ch); line != "" {
		a.out.print(a.p.dim(line))
	}
}

// tellChange is a change in one line; empty if there is nothing to say.
func (a *app) tellChange(conv string, ch *client.Change) string {
	by := oneLine(ch.By)
	if ch.By == a.user {
		by = a.lang.say(sayYou)
	}
	if ch.Kind == "delete" {
		return a.lang.say(sayDeleted, ch.Seq)
	}
	m := ch.Message
	if m == nil || !m.Shown() {
		return ""
	}
	switch ch.Kind {
	case "recall":
		if m.Silent {
			return ""
		}
		return a.lang.say(sayRecalls, by, ch.Seq)
	case "edit":
		return a.lang.say(sayEdits, ch.Seq, oneLine(a.text(m)))
	case "restore":
		return a.line(m)
	case "pin":
		if m.Pin == nil {
			return a.lang.say(sayUnpins, by, a.quote(conv, ch.Seq))
		}
		return a.lang.say(sayPins, by, a.quote(conv, ch.Seq))
	case "react":
		if p, ok := m.Value().(*client.PollBody); ok {
			return fmt.Sprintf("#%d %s: %s", ch.Seq, oneLine(p.Question), a.votes(m, p))
		}
		if len(ch.Added) == 0 {
			return ""
		}
		return fmt.Sprintf("%s %s %s", by, oneLine(strings.Join(ch.Added, " ")), a.quote(conv, ch.Seq))
	case "expand":
		if p, ok := m.Value().(*client.PollBody); ok && p.Closed(m, time.Now()) {
			return fmt.Sprintf("#%d %s: %s", ch.Seq, oneLine(p.Question), a.votes(m, p))
		}
	}
	return ""
}

// gone tells that messages went away by themselves.
func (a *app) gone(conv string, ranges []client.Range) {
	if conv != a.current() {
		return
	}
	for _, r := range ranges {
		for n := r.From; n <= r.To && n < r.From+100; n++ {
			a.out.print(a.p.dim(a.lang.say(sayExpired, n)))
		}
	}
}
