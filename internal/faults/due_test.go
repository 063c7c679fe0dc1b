package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/wire"
)

// TestE15_DueAfterKill: what was to be done while the server lay killed is done once,
// soon after it is up again: scheduled sends, reminders, and messages that expire.
func TestE15_DueAfterKill(t *testing.T) {
	dir := t.TempDir() + "/data"
	p := start(t, dir, "")
	const many = 20
	l, _, err := dial(p.tcp, token(p.secret, "alice"), "phone")
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	at := time.Now().Add(2 * time.Second).UnixMilli()
	for i := range many {
		l.must(t, wire.MethodSchedule, &wire.ScheduleRequest{At: at + int64(i), Send: &wire.SendRequest{
			Id: fmt.Sprint("s", i), Conv: "u/bob", Type: "an:text", Body: fmt.Appendf(nil, `{"content":"later %d"}`, i)}}, new(wire.ScheduleResponse))
		l.must(t, wire.MethodRemind, &wire.RemindRequest{Reminder: &wire.Reminder{
			Id: fmt.Sprint("r", i), At: at + int64(i), Text: fmt.Sprint("think of ", i)}}, new(wire.RemindResponse))
	}
	if _, err := l.one(&wire.Send{Id: "gone", Conv: "u/bob", Type: "an:text", Body: []byte(`{"content":"short"}`),
		Options: &wire.SendOptions{Expires: at}}); err != nil {
		t.Fatal(err)
	}
	p.kill()
	if time.Now().UnixMilli() >= at {
		t.Fatalf("the machine is too slow: it was due before the kill")
	}
	until(t, "the time", func() bool { return time.Now().UnixMilli() > at+many })

	p = start(t, dir, "")
	up := time.Now()
	l, _, err = dial(p.tcp, token(p.secret, "alice"), "phone")
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var sent []*wire.Message
	var fired []string
	var took time.Duration
	look := func() {
		sent, fired = nil, nil
		var c wire.ConversationResponse
		l.must(t, wire.MethodConversation, &wire.ConversationRequest{Conv: "u/bob"}, &c)
		all, err := every(l, "u/bob", c.Conversation.Head.Seq)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if strings.HasPrefix(m.Id, "s") {
				sent = append(sent, m)
			}
			if m.Id == "gone" {
				t.Error("what has expired is shown")
			}
		}
		var ch wire.ChangesResponse
		l.must(t, wire.MethodChanges, &wire.ChangesRequest{Conv: "me", FromVer: 1, Limit: 1000}, &ch)
		for _, x := range ch.Changes {
			if x.Kind == wire.ChangeNote && strings.HasPrefix(x.Key, "reminder/") {
				fired = append(fired, x.Key)
			}
		}
	}
	until(t, "all to be done", func() bool {
		look()
		if len(sent) < many || len(fired) < many {
			return false
		}
		took = time.Since(up)
		return true
	})
	t.Logf("%d sends and %d reminders that fell due while the server was down were done %v after it was ready", many, many, took.Round(time.Millisecond))
	ids := make([]string, 0, many)
	for _, m := range sent {
		ids = append(ids, m.Id)
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); len(sent) != many || n != many {
		t.Errorf("%d sends, %d different ones", len(sent), n)
	}

	// Once more: nothing is done again.
	p.kill()
	p = start(t, dir, "")
	if l, _, err = dial(p.tcp, token(p.secret, "alice"), "phone"); err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var s wire.ScheduledResponse
	l.must(t, wire.MethodScheduled, &wire.ScheduledRequest{}, &s)
	if len(s.Scheduled) != 0 {
		t.Errorf("%d still wait", len(s.Scheduled))
	}
	var r wire.RemindersResponse
	l.must(t, wire.MethodReminders, &wire.RemindersRequest{}, &r)
	for _, x := range r.Reminders {
		if x.Fired == 0 {
			t.Errorf("reminder %s still waits", x.Id)
		}
	}
	was := len(sent)
	look()
	if len(sent) != was {
		t.Errorf("%d sends after another start, %d before", len(sent), was)
	}
}
