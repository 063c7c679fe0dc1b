package native_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Messages that are nearly all names make no answer that a client cannot take: nobody
// can keep another from catching up by writing to him.
func TestNamesFillNoAnswer(t *testing.T) {
	w := newWorld(t)
	mallory, err := w.core.Login(t.Context(), core.Login{Token: w.token("mallory"), Door: "native", Device: "d", Wake: func() {}, Ended: func(core.End) {}})
	w.ok(err)
	names := make([]im.UserID, 100)
	for i := range names {
		names[i] = im.UserID(fmt.Sprintf("%s%03d", strings.Repeat("n", 61), i))
	}
	n := 0
	send := func(to im.Address, only bool) {
		n++
		m := &im.Message{ID: im.ClientID(fmt.Sprint("i", n)), Type: "an:text", Body: []byte(`"x"`), Mentions: &im.Mentions{Users: names}}
		if only {
			m.To = append([]im.UserID{"victim"}, names[:99]...)
		}
		w.ok(mallory.SendWait(t.Context(), &core.Send{To: to, Msg: m}))
	}
	for range 200 {
		send("u/victim", false)
	}
	for i := range 5 {
		g, err := mallory.GroupCreate(t.Context(), core.NewGroup{ID: im.ClientID(fmt.Sprint("g", i)), Name: "g", Members: []im.UserID{"victim"}})
		w.ok(err)
		for range 20 {
			send(im.GroupAddress(g.ID), true)
		}
	}
	c := w.dial(w.serve("tcp://127.0.0.1:0", nil)).login(w, "victim", "phone")
	found, token := 0, ""
	for more := true; more; {
		var sync wire.SyncResponse
		if res := c.call(wire.MethodSync, &wire.SyncRequest{Token: token}, &sync); res.Code != wire.CodeOK {
			t.Fatalf("sync: %d %s", res.Code, res.Message)
		}
		found, token, more = found+len(sync.Conversations), sync.Token, sync.More
	}
	if found != 6 {
		t.Errorf("sync tells %d conversations of 6", found)
	}
	for from, pages := uint64(1), 0; from <= 200; pages++ {
		var page wire.PageResponse
		res := c.call(wire.MethodPage, &wire.PageRequest{Conv: "u/mallory", From: from, Limit: 200}, &page)
		if res.Code != wire.CodeOK || page.Range.To < from {
			t.Fatalf("page %d from %d: %d %s", pages, from, res.Code, res.Message)
		}
		from = page.Range.To + 1
	}
}
