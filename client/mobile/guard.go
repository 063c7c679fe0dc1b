package mobile

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/anser-im/anser/client"
)

// errPanic is what a panic becomes: nothing may end the application's process but it.
var errPanic = errors.New("0: internal error of the client")

// guard turns a panic into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		report(r)
		*err = errPanic
	}
}

// mute swallows a panic where there is no error to answer.
func mute() {
	if r := recover(); r != nil {
		report(r)
	}
}

// report keeps the last panic for LastPanic.
func report(r any) {
	lastPanic.Store(fmt.Sprintf("%v\n%s", r, debug.Stack()))
}

// LastPanic is the text of the last panic that was caught, for a report of the fault;
// empty if there was none.
func LastPanic() string {
	s, _ := lastPanic.Load().(string)
	return s
}

// coded puts the code of a refusal before its text.
func coded(err error) error {
	if err == nil {
		return nil
	}
	code := uint32(0)
	text := err.Error()
	var e *client.Error
	var stop *client.StopError
	switch {
	case errors.As(err, &e):
		code, text = e.Code, e.Message
	case errors.As(err, &stop):
		code = stop.Code
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer in time"
	}
	return fmt.Errorf("%d: %s", code, text)
}

// ErrorCode reads the code of a refusal from an error's text: 3000 and above are the
// server's, 0 is any other error.
func ErrorCode(text string) int {
	head, _, _ := strings.Cut(text, ":")
	n, err := strconv.Atoi(head)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
