package core

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/anser-im/anser/internal/im"
)

// options looks at what a message asks for besides, by where it goes: burning, what
// it answers, and roles that it names. A plain message has none of it. The lane's
// order is held.
//
// Errors: Unsupported; Invalid; those of resolveRoles.
func (l *lane) options(snd *Send) *im.Error {
	m := snd.Msg
	if m.Burn != 0 {
		if l.at.kind != im.Direct {
			return im.Errorf(im.Unsupported, "messages burn in direct conversations only")
		}
		if m.Flags == im.Status { // nothing is kept of it
			m.Burn = 0
		}
	}
	roles := snd.named != nil && len(snd.named.Roles) > 0
	if !roles && m.ReplyTo == 0 && m.Thread == 0 {
		return nil
	}
	if l.at.conv == 0 { // made since this lane last looked
		if err := l.learn(); err != nil {
			return err
		}
	}
	head, _ := l.s.c.st.Head(l.at.conv)
	if max(m.ReplyTo, m.Thread) > head.Seq {
		return im.Errorf(im.Invalid, "the message answers, or stands in the thread of, one that is not there yet")
	}
	if !roles {
		return nil
	}
	named, err := l.s.c.resolveRoles(snd.named, l.at.kind, &head, m.Sender)
	if err != nil {
		return im.AsError(err)
	}
	m.Mentions = named
	return nil
}

// Keys of a body that clients which come from RongCloud use for what are options here.
var (
	keyMentioned = []byte(`"mentionedInfo"`)
	keyBurn      = []byte(`"burnDuration"`)
)

// reserved takes mentions and burning from the body where the options give none and
// it has the keys for them. What is no such thing there is left alone: it may be the
// app's own.
func (s *Session) reserved(snd *Send) {
	m := snd.Msg
	mentions := m.Mentions == nil && bytes.Contains(m.Body, keyMentioned)
	burn := m.Burn == 0 && bytes.Contains(m.Body, keyBurn)
	if !mentions && !burn {
		return
	}
	var body struct {
		Mentioned struct {
			Type  int         `json:"type"` // 1 all, 2 users
			Users []im.UserID `json:"userIdList"`
		} `json:"mentionedInfo"`
		Burn uint32 `json:"burnDuration"` // seconds
	}
	if json.Unmarshal(m.Body, &body) != nil {
		return
	}
	if mentions {
		switch body.Mentioned.Type {
		case 1:
			m.Mentions = &im.Mentions{All: true}
		case 2:
			named := &im.Mentions{Users: body.Mentioned.Users}
			if checkMentions(named, s.c.cfg.Limits.MaxMentions) == nil && len(named.Users) > 0 {
				m.Mentions = named
			}
		}
	}
	if burn && strings.HasPrefix(string(snd.To), "u/") {
		m.Burn = body.Burn
	}
}
