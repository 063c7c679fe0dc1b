package core

import (
	"reflect"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// What is lost while a turn goes on is not forgotten when the turn fails.
func TestLostMerges(t *testing.T) {
	for _, c := range []struct{ a, b, want lost }{
		{lost{any: true, first: 3, last: 5}, lost{any: true, first: 6, last: 9, from: 2, to: 4, state: true},
			lost{any: true, first: 3, last: 9, from: 2, to: 4, state: true}},
		{lost{any: true, from: 1, to: 1}, lost{any: true, from: 5, to: 7, reload: true, out: map[im.UserID]im.MVer{"bob": 3}},
			lost{any: true, from: 1, to: 7, reload: true, out: map[im.UserID]im.MVer{"bob": 3}}},
		{lost{any: true, first: 1, last: 2, out: map[im.UserID]im.MVer{"bob": 3}}, lost{},
			lost{any: true, first: 1, last: 2, out: map[im.UserID]im.MVer{"bob": 3}}},
	} {
		got := c.a
		got.merge(&c.b)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v and %+v make %+v, want %+v", c.a, c.b, got, c.want)
		}
	}
}
