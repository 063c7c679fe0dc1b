package server

import (
	"errors"
	"fmt"
)

// The exit statuses of the program, from sysexits.h where it has one that fits, so
// that a supervisor can tell what makes no sense to repeat (ExitUsage, ExitConfig)
// from what does.
const (
	ExitFailure = 1  // none of those below
	ExitUsage   = 64 // the command line is wrong
	ExitPort    = 69 // an address cannot be listened on
	ExitData    = 73 // the data directory cannot be used: locked, not ours, of a newer format
	ExitStore   = 74 // the store failed while it ran: a write or sync to disk did not succeed
	ExitConfig  = 78 // a setting is wrong
)

// StartError is why the server did not start, or ended. Its text is for who started
// it: what is wrong and what to do.
type StartError struct {
	Exit int // one of the Exit constants
	Text string
	err  error
}

func (e *StartError) Error() string { return e.Text }
func (e *StartError) Unwrap() error { return e.err }

// failf makes a StartError; a %w verb becomes its cause.
func failf(exit int, format string, args ...any) *StartError {
	err := fmt.Errorf(format, args...)
	return &StartError{Exit: exit, Text: err.Error(), err: errors.Unwrap(err)}
}

// ExitStatus is the exit status that tells err; 0 for nil.
func ExitStatus(err error) int {
	if err == nil {
		return 0
	}
	var e *StartError
	if errors.As(err, &e) {
		return e.Exit
	}
	return ExitFailure
}
