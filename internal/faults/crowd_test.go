package faults

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/wire"
)

// counter is a value of /metrics.
func (p *program) counter(t *testing.T, name string) float64 {
	t.Helper()
	for _, l := range strings.Split(string(p.admin(t, "/metrics")), "\n") {
		if v, ok := strings.CutPrefix(l, name+" "); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	t.Fatalf("no counter %s", name)
	return 0
}

// TestE9_Crowd measures a group of 100,000 beside a group of two (3,000 unless it may take long): what a send writes,
// and how long a page of members, the count of readers and a page of their list take.
func TestE9_Crowd(t *testing.T) {
	crowd := 3_000
	if testkit.Soak(t) {
		crowd = 100_000
	}
	p := start(t, t.TempDir()+"/data", "")
	l, _, err := dial(p.tcp, token(p.secret, "owner"), "phone")
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	group := func(name string, members int) string {
		var g wire.GroupResponse
		l.must(t, "GroupCreate", &wire.GroupCreateRequest{Id: name, Name: name, Members: []string{"m000000"}}, &g)
		for at := 1; at < members-1; at += 1000 {
			var names []string
			for i := at; i < min(at+1000, members-1); i++ {
				names = append(names, fmt.Sprintf("m%06d", i))
			}
			l.must(t, "GroupAdd", &wire.GroupAddRequest{Conv: g.Conv, Users: names}, new(wire.GroupChangeResponse))
		}
		return g.Conv
	}
	began := time.Now()
	small, large := group("small", 2), group("large", crowd)
	t.Logf("%d members were added in %v", crowd, time.Since(began).Round(time.Millisecond))

	const sends = 500
	for round := range 3 {
		var wrote []float64
		for _, c := range []struct {
			name, conv string
			seed       int
		}{{"two", small, 1}, {"many", large, 2}} {
			rows := p.counter(t, "anser_store_rows_total")
			var took []time.Duration
			for i := range sends {
				at := time.Now()
				if _, err := l.one(text(c.conv, (10*round+c.seed)*10_000+i, "x")); err != nil {
					t.Fatal(err)
				}
				took = append(took, time.Since(at))
			}
			wrote = append(wrote, (p.counter(t, "anser_store_rows_total")-rows)/sends)
			t.Logf("a group of %s: %.3f rows a send; median %v, p99 %v one at a time", c.name,
				wrote[len(wrote)-1], quantile(took, .5), quantile(took, .99))
		}
		if d := wrote[1] - wrote[0]; d > 0.02 || d < -0.02 { // the store's own housekeeping comes between
			t.Errorf("a send writes %.3f rows in a group of two and %.3f in one of %d", wrote[0], wrote[1], crowd)
		}
	}
	var c wire.ConversationResponse
	l.must(t, "Conversation", &wire.ConversationRequest{Conv: large}, &c)
	seq := c.Conversation.Head.Seq
	timed := func(what string, n int, do func()) {
		var took []time.Duration
		for range n {
			at := time.Now()
			do()
			took = append(took, time.Since(at))
		}
		first := took[0]
		slices.Sort(took)
		t.Logf("%s: first %v, median %v, worst %v of %d", what, first, quantile(took, .5), took[len(took)-1], n)
	}
	after := ""
	timed("a page of 1,000 members", 100, func() {
		var r wire.GroupMembersResponse
		l.must(t, "GroupMembers", &wire.GroupMembersRequest{Conv: large, After: after, Limit: 1000}, &r)
		if len(r.Members) > 0 {
			after = r.Members[len(r.Members)-1].User
		}
	})
	timed("a count of readers", 100, func() {
		var r wire.ReadCountsResponse
		l.must(t, "ReadCounts", &wire.ReadCountsRequest{Conv: large, Seqs: []uint64{seq}}, &r)
		if n := r.Counts[0]; int(n.Read+n.Unread) != crowd-1 {
			t.Fatalf("%d have read and %d have not", n.Read, n.Unread)
		}
	})
	for _, unread := range []bool{true, false} {
		after = ""
		timed(fmt.Sprintf("a page of 1,000 of the list (unread: %v)", unread), 100, func() {
			var r wire.ReadListResponse
			l.must(t, "ReadList", &wire.ReadListRequest{Conv: large, Seq: seq, Unread: unread, After: after, Limit: 1000}, &r)
			if len(r.Users) > 0 {
				after = r.Users[len(r.Users)-1]
			}
		})
	}
}
