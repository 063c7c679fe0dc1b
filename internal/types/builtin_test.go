package types

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/internal/im"
)

// example is a body of each of the server's types, for docs/MESSAGES.md.
var examples = []struct {
	name, rong, body string
	sdk              any // what client makes of it
}{
	{"an:text", "RC:TxtMsg", `{"content": "Hello"}`, client.TextBody{}},
	{"an:richtext", "", `{"content": "Read the manual", "spans": [{"start": 9, "length": 6, "style": "bold"}]}`, client.RichTextBody{}},
	{"an:image", "RC:ImgMsg", `{"url": "https://cdn.example.com/cat.jpg", "width": 1024, "height": 768, "size": 183000, "mime": "image/jpeg", "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj"}`, client.ImageBody{}},
	{"an:voice", "RC:HQVCMsg, RC:VcMsg", `{"url": "https://cdn.example.com/1.m4a", "duration": 4.2, "mime": "audio/mp4", "waveform": [0, 40, 90, 30]}`, client.VoiceBody{}},
	{"an:video", "RC:SightMsg", `{"url": "https://cdn.example.com/1.mp4", "duration": 9.5, "width": 1280, "height": 720, "size": 2100000}`, client.VideoBody{}},
	{"an:file", "RC:FileMsg", `{"url": "https://cdn.example.com/f/8231", "name": "offer.pdf", "size": 48211, "mime": "application/pdf"}`, client.FileBody{}},
	{"an:location", "RC:LBSMsg", `{"latitude": 31.2304, "longitude": 121.4737, "name": "People's Square"}`, client.LocationBody{}},
	{"an:location.live", "RC:RLStart, RC:RLEnd", `{"latitude": 31.2304, "longitude": 121.4737, "until": 1795000000000}`, client.LiveLocationBody{}},
	{"an:card", "RC:CardMsg", `{"kind": "user", "id": "bob", "name": "Bob"}`, client.CardBody{}},
	{"an:sticker", "RC:GIFMsg, RC:StkMsg", `{"pack": "cats", "id": "17", "name": "wave", "emoji": "👋", "url": "https://cdn.example.com/s/17.webp"}`, client.StickerBody{}},
	{"an:link", "RC:ImgTextMsg", `{"url": "https://example.com/news/1", "title": "It rains", "description": "And will go on to.", "site": "example.com"}`, client.LinkBody{}},
	{"an:merged", "RC:CombineMsg, RC:CombineV2Msg", `{"title": "Chat history of Alice and Bob", "digest": ["Alice: Hello", "Bob: Hi"], "messages": [{"sender": "alice", "name": "Alice", "time": 1795000000000, "type": "an:text", "body": {"content": "Hello"}}, {"sender": "bob", "name": "Bob", "time": 1795000001000, "type": "an:text", "body": {"content": "Hi"}}]}`, client.MergedBody{}},
	{"an:stream", "RC:StreamMsg", `{"text": "The answer is 42."}`, client.StreamBody{}},
	{"an:stream.part", "(chunks of RC:StreamMsg)", `{"stream": "0197c1f0-7d52-7c1b-9f5e-0242ac120002", "index": 3, "text": " is 42."}`, client.StreamPartBody{}},
	{"an:poll", "", `{"question": "Lunch?", "options": [{"id": "a", "text": "Noodles"}, {"id": "b", "text": "Rice"}], "multiple": false}`, client.PollBody{}},
	{"an:notice", "RC:InfoNtf", `{"content": "Bob is away until Monday"}`, client.NoticeBody{}},
	{"an:command", "RC:CmdMsg, RC:CmdNtf", `{"name": "refresh", "data": {"what": "orders"}}`, client.CommandBody{}},
	{"an:group", "RC:GrpNtf", `{"op": "add", "by": "alice", "users": ["carol"], "mver": "7"}`, client.GroupBody{}},
	{"an:custom", "RC:IWNormalMsg", `{"name": "order", "data": {"id": 8231}, "text": "Order 8231"}`, client.CustomBody{}},
}

// Every type has an example that its schema takes, and the SDK reads and writes it
// without losing a field or knowing one more.
func TestBuiltinExamples(t *testing.T) {
	all := Builtin()
	if len(all) != len(examples) {
		t.Errorf("%d types, %d examples", len(all), len(examples))
	}
	for _, x := range examples {
		i := slices.IndexFunc(all, func(t im.MessageType) bool { return t.Name == x.name })
		if i < 0 {
			t.Errorf("%s is none of the types", x.name)
			continue
		}
		typ := all[i]
		e, err := newEntry(typ)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.validate([]byte(x.body)); err != nil {
			t.Errorf("%s: the example: %v", x.name, err)
		}
		var schema struct {
			Properties map[string]json.RawMessage `json:"properties"`
		}
		if err := json.Unmarshal(typ.Schema, &schema); err != nil {
			t.Fatal(err)
		}
		if a, b := sortedKeys(schema.Properties), jsonKeys(reflect.TypeOf(x.sdk)); !slices.Equal(a, b) {
			t.Errorf("%s has the fields %v; client.%T has %v", x.name, a, x.sdk, b)
		}
		v := reflect.New(reflect.TypeOf(x.sdk)).Interface()
		if err := client.DecodeJSON([]byte(x.body), v); err != nil {
			t.Errorf("%s: the SDK cannot read it: %v", x.name, err)
		}
		b, err := client.EncodeJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.validate(b); err != nil {
			t.Errorf("%s: as the SDK writes it, %s: %v", x.name, b, err)
		}
	}
}

// jsonKeys are the JSON keys of a struct, sorted.
func jsonKeys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			out = append(out, jsonKeys(f.Type)...)
		case name != "" && name != "-":
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// bodies holds bodies to a type of the server's: what is taken, with its digest in
// English and Chinese, and what is refused, by what its error says.
type bodies struct {
	typ   string
	flags im.Flags
	good  [][3]string // body, digest, in Chinese
	bad   [][2]string
}

func (c bodies) test(t *testing.T) {
	t.Helper()
	r, _ := open(t, Config{})
	if f, ok := r.Flags(c.typ); !ok || f != c.flags {
		t.Errorf("%s has the flags %d, not %d", c.typ, f, c.flags)
	}
	client := c.typ != "an:group"
	for _, g := range c.good {
		m := message(c.typ, g[0])
		if err := r.Check(m, !client); err != nil {
			t.Errorf("%s %s: %v", c.typ, g[0], err)
			continue
		}
		if !bytes.Equal(m.Body, []byte(g[0])) {
			t.Errorf("%s was altered to %s", g[0], m.Body)
		}
		if en, zh := r.Digest(m, "en"), r.Digest(m, "zh-CN"); en != g[1] || zh != g[2] {
			t.Errorf("%s %s: the digests are %q and %q", c.typ, g[0], en, zh)
		}
	}
	for _, b := range c.bad {
		if err := r.Check(message(c.typ, b[0]), !client); err == nil || err.Code != im.CodeSchema || !strings.Contains(err.Text, b[1]) {
			t.Errorf("%s %s: %v does not say %q", c.typ, b[0], err, b[1])
		}
	}
}

// Text, picture, voice, video and file, with the keys that every body may have.
func TestC1_TextAndMedia(t *testing.T) {
	bodies{"an:text", 3, [][3]string{
		{`{"content":"Hello"}`, "Hello", "Hello"},
		{`{"content":"a\nb","user":{"id":"bob","name":"Bob"},"extra":"x","new":[1]}`, "a b", "a b"},
		{`not even JSON`, "", ""}, // not looked at: it is the most of all messages
	}, nil}.test(t)
	bodies{"an:image", 3, [][3]string{
		{`{"url":"x"}`, "[Image]", "[图片]"},
		{`{"url":"x","content":"aGk=","width":1,"height":1,"caption":"at sea","mentionedInfo":{"type":2,"userIdList":["bob"]},"burnDuration":0}`, "[Image] at sea", "[图片] at sea"},
		{`{"url":"x","caption":"secret","burnDuration":9}`, "[Burn after reading]", "[阅后即焚]"},
	}, [][2]string{
		{`{}`, "/url is missing"},
		{`{"url":""}`, "/url must have at least 1 character"},
		{`{"url":"x","width":0}`, "/width must be at least 1"},
		{`{"url":"x","content":"` + strings.Repeat("a", 32769) + `"}`, "/content must have at most 32768 characters"},
		{`{"url":"x","extra":{}}`, "/extra must be a string, not an object"},
		{`{"url":"x","burnDuration":-1}`, "/burnDuration must be at least 0"},
		{`{"url":"x","mentionedInfo":{"type":3}}`, "/mentionedInfo/type must be one of 1, 2"},
		{`{"url":"x","user":{"id":5}}`, "/user/id must be a string"},
	}}.test(t)
	bodies{"an:voice", 3, [][3]string{{`{"url":"x","duration":2.5,"waveform":[0,100]}`, "[Voice]", "[语音]"}},
		[][2]string{{`{"url":"x"}`, "/duration is missing"}, {`{"url":"x","duration":1,"waveform":[101]}`, "/waveform/0 must be at most 100"}}}.test(t)
	bodies{"an:video", 3, [][3]string{{`{"url":"x","duration":2}`, "[Video]", "[视频]"}}, [][2]string{{`{"duration":2}`, "/url is missing"}}}.test(t)
	bodies{"an:file", 3, [][3]string{{`{"url":"x","name":"a\u202Eb.pdf","size":5}`, "[File] ab.pdf", "[文件] ab.pdf"}},
		[][2]string{{`{"url":"x"}`, "/name is missing"}, {`{"url":"x","name":"a","sha256":"zz"}`, "/sha256 must match"}}}.test(t)
}

func TestC2_Stickers(t *testing.T) {
	bodies{"an:sticker", 3, [][3]string{{`{"pack":"cats","id":"17","name":"wave"}`, "[Sticker] wave", "[表情] wave"}, {`{"url":"x"}`, "[Sticker]", "[表情]"}},
		[][2]string{{`{"pack":1}`, "/pack must be a string"}}}.test(t)
}

func TestC3_Locations(t *testing.T) {
	bodies{"an:location", 3, [][3]string{{`{"latitude":31.23,"longitude":121.47,"name":"Bund"}`, "[Location] Bund", "[位置] Bund"}},
		[][2]string{{`{"latitude":91,"longitude":0}`, "/latitude must be at most 90"}, {`{"latitude":1}`, "/longitude is missing"}}}.test(t)
	bodies{"an:location.live", 3, [][3]string{
		{`{"latitude":1,"longitude":2,"until":5}`, "[Live location]", "[实时位置]"},
		{`{"latitude":1,"longitude":2,"until":5,"stopped":true}`, "[Live location ended]", "[实时位置已结束]"},
	}, [][2]string{{`{"latitude":1,"longitude":2}`, "/until is missing"}}}.test(t)
}

func TestC4_CardsRichTextLinks(t *testing.T) {
	bodies{"an:card", 3, [][3]string{{`{"id":"bob","name":"Bob"}`, "[Contact card] Bob", "[名片] Bob"}},
		[][2]string{{`{"name":"Bob"}`, "/id is missing"}, {`{"id":"x","kind":"bot"}`, `/kind must be one of "user", "group"`}}}.test(t)
	bodies{"an:richtext", 3, [][3]string{{`{"title":"T","content":"bold","spans":[{"start":0,"length":4,"style":"bold"}]}`, "T bold", "T bold"}},
		[][2]string{{`{"content":"x","spans":[{"start":0,"length":1,"style":"blink"}]}`, "/spans/0/style must be one of"}, {`{"content":"x","spans":[{"start":-1,"length":1,"style":"bold"}]}`, "/spans/0/start must be at least 0"}}}.test(t)
	bodies{"an:link", 3, [][3]string{{`{"url":"https://x","title":"News"}`, "[Link] News", "[链接] News"}}, [][2]string{{`{"title":"News"}`, "/url is missing"}}}.test(t)
}

func TestC5_MergedHistory(t *testing.T) {
	bodies{"an:merged", 3, [][3]string{{`{"title":"A and B","digest":["A: hi"],"messages":[{"sender":"a","time":1,"type":"acme:odd","body":[1]}]}`, "[Chat history] A and B", "[聊天记录] A and B"}},
		[][2]string{{`{"messages":[]}`, "/messages must have at least 1 item"}, {`{"messages":[{"sender":"a","time":1}]}`, "/messages/0/type is missing"},
			{`{"digest":["1","2","3","4","5","6"],"messages":[{"sender":"a","time":1,"type":"x"}]}`, "/digest must have at most 5 items"}}}.test(t)
}

func TestC6_Streams(t *testing.T) {
	bodies{"an:stream", 3, [][3]string{{`{"text":"**42**","interrupted":true,"model":"x"}`, "**42**", "**42**"}}, [][2]string{{`{}`, "/text is missing"}}}.test(t)
	bodies{"an:stream.part", im.Status, [][3]string{{`{"stream":"s","index":0,"text":"4"}`, "[Part of a stream]", "[流式消息片段]"}}, nil}.test(t)
}

func TestC7_PollBodies(t *testing.T) {
	bodies{"an:poll", 3, [][3]string{{`{"question":"Lunch?","options":[{"id":"a","text":"A"},{"id":"b","text":"B"}],"multiple":true,"max":2,"anonymous":true,"closes":5}`, "[Poll] Lunch?", "[投票] Lunch?"}},
		[][2]string{{`{"question":"?","options":[{"id":"a","text":"A"}]}`, "/options must have at least 2 items"}, {`{"question":"?","options":[{"id":"a","text":"A"},{"text":"B"}]}`, "/options/1/id is missing"}}}.test(t)
}

// A command is numbered and delivered later too, adds to no count and is not shown: 0.
func TestC8_Commands(t *testing.T) {
	bodies{"an:command", 0, [][3]string{{`{"name":"refresh","data":{"a":[1]}}`, "[Command]", "[命令]"}}, [][2]string{{`{"data":1}`, "/name is missing"}}}.test(t)
	r, _ := open(t, Config{})
	m := message("an:command", `{"name":"x"}`)
	m.Flags = 0
	if err := r.Check(m, false); err != nil || m.Digest != "" || m.Push != "" {
		t.Errorf("it was given %q, %q, %v", m.Digest, m.Push, err)
	}
}

// A grey line is kept and not counted.
func TestC10_Notices(t *testing.T) {
	bodies{"an:notice", im.Persist, [][3]string{{`{"content":"Bob is away"}`, "Bob is away", "Bob is away"}}, [][2]string{{`{"content":""}`, "/content must have"}}}.test(t)
	bodies{"an:group", im.Persist, [][3]string{
		{`{"op":"create","by":"alice","name":"Devs","mver":"1"}`, "alice made the group “Devs”", "alice 创建了群聊“Devs”"},
		{`{"op":"create","by":"alice"}`, "alice made the group without a name", "alice 创建了群聊"},
		{`{"op":"add","by":"a","users":["1","2","3","4","5","6","7"]}`, "a added 1, 2, 3, 4, 5 and 2 more", "a 邀请 1、2、3、4、5 等另外 2 人 加入了群聊"},
		{`{"op":"remove","by":"a","users":["b"]}`, "a removed b", "a 将 b 移出了群聊"},
		{`{"op":"leave","by":"a"}`, "a left", "a 退出了群聊"},
		{`{"op":"join","by":"a"}`, "a joined", "a 加入了群聊"},
		{`{"op":"close","by":"a"}`, "a closed the group", "a 解散了群聊"},
		{`{"op":"role","by":"a","users":["b"],"role":"owner"}`, "a handed the group over to b", "a 将群主转让给了 b"},
		{`{"op":"role","by":"a","users":["b"],"role":"admin"}`, "a made b admin", "a 将 b 设为管理员"},
		{`{"op":"role","by":"a","users":["b"],"role":"member"}`, "a made b member", "a 将 b 设为普通成员"},
		{`{"op":"mute","by":"a","users":["b"],"until":"1795000000000"}`, "a muted b", "a 将 b 禁言"},
		{`{"op":"mute","by":"a","users":["b"],"until":0}`, "a let b speak again", "a 解除了 b 的禁言"},
		{`{"op":"update","by":"a","name":"New"}`, "a named the group “New”", "a 将群名改为“New”"},
		{`{"op":"update","by":"a","mute":true}`, "a let only admins speak", "a 开启了全员禁言"},
		{`{"op":"update","by":"a","join":"open"}`, "a changed the group's settings", "a 修改了群设置"},
	}, [][2]string{{`{"op":"add"}`, "/by is missing"}}}.test(t)
}

// A type that nobody registered is passed on byte for byte, and nothing is said of it;
// one of a newer client of ours too.
func TestD7_UnknownTypesPass(t *testing.T) {
	r, _ := open(t, Config{})
	for _, name := range []string{"acme:new", "an:hologram", "app:card"} {
		m := message(name, "\x00\x01\xff raw")
		if err := r.Check(m, false); err != nil || string(m.Body) != "\x00\x01\xff raw" || m.Digest != "" || m.Push != "" || m.Flags != 3 {
			t.Errorf("%s: %v, %+v", name, err, m)
		}
		if _, ok := r.Flags(name); ok {
			t.Errorf("%s has flags", name)
		}
		if d := r.Digest(m, "en"); d != "" {
			t.Errorf("%s has the digest %q", name, d)
		}
	}
}

// A media type of the app's own is one with a schema: the client uploads first and
// sends the URL. The server's media types have the same keys, so that a client can
// handle all alike.
func TestD8_MediaKeysAreAlike(t *testing.T) {
	for _, name := range []string{"an:image", "an:voice", "an:video", "an:file"} {
		typ := Builtin()[slices.IndexFunc(Builtin(), func(t im.MessageType) bool { return t.Name == name })]
		var schema struct {
			Required   []string
			Properties map[string]json.RawMessage
		}
		if err := json.Unmarshal(typ.Schema, &schema); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(schema.Required, "url") || schema.Properties["size"] == nil || schema.Properties["mime"] == nil {
			t.Errorf("%s lacks url, size or mime", name)
		}
	}
}

// The server's own schemas look at a value a few times, so that no body of theirs is
// refused for its length alone.
func TestBuiltinCosts(t *testing.T) {
	for _, typ := range Builtin() {
		if _, cost, err := compile(typ.Schema); err != nil || cost > 3 {
			t.Errorf("%s: %d looks at a value, %v", typ.Name, cost, err)
		}
	}
}
