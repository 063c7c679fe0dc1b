package wire_test

import "github.com/anser-im/anser/wire"

func ptr[T any](v T) *T { return &v }

// sample is one message whose encodings are kept in testdata.
type sample struct {
	name string
	body wire.Body
}

func message() *wire.Message {
	return &wire.Message{
		Seq: 1042, N: 1040, Time: 1790000000123, Id: "0199a1b2-0001", Sender: "alice",
		Device: "phone-1", Type: "an:text", Flags: wire.FlagPersist | wire.FlagCount,
		Body: []byte(`{"content":"hello"}`), Digest: "hello",
	}
}

// samples has every frame at least once, and what the two encodings treat apart.
func samples() []sample {
	full := message()
	full.Ver, full.Na = 9, 3
	full.Mentions = &wire.Mentions{All: true, Users: []string{"bob", "用户7"}}
	full.ReplyTo, full.Thread, full.Expires, full.Push = 1000, 900, 1790000100000, "silent"
	full.To = []string{"bob"}
	full.Recalled, full.RecalledBy, full.Edited = true, "carol", 1790000050000
	full.Body = []byte("\x00\xff not JSON")
	return []sample{
		{"ping", &wire.Ping{}},
		{"ping_next", &wire.Ping{NextS: 270, Time: 1790000000123}},
		{"pong", &wire.Pong{}},
		{"pong_stuck", &wire.Pong{Health: 3}},
		{"pong_time", &wire.Pong{Time: 1790000000123, ServerTime: 1790000000456, Health: 1}},
		{"hello", &wire.Hello{
			Version: 1, Token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
			Device: &wire.Device{Id: "phone-1", Class: "phone", Os: "android 17", Sdk: "go/0.1"},
			NextS:  30, Network: "wifi:home", Caps: &wire.Caps{Zstd: true, Fragments: true},
		}},
		{"hello_resume", &wire.Hello{
			Version: 1, Token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", App: "default", Background: true,
			Device: &wire.Device{Id: "phone-1"}, Caps: &wire.Caps{Dictionary: 5, MaxFrame: 65536},
			Resume: &wire.Resume{Session: "4hfyq2m7zq3d5c6b7n2k3x4v5a", LastPush: 77},
		}},
		{"welcome", &wire.Welcome{
			Session: "4hfyq2m7zq3d5c6b7n2k3x4v5a", Epoch: "e1", ServerTime: 1790000000123, Node: "n1", Resumed: true,
			Heartbeat: &wire.Heartbeat{ForegroundMs: 30000, PongMs: 10000, SecondPongMs: 5000, GraceMs: 10000,
				BackgroundFloorMs: 30000, BackgroundStartMs: 210000, BackgroundStepMs: 60000,
				BackgroundMarginMs: 20000, BackgroundMaxMs: 590000},
			WindowEvents: 256, WindowBytes: 262144, SendCredit: 64, MaxFrame: 1048576,
			Limits: &wire.Limits{MaxBody: 131072, SendRate: 20, SendBurst: 40, SignalRate: 0.5, Outstanding: 64, MaxMentions: 100, MaxGroup: 100000},
			Nodes:  []string{"tcp://127.0.0.1:7301"}, User: "alice", Device: "phone-1",
			Features: []string{wire.FeatureZstd}, TokenExpires: 1790003600000,
		}},
		{"req_read", &wire.Req{Id: 7, Method: wire.MethodRead, Ack: &wire.Ack{Push: 12}}}, // body: see golden
		{"res_read", &wire.Res{Id: 7}}, // body: see golden
		{"res_error", &wire.Res{Id: 8, Code: wire.CodeLimited, Message: "too many requests", RetryMs: 1500}},
		{"send", &wire.Send{Id: "0199a1b2-0001", Conv: "u/bob", Type: "an:text", Body: []byte(`{"content":"hello"}`)}},
		{"send_full", &wire.Send{
			Id: "0199a1b2-0002", Conv: "g/devs", Type: "app:card", Flags: ptr(uint32(0)), Body: []byte("[1, 2 ]"),
			Options: &wire.SendOptions{Digest: "a \"card\"\n", Mentions: &wire.Mentions{Users: []string{"carol"}},
				ReplyTo: 1, Thread: 2, Expires: 1790000100000, Push: "none", To: []string{"carol", "dave"}},
			Skip: "0199a1b2-0000", Ack: &wire.Ack{Push: 12, Pulled: []*wire.Pulled{{Conv: "g/devs", Seq: 88}}},
		}},
		{"sendack", &wire.SendAck{Id: "0199a1b2-0001", Conv: "u/bob", Seq: 1042, Time: 1790000000123, N: 1040}},
		{"sendack_refused", &wire.SendAck{Id: "0199a1b2-0001", Conv: "u/bob", Code: wire.CodeBusy, Message: "busy", RetryMs: 200, Duplicate: true}},
		{"push_message", &wire.Push{Number: 13, Events: []*wire.Event{{Conv: "u/alice", Seq: 1042, Message: message()}}}},
		{"push_kinds", &wire.Push{Number: 20, Events: []*wire.Event{
			{Conv: "g/devs", Seq: 89, Hidden: true},
			{Conv: "g/devs", Ver: 4, Change: &wire.Change{Ver: 4, Seq: 88, Kind: "recall", By: "carol", Device: "d", Id: "x1", Time: 1790000000123, Message: full}},
			{Conv: "g/devs", Ver: 5},
			{Conv: "me", Ver: 2, Change: &wire.Change{Ver: 2, Kind: "block", Peer: "mallory"}},
			{Conv: "u/bob", State: &wire.State{
				Head:    &wire.Head{Seq: 1042, Ver: 3, Mver: 1, N: 1040, Na: 2, Time: 1790000000123, LastShown: 1042, Min: 1, Members: 2},
				Mine:    &wire.Mine{From: 1, Read: 1041, Unread: 1, UnreadAll: 1, Mentions: 1, Role: "member", Left: true, Mver: 1, Blocked: true},
				Peer:    &wire.Peer{Read: 1040, Delivered: 1042},
				Readers: []*wire.Reader{{User: "bob", Read: 1040}, {User: "carol"}},
			}},
			{Sync: true},
		}}},
		{"ack", &wire.Ack{Push: 13, Pulled: []*wire.Pulled{{Conv: "u/bob", Seq: 1042}}}},
		{"signal", &wire.Signal{Conv: "u/bob", Kind: "typing", Body: []byte(`{}`), TtlMs: 10000, Sender: "alice", Device: "phone-1"}},
		{"goaway", &wire.GoAway{Reason: wire.ReasonDrain, Code: wire.CodeDraining, Message: "the node is shutting down",
			Resumable: true, RetryAfterMs: 1200, Nodes: []string{"tcp://127.0.0.1:7301"}}},
		{"state", &wire.ClientState{Background: ptr(true), NextS: 270, Network: "cell:46000", NetworkKind: "cell", HoldSignals: ptr(false), Ack: &wire.Ack{Push: 13}}},
		{"cancel", &wire.Cancel{Id: 7}},
	}
}

// verbSamples are requests and answers with their embedded bodies.
func verbSamples() []sample {
	return []sample{
		{"ReadRequest", &wire.ReadRequest{Conv: "u/bob", Seq: 1042}},
		{"SyncResponse", &wire.SyncResponse{Epoch: "e1", Token: "t", More: true, Left: []string{"g/old"},
			Conversations: []*wire.Conversation{{Conv: "g/devs", Head: &wire.Head{Seq: 1042}, Mine: &wire.Mine{From: 1, Role: "owner"},
				Group: &wire.Group{Id: "devs", Name: "Developers 开发", Join: "open", History: "all", Members: 3, Owner: "alice"},
				Page:  &wire.Range{From: 1041, To: 1042, Messages: []*wire.Message{message()}}}}}},
		{"MentionsResponse", &wire.MentionsResponse{Seqs: []uint64{1, 300, 1<<64 - 1}}},
		{"EditRequest", &wire.EditRequest{Conv: "u/bob", Seq: 3, Id: "e", Body: []byte(`"text"`), Digest: "text", Mentions: &wire.Mentions{}}},
		{"GroupUpdateRequest", &wire.GroupUpdateRequest{Conv: "g/devs", Name: ptr("")}},
		{"GroupEvent", &wire.GroupEvent{Op: "add", By: "alice", Users: []string{"bob"}, Mver: 3}},
		{"Empty", &wire.Empty{}},
	}
}
