package core

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const (
	maxDigestRunes = 500 // characters of a digest in a list; beyond them "..."
	digestLook     = 200 // numbers that are looked through for the newest message to be shown
	textType       = "an:text"
)

// digest is one line that stands for the newest message of a conversation that
// row.User is shown, in a language ("en", "zh-CN"; "" = English): "" if there is none
// among the newest digestLook numbers, or it has none.
func (c *Core) digest(h *store.Head, row *store.Row, locale string) (string, error) {
	m, err := c.newestShown(h, row)
	if err != nil || m == nil {
		return "", err
	}
	return c.digestOf(m, locale), nil
}

// newestShown is the newest message that row.User is shown in the list; nil if there
// is none near the head.
func (c *Core) newestShown(h *store.Head, row *store.Row) (*im.Message, error) {
	last := min(h.LastShown, h.Seq)
	first := max(row.From, h.Min, 1)
	if last < first || h.Kind == im.Self {
		return nil, nil
	}
	m, ok, err := c.st.Message(h.Conv, last) // nearly always it
	if err != nil || ok && c.listed(m, row) {
		return m, err
	}
	if last > digestLook {
		first = max(first, last-digestLook)
	}
	for hi := last - 1; hi >= first && hi > 0; {
		p, err := c.st.Page(store.PageQuery{Conv: h.Conv, From: first, To: hi, Backward: true, Limit: 20, Bytes: 64 << 10})
		if err != nil {
			return nil, err
		}
		for i := len(p.Messages) - 1; i >= 0; i-- {
			if m := p.Messages[i]; c.listed(m, row) {
				return m, nil
			}
		}
		if p.From > hi || p.From <= first {
			break
		}
		hi = p.From - 1
	}
	return nil, nil
}

// listed says whether m can stand for its conversation in row.User's list.
func (c *Core) listed(m *im.Message, row *store.Row) bool {
	return m.Shown() && !m.Deleted && !(m.Recalled && m.Silent) && !row.Hides(m.Seq) && c.visible(m, row)
}

// digestOf is one line that stands for m: a fixed text for what was recalled and for
// what burns, what its type makes of it, what its sender said, or, of a text, itself.
// It is at most 500 characters long, or ends in "...".
func (c *Core) digestOf(m *im.Message, locale string) string {
	zh := chinese(locale)
	switch {
	case m.Recalled && zh:
		return "消息已撤回"
	case m.Recalled:
		return "A message was recalled"
	case m.Burn != 0 && zh:
		return "[阅后即焚]"
	case m.Burn != 0:
		return "[Burn after reading]"
	}
	var line string
	if c.cfg.Types != nil {
		line = c.cfg.Types.Digest(m, locale)
	}
	if line == "" {
		line = m.Digest
	}
	if line == "" && m.Type == textType {
		line = textOf(m.Body)
	}
	return cutLine(oneLine(line))
}

// textOf is the text of an an:text; "" if the body is none.
func textOf(body []byte) string {
	if b := bytes.TrimSpace(body); len(b) == 0 || b[0] != '{' {
		return ""
	}
	var t struct {
		Content string `json:"content"`
	}
	if json.Unmarshal(body, &t) != nil {
		return ""
	}
	return t.Content
}

// cutLine shortens s to what a list shows.
func cutLine(s string) string {
	if len(s) <= maxDigestRunes || utf8.RuneCountInString(s) <= maxDigestRunes {
		return s
	}
	n := 0
	for i := range s {
		if n == maxDigestRunes {
			return s[:i] + "..."
		}
		n++
	}
	return s
}

// chinese says whether a locale is Chinese ("zh", "zh-CN", "zh_Hans_CN").
func chinese(locale string) bool {
	return len(locale) >= 2 && strings.EqualFold(locale[:2], "zh") && (len(locale) == 2 || locale[2] == '-' || locale[2] == '_')
}
