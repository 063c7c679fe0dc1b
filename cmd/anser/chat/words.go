package chat

import (
	"fmt"

	"github.com/anser-im/anser/client"
)

// lang is a language that chat speaks.
type lang int

const (
	english lang = iota
	chinese
)

// phrase is one text in every language.
type phrase [2]string

func (l lang) say(p phrase, args ...any) string { return fmt.Sprintf(p[l], args...) }

var (
	sayWelcome   = phrase{"Signed in as %s. /help says what you can do.", "已登录为 %s。输入 /help 查看用法。"}
	sayTalking   = phrase{"Talking to %s. What you type goes there.", "正在与 %s 聊天，直接输入即可发送。"}
	sayNobody    = phrase{"Nobody to talk to yet: /to bob, or /to g/<group>.", "还没有聊天对象：/to bob，或 /to g/<群号>。"}
	sayYou       = phrase{"you", "我"}
	sayRecalled  = phrase{"(recalled)", "（已撤回）"}
	sayRecalls   = phrase{"%s recalled #%d", "%s 撤回了 #%d"}
	sayEdits     = phrase{"#%d now says: %s", "#%d 已改为：%s"}
	sayRead      = phrase{"%s has read it", "%s 已读"}
	sayFormer    = phrase{"it said: %s", "原文：%s"}
	sayDeleted   = phrase{"#%d was deleted", "#%d 已删除"}
	sayDeletes   = phrase{"%d deleted", "已删除 %d 条"}
	sayExpired   = phrase{"the time of #%d is over", "#%d 已到期"}
	sayPins      = phrase{"📌 %s pinned %s", "📌 %s 置顶了 %s"}
	sayUnpins    = phrase{"%s took down %s", "%s 取消置顶 %s"}
	sayFrom      = phrase{"(from %s)", "（转自 %s）"}
	sayThread    = phrase{"%d in the thread", "话题内 %d 条"}
	sayClosed    = phrase{"(closed)", "（已结束）"}
	sayNoPoll    = phrase{"#%d is no poll", "#%d 不是投票"}
	sayNone      = phrase{"none", "没有"}
	sayDraft     = phrase{"✎ begun: %s  (/draft send sends it)", "✎ 草稿：%s（/draft send 发送）"}
	sayScheduled = phrase{"at %s to %s: %s", "将于 %s 发给 %s：%s"}
	sayRemindAt  = phrase{"you will be told at %s", "将于 %s 提醒"}
	sayUnreadIn  = phrase{"%d unread in %d conversations", "%[2]d 个会话中共 %[1]d 条未读"}
	sayLastSeen  = phrase{"last here %s", "最后在线 %s"}
	sayRecording = phrase{"%s is recording…", "%s 正在录音…"}
	sayTyping    = phrase{"%s is typing…", "%s 正在输入…"}
	sayNotSent   = phrase{"not sent: %q: %s", "未发送：%q：%s"}
	sayWaiting   = phrase{"kept, and sent as soon as there is a connection", "已保存，连上后自动发送"}
	sayNotYet    = phrase{"not connected yet; what you write is kept and sent later. /help says what you can do.", "尚未连接；所写内容会保存并稍后发送。输入 /help 查看用法。"}
	sayTwice     = phrase{"%s chats on the device %q already: end that, or say --device with another name", "%s 已在设备 %q 上聊天：请先退出，或用 --device 指定另一个名字"}
	sayLeft      = phrase{"you are no longer in %s", "你已不在 %s 中"}
	sayOffline   = phrase{"not connected (%s); trying again by itself", "连接已断开（%s），正在自动重连"}
	sayOnline    = phrase{"connected to %s", "已连接到 %s"}
	sayStuck     = phrase{"the server takes no messages just now", "服务器暂时无法接收消息"}
	sayUnread    = phrase{"%d unread", "%d 条未读"}
	sayNoConvs   = phrase{"no conversations yet", "还没有会话"}
	sayNoOlder   = phrase{"nothing older", "没有更早的消息"}
	sayMembers   = phrase{"%d in %s: %s", "%[2]s 共 %[1]d 人：%[3]s"}
	sayMore      = phrase{" and more", "，等"}
	sayMade      = phrase{"made %s (%s)", "已创建 %s（%s）"}
	sayRefused   = phrase{"not added, because they blocked you: %s", "未能添加（对方已将你拉黑）：%s"}
	sayDone      = phrase{"done", "完成"}
	sayUsage     = phrase{"type %s", "用法：%s"}
	sayUnknown   = phrase{"there is no command %s; /help lists them (to send a line that begins with a slash, begin it with two)", "没有命令 %s；输入 /help 查看（要发送以斜杠开头的内容，请输入两个斜杠）"}
	sayBlocked   = phrase{"blocked: %s", "已拉黑：%s"}
	sayNoBlocked = phrase{"nobody is blocked", "没有拉黑任何人"}
	sayPassword  = phrase{"Password of %s: ", "%s 的密码："}
	sayQueued    = phrase{"%d messages wait to be sent; they are kept and go out next time", "还有 %d 条消息未发送，已保存，下次自动发送"}
	sayReset     = phrase{"the server's data was restored: everything is read anew", "服务器数据已恢复，正在重新读取"}
)

// chineseErrors tells refusals by their number.
var chineseErrors = map[uint32]string{
	1006: "同一设备已在别处登录", 1007: "已被下线", 1008: "服务器正在关闭",
	2000: "身份验证失败", 2001: "令牌已过期", 2002: "令牌已被吊销", 2003: "令牌只能用于另一台设备", 2004: "令牌不能用于此入口",
	3000: "请求有误", 3001: "内容过大", 3002: "内容不符合该类型的格式", 3003: "未注册的消息类型", 3004: "没有这个会话，或你不在其中", 3009: "冲突：已存在或已被占用", 3010: "服务器不支持",
	4000: "没有权限", 4001: "对方不接收你的消息", 4002: "你已被禁言", 4003: "你的角色无权这样做", 4004: "对方只接收名单内用户的消息", 4005: "已超过允许的时间",
	5000: "操作太快，请稍候", 5001: "服务器繁忙，请稍后再试", 6000: "结果未知，正在重试", 6002: "服务器磁盘已满，暂不能写入", 6009: "服务器出错",
}

// tell says what err is in l.
func (l lang) tell(err error) string {
	var e *client.Error
	if asError(err, &e) {
		if l == chinese {
			if text := chineseErrors[e.Code]; text != "" {
				return fmt.Sprintf("%s (%d)", text, e.Code)
			}
		}
		return fmt.Sprintf("%s (%d)", clean(e.Message), e.Code)
	}
	return clean(err.Error())
}
