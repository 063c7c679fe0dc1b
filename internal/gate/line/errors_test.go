package line

import (
	"testing"

	"github.com/anser-im/anser/internal/im"
)

func TestEveryKindHasAnAnswer(t *testing.T) {
	for _, k := range im.Kinds() {
		if _, ok := hints[k]; !ok {
			t.Errorf("%v is not in the table", k)
		}
	}
}
