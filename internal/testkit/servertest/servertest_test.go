package servertest_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// talk sends lines to the line door, one at a time, and gives the answers.
func talk(t *testing.T, s *servertest.Server, lines ...string) []string {
	t.Helper()
	c, err := net.Dial("tcp", s.Line())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(testkit.Limit))
	in := bufio.NewScanner(c)
	read := func() string {
		if !in.Scan() {
			t.Fatalf("the link ended: %v", in.Err())
		}
		return in.Text()
	}
	answers := []string{read()}
	for _, l := range lines {
		fmt.Fprintf(c, "%s\n", l)
		answers = append(answers, read())
	}
	return answers
}

// What was acknowledged is there after a restart and after a sudden end, at the same
// addresses.
func TestServerComesBack(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	where := s.TCP() + s.HTTP() + s.Line() + s.Admin()
	for i, end := range []func(){s.Stop, s.Kill, s.Restart, func() {}} {
		got := talk(t, s, "LOGIN "+s.Token("alice"), fmt.Sprintf("SEND bob message %d", i))
		if want := fmt.Sprintf("+OK u/bob#%d", i+1); got[2] != want {
			t.Fatalf("%q; want %q", got, want)
		}
		end()
		if s.Server() == nil {
			s.Run()
		}
	}
	if now := s.TCP() + s.HTTP() + s.Line() + s.Admin(); now != where {
		t.Errorf("it moved from %s to %s", where, now)
	}
	r, err := http.NewRequest("GET", s.HTTP()+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := servertest.Do(t, r); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.AdminDo("/v1/status", ""); status != 200 || !strings.Contains(body, `"ready":true`) {
		t.Errorf("%d %s", status, body)
	}
}

// Two servers live in one process, and know nothing of each other.
func TestTwoServers(t *testing.T) {
	a, b := servertest.Start(t, servertest.Options{}), servertest.Start(t, servertest.Options{})
	if got := talk(t, a, "LOGIN "+a.Token("alice")); !strings.HasPrefix(got[1], "+OK") {
		t.Errorf("%q", got)
	}
	if got := talk(t, b, "LOGIN "+a.Token("alice")); !strings.HasPrefix(got[1], "-ERR 2000") {
		t.Errorf("a token of the other is taken: %q", got)
	}
	a.Stop()
	if got := talk(t, b, "LOGIN "+b.Token("alice"), "SEND bob hi"); got[2] != "+OK u/bob#1" {
		t.Errorf("%q", got)
	}
}
