package line

import (
	"fmt"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// hints says what to do about a kind of error, behind its own text. A kind that is not
// here explains itself.
var hints = map[im.Kind]string{
	im.Unauthenticated: "get a token (anser token <user>) and type LOGIN <token>",
	im.Invalid:         "",
	im.TooLarge:        "",
	im.NotFound:        "",
	im.Conflict:        "",
	im.Unsupported:     "",
	im.Denied:          "",
	im.Limited:         "",
	im.Busy:            "nothing was done, try again",
	im.Unavailable:     "it is not known whether it was done: look at HISTORY before you repeat it",
	im.ReadOnly:        "nothing was done, try again later",
	im.Internal:        "",
}

// refusal is the line that tells err. Whatever is no im.Error says nothing of its
// cause.
func refusal(err error) string {
	e := im.AsError(err)
	text := fmt.Sprintf("-ERR %d %s", e.Code, clean(e.Text))
	if h := hints[e.Kind]; h != "" {
		text += "; " + h
	}
	if e.Retry > 0 {
		text += fmt.Sprintf(" (in %v)", max(e.Retry.Round(100*time.Millisecond), 100*time.Millisecond))
	}
	return text
}
