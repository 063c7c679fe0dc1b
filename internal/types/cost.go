package types

import (
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxCost is how often one value of a body may be looked at. A schema of references
// to references can ask for more looks than there are atoms, and one that refers to
// itself through two branches doubles them with each level of the body, which a
// client chooses. So the worst case is reckoned before a schema is taken.
const maxCost = 200

// maxLooks is how often all values of one body together may be looked at: a look costs
// some microseconds at most, so no body of whatever size is checked for longer than about
// a second.
const maxLooks = 200_000

// maxMerged bounds the reckoning itself: fields that several schemas speak of at once.
const maxMerged = 100_000

// checkCost tells how often a schema may look at one value of a body, and refuses one
// that does so more than maxCost times. The error is a *schemaError.
func checkCost(s *jsonschema.Schema) (cost int, err error) {
	c := costs{node: map[*jsonschema.Schema]*costNode{}, parts: map[*jsonschema.Schema]*content{}}
	if !c.add(s) {
		return 0, &schemaError{"", "refers to itself without a field or an item in between"}
	}
	for _, n := range c.list {
		n.said = slices.DeleteFunc(n.said, func(s saying) bool {
			return len(s.p.names)+len(s.p.fields)+len(s.p.items)+s.p.extra == 0
		})
	}
	// worst[n] is how often a value at or below what n is for is looked at in a body of
	// so many levels.
	worst := make([]int, len(c.list))
	for range maxDepth {
		next := make([]int, len(c.list))
		for _, p := range c.parts {
			p.reckon(worst)
		}
		merged := 0
		for i, n := range c.list {
			next[i] = n.cost(worst, &merged)
			if next[i] > maxCost || merged > maxMerged {
				return 0, &schemaError{"", fmt.Sprintf("could look at a part of a body more than %d times: fewer branches that say something of the same field, shorter enums, or no reference of two branches to the schema around them", maxCost)}
			}
		}
		if slices.Equal(worst, next) {
			break
		}
		worst = next
	}
	return slices.Max(worst), nil
}

// costs is the graph of a schema.
type costs struct {
	node  map[*jsonschema.Schema]*costNode
	list  []*costNode
	parts map[*jsonschema.Schema]*content
}

// costNode is a schema with all that look at the same value when it does.
type costNode struct {
	at   int
	here int      // looks at the value itself
	said []saying // those that speak of what is in it
}

type saying struct {
	p     *content
	times int
}

// content is what one schema alone says of what is in a value.
type content struct {
	names  map[string]*costNode // "/" and a field's name, "#" and an item's place
	fields []*costNode          // said of every field
	items  []*costNode          // said of every item
	extra  int                  // looks at every field's name

	most              int // the most looked at thing in it, at this depth
	allFields, allOfs int // looks at every field, at every item, at this depth
}

// reckon sets what depends on the depth.
func (p *content) reckon(worst []int) {
	p.allFields, p.allOfs = p.extra, 0
	for _, n := range p.fields {
		p.allFields = add(p.allFields, look(n, worst))
	}
	for _, n := range p.items {
		p.allOfs = add(p.allOfs, look(n, worst))
	}
	p.most = max(p.allFields, p.allOfs)
	for name, n := range p.names {
		p.most = max(p.most, add(p.all(name), look(n, worst)))
	}
}

// all is how often what is said of all fields, or items, looks at this one.
func (p *content) all(name string) int {
	if name[0] == '#' {
		return p.allOfs
	}
	return p.allFields
}

func look(n *costNode, worst []int) int { return max(worst[n.at], 1) }

// add and times keep within what is refused anyway.
func add(a, b int) int   { return min(a+b, maxCost+1) }
func times(a, b int) int { return min(a*b, maxCost+1) }

// cost is how often the most looked at value is. merged counts the work.
func (n *costNode) cost(worst []int, merged *int) int {
	if len(n.said) == 1 {
		return max(n.here, times(n.said[0].times, n.said[0].p.most))
	}
	most, fields, items := n.here, 0, 0
	for _, s := range n.said {
		fields = add(fields, times(s.times, s.p.allFields))
		items = add(items, times(s.times, s.p.allOfs))
	}
	most = max(most, fields, items)
	sums := map[string]int{}
	for _, s := range n.said {
		for name, child := range s.p.names {
			*merged++
			sums[name] = add(sums[name], times(s.times, look(child, worst)))
		}
	}
	for name, sum := range sums {
		if name[0] == '#' {
			most = max(most, add(items, sum))
		} else {
			most = max(most, add(fields, sum))
		}
	}
	return most
}

// add puts s and all below it into the graph; false if s leads to itself in place.
func (c *costs) add(s *jsonschema.Schema) bool {
	if c.node[s] != nil {
		return true
	}
	n := &costNode{at: len(c.list)}
	c.node[s], c.list = n, append(c.list, n)
	said := map[*jsonschema.Schema]int{}
	if !inPlace(s, said, map[*jsonschema.Schema]bool{}, &n.here) {
		return false
	}
	for p, times := range said {
		part, ok := c.part(p)
		if !ok {
			return false
		}
		n.said = append(n.said, saying{part, times}) // part may not be whole yet
	}
	return true
}

// part is what s alone says of what is in a value.
func (c *costs) part(s *jsonschema.Schema) (*content, bool) {
	if p := c.parts[s]; p != nil {
		return p, true
	}
	p := &content{names: map[string]*costNode{}, extra: len(s.PatternProperties)}
	c.parts[s] = p
	ok := true
	node := func(s *jsonschema.Schema) *costNode {
		ok = ok && c.add(s)
		return c.node[s]
	}
	every := func(to *[]*costNode, list ...*jsonschema.Schema) {
		for _, s := range list {
			if s != nil {
				*to = append(*to, node(s))
			}
		}
	}
	for name, f := range s.Properties {
		p.names["/"+name] = node(f)
	}
	for i, f := range s.PrefixItems {
		p.names[fmt.Sprintf("#%d", i)] = node(f)
	}
	for _, f := range s.PatternProperties {
		every(&p.fields, f)
	}
	if f, is := s.AdditionalProperties.(*jsonschema.Schema); is {
		every(&p.fields, f)
	}
	every(&p.fields, s.PropertyNames, s.UnevaluatedProperties)
	every(&p.items, s.Items2020, s.Contains, s.UnevaluatedItems)
	return p, ok
}

// inPlace counts the schemas that look at a value when s does, s among them, in said
// and in sum. false if s leads to itself; past maxCost counting ends.
func inPlace(s *jsonschema.Schema, said map[*jsonschema.Schema]int, above map[*jsonschema.Schema]bool, sum *int) bool {
	if s == nil || *sum > maxCost {
		return true
	}
	if above[s] {
		return false
	}
	said[s]++
	*sum += 1 + enumCost(s)
	above[s] = true
	defer delete(above, s)
	next := []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}
	next = append(append(append(next, s.AllOf...), s.AnyOf...), s.OneOf...)
	for _, d := range s.DependentSchemas {
		next = append(next, d)
	}
	for _, n := range next {
		if !inPlace(n, said, above, sum) {
			return false
		}
	}
	return true
}

// enumCost is what comparing with all values of an enum costs, in looks: texts are
// compared at once, numbers are read first, and objects are gone through.
func enumCost(s *jsonschema.Schema) int {
	if s.Enum == nil {
		return 0
	}
	cost := 0
	for _, v := range s.Enum.Values {
		switch v.(type) {
		case string, bool, nil:
			cost++
		default:
			cost += 20
		}
	}
	return cost / 20
}
