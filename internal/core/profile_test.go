package core

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func field(value, visible string) ProfileField { return ProfileField{Value: value, Visible: visible} }

// profile is what asker is told of u.
func (w *world) profile(asker *Session, u im.UserID) Profile {
	w.Helper()
	list, err := asker.Profiles(w.Context(), []im.UserID{u})
	w.ok(err)
	if len(list) != 1 {
		w.Fatalf("%d profiles of %s", len(list), u)
	}
	return list[0]
}

// TestA7_Profiles: name and portrait for all, fields for all, contacts or nobody but the
// user and the app.
func TestA7_Profiles(t *testing.T) {
	now := newClock()
	w := newWorld(t, Config{Clock: now.Now})
	ctx := t.Context()
	ann, laptop := w.login("ann", "phone"), w.login("ann", "laptop")
	name, portrait := "Ann 王", "https://cdn.example/ann.png"
	p, err := ann.SetProfile(ctx, ProfilePatch{Name: &name, Portrait: &portrait, Fields: map[string]ProfileField{
		"city": field("Paris", ""), "phone": field("+33 1", toContacts), "salary": field("1", toNone), "gone": field("x", toAll)}})
	w.ok(err)
	if p.Name != name || p.Portrait != portrait || len(p.Fields) != 4 || p.Fields["city"] != field("Paris", toAll) || p.Version != now.Now().UnixMilli() {
		t.Fatalf("%+v", p)
	}
	it := laptop.until(func(it Item) bool { return it.Change != nil })
	if it.Addr != im.Me || it.Change.Kind != im.Noted || it.Change.Key != noteProfile || !strings.Contains(string(it.Change.Value), "Paris") {
		t.Fatalf("the laptop is told %+v", it.Change)
	}
	p, err = ann.SetProfile(ctx, ProfilePatch{Fields: map[string]ProfileField{"gone": {}}})
	w.ok(err)
	if p.Name != name || len(p.Fields) != 3 || p.Version != now.Now().UnixMilli()+1 {
		t.Fatalf("%+v", p)
	}

	keys := func(p Profile) string {
		var k []string
		for _, key := range []string{"city", "phone", "salary"} {
			if f, ok := p.Fields[key]; ok {
				k = append(k, key+"="+f.Value+"/"+f.Visible)
			}
		}
		return p.Name + ":" + strings.Join(k, " ")
	}
	want := func(asker *Session, s string) {
		t.Helper()
		if got := keys(w.profile(asker, "ann")); got != s {
			t.Errorf("%q is told %s\nwant %s", asker.user, got, s)
		}
	}
	all := name + ":city=Paris/all phone=+33 1/contacts salary=1/none"
	public, contact := name+":city=Paris/", name+":city=Paris/ phone=+33 1/"
	want(ann.Session, all)
	want(w.act(""), all)
	want(w.act("bob"), public)
	want(w.as("bob"), public)
	w.say("bob", "u/ann", "hello")
	_, err = ann.Read(ctx, "u/bob", 0)
	w.ok(err)
	want(w.as("bob"), public) // who writes to somebody is not yet his contact, though he reads it
	w.say("ann", "u/bob", "to herself", func(m *im.Message) { m.To = []im.UserID{"ann"} })
	want(w.as("bob"), public)
	w.say("ann", "u/bob", "a command", func(m *im.Message) { m.Flags = 0 })
	want(w.as("bob"), public)
	w.say("ann", "u/bob", "hello")
	want(w.as("bob"), contact)
	w.say("ann", "u/carol", "hello")
	want(w.as("carol"), public)
	w.ok(ann.Block(ctx, "bob"))
	want(w.as("bob"), public)
	w.ok(ann.Unblock(ctx, "bob"))
	want(w.as("bob"), contact)
	w.ok(ann.SetAllowMode(ctx, true))
	want(w.as("bob"), public)

	list, err := w.as("bob").Profiles(ctx, []im.UserID{"nobody", "ann", "eve"})
	w.ok(err)
	if len(list) != 1 || list[0].User != "ann" {
		t.Fatalf("%+v", list)
	}
}

// TestContactsOfALongMonologue: every message is looked at once, some at a question.
func TestContactsOfALongMonologue(t *testing.T) {
	w := newWorld(t, Config{})
	for range contactPages*contactPage + 50 {
		w.say("ann", "u/bob", "x")
	}
	w.say("bob", "u/ann", "at last")
	for i, want := range []bool{false, true, true} {
		got, err := w.c.contacts("bob", "ann")
		w.ok(err)
		if got != want {
			t.Fatalf("question %d: %v", i, got)
		}
	}
}

// TestProfileBounds: what a profile does not take.
func TestProfileBounds(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	str := func(s string) *string { return &s }
	fields := func(n, size int) map[string]ProfileField {
		m := map[string]ProfileField{}
		for i := range n {
			m[fmt.Sprint("k", i)] = field(strings.Repeat("x", size), "")
		}
		return m
	}
	for name, c := range map[string]struct {
		kind im.Kind // 0 = taken
		p    ProfilePatch
	}{
		"name of 129 bytes":      {im.TooLarge, ProfilePatch{Name: str(strings.Repeat("x", 129))}},
		"name with a line end":   {im.Invalid, ProfilePatch{Name: str("a\nb")}},
		"name that turns":        {im.Invalid, ProfilePatch{Name: str("a\u202eb")}},
		"no portrait":            {0, ProfilePatch{Portrait: str("")}},
		"portrait here":          {0, ProfilePatch{Portrait: str("/v1/blobs/x")}},
		"portrait elsewhere":     {im.Invalid, ProfilePatch{Portrait: str("//evil.example/x")}},
		"portrait elsewhere too": {im.Invalid, ProfilePatch{Portrait: str(`/\evil.example/x`)}},
		"portrait of script":     {im.Invalid, ProfilePatch{Portrait: str("javascript:alert(1)")}},
		"portrait of data":       {im.Invalid, ProfilePatch{Portrait: str("data:text/html,x")}},
		"portrait with password": {im.Invalid, ProfilePatch{Portrait: str("https://a:b@c.example/")}},
		"portrait of 1,025":      {im.TooLarge, ProfilePatch{Portrait: str("https://a.example/" + strings.Repeat("x", 1007))}},
		"empty key":              {im.Invalid, ProfilePatch{Fields: map[string]ProfileField{"": field("x", "")}}},
		"key of 33 bytes":        {im.Invalid, ProfilePatch{Fields: map[string]ProfileField{strings.Repeat("k", 33): field("x", "")}}},
		"key in Chinese":         {im.Invalid, ProfilePatch{Fields: map[string]ProfileField{"城": field("x", "")}}},
		"value of 4,097":         {im.TooLarge, ProfilePatch{Fields: map[string]ProfileField{"k": field(strings.Repeat("x", 4097), "")}}},
		"value that is no text":  {im.Invalid, ProfilePatch{Fields: map[string]ProfileField{"k": field("\xff", "")}}},
		"visible to friends":     {im.Invalid, ProfilePatch{Fields: map[string]ProfileField{"k": field("x", "friends")}}},
		"50 fields":              {0, ProfilePatch{Fields: fields(50, 10)}},
		"51 fields":              {im.TooLarge, ProfilePatch{Fields: fields(51, 10)}},
		"too much in all":        {im.TooLarge, ProfilePatch{Fields: fields(9, 4000)}},
	} {
		_, err := w.as(im.UserID(strings.ReplaceAll(name, " ", "-"))).SetProfile(ctx, c.p)
		if c.kind == 0 && err != nil || c.kind != 0 && !im.IsKind(err, c.kind) {
			t.Errorf("%s: %v; want %v", name, err, c.kind)
		}
	}
	_, err := w.as("ann").Profiles(ctx, make([]im.UserID, 101))
	w.refused(err, im.TooLarge)
	_, err = w.as("ann").Profiles(ctx, []im.UserID{"a/b"})
	w.refused(err, im.Invalid)
}

// TestProfileByManyDevices: no change is lost where devices write at the same time.
func TestProfileByManyDevices(t *testing.T) {
	w := newWorld(t, Config{})
	var busy sync.WaitGroup
	for i := range 6 {
		busy.Go(func() {
			for {
				_, err := w.as("ann").SetProfile(t.Context(), ProfilePatch{Fields: map[string]ProfileField{fmt.Sprint("k", i): field("x", "")}})
				if err == nil {
					return
				}
				if !im.IsKind(err, im.Busy) {
					t.Error(err)
					return
				}
			}
		})
	}
	busy.Wait()
	if p := w.profile(w.as("ann"), "ann"); len(p.Fields) != 6 {
		t.Fatalf("%+v", p)
	}
}
