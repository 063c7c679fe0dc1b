package im_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Every kind has a name and a number of its own, in the class that it belongs to.
func TestKinds(t *testing.T) {
	names, codes := map[string]bool{}, map[im.Code]bool{}
	for _, k := range im.Kinds() {
		if names[k.String()] || codes[k.Code()] || k.Code() < 2000 || k.Code() >= 7000 {
			t.Errorf("%v has number %d", k, k.Code())
		}
		names[k.String()], codes[k.Code()] = true, true
		if again := k == im.Limited || k == im.Busy || k == im.Unavailable || k == im.ReadOnly || k == im.Internal; k.Code().Retryable() != again {
			t.Errorf("%v, %d: repeated is %v", k, k.Code(), k.Code().Retryable())
		}
	}
	if len(names) != 12 {
		t.Errorf("%d kinds", len(names))
	}
	if k := im.Kind(200); k.Code() != im.CodeInternal || !strings.Contains(k.String(), "200") {
		t.Errorf("an unknown kind is %v, %d", k, k.Code())
	}
	for _, c := range []im.Code{im.CodeMalformed, im.CodeExpired, im.CodeConflict, im.CodeNotAccepted} {
		if c.Retryable() {
			t.Errorf("%d is repeated", c)
		}
	}
}

func TestErrors(t *testing.T) {
	if im.AsError(nil) != nil {
		t.Error("nil became an error")
	}
	e := im.Errorf(im.NotFound, "no %s", "room")
	if e.Text != "no room" || e.Code != im.CodeNotFound || !im.IsKind(fmt.Errorf("deep: %w", e), im.NotFound) || im.IsKind(e, im.Denied) {
		t.Errorf("%+v", e)
	}
	if got := im.AsError(fmt.Errorf("deep: %w", e)); got != e {
		t.Errorf("%+v", got)
	}
	// What is none of ours is told to nobody.
	hidden := im.AsError(io.ErrUnexpectedEOF)
	if hidden.Kind != im.Internal || hidden.Code != im.CodeInternal || strings.Contains(hidden.Text, "EOF") || !errors.Is(hidden, io.ErrUnexpectedEOF) {
		t.Errorf("%+v", hidden)
	}
	w := im.Wrap(im.Unavailable, io.EOF, "try again")
	if w.Text != "try again" || !errors.Is(w, io.EOF) || w.Code != im.CodeUnavailable {
		t.Errorf("%+v", w)
	}
	// Finer ones are copies: errors may be shared.
	fine := e.WithCode(im.CodeNotAccepted).WithRetry(time.Second)
	if e.Code != im.CodeNotFound || e.Retry != 0 || fine.Code != im.CodeNotAccepted || fine.Retry != time.Second || fine.Kind != im.NotFound {
		t.Errorf("%+v from %+v", fine, e)
	}
}
