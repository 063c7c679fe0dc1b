//go:build !linux

package gate

import "errors"

// poller is for Linux alone; elsewhere every connection has its goroutine.
type poller struct{}

func newPoller() (*poller, error) { return nil, errors.ErrUnsupported }

func (*poller) run()              {}
func (*poller) stop()             {}
func (*poller) add(*Reader) error { return errors.ErrUnsupported }
func (*poller) remove(*Reader)    {}
