package types

import "strings"

// pick is the text in the language that is nearest to locale, else to home, else
// English, else any; nil if there is none at all.
func (t *texts) pick(locale, home string) *template {
	if len(t.by) == 0 {
		return nil
	}
	for _, l := range [...]string{locale, home, "en"} {
		if p := t.find(l); p != nil {
			return p
		}
	}
	return t.by[t.names[0]]
}

// find is the text in a language, or one that its readers read too: fr for fr-CA, and
// pt-BR for pt. Chinese is told apart by script, so that zh-HK finds zh-TW before
// zh-CN, and zh-CN finds zh-Hans.
func (t *texts) find(locale string) *template {
	if locale == "" {
		return nil
	}
	l := canonical(locale)
	for rest := l; ; {
		if p := t.by[rest]; p != nil {
			return p
		}
		i := strings.LastIndexByte(rest, '-')
		if i < 0 {
			break
		}
		if rest == l && strings.HasPrefix(l, "zh-") {
			if p := t.first(scripts(l)); p != nil {
				return p
			}
		}
		rest = rest[:i]
	}
	if l == "zh" {
		if p := t.first(simplified); p != nil {
			return p
		}
	}
	base, _, _ := strings.Cut(l, "-")
	for _, name := range t.names {
		if strings.HasPrefix(name, base) && (len(name) == len(base) || name[len(base)] == '-') {
			return t.by[name]
		}
	}
	return nil
}

func (t *texts) first(names []string) *template {
	for _, n := range names {
		if p := t.by[n]; p != nil {
			return p
		}
	}
	return nil
}

var (
	simplified  = []string{"zh-hans", "zh-cn", "zh-sg", "zh-my"}
	traditional = []string{"zh-hant", "zh-tw", "zh-hk", "zh-mo"}
)

// scripts are the names under which what readers of a kind of Chinese read may stand.
func scripts(l string) []string {
	for _, mark := range [...]string{"-hant", "-tw", "-hk", "-mo"} {
		if strings.Contains(l, mark) {
			return traditional
		}
	}
	return simplified
}

// canonical is a language's name in lower case with hyphens: zh_CN.UTF-8 is zh-cn.
func canonical(locale string) string {
	if i := strings.IndexAny(locale, ".@"); i >= 0 {
		locale = locale[:i]
	}
	return strings.ToLower(strings.ReplaceAll(locale, "_", "-"))
}
