package types

import (
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxCost is how often one value of a body may be looked at. A schema of references
// to references can ask for more looks than there are atoms, and one that refers to
// itself through two branches doubles them with each level of the body, which a
// client chooses. So the worst case is reckoned before a schema is taken.
const maxCost = 500

// checkCost refuses a schema that could look at a value of a body more than maxCost
// times. The error is a *schemaError.
func checkCost(s *jsonschema.Schema) error {
	c := costs{node: map[*jsonschema.Schema]*costNode{}}
	if !c.add(s) {
		return &schemaError{"", "refers to itself without a field or an item in between"}
	}
	// worst[n] is how often a value at or below what n is for is looked at in a body of
	// so many levels.
	worst := make([]int, len(c.list))
	for range maxDepth {
		next := make([]int, len(c.list))
		for i, n := range c.list {
			next[i] = n.cost(worst)
			if next[i] > maxCost {
				return &schemaError{"", fmt.Sprintf("could look at a part of a body more than %d times: fewer branches that say something of the same field, or no reference of two of them to the schema around them", maxCost)}
			}
		}
		worst = next
	}
	return nil
}

// costs is the graph of a schema.
type costs struct {
	node map[*jsonschema.Schema]*costNode
	list []*costNode
}

// costNode is a schema with all that is said of the same value by others: how many
// they are, and which schemas look at what is in the value.
type costNode struct {
	at    int
	here  int
	names map[string]map[*costNode]int // fields, and items by place
	any   [2]map[*costNode]int         // all fields, all items
}

// cost is how often the most looked at value is.
func (n *costNode) cost(worst []int) int {
	most := n.here
	sum := func(m map[*costNode]int) int {
		total := 0
		for child, times := range m {
			total = min(total+times*max(worst[child.at], 1), maxCost+1)
		}
		return total
	}
	fields, items := sum(n.any[0]), sum(n.any[1])
	most = max(most, fields, items)
	for name, m := range n.names {
		all := fields
		if name[0] == '#' {
			all = items
		}
		most = max(most, all+sum(m))
	}
	return min(most, maxCost+1)
}

// add puts s and all below it into the graph; false if s leads to itself in place.
func (c *costs) add(s *jsonschema.Schema) bool {
	if c.node[s] != nil {
		return true
	}
	n := &costNode{at: len(c.list), names: map[string]map[*costNode]int{}, any: [2]map[*costNode]int{{}, {}}}
	c.node[s], c.list = n, append(c.list, n)
	// What is said of the same value, each as often as it is said.
	said := map[*jsonschema.Schema]int{}
	if !inPlace(s, said, map[*jsonschema.Schema]bool{}, &n.here) {
		return false
	}
	ok := true
	child := func(to map[*costNode]int, s *jsonschema.Schema, times int) {
		if s == nil {
			return
		}
		ok = ok && c.add(s)
		to[c.node[s]] = min(to[c.node[s]]+times, maxCost+1)
	}
	named := func(name string) map[*costNode]int {
		if n.names[name] == nil {
			n.names[name] = map[*costNode]int{}
		}
		return n.names[name]
	}
	for p, times := range said {
		for name, f := range p.Properties {
			child(named("/"+name), f, times)
		}
		for _, f := range p.PatternProperties {
			child(n.any[0], f, times)
		}
		if f, is := p.AdditionalProperties.(*jsonschema.Schema); is {
			child(n.any[0], f, times)
		}
		child(n.any[0], p.PropertyNames, times)
		child(n.any[0], p.UnevaluatedProperties, times)
		for i, f := range p.PrefixItems {
			child(named(fmt.Sprintf("#%d", i)), f, times)
		}
		child(n.any[1], p.Items2020, times)
		child(n.any[1], p.Contains, times)
		child(n.any[1], p.UnevaluatedItems, times)
	}
	return ok
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
	*sum++
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
