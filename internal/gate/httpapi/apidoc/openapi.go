package apidoc

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal is json.Marshal with <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

func ref(to string) object { return object{{"$ref", "#/components/" + to}} }

// OpenAPI is the document, in OpenAPI 3.1, for the schema's text.
func OpenAPI(schema []byte) ([]byte, error) {
	c := readComments(schema)
	list, err := services(c)
	if err != nil {
		return nil, err
	}
	var tags []any
	var paths, schemas object
	for _, s := range list {
		tags = append(tags, object{{"name", s.Name}, {"description", s.Comment}})
		for _, v := range s.Verbs {
			paths = append(paths, member{v.Procedure(), object{{"post", operation(s, v)}}})
		}
	}
	for _, m := range reachable(list) {
		o, err := messageSchema(c, m)
		if err != nil {
			return nil, err
		}
		schemas = append(schemas, member{string(m.Name()), o})
	}
	schemas = append(schemas, member{"Error", errorSchema()})
	b, err := marshal(object{
		{"openapi", "3.1.0"},
		{"info", object{
			{"title", "Anser HTTP API"},
			{"version", "1"},
			{"description", "Every verb of the server as a POST of one JSON object. Numbers of 64 bits are strings; times are Unix milliseconds; " +
				"a field that is zero or empty is left out, and a field that is not known is passed over. " +
				"The same paths speak Connect, gRPC and gRPC-Web with protobuf. Paging, errors, limits and idempotency: docs/API.md."},
			{"license", object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []any{object{{"url", "/"}}}},
		{"security", []any{object{{"token", []any{}}}}},
		{"tags", tags},
		{"paths", paths},
		{"components", object{
			{"securitySchemes", object{{"token", object{{"type", "http"}, {"scheme", "bearer"},
				{"description", "A user's token (JWT), or an app key (ank_...) with Anser-As."}}}}},
			{"parameters", parameters()},
			{"responses", object{{"Error", object{
				{"description", "It was refused, or failed. Anser-Code has the number of the error; Retry-After, in seconds, when to ask again."},
				{"content", object{{"application/json", object{{"schema", ref("schemas/Error")}}}}}}}}},
			{"schemas", schemas},
		}},
	})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", " "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func operation(s service, v verb) object {
	return object{
		{"operationId", v.Name},
		{"tags", []string{s.Name}},
		{"summary", sentence(v.Comment)},
		{"parameters", []any{ref("parameters/As"), ref("parameters/Locale"), ref("parameters/Device"), ref("parameters/IdempotencyKey")}},
		{"requestBody", object{{"required", true}, {"content", object{{"application/json", object{{"schema", ref("schemas/" + string(v.Request.Name()))}}}}}}},
		{"responses", object{
			{"200", object{{"description", "Done."}, {"content", object{{"application/json", object{{"schema", ref("schemas/" + string(v.Answer.Name()))}}}}}}},
			{"default", ref("responses/Error")},
		}},
	}
}

func parameters() object {
	header := func(name, says string) object {
		return object{{"name", name}, {"in", "header"}, {"description", says}, {"schema", object{{"type", "string"}}}}
	}
	return object{
		{"As", header("Anser-As", "With an app key: the user for whom it is done. Absent = the app itself.")},
		{"Locale", header("Anser-Locale", "Language of digests: en, zh-CN. Absent = the first of Accept-Language.")},
		{"Device", header("Anser-Device", "With a user's token: the device that this is.")},
		{"IdempotencyKey", header("Idempotency-Key", "The client id of what is done, where the request has a field for one: a retry under the same is answered with the first outcome.")},
	}
}

func messageSchema(c comments, m protoreflect.MessageDescriptor) (object, error) {
	var props object
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		says := c.of[string(m.Name())+"."+string(f.Name())]
		if says == "" {
			return nil, fmt.Errorf("the schema does not say what %s is", f.FullName())
		}
		says = sentence(says)
		name := string(f.Name())
		if f.Kind() == protoreflect.BytesKind {
			props = append(props,
				member{name, object{{"description", says + " Any JSON value."}}},
				member{name + "_base64", object{{"type", "string"}, {"contentEncoding", "base64"}, {"description", "Instead of " + name + ", for bytes that are no JSON."}}})
			continue
		}
		o := typeOf(f)
		if f.IsList() {
			o = object{{"type", "array"}, {"items", o}}
		}
		props = append(props, member{name, append(o, member{"description", says})})
	}
	o := object{{"type", "object"}}
	if says := c.of[string(m.Name())]; says != "" {
		o = append(o, member{"description", says})
	}
	if props != nil {
		o = append(o, member{"properties", props})
	}
	return o, nil
}

func typeOf(f protoreflect.FieldDescriptor) object {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return ref("schemas/" + string(f.Message().Name()))
	case protoreflect.BoolKind:
		return object{{"type", "boolean"}}
	case protoreflect.Uint32Kind:
		return object{{"type", "integer"}, {"minimum", 0}, {"maximum", 1<<32 - 1}}
	case protoreflect.Uint64Kind:
		return object{{"type", "string"}, {"pattern", "^[0-9]{1,20}$"}}
	case protoreflect.Int64Kind:
		return object{{"type", "string"}, {"pattern", "^-?[0-9]{1,19}$"}}
	case protoreflect.DoubleKind:
		return object{{"type", "number"}}
	}
	return object{{"type", "string"}}
}

func errorSchema() object {
	return object{
		{"type", "object"},
		{"description", "An error of the Connect protocol. The detail of the type anser.v1.Problem has our number."},
		{"required", []string{"code"}},
		{"properties", object{
			{"code", object{{"type", "string"}, {"description", "Kind of error, in the words of gRPC."}, {"enum", []string{
				"unauthenticated", "invalid_argument", "not_found", "aborted", "unimplemented", "permission_denied", "resource_exhausted", "unavailable", "internal"}}}},
			{"message", object{{"type", "string"}, {"description", "In English."}}},
			{"details", object{{"type", "array"}, {"items", object{
				{"type", "object"},
				{"properties", object{
					{"type", object{{"type", "string"}, {"description", "anser.v1.Problem"}}},
					{"value", object{{"type", "string"}, {"contentEncoding", "base64"}, {"description", "The Problem in protobuf."}}},
					{"debug", object{{"$ref", "#/components/schemas/Problem"}, {"description", "The same in JSON."}}},
				}},
			}}}},
		}},
	}
}
