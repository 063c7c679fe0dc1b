package types

import (
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// The dearest bodies of the largest size that we know, against schemas that are just
// taken: each is decided in time, whatever the answer.
func TestD10_WorstBodies(t *testing.T) {
	const size = 128 << 10
	ones := "[" + strings.Repeat("1,", size/2-2) + "1]"
	texts := "[" + strings.Repeat(`"",`, size/3-2) + `""]`
	var branches []string
	for range 150 {
		branches = append(branches, `{"items":{"type":"number","minimum":0}}`)
	}
	for _, c := range []struct{ name, schema, body string }{
		{"numbers against an enum", `{"items":{"enum":[` + numbers(190) + `]}}`, strings.ReplaceAll(ones, "1", "7")},
		{"numbers against none of an enum", `{"items":{"enum":[` + numbers(190) + `]}}`, "[" + strings.Repeat("-1,", size/3-2) + "1]"},
		{"texts against a long enum", `{"items":{"enum":["` + strings.Repeat(`x","`, 3000) + `y"]}}`, texts},
		{"a hundred and fifty branches", `{"allOf":[` + strings.Join(branches, ",") + `]}`, ones},
		{"unique items", `{"uniqueItems":true}`, ones},
		{"unique lists", `{"uniqueItems":true}`, "[" + strings.Repeat(`[],`, size/3-2) + `[1]]`},
		{"contains", `{"contains":{"const":2}}`, ones},
		{"patterns", `{"patternProperties":{` + fields(90, `{}`) + `}}`, `{"a":1` + names(size/8) + `}`},
		{"a long pattern", `{"items":{"pattern":"^(a|b|ab)*c(x{0,200}y){0,4}$"}}`, `["` + strings.Repeat("ab", size/2-10) + `"]`},
		{"all that is allowed", `{"allOf":[` + strings.Join(branches, ",") + `]}`, "[" + strings.Repeat("1,", maxLooks/151-2) + "1]"},
		{"depth", `{"items":{"$ref":"#"}}`, strings.Repeat("[", 64) + strings.Repeat("]", 64)},
		{"long numbers", `{"items":{"multipleOf":0.0001}}`, "[" + strings.Repeat("1e399,", size/6-2) + "1]"},
	} {
		e, err := newEntry(im.MessageType{Name: "acme:x", Schema: []byte(c.schema)})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		began := time.Now()
		_, invalid := e.validate([]byte(c.body))
		d := time.Since(began)
		t.Logf("%s: %v (%v)", c.name, d.Round(time.Millisecond), invalid)
		if d > 10*time.Second {
			t.Errorf("%s took %v", c.name, d)
		}
	}
}

func names(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"n`)
		for k := i; k > 0; k /= 26 {
			b.WriteByte(byte('a' + k%26))
		}
		b.WriteString(`":1`)
	}
	return b.String()
}
