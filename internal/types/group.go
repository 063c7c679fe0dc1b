package types

import (
	"fmt"
	"strings"
)

// groupNotice says what an an:group message does, in English or Chinese; "" if it is of
// a kind that is not known here: then its own digest stands.
func groupNotice(body any, chinese bool) string {
	m, _ := body.(map[string]any)
	field := func(name string) string { return show(m[name]) }
	by, name, role := field("by"), field("name"), field("role")
	users, _ := m["users"].([]any)
	var who []string
	for _, u := range users {
		who = append(who, show(u))
	}
	whom := listed(who, chinese)
	say := func(en, zh string, args ...any) string {
		if chinese {
			return fmt.Sprintf(zh, args...)
		}
		return fmt.Sprintf(en, args...)
	}
	switch op := field("op"); {
	case by == "":
		return ""
	case op == "create" && name == "":
		return say("%s made the group without a name", "%s 创建了群聊", by)
	case op == "create":
		return say("%s made the group “%s”", "%s 创建了群聊“%s”", by, name)
	case op == "add":
		return say("%s added %s", "%s 邀请 %s 加入了群聊", by, whom)
	case op == "remove":
		return say("%s removed %s", "%s 将 %s 移出了群聊", by, whom)
	case op == "leave":
		return say("%s left", "%s 退出了群聊", by)
	case op == "join":
		return say("%s joined", "%s 加入了群聊", by)
	case op == "close":
		return say("%s closed the group", "%s 解散了群聊", by)
	case op == "role" && role == "owner":
		return say("%s handed the group over to %s", "%s 将群主转让给了 %s", by, whom)
	case op == "role" && role == "admin":
		return say("%s made %s admin", "%s 将 %s 设为管理员", by, whom)
	case op == "role":
		return say("%s made %s member", "%s 将 %s 设为普通成员", by, whom)
	case op == "mute" && show(m["until"]) != "" && show(m["until"]) != "0":
		return say("%s muted %s", "%s 将 %s 禁言", by, whom)
	case op == "mute":
		return say("%s let %s speak again", "%s 解除了 %s 的禁言", by, whom)
	case op == "update" && name != "":
		return say("%s named the group “%s”", "%s 将群名改为“%s”", by, name)
	case op == "update" && show(m["mute"]) == "true":
		return say("%s let only admins speak", "%s 开启了全员禁言", by)
	case op == "update":
		return say("%s changed the group's settings", "%s 修改了群设置", by)
	}
	return ""
}

// listed names up to five users.
func listed(users []string, chinese bool) string {
	const most = 5
	last, and, more := " and ", ", ", " and %d more"
	if chinese {
		last, and, more = "、", "、", " 等另外 %d 人"
	}
	var b strings.Builder
	for i, u := range users {
		switch {
		case i == most:
			fmt.Fprintf(&b, more, len(users)-most)
			return b.String()
		case i > 0 && i == len(users)-1:
			b.WriteString(last)
		case i > 0:
			b.WriteString(and)
		}
		b.WriteString(u)
	}
	return b.String()
}
