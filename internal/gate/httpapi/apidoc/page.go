package apidoc

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

//go:embed page.html
var pageText string

// Page is the reference for people, as HTML without script, for the schema's text. It
// loads /v1/docs.css and nothing else.
func Page(schema []byte) ([]byte, error) {
	c := readComments(schema)
	list, err := services(c)
	if err != nil {
		return nil, err
	}
	type part struct{ Name, Type, Link, Says string }
	fields := func(m protoreflect.MessageDescriptor) (out []part) {
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			p := part{Name: string(f.Name()), Type: typeName(f), Says: sentence(c.of[string(m.Name())+"."+string(f.Name())])}
			if f.Kind() == protoreflect.MessageKind {
				p.Link = string(f.Message().Name())
			}
			out = append(out, p)
		}
		return out
	}
	type shownVerb struct {
		Name, Path, Says, Curl string
		Request, Answer        []part
		AnswerName             string
	}
	type shownService struct {
		Name, Says string
		Verbs      []shownVerb
	}
	type shownMessage struct {
		Name, Says string
		Fields     []part
	}
	var data struct {
		Services []shownService
		Messages []shownMessage
	}
	own := map[protoreflect.FullName]bool{} // requests and answers stand with their verbs
	for _, s := range list {
		o := shownService{Name: s.Name, Says: sentence(strings.TrimPrefix(s.Comment, s.Name+" is "))}
		for _, v := range s.Verbs {
			own[v.Request.FullName()], own[v.Answer.FullName()] = true, true
			o.Verbs = append(o.Verbs, shownVerb{Name: v.Name, Path: v.Procedure(), Says: says(c, v), Curl: example(v), Request: fields(v.Request), Answer: fields(v.Answer), AnswerName: string(v.Answer.Name())})
		}
		data.Services = append(data.Services, o)
	}
	within := map[protoreflect.FullName]bool{}
	for _, m := range reachable(list) {
		for i := range m.Fields().Len() {
			if f := m.Fields().Get(i); f.Kind() == protoreflect.MessageKind {
				within[f.Message().FullName()] = true
			}
		}
	}
	for _, m := range reachable(list) {
		if within[m.FullName()] || !own[m.FullName()] {
			data.Messages = append(data.Messages, shownMessage{string(m.Name()), c.of[string(m.Name())], fields(m)})
		}
	}
	t, err := template.New("page").Funcs(template.FuncMap{"words": words}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// words is a comment as HTML: what stands between backquotes is code.
func words(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		if part = template.HTMLEscapeString(part); i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}

// says is what a verb does: what its request says, else what stands with the verb.
func says(c comments, v verb) string {
	name := string(v.Request.Name())
	if long, ok := strings.CutPrefix(c.of[name], name+" "); ok {
		return sentence(long)
	}
	return sentence(v.Comment)
}

// typeName is a field's type as JSON has it.
func typeName(f protoreflect.FieldDescriptor) string {
	name := "string"
	switch f.Kind() {
	case protoreflect.MessageKind:
		name = string(f.Message().Name())
	case protoreflect.BoolKind:
		name = "true, false"
	case protoreflect.Uint32Kind, protoreflect.DoubleKind:
		name = "number"
	case protoreflect.Uint64Kind, protoreflect.Int64Kind:
		name = `"number"`
	case protoreflect.BytesKind:
		name = "JSON value"
	}
	if f.IsList() {
		name = "[" + name + "]"
	}
	if f.HasOptionalKeyword() {
		name += "?"
	}
	return name
}

// samples are values for fields of these names, so that an example reads well.
var samples = map[string]any{
	"conv": "u/bob", "user": "bob", "users": []string{"bob"}, "members": []string{"bob"}, "seq": "7", "seqs": []string{"7"}, "id": "01J9ZK7V5Q",
	"key": "👍", "add": []string{"👍"}, "name": "acme", "title": "title", "note": "note", "root": "3", "at": "1795600000000", "until": "1795600000000",
	"device": "phone", "role": "admin", "nick": "Al", "token": "", "from": "1", "from_ver": "1", "reason": "spam", "text": "text", "to": []string{"u/carol"},
	"options": []string{"a"}, "state": "open", "history": "all", "join": "open", "type": "", "body": map[string]string{"content": "hello"}, "limit": nil, "flags": nil,
}

// example is a request that could be made.
func example(v verb) string {
	body := sample(v.Request, 0)
	if len(body) == 0 {
		return "{}"
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // maps and strings alone
	}
	return string(b)
}

func sample(m protoreflect.MessageDescriptor, depth int) map[string]any {
	out := map[string]any{}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		name := string(f.Name())
		if f.Kind() == protoreflect.MessageKind {
			if depth < 1 && (name == "send" || name == "draft" || name == "reminder" || name == "type" || name == "sends" || name == "notify" || name == "quiet") {
				inner := any(sample(f.Message(), depth+1))
				if f.IsList() {
					inner = []any{inner}
				}
				out[name] = inner
			}
			continue
		}
		if v, ok := samples[name]; ok && v != nil && v != "" {
			if list, isList := v.([]string); isList != f.IsList() {
				if isList {
					v = list[0]
				} else {
					continue
				}
			}
			if f.HasOptionalKeyword() && name != "name" {
				continue
			}
			out[name] = v
		}
	}
	switch m.Name() { // where the names do not tell enough
	case "PageRequest":
		return map[string]any{"conv": "u/bob", "backward": true, "limit": 20}
	case "ThreadPageRequest":
		return map[string]any{"conv": "u/bob", "root": "3", "limit": 20}
	case "DeleteRequest":
		return map[string]any{"conv": "u/bob", "seqs": []string{"7"}, "for_all": true}
	case "SetRequest":
		return map[string]any{"conv": "u/bob", "pinned": true, "tags": map[string]any{"names": []string{"work"}}}
	case "ReportRequest":
		return map[string]any{"conv": "u/bob", "seq": "7", "reason": "spam"}
	case "SetProfileRequest":
		return map[string]any{"name": "Alice", "fields": []any{map[string]string{"key": "city", "value": "Xi'an"}}}
	case "SetPresenceRequest":
		return map[string]any{"status": "on a train"}
	case "SetAllowModeRequest":
		return map[string]any{"on": true}
	case "Quiet":
		return map[string]any{"start": "22:00", "minutes": 480, "zone": "Asia/Shanghai"}
	case "Notify":
		return map[string]any{"all": "mentions", "quiet": map[string]any{"start": "22:00", "minutes": 480, "zone": "Asia/Shanghai"}}
	case "SetQuietRequest":
		return map[string]any{"conv": "u/bob", "quiet": map[string]any{"start": "22:00", "minutes": 480, "zone": "Asia/Shanghai"}}
	case "MessageType":
		return map[string]any{"name": "acme:card", "digest": []any{map[string]string{"key": "en", "value": "[Card] {name}"}}}
	case "ExpandRequest":
		return map[string]any{"conv": "u/bob", "seq": "7", "set": []any{map[string]string{"key": "translation", "value": "你好"}}}
	case "GroupMuteRequest":
		return map[string]any{"conv": "g/x5tq", "users": []string{"bob"}, "until": "1795600000000"}
	case "StreamAppendRequest":
		return map[string]any{"conv": "u/bob", "id": "01J9ZK7V5Q", "index": 0, "text": "The answer"}
	case "GroupCreateRequest":
		return map[string]any{"id": "01J9ZK7V5Q", "name": "devs", "members": []string{"bob"}}
	case "TypesRequest", "SyncRequest", "ConversationsRequest", "UnreadRequest", "DevicesRequest", "NotifyRequest", "BlocksRequest", "AllowedRequest":
		return nil
	}
	if strings.HasPrefix(string(m.Name()), "Group") || m.Name() == "JoinRequest" || m.Name() == "LeaveRequest" {
		if _, ok := out["conv"]; ok {
			out["conv"] = "g/x5tq"
		}
	}
	return out
}
