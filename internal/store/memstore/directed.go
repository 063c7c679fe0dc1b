package memstore

import "github.com/anser-im/anser/internal/im"

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
		r := *c.row(u)
		if on && r.List(m.Seq) || !on && r.Unlist(m.Seq) {
			st.own(c, u).Directed = r.Directed
		}
	}
}
