package client

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
)

// Who can write into an unprotected link must not be able to send the token elsewhere.
func TestFollow(t *testing.T) {
	var configured []endpoint
	for _, s := range []string{"tcp://a:1", "wss://b", "ws://c:80/x"} {
		e, err := parseEndpoint(s)
		if err != nil {
			t.Fatal(err)
		}
		configured = append(configured, e)
	}
	nodes := []string{"tcp://a:1", "tcp://evil:1", "ws://evil", "tls://d:1", "https://b:443/v1/ws", "http://c/x", "rubbish", "wss://"}
	for _, c := range []struct {
		cfg  *tls.Config
		want string
	}{
		{nil, "tcp://a:1 tls://d:1 wss://b ws://c:80/x"},
		{&tls.Config{}, "tcp://a:1 tls://d:1 wss://b ws://c:80/x"},
		{&tls.Config{InsecureSkipVerify: true}, "tcp://a:1 wss://b ws://c:80/x"},
		{&tls.Config{ServerName: "im.example.com"}, "tcp://a:1 wss://b ws://c:80/x"},
	} {
		var got []string
		for _, e := range follow(configured, nodes, c.cfg) {
			got = append(got, e.name)
			if known := e.name != "tls://d:1"; e.linked == known {
				t.Errorf("%s: linked %v", e.name, e.linked)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%+v: %s", c.cfg, s)
		}
	}
	nodes = nil
	for i := range 100 {
		nodes = append(nodes, fmt.Sprintf("tls://n%d:1", i))
	}
	if n := len(follow(configured, nodes, nil)); n != maxLinked {
		t.Errorf("%d are followed", n)
	}
}

func TestMerge(t *testing.T) {
	e := func(s string) endpoint { x, _ := parseEndpoint(s); return x }
	got := merge([]endpoint{e("tls://a:1"), e("tls://b:1")}, []endpoint{e("tls://b:1"), e("tls://c:1")})
	if len(got) != 3 || got[0].name != "tls://a:1" || got[2].name != "tls://c:1" {
		t.Error(got)
	}
}
