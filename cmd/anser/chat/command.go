package chat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/anser-im/anser/client"
	"github.com/anser-im/anser/wire"
)

// Signer makes a token with the secret of a data directory. An error that wraps
// fs.ErrNotExist or fs.ErrPermission says that there is none for us.
type Signer func(data, user, device string) (string, error)

// Command is `anser chat`.
type Command struct {
	User      string   `arg:"" optional:"" help:"Who you are. Not needed with --token."`
	Server    []string `short:"s" default:"tcp://127.0.0.1:7301" env:"ANSER_SERVER" placeholder:"URL" help:"Where the server is: tcp://, tls://, ws:// or wss://. Several are tried in turn (${default})."`
	To        string   `short:"t" placeholder:"WHO" help:"Whom to talk to first: bob, or g/<group>."`
	Device    string   `default:"terminal" help:"The name of this device; each has its own place in every conversation (${default})."`
	Token     string   `env:"ANSER_TOKEN" help:"Sign in with this token instead of a secret or a password."`
	Data      string   `type:"path" placeholder:"DIR" help:"The server's data directory: where its secret can be read no password is asked. Without this flag, ./anser-data is looked at for a server on this machine."`
	Login     string   `default:"http://127.0.0.1:7300" placeholder:"URL" help:"Where to sign in by password (${default})."`
	State     string   `type:"path" placeholder:"DIR" help:"Where your place and unsent messages are kept (in your configuration directory)."`
	CA        string   `type:"existingfile" placeholder:"FILE" help:"Certificates (PEM) to trust beside the system's."`
	Plain     bool     `help:"No colours and no line editing, as when output goes to a file."`
	Plaintext bool     `help:"Allow tcp:// and ws:// to another machine. Everyone on the way can read along."`
	Debug     string   `type:"path" placeholder:"FILE" help:"Write what the link does to a file."`
}

// Help is what --help says below the list.
func (c *Command) Help() string {
	return `Examples:
  anser chat alice                     on the server's own machine: no password
  anser chat alice --to bob            straight to a conversation
  anser chat alice -s wss://chat.example.org --login https://chat.example.org
  ANSER_TOKEN=... anser chat -s tls://chat.example.org:7301

Two runs of the same user need different --device names. Inside, /help lists the
commands and Tab completes them. Messages written while there is no connection are
kept and sent later, once.`
}

// Run chats until the user or ctx ends it.
func (c *Command) Run(ctx context.Context, sign Signer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
	defer stop()
	l := language()
	trust, err := c.trust()
	if err != nil {
		return err
	}
	token, err := c.source(ctx, l, sign, trust)
	if err != nil {
		return err
	}
	dir := c.State
	if dir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return fmt.Errorf("there is no configuration directory (%w): say --state DIR", err)
		}
		dir = filepath.Join(base, "anser", "chat")
	}
	dir = client.StoreDir(dir, c.User, c.Device)
	store, err := client.OpenFileStore(dir)
	if errors.Is(err, client.ErrLocked) {
		return errors.New(l.say(sayTwice, c.User, c.Device))
	}
	if err != nil {
		return err
	}
	defer store.Close()
	opt := client.Options{Endpoints: c.Server, Token: token, Store: store, Plaintext: c.Plaintext, TLS: trust,
		Device: client.Device{ID: c.Device, Class: "desktop", OS: "terminal"}, Keep: keepHere, Log: slog.New(slog.DiscardHandler)}
	if c.Debug != "" {
		f, err := os.OpenFile(c.Debug, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		opt.Log = slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return c.chat(ctx, l, opt, dir)
}

// trust is what --ca asks for; nil = the system's certificates.
func (c *Command) trust() (*tls.Config, error) {
	if c.CA == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", c.CA)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// onlyHere says whether all URLs name this machine.
func onlyHere(urls []string) bool {
	for _, u := range urls {
		p, err := url.Parse(u)
		if err != nil {
			return false
		}
		if host := p.Hostname(); host != "localhost" {
			if a, err := netip.ParseAddr(host); err != nil || !a.IsLoopback() {
				return false
			}
		}
	}
	return true
}

// source says where tokens come from.
func (c *Command) source(ctx context.Context, l lang, sign Signer, trust *tls.Config) (func(context.Context) (string, error), error) {
	if c.Token != "" {
		if who := subject(c.Token); c.User == "" {
			c.User = who
		}
		if c.User == "" {
			return nil, errors.New("that token does not say whose it is")
		}
		return func(context.Context) (string, error) { return c.Token, nil }, nil
	}
	if c.User == "" {
		return nil, errors.New("say who you are: anser chat alice")
	}
	// A token signed with the secret of this machine's server opens that one: it is not
	// shown to another machine unless the secret was named.
	data := c.Data
	if data == "" && onlyHere(c.Server) {
		data = "anser-data"
	}
	if data != "" {
		_, err := sign(data, c.User, c.Device)
		switch {
		case err == nil:
			return func(context.Context) (string, error) { return sign(data, c.User, c.Device) }, nil
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return nil, err
		}
	}
	if !c.Plaintext && !strings.HasPrefix(c.Login, "https://") && !onlyHere([]string{c.Login}) {
		return nil, fmt.Errorf("%s would show the password to everyone on the way: use https, or allow it with --plaintext", c.Login)
	}
	password, err := askPassword(l.say(sayPassword, c.User))
	if err != nil {
		return nil, err
	}
	acc := &account{base: c.Login, user: c.User, device: c.Device, password: password, http: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a password goes nowhere else
	}}
	var refused *client.Error
	if err := acc.enter(ctx); errors.As(err, &refused) { // a server that is not there is another matter
		return nil, errors.New(l.tell(err))
	}
	return acc.token, nil
}

// reader is a screen with lines of its own.
type reader interface {
	screen
	read(ctx context.Context, do func(string) bool) error
}

func (c *Command) chat(ctx context.Context, l lang, opt client.Options, dir string) error {
	var scr reader
	people := !c.Plain && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	colours := paint(people && os.Getenv("NO_COLOR") == "")
	var t *terminal
	if people {
		t = newTerminal(dir)
		scr = t
	} else {
		scr = &plain{in: os.Stdin, out: os.Stdout}
	}
	a := newApp(c.User, l, colours, scr)
	synced := make(chan struct{}, 1)
	opt.OnEvent = func(e client.Event) {
		a.event(e)
		if e.Kind == client.EventSynced {
			select {
			case synced <- struct{}{}:
			default:
			}
		}
	}
	opt.OnState = a.state
	opt.OnSignal = a.signal
	cl, err := client.New(opt)
	if err != nil {
		return err
	}
	a.c = cl
	if t != nil {
		t.attach(a)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		err := cl.Run(ctx)
		ended <- err
		cancel()
	}()
	// What was missed is shown before the first prompt, if the server is there.
	select {
	case <-synced:
		a.learnDrafts(ctx)
		scr.print(a.p.dim(l.say(sayWelcome, c.User)))
	case <-time.After(3 * time.Second):
		scr.print(a.p.dim("… " + l.say(sayNotYet)))
	case <-ctx.Done():
		return <-ended
	}
	if to := c.To; to != "" {
		a.typedLine(ctx, "/to "+to)
	} else {
		a.cmdList(ctx, nil)
	}
	err = scr.read(ctx, func(line string) bool { return a.typedLine(ctx, line) })
	a.settle(ctx)
	a.endDrafts()
	cancel()
	if stopped := <-ended; err == nil {
		err = stopped
	}
	if n := len(cl.Outbox()); n > 0 {
		scr.print(l.say(sayQueued, n))
	}
	return err
}

// settle waits a moment for what is on its way, so that piped input is sent before the
// end.
func (a *app) settle(ctx context.Context) {
	deadline := time.Now().Add(5 * time.Second)
	for len(a.c.Outbox()) > 0 && a.c.State().Phase == client.Online && time.Now().Before(deadline) && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
}

// signal is the SDK's OnSignal.
func (a *app) signal(s client.Signal) {
	said, ok := map[string]phrase{wire.SignalTyping: sayTyping, wire.SignalRecording: sayRecording}[s.Kind]
	if t, people := a.out.(*terminal); ok && people && s.Conv == a.current() {
		t.hint(a.lang.say(said, oneLine(s.Sender)))
	}
}

// language is the language of the environment (POSIX: LC_ALL, LC_MESSAGES, LANG).
func language() lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "zh") {
				return chinese
			}
			return english
		}
	}
	return english
}
