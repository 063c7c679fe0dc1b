package wire

import "slices"

// Names of the verbs, in Req.method.
const (
	MethodSync         = "Sync"
	MethodPage         = "Page"
	MethodChanges      = "Changes"
	MethodRead         = "Read"
	MethodRecall       = "Recall"
	MethodEdit         = "Edit"
	MethodConversation = "Conversation"
	MethodMentions     = "Mentions"
	MethodGroupCreate  = "GroupCreate"
	MethodGroupMembers = "GroupMembers"
	MethodGroupAdd     = "GroupAdd"
	MethodGroupRemove  = "GroupRemove"
	MethodGroupRole    = "GroupRole"
	MethodGroupUpdate  = "GroupUpdate"
	MethodJoin         = "Join"
	MethodLeave        = "Leave"
	MethodBlock        = "Block"
	MethodUnblock      = "Unblock"
	MethodBlocks       = "Blocks"
	MethodDevices      = "Devices"
	MethodKick         = "Kick"
	MethodRenew        = "Renew"
)

// Verb is one request that a client can make with a Req.
type Verb struct {
	Name        string
	NewRequest  func() Body // an empty request, for Req.body
	NewResponse func() Body // an empty response, for Res.body with code 0
}

func body[T any, P interface {
	*T
	Body
}]() Body {
	return P(new(T))
}

var verbs = []Verb{
	{MethodSync, body[SyncRequest], body[SyncResponse]},
	{MethodPage, body[PageRequest], body[PageResponse]},
	{MethodChanges, body[ChangesRequest], body[ChangesResponse]},
	{MethodRead, body[ReadRequest], body[ReadResponse]},
	{MethodRecall, body[RecallRequest], body[ChangeResponse]},
	{MethodEdit, body[EditRequest], body[ChangeResponse]},
	{MethodConversation, body[ConversationRequest], body[ConversationResponse]},
	{MethodMentions, body[MentionsRequest], body[MentionsResponse]},
	{MethodGroupCreate, body[GroupCreateRequest], body[GroupResponse]},
	{MethodGroupMembers, body[GroupMembersRequest], body[GroupMembersResponse]},
	{MethodGroupAdd, body[GroupAddRequest], body[GroupChangeResponse]},
	{MethodGroupRemove, body[GroupRemoveRequest], body[GroupChangeResponse]},
	{MethodGroupRole, body[GroupRoleRequest], body[GroupChangeResponse]},
	{MethodGroupUpdate, body[GroupUpdateRequest], body[GroupResponse]},
	{MethodJoin, body[JoinRequest], body[GroupChangeResponse]},
	{MethodLeave, body[LeaveRequest], body[GroupChangeResponse]},
	{MethodBlock, body[BlockRequest], body[Empty]},
	{MethodUnblock, body[UnblockRequest], body[Empty]},
	{MethodBlocks, body[BlocksRequest], body[BlocksResponse]},
	{MethodDevices, body[DevicesRequest], body[DevicesResponse]},
	{MethodKick, body[KickRequest], body[Empty]},
	{MethodRenew, body[RenewRequest], body[RenewResponse]},
}

var verbsByName = func() map[string]*Verb {
	m := make(map[string]*Verb, len(verbs))
	for i := range verbs {
		m[verbs[i].Name] = &verbs[i]
	}
	return m
}()

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
