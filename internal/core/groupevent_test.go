package core

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
	"google.golang.org/protobuf/proto"
)

// core knows no protocol, and yet the body of an an:group message is GroupEvent of the
// schema: every field is told under its name there and comes back.
func TestGroupEventIsTheSchemas(t *testing.T) {
	yes, nick := true, "A"
	body, err := json.Marshal(groupEvent{Op: "add", By: "ann", Users: []im.UserID{"bob", "用户7"}, Role: "admin",
		Name: "<devs>", Join: "open", History: "all", MVer: "18446744073709551615",
		Until: untilText(1 << 62), Mute: &yes, Nick: &nick})
	if err != nil {
		t.Fatal(err)
	}
	var got wire.GroupEvent
	if err := wire.JSON.UnmarshalBody(body, &got); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	want := &wire.GroupEvent{Op: wire.GroupAdded, By: "ann", Users: []string{"bob", "用户7"}, Role: wire.RoleAdmin,
		Name: "<devs>", Join: wire.JoinOpen, History: wire.HistoryAll, Mver: 1<<64 - 1, Until: 1 << 62, Mute: true, Nick: "A"}
	if !proto.Equal(&got, want) {
		t.Errorf("%s\nis read as %v\nwant       %v", body, &got, want)
	}
	for i, fields := 0, got.ProtoReflect().Descriptor().Fields(); i < fields.Len(); i++ {
		if name := string(fields.Get(i).Name()); !strings.Contains(string(body), `"`+name+`":`) {
			t.Errorf("the field %s of the schema is never told", name)
		}
	}
}
