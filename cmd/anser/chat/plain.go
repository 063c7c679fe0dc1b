package chat

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"
)

// plain is the screen of pipes and files: lines in, lines out.
type plain struct {
	in  io.Reader
	mu  sync.Mutex // held while writing
	out io.Writer
}

func (s *plain) print(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		fmt.Fprintln(s.out, l)
	}
}

func (s *plain) refresh() {}

// read hands over every line until the input or ctx ends, or do says so.
func (s *plain) read(ctx context.Context, do func(string) bool) error {
	lines, failed := make(chan string), make(chan error, 1)
	go func() { // ends with the input; nothing can end a read of a pipe
		sc := bufio.NewScanner(s.in)
		sc.Buffer(nil, 256<<10)
		for sc.Scan() {
			select {
			case lines <- sc.Text():
			case <-ctx.Done():
				return
			}
		}
		failed <- sc.Err()
	}()
	for {
		select {
		case l := <-lines:
			if !do(l) {
				return nil
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}
