package im_test

import (
	"strings"
	"testing"

	"github.com/anser-im/anser/internal/im"
)

// Names weigh: a hundred of them are most of a message.
func TestSizeCountsNames(t *testing.T) {
	var users []im.UserID
	for range 100 {
		users = append(users, im.UserID(strings.Repeat("x", 64)))
	}
	bare := (&im.Message{Body: []byte("x")}).Size()
	for _, m := range []*im.Message{{Body: []byte("x"), To: users}, {Body: []byte("x"), Mentions: &im.Mentions{Users: users}}} {
		if n := m.Size() - bare; n < 6600 || n > 7500 {
			t.Errorf("a hundred names of 64 bytes weigh %d", n)
		}
	}
}
