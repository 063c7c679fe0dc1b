package mobile_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anser-im/anser/client/mobile"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/testkit/servertest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// phone is an application on a phone.
type phone struct {
	t  testing.TB
	c  *mobile.Client
	mu sync.Mutex
	cond
	said      []string // guarded by mu
	committed int      // guarded by mu: lines of said that were committed
	crash     bool     // guarded by mu: the next message finds a bug of the application's
	refuse    int      // guarded by mu: so many Commits fail
}

type cond struct{ changed chan struct{} }

func (p *phone) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, fmt.Sprintf(format, args...))
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *phone) OnMessage(m *mobile.Message) {
	p.mu.Lock()
	crash := p.crash
	p.crash = false
	p.mu.Unlock()
	if crash {
		panic("a bug of the application's")
	}
	p.say("%s %d %s: %s", m.Conv, m.Seq, m.Sender, m.Text())
}
func (p *phone) OnStatus(m *mobile.Message) { p.say("status %s", m.Text()) }
func (p *phone) OnChange(c *mobile.Change) {
	p.say("%s %s %d %s", c.Kind, c.Conv, c.Seq, c.Message.Text())
}
func (p *phone) OnSelf(c *mobile.Change) { p.say("%s %s", c.Kind, c.PeerID) }
func (p *phone) OnNoted(n *mobile.Note)  { p.say("note %s %v %s", n.Key, n.Gone, n.Value) }
func (p *phone) OnDeleted(conv string, r *mobile.Ranges) {
	p.say("deleted %s %d-%d", conv, r.From(0), r.To(0))
}
func (p *phone) OnExpired(conv string, r *mobile.Ranges) {
	p.say("expired %s %d-%d", conv, r.From(0), r.To(0))
}
func (p *phone) OnSent(s *mobile.Sent) { p.say("sent %s %d", s.Conv, s.Seq) }
func (p *phone) OnFailed(conv, id, text string) {
	p.say("failed %s %d", conv, mobile.ErrorCode(text))
}
func (p *phone) OnConversation(c *mobile.Conversation) {}
func (p *phone) OnInfo(i *mobile.Info) {
	if i.HasPeer {
		p.say("peer %s read %d", i.Conv, i.PeerRead)
	}
}
func (p *phone) OnReset(conv string) { p.say("reset %s", conv) }
func (p *phone) OnLeft(conv string)  { p.say("left %s", conv) }
func (p *phone) OnSynced()           { p.say("synced") }
func (p *phone) Commit() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse > 0 {
		p.refuse--
		p.said = p.said[:p.committed]
		return errors.New("no room")
	}
	p.committed = len(p.said)
	return nil
}
func (p *phone) OnState(s *mobile.State)   {}
func (p *phone) OnSignal(s *mobile.Signal) { p.say("%s by %s", s.Kind, s.Sender) }

// wait waits until a line was said that holds text.
func (p *phone) wait(text string) {
	p.t.Helper()
	end := time.After(testkit.Limit)
	for {
		p.mu.Lock()
		all := strings.Join(p.said, "\n")
		p.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		select {
		case <-p.changed:
		case <-end:
			p.t.Fatalf("%q was not said, but\n%s\n%s", text, all, mobile.LastPanic())
		}
	}
}

type tokens struct{ token string }

func (t tokens) Token() (string, error) { return t.token, nil }

func newPhone(t testing.TB, s *servertest.Server, user, dir string, change ...func(*mobile.Options)) *phone {
	t.Helper()
	p := phoneAt(t, s, user, dir, change...)
	p.wait("synced")
	return p
}

// phoneAt is newPhone without the wait.
func phoneAt(t testing.TB, s *servertest.Server, user, dir string, change ...func(*mobile.Options)) *phone {
	t.Helper()
	p := &phone{t: t, cond: cond{make(chan struct{}, 1)}}
	o := mobile.NewOptions()
	o.AddEndpoint(s.TCP())
	o.AddEndpoint(s.HTTP())
	o.DeviceID, o.Dir = "phone", dir
	for _, c := range change {
		c(o)
	}
	var err error
	if p.c, err = mobile.NewClient(o, p, tokens{s.Token(user)}); err != nil {
		t.Fatal(err)
	}
	if err := p.c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.c.Close() })
	return p
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestTwoPhones(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	dir := t.TempDir()
	alice, bob := newPhone(t, s, "alice", dir), newPhone(t, s, "用户7", "")
	must[string](t)(alice.c.SendText("u/用户7", "hello"))
	alice.wait("sent u/用户7 1")
	bob.wait("u/alice 1 alice: hello")
	m := mobile.NewOutgoing()
	m.Type, m.Body, m.Digest = "an:text", []byte(`{"content":"hi"}`), "hi"
	m.Mentions = mobile.NewStrings()
	m.Mentions.Add("alice")
	must[string](t)(bob.c.Send("u/alice", m))
	alice.wait("u/用户7 2 用户7: hi")
	must[*mobile.Info](t)(alice.c.Read("u/用户7", 2))
	bob.wait("peer u/alice read 2")
	must[int64](t)(bob.c.EditText("u/alice", 2, "hi there"))
	alice.wait("edit u/用户7 2 hi there")
	must[int64](t)(alice.c.Recall("u/用户7", 1))
	bob.wait("recall u/alice 1 ")
	if err := bob.c.Typing("u/alice"); err != nil {
		t.Fatal(err)
	}
	alice.wait("typing by 用户7")

	members := mobile.NewStrings()
	members.Add("用户7")
	conv := must[string](t)(alice.c.GroupCreate("", "News", members, "", ""))
	must[string](t)(bob.c.SendText(conv, "to all"))
	alice.wait("用户7: to all")
	if l := must[*mobile.Members](t)(alice.c.GroupMembers(conv, "", 0)); l.Len() != 2 || l.Get(0).Role != "owner" || l.Get(2) != nil {
		t.Errorf("%d members", l.Len())
	}
	if g := must[*mobile.Conversation](t)(bob.c.Conversation(conv)); g.Group.Name != "News" || g.Info.Role != "member" {
		t.Errorf("%+v", g.Group)
	}
	if l := must[*mobile.Conversations](t)(bob.c.Conversations()); l.Len() != 2 {
		t.Errorf("%d conversations", l.Len())
	}
	p := must[*mobile.Page](t)(bob.c.History("u/alice", 0, 10))
	if p.Len() != 2 || !p.Get(0).Recalled || p.Get(1).Text() != "hi there" || p.Get(1).Mentions().Get(0) != "alice" || p.Get(2) != nil || p.Get(-1) != nil {
		t.Errorf("%+v %+v", p.Get(0), p.Get(1))
	}
	if err := alice.c.Block("用户7"); err != nil {
		t.Fatal(err)
	}
	must[string](t)(bob.c.SendText("u/alice", "are you there"))
	bob.wait("failed u/alice 4001")
	if l := must[*mobile.Strings](t)(alice.c.Blocks("", 0)); l.Len() != 1 || l.Get(0) != "用户7" {
		t.Errorf("%d blocked", l.Len())
	}
	if l := must[*mobile.Devices](t)(alice.c.Devices()); l.Len() != 1 || l.Get(0).ID != "phone" || !l.Get(0).Online {
		t.Errorf("%d devices", l.Len())
	}
	if _, err := alice.c.History("g/nowhere", 0, 1); err == nil || mobile.ErrorCode(err.Error()) != 3004 {
		t.Error(err)
	}
	if st := alice.c.State(); st.Phase != "online" || st.User != "alice" {
		t.Errorf("%+v", st)
	}

	// A phone that was off goes on where it was.
	if err := alice.c.Close(); err != nil {
		t.Fatal(err)
	}
	must[string](t)(bob.c.SendText(conv, "while you were away"))
	bob.wait("sent " + conv)
	again := newPhone(t, s, "alice", dir)
	again.wait("while you were away")
	again.mu.Lock()
	if all := strings.Join(again.said, "\n"); strings.Contains(all, "to all") {
		t.Errorf("given again:\n%s", all)
	}
	again.mu.Unlock()
}

// Nothing that the application does wrong ends its process, and what it did not take
// comes again.
func TestNoPanicComesOut(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	alice, bob := newPhone(t, s, "alice", ""), newPhone(t, s, "bob", "")
	bob.mu.Lock()
	bob.crash, bob.refuse = true, 1
	bob.mu.Unlock()
	must[string](t)(alice.c.SendText("u/bob", "hello"))
	bob.wait("u/alice 1 alice: hello")
	if !strings.Contains(mobile.LastPanic(), "a bug of the application's") {
		t.Error(mobile.LastPanic())
	}
	var nobody *mobile.Client
	if _, err := nobody.SendText("u/bob", "x"); err == nil {
		t.Error("a client that is null sends")
	}
	nobody.SetBackground(true)
	nobody.NetworkChanged("", "")
	nobody.Probe()
	if nobody.State().Phase != "idle" || nobody.Outbox().Len() != 0 || nobody.Cancel("u/bob", "x") {
		t.Error("a client that is null has a state")
	}
	if _, err := alice.c.Send("u/bob", nil); err == nil {
		t.Error("null was sent")
	}
	if _, err := alice.c.GroupAdd("g/x", nil); err == nil {
		t.Error("nobody was added to nothing")
	}
	if _, err := alice.c.History("u/bob", -5, -5); err != nil {
		t.Error(err)
	}
	if _, err := mobile.NewClient(nil, nil, nil); err == nil {
		t.Error("a client of nothing")
	}
	if _, err := mobile.NewClient(mobile.NewOptions(), alice, tokens{}); err == nil {
		t.Error("a client without endpoints")
	}
	var none *mobile.Message
	if none.Text() != "" || none.Shown() || none.Mentions().Len() != 0 {
		t.Error("a message that is null")
	}
}

func TestErrorCode(t *testing.T) {
	for text, want := range map[string]int{"4001: no": 4001, "0: x": 0, "": 0, "no code": 0, "-3: x": 0, "3004:": 3004} {
		if got := mobile.ErrorCode(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}
