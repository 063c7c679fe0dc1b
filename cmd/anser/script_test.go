package main

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anser-im/anser/internal/testkit"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"anser": main})
}

// The scripts in testdata are what a person types, and what must be seen. Besides the
// usual commands, and those of screen_test.go, there are:
//
//	serve NAME [flags]    start a server on free ports, on the data directory $WORK/data,
//	                      and wait until it is ready; sets $http, $tcp, $line, $admin
//	[!] end NAME SIGNAL   send it a signal (TERM, INT, KILL), again with TERM,TERM; wait
//	                      for it; with !, its exit status must not be 0. What it printed is
//	                      in NAME.out and NAME.err
//	hold TEXT...          the same as nc, on a link that stays open
//	nc TEXT...            send each line to the line door, wait for its answer; to stdout
func TestScripts(t *testing.T) {
	commands := map[string]func(*testscript.TestScript, bool, []string){"serve": serve, "end": end, "nc": nc, "hold": hold}
	maps.Copy(commands, screenCommands)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("LC_ALL", "C")
			e.Setenv("HOME", e.WorkDir)
			e.Values["servers"] = map[string]*exec.Cmd{}
			return nil
		},
		Cmds: commands,
	})
}

var listed = regexp.MustCompile(`^(http|tcp|line)://\S+`)

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: serve NAME [flags]")
	}
	name := args[0]
	cmd := exec.Command("anser", append([]string{"serve", "--data", ts.MkAbs("data"), "--listen", "http://127.0.0.1:0,tcp://127.0.0.1:0,line://127.0.0.1:0",
		"--admin", "http://127.0.0.1:0", "--set", "store.small=true", "--log-level", "debug"}, args[1:]...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "LC_ALL="+ts.Getenv("LC_ALL"), "NOTIFY_SOCKET="+ts.Getenv("NOTIFY_SOCKET"))
	errFile, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer errFile.Close()
	cmd.Stderr = errFile
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Kill() // no harm if it has ended
		cmd.Wait()
	})
	ready := make(chan string, 1)
	go func() {
		var text strings.Builder
		in := bufio.NewScanner(out)
		for in.Scan() {
			text.WriteString(in.Text() + "\n")
			if strings.Contains(in.Text(), "anser token") {
				break
			}
		}
		ready <- text.String()
	}()
	var text string
	select {
	case text = <-ready:
	case <-time.After(testkit.Limit):
		ts.Fatalf("it is not ready after %v", testkit.Limit)
	}
	ts.Check(os.WriteFile(ts.MkAbs(name+".out"), []byte(text), 0o600))
	if !strings.Contains(text, "anser token") {
		b, _ := os.ReadFile(ts.MkAbs(name + ".err"))
		ts.Fatalf("it did not start:\n%s%s", text, b)
	}
	ts.Setenv("http", "")
	for _, l := range strings.Split(text, "\n") {
		url := listed.FindString(l)
		scheme, _, _ := strings.Cut(url, ":")
		switch {
		case url == "":
		case scheme == "http" && ts.Getenv("http") != "":
			ts.Setenv("admin", url) // the main one stands first
		default:
			ts.Setenv(scheme, url)
		}
	}
	ts.Value("servers").(map[string]*exec.Cmd)[name] = cmd
}

func end(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: end NAME SIGNAL[,SIGNAL]")
	}
	cmd := ts.Value("servers").(map[string]*exec.Cmd)[args[0]]
	if cmd == nil {
		ts.Fatalf("there is no server %s", args[0])
	}
	began := time.Now()
	for i, s := range strings.Split(args[1], ",") {
		sig, ok := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}[s]
		if !ok {
			ts.Fatalf("no signal %s", s)
		}
		if i > 0 { // once the first has been taken
			waitFor(ts, args[0]+".err", "shutting down")
		}
		ts.Check(cmd.Process.Signal(sig))
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if (err != nil) != neg {
			b, _ := os.ReadFile(ts.MkAbs(args[0] + ".err"))
			ts.Fatalf("it ended with %v\n%s", err, b)
		}
	case <-time.After(testkit.Limit):
		ts.Fatalf("it has not ended after %v", testkit.Limit)
	}
	ts.Logf("ended after %v", time.Since(began).Round(time.Millisecond))
}

func waitFor(ts *testscript.TestScript, file, text string) {
	limit := time.Now().Add(testkit.Limit)
	for {
		b, err := os.ReadFile(ts.MkAbs(file))
		ts.Check(err)
		if strings.Contains(string(b), text) {
			return
		}
		if time.Now().After(limit) {
			ts.Fatalf("%s never says %q:\n%s", file, text, b)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func nc(ts *testscript.TestScript, neg bool, args []string) { talk(ts, args).Close() }

func hold(ts *testscript.TestScript, neg bool, args []string) {
	c := talk(ts, args)
	ts.Defer(func() { c.Close() })
}

// talk sends each line to the line door and prints the answer.
func talk(ts *testscript.TestScript, lines []string) net.Conn {
	c, err := net.Dial("tcp", strings.TrimPrefix(ts.Getenv("line"), "line://"))
	ts.Check(err)
	c.SetDeadline(time.Now().Add(testkit.Limit))
	in := bufio.NewScanner(c)
	read := func() { // up to the answer, and with it what comes unasked before
		for {
			if !in.Scan() {
				c.Close()
				ts.Fatalf("the link ended: %v", in.Err())
			}
			fmt.Fprintln(ts.Stdout(), in.Text())
			if l := in.Text(); strings.HasPrefix(l, "+OK") || strings.HasPrefix(l, "-ERR") || strings.HasPrefix(l, "* ") {
				return
			}
		}
	}
	read()
	for _, l := range lines {
		if name, ok := strings.CutPrefix(l, "LOGIN @"); ok { // a file with the token
			l = "LOGIN " + strings.TrimSpace(ts.ReadFile(name))
		}
		fmt.Fprintf(c, "%s\n", l)
		read()
	}
	return c
}
