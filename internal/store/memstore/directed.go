package memstore

import (
	"slices"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// direct lists m, which is for some members only, for those of them who are in and
// have not read so far, where it counts; or takes it off their lists.
func (st *state) direct(c *conv, m *im.Message, on bool) {
	if m.To == nil || m.Flags&im.Count == 0 {
		return
	}
	for _, u := range m.To {
		if u == m.Sender || !c.in(u) {
			continue
		}
		r := c.row(u)
		if m.Seq <= r.Read || slices.Contains(r.Directed, m.Seq) == on || on && r.Hides(m.Seq) {
			continue
		}
		own := st.own(c, u)
		if !on {
			own.Directed = slices.DeleteFunc(slices.Clone(own.Directed), func(s im.Seq) bool { return s == m.Seq })
			continue
		}
		own.Directed = append(slices.Clone(own.Directed), m.Seq)
		slices.Sort(own.Directed)
		own.Directed = own.Directed[max(0, len(own.Directed)-store.MaxDirected):]
	}
}
