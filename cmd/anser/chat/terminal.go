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
//
// The line editor belongs to the goroutine that reads lines. Others leave what they
// want printed in due and have the editor draw; while it draws it feeds itself a key
// that is bound to printing what is due (its queue of fed keys is not safe for others).
type terminal struct {
	sh *readline.Shell
	a  *app

	mu      sync.Mutex
	reading bool     // guarded by mu: a line is being typed
	due     []string // guarded by mu: lines to be printed
	redraw  bool     // guarded by mu: the prompt says something new
	below   string   // guarded by mu: to be shown below what is typed
}

// printKey is a key that nobody needs (Ctrl-^), one byte, so that it is never seen in
// part; printCommand is what it does.
const (
	printKey     = "\x1e"
	printCommand = "chat-print"
)

func newTerminal(dir string) *terminal {
	t := &terminal{sh: readline.NewShell()}
	t.sh.Config.Set("enable-bracketed-paste", true)
	t.sh.Config.Set("cursor-position-probe", false) // the answer would mix with what is typed
	t.sh.Keymap.Register(map[string]func(){printCommand: t.printDue})
	for _, keymap := range []string{"emacs", "emacs-standard", "vi-insert", "vi-command"} {
		if err := t.sh.Config.Bind(keymap, printKey, printCommand, false); err != nil {
			panic(err) // the key is wrong: a bug of ours
		}
	}
	if dir != "" {
		t.sh.History.AddFromFile("chat", filepath.Join(dir, "typed"))
	}
	return t
}

// attach connects what is typed with what is known.
func (t *terminal) attach(a *app) {
	t.a = a
	t.sh.Prompt.Primary(a.prompt)
	t.sh.Completer = t.complete
	t.sh.SyntaxHighlighter = func(line []rune) string {
		if len(line) > 0 && line[0] != '/' {
			a.isTyping()
		}
		a.begun(string(line))
		t.feed()
		t.reserve(line)
		return string(line)
	}
}

// reserve keeps rows free below what is typed. The editor steps a row down and up again
// to clear them; on the last row of the screen there is no step down, so it would end
// one row higher each time and write over what was said. (It could ask the terminal
// where it is: see newTerminal.) It is called while the editor draws: what that wrote
// is still held back, and sets the column first of all.
func (t *terminal) reserve(line []rune) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width < 1 {
		return
	}
	rows := (cellWidth(plainText(t.a.prompt()))+cellWidth(string(line)))/width + 1
	if rows < height {
		fmt.Printf("%s\x1b[%dA", strings.Repeat("\n", rows), rows)
	}
}

func (t *terminal) print(lines ...string) {
	t.mu.Lock()
	t.due = append(t.due, lines...)
	if !t.reading {
		t.flush()
	}
	t.mu.Unlock()
	t.sh.Keys.RequestRefresh()
}

func (t *terminal) refresh() {
	t.mu.Lock()
	t.redraw = t.reading
	t.mu.Unlock()
	t.sh.Keys.RequestRefresh()
}

// hint shows a line below what is typed until the next key.
func (t *terminal) hint(text string) {
	t.mu.Lock()
	t.below = t.a.p.dim(text)
	t.mu.Unlock()
	t.sh.Keys.RequestRefresh()
}

// feed has the editor print what is due. It is called while the editor draws.
func (t *terminal) feed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reading && (len(t.due) > 0 || t.redraw || t.below != "") {
		t.sh.Keys.Feed(false, []rune(printKey)...)
	}
}

// flush prints what is due where no line is being typed. t.mu is held.
func (t *terminal) flush() {
	if len(t.due) > 0 {
		fmt.Println(strings.Join(t.due, "\n"))
	}
	t.due, t.redraw, t.below = nil, false, ""
}

// printDue is what printKey does, in the editor's goroutine.
func (t *terminal) printDue() {
	t.mu.Lock()
	due, redraw, below := t.due, t.redraw, t.below
	t.due, t.redraw, t.below = nil, false, ""
	t.mu.Unlock()
	if len(due) > 0 || redraw {
		t.printAbove(due)
	}
	if below != "" {
		t.sh.Hint.SetTemporary(below)
	}
}

// printAbove prints above the line that is being typed, and the prompt anew. It is the
// editor's PrintTransientf, but for not forgetting that the prompt has been printed,
// by which that begins too high when the line has several rows.
func (t *terminal) printAbove(lines []string) {
	t.sh.Display.CursorToLineStart()
	up := ""
	if n := t.sh.Prompt.PrimaryUsed(); n > 0 {
		up = fmt.Sprintf("\x1b[%dA", n)
	}
	fmt.Printf("\r%s\x1b[J", up)
	for _, l := range lines {
		fmt.Println(l)
	}
	t.sh.Display.PrintPrimaryPrompt()
	t.sh.Display.Refresh()
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
	if !on {
		t.flush()
	}
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
