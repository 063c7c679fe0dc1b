package core

import (
	"bytes"
	"slices"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func seqsOf(list []*im.Message) (seqs []im.Seq) {
	for _, m := range list {
		seqs = append(seqs, m.Seq)
	}
	return seqs
}

func TestE3_QuotesAreCountedAndListed(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	g := w.group("ann", "bob", "cat")
	root := w.say("ann", g, "question")
	reply := func(m *im.Message) { m.ReplyTo = root }
	var all []im.Seq
	for range 5 {
		all = append(all, w.say("bob", g, "answer", reply))
		w.say("bob", g, "else")
	}
	hidden := w.say("ann", g, "for bob", reply, func(m *im.Message) { m.To = []im.UserID{"bob"} })
	list, more, err := w.as("cat").Replies(ctx, g, root, 0, 3)
	w.ok(err)
	rest, last, err := w.as("cat").Replies(ctx, g, root, list[len(list)-1].Seq, 3)
	w.ok(err)
	if got := seqsOf(append(list, rest...)); !more || last || !slices.Equal(got, all) {
		t.Fatalf("%v %v %v, want %v", got, more, last, all)
	}
	if list, _, err = w.as("bob").Replies(ctx, g, root, 0, 0); err != nil || !slices.Equal(seqsOf(list), append(slices.Clone(all), hidden)) {
		t.Fatalf("bob: %v %v", seqsOf(list), err)
	}
	page, _, err := w.as("cat").Page(ctx, PageQuery{Conv: g})
	w.ok(err)
	x, err := w.as("cat").Extras(ctx, g, page)
	w.ok(err)
	if len(x) != 1 || x[0].Seq != root || x[0].Replies != 5 {
		t.Fatalf("%+v", x)
	}
	// a recalled answer is still one; a deleted one is not, until it is restored
	_, err = w.as("bob").Delete(ctx, DeleteRequest{Conv: g, Seqs: all[:2], ForAll: true})
	w.ok(err)
	_, err = w.as("bob").Recall(ctx, RecallRequest{Conv: g, Seq: all[2]})
	w.ok(err)
	count := func() int {
		x, err := w.as("cat").Extras(ctx, g, page)
		w.ok(err)
		return x[0].Replies
	}
	if n := count(); n != 3 {
		t.Fatalf("%d replies", n)
	}
	_, err = w.as("bob").Undelete(ctx, g, all[:1])
	w.ok(err)
	if n := count(); n != 4 {
		t.Fatalf("%d replies", n)
	}
	list, _, err = w.as("cat").Replies(ctx, g, root, 0, 0)
	w.ok(err)
	if want := slices.Concat(all[:1], all[2:]); !slices.Equal(seqsOf(list), want) {
		t.Fatalf("%v, want %v", seqsOf(list), want)
	}
}

// Nobody answers what is not there yet; a retry of what was kept is answered.
func TestRepliesToWhatIsNotThere(t *testing.T) {
	w := newWorld(t, Config{})
	send := func(m *im.Message) error {
		return w.as("ann").SendWait(t.Context(), &Send{To: "u/bob", Msg: m})
	}
	w.refused(send(&im.Message{ID: "1", Type: "an:text", ReplyTo: 1}), im.Invalid)
	w.ok(send(&im.Message{ID: "2", Type: "an:text"}))
	w.ok(send(&im.Message{ID: "3", Type: "an:text", ReplyTo: 1}))
	w.refused(send(&im.Message{ID: "4", Type: "an:text", ReplyTo: 3}), im.Invalid)
	w.refused(send(&im.Message{ID: "5", Type: "an:text", Thread: 3}), im.Invalid)
	w.ok(send(&im.Message{ID: "3", Type: "an:text", ReplyTo: 9}))
}

func TestE21_HistoryAroundAMessage(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	for range 20 {
		w.say("ann", "u/bob", "x")
	}
	_, err := w.as("bob").Delete(ctx, DeleteRequest{Conv: "u/ann", Seqs: []im.Seq{9, 11}})
	w.ok(err)
	for _, c := range []struct {
		around   im.Seq
		limit    int
		from, to im.Seq
		seqs     []im.Seq
	}{
		{10, 6, 7, 12, []im.Seq{7, 8, 10, 12}},
		{1, 6, 1, 3, []im.Seq{1, 2, 3}},
		{2, 6, 1, 4, []im.Seq{1, 2, 3, 4}},
		{20, 6, 17, 20, []im.Seq{17, 18, 19, 20}},
		{21, 6, 18, 20, []im.Seq{18, 19, 20}},
		{5000, 6, 18, 20, []im.Seq{18, 19, 20}},
		{10, 5, 8, 12, []im.Seq{8, 10, 12}},
		{10, 1, 10, 10, []im.Seq{10}},
	} {
		r, head, err := w.as("bob").Page(ctx, PageQuery{Conv: "u/ann", Around: c.around, Limit: c.limit})
		w.ok(err)
		if got := seqsOf(r.Messages); r.From != c.from || r.To != c.to || !slices.Equal(got, c.seqs) || head.Seq != 20 {
			t.Errorf("around %d, %d: %d-%d %v; want %d-%d %v", c.around, c.limit, r.From, r.To, got, c.from, c.to, c.seqs)
		}
	}
	r, _, err := w.as("bob").Page(ctx, PageQuery{Conv: "u/ann", Around: 10})
	w.ok(err)
	if r.From != 1 || r.To != 20 {
		t.Errorf("%+v", r)
	}
	// large messages: either side has its half of the bytes, and the range stays whole
	for range 8 {
		w.say("cat", "u/dan", string(bytes.Repeat([]byte("x"), 100<<10)))
	}
	r, _, err = w.as("dan").Page(ctx, PageQuery{Conv: "u/cat", Around: 5, Limit: 8})
	w.ok(err)
	if r.From > 4 || r.To < 5 || len(r.Messages) != int(r.To-r.From+1) || len(r.Messages) > 5 {
		t.Errorf("%d-%d, %d messages", r.From, r.To, len(r.Messages))
	}
	// before his time there is nothing, which is covered
	g := w.group("ann", "bob")
	w.say("ann", g, "x")
	_, err = w.as("ann").GroupAdd(ctx, g, []im.UserID{"eve"})
	w.ok(err)
	w.say("ann", g, "x")
	r, _, err = w.as("eve").Page(ctx, PageQuery{Conv: g, Around: 2})
	w.ok(err)
	if r.From != 1 || r.To != 4 || !slices.Equal(seqsOf(r.Messages), []im.Seq{3, 4}) {
		t.Errorf("%+v", r)
	}
}

func TestMessagesByNumber(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	for range 5 {
		w.say("ann", "u/bob", string(bytes.Repeat([]byte("x"), 100<<10)))
	}
	list, err := w.as("bob").Messages(ctx, "u/ann", []im.Seq{5, 2, 2, 0, 99})
	w.ok(err)
	if !slices.Equal(seqsOf(list), []im.Seq{2, 5}) {
		t.Fatalf("%v", seqsOf(list))
	}
	list, err = w.as("bob").Messages(ctx, "u/ann", []im.Seq{1, 2, 3, 4, 5}) // as many as fit
	w.ok(err)
	if !slices.Equal(seqsOf(list), []im.Seq{1, 2, 3}) {
		t.Fatalf("%v", seqsOf(list))
	}
	_, err = w.as("bob").Messages(ctx, "u/ann", make([]im.Seq, 201))
	w.refused(err, im.TooLarge)
}
