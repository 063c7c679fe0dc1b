package server

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Chinese says whether a person with this environment reads Chinese: the first of
// LC_ALL, LC_MESSAGES and LANG that is set decides (POSIX, section 8.2).
func Chinese(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			return strings.HasPrefix(strings.ToLower(v), "zh")
		}
	}
	return false
}

// PrintReady says where the server is and what to do next: a line for each listener,
// its URL first, the main one before all; then the data; then the next command, which
// is always the last line and holds "anser token". Programs may rely on that.
func (s *Server) PrintReady(w io.Writer, chinese bool) {
	what := map[string]string{"http": "web: WebSocket at /v1/ws, health, login", "https": "web: WebSocket at /v1/ws, health, login", "tcp": "native", "tls": "native, TLS", "tcp+tls": "native, TLS", "line": "for nc", "line+tls": "for openssl s_client"}
	admin, data, next := "admin: anser user, doctor; metrics", "messages and secrets", "Next: "
	if chinese {
		what = map[string]string{"http": "网页：WebSocket 在 /v1/ws，健康检查，登录", "https": "网页：WebSocket 在 /v1/ws，健康检查，登录", "tcp": "原生协议", "tls": "原生协议，TLS", "tcp+tls": "原生协议，TLS", "line": "供 nc 使用", "line+tls": "供 openssl s_client 使用"}
		admin, data, next = "管理：anser user、doctor，指标", "消息和密钥", "下一步："
	}
	var b strings.Builder
	for _, u := range s.URLs() {
		scheme, _, _ := strings.Cut(u, "://")
		fmt.Fprintf(&b, "%-28s %s\n", u, what[scheme])
	}
	if u := s.AdminURL(); u != "" {
		fmt.Fprintf(&b, "%-28s %s\n", u, admin)
	}
	dir := s.cfg.Data
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	fmt.Fprintf(&b, "%-28s %s\n", dir, data)
	command := "anser token alice"
	if def, err := filepath.Abs(defaultData); err != nil || def != dir {
		command += " --data " + quoteShell(s.cfg.Data)
	}
	fmt.Fprintf(&b, "%s%s\n", next, command)
	io.WriteString(w, b.String())
}

// quoteShell writes s so that a shell takes it as one word.
func quoteShell(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+:@%,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
