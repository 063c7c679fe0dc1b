// Package apidoc makes the reference of the HTTP API from the schema: an OpenAPI
// document for tools, and a page for people. What it makes is committed, and served by
// package httpapi; a test holds the two together.
//
//	go generate ./internal/gate/httpapi
//
// It is made here and not by a plugin of the schema's compiler, since the JSON of the
// API is not that of protobuf: names are those of the schema, a field of bytes is a JSON
// value (or its name and "_base64"), and absent fields are left out.
package apidoc

import (
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/anser-im/anser/wire"
)

// comments are what the schema says in words; descriptors do not carry it.
type comments struct {
	of map[string]string // "Message", "Message.field", "Service", "Service.Verb"
}

var (
	block   = regexp.MustCompile(`(?ms)((?:^//[^\n]*\n)*)^(?:message|service) (\w+) \{(.*?)\}$`)
	field   = regexp.MustCompile(`^\s+(?:repeated |optional )?[\w.]+ (\w+) = \d+;\s*// (.*)$`)
	rpcLine = regexp.MustCompile(`^\s+rpc (\w+)\(\w+\) returns \(\w+\);\s*// (.*)$`)
)

func readComments(schema []byte) comments {
	c := comments{of: map[string]string{}}
	for _, m := range block.FindAllStringSubmatch(string(schema), -1) {
		name := m[2]
		c.of[name] = strings.Join(strings.Fields(strings.ReplaceAll(m[1], "//", "")), " ")
		for line := range strings.Lines(m[3]) {
			line = strings.TrimRight(line, "\n")
			if f := field.FindStringSubmatch(line); f != nil {
				c.of[name+"."+f[1]] = f[2]
			} else if r := rpcLine.FindStringSubmatch(line); r != nil {
				c.of[name+"."+r[1]] = r[2]
			}
		}
	}
	return c
}

// service is one service of the schema.
type service struct {
	Name, Comment string
	Verbs         []verb
}

type verb struct {
	wire.Verb
	Comment         string
	Request, Answer protoreflect.MessageDescriptor
}

// services lists the schema's services with their verbs.
func services(c comments) ([]service, error) {
	var out []service
	for _, v := range wire.Verbs() {
		if len(out) == 0 || out[len(out)-1].Name != v.Service {
			out = append(out, service{Name: v.Service, Comment: c.of[v.Service]})
		}
		comment := c.of[v.Service+"."+v.Name]
		if comment == "" {
			return nil, fmt.Errorf("the schema does not say what %s.%s does", v.Service, v.Name)
		}
		s := &out[len(out)-1]
		s.Verbs = append(s.Verbs, verb{v, comment, v.NewRequest().ProtoReflect().Descriptor(), v.NewResponse().ProtoReflect().Descriptor()})
	}
	return out, nil
}

// reachable lists the messages that verbs ask or answer, and those within them, each
// once, in the order in which they come.
func reachable(list []service) []protoreflect.MessageDescriptor {
	var out []protoreflect.MessageDescriptor
	seen := map[protoreflect.FullName]bool{}
	var visit func(protoreflect.MessageDescriptor)
	visit = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		out = append(out, m)
		for i := range m.Fields().Len() {
			if f := m.Fields().Get(i); f.Kind() == protoreflect.MessageKind {
				visit(f.Message())
			}
		}
	}
	for _, s := range list {
		for _, v := range s.Verbs {
			visit(v.Request)
			visit(v.Answer)
		}
	}
	visit((&wire.Problem{}).ProtoReflect().Descriptor())
	return out
}

// sentence is a comment as a sentence.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if s = strings.ToUpper(s[:1]) + s[1:]; !strings.ContainsAny(s[len(s)-1:], ".:!?") {
		s += "."
	}
	return s
}
