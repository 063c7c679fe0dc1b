package client

import (
	"slices"
	"strings"
	"time"
)

// Search says what to look for among what is kept on this device (Options.Keep). Zero
// fields pick everything.
type Search struct {
	Text     string   // words, all of which must occur, in any case, also within others
	Conv     string   // in this conversation only
	Sender   string   // of this user only
	Types    []string // of these types only
	From, To time.Time
	Before   *Message // older ones than this: the last of the page before
	Limit    int      // 0 = 50
}

// Search looks through what is kept on this device, without asking the server: by the
// words that a message's type says it is found by (Searchable), the newest first. What
// burns or was recalled is not found.
func (c *Client) Search(q Search) []*Message {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	wanted := strings.Fields(strings.ToLower(q.Text))
	c.mu.Lock()
	var all []*Message
	for conv, s := range c.kept {
		if q.Conv == "" || q.Conv == conv {
			all = append(all, s.list()...)
		}
	}
	c.mu.Unlock() // messages are not altered in place
	slices.SortStableFunc(all, func(a, b *Message) int { return newer(a, b) })
	var out []*Message
	for _, m := range all {
		if len(out) == q.Limit {
			break
		}
		if q.picks(m) && contains(m, wanted) {
			out = append(out, m.clone())
		}
	}
	return out
}

func newer(a, b *Message) int {
	if n := b.Time.Compare(a.Time); n != 0 {
		return n
	}
	if n := strings.Compare(a.Conv, b.Conv); n != 0 {
		return n
	}
	return inOrder(b, a)
}

func (q *Search) picks(m *Message) bool {
	switch {
	case q.Sender != "" && q.Sender != m.Sender,
		len(q.Types) > 0 && !slices.Contains(q.Types, m.Type),
		!q.From.IsZero() && m.Time.Before(q.From),
		!q.To.IsZero() && m.Time.After(q.To),
		q.Before != nil && newer(q.Before, m) >= 0:
		return false
	}
	return true
}

// contains says whether every wanted word, in lower case, occurs in m.
func contains(m *Message, wanted []string) bool {
	if len(wanted) == 0 {
		return !m.Recalled
	}
	text := strings.ToLower(strings.Join(m.Words(), "\n"))
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
