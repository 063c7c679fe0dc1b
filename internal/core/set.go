package core

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

const maxTag = 40 // bytes of a tag

// Set alters what a conversation is to this user alone: pinned, hidden, archived,
// marked unread, tagged, named, and what of it he is notified of. Any Pinned but 0
// pins now (one that is pinned stays where it is), any Hidden but 0 hides up to the
// newest message there is: the next shown one brings it back. The user's other devices
// are told at once; those that are away with Sync.
//
// Errors: those of resolve; Invalid for me; Invalid or TooLarge for tags, the remark or
// the level; Limited; those of the store.
func (s *Session) Set(ctx context.Context, conv im.Address, p im.SettingsPatch) (im.Mine, error) {
	if err := s.c.checkSettings(&p); err != nil {
		return im.Mine{}, err
	}
	ref, err := s.resolve(conv)
	if err != nil {
		return im.Mine{}, err
	}
	if ref.kind == im.Self {
		return im.Mine{}, im.Errorf(im.Invalid, "me is no conversation: it has no settings")
	}
	if p == (im.SettingsPatch{}) {
		return s.c.mineOf(&ref.head, &ref.row)
	}
	if err := s.charge(); err != nil {
		return im.Mine{}, err
	}
	if p.Pinned != nil && *p.Pinned != 0 {
		now := s.c.Now().UnixMilli()
		if ref.row.Settings.Pinned != 0 {
			now = ref.row.Settings.Pinned
		}
		p.Pinned = &now
	}
	if p.Hidden != nil && *p.Hidden != 0 {
		upTo := max(ref.head.Seq, 1)
		p.Hidden = &upTo
	}
	op := &store.SetOp{Conv: ref.conv, User: s.user, Patch: &p}
	op.Done = func() {
		if op.Err == nil && op.Moved {
			s.c.mineMoved(s.user, ref.conv, s)
		}
	}
	if err := s.c.do(ctx, op); err != nil {
		if im.IsKind(err, im.NotFound) {
			err = errNoConv() // he left meanwhile
		}
		return im.Mine{}, err
	}
	head, ok := s.c.st.Head(ref.conv)
	if !ok {
		return im.Mine{}, errNoConv()
	}
	row := op.Row
	return s.c.mineOf(&head, &row)
}

// checkSettings refuses what no settings can be, and puts tags in order. What it
// alters is p's own.
func (c *Core) checkSettings(p *im.SettingsPatch) error {
	limits := &c.cfg.Limits
	if p.Level != nil && *p.Level > im.NotifyNone {
		return im.Errorf(im.Invalid, "the notify level is none of all, mentions, me, at_all, none (or empty: as inherited)")
	}
	if p.Remark != nil {
		if most := limits.MaxDisplayName; most > 0 && len(*p.Remark) > most {
			return im.Errorf(im.TooLarge, "the remark is %d bytes long; at most %d are allowed", len(*p.Remark), most)
		}
		if err := checkLine("remark", *p.Remark); err != nil {
			return err
		}
	}
	if p.Tags == nil {
		return nil
	}
	tags := slices.Clone(*p.Tags)
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if most := limits.MaxTags; most > 0 && len(tags) > most {
		return im.Errorf(im.TooLarge, "the conversation would have %d tags; at most %d are allowed", len(tags), most)
	}
	for _, t := range tags {
		switch {
		case t == "":
			return im.Errorf(im.Invalid, "a tag is empty")
		case len(t) > maxTag:
			return im.Errorf(im.TooLarge, "a tag is %d bytes long; at most %d are allowed", len(t), maxTag)
		case !utf8.ValidString(t) || strings.ContainsFunc(t, unicode.IsControl):
			return im.Errorf(im.Invalid, "a tag is not valid UTF-8, or holds a control character")
		}
	}
	p.Tags = &tags
	return nil
}
