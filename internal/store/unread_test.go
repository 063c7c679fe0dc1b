package store_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

func ranges(n ...uint64) []store.Range {
	var out []store.Range
	for i := 0; i < len(n); i += 2 {
		out = append(out, store.Range{From: n[i], To: n[i+1]})
	}
	return out
}

func TestUnread(t *testing.T) {
	for _, c := range []struct {
		name     string
		head     store.Head
		row      store.Row
		n, ofAll uint64
	}{
		{"nothing was sent", store.Head{}, store.Row{}, 0, 0},
		{"nothing was read", store.Head{N: 7, NA: 2}, store.Row{}, 7, 2},
		{"all was read", store.Head{N: 7, NA: 2}, store.Row{ReadN: 7, ReadNA: 2}, 0, 0},
		{"a cursor newer than the head", store.Head{N: 7, NA: 2}, store.Row{ReadN: 8, ReadNA: 3}, 0, 0},
		{"withdrawn for all", store.Head{N: 9, Withdrawn: ranges(2, 3, 7, 7)}, store.Row{}, 6, 0},
		{"withdrawn below the cursor", store.Head{N: 9, Withdrawn: ranges(2, 3, 7, 7)}, store.Row{ReadN: 3}, 5, 0},
		{"withdrawn across the cursor", store.Head{N: 9, Withdrawn: ranges(2, 5)}, store.Row{ReadN: 3}, 4, 0},
		{"all of it withdrawn", store.Head{N: 9, Withdrawn: ranges(1, 9)}, store.Row{}, 0, 0},
		{"all that is left withdrawn", store.Head{N: 9, Withdrawn: ranges(1, 4, 6, 9)}, store.Row{ReadN: 5}, 0, 0},
		{"withdrawn for him", store.Head{N: 9}, store.Row{ReadN: 2, Withdrawn: ranges(3, 3, 9, 9)}, 5, 0},
		{"for all and for him, apart", store.Head{N: 9, Withdrawn: ranges(2, 2, 8, 8)}, store.Row{Withdrawn: ranges(4, 5)}, 5, 0},
		{"for all and for him, the same", store.Head{N: 9, Withdrawn: ranges(4, 5)}, store.Row{Withdrawn: ranges(4, 5)}, 7, 0},
		{"for all within what is for him", store.Head{N: 9, Withdrawn: ranges(4, 4, 6, 6)}, store.Row{Withdrawn: ranges(3, 7)}, 4, 0},
		{"for him within what is for all", store.Head{N: 9, Withdrawn: ranges(3, 7)}, store.Row{Withdrawn: ranges(4, 4, 6, 6)}, 4, 0},
		{"overlapping", store.Head{N: 9, Withdrawn: ranges(2, 4, 7, 8)}, store.Row{Withdrawn: ranges(4, 7)}, 2, 0},
		{"@all withdrawn for all and for him", store.Head{N: 5, NA: 5, WithdrawA: ranges(1, 2)}, store.Row{WithdrawA: ranges(2, 3)}, 5, 2},
		{"directed", store.Head{N: 5}, store.Row{ReadN: 4, Read: 10, Directed: []im.Seq{9, 10, 11, 20}}, 3, 0},
		{"a row newer than the head", store.Head{N: 5, Withdrawn: ranges(4, 4)}, store.Row{ReadN: 2, Withdrawn: ranges(5, 9, 12, 12)}, 1, 0},
		{"only directed", store.Head{N: 5}, store.Row{ReadN: 5, Read: 10, Directed: []im.Seq{12}}, 1, 0},
	} {
		before := len(c.head.Withdrawn) + len(c.row.Withdrawn)
		if n, all := c.head.Unread(&c.row); n != c.n || all != c.ofAll {
			t.Errorf("%s: %d, @all %d; want %d, %d", c.name, n, all, c.n, c.ofAll)
		}
		if len(c.head.Withdrawn)+len(c.row.Withdrawn) != before {
			t.Errorf("%s: what was asked for was altered", c.name)
		}
	}
}

// drawRanges is what a head or a row may hold: ascending, disjoint.
func drawRanges(r *rapid.T, what string, most uint64) []store.Range {
	var list []store.Range
	for range rapid.IntRange(0, 8).Draw(r, what) {
		from := rapid.Uint64Range(1, most).Draw(r, "from")
		list = append(list, store.Range{From: from, To: from + rapid.Uint64Range(0, 4).Draw(r, "more")})
	}
	return store.Unite(list, nil)
}

func holds(ranges []store.Range, n uint64) bool {
	for _, r := range ranges {
		if n >= r.From && n <= r.To {
			return true
		}
	}
	return false
}

// What is unread is what a walk through all ordinals counts.
func TestUnreadWalk(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const most = 40
		h := store.Head{N: rapid.Uint64Range(0, most).Draw(r, "n"), NA: rapid.Uint64Range(0, most).Draw(r, "na"),
			Withdrawn: drawRanges(r, "for all", most), WithdrawA: drawRanges(r, "@all for all", most)}
		row := store.Row{ReadN: rapid.Uint64Range(0, most).Draw(r, "read n"), ReadNA: rapid.Uint64Range(0, most).Draw(r, "read na"),
			Withdrawn: drawRanges(r, "for him", most), WithdrawA: drawRanges(r, "@all for him", most)}
		walk := func(head, read uint64, a, b []store.Range) (n uint64) {
			for i := read + 1; i <= head; i++ {
				if !holds(a, i) && !holds(b, i) {
					n++
				}
			}
			return n
		}
		n, all := h.Unread(&row)
		if want, wantA := walk(h.N, row.ReadN, h.Withdrawn, row.Withdrawn), walk(h.NA, row.ReadNA, h.WithdrawA, row.WithdrawA); n != want || all != wantA {
			r.Fatalf("%d, @all %d; want %d, %d of %+v %+v", n, all, want, wantA, h, row)
		}
	})
}

// Ranges are what a set of numbers is.
func TestRanges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const most = 60
		raw := func(what string) []store.Range {
			var list []store.Range
			for range rapid.IntRange(0, 10).Draw(r, what) {
				from := rapid.Uint64Range(0, most).Draw(r, "from")
				list = append(list, store.Range{From: from, To: from + rapid.Uint64Range(0, 6).Draw(r, "more") - 1})
			}
			return list
		}
		a, b := raw("a"), raw("b")
		united := store.Unite(a, b)
		low, high := rapid.Uint64Range(0, most).Draw(r, "low"), rapid.Uint64Range(0, most).Draw(r, "high")
		between := store.Between(united, low, high)
		for n := uint64(0); n <= most+10; n++ {
			in := false
			for _, list := range [][]store.Range{a, b} {
				for _, x := range list {
					in = in || x.From <= x.To && n >= x.From && n <= x.To
				}
			}
			if holds(united, n) != in {
				r.Fatalf("%d is in %v and %v: %v, and %v", n, a, b, in, united)
			}
			if want := in && n > low && n <= high; holds(between, n) != want {
				r.Fatalf("%d is in %v above %d up to %d: %v, and %v", n, united, low, high, want, between)
			}
		}
		for _, list := range [][]store.Range{united, between} {
			for i, x := range list {
				if x.From > x.To || i > 0 && list[i-1].To+1 >= x.From {
					r.Fatalf("%v is not ascending, disjoint and joined", list)
				}
			}
		}
		if k := rapid.IntRange(0, 5).Draw(r, "most"); len(store.Newest(united, k)) > k || len(united) > 0 && k > 0 && store.Newest(united, k)[min(k, len(united))-1] != united[len(united)-1] {
			r.Fatalf("%v", store.Newest(united, k))
		}
	})
}

// What is deleted for one is what a set of numbers is, in as few ranges as what still
// holds something asks for.
func TestUniteGone(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const most = 40
		head := im.Seq(rapid.Uint64Range(0, most).Draw(r, "head"))
		empty := map[im.Seq]bool{}
		for _, n := range rapid.SliceOfN(rapid.Uint64Range(1, most), 0, 20).Draw(r, "holds nothing") {
			empty[im.Seq(n)] = true
		}
		hole := func(from, to im.Seq) bool {
			if from > to || from == 0 || to > most+10 {
				r.Fatalf("asked of %d..%d", from, to)
			}
			for n := from; n <= to; n++ {
				if !empty[n] {
					return false
				}
			}
			return true
		}
		var have []im.SeqRange
		gone := map[im.Seq]bool{}
		for range rapid.IntRange(1, 4).Draw(r, "times") {
			var add []im.SeqRange
			for range rapid.IntRange(0, 4).Draw(r, "ranges") {
				from := im.Seq(rapid.Uint64Range(0, most+4).Draw(r, "from"))
				add = append(add, im.SeqRange{From: from, To: from + im.Seq(rapid.Uint64Range(0, 5).Draw(r, "more"))})
				if last := &add[len(add)-1]; last.From > 0 {
					last.To-- // perhaps before it begins
				}
			}
			for _, g := range add {
				for n := max(g.From, 1); n <= min(g.To, head); n++ {
					gone[n] = true
				}
			}
			have = store.UniteGone(have, add, head, hole)
		}
		row := store.Row{Gone: have}
		for n := im.Seq(0); n <= most+10; n++ {
			if gone[n] != row.Hides(n) && !(empty[n] && row.Hides(n)) {
				r.Fatalf("%d is gone: %v, and %v", n, gone[n], have)
			}
		}
		for i, g := range have {
			if g.From > g.To || i > 0 && have[i-1].To+1 >= g.From {
				r.Fatalf("%v is not ascending, disjoint and joined", have)
			}
		}
	})
}

// A row's own parts never alter what a reader of the former row holds.
func TestRowIsNotAltered(t *testing.T) {
	h := &store.Head{Seq: 100, N: 100, NA: 100}
	was := store.Row{Read: 10, ReadN: 10, ReadNA: 10, Role: im.Member, Settings: im.Settings{Tags: []string{"a", "b"}},
		Gone: []im.SeqRange{{From: 20, To: 22}, {From: 30, To: 30}}, Withdrawn: ranges(11, 12, 20, 20), WithdrawA: ranges(15, 15), Directed: []im.Seq{11, 12, 40}}
	copied := store.Row{Settings: im.Settings{Tags: []string{"a", "b"}}, Gone: []im.SeqRange{{From: 20, To: 22}, {From: 30, To: 30}},
		Withdrawn: ranges(11, 12, 20, 20), WithdrawA: ranges(15, 15), Directed: []im.Seq{11, 12, 40}}
	for name, alter := range map[string]func(*store.Row){
		"trim":     func(r *store.Row) { r.Read, r.ReadN, r.ReadNA = 11, 11, 50; r.Trim() },
		"withdraw": func(r *store.Row) { r.Withdraw(h, ranges(13, 19), ranges(16, 16)) },
		"list":     func(r *store.Row) { r.List(50); r.List(35) },
		"unlist":   func(r *store.Row) { r.Unlist(11) },
		"role":     func(r *store.Row) { r.SetRole(&store.RoleSet{}, &store.Row{}) },
		"set": func(r *store.Row) {
			tags := []string{"c"}
			moved, err := r.Set(&store.SetOp{Gone: []im.SeqRange{{From: 12, To: 40}}, Withdrawn: ranges(1, 99), WithdrawA: ranges(1, 99), Patch: &im.SettingsPatch{Tags: &tags}}, h, func(_, _ im.Seq) bool { return false })
			tags[0] = "d"
			if !moved || err != nil || r.Settings.Tags[0] != "c" || len(r.Directed) != 1 || r.Withdrawn[0] != (store.Range{From: 11, To: 99}) {
				t.Errorf("%v %v %+v", moved, err, r)
			}
		},
	} {
		r := was
		alter(&r)
		for i := range copied.Directed {
			if was.Directed[i] != copied.Directed[i] {
				t.Errorf("%s: %v", name, was.Directed)
			}
		}
		for i := range copied.Gone {
			if was.Gone[i] != copied.Gone[i] {
				t.Errorf("%s: %v", name, was.Gone)
			}
		}
		for i := range copied.Withdrawn {
			if was.Withdrawn[i] != copied.Withdrawn[i] || was.WithdrawA[0] != copied.WithdrawA[0] || was.Settings.Tags[i] != copied.Settings.Tags[i] {
				t.Errorf("%s: %+v", name, was)
			}
		}
	}
}
