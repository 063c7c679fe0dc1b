package client

import (
	"fmt"
	"strings"

	"github.com/anser-im/anser/wire"
)

// digester is a body of ours that says in a language what stands for it.
type digester interface{ digest(locale string) string }

// maxDigest is how much of a digest stands in a list: characters.
const maxDigest = 500

// clip makes s one line of at most maxDigest characters.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	n := 0
	for i := range s {
		if n++; n > maxDigest {
			return s[:i] + "..."
		}
	}
	return s
}

// language is what we know of a locale: en or zh.
func language(locale string) string {
	if l := strings.ToLower(locale); l == "zh" || strings.HasPrefix(l, "zh-") || strings.HasPrefix(l, "zh_") {
		return "zh"
	}
	return "en"
}

// say picks the text of a language.
func say(locale, en, zh string) string {
	if language(locale) == "zh" {
		return zh
	}
	return en
}

// Line is one line that stands for the message in a list of conversations or a
// notification, in a language ("en", "zh-CN"; others as en). In this order:
//
//  1. one that burns after reading shows nothing of what it says;
//  2. one that was recalled says so;
//  3. what happened to a group is told in words;
//  4. the digest that came with the message, or that its type makes (Digester), at most
//     500 characters of it;
//  5. what its type is called (Title), else the type's name in brackets.
func (m *Message) Line(locale string) string {
	burns := m.Burn > 0
	v := m.Value()
	if b := baseOf(pointer(v)); b != nil && b.BurnDuration > 0 {
		burns = true
	}
	own, _ := v.(digester)
	switch {
	case m.Recalled && m.Silent:
		return ""
	case burns && !m.Recalled:
		return say(locale, "[Burn after reading]", "[阅后即焚]")
	case m.Recalled:
		return say(locale, "[Recalled]", "[消息已撤回]")
	case m.Type == TypeText, m.Type == TypeGroup && own != nil:
		return clip(m.lineOf(own, locale))
	}
	if d, ok := v.(Digester); ok {
		return clip(d.Digest())
	}
	if own != nil { // in the reader's language; the digest that came is in the sender's
		if d := clip(own.digest(locale)); d != "" {
			return d
		}
	}
	if m.Digest != "" {
		return clip(m.Digest)
	}
	if r := registered(m.Type); r != nil {
		for _, l := range []string{language(locale), "en"} {
			if t := r.titles[l]; t != "" {
				return "[" + t + "]"
			}
		}
	}
	return "[" + m.Type + "]"
}

func (m *Message) lineOf(own digester, locale string) string {
	if own == nil {
		return m.Text()
	}
	return own.digest(locale)
}

// Words are what the message is found by on the device: those of its Searchable, the
// texts of a body of ours, or else its digest. None if it is recalled or burns.
func (m *Message) Words() []string {
	if m.Recalled || m.Burn > 0 {
		return nil
	}
	v := m.Value()
	if s, ok := v.(Searchable); ok {
		return s.SearchableWords()
	}
	switch v.(type) {
	case *Undecoded, *Unknown:
		if m.Digest != "" {
			return []string{m.Digest}
		}
	}
	return nil
}

func label(name, caption string) string {
	return strings.Join(words(name, caption), " ")
}

func (b *TextBody) digest(string) string        { return b.Content }
func (b *TextBody) SearchableWords() []string   { return words(b.Content) }
func (b *StreamBody) digest(string) string      { return b.Text }
func (b *StreamBody) SearchableWords() []string { return words(b.Text) }
func (b *NoticeBody) digest(string) string      { return b.Content }
func (b *NoticeBody) SearchableWords() []string { return words(b.Content) }
func (b *CustomBody) digest(string) string      { return b.Text }
func (b *CustomBody) SearchableWords() []string { return words(b.Text) }

func (b *RichTextBody) digest(string) string      { return label(b.Title, b.Content) }
func (b *RichTextBody) SearchableWords() []string { return words(b.Title, b.Content) }

func (b *ImageBody) digest(l string) string    { return label(say(l, "[Image]", "[图片]"), b.Caption) }
func (b *ImageBody) SearchableWords() []string { return words(b.Caption) }
func (b *VoiceBody) digest(l string) string    { return say(l, "[Voice]", "[语音]") }
func (b *VoiceBody) SearchableWords() []string { return words(b.Transcript) }
func (b *VideoBody) digest(l string) string    { return label(say(l, "[Video]", "[视频]"), b.Caption) }
func (b *VideoBody) SearchableWords() []string { return words(b.Caption) }
func (b *FileBody) digest(l string) string     { return label(say(l, "[File]", "[文件]"), b.Name) }
func (b *FileBody) SearchableWords() []string  { return words(b.Name, b.Caption) }
func (b *LocationBody) digest(l string) string {
	return label(say(l, "[Location]", "[位置]"), b.Name)
}
func (b *LocationBody) SearchableWords() []string { return words(b.Name, b.Address) }

func (b *LiveLocationBody) digest(l string) string {
	if b.Stopped {
		return say(l, "[Live location ended]", "[实时位置已结束]")
	}
	return say(l, "[Live location]", "[实时位置]")
}

func (b *CardBody) digest(l string) string {
	return label(say(l, "[Contact card]", "[名片]"), b.Name)
}
func (b *CardBody) SearchableWords() []string { return words(b.Name) }
func (b *StickerBody) digest(l string) string { return label(say(l, "[Sticker]", "[表情]"), b.Name) }
func (b *LinkBody) digest(l string) string    { return label(say(l, "[Link]", "[链接]"), b.Title) }
func (b *LinkBody) SearchableWords() []string { return words(b.Title, b.Description, b.Content) }
func (b *MergedBody) digest(l string) string {
	return label(say(l, "[Chat history]", "[聊天记录]"), b.Title)
}
func (b *MergedBody) SearchableWords() []string { return append(words(b.Title), b.Digest...) }
func (b *PollBody) digest(l string) string      { return label(say(l, "[Poll]", "[投票]"), b.Question) }
func (b *PollBody) SearchableWords() []string   { return words(b.Question) }

// digest tells in words what happened to the group.
func (b *GroupBody) digest(l string) string {
	whom := strings.Join(b.Users, ", ")
	if whom == "" {
		whom = b.By
	}
	switch b.Op {
	case wire.GroupCreated:
		return fmt.Sprintf(say(l, "%s made the group %s", "%s 创建了群 %s"), b.By, b.Name)
	case wire.GroupAdded:
		return fmt.Sprintf(say(l, "%s added %s", "%s 邀请 %s 加入"), b.By, whom)
	case wire.GroupRemoved:
		return fmt.Sprintf(say(l, "%s removed %s", "%s 移除了 %s"), b.By, whom)
	case wire.GroupLeft:
		return fmt.Sprintf(say(l, "%s left", "%s 退出了群"), whom)
	case wire.GroupJoined:
		return fmt.Sprintf(say(l, "%s came in", "%s 加入了群"), whom)
	case wire.GroupRoleSet:
		return fmt.Sprintf(say(l, "%s made %s %s", "%s 将 %s 设为 %s"), b.By, whom, b.Role)
	case wire.GroupUpdated:
		return fmt.Sprintf(say(l, "%s changed the group's settings", "%s 修改了群设置"), b.By)
	case wire.GroupClosed:
		return fmt.Sprintf(say(l, "%s closed the group", "%s 解散了群"), b.By)
	case wire.GroupMuted:
		if b.Until == "" || b.Until == "0" {
			return fmt.Sprintf(say(l, "%s lets %s write again", "%s 解除了对 %s 的禁言"), b.By, whom)
		}
		return fmt.Sprintf(say(l, "%s muted %s", "%s 禁言了 %s"), b.By, whom)
	case wire.GroupNicked:
		return fmt.Sprintf(say(l, "%s is called %s here", "%s 的群昵称改为 %s"), whom, b.Nick)
	}
	return ""
}

// words leaves out what is empty.
func words(texts ...string) (out []string) {
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}
