package wire_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/anser-im/anser/wire"
	"google.golang.org/protobuf/proto"
)

func readSend(unit string) (*wire.Send, error) {
	m := new(wire.Send)
	err := wire.JSON.Each([]byte(unit), 0, func(f wire.Frame) error { return wire.JSON.Decode(f, m) })
	return m, err
}

// A body that is JSON comes out as it went in, byte by byte; any other as base64.
func TestJSONBody(t *testing.T) {
	for _, c := range []struct {
		body string
		raw  bool
	}{
		{`{}`, true}, {`{ "a" : [ 1.0e+05 , true ]` + "\n\t}", true}, {`null`, true}, {`"x"`, true},
		{`-0`, true}, {`0`, true}, {`1e400`, true}, {`"\ud800"`, true}, {`{"a":1,"a":2}`, true}, {`"</script>é` + "\u2028\"", true},
		{strings.Repeat("[", 64) + strings.Repeat("]", 64), true},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), false},
		{` {}`, false}, {"{}\n", false}, {`{}{}`, false}, {`nul`, false}, {`01`, false}, {`1.`, false}, {`.5`, false}, {`+1`, false},
		{`1e`, false}, {`--1`, false}, {`-`, false}, {`NaN`, false}, {`'x'`, false}, {`{"a":1,}`, false}, {`[1,]`, false}, {`{a:1}`, false},
		{`[1 2]`, false}, {"\"\x01\"", false}, {"\"\xff\"", false}, {"\"\xed\xa0\x80\"", false}, {`"\x"`, false}, {`"\u12g4"`, false}, {`"`, false}, {`"\`, false},
		{"hello", false}, {"\x00", false}, {`[`, false}, {`{"a"`, false}, {`{"a":`, false},
	} {
		if got := json.Valid([]byte(c.body)); c.raw && !got {
			t.Errorf("encoding/json does not take %q", c.body)
		}
		m := &wire.Send{Id: "1", Body: []byte(c.body)}
		out, err := wire.JSON.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(out) {
			t.Errorf("no JSON: %s", out)
		}
		if raw := bytes.Contains(out, []byte(`"body":`)); raw != c.raw {
			t.Errorf("%q in %s", c.body, out)
		}
		back, err := readSend(string(out))
		if err != nil || string(back.Body) != c.body {
			t.Errorf("%q came back as %q, %v", c.body, back.Body, err)
		}
	}
}

func TestJSONTakes(t *testing.T) {
	for unit, want := range map[string]*wire.Send{
		` { "id" : "1" , "t" : "send" } `:                                               {Id: "1"},
		`{"t":"send","id":null,"flags":null,"options":null,"body_base64":null}`:         {},
		`{"t":"send","body":null}`:                                                      {Body: []byte("null")},
		`{"t":"send","flags":0}`:                                                        {Flags: ptr(uint32(0))},
		`{"t":"send","flags":"3"}`:                                                      {Flags: ptr(uint32(3))},
		`{"t":"send","flags":3.00}`:                                                     {Flags: ptr(uint32(3))},
		`{"t":"send","options":{"reply_to":7,"expires":-7}}`:                            {Options: &wire.SendOptions{ReplyTo: 7, Expires: -7}},
		`{"t":"send","options":{"reply_to":"18446744073709551615"}}`:                    {Options: &wire.SendOptions{ReplyTo: 1<<64 - 1}},
		`{"t":"send","options":{"reply_to":9007199254740992}}`:                          {Options: &wire.SendOptions{ReplyTo: 1 << 53}},
		`{"t":"send","options":{"expires":"-9223372036854775808"}}`:                     {Options: &wire.SendOptions{Expires: -1 << 63}},
		`{"t":"send","options":{"to":[],"mentions":{"all":false}}}`:                     {Options: &wire.SendOptions{Mentions: &wire.Mentions{}}},
		`{"t":"send","id":"\u0041\ud83d\ude00\n\"\\\/"}`:                                {Id: "A😀\n\"\\/"},
		`{"t":"send","\u0069d":"x"}`:                                                    {Id: "x"},
		`{"t":"send","unknown":"1","unknown":"2","deep":[[[{}]]]}`:                      {},
		`{"t":"send","body_base64":"AP8="}`:                                             {Body: []byte{0, 0xff}},
		`[{"t":"send","id":"1"}]`:                                                       {Id: "1"},
		`{"t":"send","body":` + strings.Repeat("[", 94) + strings.Repeat("]", 94) + `}`: {Body: []byte(strings.Repeat("[", 94) + strings.Repeat("]", 94))},
	} {
		got, err := readSend(unit)
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v, %v", unit, got, err)
		}
	}
	n := 0
	err := wire.JSON.Each([]byte(` [ {"t":"ping"} , {"t":"nothing we know"}, {"t":"ack"} ] `), 0, func(wire.Frame) error { n++; return nil })
	if n != 3 || err != nil {
		t.Error(n, err)
	}
}

func TestJSONRefuses(t *testing.T) {
	for _, unit := range []string{
		``, ` `, `[]`, `{}`, `null`, `"send"`, `7`, `{"id":"1"}`, `{"t":7}`, `{"t":"send","t":"send"}`, `{"t":"send"`, `{"t":"send"}x`,
		`{"t":"send"},`, `[{"t":"send"}`, `[{"t":"send"},]`, `[{"t":"send"}{"t":"send"}]`, `[[{"t":"send"}]]`, `{"t":"send",}`, `{"t" "send"}`,
		`{"t":"send","id":1}`, `{"t":"send","id":"1","id":"2"}`, `{"t":"send","id":"\ud800"}`, `{"t":"send","id":"\ud800\u0041"}`,
		"{\"t\":\"send\",\"id\":\"\xff\"}", "{\"t\":\"send\",\"\xff\":1}", "{\"t\":\"send\",\"id\":\"a\nb\"}",
		`{"t":"send","body":1,"body_base64":"AA=="}`, `{"t":"send","body_base64":"A"}`, `{"t":"send","body_base64":"AA"}`, `{"t":"send","body_base64":"AB=="}`,
		`{"t":"send","body_base64":"AA\n=="}`, `{"t":"send","body_base64":7}`, `{"t":"send","body":}`, `{"t":"send","body":[}`,
		`{"t":"send","flags":-1}`, `{"t":"send","flags":1.5}`, `{"t":"send","flags":1e3}`, `{"t":"send","flags":4294967296}`, `{"t":"send","flags":"1.0"}`,
		`{"t":"send","flags":""}`, `{"t":"send","flags":" 1"}`, `{"t":"send","flags":"+1"}`, `{"t":"send","flags":true}`, `{"t":"send","flags":01}`,
		`{"t":"send","options":{"reply_to":9007199254740993}}`, `{"t":"send","options":{"reply_to":18446744073709551615}}`,
		`{"t":"send","options":{"reply_to":"18446744073709551616"}}`, `{"t":"send","options":{"expires":-9007199254740993}}`,
		`{"t":"send","options":{"reply_to":` + strings.Repeat("0", 100) + `}}`, `{"t":"send","options":{"reply_to":"` + strings.Repeat("0", 100) + `1"}}`,
		`{"t":"send","options":[]}`, `{"t":"send","options":"x"}`, `{"t":"send","options":{"to":"x"}}`, `{"t":"send","options":{"to":[null]}}`, `{"t":"send","options":{"to":["x",]}}`,
		`{"t":"send","options":{"mentions":{"all":1}}}`, `{"t":"send","options":{"mentions":{"all":truex}}}`,
		`{"t":"send","body":` + strings.Repeat("[", 95) + strings.Repeat("]", 95) + `}`,
		`{"t":"send","x":` + strings.Repeat(`{"a":`, 200000),
		strings.Repeat("[", 500000),
	} {
		if m, err := readSend(unit); err == nil {
			t.Errorf("%.200s: taken as %v", unit, m)
		} else if c := code(t, err); c != wire.CodeMalformed {
			t.Errorf("%.200s: %v", unit, err)
		}
	}
	var l wire.Limits
	if err := wire.JSON.UnmarshalBody([]byte(`{"send_rate":1e999}`), &l); err == nil {
		t.Error("a number out of range was taken")
	}
	if err := wire.JSON.Each(make([]byte, 11), 10, nil); code(t, err) != wire.CodeFrameSize {
		t.Error(err)
	}
	if _, err := wire.JSON.Append(nil, &wire.Res{Id: 1, Body: []byte("\x0a\x01")}); err == nil {
		t.Error("an answer in protobuf was put into JSON")
	}
}

// Cut off anywhere, JSON is refused.
func TestJSONShort(t *testing.T) {
	for _, s := range samples() {
		enc, err := wire.JSON.Append(nil, embed(t, wire.JSON, s))
		if err != nil {
			t.Fatal(err)
		}
		for i := range enc {
			if err := wire.JSON.Each(enc[:i], 0, func(wire.Frame) error { return nil }); code(t, err) != wire.CodeMalformed {
				t.Fatal(err)
			}
			if err := wire.JSON.UnmarshalBody(enc[:i], wire.New(wire.TypeOf(s.body))); err == nil && i > 0 {
				t.Fatalf("%s was taken", enc[:i])
			}
		}
	}
}

// Text from the binary side that is not UTF-8 does not spoil the JSON of others.
func TestJSONWritesUTF8(t *testing.T) {
	out, err := wire.JSON.Append(nil, &wire.SendAck{Id: "a\xffb\x00\x1f\u2028", Message: "\xe4\xbd"})
	if err != nil || string(out) != "{\"t\":\"sendack\",\"id\":\"a\ufffdb\\u0000\\u001f\u2028\",\"message\":\"\ufffd\ufffd\"}" {
		t.Errorf("%s %v", out, err)
	}
}
