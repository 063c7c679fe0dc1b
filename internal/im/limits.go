package im

import "time"

// MaxExpansionBytes is the most bytes of all keys and values that are added to one
// message: it has to fit into a frame, and is written anew with each reaction.
const MaxExpansionBytes = 64 << 10

// Limits are told to clients and named in errors. The zero value of a field means
// its default, which Defaults fills in; a negative number means no limit where that
// makes sense.
type Limits struct {
	MaxBody         int           // bytes of a message body; default 128 KiB
	MaxFrame        int           // bytes of a frame after login; default 1 MiB
	MaxGroup        int           // members of a group; default 100,000
	MaxDisplayName  int           // bytes of a name; default 128
	SendRate        float64       // sends a second per user; default 20; negative = no limit
	SendBurst       int           // sends that may come at once, above the rate; default 40
	SignalRate      float64       // signals a second per session; default 10
	Sessions        int           // live sessions per user; default 10
	SessionsByClass map[Class]int // live sessions per class (phone, tablet, desktop, web, bot, line), besides the limit of all; the newest replace the oldest
	Devices         int           // remembered devices per user; default 100
	MaxMentions     int           // users named in one message; default 100
	Outstanding     int           // unanswered REQ per session; default 64
	SendCredit      int           // unacknowledged sends per session; default 64
	Detached        int           // detached sessions of a node; default 100,000
	DetachedFor     time.Duration // how long a session may be resumed; default 5 min
	CommandsKept    time.Duration // how long commands stay; default 30 days
	RecallWindow    time.Duration // how long after it was sent a message may be recalled; 0 = unlimited
	EditWindow      time.Duration // how long after it was sent a message may be edited; 0 = unlimited
	ReeditWindow    time.Duration // how long a recalled text is given back to its sender; default 5 min; negative = never
	UndeleteWindow  time.Duration // how long what was deleted for all can be restored; default 30 days
	MaxReactions    int           // different signs on one message; default 50
	MaxExpansion    int           // keys added to one message; default 300
	MaxPins         int           // pinned messages of a conversation; default 100
	MaxTags         int           // tags of a conversation; default 20
	MaxNotes        int           // notes of a user (drafts, saved messages, lists ...); default 10,000
	MaxTimers       int           // scheduled sends and reminders of a user; default 1,000
	MaxWatched      int           // users whose presence a session watches; default 200
	MaxForward      int           // messages forwarded at once; default 100
}

// Defaults returns l with every zero field set to its default.
func (l Limits) Defaults() Limits {
	def(&l.MaxBody, 128<<10)
	def(&l.MaxFrame, 1<<20)
	def(&l.MaxGroup, 100_000)
	def(&l.MaxDisplayName, 128)
	def(&l.SendRate, 20)
	def(&l.SendBurst, 40)
	def(&l.SignalRate, 10)
	def(&l.Sessions, 10)
	def(&l.Devices, 100)
	def(&l.MaxMentions, 100)
	def(&l.Outstanding, 64)
	def(&l.SendCredit, 64)
	def(&l.Detached, 100_000)
	def(&l.DetachedFor, 5*time.Minute)
	def(&l.CommandsKept, 30*24*time.Hour)
	def(&l.ReeditWindow, 5*time.Minute)
	def(&l.UndeleteWindow, 30*24*time.Hour)
	def(&l.MaxReactions, 50)
	def(&l.MaxExpansion, 300)
	def(&l.MaxPins, 100)
	def(&l.MaxTags, 20)
	def(&l.MaxNotes, 10_000)
	def(&l.MaxTimers, 1000)
	def(&l.MaxWatched, 200)
	def(&l.MaxForward, 100)
	return l
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
