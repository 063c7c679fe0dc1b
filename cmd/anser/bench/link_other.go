//go:build !unix

package bench

import "errors"

func (l *link) init() {}

// writeOnce waits here: this platform has no simple write that does not.
func (l *link) writeOnce(p []byte) (int, error) { return l.tcp.Write(p) }

func (l *link) readPlain(handle func([]byte) error) error {
	buf := make([]byte, 8<<10)
	for {
		n, err := l.tcp.Read(buf)
		if n > 0 {
			if e := handle(buf[:n]); e != nil {
				return e
			}
		}
		if err != nil {
			return errors.Join(errPeerClosed, err)
		}
	}
}
