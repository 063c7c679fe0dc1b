package native_test

import (
	"testing"

	"github.com/anser-im/anser/internal/types"
	"github.com/anser-im/anser/wire"
)

// change waits for a change in conv and answers it.
func (c *client) change(conv string, seen *[]*wire.Event) *wire.Event {
	c.Helper()
	for {
		for len(*seen) > 0 {
			e := (*seen)[0]
			if *seen = (*seen)[1:]; e.Conv == conv && e.Change != nil {
				return e
			}
		}
		*seen = until[wire.Push](c).Events
	}
}

// Changes of every kind and notes go out as they happen, whole, in both formats; and a
// SEND's options say all that they can.
func TestChangesAndNotesArePushed(t *testing.T) {
	w := newWorld(t)
	web := w.web("http://127.0.0.1:0", nil)
	for _, f := range []wire.Format{wire.Binary, wire.JSON} {
		t.Run(f.Subprotocol(), func(t *testing.T) {
			p := map[wire.Format]string{wire.Binary: "b-", wire.JSON: "j-"}[f]
			dial := func(user, device string) *client {
				c, _ := w.socket(w.tcp(web), f, nil)
				c.TB = t
				return c.login(w, p+user, device)
			}
			alice, bob, tablet := dial("alice", "phone"), dial("bob", "phone"), dial("bob", "tablet")
			do := func(c *client, method string, q, a wire.Body) {
				t.Helper()
				if r := c.call(method, q, a); r.Code != 0 {
					t.Fatalf("%s: %v", method, r)
				}
			}
			toBob, toAlice := "u/"+p+"bob", "u/"+p+"alice"
			alice.say(&wire.Send{Id: "1", Conv: toBob, Type: "an:text", Body: []byte(`{"content":"one"}`), Options: &wire.SendOptions{BurnS: 3600}})
			if a := until[wire.SendAck](alice); a.Code != 0 || a.Seq != 1 {
				t.Fatalf("%v", a)
			}
			var atBob, atTablet []*wire.Event
			for m := (*wire.Message)(nil); m == nil; {
				for _, e := range until[wire.Push](bob).Events {
					if m = e.Message; m != nil && m.BurnS != 3600 {
						t.Fatalf("%v", m)
					}
				}
			}
			alice.send("2", toBob, "two")
			ch := &wire.ChangeResponse{}
			do(alice, wire.MethodReact, &wire.ReactRequest{Conv: toBob, Seq: 2, Add: []string{"👍"}}, ch)
			do(alice, wire.MethodReact, &wire.ReactRequest{Conv: toBob, Seq: 2, Remove: []string{"👍"}}, ch)
			do(alice, wire.MethodPin, &wire.PinRequest{Conv: toBob, Seq: 2}, ch)
			do(alice, wire.MethodExpand, &wire.ExpandRequest{Conv: toBob, Seq: 2, Set: []*wire.Pair{{Key: "k", Value: "v"}}}, ch)
			do(alice, wire.MethodDelete, &wire.DeleteRequest{Conv: toBob, Seqs: []uint64{2}, ForAll: true}, &wire.DeleteResponse{})
			do(alice, wire.MethodUndelete, &wire.UndeleteRequest{Conv: toBob, Seqs: []uint64{2}}, ch)
			for _, want := range []struct {
				kind  string
				holds func(*wire.Change) bool
			}{
				{wire.ChangeReact, func(c *wire.Change) bool { return c.Added[0] == "👍" && c.Message.Reactions[0].Count == 1 }},
				{wire.ChangeReact, func(c *wire.Change) bool { return c.Removed[0] == "👍" && len(c.Message.Reactions) == 0 }},
				{wire.ChangePin, func(c *wire.Change) bool { return c.Message.Pin.By == p+"alice" && c.Message.Pin.Time > 0 }},
				{wire.ChangeExpand, func(c *wire.Change) bool { return c.Message.Expansion[0].Value == "v" }},
				{wire.ChangeDelete, func(c *wire.Change) bool { return c.Message == nil && c.Seq == 2 }},
				{wire.ChangeRestore, func(c *wire.Change) bool { return string(c.Message.Body) != "" }},
			} {
				if e := bob.change(toAlice, &atBob); e.Change.Kind != want.kind || e.Ver != e.Change.Ver || e.Change.By != p+"alice" || !want.holds(e.Change) {
					t.Fatalf("%s: %v", want.kind, e)
				}
			}
			do(bob, wire.MethodSetDraft, &wire.SetDraftRequest{Draft: &wire.Draft{Conv: toAlice, Body: []byte(`{"content":"I"}`)}}, &wire.SetDraftResponse{})
			if e := tablet.change("me", &atTablet); e.Change.Kind != wire.ChangeNote || e.Change.Key != "draft/"+toAlice || len(e.Change.Value) == 0 {
				t.Fatalf("%v", e)
			}
			do(bob, wire.MethodSetDraft, &wire.SetDraftRequest{Draft: &wire.Draft{Conv: toAlice}}, &wire.SetDraftResponse{})
			if e := tablet.change("me", &atTablet); e.Change.Key != "draft/"+toAlice || len(e.Change.Value) != 0 {
				t.Fatalf("a draft that went: %v", e)
			}
			var g wire.GroupResponse
			do(alice, wire.MethodGroupCreate, &wire.GroupCreateRequest{Name: "g", Members: []string{p + "bob"}}, &g)
			do(alice, wire.MethodGroupRole, &wire.GroupRoleRequest{Conv: g.Conv, User: p + "bob", Role: "admin"}, &wire.GroupChangeResponse{})
			alice.say(&wire.Send{Id: "g1", Conv: g.Conv, Type: "an:text", Body: []byte(`{"content":"owner!"}`), Options: &wire.SendOptions{Mentions: &wire.Mentions{Roles: []string{"owner", "admin"}}}})
			if a := until[wire.SendAck](alice); a.Code != 0 {
				t.Fatalf("%v", a)
			}
			for found := false; !found; {
				for _, e := range until[wire.Push](bob).Events {
					if m := e.Message; m.GetId() == "g1" {
						found = true
						if len(m.Mentions.Roles) != 2 || len(m.Mentions.Users) != 1 {
							t.Fatalf("%v", m)
						}
					}
				}
			}
			alice.say(&wire.Send{Id: "g2", Conv: g.Conv, Type: "an:text", Body: []byte(`{}`), Options: &wire.SendOptions{Mentions: &wire.Mentions{Roles: []string{"king"}}}})
			if a := until[wire.SendAck](alice); a.Code != wire.CodeInvalid || a.Id != "g2" {
				t.Fatalf("a role that is none: %v", a)
			}
		})
	}
}

// HELLO's locale is the language of digests.
func TestLocaleOfDigests(t *testing.T) {
	registry, err := types.Alone()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *options) { o.core.Types = registry })
	alice := w.pipe().login(w, "alice", "phone")
	alice.say(&wire.Send{Id: "1", Conv: "u/bob", Type: "an:image", Body: []byte(`{"url":"https://example.com/a.png"}`)})
	if a := until[wire.SendAck](alice); a.Code != 0 {
		t.Fatalf("%v", a)
	}
	for locale, want := range map[string]string{"": "[Image]", "en": "[Image]", "zh-CN": "[图片]"} {
		c := w.pipe()
		c.say(&wire.Hello{Version: 1, Token: w.token("bob"), Device: &wire.Device{Id: "phone" + locale, Class: "phone"}, Locale: locale})
		until[wire.Welcome](c)
		var a wire.ConversationResponse
		if r := c.call(wire.MethodConversation, &wire.ConversationRequest{Conv: "u/alice"}, &a); r.Code != 0 || a.Conversation.Digest != want {
			t.Errorf("%q: %v %q", locale, r, a.Conversation.GetDigest())
		}
	}
}
