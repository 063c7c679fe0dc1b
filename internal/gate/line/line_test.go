package line_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/gate/line"
	"github.com/anser-im/anser/internal/im"
)

func TestTwoPeopleTalk(t *testing.T) {
	h := newHouse(t, line.Config{})
	alice, bob := h.login("alice"), h.login("bob")
	alice.type_("SEND bob hello there")
	alice.want(`^\+OK u/bob#1$`)
	bob.want(`^<alice> hello there$`)
	bob.type_("send alice 你好 👋") // in any case, in any language
	bob.want(`^\+OK u/alice#2$`)
	alice.want(`^<bob> 你好 👋$`)
	alice.raw("TO bob\r\n") // both line ends
	alice.want(`^\+OK talking to u/bob`)
	alice.type_("SEND is no command here", "")
	alice.want(`^\+OK u/bob#3$`)
	bob.want(`^<alice> SEND is no command here$`)
	alice.type_(".", "PING")
	alice.want(`^\+OK no longer talking to u/bob`)
	alice.want(`^\+OK PONG`)
	alice.type_("HISTORY bob 2")
	alice.want(`^#2 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ <bob> 你好 👋$`)
	alice.want(`^#3 \S+ \S+ <alice> SEND is no command here$`)
	alice.want(`^\+OK 2 messages of u/bob$`)
	alice.type_("QUIT")
	alice.want(`^\+OK goodbye`)
	alice.closed()
}

func TestWhoWasAwayGetsWhatHeMissedOnce(t *testing.T) {
	h := newHouse(t, line.Config{MissedLines: 3})
	alice, bob := h.login("alice"), h.login("bob")
	alice.type_("SEND bob one")
	alice.want(`#1$`)
	bob.want(`<alice> one`)
	bob.type_("QUIT")
	bob.want("goodbye")
	for i := range 5 {
		alice.type_(fmt.Sprint("SEND bob away ", i))
		alice.want(`^\+OK`)
	}
	bob = h.connect()
	bob.type_("LOGIN " + h.token("bob"))
	bob.want(`^\+OK bob/line, 6 unread: u/alice 6$`)
	bob.want(`^\* 2 older messages are in HISTORY$`)
	for i := 2; i < 5; i++ {
		bob.want(fmt.Sprint(`^<alice> away `, i, `$`))
	}
	bob.type_("READ alice")
	bob.want(`^\+OK u/alice read up to #6, 0 unread$`)
	bob.type_("QUIT")
	bob.want("goodbye")
	bob = h.connect()
	bob.type_("LOGIN " + h.token("bob"))
	bob.want(`^\+OK bob/line, 0 unread$`)
	bob.type_("PING")
	bob.want("PONG") // and nothing before it
}

// With ACK ON what was shown comes again until READ takes it.
func TestAckOn(t *testing.T) {
	h := newHouse(t, line.Config{})
	alice, bob := h.login("alice"), h.login("bob")
	bob.type_("ACK on")
	bob.want(`^\+OK`)
	for i := range 3 {
		alice.type_(fmt.Sprint("SEND bob m", i+1))
		alice.want(`^\+OK`)
		bob.want(fmt.Sprint(`^<alice> m`, i+1, `$`))
	}
	bob.type_("READ alice #1")
	bob.want(`^\+OK u/alice read up to #1, 2 unread$`)
	bob.type_("QUIT")
	bob.want("goodbye")
	bob = h.connect()
	bob.type_("LOGIN " + h.token("bob"))
	bob.want(`^\+OK bob/line, 2 unread: u/alice 2$`)
	bob.want(`^<alice> m2$`)
	bob.want(`^<alice> m3$`)
}

func TestErrorsSayWhatToType(t *testing.T) {
	h := newHouse(t, line.Config{})
	p := h.connect()
	p.type_("SEND bob hi")
	p.want(`^-ERR 2000 sign in first: LOGIN <token>`)
	p.type_("LOGIN")
	p.want(`^-ERR 3000 type LOGIN <token>`)
	p.type_("LOGIN " + h.token("alice"))
	p.want(`^\+OK alice/line`)
	for in, want := range map[string]string{
		"hi":                       `^-ERR 3000 unknown command "hi": to talk type SEND bob hi, or HELP$`,
		"SEND bob":                 `^-ERR 3000 type SEND <to> <text>$`,
		"SEND g/nowhere hi":        `^-ERR 3004 `,
		"SEND x/bob hi":            `^-ERR 3000 `,
		"HISTORY bob none":         `^-ERR 3000 type HISTORY`,
		"HISTORY g/nowhere":        `^-ERR 3004 `,
		"READ bob x":               `^-ERR 3000 type READ`,
		"WHO g/nowhere":            `^-ERR 3004 `,
		"JOIN g/nowhere":           `^-ERR 3004 `,
		"ACK maybe":                `^-ERR 3000 type ACK ON or ACK OFF`,
		"TO":                       `^-ERR 3000 type TO <to>`,
		"TO g/nowhere":             `^-ERR 3004 `,
		"LOGIN again":              `^-ERR 3000 you are signed in as alice`,
		strings.Repeat("x", 4097):  `^-ERR 3001 that line is longer than 4096 bytes`,
		strings.Repeat("y", 70000): `^-ERR 3001 that line is longer than 4096 bytes`,
		"SEND bob \xff\xfe":        `^-ERR 3000 that line is not UTF-8`,
	} {
		p.type_(in)
		p.want(want)
		p.type_("PING")
		p.want("PONG") // the next line is as good as ever
	}
}

func TestStrangersAreToldWhereTheyAre(t *testing.T) {
	h := newHouse(t, line.Config{})
	for in, what := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP", "EHLO mail.example.org\r\n": "SMTP",
		"\x16\x03\x01\x02\x00": "TLS", "SSH-2.0-x\r\n": "SSH", "<?xml version='1.0'?>\n": "XMPP",
	} {
		p := h.connect()
		p.raw(in)
		p.want(`^-ERR 1002 .*not ` + what)
		p.closed()
	}
}

func TestLoginTries(t *testing.T) {
	h := newHouse(t, line.Config{})
	p := h.connect()
	for range 3 {
		p.type_("LOGIN " + h.token("alice") + "x")
		p.want(`^-ERR 2000 .*anser token`)
	}
	p.want("too many tries")
	p.closed()
}

func TestSilenceEndsTheLink(t *testing.T) {
	h := newHouse(t, line.Config{LoginTimeout: 20 * time.Millisecond, Idle: 20 * time.Millisecond})
	p := h.connect()
	p.want("nothing came for")
	p.closed()
	p = h.login("alice")
	p.want("nothing came for 20ms: goodbye")
	p.closed()
}

func TestTheSameDeviceElsewhere(t *testing.T) {
	h := newHouse(t, line.Config{})
	first := h.login("alice")
	second := h.connect()
	second.type_("LOGIN " + h.token("alice"))
	second.want(`^\+OK alice/line`)
	first.want(`^\* .*\(1006\): goodbye`)
	first.closed()
	third := h.connect() // another device is no rival
	third.type_("LOGIN " + h.token("alice") + " laptop")
	third.want(`^\+OK alice/laptop`)
	second.type_("SEND bob from the line")
	second.want(`^\+OK`)
	third.want(`^<alice to bob> from the line$`)
}

func TestRevocationEndsTheLink(t *testing.T) {
	h := newHouse(t, line.Config{})
	p := h.login("alice")
	if _, err := h.rev.RevokeUser(context.Background(), "alice"); err != nil {
		t.Fatal(err)
	}
	p.want(`\(2002\): goodbye`)
	p.closed()
}

// What steers a terminal, ends a line or turns text does none of it.
func TestTextCannotForgeLines(t *testing.T) {
	h := newHouse(t, line.Config{})
	alice, bob := h.login("alice"), h.login("bob")
	alice.type_("SEND bob a\x1b[2Jb\u202ec\u2028<carol> d\u0085e\x07")
	alice.want(`^\+OK`)
	bob.want(`^<alice> a\[2Jbc␤<carol> d␤e$`)
}

func TestDigest(t *testing.T) {
	for _, m := range []struct {
		m    im.Message
		want string
	}{
		{im.Message{Type: "an:text", Body: []byte(`{"content":"hi"}`)}, "hi"},
		{im.Message{Type: "an:text", Body: []byte(`not JSON`)}, "[an:text]"},
		{im.Message{Type: "an:text", Body: []byte(`{"content":7}`), Digest: "seven"}, "seven"},
		{im.Message{Type: "app:card", Body: []byte(`{}`), Digest: "a card"}, "a card"},
		{im.Message{Type: "app:card", Body: []byte{0, 1}}, "[app:card]"},
		{im.Message{Type: "an:text", Recalled: true}, "(recalled)"},
		{im.Message{Type: "an:text", Body: []byte(`{"content":"a\r\nb\tc"}`)}, "a␤b c"},
	} {
		if got := line.Digest(&m.m); got != m.want {
			t.Errorf("%s %q: %q, want %q", m.m.Type, m.m.Body, got, m.want)
		}
	}
}

// A client that does not read is let go, and nobody waits for it.
func TestWhoDoesNotReadIsLetGo(t *testing.T) {
	h := newHouse(t, line.Config{WriteTimeout: 50 * time.Millisecond})
	alice, bob := h.login("alice"), h.login("bob")
	for i := range 20 {
		alice.type_(fmt.Sprint("SEND bob ", i))
		alice.want(`^\+OK`)
	}
	_ = bob // reads nothing; the cleanup checks that the door has let go
	again := h.connect()
	again.type_("LOGIN " + h.token("bob") + " other")
	again.want(`^\+OK bob/other, 20 unread`)
}

// A panic, an unknown flag, a line of any bytes: the door answers or ends, and never
// breaks.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"LOGIN x\n", "SEND bob hi\nTO bob\nhi\n.\nQUIT\n", "HISTORY bob 99999999999999999999\n",
		"READ bob 0\n", "\r\n\r\n", "ACK\n", "WHO u/bob\n", "SEND u/ x\nSEND g/ x\nTO me\n", "LEAVE me\nJOIN u/bob\n", "\x00\n", "HISTORY me\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := newHouse(t, line.Config{WriteTimeout: time.Second})
		p := h.login("alice")
		go func() {
			p.nc.Write([]byte(s + "\nQUIT\n.\nQUIT\n"))
		}()
		for {
			l, err := p.line()
			if err != nil {
				return
			}
			if strings.Contains(l, "6009") {
				t.Fatalf("%q ends in %q", s, l)
			}
		}
	})
}
