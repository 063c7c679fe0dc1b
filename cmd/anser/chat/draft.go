package chat

import (
	"context"
	"strings"
	"time"

	"github.com/anser-im/anser/client"
)

// draftAfter is how long a line must rest before it is kept as a draft.
const draftAfter = 2 * time.Second

// begun notes what stands in the line that is being typed. If it rests, it is kept as a
// draft of the conversation, for this user's other devices and the next run. A command
// leaves the draft as it is: one may clear the line to go elsewhere.
func (a *app) begun(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.cur == "" || a.ended:
	case strings.HasPrefix(line, "/"):
		if a.draftTimer != nil {
			a.draftTimer.Stop()
		}
	case line == a.begunLine:
	default:
		a.begunLine, a.begunIn = line, a.cur
		if a.draftTimer == nil {
			a.draftTimer = time.AfterFunc(draftAfter, a.keepDraft)
		} else {
			a.draftTimer.Reset(draftAfter)
		}
	}
}

// keepDraft keeps what was begun, or removes what is there of it, if it is another.
func (a *app) keepDraft() {
	a.mu.Lock()
	conv, line := a.begunIn, a.begunLine
	if conv == "" || a.place(conv).draft == line {
		a.mu.Unlock()
		return
	}
	a.place(conv).draft = line
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	a.c.SetDraft(ctx, client.Draft{Conv: conv, Body: []byte(line)}) // the next line makes up for one that fails
}

// learnDrafts reads the drafts of other devices.
func (a *app) learnDrafts(ctx context.Context) {
	list, _, err := a.c.Drafts(ctx, "", 200)
	if err != nil {
		return // they come as notes, too
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range list {
		a.place(d.Conv).draft = string(d.Body)
	}
}

// endDrafts keeps what was begun when chat ends; nothing more is kept then.
func (a *app) endDrafts() {
	a.mu.Lock()
	a.ended = true
	t := a.draftTimer
	a.mu.Unlock()
	if t != nil && t.Stop() {
		a.keepDraft()
	}
}

func (a *app) cmdDraft(ctx context.Context, words []string) error {
	conv, err := a.talking()
	if err != nil {
		return err
	}
	a.mu.Lock()
	draft := a.place(conv).draft
	a.mu.Unlock()
	switch {
	case len(words) == 0 && draft == "":
		a.out.print(a.p.dim(a.lang.say(sayNone)))
	case len(words) == 0:
		a.out.print(a.p.dim(a.lang.say(sayDraft, oneLine(draft))))
	case words[0] == "send" && draft != "":
		a.send(ctx, draft, nil)
		return a.dropDraft(ctx, conv)
	case words[0] == "drop":
		return a.dropDraft(ctx, conv)
	default: // what follows is to be the draft
		return a.setDraft(ctx, conv, strings.Join(words, " "))
	}
	return nil
}

func (a *app) dropDraft(ctx context.Context, conv string) error { return a.setDraft(ctx, conv, "") }

func (a *app) setDraft(ctx context.Context, conv, text string) error {
	if _, err := a.c.SetDraft(ctx, client.Draft{Conv: conv, Body: []byte(text)}); err != nil {
		return err
	}
	a.mu.Lock()
	a.place(conv).draft = text
	a.mu.Unlock()
	return nil
}
