package chat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/reeflective/readline"
	"golang.org/x/term"
)

// terminal is the screen of people: what arrives is printed above what is being typed.
type terminal struct {
	sh *readline.Shell
	a  *app

	mu      sync.Mutex // held while printing
	reading bool       // guarded by mu: a line is being typed
}

func newTerminal(dir string) *terminal {
	sh := readline.NewShell()
	sh.Config.Set("enable-bracketed-paste", true)
	if dir != "" {
		sh.History.AddFromFile("chat", filepath.Join(dir, "typed"))
	}
	return &terminal{sh: sh}
}

// attach connects what is typed with what is known.
func (t *terminal) attach(a *app) {
	t.a = a
	t.sh.Prompt.Primary(a.prompt)
	t.sh.Completer = t.complete
	t.sh.SyntaxHighlighter = func(line []rune) string {
		text := string(line)
		if len(line) > 0 && line[0] != '/' {
			a.isTyping()
		}
		return text
	}
}

func (t *terminal) print(lines ...string) {
	if len(lines) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.Join(lines, "\n")
	if !t.reading {
		fmt.Println(text)
		return
	}
	t.sh.PrintTransientf("%s", text)
}

func (t *terminal) refresh() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reading {
		t.sh.Display.Refresh()
	}
}

// read hands over every line until Ctrl-D, ctx, or do says so.
func (t *terminal) read(ctx context.Context, do func(string) bool) error {
	state, err := term.GetState(int(os.Stdin.Fd()))
	if err != nil {
		return err
	}
	defer term.Restore(int(os.Stdin.Fd()), state)
	lines, next, failed := make(chan string), make(chan bool), make(chan error, 1)
	go func() { // nothing can end a read of a terminal; the program's end does
		for {
			t.setReading(true)
			l, err := t.sh.Readline()
			t.setReading(false)
			switch {
			case errors.Is(err, readline.ErrInterrupt):
				if l == "" {
					failed <- nil
					return
				}
				continue // Ctrl-C drops the line
			case errors.Is(err, io.EOF):
				failed <- nil
				return
			case err != nil:
				failed <- err
				return
			}
			if strings.TrimSpace(l) != "" && l[0] != '/' {
				t.unprint(l)
			}
			lines <- l
			if !<-next {
				return
			}
		}
	}()
	for {
		select {
		case l := <-lines:
			if !do(l) {
				return nil
			}
			next <- true
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

func (t *terminal) setReading(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading = on
}

// unprint takes a message's line off the screen: it comes back with its number once
// it is kept.
func (t *terminal) unprint(l string) {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width < 1 {
		return
	}
	cells := cellWidth(plainText(t.a.prompt())) + cellWidth(l)
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Printf("\x1b[%dA\r\x1b[J", cells/width+1)
}

// complete offers commands and names.
func (t *terminal) complete(line []rune, cursor int) readline.Completions {
	text := string(line[:min(cursor, len(line))])
	start := strings.LastIndexAny(text, " \t") + 1
	last := text[start:]
	switch {
	case start == 0 && strings.HasPrefix(last, "/"):
		var names []string
		for name := range commands {
			names = append(names, "/"+name)
		}
		slices.Sort(names)
		return readline.CompleteValues(append(names, "/quit")...)
	case strings.HasPrefix(text, "/"):
		return readline.CompleteValues(t.a.known("")...)
	case strings.HasPrefix(last, "@"):
		return readline.CompleteValues(t.a.known("@")...)
	}
	return readline.Completions{}
}

// hint shows a line below what is typed until the next key.
func (t *terminal) hint(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reading {
		t.sh.Hint.SetTemporary(t.a.p.dim(text))
		t.sh.Display.Refresh()
	}
}
