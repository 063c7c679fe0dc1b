package client_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// bodies are those that this package knows, by object name.
var bodies = map[string]any{
	client.TypeText: &client.TextBody{}, client.TypeRichText: &client.RichTextBody{}, client.TypeImage: &client.ImageBody{},
	client.TypeVoice: &client.VoiceBody{}, client.TypeVideo: &client.VideoBody{}, client.TypeFile: &client.FileBody{},
	client.TypeLocation: &client.LocationBody{}, client.TypeLiveLocation: &client.LiveLocationBody{}, client.TypeCard: &client.CardBody{},
	client.TypeSticker: &client.StickerBody{}, client.TypeLink: &client.LinkBody{}, client.TypeMerged: &client.MergedBody{},
	client.TypeStream: &client.StreamBody{}, client.TypeStreamPart: &client.StreamPartBody{}, client.TypePoll: &client.PollBody{},
	client.TypeNotice: &client.NoticeBody{}, client.TypeCommand: &client.CommandBody{}, client.TypeCustom: &client.CustomBody{},
	client.TypeGroup: &client.GroupBody{},
}

type schema struct {
	Type       any
	Items      *schema
	Properties map[string]*schema
}

// The bodies are what the server's schemas say: every field, no other, and every type.
func TestC1_BodiesAreThoseOfTheSchemas(t *testing.T) {
	files, err := filepath.Glob("../internal/types/builtin/*.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d schemas, %v", len(files), err)
	}
	seen := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var def struct {
			Name   string
			Flags  []string
			Schema *schema
		}
		if err := json.Unmarshal(b, &def); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "reserved.json" {
			var reserved map[string]*schema
			if err := json.Unmarshal(b, &reserved); err != nil {
				t.Fatal(err)
			}
			compare(t, "reserved", reserved, reflect.TypeFor[client.Base]())
			continue
		}
		seen++
		v := bodies[def.Name]
		if v == nil {
			t.Errorf("%s has no body here", def.Name)
			continue
		}
		compare(t, def.Name, def.Schema.Properties, reflect.TypeOf(v).Elem())
		if got := (&client.Message{Type: def.Name, Body: []byte("{}")}).Value(); reflect.TypeOf(got) != reflect.TypeOf(v) {
			t.Errorf("%s is decoded as %T", def.Name, got)
		}
	}
	if seen != len(bodies) {
		t.Errorf("%d schemas and %d bodies", seen, len(bodies))
	}
}

func compare(t *testing.T, at string, want map[string]*schema, body reflect.Type) {
	t.Helper()
	got := map[string]reflect.Type{}
	for i := range body.NumField() {
		f := body.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && name != "-" {
			got[name] = f.Type
		}
	}
	for k, s := range want {
		ft, ok := got[k]
		if !ok {
			t.Errorf("%s.%s is not in %v", at, k, body)
			continue
		}
		delete(got, k)
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		kind := map[any]reflect.Kind{"string": reflect.String, "boolean": reflect.Bool, "array": reflect.Slice, "object": reflect.Struct}
		if name, isOne := s.Type.(string); isOne && kind[name] != 0 && kind[name] != ft.Kind() {
			t.Errorf("%s.%s is a %v and not a %v", at, k, ft, name)
		}
		if s.Items != nil && s.Items.Properties != nil {
			compare(t, at+"."+k, s.Items.Properties, ft.Elem())
		}
		if s.Properties != nil && ft.Kind() == reflect.Struct {
			compare(t, at+"."+k, s.Properties, ft)
		}
	}
	for k := range got {
		t.Errorf("%s.%s is in no schema", at, k)
	}
}

// What a type does not know of a body is there again when it is written.
func TestD2_UnknownKeysSurvive(t *testing.T) {
	for name := range bodies {
		in := `{"user":{"id":"u1","name":"Ann"},"extra":"x<&>","burnDuration":7,"mentionedInfo":{"type":2,"userIdList":["bob"]},"newer":{"a":[1,"二"]},"zz":null}`
		m := &client.Message{Type: name, Body: []byte(in)}
		v := m.Value()
		if u, bad := v.(*client.Undecoded); bad {
			t.Fatalf("%s: %v", name, u.Err)
		}
		if name == client.TypeGroup {
			continue // the server's alone
		}
		out, err := client.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		var a, b map[string]any
		if err := errors.Join(json.Unmarshal([]byte(in), &a), json.Unmarshal(out.Body, &b)); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out.Body)
		}
		for k, want := range a {
			if !reflect.DeepEqual(b[k], want) {
				t.Errorf("%s: %s came back as %v: %s", name, k, b[k], out.Body)
			}
		}
		if out.Burn.Seconds() != 7 || !slices.Equal(out.Mentions, []string{"bob"}) || out.Type != name {
			t.Errorf("%s: %+v", name, out)
		}
		if !strings.Contains(string(out.Body), `"x<&>"`) {
			t.Errorf("%s: characters were escaped: %s", name, out.Body)
		}
	}
}

type card struct {
	client.Base
	Title string `json:"title"`
}

func (c *card) Digest() string            { return "[Card] " + c.Title }
func (c *card) SearchableWords() []string { return []string{c.Title} }

// coin has bytes of its own.
type coin struct{ heads bool }

func (c coin) Encode() ([]byte, error) {
	return []byte{map[bool]byte{true: 'h', false: 't'}[c.heads]}, nil
}
func (c *coin) Decode(b []byte) error {
	if len(b) != 1 {
		return errors.New("no coin")
	}
	c.heads = b[0] == 'h'
	return nil
}

func register[T any](t *testing.T, name string, f client.Flags, o ...client.TypeOption) {
	t.Helper()
	if err := client.Register[T](name, f, o...); err != nil {
		t.Fatal(err)
	}
}

func TestD1_RegisteredTypes(t *testing.T) {
	register[card](t, "test:card", client.Counted)
	register[coin](t, "test:coin", client.Command, client.Title("en", "Coin"), client.Title("zh-CN", "硬币"))
	for _, v := range []any{card{Title: "A"}, &card{Title: "A"}} {
		o, err := client.Encode(v)
		if err != nil || o.Type != "test:card" || string(o.Body) != `{"title":"A"}` || o.Digest != "[Card] A" {
			t.Errorf("%+v %v", o, err)
		}
	}
	o, err := client.Encode(coin{true})
	if err != nil || string(o.Body) != "h" {
		t.Errorf("%+v %v", o, err)
	}
	m := &client.Message{Type: "test:coin", Body: []byte("h")}
	if c, ok := m.Value().(*coin); !ok || !c.heads {
		t.Errorf("%#v", m.Value())
	}
	if en, zh := m.Line("en-US"), m.Line("zh_CN"); en != "[Coin]" || zh != "[硬币]" {
		t.Error(en, zh)
	}
	// Bytes that cannot be decoded stay, and go on as they came.
	m.Body = []byte("edge")
	u, ok := m.Value().(*client.Undecoded)
	if !ok || string(u.Body) != "edge" || u.Err == nil || u.Type != "test:coin" {
		t.Fatalf("%#v", m.Value())
	}
	if o, err = client.Encode(u); err != nil || string(o.Body) != "edge" || o.Type != "test:coin" {
		t.Errorf("%+v %v", o, err)
	}
	// A wrong shape of a key of ours, too.
	m = &client.Message{Type: client.TypeText, Body: []byte(`{"content":"hi","extra":{}}`)}
	if u, ok := m.Value().(*client.Undecoded); !ok || len(u.Body) == 0 {
		t.Errorf("%#v", m.Value())
	}
	// What is not registered.
	m = &client.Message{Type: "other:thing", Body: []byte{1, 2}, Digest: "[Thing]"}
	if u, ok := m.Value().(*client.Unknown); !ok || u.Type != "other:thing" || len(u.Body) != 2 || m.Line("") != "[Thing]" {
		t.Errorf("%#v %s", m.Value(), m.Line(""))
	}
	if _, err := client.Encode(&client.Unknown{Type: "other:thing"}); !client.IsCode(err, wire.CodeNoType) {
		t.Error(err)
	}
	if _, err := client.Encode(struct{ A int }{}); !client.IsCode(err, wire.CodeNoType) {
		t.Error(err)
	}
	if _, err := client.Encode(nil); !client.IsCode(err, wire.CodeInvalid) {
		t.Error(err)
	}
	// Names that are none, or ours; flags that are none. The later registration wins.
	for _, name := range []string{"", "an:mine", strings.Repeat("x", 65), "a\xff"} {
		if err := client.Register[card](name, client.Counted); !client.IsCode(err, wire.CodeInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := client.Register[card]("test:card", 2); !client.IsCode(err, wire.CodeInvalid) {
		t.Error(err)
	}
	type newCard struct{ Title string }
	register[newCard](t, "test:card", client.Stored)
	if v, ok := (&client.Message{Type: "test:card", Body: []byte(`{"Title":"B"}`)}).Value().(*newCard); !ok || v.Title != "B" {
		t.Errorf("%#v", v)
	}
	if _, err := client.Encode(&card{}); !client.IsCode(err, wire.CodeNoType) {
		t.Error("the earlier registration still holds:", err)
	}
}

// The order of what stands for a message.
func TestD4_Line(t *testing.T) {
	register[card](t, "test:digest", client.Counted)
	long := strings.Repeat("长", 600)
	for _, c := range []struct {
		m      client.Message
		en, zh string
	}{
		{client.Message{Type: client.TypeText, Body: []byte(`{"content":"a\n b"}`)}, "a b", "a b"},
		{client.Message{Type: client.TypeText, Body: []byte(`{"content":"s","burnDuration":5}`)}, "[Burn after reading]", "[阅后即焚]"},
		{client.Message{Type: client.TypeText, Body: []byte(`{"content":"s"}`), Burn: 5e9}, "[Burn after reading]", "[阅后即焚]"},
		{client.Message{Type: client.TypeText, Recalled: true}, "[Recalled]", "[消息已撤回]"},
		{client.Message{Type: client.TypeText, Recalled: true, Silent: true}, "", ""},
		{client.Message{Type: client.TypeImage, Body: []byte(`{"url":"u"}`), Digest: "[Bild]"}, "[Image]", "[图片]"},
		{client.Message{Type: client.TypeFile, Body: []byte(`{"url":"u","name":"a.pdf"}`)}, "[File] a.pdf", "[文件] a.pdf"},
		{client.Message{Type: client.TypeGroup, Body: []byte(`{"op":"add","by":"ann","users":["bob","eve"],"mver":"7"}`)}, "ann added bob, eve", "ann 邀请 bob, eve 加入"},
		{client.Message{Type: client.TypeGroup, Body: []byte(`{"op":"mute","by":"ann","users":["bob"],"until":1700000000000}`)}, "ann muted bob", "ann 禁言了 bob"},
		{client.Message{Type: "test:digest", Body: []byte(`{"title":"` + long + `"}`)}, "[Card] " + long[:3*493] + "...", "[Card] " + long[:3*493] + "..."},
		{client.Message{Type: "none:such"}, "[none:such]", "[none:such]"},
		{client.Message{Type: "none:such", Digest: "line\nline"}, "line line", "line line"},
		{client.Message{Type: client.TypePoll, Body: []byte(`not json`), Digest: "[Poll] x"}, "[Poll] x", "[Poll] x"},
	} {
		if en, zh := c.m.Line("en"), c.m.Line("zh-CN"); en != c.en || zh != c.zh {
			t.Errorf("%s %s: %q %q, not %q %q", c.m.Type, c.m.Body, en, zh, c.en, c.zh)
		}
	}
}
