package types

import (
	"bytes"
	"errors"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/anser-im/anser/internal/im"
)

// Check looks at a message before it is sent, by a client or (app) by the app itself,
// and fills Digest and Push where they are empty and the type has templates, in the
// server's language. It takes no lock, and allocates nothing for an:text, for a type
// without schema and templates, and for one that is not registered.
//
// Errors: Invalid with CodeNoType for a type that is not registered where only
// registered ones are taken, or that clients may not send; Invalid with CodeSchema for
// a body that is not as the schema says, whose text names the field; TooLarge.
func (r *Registry) Check(m *im.Message, app bool) *im.Error {
	e := r.state.Load().types[m.Type]
	if e == nil {
		if r.closed {
			return im.Errorf(im.Invalid, "the type %s is not registered here", clip(m.Type, maxName)).WithCode(im.CodeNoType)
		}
		return nil
	}
	if !e.t.Clients && !app {
		return im.Errorf(im.Invalid, "messages of the type %s are sent by the app alone", e.t.Name).WithCode(im.CodeNoType)
	}
	if e.t.MaxBytes > 0 && len(m.Body) > e.t.MaxBytes {
		return im.Errorf(im.TooLarge, "the body is %d bytes long; at most %d are allowed for the type %s", len(m.Body), e.t.MaxBytes, e.t.Name)
	}
	if e.light {
		return nil
	}
	var body any
	if e.schema != nil {
		var err *im.Error
		if body, err = e.validate(m.Body); err != nil {
			return err
		}
	}
	r.fill(e, m, body)
	return nil
}

// validate reads a body and holds it to the schema.
func (e *entry) validate(b []byte) (any, *im.Error) {
	body, values, err := decodeCount(b)
	if err != nil {
		return nil, im.Errorf(im.Invalid, "the body of %s %s", e.t.Name, line(err.Error())).WithCode(im.CodeSchema)
	}
	if values*e.cost > maxLooks {
		return nil, im.Errorf(im.TooLarge, "the body of %s holds %d values; at most %d are held to its schema", e.t.Name, values, maxLooks/e.cost)
	}
	if err := e.schema.Validate(body); err != nil {
		var verr *jsonschema.ValidationError
		if !errors.As(err, &verr) {
			return nil, im.Wrap(im.Invalid, err, "the body of "+e.t.Name+" is not as its schema says").WithCode(im.CodeSchema)
		}
		f := worst(verr)
		if f.at == "" {
			return nil, im.Errorf(im.Invalid, "the body of %s %s", e.t.Name, f.says).WithCode(im.CodeSchema)
		}
		return nil, im.Errorf(im.Invalid, "the body of %s: %s %s", e.t.Name, f.at, f.says).WithCode(im.CodeSchema)
	}
	return body, nil
}

// fill sets Digest and Push from the templates.
func (r *Registry) fill(e *entry, m *im.Message, body any) {
	if m.Digest == "" && (len(e.digest.by) > 0 || e.notice != nil) {
		if d := r.made(e, m, &lazy{b: m.Body, v: body, read: body != nil}, ""); d != "" {
			m.Digest = stored(d)
		}
	}
	if m.Push == "" && len(e.push.by) > 0 && !burns(m, &lazy{b: m.Body, v: body, read: body != nil}) {
		if p := e.push.pick("", r.locale).of(&lazy{b: m.Body, v: body, read: body != nil}); p != "" {
			m.Push = stored(p)
		}
	}
}

// lazy is a body that is read when a template asks for it.
type lazy struct {
	b    []byte
	v    any
	read bool
}

func (l *lazy) value() any {
	if !l.read {
		l.v, _ = decode(l.b) // nil where it is not JSON: fields are then missing
		l.read = true
	}
	return l.v
}

// of is the line for a body.
func (t *template) of(body *lazy) string {
	if t == nil {
		return ""
	}
	if t.plain {
		return t.fixed
	}
	return t.render(body.value())
}

// burnKey is a reserved key of bodies: seconds for which the message is there once it
// was read.
const burnKey = "burnDuration"

// burns says whether the message goes once it was read: nothing may tell what it says.
func burns(m *im.Message, body *lazy) bool {
	if m.Burn > 0 {
		return true
	}
	if !bytes.Contains(m.Body, []byte(burnKey)) {
		return false
	}
	s := show(at(body.value(), []string{burnKey}))
	return s != "" && s != "0" && s[0] != '-'
}
