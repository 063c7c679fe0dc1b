package httpapi

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// page is what a browser finds at the root: what this is, and what to do next. It is
// fixed after newPage.
type page struct {
	en, zh []byte
}

func newPage(version string) page {
	t := template.Must(template.ParseFS(static, "static/page.*.html"))
	render := func(name string) []byte {
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, name, map[string]string{"Version": version}); err != nil {
			panic(err) // the template is ours and fixed
		}
		return b.Bytes()
	}
	return page{en: render("page.en.html"), zh: render("page.zh.html")}
}

func (p page) serve(w http.ResponseWriter, r *http.Request) {
	body := p.en
	switch r.URL.Query().Get("lang") {
	case "zh":
		body = p.zh
	case "en":
	default:
		if prefersChinese(r.Header.Get("Accept-Language")) {
			body = p.zh
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Language")
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// prefersChinese says whether Chinese stands before English in an Accept-Language
// header (RFC 9110 §12.5.4). Browsers list the preferred one first, so the weights
// need not be read.
func prefersChinese(accept string) bool {
	for l := range strings.SplitSeq(accept, ",") {
		l = strings.ToLower(strings.TrimSpace(l))
		switch {
		case strings.HasPrefix(l, "zh"):
			return true
		case strings.HasPrefix(l, "en"):
			return false
		}
	}
	return false
}

func (p page) asset(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, static, "static"+r.URL.Path)
}
