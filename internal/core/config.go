package core

import (
	"log/slog"
	"time"

	"github.com/anser-im/anser/internal/im"
)

// Config says how a Core behaves. The zero value works.
type Config struct {
	Limits       im.Limits        // zero fields have their defaults
	Node         string           // this node's name, told to clients; "" = "anser"
	UsersKnown   bool             // refuse messages to users that never signed in (NotFound); default: keep them
	NoGroups     bool             // users may not make groups; default: they may
	BlockedSends bool             // a blocked user's direct sends are accepted and shown to him alone; default: refused
	MembersPin   bool             // any member of a group may pin messages; default: its owner and admins
	OutboxBytes  int64            // all outboxes together; 0 = 256 MiB
	SweepEvery   time.Duration    // how often what is past its time is removed; 0 = 10 min; negative = never
	TokenKey     []byte           // authenticates Sync tokens, so that one from above the store's position proves that its files were put back; keep it with them; nil = random, and a restart makes clients sync anew
	Types        Types            // the registry of message types; nil = none is registered and all pass, with im.DefaultFlags
	Waker        Waker            // nil = nobody is woken
	Clock        func() time.Time // nil = time.Now
	Log          *slog.Logger     // nil = nothing is logged

	NotifyDefault im.Level // what users are notified of who have set nothing; 0 = all
}

// Waker is all core asks of push.
type Waker interface {
	// Wake says that to has something new and no device online. It must not block.
	Wake(to im.UserID, conv im.ConvID, m *im.Message)
}

// Health is how this node does, as told in every heartbeat's answer.
type Health uint8

// The states of health, from good to bad.
const (
	HealthOK       Health = iota
	HealthSlow            // takes sends, but slowly
	HealthDraining        // is about to end
	HealthStuck           // takes no sends now
)
