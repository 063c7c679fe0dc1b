package core

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestE22_Reports(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	ctx := t.Context()
	app := w.act("")
	big := bytes.Repeat([]byte("spam "), 128<<10/5)
	w.say("eve", "u/ann", string(big), func(m *im.Message) { m.Digest = "buy" })
	first, err := w.as("ann").Report(ctx, ReportRequest{Conv: "u/eve", Seq: 1, Reason: "spam", Text: "again\nand again"})
	w.ok(err)
	clock.add(1)
	second, err := w.as("bob").Report(ctx, ReportRequest{User: "eve", Reason: "abuse"})
	w.ok(err)
	_, err = w.as("eve").Recall(ctx, RecallRequest{Conv: "u/ann", Seq: 1}) // the evidence stays
	w.ok(err)
	list, more, err := app.Reports(ctx, "", "", 0)
	w.ok(err)
	if len(list) != 2 || more || list[0].ID != first || list[1].ID != second {
		t.Fatalf("%+v", list)
	}
	r := list[0]
	if r.By != "ann" || r.Of != "eve" || r.Seq != 1 || r.Reason != "spam" || r.Text != "again\nand again" || r.State != ReportOpen || r.Time == 0 ||
		r.Msg.Sender != "eve" || r.Msg.Digest != "buy" || !bytes.Equal(r.Msg.Body, big) {
		t.Fatalf("%+v", r)
	}
	if conv, seq, err := im.ParseMID(r.MID); err != nil || conv != 1 || seq != 1 {
		t.Fatalf("%s %v", r.MID, err)
	}
	if r = list[1]; r.Msg != nil || r.MID != "" || r.Of != "eve" || r.By != "bob" {
		t.Fatalf("%+v", r)
	}

	w.ok(app.ReportSettle(ctx, first, ReportRemoved))
	w.ok(app.ReportSettle(ctx, first, ReportRemoved))
	for state, want := range map[string]string{ReportOpen: second, ReportRemoved: first, ReportKept: ""} {
		list, _, err := app.Reports(ctx, state, "", 0)
		w.ok(err)
		if got := fmt.Sprint(len(list)); want == "" && got != "0" || want != "" && (got != "1" || list[0].ID != want) {
			t.Errorf("%s: %+v", state, list)
		}
	}
	list, more, err = app.Reports(ctx, "", "", 1)
	w.ok(err)
	rest, last, err := app.Reports(ctx, "", list[0].ID, 1)
	w.ok(err)
	if !more || last || list[0].ID != first || len(rest) != 1 || rest[0].ID != second || !bytes.Equal(list[0].Msg.Body, big) {
		t.Fatalf("%v %v %v %v", list, more, rest, last)
	}
	w.refused(app.ReportSettle(ctx, first, "gone"), im.Invalid)
	w.refused(app.ReportSettle(ctx, "none", ReportKept), im.NotFound)
	w.refused(app.ReportSettle(ctx, first+"/000", ReportKept), im.NotFound)
	w.refused(app.ReportSettle(ctx, "", ReportKept), im.NotFound)
	w.refused(w.as("ann").ReportSettle(ctx, first, ReportKept), im.Denied)
	_, _, err = app.Reports(ctx, "gone", "", 0)
	w.refused(err, im.Invalid)
	for _, c := range []struct {
		q    ReportRequest
		want im.Kind
	}{
		{ReportRequest{Reason: "x"}, im.Invalid},
		{ReportRequest{Conv: "u/eve", Seq: 1, User: "eve", Reason: "x"}, im.Invalid},
		{ReportRequest{User: "eve"}, im.Invalid},
		{ReportRequest{User: "ann", Reason: "x"}, im.Invalid}, // oneself
		{ReportRequest{User: "a b", Reason: "x"}, im.Invalid},
		{ReportRequest{User: "eve", Reason: strings.Repeat("x", 65)}, im.Invalid},
		{ReportRequest{User: "eve", Reason: "x", Text: strings.Repeat("x", 1025)}, im.TooLarge},
		{ReportRequest{User: "eve", Reason: "x", Text: "\x00"}, im.Invalid},
		{ReportRequest{Conv: "u/eve", Seq: 9, Reason: "x"}, im.NotFound},
		{ReportRequest{Conv: "u/zed", Seq: 1, Reason: "x"}, im.NotFound},
	} {
		_, err := w.as("ann").Report(ctx, c.q)
		check(t, fmt.Sprintf("%.60v", c.q), err, c.want, 0)
	}
}
