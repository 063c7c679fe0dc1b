package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anser-im/anser/internal/testkit"
)

// What people see: programs on a terminal of 60 by 12, which tmux keeps. Commands of
// scripts:
//
//	tty NAME COMMAND...   start a program there
//	[!] type NAME TEXT    type a line; with !, without Enter
//	screen NAME REGEXP    wait until the screen matches
//	left NAME             wait until the program has ended
var screenCommands = map[string]func(*testscript.TestScript, bool, []string){
	"tty": tty, "type": typeLine, "screen": screen, "left": left,
}

// tmux runs a command of tmux, on a server of this script's own.
func tmux(ts *testscript.TestScript, args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-S", ts.MkAbs("tmux"), "-f", os.DevNull, "-u"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "HOME="+ts.Getenv("HOME"), "LC_ALL=C.UTF-8", "TMUX=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func tty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: tty NAME COMMAND...")
	}
	out, err := tmux(ts, append([]string{"new-session", "-d", "-x", "60", "-y", "12", "-s", args[0]}, args[1:]...)...)
	if err != nil {
		ts.Fatalf("tmux: %v\n%s", err, out)
	}
	ts.Defer(func() { tmux(ts, "kill-session", "-t", args[0]) }) // no harm if it has ended
}

func typeLine(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: type NAME TEXT")
	}
	_, err := tmux(ts, "send-keys", "-t", args[0], "-l", args[1])
	if err == nil && !neg {
		_, err = tmux(ts, "send-keys", "-t", args[0], "Enter")
	}
	ts.Check(err)
}

func screen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: screen NAME REGEXP")
	}
	want := regexp.MustCompile(args[1])
	text := ""
	until(ts, func() bool {
		text, _ = tmux(ts, "capture-pane", "-p", "-t", args[0])
		return want.MatchString(text)
	}, func() string { return "the screen does not match " + args[1] + ":\n" + strings.TrimRight(text, "\n") })
}

func left(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: left NAME")
	}
	until(ts, func() bool {
		_, err := tmux(ts, "has-session", "-t", args[0])
		return err != nil
	}, func() string { return args[0] + " has not ended" })
}

// until waits for done. Nobody tells when a screen changes, so it is looked at again
// and again.
func until(ts *testscript.TestScript, done func() bool, why func() string) {
	for end := time.Now().Add(testkit.Limit); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("after %v %s", testkit.Limit, why())
		}
	}
}
