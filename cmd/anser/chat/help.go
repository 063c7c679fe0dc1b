package chat

import "github.com/anser-im/anser/wire"

// topic is a part of what /help shows.
type topic struct {
	name     phrase
	commands []string // names, in order
}

var topics = []topic{
	{phrase{"Talking", "聊天"}, []string{"to", "list", "older", "around", "find", "unread", "mentions"}},
	{phrase{"With a message (its number stands before it)", "对某条消息（前面的数字即编号）"},
		[]string{"reply", "edit", "recall", "react", "unreact", "reactions", "pin", "unpin", "pins", "delete", "undelete", "history", "replies",
			"thread", "threads", "forward", "merge", "readby", "report"}},
	{phrase{"Polls", "投票"}, []string{"poll", "vote", "close"}},
	{phrase{"Later", "稍后"}, []string{"schedule", "unschedule", "remind", "save", "saved", "unsave", "burn", "draft"}},
	{phrase{"This conversation", "当前会话"}, []string{"pin-chat", "mute", "hide", "archive", "mark", "tag"}},
	{phrase{"Groups", "群"}, []string{"group", "add", "remove", "admin", "member", "owner", "nick", "silence", "join", "leave"}},
	{phrase{"People and devices", "用户与设备"}, []string{"who", "profile", "block", "unblock", "blocked", "devices", "kick"}},
	{phrase{"Besides", "其他"}, []string{"help"}},
}

var commands map[string]command

func init() { // apart from the declaration: what runs refers to the table
	commands = map[string]command{
		"to":       {"/to <who>", (*app).cmdTo, phrase{"talk to bob, to g/<group> or to a group by its name; alone: list conversations. u/bob/orders is a business conversation beside the plain one", "与 bob、g/<群号> 或某个群名聊天；单独输入则列出会话。u/bob/orders 是与 bob 的独立业务会话"}},
		"list":     {"/list", (*app).cmdList, phrase{"conversations, with what is unread; pinned ones first", "会话列表与未读数，置顶在前"}},
		"older":    {"/older [n]", (*app).cmdOlder, phrase{"older messages of this conversation", "查看更早的消息"}},
		"around":   {"/around <#>", (*app).cmdAround, phrase{"the messages around one, to jump there", "查看某条消息前后的内容"}},
		"find":     {"/find <words>", (*app).cmdFind, phrase{"search the newest messages on this device", "在本机最近的消息里搜索"}},
		"unread":   {"/unread", (*app).cmdUnread, phrase{"how much is unread, and where", "未读总数与所在会话"}},
		"mentions": {"/mentions", (*app).cmdMentions, phrase{"unread messages that name you; /around jumps to one", "提到我的未读消息；用 /around 跳转"}},

		"reply":     {"/reply <#> <text>", (*app).cmdReply, phrase{"answer a message, which is quoted: /reply 7 yes", "引用并回复：/reply 7 好的"}},
		"edit":      {"/edit <#> <text>", (*app).cmdEdit, phrase{"give a message of yours another text", "修改自己的消息"}},
		"recall":    {"/recall <#> [silently]", (*app).cmdRecall, phrase{"take a message of yours back; silently leaves no trace", "撤回自己的消息；加 silently 则不留痕迹"}},
		"react":     {"/react <#> <sign> …", (*app).cmdReact, phrase{"put signs on a message: /react 7 👍 🎉", "添加表情回应：/react 7 👍 🎉"}},
		"unreact":   {"/unreact <#> <sign> …", (*app).cmdUnreact, phrase{"take your signs away", "取消自己的表情回应"}},
		"reactions": {"/reactions <#>", (*app).cmdReactions, phrase{"who put which sign on it", "查看谁做了哪些回应"}},
		"pin":       {"/pin <#>", (*app).cmdPin, phrase{"pin a message for everybody here", "为所有人置顶一条消息"}},
		"unpin":     {"/unpin <#>", (*app).cmdUnpin, phrase{"take it down", "取消置顶"}},
		"pins":      {"/pins", (*app).cmdPins, phrase{"the pinned messages", "查看置顶消息"}},
		"delete":    {"/delete [all] <#>[-<#>] …", (*app).cmdDelete, phrase{"delete messages for yourself, on all your devices; all: for everybody. /delete 3 5-8", "删除消息（仅自己，所有设备同步）；加 all 为所有人删除。/delete 3 5-8"}},
		"undelete":  {"/undelete <#> …", (*app).cmdUndelete, phrase{"bring back what was deleted for everybody", "恢复为所有人删除的消息"}},
		"history":   {"/history <#>", (*app).cmdHistory, phrase{"what a message said before it was edited", "查看消息修改前的内容"}},
		"replies":   {"/replies <#>", (*app).cmdReplies, phrase{"the answers to a message", "查看对某条消息的回复"}},
		"thread":    {"/thread <#> [text]", (*app).cmdThread, phrase{"the thread that a message began; with a text: write into it", "查看由某条消息发起的话题；带文字则在其中发言"}},
		"threads":   {"/threads", (*app).cmdThreads, phrase{"the threads of this conversation, the liveliest first", "本会话的话题，最活跃的在前"}},
		"forward":   {"/forward <who> <#> …", (*app).cmdForward, phrase{"send messages on: /forward carol 3 5-8", "逐条转发：/forward carol 3 5-8"}},
		"merge":     {"/merge <who> <#> …", (*app).cmdMerge, phrase{"send them on as one record", "合并转发"}},
		"readby":    {"/readby <#>", (*app).cmdReadBy, phrase{"who of the group has read a message, and who has not", "查看群消息的已读与未读成员"}},
		"report":    {"/report <#> <reason> [text]", (*app).cmdReport, phrase{"tell those who run this of a message: spam, abuse …", "举报消息：spam、abuse 等"}},

		"poll":  {"/poll <question> | <a> | <b> …", (*app).cmdPoll, phrase{"ask something: /poll Lunch? | rice | noodles", "发起投票：/poll 吃什么？| 米饭 | 面条"}},
		"vote":  {"/vote <#> <n> …", (*app).cmdVote, phrase{"vote for the n-th option; none takes your vote back", "投给第 n 项；不写选项则收回"}},
		"close": {"/close <#>", (*app).cmdClose, phrase{"end a poll of yours", "结束自己发起的投票"}},

		"schedule":   {"/schedule [<when> <text>]", (*app).cmdSchedule, phrase{"send a message later: in 10m, at 18:30, on 2026-11-25T10:00; alone: what waits", "定时发送：10m 后、18:30、2026-11-25T10:00；单独输入查看待发"}},
		"unschedule": {"/unschedule <n>", (*app).cmdUnschedule, phrase{"take the n-th of those that wait away", "取消第 n 条待发消息"}},
		"remind":     {"/remind [<when> [#n] <text>]", (*app).cmdRemind, phrase{"be told later, on all your devices: /remind 2h #7 answer; alone: what waits", "稍后提醒（所有设备）：/remind 2h #7 回复他；单独输入查看"}},
		"save":       {"/save <#> [note]", (*app).cmdSave, phrase{"keep a message for later", "收藏消息"}},
		"saved":      {"/saved", (*app).cmdSaved, phrase{"what you keep", "查看收藏"}},
		"unsave":     {"/unsave <#>", (*app).cmdUnsave, phrase{"keep it no longer", "取消收藏"}},
		"burn":       {"/burn <how long> <text>", (*app).cmdBurn, phrase{"a message that goes away: so long after it was read; in a group, after it was sent. /burn 30s …", "阅后即焚：读后多久消失；在群里为发送后多久。/burn 30s …"}},
		"draft":      {"/draft [send|drop|<text>]", (*app).cmdDraft, phrase{"what you began to write here; it is kept by itself, and on your other devices", "本会话的草稿；自动保存并同步到其他设备"}},

		"pin-chat": {"/pin-chat [off]", (*app).cmdPinChat, phrase{"put this conversation at the top of the list", "置顶本会话"}},
		"mute":     {"/mute [off|all|mentions|me|at_all|none]", (*app).cmdMute, phrase{"what of it you want to be notified of; alone: nothing; off: as for all", "消息提醒：单独输入为免打扰；off 为跟随默认"}},
		"hide":     {"/hide [off]", (*app).cmdHide, phrase{"take it out of the list until something new comes", "从列表隐藏，直到有新消息"}},
		"archive":  {"/archive [off]", (*app).cmdArchive, phrase{"put it into the archive", "归档"}},
		"mark":     {"/mark [off]", (*app).cmdMark, phrase{"mark it unread", "标为未读"}},
		"tag":      {"/tag [name] …", (*app).cmdTag, phrase{"put it into folders; none: into none", "设置标签；不写则清除"}},

		"group":   {"/group <name> <who> …", (*app).cmdGroup, phrase{"make a group with these people", "建群"}},
		"add":     {"/add <who> …", (*app).cmdAdd, phrase{"bring people in", "邀请成员"}},
		"remove":  {"/remove <who> …", (*app).cmdRemove, phrase{"put people out", "移除成员"}},
		"admin":   {"/admin <who>", role(wire.RoleAdmin), phrase{"make somebody an admin", "设为管理员"}},
		"member":  {"/member <who>", role(wire.RoleMember), phrase{"make somebody a plain member", "设为普通成员"}},
		"owner":   {"/owner <who>", role(wire.RoleOwner), phrase{"hand the group over", "转让群主"}},
		"nick":    {"/nick [name]", (*app).cmdNick, phrase{"your name in this group", "我的群昵称"}},
		"silence": {"/silence <who|all> <how long|off>", (*app).cmdSilence, phrase{"let somebody, or all, not write for a while: /silence bob 1h", "禁言：/silence bob 1h；off 解除"}},
		"join":    {"/join g/<group>", (*app).cmdJoin, phrase{"enter an open group", "加入公开群"}},
		"leave":   {"/leave [g/<group>]", (*app).cmdLeave, phrase{"leave a group", "退出群"}},

		"who":     {"/who [who]", (*app).cmdWho, phrase{"who is in the group, with roles and who is here (●); of one user: whether he is here", "群成员、角色与在线状态（●）；或某人是否在线"}},
		"profile": {"/profile [who] · /profile name|status|<field> <text>", (*app).cmdProfile, phrase{"what somebody tells of himself; or set what you tell: /profile name Bob B.  (- removes)", "查看资料；或设置自己的：/profile name 张三（- 为清除）"}},
		"block":   {"/block <who>", (*app).cmdBlock, phrase{"hear nothing from somebody", "拉黑"}},
		"unblock": {"/unblock <who>", (*app).cmdUnblock, phrase{"end that", "取消拉黑"}},
		"blocked": {"/blocked", (*app).cmdBlocked, phrase{"whom you blocked", "查看黑名单"}},
		"devices": {"/devices", (*app).cmdDevices, phrase{"where you are signed in", "我的设备"}},
		"kick":    {"/kick <device>", (*app).cmdKick, phrase{"sign one of them out", "使设备下线"}},
		"help":    {"/help [command]", (*app).cmdHelp, phrase{"this, or more of one command", "本帮助，或某个命令的说明"}},
	}
}

// help is what /help shows: the commands by what they are about.
func (a *app) help() []string {
	lines := []string{a.lang.say(phrase{
		"What you type is sent. Commands begin with a slash; /help react says more of one. @bob mentions bob, Tab completes.",
		"直接输入即可发送。命令以斜杠开头；/help react 查看某个命令。@bob 提到 bob，Tab 补全。"})}
	for _, t := range topics {
		lines = append(lines, a.p.bold(a.lang.say(t.name)))
		line := " "
		for _, name := range t.commands {
			if word := " /" + name; cellWidth(line+word) > 76 {
				lines, line = append(lines, line), " "+word
			} else {
				line += word
			}
		}
		lines = append(lines, line)
	}
	return append(lines, a.p.dim(a.lang.say(phrase{"/quit or Ctrl-D ends it.", "/quit 或 Ctrl-D 退出。"})))
}
