package wire

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Names of the verbs, in Req.method: those of the schema's RPCs.
const (
	MethodSend          = "Send"
	MethodSendBatch     = "SendBatch"
	MethodPage          = "Page"
	MethodMessages      = "Messages"
	MethodChanges       = "Changes"
	MethodRecall        = "Recall"
	MethodEdit          = "Edit"
	MethodEditHistory   = "EditHistory"
	MethodDelete        = "Delete"
	MethodUndelete      = "Undelete"
	MethodReact         = "React"
	MethodReactions     = "Reactions"
	MethodPin           = "Pin"
	MethodPins          = "Pins"
	MethodExpand        = "Expand"
	MethodReplies       = "Replies"
	MethodThreads       = "Threads"
	MethodThreadPage    = "ThreadPage"
	MethodThreadSet     = "ThreadSet"
	MethodForward       = "Forward"
	MethodVote          = "Vote"
	MethodPollClose     = "PollClose"
	MethodStreamOpen    = "StreamOpen"
	MethodStreamAppend  = "StreamAppend"
	MethodStreamEnd     = "StreamEnd"
	MethodStreamGet     = "StreamGet"
	MethodSchedule      = "Schedule"
	MethodScheduled     = "Scheduled"
	MethodUnschedule    = "Unschedule"
	MethodRemind        = "Remind"
	MethodReminders     = "Reminders"
	MethodUnremind      = "Unremind"
	MethodSave          = "Save"
	MethodUnsave        = "Unsave"
	MethodSaved         = "Saved"
	MethodReport        = "Report"
	MethodSync          = "Sync"
	MethodConversations = "Conversations"
	MethodConversation  = "Conversation"
	MethodSet           = "Set"
	MethodRead          = "Read"
	MethodUnread        = "Unread"
	MethodMentions      = "Mentions"
	MethodReadCounts    = "ReadCounts"
	MethodReadList      = "ReadList"
	MethodSetDraft      = "SetDraft"
	MethodDrafts        = "Drafts"
	MethodNotify        = "Notify"
	MethodSetNotify     = "SetNotify"
	MethodQuiet         = "Quiet"
	MethodSetQuiet      = "SetQuiet"
	MethodGroupCreate   = "GroupCreate"
	MethodGroupUpdate   = "GroupUpdate"
	MethodGroupMembers  = "GroupMembers"
	MethodGroupAdd      = "GroupAdd"
	MethodGroupRemove   = "GroupRemove"
	MethodGroupRole     = "GroupRole"
	MethodGroupMute     = "GroupMute"
	MethodGroupNick     = "GroupNick"
	MethodJoin          = "Join"
	MethodLeave         = "Leave"
	MethodSetProfile    = "SetProfile"
	MethodProfiles      = "Profiles"
	MethodBlock         = "Block"
	MethodUnblock       = "Unblock"
	MethodBlocks        = "Blocks"
	MethodSetAllowMode  = "SetAllowMode"
	MethodAllow         = "Allow"
	MethodDisallow      = "Disallow"
	MethodAllowed       = "Allowed"
	MethodSetPresence   = "SetPresence"
	MethodPresence      = "Presence"
	MethodWatch         = "Watch"
	MethodUnwatch       = "Unwatch"
	MethodDevices       = "Devices"
	MethodKick          = "Kick"
	MethodRenew         = "Renew"
	MethodTypes         = "Types"
	MethodType          = "Type"
	MethodTypePut       = "TypePut"
	MethodTypeRemove    = "TypeRemove"
	MethodReports       = "Reports"
	MethodReportSettle  = "ReportSettle"
)

// Verb is one request that a client can make with a Req, or over HTTP. Send, and
// SendBatch, are for HTTP: the native protocol has a frame for it.
type Verb struct {
	Name        string
	Service     string      // of the schema: MessageService
	NewRequest  func() Body // an empty request, for Req.body
	NewResponse func() Body // an empty response, for Res.body with code 0
}

// Procedure is the path of the verb over HTTP: /anser.v1.MessageService/Send.
func (v *Verb) Procedure() string { return "/anser.v1." + v.Service + "/" + v.Name }

var (
	verbs       []Verb
	verbsByName = map[string]*Verb{}
)

func init() {
	file_anser_proto_init() // its own init may come later than this one
	services := File_anser_proto.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			verbs = append(verbs, Verb{string(m.Name()), string(services.Get(i).Name()), maker(m.Input()), maker(m.Output())})
		}
	}
	for i := range verbs {
		verbsByName[verbs[i].Name] = &verbs[i]
	}
}

// maker makes messages of a kind.
func maker(d protoreflect.MessageDescriptor) func() Body {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(err) // the schema is in this package
	}
	return func() Body { return kind.New().Interface().(Body) }
}

// Verbs lists all verbs.
func Verbs() []Verb { return slices.Clone(verbs) }

// VerbOf finds a verb by Req.method; false if there is none of that name.
func VerbOf(method string) (Verb, bool) {
	v, ok := verbsByName[method]
	if !ok {
		return Verb{}, false
	}
	return *v, true
}
