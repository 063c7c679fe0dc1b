package rpc_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/anser-im/anser/internal/auth"
	"github.com/anser-im/anser/internal/core"
	"github.com/anser-im/anser/internal/gate/rpc"
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store/memstore"
	"github.com/anser-im/anser/internal/testkit"
	"github.com/anser-im/anser/internal/types"
	"github.com/anser-im/anser/wire"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var secret = []byte("0123456789abcdef0123456789abcdef")

// rows is what auth keeps, in memory.
type rows struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (a *rows) Read(_ context.Context, u im.UserID, key string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.m[string(u)+"\x00"+key], nil
}

func (a *rows) Write(_ context.Context, _ *auth.Row, list ...auth.Row) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range list {
		a.m[string(r.User)+"\x00"+r.Key] = r.Value
	}
	return nil
}

// world is a core over the model of a store, whose verbs are asked by name and bytes.
type world struct {
	*testing.T
	f      wire.Format
	core   *core.Core
	signer *auth.Signer
	used   map[string]bool
}

func newWorld(t *testing.T, f wire.Format) *world {
	w := &world{T: t, f: f, used: map[string]bool{}}
	st := memstore.New(memstore.Config{})
	v, err := auth.NewVerifier(auth.Config{Secret: secret})
	w.ok(err)
	w.signer, err = auth.NewSigner(secret, "", nil)
	w.ok(err)
	rev := auth.NewRevoker(&rows{m: map[string][]byte{}}, nil, func(r auth.Revocation) { w.core.Revoked(r) })
	c := core.Config{SweepEvery: -1}
	c.Limits.SendRate = -1
	c.Types, err = types.Open(t.Context(), st, types.Config{})
	w.ok(err)
	w.core = core.New(c, st, v, rev)
	t.Cleanup(func() {
		w.core.Close()
		st.Close()
	})
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) token(user string) string {
	w.Helper()
	s, err := w.signer.Sign(auth.Claims{User: im.UserID(user), Expires: time.Now().Add(time.Hour)})
	w.ok(err)
	return s
}

// user is a session with a link that takes nothing.
func (w *world) user(name string) *core.Session {
	w.Helper()
	s, err := w.core.Login(w.Context(), core.Login{Token: w.token(name), Door: "native", Device: "phone", Wake: func() {}, Ended: func(core.End) {}})
	w.ok(err)
	w.Cleanup(s.Close)
	return s
}

// do asks a verb in the world's format and reads the answer.
func do[A wire.Body](w *world, s *core.Session, method string, q wire.Body, a A) A {
	w.Helper()
	w.used[method] = true
	v := rpc.Of(method)
	body, err := w.f.MarshalBody(q)
	w.ok(err)
	r, err := v.Do(w.Context(), s, w.f, body)
	if err != nil {
		w.Fatalf("%s %v: %v", method, q, err)
	}
	b, err := w.f.MarshalBody(r)
	w.ok(err)
	w.ok(w.f.UnmarshalBody(b, a))
	return a
}

func (w *world) is(what string, got, want any) {
	w.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Every verb of the schema, by name and in bytes of both encodings: what is asked
// reaches core, and what core says comes back.
func TestEveryVerbDoesWhatItSays(t *testing.T) {
	for _, f := range []wire.Format{wire.Binary, wire.JSON} {
		t.Run(f.Subprotocol(), func(t *testing.T) {
			w := newWorld(t, f)
			alice, bob := w.user("alice"), w.user("bob")
			w.messages(alice, bob)
			w.groups(alice, bob)
			w.lists(alice, bob)
			w.later(alice, bob)
			w.people(alice, bob)
			w.app(alice)
			for _, v := range wire.Verbs() {
				if !w.used[v.Name] {
					t.Errorf("%s was not tried", v.Name)
				}
			}
		})
	}
}

func (w *world) messages(alice, bob *core.Session) {
	sent := do(w, alice, wire.MethodSend, &wire.SendRequest{Id: "1", Conv: "u/bob", Body: []byte(`{"content":"one"}`)}, &wire.SendResponse{})
	w.is("sent", []any{sent.Id, sent.Seq, sent.N}, []any{"1", 1, 1})
	batch := do(w, alice, wire.MethodSendBatch, &wire.SendBatchRequest{Sends: []*wire.SendRequest{
		{Id: "2", Conv: "u/bob", Body: []byte(`{"content":"two"}`), Options: &wire.SendOptions{ReplyTo: 1}},
		{Id: "3", Conv: "u/", Body: []byte("x")},
		{Id: "4", Conv: "u/bob", Body: []byte(`{"content":"four"}`), Options: &wire.SendOptions{Thread: 1}}}}, &wire.SendBatchResponse{})
	w.is("batch", []any{batch.Outcomes[0].GetSent().GetSeq(), batch.Outcomes[1].Code, batch.Outcomes[2].GetSent().GetSeq(), batch.Outcomes[0].Message + batch.Outcomes[2].Message}, []any{2, 3000, 3, ""})

	c := do(w, bob, wire.MethodReact, &wire.ReactRequest{Conv: "u/alice", Seq: 1, Add: []string{"👍", "❤"}, Id: "r"}, &wire.ChangeResponse{})
	w.is("react", c.Ver, 1)
	reacted := do(w, alice, wire.MethodReactions, &wire.ReactionsRequest{Conv: "u/bob", Seq: 1, Limit: 1}, &wire.ReactionsResponse{})
	w.is("reactions", []any{len(reacted.Reacted), reacted.Reacted[0].User, reacted.More}, []any{1, "bob", true})
	w.is("pin", do(w, alice, wire.MethodPin, &wire.PinRequest{Conv: "u/bob", Seq: 1}, &wire.ChangeResponse{}).Ver, 2)
	pins := do(w, bob, wire.MethodPins, &wire.PinsRequest{Conv: "u/alice"}, &wire.MessagesResponse{})
	w.is("pins", []any{len(pins.Messages), pins.Messages[0].Pin.By}, []any{1, "alice"})
	do(w, alice, wire.MethodPin, &wire.PinRequest{Conv: "u/bob", Seq: 1, Off: true}, &wire.ChangeResponse{})
	do(w, alice, wire.MethodExpand, &wire.ExpandRequest{Conv: "u/bob", Seq: 1, Set: []*wire.Pair{{Key: "k", Value: "v"}}}, &wire.ChangeResponse{})
	do(w, alice, wire.MethodEdit, &wire.EditRequest{Conv: "u/bob", Seq: 1, Id: "e", Body: []byte(`{"content":"uno"}`)}, &wire.ChangeResponse{})
	old := do(w, bob, wire.MethodEditHistory, &wire.EditHistoryRequest{Conv: "u/alice", Seq: 1}, &wire.EditHistoryResponse{})
	w.is("history", []any{len(old.Formers), string(old.Formers[0].Body)}, []any{1, `{"content":"one"}`})

	page := do(w, bob, wire.MethodPage, &wire.PageRequest{Conv: "u/alice", Around: 2, Limit: 10}, &wire.PageResponse{})
	m := page.Range.Messages[0]
	w.is("page", []any{page.Range.From, page.Range.To, len(page.Range.Messages), page.Head.Seq}, []any{1, 3, 3, 3})
	w.is("its parts", []any{string(m.Body), m.Edited > 0, len(m.Reactions), m.Reactions[0].Count, m.Expansion[0].Value, m.Pin}, []any{`{"content":"uno"}`, true, 2, 1, "v", nil})
	w.is("extras", []any{page.Range.Extras[0].Seq, page.Range.Extras[0].Replies, page.Range.Extras[0].Thread, page.Range.Extras[0].ThreadLast, len(page.Range.Extras[0].Mine)}, []any{1, 1, 1, 3, 2})
	some := do(w, alice, wire.MethodMessages, &wire.MessagesRequest{Conv: "u/bob", Seqs: []uint64{3, 1, 99}}, &wire.MessagesResponse{})
	w.is("messages", len(some.Messages), 2)
	w.is("replies", do(w, bob, wire.MethodReplies, &wire.RepliesRequest{Conv: "u/alice", Seq: 1}, &wire.MessagesResponse{}).Messages[0].Seq, 2)
	threads := do(w, bob, wire.MethodThreads, &wire.ThreadsRequest{Conv: "u/alice"}, &wire.ThreadsResponse{})
	w.is("threads", []any{len(threads.Threads), threads.Threads[0].Extra.Seq, threads.Threads[0].Root.Seq, threads.Threads[0].Last.Seq}, []any{1, 1, 1, 3})
	w.is("thread", do(w, bob, wire.MethodThreadPage, &wire.ThreadPageRequest{Conv: "u/alice", Root: 1}, &wire.MessagesResponse{}).Messages[0].Seq, 3)
	set := do(w, bob, wire.MethodThreadSet, &wire.ThreadSetRequest{Conv: "u/alice", Root: 1, Read: proto.Uint64(3), Follow: proto.Bool(true), Level: proto.String("none")}, &wire.ThreadResponse{})
	w.is("thread row", []any{set.Thread.Read, set.Thread.Unread, set.Thread.Following, set.Thread.Level}, []any{3, 0, true, "none"})
	log := do(w, bob, wire.MethodChanges, &wire.ChangesRequest{Conv: "u/alice", FromVer: 1}, &wire.ChangesResponse{})
	var kinds []string
	for _, c := range log.Changes {
		kinds = append(kinds, c.Kind)
	}
	w.is("changes", kinds, []string{"react", "pin", "pin", "expand", "edit"})
	w.is("reaction's change", []any{log.Changes[0].Added, log.Changes[0].By, log.Changes[0].Id}, []any{[]string{"👍", "❤"}, "bob", "r"})

	fwd := do(w, bob, wire.MethodForward, &wire.ForwardRequest{Id: "f", Conv: "u/alice", Seqs: []uint64{1, 2}, To: []string{"u/carol", "g/nothere"}}, &wire.ForwardResponse{})
	w.is("forwarded", []any{fwd.Forwarded[0].Conv, len(fwd.Forwarded[0].Seqs), fwd.Forwarded[1].Code}, []any{"u/carol", 2, 3004})
	there := do(w, bob, wire.MethodPage, &wire.PageRequest{Conv: "u/carol"}, &wire.PageResponse{})
	w.is("origin", there.Range.Messages[0].Origin.GetSender(), "alice")

	poll := do(w, alice, wire.MethodSend, &wire.SendRequest{Id: "p", Conv: "u/bob", Type: "an:poll",
		Body: []byte(`{"question":"Tea?","options":[{"id":"y","text":"Yes"},{"id":"n","text":"No"}]}`)}, &wire.SendResponse{})
	do(w, bob, wire.MethodVote, &wire.VoteRequest{Conv: "u/alice", Seq: poll.Seq, Options: []string{"y"}}, &wire.ChangeResponse{})
	do(w, alice, wire.MethodPollClose, &wire.PollCloseRequest{Conv: "u/bob", Seq: poll.Seq}, &wire.ChangeResponse{})
	if err := w.refused(bob, wire.MethodVote, &wire.VoteRequest{Conv: "u/alice", Seq: poll.Seq, Options: []string{"n"}}); err == nil {
		w.Error("a vote after the end is taken")
	}

	st := do(w, alice, wire.MethodStreamOpen, &wire.StreamOpenRequest{Id: "s", Conv: "u/bob"}, &wire.StreamResponse{})
	w.is("stream", []any{st.Id, st.Sender, st.Next}, []any{"s", "alice", 0})
	w.is("part", do(w, alice, wire.MethodStreamAppend, &wire.StreamAppendRequest{Id: "s", Conv: "u/bob", Text: "Hel"}, &wire.StreamResponse{}).Next, 1)
	do(w, alice, wire.MethodStreamAppend, &wire.StreamAppendRequest{Id: "s", Conv: "u/bob", Index: 1, Text: "lo"}, &wire.StreamResponse{})
	w.is("so far", do(w, bob, wire.MethodStreamGet, &wire.StreamGetRequest{Id: "s", Conv: "u/alice"}, &wire.StreamResponse{}).Text, "Hello")
	end := do(w, alice, wire.MethodStreamEnd, &wire.StreamEndRequest{Id: "s", Conv: "u/bob", Body: []byte(`{"model":"m"}`)}, &wire.StreamResponse{})
	w.is("stream's end", []any{end.Done, end.Seq}, []any{true, poll.Seq + 1})

	rec := do(w, alice, wire.MethodRecall, &wire.RecallRequest{Conv: "u/bob", Seq: 2, Id: "rc", Silent: true}, &wire.RecallResponse{})
	w.is("recall", []any{rec.Ver > 0, rec.Duplicate}, []any{true, false})
	gone := do(w, bob, wire.MethodMessages, &wire.MessagesRequest{Conv: "u/alice", Seqs: []uint64{2}}, &wire.MessagesResponse{}).Messages[0]
	w.is("recalled", []any{gone.Recalled, gone.RecalledBy, gone.Silent, len(gone.Body)}, []any{true, "alice", true, 0})
	mine := do(w, bob, wire.MethodDelete, &wire.DeleteRequest{Conv: "u/alice", Range: &wire.SeqRange{From: 1, To: 2}}, &wire.DeleteResponse{})
	w.is("deleted for me", []any{mine.Count, mine.Ver, len(mine.Mine.Gone)}, []any{2, 0, 1})
	all := do(w, alice, wire.MethodDelete, &wire.DeleteRequest{Conv: "u/bob", Seqs: []uint64{3}, ForAll: true}, &wire.DeleteResponse{})
	w.is("deleted for all", []any{all.Count, all.Ver > 0}, []any{1, true})
	w.is("undeleted", do(w, alice, wire.MethodUndelete, &wire.UndeleteRequest{Conv: "u/bob", Seqs: []uint64{3}}, &wire.ChangeResponse{}).Ver > all.Ver, true)
}

// refused asks a verb that is expected to be refused.
func (w *world) refused(s *core.Session, method string, q wire.Body) error {
	w.Helper()
	_, err := rpc.Of(method).Call(w.Context(), s, q)
	return err
}

func (w *world) groups(alice, bob *core.Session) {
	g := do(w, alice, wire.MethodGroupCreate, &wire.GroupCreateRequest{Id: "g", Name: "devs", Members: []string{"bob"}, Join: "open", History: "all"}, &wire.GroupResponse{})
	w.is("group", []any{g.Group.Name, g.Group.Join, g.Group.History, g.Group.Members, g.Group.Owner, g.Conv}, []any{"devs", "open", "all", 2, "alice", "g/" + g.Group.Id})
	g = do(w, alice, wire.MethodGroupUpdate, &wire.GroupUpdateRequest{Conv: g.Conv, Name: proto.String("开发"), History: "joined"}, &wire.GroupResponse{})
	w.is("update", []any{g.Group.Name, g.Group.Join, g.Group.History}, []any{"开发", "open", "joined"})
	do(w, alice, wire.MethodGroupAdd, &wire.GroupAddRequest{Conv: g.Conv, Users: []string{"carol", "dave"}}, &wire.GroupChangeResponse{})
	do(w, alice, wire.MethodGroupRole, &wire.GroupRoleRequest{Conv: g.Conv, User: "bob", Role: "admin"}, &wire.GroupChangeResponse{})
	do(w, bob, wire.MethodGroupMute, &wire.GroupMuteRequest{Conv: g.Conv, Users: []string{"carol"}, Until: 1 << 45}, &wire.GroupChangeResponse{})
	do(w, bob, wire.MethodGroupNick, &wire.GroupNickRequest{Conv: g.Conv, Nick: "Bobby"}, &wire.GroupChangeResponse{})
	members := do(w, alice, wire.MethodGroupMembers, &wire.GroupMembersRequest{Conv: g.Conv}, &wire.GroupMembersResponse{})
	w.is("members", []any{len(members.Members), members.Members[1].Nick, members.Members[1].Role, members.Members[2].MutedUntil, members.Members[1].Online}, []any{4, "Bobby", "admin", 1 << 45, true})
	do(w, alice, wire.MethodGroupMute, &wire.GroupMuteRequest{Conv: g.Conv, All: proto.Bool(true)}, &wire.GroupChangeResponse{})
	conv := do(w, bob, wire.MethodConversation, &wire.ConversationRequest{Conv: g.Conv}, &wire.ConversationResponse{}).Conversation
	w.is("muted group", []any{conv.Group.Mute, conv.Mine.Nick, conv.Mine.Role}, []any{true, "Bobby", "admin"})
	do(w, alice, wire.MethodGroupRemove, &wire.GroupRemoveRequest{Conv: g.Conv, Users: []string{"dave"}}, &wire.GroupChangeResponse{})
	dave := w.user("dave")
	do(w, dave, wire.MethodJoin, &wire.JoinRequest{Conv: g.Conv}, &wire.GroupChangeResponse{})
	do(w, dave, wire.MethodLeave, &wire.LeaveRequest{Conv: g.Conv}, &wire.GroupChangeResponse{})

	sent := do(w, alice, wire.MethodSend, &wire.SendRequest{Id: "m", Conv: g.Conv, Body: []byte(`{"content":"@bob"}`),
		Options: &wire.SendOptions{Mentions: &wire.Mentions{Users: []string{"carol"}, Roles: []string{"admin"}}}}, &wire.SendResponse{})
	w.is("mentions by role", do(w, bob, wire.MethodMentions, &wire.MentionsRequest{Conv: g.Conv}, &wire.MentionsResponse{}).Seqs, []uint64{sent.Seq})
	w.is("read", do(w, bob, wire.MethodRead, &wire.ReadRequest{Conv: g.Conv}, &wire.ReadResponse{}).Mine.Read, sent.Seq)
	counts := do(w, alice, wire.MethodReadCounts, &wire.ReadCountsRequest{Conv: g.Conv, Seqs: []uint64{sent.Seq}}, &wire.ReadCountsResponse{})
	w.is("counts", []any{counts.Counts[0].Read, counts.Counts[0].Unread, counts.Counts[0].AsOf > 0}, []any{1, 1, true})
	list := do(w, alice, wire.MethodReadList, &wire.ReadListRequest{Conv: g.Conv, Seq: sent.Seq, Unread: true}, &wire.ReadListResponse{})
	w.is("who has not", list.Users, []string{"carol"})
	id := do(w, bob, wire.MethodReport, &wire.ReportRequest{Conv: g.Conv, Seq: sent.Seq, Reason: "spam", Text: "look"}, &wire.ReportResponse{}).Id
	w.is("report", id != "", true)
}

func (w *world) lists(alice, bob *core.Session) {
	mine := do(w, bob, wire.MethodSet, &wire.SetRequest{Conv: "u/alice", Pinned: proto.Bool(true), Level: proto.String("mentions"), Marked: proto.Bool(true),
		Tags: &wire.Tags{Names: []string{"work"}}, Remark: proto.String("Al")}, &wire.SetResponse{}).Mine
	w.is("settings", []any{mine.Settings.Pinned > 0, mine.Settings.Level, mine.Settings.Marked, mine.Settings.Tags, mine.Settings.Remark}, []any{true, "mentions", true, []string{"work"}, "Al"})
	list := do(w, bob, wire.MethodConversations, &wire.ConversationsRequest{Limit: 1, Messages: 2}, &wire.ConversationsResponse{})
	w.is("list", []any{list.Conversations[0].Conv, list.Next != "", list.Conversations[0].Level}, []any{"u/alice", true, "mentions"})
	tagged := do(w, bob, wire.MethodConversations, &wire.ConversationsRequest{Filter: &wire.Filter{Kinds: []string{"direct"}, Tag: "work"}}, &wire.ConversationsResponse{})
	w.is("tagged", []any{len(tagged.Conversations), tagged.Next}, []any{1, ""})
	do(w, bob, wire.MethodSet, &wire.SetRequest{Conv: "u/alice", Pinned: proto.Bool(false), Hidden: proto.Bool(true), Archived: proto.Bool(false), Tags: &wire.Tags{}}, &wire.SetResponse{})
	hidden := do(w, bob, wire.MethodConversations, &wire.ConversationsRequest{Filter: &wire.Filter{Kinds: []string{"direct"}}}, &wire.ConversationsResponse{})
	w.is("without the hidden one", slices.ContainsFunc(hidden.Conversations, func(c *wire.Conversation) bool { return c.Conv == "u/alice" }), false)
	carol := w.user("carol")
	unread := do(w, carol, wire.MethodUnread, &wire.UnreadRequest{}, &wire.UnreadResponse{})
	w.is("unread", []any{unread.Messages, unread.Conversations, unread.Mentions, len(unread.Kinds), unread.Kinds[0].Kind}, []any{3, 2, 1, 2, "direct"})
	sync := do(w, carol, wire.MethodSync, &wire.SyncRequest{}, &wire.SyncResponse{})
	w.is("sync", []any{len(sync.Conversations), sync.Epoch == w.core.Epoch().String(), sync.Token != ""}, []any{2, true, true})

	d := do(w, bob, wire.MethodSetDraft, &wire.SetDraftRequest{Draft: &wire.Draft{Conv: "u/alice", Body: []byte(`{"content":"I wan"}`), ReplyTo: 3}}, &wire.SetDraftResponse{})
	w.is("draft", []any{d.Draft.Conv, d.Draft.ReplyTo, d.Draft.Time > 0}, []any{"u/alice", 3, true})
	w.is("drafts", string(do(w, bob, wire.MethodDrafts, &wire.DraftsRequest{}, &wire.DraftsResponse{}).Drafts[0].Body), `{"content":"I wan"}`)
	me := do(w, bob, wire.MethodChanges, &wire.ChangesRequest{Conv: "me", FromVer: 1}, &wire.ChangesResponse{})
	note := me.Changes[len(me.Changes)-1]
	w.is("note", []any{note.Kind, note.Key, len(note.Value) > 0}, []any{"note", "draft/u/alice", true})
	q := &wire.Quiet{Start: "22:00", Minutes: 480, Zone: "Asia/Shanghai", Level: "mentions", Days: []uint32{0, 6}}
	do(w, bob, wire.MethodSetNotify, &wire.SetNotifyRequest{Notify: &wire.Notify{All: "mentions", Group: "none", Quiet: q}}, &wire.Empty{})
	n := do(w, bob, wire.MethodNotify, &wire.NotifyRequest{}, &wire.NotifyResponse{}).Notify
	w.is("notify", []any{n.All, n.Direct, n.Group, n.Quiet.Start, n.Quiet.Days, n.Quiet.Level}, []any{"mentions", "", "none", "22:00", []uint32{0, 6}, "mentions"})
	do(w, bob, wire.MethodSetQuiet, &wire.SetQuietRequest{Conv: "u/alice", Quiet: &wire.Quiet{Start: "12:00", Minutes: 60, Zone: "Europe/Berlin"}}, &wire.Empty{})
	one := do(w, bob, wire.MethodQuiet, &wire.QuietRequest{Conv: "u/alice"}, &wire.QuietResponse{}).Quiet
	w.is("quiet", []any{one.Start, one.Minutes, one.Zone}, []any{"12:00", 60, "Europe/Berlin"})
}

func (w *world) later(alice, bob *core.Session) {
	at := w.core.Now().Add(time.Hour).UnixMilli()
	s := do(w, alice, wire.MethodSchedule, &wire.ScheduleRequest{At: at, Send: &wire.SendRequest{Id: "later", Conv: "u/bob", Flags: proto.Uint32(3), Body: []byte(`{"content":"later"}`),
		Options: &wire.SendOptions{Push: "p"}}}, &wire.ScheduleResponse{}).Scheduled
	w.is("schedule", []any{s.At, s.Send.Id, s.Send.Conv, s.Send.Options.Push, *s.Send.Flags, string(s.Send.Body), s.Failed}, []any{at, "later", "u/bob", "p", 3, `{"content":"later"}`, ""})
	w.is("scheduled", do(w, alice, wire.MethodScheduled, &wire.ScheduledRequest{}, &wire.ScheduledResponse{}).Scheduled[0].Send.Type, "an:text")
	do(w, alice, wire.MethodUnschedule, &wire.UnscheduleRequest{Id: "later"}, &wire.Empty{})
	w.is("no longer", len(do(w, alice, wire.MethodScheduled, &wire.ScheduledRequest{}, &wire.ScheduledResponse{}).Scheduled), 0)
	r := do(w, alice, wire.MethodRemind, &wire.RemindRequest{Reminder: &wire.Reminder{Id: "tea", At: at, Conv: "u/bob", Seq: 3, Text: "tea"}}, &wire.RemindResponse{}).Reminder
	w.is("remind", []any{r.Id, r.At, r.Conv, r.Seq, r.Text, r.Fired}, []any{"tea", at, "u/bob", 3, "tea", 0})
	w.is("reminders", len(do(w, alice, wire.MethodReminders, &wire.RemindersRequest{}, &wire.RemindersResponse{}).Reminders), 1)
	do(w, alice, wire.MethodUnremind, &wire.UnremindRequest{Id: "tea"}, &wire.Empty{})
	sv := do(w, bob, wire.MethodSave, &wire.SaveRequest{Conv: "u/alice", Seq: 3, Note: "keep"}, &wire.SaveResponse{}).Saved
	w.is("save", []any{sv.Conv, sv.Seq, sv.Note, sv.Time > 0}, []any{"u/alice", 3, "keep", true})
	w.is("saved", do(w, bob, wire.MethodSaved, &wire.SavedRequest{}, &wire.SavedResponse{}).Saved[0].Message.GetSeq(), 3)
	do(w, bob, wire.MethodUnsave, &wire.UnsaveRequest{Conv: "u/alice", Seq: 3}, &wire.Empty{})
	w.is("saved no more", len(do(w, bob, wire.MethodSaved, &wire.SavedRequest{}, &wire.SavedResponse{}).Saved), 0)
}

func (w *world) people(alice, bob *core.Session) {
	p := do(w, alice, wire.MethodSetProfile, &wire.SetProfileRequest{Name: proto.String("Alice"), Portrait: proto.String("https://example.com/a.png"),
		Fields: []*wire.ProfileField{{Key: "city", Value: "西安"}, {Key: "phone", Value: "1", Visible: "none"}}}, &wire.ProfileResponse{}).Profile
	w.is("profile", []any{p.User, p.Name, len(p.Fields), p.Version > 0}, []any{"alice", "Alice", 2, true})
	seen := do(w, bob, wire.MethodProfiles, &wire.ProfilesRequest{Users: []string{"alice", "nobody"}}, &wire.ProfilesResponse{}).Profiles
	w.is("profiles", []any{len(seen), seen[0].Portrait, len(seen[0].Fields), seen[0].Fields[0].Value}, []any{1, "https://example.com/a.png", 1, "西安"})
	do(w, bob, wire.MethodBlock, &wire.BlockRequest{User: "eve"}, &wire.Empty{})
	w.is("blocks", do(w, bob, wire.MethodBlocks, &wire.BlocksRequest{}, &wire.BlocksResponse{}).Users, []string{"eve"})
	do(w, bob, wire.MethodUnblock, &wire.UnblockRequest{User: "eve"}, &wire.Empty{})
	do(w, bob, wire.MethodSetAllowMode, &wire.SetAllowModeRequest{On: true}, &wire.Empty{})
	do(w, bob, wire.MethodAllow, &wire.AllowRequest{User: "alice"}, &wire.Empty{})
	allowed := do(w, bob, wire.MethodAllowed, &wire.AllowedRequest{}, &wire.AllowedResponse{})
	w.is("allowed", []any{allowed.Users, allowed.On, allowed.More}, []any{[]string{"alice"}, true, false})
	if err := w.refused(w.user("eve"), wire.MethodSend, &wire.SendRequest{Conv: "u/bob", Body: []byte("x")}); im.AsError(err).Code != im.CodeNotListed {
		w.Errorf("who is not on the list: %v", err)
	}
	do(w, bob, wire.MethodDisallow, &wire.DisallowRequest{User: "alice"}, &wire.Empty{})
	do(w, bob, wire.MethodSetAllowMode, &wire.SetAllowModeRequest{}, &wire.Empty{})
	do(w, alice, wire.MethodSetPresence, &wire.SetPresenceRequest{Status: proto.String("on a train"), LastSeen: proto.String("all"), Online: proto.String("all")}, &wire.Empty{})
	pr := do(w, bob, wire.MethodPresence, &wire.PresenceRequest{Users: []string{"alice", "nobody"}}, &wire.PresenceResponse{}).Presences
	w.is("presence", []any{len(pr), pr[0].Online, pr[0].Status, len(pr[1].Online)}, []any{2, []string{"phone"}, "on a train", 0})
	wa := do(w, bob, wire.MethodWatch, &wire.WatchRequest{Users: []string{"alice"}, Seconds: 60}, &wire.PresenceResponse{})
	w.is("watch", []any{len(wa.Presences), wa.Until > 0}, []any{1, true})
	do(w, bob, wire.MethodUnwatch, &wire.UnwatchRequest{}, &wire.Empty{})
	dev := do(w, bob, wire.MethodDevices, &wire.DevicesRequest{}, &wire.DevicesResponse{}).Devices
	w.is("devices", []any{len(dev), dev[0].Id, dev[0].Online}, []any{1, "phone", true})
	w.is("renew", do(w, bob, wire.MethodRenew, &wire.RenewRequest{Token: w.token("bob")}, &wire.RenewResponse{}).TokenExpires > 0, true)
	do(w, bob, wire.MethodKick, &wire.KickRequest{Device: "phone", Reason: "lost"}, &wire.Empty{})
}

func (w *world) app(alice *core.Session) {
	app, err := w.core.Act("", "en")
	w.ok(err)
	defer app.Close()
	t := do(w, app, wire.MethodTypePut, &wire.TypePutRequest{Type: &wire.MessageType{Name: "acme:card", Schema: []byte(`{"type":"object","required":["name"]}`),
		Digest: []*wire.Pair{{Key: "zh-CN", Value: "[名片] {name}"}, {Key: "en", Value: "[Card] {name}"}}, Title: []*wire.Pair{{Key: "en", Value: "Card"}},
		Search: []string{"/name"}, MaxBytes: 1000, ServerOnly: true}}, &wire.TypeResponse{}).Type
	w.is("type", []any{t.Name, *t.Flags, t.ServerOnly, t.MaxBytes, t.Digest[0].Key, t.Search, t.Version > 0, t.BuiltIn}, []any{"acme:card", 3, true, 1000, "en", []string{"/name"}, true, false})
	got := do(w, alice, wire.MethodType, &wire.TypeRequest{Name: "acme:card"}, &wire.TypeResponse{}).Type
	w.is("the same", proto.Equal(got, t), true)
	types := do(w, alice, wire.MethodTypes, &wire.TypesRequest{}, &wire.TypesResponse{})
	w.is("types", []any{len(types.Types) > 10, types.Version >= t.Version}, []any{true, true})
	if err := w.refused(alice, wire.MethodSend, &wire.SendRequest{Conv: "u/bob", Type: "acme:card", Body: []byte(`{"name":"x"}`)}); im.AsError(err).Code != im.CodeNoType {
		w.Errorf("a type for the app alone: %v", err)
	}
	do(w, app, wire.MethodTypeRemove, &wire.TypeRemoveRequest{Name: "acme:card"}, &wire.Empty{})
	reports := do(w, app, wire.MethodReports, &wire.ReportsRequest{State: "open"}, &wire.ReportsResponse{}).Reports
	w.is("reports", []any{len(reports), reports[0].By, reports[0].Of, reports[0].Reason, reports[0].Text, reports[0].Message.GetSender(), reports[0].Mid != ""}, []any{1, "bob", "alice", "spam", "look", "alice", true})
	do(w, app, wire.MethodReportSettle, &wire.ReportSettleRequest{Id: reports[0].Id, State: "removed"}, &wire.Empty{})
	w.is("settled", do(w, app, wire.MethodReports, &wire.ReportsRequest{State: "removed"}, &wire.ReportsResponse{}).Reports[0].State, "removed")
	for _, method := range []string{wire.MethodTypePut, wire.MethodTypeRemove, wire.MethodReports, wire.MethodReportSettle} {
		if err := w.refused(alice, method, rpc.Of(method).NewRequest()); !im.IsKind(err, im.Denied) {
			w.Errorf("%s by a user: %v", method, err)
		}
	}
}

// A request that is none says so, and no request at all ends in a panic.
func TestBadRequests(t *testing.T) {
	w := newWorld(t, wire.JSON)
	alice := w.user("alice")
	for _, v := range rpc.Verbs() {
		for _, f := range []wire.Format{wire.Binary, wire.JSON} {
			if _, err := v.Do(t.Context(), alice, f, []byte{0xff, 0xff}); !im.IsKind(err, im.Invalid) {
				t.Errorf("%s: %v", v.Name, err)
			}
			if _, err := v.Do(t.Context(), alice, f, nil); im.AsError(err) != nil && im.AsError(err).Kind == im.Internal {
				t.Errorf("%s, empty: %v", v.Name, err)
			}
		}
	}
}
