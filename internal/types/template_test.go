package types

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/language"

	"github.com/anser-im/anser/internal/im"
)

func render(t testing.TB, lang, text, body string) string {
	t.Helper()
	p, err := parse(text, language.MustParse(lang))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p.of(&lazy{b: []byte(body)})
}

func TestD4_Templates(t *testing.T) {
	const photos = "{photos, plural, =0 {no photos} one {# photo} other {# photos}} of {user.name}"
	for _, c := range []struct{ lang, text, body, want string }{
		{"en", "[Card]", `{}`, "[Card]"},
		{"en", "[Card] {title}", `{"title":"A"}`, "[Card] A"},
		{"en", "[Card] {title}", `{}`, "[Card]"},
		{"en", "[Card] {title}", `not JSON`, "[Card]"},
		{"en", "{ user.name }: {list.1.x}", `{"user":{"name":"Bo"},"list":[1,{"x":true}]}`, "Bo: true"},
		{"en", "{n} {f} {b} {o}{z}", `{"n":12345678901234567890,"f":1.50,"b":false,"o":{"a":1},"z":null}`, "12345678901234567890 1.50 false"},
		{"en", "{photos} photos", `{"photos":[1,2,3]}`, "3 photos"},
		{"en", photos, `{"photos":[],"user":{"name":"Bo"}}`, "no photos of Bo"},
		{"en", photos, `{"user":{"name":"Bo"}}`, "no photos of Bo"},
		{"en", photos, `{"photos":[1],"user":{"name":"Bo"}}`, "1 photo of Bo"},
		{"en", photos, `{"photos":[1,2]}`, "2 photos of"},
		{"zh-CN", "{photos, plural, other {# 张照片}}", `{"photos":[1]}`, "1 张照片"},
		{"en", "{n, plural, one {# day} other {# days}}", `{"n":1}`, "1 day"},
		{"en", "{n, plural, one {# day} other {# days}}", `{"n":1.0}`, "1.0 days"}, // CLDR: v = 1
		{"en", "{n, plural, one {# day} other {# days}}", `{"n":-1}`, "-1 day"},
		{"en", "{n, plural, =1 {a day} one {# day} other {# days}}", `{"n":1.0}`, "a day"},
		{"en", "{n, plural, one {# day} other {# days}}", `{"n":"many"}`, "many days"},
		{"fr", "{n, plural, one {# jour} other {# jours}}", `{"n":0}`, "0 jour"},
		{"ru", "{n, plural, one {# файл} few {# файла} many {# файлов} other {# файла}}", `{"n":21}`, "21 файл"},
		{"ru", "{n, plural, one {# файл} few {# файла} many {# файлов} other {# файла}}", `{"n":3}`, "3 файла"},
		{"ru", "{n, plural, one {# файл} few {# файла} many {# файлов} other {# файла}}", `{"n":1000000000011}`, "1000000000011 файлов"},
		{"ar", "{n, plural, zero {z} one {o} two {t} few {f} many {m} other {x}}", `{"n":2}`, "t"},
		{"ar", "{n, plural, zero {z} one {o} two {t} few {f} many {m} other {x}}", `{"n":0}`, "z"},
		{"en", "{s, select, open {is open} other {is {s}}}", `{"s":"open"}`, "is open"},
		{"en", "{s, select, open {is open} other {is {s}}}", `{"s":"shut"}`, "is shut"},
		{"en", "{b, select, true {{n, plural, one {# x} other {# xs}}} other {}}", `{"b":true,"n":2}`, "2 xs"},
		{"en", `\{\} \# \\ #`, `{}`, `{} # \ #`},
		{"en", `{n, plural, other {\# is #}}`, `{"n":2}`, `# is 2`},
		{"en", "{title}", `{"title":"a\u0000b\tc\r\nd\u2028e  f\u202Eg\u200b"}`, "ab c d e fg\u200b"},
	} {
		if got := render(t, c.lang, c.text, c.body); got != c.want {
			t.Errorf("%s: %s of %s is %q, not %q", c.lang, c.text, c.body, got, c.want)
		}
	}
}

func TestTemplatesRefused(t *testing.T) {
	for text, says := range map[string]string{
		"{":                                   "no field",
		"{}":                                  "no field",
		"a {title":                            "not closed",
		"a } b":                               "closes nothing",
		"{a..b}":                              "no field",
		"{{a}}":                               "no field",
		"{a, many, other {}}":                 "neither plural nor select",
		"{a, plural}":                         "a comma",
		"{a, plural, one {x}}":                "lack other",
		"{a, plural, some {x} other {}}":      "none of =N",
		"{a, plural, =x {x} other {}}":        "no number",
		"{a, plural, other {} other {}}":      "twice",
		"{a, plural, {x} other {}}":           "no name",
		"{a, select, other x}":                "in braces",
		"{a, select, other {x}":               "no name",
		"{a, select, other {":                 "not closed",
		"12345 {":                             "character 8",
		strings.Repeat("x", 2001):             "2001 bytes",
		strings.Repeat("{a,select,other{", 6): "in each other",
		"{a, select, x {1} other {2}} {b, plural": "comma",
	} {
		if _, err := parse(text, language.English); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q is not in: %v", text, says, err)
		}
	}
}

// What a template makes is one line without control characters, of at most 500
// characters, whatever template and body.
func FuzzTemplate(f *testing.F) {
	f.Add("{n, plural, one {# a} other {# b}} {s, select, x {y} other {z}}", `{"n":1,"s":"x"}`)
	f.Add(`\{{title}\}`, `{"title":"a\u0007b"}`)
	f.Add("{a.0}{a.1}", `{"a":["\u2029",{"b":1e5}]}`)
	f.Fuzz(func(t *testing.T, text, body string) {
		p, err := parse(text, language.English)
		if err != nil {
			return
		}
		s := p.of(&lazy{b: []byte(body)})
		if n := len([]rune(s)); n > maxLine {
			t.Errorf("%d characters", n)
		}
		for _, r := range s {
			if unicode.IsControl(r) || turns(r) || r == 0x2028 || r == 0x2029 {
				t.Errorf("%q holds %q", s, r)
			}
		}
	})
}

// A digest does not grow with what a body holds, however often a template asks for it.
func TestDigestIsClipped(t *testing.T) {
	r, _ := open(t, Config{})
	typ := card()
	typ.Schema, typ.Digest = nil, map[string]string{"en": strings.Repeat("{title}", 280)}
	put(t, r, typ)
	long := strings.Repeat("长", 30_000)
	m := message("acme:card", `{"title":"`+long+`"}`)
	if err := r.Check(m, false); err != nil {
		t.Fatal(err)
	}
	if len(m.Digest) > maxStored || !strings.HasSuffix(m.Digest, "…") {
		t.Errorf("%d bytes are stored: ...%s", len(m.Digest), m.Digest[len(m.Digest)-9:])
	}
	if d := []rune(r.Digest(m, "")); len(d) != maxLine || d[maxLine-1] != '…' {
		t.Errorf("the digest has %d characters", len(d))
	}
	if d := r.Digest(message("an:text", `{"content":"`+strings.Repeat("长", 500)+`"}`), ""); d != strings.Repeat("长", 500) {
		t.Error("500 characters were clipped")
	}
}

func TestLanguages(t *testing.T) {
	all := func(names ...string) texts {
		m := map[string]string{}
		for _, n := range names {
			m[n] = "in " + n
		}
		x, err := parseTexts(m)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct {
		has          []string
		locale, home string
		want         string
	}{
		{[]string{"en", "zh-CN"}, "zh-CN", "en", "in zh-CN"},
		{[]string{"en", "zh-CN"}, "zh", "en", "in zh-CN"},
		{[]string{"en", "zh-CN"}, "zh-Hans-SG", "en", "in zh-CN"},
		{[]string{"en", "zh-Hans"}, "zh-CN", "en", "in zh-Hans"},
		{[]string{"en", "zh-CN"}, "zh_CN.UTF-8", "en", "in zh-CN"},
		{[]string{"en", "zh-CN", "zh-TW"}, "zh-HK", "en", "in zh-TW"},
		{[]string{"en", "zh-CN", "zh-Hant"}, "zh-TW", "en", "in zh-Hant"},
		{[]string{"en", "zh-CN"}, "zh-TW", "en", "in zh-CN"},
		{[]string{"en", "pt-BR"}, "pt", "en", "in pt-BR"},
		{[]string{"en", "fr"}, "fr-CA", "en", "in fr"},
		{[]string{"en", "fr"}, "de", "fr", "in fr"},
		{[]string{"en", "fr"}, "de", "it", "in en"},
		{[]string{"fr", "it"}, "de", "en", "in fr"},
		{[]string{"en", "zh-CN"}, "", "zh-CN", "in zh-CN"},
		{[]string{"en"}, "\x00\xff-..@", "??", "in en"},
	} {
		x := all(c.has...)
		if got := x.pick(c.locale, c.home).fixed; got != c.want {
			t.Errorf("%v, asked for %q at home in %q: %q", c.has, c.locale, c.home, got)
		}
	}
	var none texts
	if none.pick("en", "en") != nil {
		t.Error("there is a text where there is none")
	}
}

// The order in which it is decided what stands for a message.
func TestD4_DigestOrder(t *testing.T) {
	r, _ := open(t, Config{})
	put(t, r, card())
	put(t, r, im.MessageType{Name: "acme:titled", Clients: true, Title: map[string]string{"en": "Order", "zh-CN": "订单"}})
	put(t, r, im.MessageType{Name: "acme:bare", Clients: true})
	body := `{"title":"Bike","price":1}`
	made := message("acme:card", body)
	if err := r.Check(made, false); err != nil || made.Digest != "[Card] Bike" {
		t.Fatalf("filled %q, %v", made.Digest, err)
	}
	own := message("acme:card", body)
	own.Digest = "look at this"
	burning := message("acme:card", body)
	burning.Burn = 5
	burning.Digest = "Bike"
	recalled := message("acme:card", "")
	recalled.Recalled = true
	group := message("an:group", `{"op":"add","by":"alice","users":["bob","carol"],"mver":"4"}`)
	group.Digest = "alice added bob and carol"
	unknownOp := message("an:group", `{"op":"paint","by":"alice"}`)
	unknownOp.Digest = "alice painted"
	for _, c := range []struct {
		name   string
		m      *im.Message
		en, zh string
	}{
		{"recalled", recalled, "A message was recalled", "消息已撤回"},
		{"burns", burning, "[Burn after reading]", "[阅后即焚]"},
		{"burns by its body", message("acme:card", `{"title":"Bike","burnDuration":3}`), "[Burn after reading]", "[阅后即焚]"},
		{"burns not", message("acme:card", `{"title":"Bike","burnDuration":0}`), "[Card] Bike", "[卡片] Bike"},
		{"an unknown type burns", message("acme:none", `{"burnDuration":3}`), "[Burn after reading]", "[阅后即焚]"},
		{"notice", group, "alice added bob and carol", "alice 邀请 bob、carol 加入了群聊"},
		{"notice of a newer server", unknownOp, "alice painted", "alice painted"},
		{"the sender's", own, "look at this", "look at this"},
		{"the template's", made, "[Card] Bike", "[卡片] Bike"},
		{"media", message("an:image", `{"url":"x"}`), "[Image]", "[图片]"},
		{"media with a name", message("an:file", `{"url":"x","name":"a.pdf"}`), "[File] a.pdf", "[文件] a.pdf"},
		{"text", message("an:text", "{\"content\":\"one\\ntwo\"}"), "one two", "one two"},
		{"title", message("acme:titled", "x"), "[Order]", "[订单]"},
		{"nothing", message("acme:bare", "x"), "", ""},
		{"unknown", message("acme:none", "x"), "", ""},
	} {
		if got := r.Digest(c.m, "en"); got != c.en {
			t.Errorf("%s: %q, not %q", c.name, got, c.en)
		}
		if got := r.Digest(c.m, "zh-CN"); got != c.zh {
			t.Errorf("%s in Chinese: %q, not %q", c.name, got, c.zh)
		}
	}
	unknown := message("acme:none", "x")
	unknown.Digest = "the sender's"
	if got := r.Digest(unknown, "zh-CN"); got != "the sender's" {
		t.Errorf("of an unknown type: %q", got)
	}
}

// A message of the app's own type is pushed only with a text for it; those of the
// server's types have one; nothing tells what burns.
func TestD4_PushText(t *testing.T) {
	r, _ := open(t, Config{})
	put(t, r, card())
	typ := card()
	typ.Name, typ.Push = "acme:push", map[string]string{"en": "{user.name}: {title}", "zh-CN": "{user.name}：{title}"}
	put(t, r, typ)
	body := `{"title":"Bike","price":1,"user":{"name":"Bo"}}`
	own := message("acme:card", body)
	own.Push = "the app's"
	command := message("an:command", `{"name":"x"}`)
	command.Flags = 0
	burning := message("acme:push", body)
	burning.Burn = 1
	filled := message("acme:push", body)
	if err := r.Check(filled, false); err != nil || filled.Push != "Bo: Bike" {
		t.Fatalf("filled %q, %v", filled.Push, err)
	}
	if err := r.Check(burning, false); err != nil || burning.Push != "" || burning.Digest != "[Burn after reading]" {
		t.Fatalf("one that burns: %q, %q, %v", burning.Push, burning.Digest, err)
	}
	for _, c := range []struct {
		name string
		m    *im.Message
		want string
	}{
		{"its own", own, "the app's"},
		{"no template", message("acme:card", body), ""},
		{"template", message("acme:push", body), "Bo：Bike"},
		{"filled in another language", filled, "Bo：Bike"},
		{"burns", burning, "[阅后即焚]"},
		{"the server's", message("an:image", `{"url":"x"}`), "[图片]"},
		{"a command", command, ""},
		{"unknown", message("acme:none", "{}"), ""},
	} {
		if got := r.PushText(c.m, "zh-CN"); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

func TestD5_SearchedWords(t *testing.T) {
	r, _ := open(t, Config{})
	put(t, r, card())
	got := r.Words(message("acme:card", `{"title":"Bike","photos":["a","b",3],"price":1,"other":"no"}`))
	if strings.Join(got, "|") != "Bike|a|b" {
		t.Errorf("%q", got)
	}
	if got := r.Words(message("an:text", `{"content":"hello 世界"}`)); len(got) != 1 || got[0] != "hello 世界" {
		t.Errorf("an:text: %q", got)
	}
	recalled := message("an:text", `{"content":"x"}`)
	recalled.Recalled = true
	for _, m := range []*im.Message{message("acme:none", `{"title":"x"}`), message("an:command", `{"name":"x"}`), message("acme:card", `{`), recalled} {
		if got := r.Words(m); got != nil {
			t.Errorf("%s %s: %q", m.Type, m.Body, got)
		}
	}
}
