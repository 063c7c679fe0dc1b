package client

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/anser-im/anser/wire"
)

// onceOnly are verbs that are not repeated by themselves when the connection broke before
// their answer came: a second time might do something else.
var onceOnly = []string{wire.MethodKick, wire.MethodRenew}

// Call makes any verb of the API by its name ("Reactions", "Set" ...), with request and
// answer as JSON in the names of the schema, as over HTTP: for languages to which this
// package is bound, and for what it has no method for. A client id that is missing is
// made. What the verb changed is followed like after its method.
//
// Errors: *Error with CodeUnsupported if there is no such verb, or for Send, which is a
// method; CodeInvalid for a request that is not as the schema says; those of the verb.
func (c *Client) Call(ctx context.Context, method string, request []byte) (answer []byte, err error) {
	verb, ok := wire.VerbOf(method)
	if !ok || method == wire.MethodSend || method == wire.MethodSendBatch || method == wire.MethodRenew {
		return nil, &Error{Code: wire.CodeUnsupported, Message: fmt.Sprintf("%q is no verb that can be called", method)}
	}
	req := verb.NewRequest()
	if len(request) > 0 {
		if err := wire.JSON.UnmarshalBody(request, req); err != nil {
			return nil, &Error{Code: wire.CodeInvalid, Message: err.Error()}
		}
	}
	identify(method, req)
	res := verb.NewResponse()
	if err := c.do(ctx, method, req, res, !slices.Contains(onceOnly, method)); err != nil {
		return nil, err
	}
	c.outcome(req, res)
	return wire.JSON.MarshalBody(res)
}

// identify gives a request that wants a client id one, so that a retry is the same.
func identify(method string, req wire.Body) {
	switch r := req.(type) {
	case *wire.ScheduleRequest:
		if r.Send != nil && r.Send.Id == "" {
			r.Send.Id = newID()
		}
		return
	case *wire.RemindRequest:
		if r.Reminder != nil && r.Reminder.Id == "" {
			r.Reminder.Id = newID()
		}
		return
	}
	switch method {
	case wire.MethodRecall, wire.MethodEdit, wire.MethodReact, wire.MethodPin, wire.MethodExpand, wire.MethodForward,
		wire.MethodVote, wire.MethodPollClose, wire.MethodStreamOpen, wire.MethodGroupCreate:
		m := req.ProtoReflect()
		if f := m.Descriptor().Fields().ByName("id"); m.Get(f).String() == "" {
			m.Set(f, protoreflect.ValueOfString(newID()))
		}
	}
}

// outcome takes note of what a verb changed.
func (c *Client) outcome(req, res wire.Body) {
	at, ok := req.(interface{ GetConv() string })
	if !ok {
		return
	}
	conv := at.GetConv()
	switch r := res.(type) {
	case *wire.RecallResponse:
		c.changed(conv, r.Ver, false)
	case *wire.ChangeResponse:
		_, many := req.(*wire.UndeleteRequest)
		c.changed(conv, r.Ver, many)
	case *wire.DeleteResponse:
		c.changed(conv, r.Ver, true)
		c.rowIs(conv, r.Mine)
	}
}
