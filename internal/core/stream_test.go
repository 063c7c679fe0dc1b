package core

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// streamed is the body of a part.
type streamed struct {
	Stream im.ClientID `json:"stream"`
	Index  int         `json:"index"`
	Text   string      `json:"text"`
}

// part is the next part that a client is told.
func (c *client) part() streamed {
	c.w.Helper()
	it := c.until(func(it Item) bool { return it.Msg != nil && it.Msg.Type == StreamPartType })
	var p streamed
	c.w.ok(json.Unmarshal(it.Msg.Body, &p))
	if it.Seq != 0 || it.Msg.Flags != im.Status {
		c.w.Fatalf("%+v", it.Msg)
	}
	return p
}

func TestC6_StreamedMessages(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("bot", "ann", "cat")
	w.spreadAll()
	root := w.say("ann", g, "question")
	ann := w.login("ann", "phone")
	bot := w.as("bot")
	q := StreamOpen{ID: "s1", Conv: g, ReplyTo: root}
	_, err := bot.StreamOpen(ctx, q)
	w.ok(err)
	_, err = bot.StreamOpen(ctx, q) // the same again
	w.ok(err)
	words := []string{"Once ", "upon <a> ", "time 从前\n"}
	for i, text := range words {
		for range 2 { // a retry is no error, and nobody is told twice
			a, err := bot.StreamAppend(ctx, StreamPart{ID: "s1", Conv: g, Index: i, Text: text})
			w.ok(err)
			if a.Next != i+1 || a.Text != "" {
				t.Fatalf("%+v", a)
			}
		}
	}
	_, err = bot.StreamAppend(ctx, StreamPart{ID: "s1", Conv: g, Index: 4, Text: "x"})
	w.refused(err, im.Invalid)
	for i, text := range words {
		if p := ann.part(); p != (streamed{"s1", i, text}) {
			t.Fatalf("%+v", p)
		}
	}
	late, err := w.as("cat").StreamGet(ctx, g, "s1") // who comes in between
	w.ok(err)
	if late.Text != strings.Join(words, "") || late.Next != 3 || late.Sender != "bot" || late.Done {
		t.Fatalf("%+v", late)
	}
	for _, s := range []*Session{w.as("eve"), w.as("ann")} {
		_, err = s.StreamAppend(ctx, StreamPart{ID: "s1", Conv: g, Index: 3, Text: "x"})
		w.refused(err, im.NotFound)
		_, err = s.StreamEnd(ctx, StreamEnd{ID: "s1", Conv: g})
		w.refused(err, im.NotFound)
	}
	_, err = w.as("eve").StreamGet(ctx, g, "s1")
	w.refused(err, im.NotFound)

	end := StreamEnd{ID: "s1", Conv: g, Extra: []byte(`{"model":"m1"}`)}
	done, err := bot.StreamEnd(ctx, end)
	w.ok(err)
	again, err := bot.StreamEnd(ctx, end)
	w.ok(err)
	if !done.Done || done.Seq == 0 || again.Seq != done.Seq {
		t.Fatalf("%+v %+v", done, again)
	}
	it := ann.until(func(it Item) bool { return it.Seq == done.Seq })
	var body map[string]any
	w.ok(json.Unmarshal(it.Msg.Body, &body))
	if m := it.Msg; m.Type != StreamType || m.ID != "s1" || m.ReplyTo != root || body["text"] != strings.Join(words, "") || body["model"] != "m1" || len(body) != 2 {
		t.Fatalf("%+v %s", m, m.Body)
	}
	if n := len(w.shown("ann", g)); n != 3 { // the group, the question, one answer
		t.Fatalf("%d messages", n)
	}
	_, err = bot.StreamAppend(ctx, StreamPart{ID: "s1", Conv: g, Index: 3, Text: "x"})
	w.refused(err, im.Denied, im.CodeTooLate)
	// once it is forgotten, the store knows
	w.c.tendStreams(w.c.Now().Add(2 * streamKept))
	if w.c.streams.get(streamKey{im.Group, string(g[2:]), "s1"}) != nil {
		t.Fatal("not forgotten")
	}
	opened, err := bot.StreamOpen(ctx, q)
	w.ok(err)
	q2 := q
	q2.ReplyTo = 0
	_, err = bot.StreamOpen(ctx, q2)
	w.refused(err, im.Conflict)
	if !opened.Done || opened.Seq != done.Seq {
		t.Fatalf("%+v", opened)
	}
}

// A stream in a conversation that nobody has begun, and one that is dropped.
func TestStreamsBeginConversations(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	ann := w.login("ann", "phone")
	_, err := w.as("bot").StreamOpen(ctx, StreamOpen{ID: "s", Conv: "u/ann", Type: "app:answer"})
	w.ok(err)
	_, err = w.as("bot").StreamAppend(ctx, StreamPart{ID: "s", Conv: "u/ann", Text: "hello"})
	w.ok(err)
	if p := ann.part(); p.Text != "hello" {
		t.Fatalf("%+v", p)
	}
	got, err := ann.StreamGet(ctx, "u/bot", "s")
	w.ok(err)
	if got.Text != "hello" || got.Sender != "bot" {
		t.Fatalf("%+v", got)
	}
	done, err := w.as("bot").StreamEnd(ctx, StreamEnd{ID: "s", Conv: "u/ann"})
	w.ok(err)
	if m := w.message("ann", "u/bot", done.Seq); m.Type != "app:answer" || string(m.Body) != `{"text":"hello"}` {
		t.Fatalf("%+v", m)
	}
	_, err = w.as("bot").StreamOpen(ctx, StreamOpen{ID: "t", Conv: "u/ann"})
	w.ok(err)
	_, err = w.as("bot").StreamAppend(ctx, StreamPart{ID: "t", Conv: "u/ann", Text: "no"})
	w.ok(err)
	for range 2 {
		a, err := w.as("bot").StreamEnd(ctx, StreamEnd{ID: "t", Conv: "u/ann", Abort: true})
		w.ok(err)
		if !a.Done || a.Seq != 0 {
			t.Fatalf("%+v", a)
		}
	}
	if n := len(w.shown("ann", "u/bot")); n != 1 {
		t.Fatalf("%d messages", n)
	}
}

// What came so far is stored and says that it broke off: where no part comes for 30 s,
// after 30 minutes, and when the node shuts down.
func TestC6_InterruptedStreams(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	ctx := t.Context()
	bot := w.as("bot")
	open := func(id im.ClientID) {
		t.Helper()
		_, err := bot.StreamOpen(ctx, StreamOpen{ID: id, Conv: "u/ann"})
		w.ok(err)
		_, err = bot.StreamAppend(ctx, StreamPart{ID: id, Conv: "u/ann", Text: "so far"})
		w.ok(err)
	}
	tend := func() {
		t.Helper()
		w.c.tendStreams(clock.Now())
		w.ok(w.c.do(ctx, &store.PutOp{})) // behind what that sent
	}
	const said = `{"interrupted":true,"text":"so far"}`
	ann := w.login("ann", "phone")
	open("gap")
	clock.add(streamGap.Milliseconds())
	tend()
	if _, ok := w.st.Head(1); ok {
		t.Fatal("stored too early")
	}
	clock.add(1)
	tend()
	it := ann.until(func(it Item) bool { return it.Seq == 1 })
	if string(it.Msg.Body) != said || it.Msg.ID != "gap" {
		t.Fatalf("%s", it.Msg.Body)
	}
	_, err := bot.StreamAppend(ctx, StreamPart{ID: "gap", Conv: "u/ann", Index: 1, Text: "more"})
	w.refused(err, im.Denied, im.CodeTooLate)

	open("long")
	for i := 1; clock.Now().UnixMilli() < newClock().Now().Add(streamLife).UnixMilli()+60_000; i++ {
		clock.add(20_000)
		tend()
		if _, err = bot.StreamAppend(ctx, StreamPart{ID: "long", Conv: "u/ann", Index: i, Text: "."}); err != nil {
			break
		}
	}
	w.refused(err, im.Denied, im.CodeTooLate)
	it = ann.until(func(it Item) bool { return it.Seq == 2 })
	if !strings.HasPrefix(string(it.Msg.Body), `{"interrupted":true,"text":"so far....`) {
		t.Fatalf("%s", it.Msg.Body)
	}

	open("empty")
	_, err = bot.StreamOpen(ctx, StreamOpen{ID: "none", Conv: "u/ann"}) // nothing came: nothing is stored
	w.ok(err)
	w.c.Close()
	m, ok, err := w.st.Message(1, 3)
	w.ok(err)
	if !ok || string(m.Body) != said {
		t.Fatalf("%v %+v", ok, m)
	}
	if h, _ := w.st.Head(1); h.Seq != 3 {
		t.Fatalf("%d messages", h.Seq)
	}
}

func TestStreamLimits(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now, Limits: im.Limits{MaxBody: 40 << 10}})
	ctx := t.Context()
	bot := w.as("bot")
	open := func(id im.ClientID, q StreamOpen) error {
		q.ID, q.Conv = id, "u/ann"
		_, err := bot.StreamOpen(ctx, q)
		return err
	}
	w.refused(open("", StreamOpen{}), im.Invalid)
	w.refused(open("s", StreamOpen{Type: GroupType}), im.Invalid)
	w.refused(open("s", StreamOpen{ReplyTo: 1}), im.Invalid)
	for i := range maxStreamsBy {
		w.ok(open(im.ClientID(fmt.Sprint("s", i)), StreamOpen{}))
	}
	w.refused(open("more", StreamOpen{}), im.Busy)
	_, err := bot.StreamEnd(ctx, StreamEnd{ID: "s1", Conv: "u/ann", Abort: true})
	w.ok(err)
	w.ok(open("more", StreamOpen{}))
	for _, c := range []struct {
		index int
		text  string
		want  im.Kind
	}{
		{0, strings.Repeat("x", maxPart+1), im.TooLarge},
		{-1, "x", im.Invalid},
		{0, "\xff", im.Invalid},
		{0, strings.Repeat("x", maxPart), 0},
		{1, strings.Repeat("\n", maxPart), im.TooLarge}, // two bytes each in JSON
		{1, strings.Repeat("<", maxPart), 0},
		{2, strings.Repeat("x", maxPart), im.TooLarge},
	} {
		_, err := bot.StreamAppend(ctx, StreamPart{ID: "s0", Conv: "u/ann", Index: c.index, Text: c.text})
		check(t, fmt.Sprintf("%d %.5q", c.index, c.text), err, c.want, 0)
	}
	for _, extra := range []string{"1", "[]", `{"text":1}`, `{"interrupted":false}`, "{"} {
		_, err = bot.StreamEnd(ctx, StreamEnd{ID: "s0", Conv: "u/ann", Extra: []byte(extra)})
		w.refused(err, im.Invalid)
	}
	_, err = bot.StreamEnd(ctx, StreamEnd{ID: "s0", Conv: "u/ann", Extra: fmt.Appendf(nil, `{"x":%q}`, strings.Repeat("y", 10<<10))})
	w.refused(err, im.TooLarge)
	_, err = bot.StreamEnd(ctx, StreamEnd{ID: "s0", Conv: "u/ann"}) // it was open still
	w.ok(err)
	var refusal error
	for i := 0; refusal == nil && i < 1000; i++ {
		_, refusal = bot.StreamAppend(ctx, StreamPart{ID: "s2", Conv: "u/ann", Index: i, Text: "x"})
	}
	w.refused(refusal, im.Limited)
	if im.AsError(refusal).Retry <= 0 {
		t.Error("no wait is told")
	}
}

// Parts that come from several requests at once are told in order.
func TestPartsAreToldInOrder(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	ann := w.login("ann", "phone")
	app := w.act("bot") // which has no rate
	_, err := app.StreamOpen(ctx, StreamOpen{ID: "s", Conv: "u/ann"})
	w.ok(err)
	const n = 200
	var wg sync.WaitGroup
	for k := range 4 {
		s := w.act("bot")
		wg.Go(func() {
			for i := k; i < n; i += 4 {
				for {
					_, err := s.StreamAppend(ctx, StreamPart{ID: "s", Conv: "u/ann", Index: i, Text: "x"})
					if err == nil {
						break
					}
					if !im.IsKind(err, im.Invalid) { // not yet its turn
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range n {
		if p := ann.part(); p.Index != i {
			t.Fatalf("part %d after %d", p.Index, i-1)
		}
	}
	wg.Wait()
}

// Who loses the right to write there while he streams is refused, and nothing of it
// is stored.
func TestStreamsOfWhoMayNoLongerWrite(t *testing.T) {
	clock := newClock()
	w := newWorld(t, Config{Clock: clock.Now})
	ctx := t.Context()
	g := w.group("own", "bot")
	bot := w.as("bot")
	_, err := bot.StreamOpen(ctx, StreamOpen{ID: "s", Conv: g})
	w.ok(err)
	_, err = bot.StreamAppend(ctx, StreamPart{ID: "s", Conv: g, Text: "x"})
	w.ok(err)
	_, err = w.as("own").GroupRemove(ctx, g, []im.UserID{"bot"})
	w.ok(err)
	_, err = bot.StreamAppend(ctx, StreamPart{ID: "s", Conv: g, Index: 1, Text: "y"})
	w.refused(err, im.NotFound)
	clock.add(time.Minute.Milliseconds())
	w.c.tendStreams(clock.Now())
	w.c.closeStreams()
	if got := w.shown("own", g); len(got) != 2 { // that it was made, and that he left
		t.Fatalf("%v", got)
	}
	if n := len(w.c.streams.all()); n != 0 {
		t.Fatalf("%d streams", n)
	}
}

// The end of the node waits for a stream that ends already: its message is on its way.
func TestCloseWaitsForStreamsThatEnd(t *testing.T) {
	w := newWorld(t, Config{})
	bot := w.as("bot")
	_, err := bot.StreamOpen(t.Context(), StreamOpen{ID: "s", Conv: "u/ann"})
	w.ok(err)
	st := w.c.streams.all()[0]
	st.mu.Lock()
	st.ending = true // as while its message is on the way to the disk
	st.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		w.c.closeStreams()
		close(closed)
	}()
	for waits := false; !waits; { // until it waits
		select {
		case <-closed:
			t.Fatal("it did not wait")
		default:
			runtime.Gosched()
		}
		st.mu.Lock()
		waits = st.closer != nil
		st.mu.Unlock()
	}
	st.mu.Lock()
	st.ending = false
	closer := st.closer
	st.closer = nil
	st.mu.Unlock()
	st.end(w.c, map[string]json.RawMessage{}, func(*im.Error) { closer() })
	<-closed
	if n := len(w.c.streams.all()); n != 0 {
		t.Fatalf("%d streams", n)
	}
}
