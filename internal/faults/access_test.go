package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/anser-im/anser/wire"
)

// The access matrix: every verb of the schema, asked by everybody who might try, over
// the native door and over HTTP. Each secret in the world is a word of its own, and
// whatever anybody is answered or pushed is searched for the words that are not his.

// asker is somebody who asks.
type asker struct {
	name string
	user string // who he is, or whom the key acts as; "" = nobody
	key  bool   // he has an app key
	sort sort
	l    *link  // over the native door; nil = he cannot sign in there
	auth string // over HTTP; "" = none
}

// sort says what an asker is to the group.
type sort uint16

const (
	owner sort = 1 << iota
	admin
	member
	muted
	former
	blocked // by the owner; not in the group
	stranger
	appAs   // an app key that acts as the owner
	appOnly // an app key that names nobody
	foreign // a key of another app
	nobody  // no token at all

	inside = owner | admin | member | muted | appAs
	may    = inside &^ muted // may send
	leads  = owner | admin | appAs
)

// secrets are the words, and who may be told them.
var secrets = map[string]sort{
	"SECRET-early":   inside,
	"SECRET-late":    inside | appOnly,      // reported
	"SECRET-only":    owner | admin | appAs, // to the admin only
	"SECRET-former":  inside,                // what an edited message said
	"SECRET-group":   inside,                // the group's name
	"SECRET-nick":    inside,
	"SECRET-direct":  owner | appAs, // with a friend who asks nothing
	"SECRET-note":    owner | appAs, // saved, drafts, reminders ... of the owner
	"SECRET-remark":  owner | appAs,
	"SECRET-field":   owner | appAs | appOnly, // of the profile, visible to none
	"SECRET-allowed": owner | appAs,           // on the owner's list
	"SECRET-deleted": 0,                       // for all
	"SECRET-gone":    0,                       // recalled
	"SECRET-report":  appOnly,
}

// live are those who may be told of a word while it happens, besides: what is deleted
// was there before, and who left was in.
var live = map[string]sort{
	"SECRET-early":   former,
	"SECRET-group":   former,
	"SECRET-nick":    former,
	"SECRET-deleted": inside,
	"SECRET-gone":    inside,
}

// answer is what somebody was told.
type answer struct {
	code   uint32
	text   string
	raw    []byte // all of it
	pushed []byte // what was pushed meanwhile
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.code, a.text) }

// ask makes a request over the native door.
func (l *link) ask(method string, in wire.Body) (a answer, err error) {
	body, err := wire.Binary.MarshalBody(in)
	if err != nil {
		return a, err
	}
	l.mu.Lock()
	l.req++
	id := l.req
	l.mu.Unlock()
	if err := l.write(&wire.Req{Id: id, Method: method, Body: body}); err != nil {
		return a, err
	}
	l.nc.SetReadDeadline(time.Now().Add(limit))
	for {
		f, err := l.read()
		if err != nil {
			return a, err
		}
		switch f.Type {
		case wire.TypePush:
			a.pushed = append(a.pushed, f.Body...)
			p := new(wire.Push)
			if err := wire.Binary.Decode(f, p); err != nil {
				return a, err
			}
			l.write(&wire.Ack{Push: p.Number})
		case wire.TypeRes:
			res := new(wire.Res)
			if err := wire.Binary.Decode(f, res); err != nil {
				return a, err
			}
			if res.Id == id {
				a.raw = f.Body
				a.code, a.text = res.Code, res.Message
				return a, nil
			}
		case wire.TypeGoAway:
			return a, fmt.Errorf("sent away")
		}
	}
}

// post makes a request over HTTP, in JSON.
func (w *access) post(a *asker, v *wire.Verb, in wire.Body) (answer, error) {
	body, err := wire.JSON.MarshalBody(in)
	if err != nil {
		return answer{}, err
	}
	r, err := http.NewRequest("POST", w.p.http+v.Procedure(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	if a.auth != "" {
		r.Header.Set("Authorization", "Bearer "+a.auth)
	}
	if a.key && a.user != "" {
		r.Header.Set("Anser-As", a.user)
	}
	resp, err := w.web.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	ans := answer{raw: raw}
	if resp.StatusCode/100 == 2 {
		return ans, nil
	}
	fmt.Sscan(resp.Header.Get("Anser-Code"), &ans.code)
	if ans.code == 0 {
		ans.code = uint32(resp.StatusCode)
	}
	var e struct{ Message string }
	json.Unmarshal(raw, &e)
	ans.text = e.Message
	return ans, nil
}

// access is the world.
type access struct {
	t      *testing.T
	p      *program
	web    http.Client
	n      int
	askers []*asker
	by     map[string]*asker
	cases  int
}

// id makes a client id.
func (w *access) id() string {
	w.n++
	return fmt.Sprint("c", w.n)
}

// do is a request of the set-up: it has to succeed.
func (w *access) do(user, method string, in, out wire.Body) {
	w.t.Helper()
	w.by[user].l.must(w.t, method, in, out)
}

// say sends a message and gives its number.
func (w *access) say(user, conv, text string, o *wire.SendOptions) uint64 {
	w.t.Helper()
	return w.sayType(user, conv, "an:text", fmt.Sprintf(`{"content":%q}`, text), o)
}

func (w *access) sayType(user, conv, typ, body string, o *wire.SendOptions) uint64 {
	w.t.Helper()
	l, id := w.by[user].l, w.id()
	if err := l.write(&wire.Send{Id: id, Conv: conv, Type: typ, Body: []byte(body), Options: o}); err != nil {
		w.t.Fatal(err)
	}
	l.nc.SetReadDeadline(time.Now().Add(limit))
	for {
		f, err := l.read()
		if err != nil {
			w.t.Fatal(err)
		}
		switch f.Type {
		case wire.TypePush:
			p := new(wire.Push)
			wire.Binary.Decode(f, p)
			l.write(&wire.Ack{Push: p.Number})
		case wire.TypeSendAck:
			a := new(wire.SendAck)
			if err := wire.Binary.Decode(f, a); err != nil || a.Id != id || a.Code != 0 {
				w.t.Fatalf("send: %v %v", err, a)
			}
			return a.Seq
		}
	}
}

// scene is a group with a history.
type scene struct {
	conv                                                                        string
	early, late, only, of, edited, deleted, recalled, again, poll, thread, head uint64 // of: a message of the member's
}

func (w *access) scene() *scene {
	w.t.Helper()
	var g wire.GroupResponse
	w.do("alice", "GroupCreate", &wire.GroupCreateRequest{Id: w.id(), Name: "SECRET-group", History: "all",
		Members: []string{"adm", "mem", "mut", "fmr"}}, &g)
	s := &scene{conv: g.Conv}
	w.do("alice", "GroupRole", &wire.GroupRoleRequest{Conv: s.conv, User: "adm", Role: "admin"}, new(wire.GroupChangeResponse))
	w.do("alice", "GroupNick", &wire.GroupNickRequest{Conv: s.conv, Nick: "SECRET-nick"}, new(wire.GroupChangeResponse))
	s.early = w.say("alice", s.conv, "SECRET-early", nil)
	w.do("alice", "GroupRemove", &wire.GroupRemoveRequest{Conv: s.conv, Users: []string{"fmr"}}, new(wire.GroupChangeResponse))
	s.late = w.say("alice", s.conv, "SECRET-late", nil)
	s.only = w.say("alice", s.conv, "SECRET-only", &wire.SendOptions{To: []string{"adm"}})
	s.of = w.say("mem", s.conv, "SECRET-late", nil)
	s.edited = w.say("mem", s.conv, "SECRET-former", nil)
	w.do("mem", "Edit", &wire.EditRequest{Conv: s.conv, Seq: s.edited, Body: []byte(`{"content":"now"}`)}, new(wire.ChangeResponse))
	s.deleted = w.say("mem", s.conv, "SECRET-deleted", nil)
	w.do("mem", "Delete", &wire.DeleteRequest{Conv: s.conv, Seqs: []uint64{s.deleted}, ForAll: true}, new(wire.DeleteResponse))
	s.again = w.say("mem", s.conv, "deleted, and let come back", nil)
	w.do("mem", "Delete", &wire.DeleteRequest{Conv: s.conv, Seqs: []uint64{s.again}, ForAll: true}, new(wire.DeleteResponse))
	s.recalled = w.say("alice", s.conv, "SECRET-gone", nil)
	w.do("alice", "Recall", &wire.RecallRequest{Conv: s.conv, Seq: s.recalled}, new(wire.RecallResponse))
	s.poll = w.sayType("mem", s.conv, "an:poll", `{"question":"SECRET-late","options":[{"id":"a","text":"A"},{"id":"b","text":"B"}]}`, nil)
	s.thread = w.say("mem", s.conv, "SECRET-late", &wire.SendOptions{Thread: s.early, ReplyTo: s.early})
	w.do("alice", "React", &wire.ReactRequest{Conv: s.conv, Seq: s.of, Add: []string{"+1"}}, new(wire.ChangeResponse))
	w.do("alice", "Pin", &wire.PinRequest{Conv: s.conv, Seq: s.early}, new(wire.ChangeResponse))
	w.do("alice", "GroupMute", &wire.GroupMuteRequest{Conv: s.conv, Users: []string{"mut"}, Until: time.Now().Add(time.Hour).UnixMilli()}, new(wire.GroupChangeResponse))
	s.head = s.thread + 1
	return s
}

// heads says how far a group has got: what others may move of it.
func (w *access) heads(s *scene) string {
	w.t.Helper()
	var r wire.ConversationResponse
	w.do("alice", "Conversation", &wire.ConversationRequest{Conv: s.conv}, &r)
	h := r.Conversation.Head
	return fmt.Sprint(h.Seq, h.Ver, h.Mver, h.Members, r.Conversation.Group.Name)
}

// put answers a request for verb about conv: a scene's group, or one that is not there.
type ask struct {
	may  sort // who is answered with what he asked for
	deny sort // who is refused with a reason (4xxx); everybody else is told that there is no such conversation
	free sort // may be answered either way: a matter of taste that other tests hold
	does bool // it changes something: each case has a group of its own
	http bool // not on the native door
	odd  sort // who is refused because it makes no sense (3000)
	make func(w *access, s *scene, conv string) wire.Body
}

// asks are the verbs about a conversation.
var asks = map[string]ask{
	"Page":         {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.PageRequest{Conv: c, From: 1} }},
	"Messages":     {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.MessagesRequest{Conv: c, Seqs: s.all()} }},
	"Changes":      {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.ChangesRequest{Conv: c, FromVer: 1} }},
	"EditHistory":  {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.EditHistoryRequest{Conv: c, Seq: s.edited} }},
	"Reactions":    {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.ReactionsRequest{Conv: c, Seq: s.of} }},
	"Pins":         {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.PinsRequest{Conv: c} }},
	"Replies":      {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.RepliesRequest{Conv: c, Seq: s.early} }},
	"Threads":      {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.ThreadsRequest{Conv: c} }},
	"ThreadPage":   {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.ThreadPageRequest{Conv: c, Root: s.early} }},
	"Conversation": {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.ConversationRequest{Conv: c} }},
	"Mentions":     {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.MentionsRequest{Conv: c} }},
	"ReadCounts": {may: inside, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.ReadCountsRequest{Conv: c, Seqs: []uint64{s.late}}
	}},
	"ReadList": {may: inside, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.ReadListRequest{Conv: c, Seq: s.late, Unread: true}
	}},
	"GroupMembers": {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.GroupMembersRequest{Conv: c} }},
	"Quiet":        {may: inside, make: func(_ *access, s *scene, c string) wire.Body { return &wire.QuietRequest{Conv: c} }},

	"Send": {may: may, deny: muted, does: true, http: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.SendRequest{Id: w.id(), Conv: c, Type: "an:text", Body: []byte(`{"content":"x"}`)}
	}},
	"Read": {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body { return &wire.ReadRequest{Conv: c, Seq: s.late} }},
	"Recall": {may: may, deny: muted, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.RecallRequest{Conv: c, Seq: s.of, Id: w.id()}
	}},
	"Edit": {may: member | appAs, deny: owner | admin | muted, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.EditRequest{Conv: c, Seq: s.of, Id: w.id(), Body: []byte(`{"content":"y"}`)}
	}},
	"Delete": {may: may, deny: muted, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.DeleteRequest{Conv: c, Seqs: []uint64{s.of}, ForAll: true}
	}},
	"Undelete": {may: may, deny: muted, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.UndeleteRequest{Conv: c, Seqs: []uint64{s.again}}
	}},
	"React": {may: may, deny: muted, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.ReactRequest{Conv: c, Seq: s.of, Add: []string{"x"}, Id: w.id()}
	}},
	"Pin": {may: leads, deny: member | muted, does: true, make: func(w *access, s *scene, c string) wire.Body { return &wire.PinRequest{Conv: c, Seq: s.of, Id: w.id()} }},
	"Expand": {may: member | appAs, deny: muted, free: owner | admin, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.ExpandRequest{Conv: c, Seq: s.of, Set: []*wire.Pair{{Key: "k", Value: "v"}}, Id: w.id()}
	}},
	"Vote": {may: may, free: muted, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.VoteRequest{Conv: c, Seq: s.poll, Options: []string{"a"}, Id: w.id()}
	}},
	"PollClose": {may: member | appAs, deny: muted, free: owner | admin, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.PollCloseRequest{Conv: c, Seq: s.poll, Id: w.id()}
	}},
	"ThreadSet": {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.ThreadSetRequest{Conv: c, Root: s.early, Read: &s.early}
	}},
	"Forward": {may: inside, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.ForwardRequest{Id: w.id(), Conv: c, Seqs: []uint64{s.early}, To: []string{"u/friend"}}
	}},
	"StreamOpen": {may: may, deny: muted, does: true, make: func(w *access, s *scene, c string) wire.Body { return &wire.StreamOpenRequest{Id: w.id(), Conv: c} }},
	"Schedule": {may: may, free: muted, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.ScheduleRequest{At: time.Now().Add(time.Hour).UnixMilli(), Send: &wire.SendRequest{Id: w.id(), Conv: c, Type: "an:text", Body: []byte(`{"content":"x"}`)}}
	}},
	"Remind": {may: inside, does: true, make: func(w *access, s *scene, c string) wire.Body {
		return &wire.RemindRequest{Reminder: &wire.Reminder{Id: w.id(), At: time.Now().Add(time.Hour).UnixMilli(), Conv: c, Seq: s.late}}
	}},
	"Save": {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body { return &wire.SaveRequest{Conv: c, Seq: s.late} }},
	"Report": {may: inside &^ (owner | appAs), odd: owner | appAs, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.ReportRequest{Conv: c, Seq: s.late, Reason: "spam"}
	}},
	"Set": {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		yes := true
		return &wire.SetRequest{Conv: c, Pinned: &yes}
	}},
	"SetDraft": {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.SetDraftRequest{Draft: &wire.Draft{Conv: c, Body: []byte(`{}`)}}
	}},
	"SetQuiet": {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.SetQuietRequest{Conv: c, Quiet: &wire.Quiet{Start: "22:00", Minutes: 60, Zone: "UTC"}}
	}},
	"GroupUpdate": {may: leads, deny: member | muted, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		n := "another"
		return &wire.GroupUpdateRequest{Conv: c, Name: &n}
	}},
	"GroupAdd": {may: leads, deny: member | muted, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.GroupAddRequest{Conv: c, Users: []string{"new"}}
	}},
	"GroupRemove": {may: leads, deny: member | muted, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.GroupRemoveRequest{Conv: c, Users: []string{"mut"}}
	}},
	"GroupRole": {may: owner | appAs, deny: admin | member | muted, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.GroupRoleRequest{Conv: c, User: "mut", Role: "admin"}
	}},
	"GroupMute": {may: leads, deny: member | muted, does: true, make: func(_ *access, s *scene, c string) wire.Body {
		return &wire.GroupMuteRequest{Conv: c, Users: []string{"mem"}, Until: time.Now().Add(time.Hour).UnixMilli()}
	}},
	"GroupNick": {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body { return &wire.GroupNickRequest{Conv: c, Nick: "n"} }},
	"Join":      {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body { return &wire.JoinRequest{Conv: c} }},
	"Leave":     {may: inside, does: true, make: func(_ *access, s *scene, c string) wire.Body { return &wire.LeaveRequest{Conv: c} }},
}

// all are the numbers of a scene.
func (s *scene) all() (list []uint64) {
	for n := uint64(1); n <= s.head; n++ {
		list = append(list, n)
	}
	return list
}

// owns are the verbs about what is one's own: whoever asks is told of himself alone.
var owns = map[string]func(*access) wire.Body{
	"Sync": func(*access) wire.Body { return &wire.SyncRequest{} },
	"Conversations": func(*access) wire.Body {
		return &wire.ConversationsRequest{Messages: 20, Filter: &wire.Filter{Hidden: true}}
	},
	"Unread":       func(*access) wire.Body { return &wire.UnreadRequest{} },
	"Drafts":       func(*access) wire.Body { return &wire.DraftsRequest{} },
	"Notify":       func(*access) wire.Body { return &wire.NotifyRequest{} },
	"SetNotify":    func(*access) wire.Body { return &wire.SetNotifyRequest{Notify: &wire.Notify{All: "all"}} },
	"Scheduled":    func(*access) wire.Body { return &wire.ScheduledRequest{} },
	"Unschedule":   func(*access) wire.Body { return &wire.UnscheduleRequest{Id: "alices"} },
	"Reminders":    func(*access) wire.Body { return &wire.RemindersRequest{} },
	"Unremind":     func(*access) wire.Body { return &wire.UnremindRequest{Id: "alices"} },
	"Saved":        func(*access) wire.Body { return &wire.SavedRequest{} },
	"Unsave":       func(*access) wire.Body { return &wire.UnsaveRequest{Conv: "u/friend", Seq: 1} },
	"SendBatch":    func(w *access) wire.Body { return &wire.SendBatchRequest{} },
	"GroupCreate":  func(w *access) wire.Body { return &wire.GroupCreateRequest{Id: w.id(), Name: "own"} },
	"SetProfile":   func(*access) wire.Body { n := "me"; return &wire.SetProfileRequest{Name: &n} },
	"Profiles":     func(*access) wire.Body { return &wire.ProfilesRequest{Users: []string{"alice", "friend"}} },
	"Block":        func(*access) wire.Body { return &wire.BlockRequest{User: "someone"} },
	"Unblock":      func(*access) wire.Body { return &wire.UnblockRequest{User: "someone"} },
	"Blocks":       func(*access) wire.Body { return &wire.BlocksRequest{} },
	"SetAllowMode": func(*access) wire.Body { return &wire.SetAllowModeRequest{} },
	"Allow":        func(*access) wire.Body { return &wire.AllowRequest{User: "someone"} },
	"Disallow":     func(*access) wire.Body { return &wire.DisallowRequest{User: "someone"} },
	"Allowed":      func(*access) wire.Body { return &wire.AllowedRequest{} },
	"SetPresence":  func(*access) wire.Body { s := "here"; return &wire.SetPresenceRequest{Status: &s} },
	"Presence":     func(*access) wire.Body { return &wire.PresenceRequest{Users: []string{"alice"}} },
	"Watch":        func(*access) wire.Body { return &wire.WatchRequest{Users: []string{"alice"}} },
	"Unwatch":      func(*access) wire.Body { return &wire.UnwatchRequest{} },
	"Devices":      func(*access) wire.Body { return &wire.DevicesRequest{} },
	"Kick":         func(*access) wire.Body { return &wire.KickRequest{Device: "alices"} },
	"Renew":        func(*access) wire.Body { return &wire.RenewRequest{Token: "x"} },
	"StreamAppend": func(*access) wire.Body { return &wire.StreamAppendRequest{Id: "none", Conv: "u/friend"} },
	"StreamEnd":    func(*access) wire.Body { return &wire.StreamEndRequest{Id: "none", Conv: "u/friend"} },
	"StreamGet":    func(*access) wire.Body { return &wire.StreamGetRequest{Id: "none", Conv: "u/friend"} },
	"Types":        func(*access) wire.Body { return &wire.TypesRequest{} },
	"Type":         func(*access) wire.Body { return &wire.TypeRequest{Name: "an:text"} },
}

// ofApp are the verbs of the app alone.
var ofApp = map[string]func(*access) wire.Body{
	"TypePut":      func(w *access) wire.Body { return &wire.TypePutRequest{Type: &wire.MessageType{Name: "own:" + w.id()}} },
	"TypeRemove":   func(*access) wire.Body { return &wire.TypeRemoveRequest{Name: "own:none"} },
	"Reports":      func(*access) wire.Body { return &wire.ReportsRequest{} },
	"ReportSettle": func(*access) wire.Body { return &wire.ReportSettleRequest{Id: "none", State: "kept"} },
}

// newAccess makes the world.
func newAccess(t *testing.T) *access {
	p := start(t, t.TempDir()+"/data", "")
	other := start(t, t.TempDir()+"/data", "") // another app: its users and keys are nothing here
	w := &access{t: t, p: p, by: map[string]*asker{}}
	t.Cleanup(w.web.CloseIdleConnections)
	add := func(name, user string, s sort) {
		a := &asker{name: name, user: user, sort: s, auth: token(p.secret, user)}
		l, _, err := dial(p.tcp, a.auth, "d-"+user)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.close)
		a.l = l
		w.by[user] = a
		if s != 0 {
			w.askers = append(w.askers, a)
		}
	}
	add("owner", "alice", owner)
	add("admin", "adm", admin)
	add("member", "mem", member)
	add("muted member", "mut", muted)
	add("former member", "fmr", former)
	add("blocked", "blk", blocked)
	add("stranger", "str", stranger)
	add("friend", "friend", 0)
	key, theirs := p.appKey(t), other.appKey(t)
	w.askers = append(w.askers,
		&asker{name: "app key as the owner", user: "alice", key: true, sort: appAs, auth: key},
		&asker{name: "app key", key: true, sort: appOnly, auth: key},
		&asker{name: "other app's key", user: "alice", key: true, sort: foreign, auth: theirs},
		&asker{name: "other app's user", user: "", sort: foreign, auth: token(other.secret, "alice")},
		&asker{name: "nobody", sort: nobody})

	w.say("alice", "u/friend", "SECRET-direct", nil)
	w.say("friend", "u/alice", "SECRET-direct", nil)
	w.say("blk", "u/alice", "hello", nil)
	w.do("alice", "Block", &wire.BlockRequest{User: "blk"}, new(wire.Empty))
	w.do("alice", "SetDraft", &wire.SetDraftRequest{Draft: &wire.Draft{Conv: "u/friend", Body: []byte(`"SECRET-note"`)}}, new(wire.SetDraftResponse))
	w.do("alice", "Save", &wire.SaveRequest{Conv: "u/friend", Seq: 1, Note: "SECRET-note"}, new(wire.SaveResponse))
	at := time.Now().Add(time.Hour).UnixMilli()
	w.do("alice", "Remind", &wire.RemindRequest{Reminder: &wire.Reminder{Id: "alices", At: at, Text: "SECRET-note"}}, new(wire.RemindResponse))
	w.do("alice", "Schedule", &wire.ScheduleRequest{At: at, Send: &wire.SendRequest{Id: "alices", Conv: "u/friend", Type: "an:text", Body: []byte(`{"content":"SECRET-note"}`)}}, new(wire.ScheduleResponse))
	w.do("alice", "SetProfile", &wire.SetProfileRequest{Fields: []*wire.ProfileField{{Key: "k", Value: "SECRET-field", Visible: "none"}}}, new(wire.ProfileResponse))
	w.do("alice", "Allow", &wire.AllowRequest{User: "SECRET-allowed"}, new(wire.Empty))
	remark := "SECRET-remark"
	w.do("alice", "Set", &wire.SetRequest{Conv: "u/friend", Remark: &remark}, new(wire.SetResponse))
	w.do("friend", "Report", &wire.ReportRequest{User: "alice", Reason: "spam", Text: "SECRET-report"}, new(wire.ReportResponse))
	return w
}

// try asks over one door, and looks for words that are not the asker's.
func (w *access) try(door string, a *asker, v *wire.Verb, in wire.Body) (answer, bool) {
	w.t.Helper()
	var ans answer
	var err error
	if door == "native" {
		if a.l == nil {
			return ans, false
		}
		ans, err = a.l.ask(v.Name, in)
	} else {
		ans, err = w.post(a, v, in)
	}
	if err != nil {
		w.t.Fatalf("%s, %s by %s: %v", door, v.Name, a.name, err)
	}
	w.cases++
	for word, whose := range secrets {
		if whose&a.sort == 0 && bytes.Contains(ans.raw, []byte(word)) {
			w.t.Errorf("%s: %s was told %q by %s", door, a.name, word, v.Name)
		}
		if (whose|live[word])&a.sort == 0 && bytes.Contains(ans.pushed, []byte(word)) {
			w.t.Errorf("%s: %s was pushed %q", door, a.name, word)
		}
	}
	if a.sort&(foreign|nobody) != 0 && ans.code/1000 != 2 {
		w.t.Errorf("%s, %s by %s: %v, want an error 2xxx", door, v.Name, a.name, ans)
	}
	return ans, true
}

// TestP1_AccessMatrix asks everything as everybody.
func TestP1_AccessMatrix(t *testing.T) {
	w := newAccess(t)
	absent := "g/aaaaaaaaaaaaaaaa"
	shared := w.scene()
	for _, door := range []string{"native", "http"} {
		for _, v := range wire.Verbs() {
			q, about := asks[v.Name]
			own, mine := owns[v.Name]
			app, apps := ofApp[v.Name]
			if !about && !mine && !apps {
				t.Fatalf("nobody asks for %s", v.Name)
			}
			for _, a := range w.askers {
				switch {
				case mine:
					w.try(door, a, &v, own(w))
				case apps:
					ans, asked := w.try(door, a, &v, app(w))
					if asked && a.sort&appOnly == 0 && ans.code == 0 {
						t.Errorf("%s: %s was let to %s", door, a.name, v.Name)
					}
				case !q.http || door == "http":
					s := shared
					if q.does && a.l != nil || q.does && a.sort&appAs != 0 {
						s = w.scene()
					}
					w.about(door, a, &v, &q, s, absent)
				}
			}
		}
	}
	t.Logf("%d cases", w.cases)
	if w.cases < 500 {
		t.Errorf("only %d cases", w.cases)
	}
}

// about asks for a group, and for one that is not there.
func (w *access) about(door string, a *asker, v *wire.Verb, q *ask, s *scene, absent string) {
	w.t.Helper()
	before := ""
	if q.does {
		before = w.heads(s)
	}
	ans, asked := w.try(door, a, v, q.make(w, s, s.conv))
	if !asked || a.sort&(foreign|nobody) != 0 {
		return
	}
	where := fmt.Sprintf("%s, %s by %s", door, v.Name, a.name)
	switch {
	case q.free&a.sort != 0 && ans.code/1000 == 4:
	case (q.may|q.free)&a.sort != 0:
		if ans.code != 0 {
			w.t.Errorf("%s: %v, want an answer", where, ans)
		}
		return
	case q.odd&a.sort != 0:
		if ans.code != wire.CodeInvalid {
			w.t.Errorf("%s: %v, want 3000", where, ans)
		}
	case q.deny&a.sort != 0:
		if ans.code/1000 != 4 {
			w.t.Errorf("%s: %v, want a refusal 4xxx", where, ans)
		}
	default: // he cannot tell it from one that is not there
		none, _ := w.try(door, a, v, q.make(w, s, absent))
		if ans.code == 0 || ans.code != none.code || ans.text != none.text {
			w.t.Errorf("%s: %v; where there is none: %v", where, ans, none)
		}
	}
	if after := w.heads(s); q.does && after != before {
		w.t.Errorf("%s was refused, and the group went from %s to %s", where, before, after)
	}
}

// appKey makes a key of the app.
func (p *program) appKey(t *testing.T) string {
	t.Helper()
	out := p.run(t, "key", "create", "matrix")
	i := strings.Index(out, "ank_")
	if i < 0 {
		t.Fatalf("no key in %q", out)
	}
	return strings.FieldsFunc(out[i:], func(r rune) bool { return r <= ' ' || r == '"' })[0]
}

// run runs the program's own commands against this server.
func (p *program) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, append(args, "--data", p.dir)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		var e *exec.ExitError
		if errors.As(err, &e) {
			err = fmt.Errorf("%w: %s", err, e.Stderr)
		}
		t.Fatalf("anser %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// A blocked user moves nothing any more in the one who blocked him: he may take back
// what he said, and read what was said to him.
func TestJ2_Blocked(t *testing.T) {
	p := start(t, t.TempDir()+"/data", "")
	w := &access{t: t, p: p, by: map[string]*asker{}}
	t.Cleanup(w.web.CloseIdleConnections)
	for _, u := range []string{"alice", "blk"} {
		l, _, err := dial(p.tcp, token(p.secret, u), "d")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.close)
		w.by[u] = &asker{name: u, user: u, l: l, auth: token(p.secret, u)}
	}
	own := w.say("blk", "u/alice", "hello", nil)
	theirs := w.say("alice", "u/blk", "go away", nil)
	status := "SECRET-status"
	w.do("alice", "SetPresence", &wire.SetPresenceRequest{Status: &status}, new(wire.Empty))
	w.do("alice", "Block", &wire.BlockRequest{User: "blk"}, new(wire.Empty))
	head := func() string {
		var r wire.ConversationResponse
		w.do("alice", "Conversation", &wire.ConversationRequest{Conv: "u/blk"}, &r)
		h := r.Conversation.Head
		return fmt.Sprint(h.Seq, h.Ver)
	}
	before := head()
	c := "u/alice"
	for _, q := range []struct {
		verb string
		in   wire.Body
		code uint32 // 0: he may
	}{
		{"Send", &wire.SendRequest{Id: w.id(), Conv: c, Body: []byte(`{"content":"x"}`)}, wire.CodeNotAccepted},
		{"Edit", &wire.EditRequest{Conv: c, Seq: own, Id: w.id(), Body: []byte(`{"content":"x"}`)}, wire.CodeNotAccepted},
		{"React", &wire.ReactRequest{Conv: c, Seq: theirs, Id: w.id(), Add: []string{"x"}}, wire.CodeNotAccepted},
		{"Pin", &wire.PinRequest{Conv: c, Seq: theirs, Id: w.id()}, wire.CodeNotAccepted},
		{"Expand", &wire.ExpandRequest{Conv: c, Seq: own, Id: w.id(), Set: []*wire.Pair{{Key: "k", Value: "v"}}}, wire.CodeNotAccepted},
		{"StreamOpen", &wire.StreamOpenRequest{Id: w.id(), Conv: c}, wire.CodeNotAccepted},
		{"Page", &wire.PageRequest{Conv: c, From: 1}, 0},
		{"Presence", &wire.PresenceRequest{Users: []string{"alice"}}, 0},
		{"Read", &wire.ReadRequest{Conv: c}, 0},
	} {
		for _, door := range []string{"native", "http"} {
			v, _ := wire.VerbOf(q.verb)
			a := w.by["blk"]
			var ans answer
			var err error
			if door == "native" && q.verb == "Send" {
				continue
			} else if door == "native" {
				ans, err = a.l.ask(q.verb, q.in)
			} else {
				ans, err = w.post(a, &v, q.in)
			}
			if err != nil || ans.code != q.code {
				t.Errorf("%s, %s: %v %v, want %d", door, q.verb, ans, err, q.code)
			}
			if bytes.Contains(ans.raw, []byte(status)) {
				t.Errorf("%s, %s told him %q", door, q.verb, status)
			}
		}
	}
	if after := head(); after != before {
		t.Errorf("the conversation went from %s to %s", before, after)
	}
}
