package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// step is one operation of a recorded history on one conversation.
type step struct {
	append bool // else the head, or the page that ends at it, was read
	conv   int
}

// counter is what a conversation is to this test: a number that appends raise by one
// and reads answer.
var counter = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[int][]porcupine.Operation{}
		for _, op := range history {
			c := op.Input.(step).conv
			by[c] = append(by[c], op)
		}
		var parts [][]porcupine.Operation
		for _, p := range by {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return im.Seq(1) },
	Step: func(state, input, output any) (bool, any) {
		at, got := state.(im.Seq), output.(im.Seq)
		if input.(step).append {
			return got == at+1, got
		}
		return got == at, at
	},
}

// testLinear: sends and reads of a few conversations by many at once are as if each
// had happened at one moment between its call and its answer.
func testLinear(t *testing.T, open Open) {
	o := opened(t, open, Options{})
	s := o.Store
	const convs, clients, each = 4, 8, 1300
	var ids [convs]im.ConvID
	for i := range ids {
		ids[i] = must(t, s, direct(text("alice", "first", "x"), im.UserID(fmt.Sprint("b", i)))).At
	}
	began := time.Now()
	history := make([][]porcupine.Operation, clients)
	var wg sync.WaitGroup
	for g := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(5, uint64(g)))
			for i := range each {
				c := rng.IntN(convs)
				op := porcupine.Operation{ClientId: g, Input: step{rng.IntN(2) == 0, c}, Call: int64(time.Since(began))}
				switch {
				case op.Input.(step).append:
					send := into(s, ids[c], text("alice", im.ClientID(fmt.Sprint(g, "-", i)), "x"))
					if err := do(s, send); err != nil {
						t.Error(err)
						return
					}
					op.Output = send.Seq
				case rng.IntN(2) == 0:
					h, _ := s.Head(ids[c])
					op.Output = h.Seq
				default:
					p, err := s.Page(store.PageQuery{Conv: ids[c], From: 1, To: 1 << 40, Backward: true, Limit: 1})
					if err != nil || len(p.Messages) != 1 || p.Messages[0].Seq != p.To {
						t.Errorf("%+v %v", p, err)
						return
					}
					op.Output = p.To
				}
				op.Return = int64(time.Since(began))
				history[g] = append(history[g], op)
			}
		})
	}
	wg.Wait()
	var all []porcupine.Operation
	for _, h := range history {
		all = append(all, h...)
	}
	if r := porcupine.CheckOperationsTimeout(counter, all, limit); r != porcupine.Ok {
		t.Fatalf("%d operations: %v", len(all), r)
	}
}
