package client

import (
	"encoding/json"
	"time"
)

// Types of message that every Anser client knows. docs/MESSAGES.md tells their bodies
// field by field.
const (
	TypeText         = "an:text"
	TypeRichText     = "an:richtext"
	TypeImage        = "an:image"
	TypeVoice        = "an:voice"
	TypeVideo        = "an:video"
	TypeFile         = "an:file"
	TypeLocation     = "an:location"
	TypeLiveLocation = "an:location.live"
	TypeCard         = "an:card"
	TypeSticker      = "an:sticker"
	TypeLink         = "an:link"
	TypeMerged       = "an:merged"
	TypeStream       = "an:stream"
	TypeStreamPart   = "an:stream.part"
	TypePoll         = "an:poll"
	TypeNotice       = "an:notice"
	TypeCommand      = "an:command"
	TypeCustom       = "an:custom"
	TypeGroup        = "an:group"
)

func init() {
	register[TextBody](TypeText, Counted, true)
	register[RichTextBody](TypeRichText, Counted, true)
	register[ImageBody](TypeImage, Counted, true)
	register[VoiceBody](TypeVoice, Counted, true)
	register[VideoBody](TypeVideo, Counted, true)
	register[FileBody](TypeFile, Counted, true)
	register[LocationBody](TypeLocation, Counted, true)
	register[LiveLocationBody](TypeLiveLocation, Counted, true)
	register[CardBody](TypeCard, Counted, true)
	register[StickerBody](TypeSticker, Counted, true)
	register[LinkBody](TypeLink, Counted, true)
	register[MergedBody](TypeMerged, Counted, true)
	register[StreamBody](TypeStream, Counted, true)
	register[StreamPartBody](TypeStreamPart, Status, true)
	register[PollBody](TypePoll, Counted, true)
	register[NoticeBody](TypeNotice, Stored, true)
	register[CommandBody](TypeCommand, Command, true)
	register[CustomBody](TypeCustom, Counted, true)
	register[GroupBody](TypeGroup, Stored, true)
}

// TextBody is plain text.
type TextBody struct {
	Base
	Content string `json:"content"` // line ends are \n
}

// RichTextBody is text of which parts look or act otherwise.
type RichTextBody struct {
	Base
	Title   string `json:"title,omitempty"`
	Content string `json:"content"` // without styles
	Spans   []Span `json:"spans,omitempty"`
}

// Span is a part of a rich text. It begins behind Start characters (Unicode code points)
// and is Length characters long.
type Span struct {
	Start    int    `json:"start"`
	Length   int    `json:"length"`
	Style    string `json:"style"`              // bold, italic, underline, strike, code, pre, quote, heading, list, spoiler, link, mention
	URL      string `json:"url,omitempty"`      // of a link
	Mention  string `json:"mention,omitempty"`  // user id; whom to notify stands in Outgoing.Mentions
	Language string `json:"language,omitempty"` // of pre
}

// ImageBody is a picture.
type ImageBody struct {
	Base
	URL      string `json:"url"`
	Thumb    string `json:"content,omitempty"` // base64 of a small picture to show at once
	Name     string `json:"name,omitempty"`    // file name, without a path
	Size     int64  `json:"size,omitempty"`    // bytes
	Mime     string `json:"mime,omitempty"`    // image/jpeg
	Width    int    `json:"width,omitempty"`
	Height   int    `json:"height,omitempty"`
	BlurHash string `json:"blurhash,omitempty"`
	Original bool   `json:"original,omitempty"` // as it was, not made smaller
	Caption  string `json:"caption,omitempty"`
}

// VoiceBody is something spoken.
type VoiceBody struct {
	Base
	URL        string  `json:"url"`
	Duration   float64 `json:"duration"` // seconds
	Size       int64   `json:"size,omitempty"`
	Mime       string  `json:"mime,omitempty"`
	Waveform   []int   `json:"waveform,omitempty"` // 0-100, evenly over its length; at most 256
	Transcript string  `json:"transcript,omitempty"`
}

// VideoBody is a film.
type VideoBody struct {
	Base
	URL      string  `json:"url"`
	Thumb    string  `json:"content,omitempty"` // base64 of a small picture to show at once
	Poster   string  `json:"poster,omitempty"`  // where a larger one is
	Duration float64 `json:"duration,omitempty"`
	Name     string  `json:"name,omitempty"`
	Size     int64   `json:"size,omitempty"`
	Mime     string  `json:"mime,omitempty"`
	Width    int     `json:"width,omitempty"`
	Height   int     `json:"height,omitempty"`
	BlurHash string  `json:"blurhash,omitempty"`
	Caption  string  `json:"caption,omitempty"`
}

// FileBody is a file.
type FileBody struct {
	Base
	URL     string `json:"url"`
	Name    string `json:"name"`
	Size    int64  `json:"size,omitempty"`
	Mime    string `json:"mime,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // in hexadecimal
	Caption string `json:"caption,omitempty"`
}

// LocationBody is a place.
type LocationBody struct {
	Base
	Latitude  float64 `json:"latitude"`  // degrees north, WGS 84
	Longitude float64 `json:"longitude"` // degrees east
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
	Thumb     string  `json:"content,omitempty"` // base64 of a small picture of the map
	Zoom      float64 `json:"zoom,omitempty"`    // 0 the world, 20 a house
}

// LiveLocationBody is a place that moves: the message is edited as it does.
type LiveLocationBody struct {
	Base
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Accuracy  float64 `json:"accuracy,omitempty"` // metres
	Heading   float64 `json:"heading,omitempty"`  // degrees from north, clockwise
	Speed     float64 `json:"speed,omitempty"`    // metres a second
	Until     int64   `json:"until"`              // when sharing ends, Unix milliseconds
	Updated   int64   `json:"updated,omitempty"`  // when the sender was there, Unix milliseconds
	Stopped   bool    `json:"stopped,omitempty"`
}

// CardBody is the card of a user or a group.
type CardBody struct {
	Base
	Kind     string `json:"kind,omitempty"` // user, group; empty = user
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"`
	Portrait string `json:"portrait,omitempty"`
	Text     string `json:"text,omitempty"` // what the sender says of it
}

// StickerBody is a picture out of a set.
type StickerBody struct {
	Base
	URL    string `json:"url,omitempty"` // empty = every client has it by pack and id
	Pack   string `json:"pack,omitempty"`
	ID     string `json:"id,omitempty"`
	Name   string `json:"name,omitempty"`  // what it shows, in a word
	Emoji  string `json:"emoji,omitempty"` // the one that is nearest to it
	Mime   string `json:"mime,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

// LinkBody is a link with what is to be seen of it.
type LinkBody struct {
	Base
	URL         string `json:"url"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Image       string `json:"image,omitempty"` // where a picture of it is
	Site        string `json:"site,omitempty"`
	Content     string `json:"content,omitempty"` // what the sender wrote with it
}

// MergedBody is messages of one conversation, sent on together.
type MergedBody struct {
	Base
	Title    string          `json:"title,omitempty"`
	Digest   []string        `json:"digest,omitempty"` // the first lines, at most 5
	Messages []MergedMessage `json:"messages"`
}

// MergedMessage is one of them.
type MergedMessage struct {
	Sender string          `json:"sender"`
	Name   string          `json:"name,omitempty"`
	Time   int64           `json:"time"` // Unix milliseconds
	Type   string          `json:"type"`
	Body   json.RawMessage `json:"body,omitempty"`
	Digest string          `json:"digest,omitempty"`
}

// Value is the body in Go, as of a Message.
func (m *MergedMessage) Value() any { return decode(m.Type, m.Body) }

// StreamBody is what was sent in parts, once it is whole.
type StreamBody struct {
	Base
	Text        string `json:"text"` // Markdown, by custom
	Interrupted bool   `json:"interrupted,omitempty"`
}

// StreamPartBody is one part of it, for now only: see Client.OpenStream.
type StreamPartBody struct {
	Base
	Stream string `json:"stream"` // client id of the message at its end
	Index  int    `json:"index"`
	Text   string `json:"text"`
}

// PollBody is a poll. Votes are reactions: see Client.Vote and PollBody.Count.
type PollBody struct {
	Base
	Question  string       `json:"question"`
	Options   []PollOption `json:"options"`
	Multiple  bool         `json:"multiple,omitempty"`  // one may choose several
	Max       int          `json:"max,omitempty"`       // at most so many; 0 = all
	Anonymous bool         `json:"anonymous,omitempty"` // nobody is told who voted for what
	Closes    int64        `json:"closes,omitempty"`    // when voting ends, Unix milliseconds; 0 = when its sender closes it
}

// PollOption is one that can be chosen.
type PollOption struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// Count is how many votes an option has in m, the poll's message.
func (*PollBody) Count(m *Message, option string) int {
	for _, r := range m.Reactions {
		if r.Key == VotePrefix+option {
			return r.Count
		}
	}
	return 0
}

// Closed says whether m, the poll's message, takes no more votes at now.
func (b *PollBody) Closed(m *Message, now time.Time) bool {
	return m.Expansion["an.closed"] != "" || b.Closes > 0 && now.UnixMilli() >= b.Closes
}

// NoticeBody is a grey bar: something happened.
type NoticeBody struct {
	Base
	Content string `json:"content"`
}

// CommandBody is for programs: delivered, later too, and not shown.
type CommandBody struct {
	Base
	Name string          `json:"name"`
	Data json.RawMessage `json:"data,omitempty"`
}

// CustomBody is a type of the application's own in the clothes of ours: for those who do
// not register one.
type CustomBody struct {
	Base
	Name string          `json:"name"`
	Data json.RawMessage `json:"data,omitempty"`
	Text string          `json:"text,omitempty"` // what stands for it where it cannot be shown
}

// GroupBody tells what happened to a group. Only the server sends it.
type GroupBody struct {
	Base
	Op      string      `json:"op"`                // wire.GroupCreated ...
	By      string      `json:"by"`                // who did it
	Users   []string    `json:"users,omitempty"`   // to whom; none = to the one who did it
	Role    string      `json:"role,omitempty"`    // with role: the new one
	Name    string      `json:"name,omitempty"`    // with create and update
	Join    string      `json:"join,omitempty"`    // the same
	History string      `json:"history,omitempty"` // the same
	MVer    json.Number `json:"mver,omitempty"`    // number of the membership change
	Until   json.Number `json:"until,omitempty"`   // with mute: Unix milliseconds; 0 or empty = may send again
	Mute    bool        `json:"mute,omitempty"`    // with update: only owner and admins may send
	Nick    string      `json:"nick,omitempty"`    // with nick
}
