package server

import (
	"net"
	"os"
)

// notifySystemd tells a supervisor that asked for it (sd_notify(3), Type=notify) how
// far the program is: "READY=1", "STOPPING=1". Where nobody asked, and on any error,
// nothing happens: the server is no worse for it.
func notifySystemd(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" || path[0] != '/' && path[0] != '@' {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"}) // '@' = the abstract namespace, for Go too
	if err != nil {
		return
	}
	defer c.Close()
	c.Write([]byte(state))
}
