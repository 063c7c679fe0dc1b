package rpc

import (
	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/wire"
)

// Words of the schema for core's small numbers.
var (
	joinNames    = map[im.JoinMode]string{im.JoinInvite: wire.JoinInvite, im.JoinOpen: wire.JoinOpen}
	historyNames = map[im.HistoryMode]string{im.HistoryJoined: wire.HistoryJoined, im.HistoryAll: wire.HistoryAll}
	kindNames    = map[im.ConvKind]string{im.Direct: wire.KindDirect, im.Group: wire.KindGroup, im.Room: "room", im.Channel: "channel", im.System: "system"}
	changeKinds  = map[im.ChangeKind]string{
		im.Edit:         wire.ChangeEdit,
		im.Recall:       wire.ChangeRecall,
		im.BlockAdded:   wire.ChangeBlock,
		im.BlockRemoved: wire.ChangeUnblock,
		im.React:        wire.ChangeReact,
		im.Expand:       wire.ChangeExpand,
		im.Pinned:       wire.ChangePin,
		im.Delete:       wire.ChangeDelete,
		im.Restore:      wire.ChangeRestore,
		im.Burn:         wire.ChangeBurn,
		im.Noted:        wire.ChangeNote,
	}
)

// joinMode reads a mode; nil if none was given.
func joinMode(s string) (*im.JoinMode, error) {
	return wordOf(joinNames, s, "join is %q: write open or invite")
}

// historyMode reads a mode; nil if none was given.
func historyMode(s string) (*im.HistoryMode, error) {
	return wordOf(historyNames, s, "history is %q: write joined or all")
}

func wordOf[M comparable](names map[M]string, s, complain string) (*M, error) {
	if s == "" {
		return nil, nil
	}
	for m, n := range names {
		if n == s {
			return &m, nil
		}
	}
	return nil, im.Errorf(im.Invalid, complain, s[:min(len(s), 32)])
}

// kinds reads kinds of conversation.
func kinds(list []string) ([]im.ConvKind, error) {
	var out []im.ConvKind
	for _, s := range list {
		k, err := wordOf(kindNames, s, "a kind of conversation is %q: write direct or group")
		if err != nil {
			return nil, err
		}
		if k == nil {
			return nil, im.Errorf(im.Invalid, "a kind of conversation is empty: write direct or group")
		}
		out = append(out, *k)
	}
	return out, nil
}

// level reads a level that may be absent.
func level(s *string) (*im.Level, error) {
	if s == nil {
		return nil, nil
	}
	l, err := im.ParseLevel(*s)
	return &l, err
}

// Roles reads the roles of a mention.
func Roles(names []string) ([]im.Role, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if len(names) > 3 {
		return nil, im.Errorf(im.Invalid, "a message names %d roles; there are owner, admin and member", len(names))
	}
	out := make([]im.Role, len(names))
	for i, n := range names {
		r, err := im.ParseRole(n)
		if err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}

func mentions(w *wire.Mentions) (*im.Mentions, error) {
	if w == nil {
		return nil, nil
	}
	roles, err := Roles(w.Roles)
	if err != nil {
		return nil, err
	}
	return &im.Mentions{All: w.All, Users: listOf[im.UserID](w.Users), Roles: roles}, nil
}

// listOf is a list of strings as one of ids; nil if it is empty.
func listOf[To, From ~string](list []From) []To {
	if len(list) == 0 {
		return nil
	}
	out := make([]To, len(list))
	for i, s := range list {
		out[i] = To(s)
	}
	return out
}

// numbers is a list of numbers as one of another kind; nil if it is empty.
func numbers[To, From ~uint64](list []From) []To {
	if len(list) == 0 {
		return nil
	}
	out := make([]To, len(list))
	for i, n := range list {
		out[i] = To(n)
	}
	return out
}

func pairs(list []*wire.Pair) []im.Pair {
	if len(list) == 0 {
		return nil
	}
	out := make([]im.Pair, len(list))
	for i, p := range list {
		out[i] = im.Pair{Key: p.GetKey(), Value: p.GetValue()}
	}
	return out
}

// count is a limit as core takes it.
func count(n uint32) int { return int(min(n, 1<<20)) }

// size is a count as the wire tells it.
func size(n int) uint32 { return uint32(max(n, 0)) }
