package types

import (
	"strings"

	"golang.org/x/text/language"

	"github.com/anser-im/anser/internal/im"
)

// Phrases that stand for what no type says.
var (
	burnText     = phrase("[Burn after reading]", "[阅后即焚]")
	recalledText = phrase("A message was recalled", "消息已撤回")
)

func phrase(en, zh string) texts {
	t, err := parseTexts(map[string]string{"en": en, "zh-CN": zh})
	if err != nil {
		panic(err) // a bug of ours
	}
	return t
}

// Digest is one line that stands for m in a language ("en", "zh-CN"; "" = the
// server's), or in the nearest one there is: at most 500 characters, without control
// characters. It is what the first of these says: a recalled message, and one that
// burns after reading, a fixed text; a notice of the server, what happened; the
// message's own digest, if the sender gave one; the type's template; the type's title
// in brackets. "" if there is none.
func (r *Registry) Digest(m *im.Message, locale string) string {
	if m.Recalled {
		return recalledText.pick(locale, r.locale).fixed
	}
	e := r.state.Load().types[m.Type]
	body := &lazy{b: m.Body}
	if e == nil {
		if burns(m, body) {
			return burnText.pick(locale, r.locale).fixed
		}
		return line(m.Digest)
	}
	return r.own(e, m, body, locale)
}

// own is the digest of a message of a registered type. One that is stored with the
// message may be the sender's or made by fill: it was made if it is what would be made
// again, and then another language may be had.
func (r *Registry) own(e *entry, m *im.Message, body *lazy, locale string) string {
	made := r.made(e, m, body, locale)
	if m.Digest == "" || e.notice != nil && made != "" || burns(m, body) {
		if made == "" && e.notice != nil {
			return line(m.Digest)
		}
		return made
	}
	if stored(made) == m.Digest || stored(r.made(e, m, body, "")) == m.Digest {
		return made
	}
	return line(m.Digest)
}

// made is what the registry itself says of a message.
func (r *Registry) made(e *entry, m *im.Message, body *lazy, locale string) string {
	if burns(m, body) {
		return burnText.pick(locale, r.locale).fixed
	}
	if e.notice != nil {
		if locale == "" {
			locale = r.locale
		}
		return line(e.notice(body.value(), strings.HasPrefix(canonical(locale), "zh")))
	}
	if t := e.digest.pick(locale, r.locale); t != nil {
		return t.of(body)
	}
	if t := e.title.pick(locale, r.locale); t != nil {
		return line("[" + t.of(body) + "]")
	}
	return ""
}

// PushText is what a notification of m says, in a language as for Digest: the
// message's own text, if it has one; for one that burns, the fixed text; what the
// type's template says; for a type of the server's, the digest. "" if it says nothing
// of its own: then nothing is pushed, as for commands and STATUS messages.
func (r *Registry) PushText(m *im.Message, locale string) string {
	if m.Recalled {
		return ""
	}
	e := r.state.Load().types[m.Type]
	body := &lazy{b: m.Body}
	if e == nil || len(e.push.by) == 0 {
		switch {
		case m.Push != "":
			return line(m.Push)
		case !m.Shown() || e == nil || !e.t.Built:
			return ""
		}
		return r.own(e, m, body, locale)
	}
	made := ""
	if burns(m, body) {
		made = burnText.pick(locale, r.locale).fixed
	} else {
		made = e.push.pick(locale, r.locale).of(body)
	}
	switch {
	case m.Push == "" && !m.Shown():
		return ""
	case m.Push == "" || stored(e.push.pick("", r.locale).of(body)) == m.Push:
		return made
	}
	return line(m.Push)
}

// Words are the texts of a message that are searched: what stands in the fields that
// its type names, lists and objects in there with all they hold. nil if the type names
// none, or is not registered.
func (r *Registry) Words(m *im.Message) []string {
	e := r.state.Load().types[m.Type]
	if e == nil || len(e.search) == 0 || m.Recalled {
		return nil
	}
	body, err := decode(m.Body)
	if err != nil {
		return nil
	}
	var out []string
	for _, path := range e.search {
		out = appendTexts(out, at(body, path))
	}
	return out
}

func appendTexts(out []string, v any) []string {
	switch v := v.(type) {
	case string:
		if v != "" {
			out = append(out, v)
		}
	case []any:
		for _, e := range v {
			out = appendTexts(out, e)
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			out = appendTexts(out, v[k])
		}
	}
	return out
}

// LocaleOK says whether s is a language that templates can be picked by.
func LocaleOK(s string) bool {
	_, err := language.Parse(s)
	return err == nil
}
