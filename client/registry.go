package client

import (
	"context"

	"github.com/anser-im/anser/wire"
)

// MessageType is a type of message as it is registered with the server.
type MessageType struct {
	Name       string
	Flags      Flags             // where a send gives none
	Schema     []byte            // JSON Schema (2020-12) of its bodies; nil = any
	Digest     map[string]string // language -> template
	Push       map[string]string // language -> template
	Search     []string          // JSON pointers of fields whose text is searched
	MaxBytes   int               // of a body; 0 = the server's limit
	ServerOnly bool              // only the app may send it
	Title      map[string]string // language -> what it is called
	BuiltIn    bool              // comes with the server
	Version    int64             // grows with every change
}

func typeOf(t *wire.MessageType) *MessageType {
	out := &MessageType{Name: t.GetName(), Flags: Counted, Schema: t.GetSchema(), Digest: mapOf(t.GetDigest()), Push: mapOf(t.GetPush()),
		Search: t.GetSearch(), MaxBytes: int(t.GetMaxBytes()), ServerOnly: t.GetServerOnly(), Title: mapOf(t.GetTitle()),
		BuiltIn: t.GetBuiltIn(), Version: t.GetVersion()}
	if t != nil && t.Flags != nil {
		out.Flags = Flags(*t.Flags)
	}
	return out
}

func mapOf(pairs []*wire.Pair) map[string]string {
	if len(pairs) == 0 {
		return nil
	}
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}

// Types asks for the types that are registered with the server and have changed after a
// version, 0 = all; it answers the version of the registry to ask from next time.
func (c *Client) Types(ctx context.Context, since int64) (types []*MessageType, version int64, err error) {
	r := new(wire.TypesResponse)
	err = c.do(ctx, wire.MethodTypes, &wire.TypesRequest{Since: since}, r, true)
	for _, t := range r.Types {
		types = append(types, typeOf(t))
	}
	return types, r.Version, err
}

// Type asks for one of them. *Error with CodeNotFound if there is none.
func (c *Client) Type(ctx context.Context, name string) (*MessageType, error) {
	r := new(wire.TypeResponse)
	if err := c.do(ctx, wire.MethodType, &wire.TypeRequest{Name: name}, r, true); err != nil {
		return nil, err
	}
	return typeOf(r.Type), nil
}
