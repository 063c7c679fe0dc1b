package types

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	xmessage "golang.org/x/text/message"
)

// fault is one thing that is wrong with a value: where, and a sentence's end.
type fault struct {
	at   string // JSON pointer; "" = the whole
	says string // "is missing", "must be a number, not a string"
	kind jsonschema.ErrorKind
}

// worst finds what to tell of all that a validation found: the fault that lies
// deepest, which of the branches of anyOf and oneOf is the one that was meant.
func worst(e *jsonschema.ValidationError) fault {
	leaf, _ := deepest(e, 0)
	return faultOf(leaf)
}

// deepest is the best leaf below e, and how good it is.
func deepest(e *jsonschema.ValidationError, depth int) (*jsonschema.ValidationError, int) {
	if len(e.Causes) == 0 || depth > 100 {
		score := 4 * len(e.InstanceLocation)
		switch e.ErrorKind.(type) {
		case *kind.Const, *kind.Enum: // tells branches apart, so this is the wrong branch
		case *kind.Type:
			score++
		default:
			score += 2
		}
		return e, score
	}
	_, any := e.ErrorKind.(*kind.AnyOf)
	_, one := e.ErrorKind.(*kind.OneOf)
	best, most := (*jsonschema.ValidationError)(nil), -1
	fits, only := 0, (*jsonschema.ValidationError)(nil) // branches for values of this type
	for _, c := range e.Causes {
		leaf, score := deepest(c, depth+1)
		if score > most {
			best, most = leaf, score
		}
		if _, other := leaf.ErrorKind.(*kind.Type); !other {
			fits, only = fits+1, leaf
		}
	}
	if (any || one) && most <= 4*len(e.InstanceLocation)+1 {
		if fits == 1 {
			return only, most
		}
		// No branch got any further than its first look: none was meant.
		return &jsonschema.ValidationError{InstanceLocation: e.InstanceLocation, ErrorKind: e.ErrorKind}, most
	}
	return best, most
}

var english = xmessage.NewPrinter(language.English)

func faultOf(e *jsonschema.ValidationError) fault {
	var at strings.Builder
	for _, p := range e.InstanceLocation {
		at.WriteString("/" + escape(p))
	}
	f := fault{kind: e.ErrorKind}
	under := func(name string) { at.WriteString("/" + escape(name)) }
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		under(k.Missing[0])
		f.says = "is missing"
	case *kind.DependentRequired:
		under(k.Missing[0])
		f.says = fmt.Sprintf("is missing, and goes with %q", clip(k.Prop, 40))
	case *kind.AdditionalProperties:
		under(k.Properties[0])
		f.says = "is not known to the schema"
	case *kind.FalseSchema:
		f.says = "is not allowed"
	case *kind.Not:
		f.says = "is what the schema excludes"
	case *kind.AnyOf:
		f.says = "is none of what the schema allows"
	case *kind.OneOf:
		f.says = "is none of what the schema allows"
		if len(k.Subschemas) > 1 {
			f.says = "is two of what the schema allows, and may be only one"
		}
	case *kind.Type:
		f.says = fmt.Sprintf("must be %s, not %s", wanted(k.Want), article(k.Got))
	case *kind.Enum:
		f.says = "must be " + oneOf(k.Want)
	case *kind.Const:
		f.says = "must be " + oneOf([]any{k.Want})
	case *kind.MinLength:
		f.says = fmt.Sprintf("must have at least %s, not %d", count(k.Want, "character"), k.Got)
	case *kind.MaxLength:
		f.says = fmt.Sprintf("must have at most %s, not %d", count(k.Want, "character"), k.Got)
	case *kind.MinItems:
		f.says = fmt.Sprintf("must have at least %s, not %d", count(k.Want, "item"), k.Got)
	case *kind.MaxItems:
		f.says = fmt.Sprintf("must have at most %s, not %d", count(k.Want, "item"), k.Got)
	case *kind.MinProperties:
		f.says = fmt.Sprintf("must have at least %s, not %d", count(k.Want, "field"), k.Got)
	case *kind.MaxProperties:
		f.says = fmt.Sprintf("must have at most %s, not %d", count(k.Want, "field"), k.Got)
	case *kind.UniqueItems:
		f.says = fmt.Sprintf("must not hold the same twice: items %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.Pattern:
		f.says = fmt.Sprintf("must match the pattern %s", clip(k.Want, 80))
	case *kind.Format:
		if f.says = fmt.Sprintf("must be a valid %s", k.Want); k.Want == "regex" {
			f.says = "must be a regular expression in Go's syntax, which has no look-ahead"
		}
	case *kind.Minimum:
		f.says = fmt.Sprintf("must be at least %s, not %s", number(k.Want), number(k.Got))
	case *kind.Maximum:
		f.says = fmt.Sprintf("must be at most %s, not %s", number(k.Want), number(k.Got))
	case *kind.ExclusiveMinimum:
		f.says = fmt.Sprintf("must be above %s, not %s", number(k.Want), number(k.Got))
	case *kind.ExclusiveMaximum:
		f.says = fmt.Sprintf("must be below %s, not %s", number(k.Want), number(k.Got))
	case *kind.MultipleOf:
		f.says = fmt.Sprintf("must be a multiple of %s", number(k.Want))
	case *kind.PropertyNames:
		under(k.Property)
		f.says = "has a name that the schema does not allow"
	default:
		f.says = "is not as the schema says: " + e.ErrorKind.LocalizedString(english)
	}
	f.at, f.says = clip(at.String(), 120), line(f.says)
	return f
}

// wanted names types: a number, or a text.
func wanted(types []string) string {
	for i, t := range types {
		types[i] = article(t)
	}
	return strings.Join(types, " or ")
}

func article(typ string) string {
	switch typ {
	case "null":
		return "null"
	case "integer", "object", "array":
		if typ == "integer" {
			return "a whole number"
		}
		return "an " + typ
	}
	return "a " + typ
}

// oneOf lists values of the schema.
func oneOf(values []any) string {
	const most = 12
	var list []string
	for _, v := range values {
		switch v := v.(type) {
		case string:
			list = append(list, fmt.Sprintf("%q", clip(v, 40)))
		case map[string]any, []any:
			return "as the schema says"
		case nil:
			list = append(list, "null")
		default:
			list = append(list, fmt.Sprint(v))
		}
	}
	switch {
	case len(list) == 1:
		return list[0]
	case len(list) > most:
		list = append(list[:most], "...")
	}
	return "one of " + strings.Join(list, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// number is a number as people write it.
func number(r *big.Rat) string {
	if r.IsInt() {
		return clip(r.Num().String(), 30)
	}
	f, _ := r.Float64()
	return fmt.Sprint(f)
}
