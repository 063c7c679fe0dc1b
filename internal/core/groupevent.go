package core

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// GroupType is the type of the message that says what changed in a group. Only core
// sends it, and nobody edits or recalls it.
const GroupType = "an:group"

// maxSaid is the largest group in which a change is a message; in larger ones only
// the membership log has it.
const maxSaid = 1000

// groupEvent is the body of such a message, in the names of GroupEvent in
// wire/anser.proto. Numbers of 64 bits are strings in JSON.
type groupEvent struct {
	Op      string      `json:"op"` // create, add, remove, leave, join, role, update, mute, nick
	By      im.UserID   `json:"by"`
	Users   []im.UserID `json:"users,omitempty"`
	Role    string      `json:"role,omitempty"`
	Name    string      `json:"name,omitempty"`
	Join    string      `json:"join,omitempty"`
	History string      `json:"history,omitempty"`
	MVer    string      `json:"mver"`
	Until   string      `json:"until,omitempty"` // mute
	Mute    *bool       `json:"mute,omitempty"`  // update
	Nick    *string     `json:"nick,omitempty"`  // nick
}

// say gives op the message that says what it does, by s's user, if a group of this
// size after it is told so. op's Guard is set: MVer will be the next.
func (s *Session) say(op *store.MemberOp, ev groupEvent, members int) {
	if members > maxSaid || members == 0 {
		return
	}
	ev.By, ev.MVer = s.user, strconv.FormatUint(uint64(op.Guard)+1, 10)
	body, err := json.Marshal(ev)
	if err != nil {
		panic(err) // of strings alone
	}
	op.Msg = &im.Message{Sender: s.user, Device: s.device, Type: GroupType, Flags: im.Persist, Body: body, Digest: ev.digest()}
}

// digest says it in English, for where the type cannot be shown.
func (ev *groupEvent) digest() string {
	switch ev.Op {
	case "create":
		return fmt.Sprintf("%s made the group %s", ev.By, quoted(ev.Name))
	case "add":
		return fmt.Sprintf("%s added %s", ev.By, listed(ev.Users))
	case "remove":
		return fmt.Sprintf("%s removed %s", ev.By, listed(ev.Users))
	case "leave":
		return fmt.Sprintf("%s left", ev.By)
	case "join":
		return fmt.Sprintf("%s joined", ev.By)
	case "role":
		if ev.Role == im.Owner.String() {
			return fmt.Sprintf("%s handed the group over to %s", ev.By, listed(ev.Users))
		}
		return fmt.Sprintf("%s made %s %s", ev.By, listed(ev.Users), ev.Role)
	case "mute":
		until, _ := strconv.ParseInt(ev.Until, 10, 64)
		if until == 0 {
			return fmt.Sprintf("%s lets %s speak again", ev.By, listed(ev.Users))
		}
		return fmt.Sprintf("%s muted %s until %s", ev.By, listed(ev.Users), timeText(until))
	case "nick":
		return ev.nickDigest()
	}
	if ev.Mute != nil {
		if *ev.Mute {
			return fmt.Sprintf("%s muted the group: only the owner and admins may send", ev.By)
		}
		return fmt.Sprintf("%s lets the group speak again", ev.By)
	}
	if ev.Name != "" {
		return fmt.Sprintf("%s named the group %s", ev.By, quoted(ev.Name))
	}
	return fmt.Sprintf("%s changed the group's settings", ev.By)
}

func (ev *groupEvent) nickDigest() string {
	whom := "themselves"
	if len(ev.Users) > 0 {
		whom = listed(ev.Users)
	}
	if *ev.Nick == "" {
		return fmt.Sprintf("%s took the name in the group from %s", ev.By, whom)
	}
	return fmt.Sprintf("%s named %s %s", ev.By, whom, quoted(*ev.Nick))
}

// untilText is a time in an event.
func untilText(millis int64) string { return strconv.FormatInt(millis, 10) }

func quoted(name string) string {
	if name == "" {
		return "without a name"
	}
	return "“" + name + "”"
}

// listed names up to five users.
func listed(users []im.UserID) string {
	const most = 5
	var b strings.Builder
	for i, u := range users {
		switch {
		case i == most:
			fmt.Fprintf(&b, " and %d more", len(users)-most)
			return b.String()
		case i > 0 && i == len(users)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(u))
	}
	return b.String()
}

// The names of modes, as in the protocol.
func joinName(m im.JoinMode) string {
	if m == im.JoinOpen {
		return "open"
	}
	return "invite"
}

func historyName(m im.HistoryMode) string {
	if m == im.HistoryAll {
		return "all"
	}
	return "joined"
}
