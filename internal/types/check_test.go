package types

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// A body that breaks its schema is refused with the field that does and the reason, in
// one sentence; one that keeps to it passes untouched.
func TestD10_SchemaNamesTheField(t *testing.T) {
	r, _ := open(t, Config{})
	typ := card()
	typ.Schema = []byte(`{
		"type": "object", "required": ["title"], "additionalProperties": true,
		"properties": {
			"title": {"type": "string", "minLength": 1, "maxLength": 5},
			"price": {"type": "number", "minimum": 0, "multipleOf": 0.01},
			"count": {"type": "integer", "exclusiveMaximum": 10},
			"state": {"enum": ["open", "closed"]},
			"kind": {"const": 1},
			"mail": {"format": "email"},
			"code": {"pattern": "^[A-Z]{3}$"},
			"tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": true},
			"user": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {"name": {"type": ["string", "null"]}, "a/b~c": {"type": "boolean"}}},
			"shape": {"oneOf": [
				{"type": "object", "required": ["kind", "r"], "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}},
				{"type": "object", "required": ["kind", "w", "h"], "properties": {"kind": {"const": "box"}, "w": {"type": "number"}, "h": {"type": "number", "minimum": 1}}}
			]},
			"any": {"anyOf": [{"type": "string"}, {"type": "integer"}]}
		}}`)
	put(t, r, typ)
	for _, c := range []struct{ body, says string }{
		{`{"title":"x"}`, ""},
		{`{"title":"x","price":0.07,"count":9,"state":"open","kind":1,"mail":"a@b.c","code":"ABC","tags":["a","b"],"user":{"name":null},"shape":{"kind":"box","w":1,"h":2},"any":3,"other":{}}`, ""},
		{`{}`, "/title is missing"},
		{`[]`, "the body of acme:card must be an object, not an array"},
		{`{"title":1}`, "/title must be a string, not a number"},
		{`{"title":""}`, "/title must have at least 1 character, not 0"},
		{`{"title":"abcdef"}`, "/title must have at most 5 characters, not 6"},
		{`{"title":"x","price":-1}`, "/price must be at least 0, not -1"},
		{`{"title":"x","price":0.071}`, "/price must be a multiple of 0.01"},
		{`{"title":"x","count":1.5}`, "/count must be a whole number, not a number"},
		{`{"title":"x","count":10}`, "/count must be below 10, not 10"},
		{`{"title":"x","state":"odd"}`, `/state must be one of "open", "closed"`},
		{`{"title":"x","kind":2}`, "/kind must be 1"},
		{`{"title":"x","mail":"nobody"}`, "/mail must be a valid email"},
		{`{"title":"x","code":"abc"}`, "/code must match the pattern ^[A-Z]{3}$"},
		{`{"title":"x","tags":["a",2]}`, "/tags/1 must be a string, not a number"},
		{`{"title":"x","tags":["a","b","c"]}`, "/tags must have at most 2 items, not 3"},
		{`{"title":"x","tags":["a","a"]}`, "/tags must not hold the same twice"},
		{`{"title":"x","user":{}}`, "/user/name is missing"},
		{`{"title":"x","user":{"name":5}}`, "/user/name must be null or a string, not a number"},
		{`{"title":"x","user":{"name":"a","a/b~c":1}}`, "/user/a~1b~0c must be a boolean"},
		{`{"title":"x","user":{"name":"a","x/y":1}}`, "/user/x~1y is not known to the schema"},
		{`{"title":"x","shape":{"kind":"box","w":1,"h":0}}`, "/shape/h must be at least 1, not 0"},
		{`{"title":"x","shape":5}`, "/shape is none of what the schema allows"},
		{`{"title":"x","any":true}`, "/any is none of what the schema allows"},
		{`{"title":"x"`, "is not JSON: at byte"},
		{``, "is not JSON"},
		{"{\"title\":\"a\xff\"}", ""}, // as encoding/json: U+FFFD
		{`{"title":"x","title":"y"}`, `has "title" twice`},
		{`{"title":"x","n":1e9999}`, "exponent"},
		{`{"title":"x","n":` + strings.Repeat("1", 101) + `}`, "101 characters"},
		{`{"title":"x","n":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, "levels deep"},
	} {
		m := message("acme:card", c.body)
		err := r.Check(m, false)
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", c.body, err)
			}
			if string(m.Body) != c.body {
				t.Errorf("%s was altered: %s", c.body, m.Body)
			}
			continue
		}
		switch {
		case err == nil:
			t.Errorf("%s passes; it should say %q", c.body, c.says)
		case err.Kind != im.Invalid || err.Code != im.CodeSchema:
			t.Errorf("%s: kind %v, code %d", c.body, err.Kind, err.Code)
		case !strings.Contains(err.Text, c.says) || !strings.Contains(err.Text, "acme:card"):
			t.Errorf("%s: %q is not in %q", c.body, c.says, err.Text)
		case strings.ContainsAny(err.Text, "\n\r\t"):
			t.Errorf("%s: more than one line: %q", c.body, err.Text)
		}
	}
}

// fields are n fields, each with the same schema.
func fields(n int, schema string) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"f%d":%s`, i, schema))
	}
	return strings.Join(list, ",")
}

func numbers(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(i))
	}
	return strings.Join(list, ",")
}

// A schema whose checking a body could make dear is not taken; one that is only large,
// or recurses once, is.
func TestD10_CostIsBounded(t *testing.T) {
	double := func(levels int) string { // each level refers twice to the next
		var b strings.Builder
		b.WriteString(`{"$ref":"#/$defs/a0","$defs":{`)
		for i := range levels {
			fmt.Fprintf(&b, `"a%d":{"allOf":[{"$ref":"#/$defs/a%d"},{"$ref":"#/$defs/a%d"}]},`, i, i+1, i+1)
		}
		fmt.Fprintf(&b, `"a%d":{"type":"object"}}}`, levels)
		return b.String()
	}
	var variants []string
	for i := range 60 {
		variants = append(variants, fmt.Sprintf(`{"properties":{"kind":{"const":%d},"v%d":{"type":"string"}}}`, i, i))
	}
	for _, c := range []struct {
		name, schema string
		ok           bool
	}{
		{"a tree", `{"type":"object","properties":{"left":{"$ref":"#"},"right":{"$ref":"#"},"v":{"type":"number"}}}`, true},
		{"a list of itself", `{"type":"array","items":{"$ref":"#"}}`, true},
		{"an expression", `{"oneOf":[{"type":"number"},{"required":["and"],"properties":{"and":{"type":"array","items":{"$ref":"#"}}}},{"required":["not"],"properties":{"not":{"$ref":"#"}}}]}`, true},
		{"sixty variants", `{"oneOf":[` + strings.Join(variants, ",") + `]}`, true},
		{"doubled three times", double(3), true},
		{"doubled thirty times", double(30), false},
		{"two branches to one field", `{"anyOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`, false},
		{"a field and all fields", `{"properties":{"a":{"$ref":"#"}},"allOf":[{"additionalProperties":{"$ref":"#"}}]}`, false},
		{"two branches to items", `{"anyOf":[{"items":{"$ref":"#"}},{"contains":{"$ref":"#"}}]}`, false},
		{"five hundred fields of a kind of five hundred", `{"properties":{` + fields(500, `{"$ref":"#/$defs/b"}`) + `},"$defs":{"b":{"properties":{` + fields(500, `{}`) + `}}}}`, true},
		{"an enum of two thousand words", `{"enum":["` + strings.Join(strings.Split(strings.Repeat("x", 2000), ""), strings.Repeat("y", 3)+`","`) + `"]}`, true},
		{"an enum of a thousand numbers", `{"items":{"enum":[` + numbers(1000) + `]}}`, false},
		{"an enum of a hundred numbers", `{"items":{"enum":[` + numbers(100) + `]}}`, true},
		{"patterns", `{"patternProperties":{` + fields(300, `{}`) + `}}`, false},
		{"itself in place", `{"allOf":[{"$ref":"#"}]}`, false},
		{"a circle in place", `{"$ref":"#/$defs/a","$defs":{"a":{"not":{"$ref":"#/$defs/b"}},"b":{"anyOf":[{"$ref":"#/$defs/a"}]}}}`, false},
	} {
		began := time.Now()
		_, _, err := compile([]byte(c.schema))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%s: it took %v", c.name, d)
		} else {
			t.Logf("%s: %v", c.name, d.Round(time.Millisecond/10))
		}
	}
}

// What a message costs that nobody looks into: nothing.
func TestCheckAllocatesNothing(t *testing.T) {
	r, _ := open(t, Config{})
	put(t, r, im.MessageType{Name: "acme:plain", Clients: true, MaxBytes: 1000, Title: map[string]string{"en": "Plain"}})
	for _, name := range []string{"an:text", "acme:plain", "acme:unknown"} {
		m := message(name, `{"content":"hello"}`)
		if n := testing.AllocsPerRun(1000, func() {
			if r.Check(m, false) != nil {
				t.Fatal("refused")
			}
			r.Flags(m.Type)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if m.Digest != "" || m.Push != "" {
			t.Errorf("%s was given the digest %q", name, m.Digest)
		}
	}
}

func TestDecodeAsEncodingJSON(t *testing.T) {
	for _, s := range []string{`{}`, `[]`, ` [ 1 , -2.5e3 , "a\u00e9\n\ud83d\ude00" , true,false , null ] `, `"\ud800"`, `{"a":{"b":[{}]}}`, `0`, `"é"`, `{"a\u0062":1}`} {
		got, err := decode([]byte(s))
		if err != nil {
			t.Fatal(s, err)
		}
		if a, b := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", std(t, s)); a != b {
			t.Errorf("%s: %s, not %s", s, a, b)
		}
	}
}

func std(t testing.TB, s string) (v any) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(s, err)
	}
	return v
}

// decode reads what encoding/json reads, or refuses it.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}]}`, `"\ud83d\ude00"`, `1e400`, `[[[[]]]]`, `{"a":1,"a":2}`, "\"\xff\"", ` "a\\\"b" `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := decode([]byte(s))
		if err != nil {
			return
		}
		if a, b := fmt.Sprintf("%#v", v), fmt.Sprintf("%#v", std(t, s)); a != b {
			t.Errorf("%s: %s, not %s", s, a, b)
		}
	})
}

// No bytes make Check panic, or fill in what is no line.
func FuzzCheck(f *testing.F) {
	r, _ := open(f, Config{})
	typ := card()
	typ.Push = map[string]string{"en": "{user.name}: {photos, plural, one {# photo} other {# photos}}"}
	put(f, r, typ)
	f.Add("acme:card", `{"title":"x\u0007\u2028y","price":1,"photos":["a"],"user":{"name":"\u202e"}}`)
	f.Add("an:poll", `{"question":"?","options":[{"id":"a","text":"b"},{"id":"c","text":"d"}]}`)
	f.Add("an:group", `{"op":"mute","by":"x","users":["a",1,null],"until":"5"}`)
	f.Fuzz(func(t *testing.T, name, body string) {
		m := message(name, body)
		r.Check(m, true)
		for _, s := range []string{m.Digest, m.Push, r.Digest(m, "zh-CN"), r.Digest(m, ""), r.PushText(m, "en")} {
			if s != line(s) || len([]rune(s)) > maxLine {
				t.Errorf("no line: %q", s)
			}
		}
		if len(m.Digest) > maxStored || len(m.Push) > maxStored {
			t.Errorf("%d and %d bytes to be stored", len(m.Digest), len(m.Push))
		}
	})
}

// No schema makes compile panic or last, and none that it takes makes a body do so.
func FuzzSchema(f *testing.F) {
	f.Add(cardSchema, `{"title":"x","price":1}`)
	f.Add(`{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/a"}}}}`, `[[[]]]`)
	f.Add(`{"if":{"type":"string"},"then":{"minLength":2},"else":false}`, `"a"`)
	f.Add(`{"unevaluatedProperties":false,"dependentSchemas":{"a":{"properties":{"b":true}}}}`, `{"a":1,"b":2}`)
	f.Add(`{"$id":"http://x/y","$anchor":"q","not":{"$ref":"#q"}}`, `1`)
	f.Fuzz(func(t *testing.T, schema, body string) {
		e, err := newEntry(im.MessageType{Name: "acme:x", Schema: []byte(schema)})
		if err != nil || e.schema == nil {
			return
		}
		if _, err := e.validate([]byte(body)); err != nil && err.Text == "" {
			t.Error("refused without a word")
		}
	})
}

// What a check costs, to be reported beside the figures of the message path.
func BenchmarkCheck(b *testing.B) {
	r, _ := open(b, Config{})
	plain := card()
	plain.Name, plain.Digest = "acme:nodigest", nil
	put(b, r, card())
	put(b, r, plain)
	const small = `{"title":"A bicycle, hardly used","price":120.50,"photos":["https://cdn.example.com/1.jpg","https://cdn.example.com/2.jpg"],"user":{"name":"Alice"}}`
	for _, c := range []struct{ name, typ, body string }{
		{"text", "an:text", `{"content":"hello"}`},
		{"unregistered", "acme:none", small},
		{"schema", "acme:nodigest", small},
		{"schema+digest", "acme:card", small},
		{"image", "an:image", `{"url":"https://cdn.example.com/1.jpg","width":1024,"height":768,"size":123456,"mime":"image/jpeg"}`},
		{"image+thumb16K", "an:image", `{"url":"https://cdn.example.com/1.jpg","content":"` + strings.Repeat("A", 16<<10) + `"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := message(c.typ, c.body)
			b.ReportAllocs()
			for b.Loop() {
				m.Digest = ""
				if err := r.Check(m, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
