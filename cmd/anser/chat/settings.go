package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// set sets something of the conversation that is talked to.
func (a *app) set(ctx context.Context, s client.SetConversation) error {
	conv, err := a.talking()
	if err != nil {
		return err
	}
	m, err := a.c.Set(ctx, conv, s)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.place(conv).mine(&m)
	a.mu.Unlock()
	a.done()
	return nil
}

// off says whether a command was told "off".
func off(words []string) (bool, error) {
	switch {
	case len(words) == 0 || len(words) == 1 && words[0] == "on":
		return false, nil
	case len(words) == 1 && words[0] == "off":
		return true, nil
	}
	return false, errUsage
}

func (a *app) cmdMute(ctx context.Context, words []string) error {
	level := wire.LevelNone
	switch {
	case len(words) > 1:
		return errUsage
	case len(words) == 1 && words[0] == "off":
		level = ""
	case len(words) == 1:
		level = words[0]
		if !slices.Contains([]string{wire.LevelAll, wire.LevelMentions, wire.LevelMe, wire.LevelAtAll, wire.LevelNone}, level) {
			return errUsage
		}
	}
	return a.set(ctx, client.SetConversation{Level: &level})
}

func (a *app) cmdPinChat(ctx context.Context, words []string) error {
	not, err := off(words)
	if err != nil {
		return err
	}
	return a.set(ctx, client.SetConversation{Pinned: new(!not)})
}

func (a *app) cmdHide(ctx context.Context, words []string) error {
	not, err := off(words)
	if err != nil {
		return err
	}
	return a.set(ctx, client.SetConversation{Hidden: new(!not)})
}

func (a *app) cmdArchive(ctx context.Context, words []string) error {
	not, err := off(words)
	if err != nil {
		return err
	}
	return a.set(ctx, client.SetConversation{Archived: new(!not)})
}

func (a *app) cmdMark(ctx context.Context, words []string) error {
	not, err := off(words)
	if err != nil {
		return err
	}
	return a.set(ctx, client.SetConversation{Marked: new(!not)})
}

func (a *app) cmdTag(ctx context.Context, words []string) error {
	tags := append([]string{}, words...)
	return a.set(ctx, client.SetConversation{Tags: &tags})
}

func (a *app) cmdUnread(ctx context.Context, _ []string) error {
	u, err := a.c.Unread(ctx, client.Filter{})
	if err != nil {
		return err
	}
	line := a.lang.say(sayUnreadIn, u.Messages, u.Conversations)
	if u.Mentions > 0 {
		line += a.p.mark(fmt.Sprintf(" @%d", u.Mentions))
	}
	a.out.print(line)
	l, err := a.c.List(ctx, client.ListQuery{Filter: client.Filter{Unread: true}})
	if err != nil {
		return err
	}
	for _, c := range l.Conversations {
		a.heard(c)
		line := "  " + a.p.name(a.titleOf(c.Conv)) + " " + a.p.mark(fmt.Sprint(c.Mine.Unread))
		if c.Digest != "" {
			line += " " + a.p.dim(short(c.Digest))
		}
		a.out.print(line)
	}
	return nil
}

func (a *app) cmdMentions(ctx context.Context, _ []string) error {
	l, err := a.c.List(ctx, client.ListQuery{Filter: client.Filter{Mentions: true}})
	if err != nil {
		return err
	}
	n := 0
	for _, c := range l.Conversations {
		a.heard(c)
		seqs, err := a.c.Mentions(ctx, c.Conv, 20)
		if err != nil {
			return err
		}
		if len(seqs) == 0 {
			continue
		}
		list, err := a.c.Messages(ctx, c.Conv, seqs...)
		if err != nil {
			return err
		}
		for _, line := range a.lines(list) {
			n++
			a.out.print(a.p.dim("["+a.titleOf(c.Conv)+"] ") + line)
		}
	}
	if n == 0 {
		a.out.print(a.p.dim(a.lang.say(sayNone)))
	}
	return nil
}

// cmdWho tells who is in a group, or how it stands with the other one.
func (a *app) cmdWho(ctx context.Context, words []string) error {
	conv := a.current()
	if len(words) == 1 {
		conv = a.named(words[0])
	}
	if peer, ok := strings.CutPrefix(conv, "u/"); ok {
		peer, _, _ = strings.Cut(peer, "/")
		return a.whoIs(ctx, peer)
	}
	if !strings.HasPrefix(conv, "g/") {
		return errUsage
	}
	return a.whoIsIn(ctx, conv)
}

// whoIs tells of one user.
func (a *app) whoIs(ctx context.Context, user string) error {
	p, err := a.c.Presence(ctx, user)
	if err != nil {
		return err
	}
	profiles, err := a.c.Profiles(ctx, user)
	if err != nil {
		return err
	}
	line := a.p.name(oneLine(user))
	var fields []string
	for _, p := range profiles {
		if p.Name != "" {
			line += " " + a.p.bold(oneLine(p.Name))
		}
		for k, f := range p.Fields {
			fields = append(fields, oneLine(k+": "+f.Value))
		}
	}
	if len(p) == 1 {
		switch {
		case len(p[0].Online) > 0:
			line += " ● " + a.p.dim(strings.Join(p[0].Online, ", "))
		case !p[0].LastSeen.IsZero():
			line += " " + a.p.dim(a.lang.say(sayLastSeen, clock(p[0].LastSeen)))
		}
		if p[0].Status != "" {
			line += " — " + oneLine(p[0].Status)
		}
	}
	slices.Sort(fields)
	a.out.print(line)
	for _, f := range fields {
		a.out.print("  " + f)
	}
	return nil
}

// cmdProfile tells of somebody, or sets what is told of this user.
func (a *app) cmdProfile(ctx context.Context, words []string) error {
	if len(words) < 2 {
		who := a.user
		if len(words) == 1 {
			who = strings.TrimPrefix(words[0], "@")
		}
		return a.whoIs(ctx, who)
	}
	text := strings.Join(words[1:], " ")
	if text == "-" {
		text = ""
	}
	var err error
	switch words[0] {
	case "name":
		_, err = a.c.SetProfile(ctx, client.SetProfile{Name: &text})
	case "status":
		err = a.c.SetPresence(ctx, client.SetPresence{Status: &text})
	default:
		_, err = a.c.SetProfile(ctx, client.SetProfile{Fields: map[string]client.ProfileField{words[0]: {Value: text}}})
	}
	if err == nil {
		a.done()
	}
	return err
}

func (a *app) cmdNick(ctx context.Context, words []string) error {
	conv, err := a.here()
	if err != nil {
		return err
	}
	if err = a.c.GroupNick(ctx, conv, strings.Join(words, " ")); err == nil {
		a.done()
	}
	return err
}

// cmdSilence forbids members of a group to write for a while; "off" lifts that.
func (a *app) cmdSilence(ctx context.Context, words []string) error {
	if len(words) != 2 {
		return errUsage
	}
	conv, err := a.here()
	if err != nil {
		return err
	}
	var until time.Time
	if words[1] != "off" {
		if until, err = when(words[1], time.Now()); err != nil {
			return err
		}
	}
	if words[0] == "all" {
		err = a.c.GroupMuteAll(ctx, conv, words[1] != "off")
	} else {
		err = a.c.GroupMute(ctx, conv, until, users(words[:1])...)
	}
	if err == nil {
		a.done()
	}
	return err
}
