package chat

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// known lists the names that chat has seen, for completion; groups only without a
// prefix.
func (a *app) known(prefix string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for n := range a.names {
		if n != a.user {
			out = append(out, prefix+n)
		}
	}
	if prefix == "" {
		for conv := range a.convs {
			if strings.HasPrefix(conv, "g/") {
				out = append(out, conv)
			}
		}
	}
	slices.Sort(out)
	return out
}

// typingEvery is the least time between two typing signals.
const typingEvery = 5 * time.Second

// isTyping tells the other side that something is being typed.
func (a *app) isTyping() {
	a.mu.Lock()
	now, conv := time.Now(), a.cur
	due := conv != "" && now.Sub(a.typed) >= typingEvery
	if due {
		a.typed = now
	}
	a.mu.Unlock()
	if due {
		a.c.Typing(conv) // dropped where it cannot go out
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// plainText is s without colours.
func plainText(s string) string { return escapes.ReplaceAllString(s, "") }

// cellWidth is how many cells of a terminal s takes.
func cellWidth(s string) int { return runewidth.StringWidth(s) }
