package im_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

func TestFlags(t *testing.T) {
	for f, want := range map[im.Flags]im.Flags{0: 0, 1: 1, 2: 3, 3: 3, 16: 16} {
		if got, err := f.Check(); err != nil || got != want {
			t.Errorf("%d: %d %v", f, got, err)
		}
	}
	for _, f := range []im.Flags{4, 8, 17, 18, 32, 128, 255} {
		if _, err := f.Check(); !im.IsKind(err, im.Invalid) {
			t.Errorf("%d: %v", f, err)
		}
	}
}

func TestRoles(t *testing.T) {
	for _, r := range []im.Role{im.Member, im.Admin, im.Owner} {
		if got, err := im.ParseRole(r.String()); err != nil || got != r {
			t.Errorf("%v: %v %v", r, got, err)
		}
	}
	if !(im.NoRole < im.Member && im.Member < im.Admin && im.Admin < im.Owner) {
		t.Error("the greater may do what the lesser may")
	}
	for _, s := range []string{"", "Owner", "root", "?"} {
		if _, err := im.ParseRole(s); !im.IsKind(err, im.Invalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestVisible(t *testing.T) {
	m := &im.Message{Sender: "ann"}
	if !m.VisibleTo("bob") {
		t.Error("a message to all is not visible")
	}
	m.To = []im.UserID{"bob"}
	if !m.VisibleTo("ann") || !m.VisibleTo("bob") || m.VisibleTo("carol") {
		t.Error("a message to one is seen by others, or not by its sender")
	}
	m.To = []im.UserID{}
	if !m.VisibleTo("ann") || m.VisibleTo("bob") {
		t.Error("a message to nobody")
	}
	if m.Flags = im.Persist; !m.Shown() {
		t.Error("PERSIST is not shown")
	}
	if m.Flags = 0; m.Shown() {
		t.Error("a command is shown")
	}
}

// Each limit has a default, which a value given replaces, and a second call changes
// nothing.
func TestLimits(t *testing.T) {
	l := im.Limits{}.Defaults()
	optional := map[string]bool{"SessionsByClass": true, "RecallWindow": true, "EditWindow": true} // 0 = none
	for i, v := 0, reflect.ValueOf(l); i < v.NumField(); i++ {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() != optional[name] {
			t.Errorf("%s is %v by default", name, v.Field(i))
		}
	}
	if l.MaxBody != 128<<10 || l.SendRate != 20 || l.DetachedFor != 5*time.Minute || l.CommandsKept != 30*24*time.Hour {
		t.Errorf("%+v", l)
	}
	if again := l.Defaults(); !reflect.DeepEqual(again, l) {
		t.Errorf("%+v", again)
	}
	own := im.Limits{SendRate: -1, MaxBody: 7}.Defaults()
	if own.SendRate != -1 || own.MaxBody != 7 || own.SendBurst != 40 {
		t.Errorf("%+v", own)
	}
}
