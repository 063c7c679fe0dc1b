package httpapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/anser-im/anser/internal/gate/httpapi/apidoc"
	"github.com/anser-im/anser/wire"
)

// What is served is what the schema says.
func TestReferenceIsUpToDate(t *testing.T) {
	schema, err := os.ReadFile("../../../wire/anser.proto")
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func([]byte) ([]byte, error){"openapi.json": apidoc.OpenAPI, "docs.html": apidoc.Page} {
		want, err := do(schema)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("static/%s is not what wire/anser.proto says: go generate ./internal/gate/httpapi", name)
		}
	}
}

// The OpenAPI document is served, names every verb, and its schemas fit what the server
// takes and answers.
func TestP1_OpenAPI(t *testing.T) {
	w := newWorld(t)
	resp, err := w.h1.Get(w.base + "/v1/openapi.json")
	w.ok(err)
	defer resp.Body.Close()
	var doc struct {
		OpenAPI string
		Paths   map[string]struct {
			Post struct {
				OperationID string `json:"operationId"`
				Summary     string
			}
		}
		Components struct {
			Schemas map[string]json.RawMessage
		}
	}
	w.ok(json.NewDecoder(resp.Body).Decode(&doc))
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) != len(wire.Verbs()) {
		t.Fatalf("%s, %d paths", doc.OpenAPI, len(doc.Paths))
	}
	for _, v := range wire.Verbs() {
		if p := doc.Paths[v.Procedure()].Post; p.OperationID != v.Name || p.Summary == "" {
			t.Errorf("%s: %+v", v.Procedure(), p)
		}
	}
	// Its schemas are JSON Schema 2020-12: they are compiled as such, closed against
	// fields that they do not know.
	closed := regexp.MustCompile(`"properties":`)
	all, err := json.Marshal(map[string]any{"components": map[string]any{"schemas": doc.Components.Schemas}})
	w.ok(err)
	all = closed.ReplaceAll(all, []byte(`"additionalProperties":false,"properties":`))
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(all))
	w.ok(err)
	c := jsonschema.NewCompiler()
	w.ok(c.AddResource("mem:///api", root))
	fits := func(name, text string) error {
		s, err := c.Compile("mem:///api#/components/schemas/" + name)
		if err != nil {
			return err
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return err
		}
		return s.Validate(v)
	}
	alice := bearer(w.token("alice"))
	for _, call := range []struct{ verb, body string }{
		{"Send", `{"conv":"u/bob","id":"1","body":{"text":"hi"},"flags":3,"options":{"digest":"hi","mentions":{"users":["bob"]},"reply_to":"0"}}`},
		{"GroupCreate", `{"id":"g","name":"devs","members":["bob"],"join":"open"}`},
		{"Page", `{"conv":"u/bob","limit":10}`},
		{"Sync", `{}`},
		{"Conversation", `{"conv":"u/bob"}`},
		{"Edit", `{"conv":"u/bob","seq":"1","body":"x","id":"e"}`},
		{"Changes", `{"conv":"u/bob","from_ver":"1"}`},
		{"Block", `{"user":"eve"}`}, {"Blocks", `{}`}, {"Devices", `{}`},
	} {
		v, _ := wire.VerbOf(call.verb)
		a := w.post(call.verb, call.body, alice...)
		if a.StatusCode != 200 {
			t.Errorf("%s: %d %s", call.verb, a.StatusCode, a.body)
		}
		if err := fits(string(v.NewRequest().ProtoReflect().Descriptor().Name()), call.body); err != nil {
			t.Errorf("%s, the request: %v", call.verb, err)
		}
		if err := fits(string(v.NewResponse().ProtoReflect().Descriptor().Name()), a.body); err != nil {
			t.Errorf("%s, the answer %s: %v", call.verb, a.body, err)
		}
	}
	if a := w.post("Page", `{"conv":"g/x"}`, alice...); fits("Error", a.body) != nil {
		t.Errorf("an error: %v: %s", fits("Error", a.body), a.body)
	}
	if fits("PageRequest", `{"conv":7}`) == nil || fits("PageRequest", `{"convo":"u/bob"}`) == nil || fits("PageRequest", `{"from":"x"}`) == nil {
		t.Error("the schemas take anything")
	}
}

// The page for people: every verb has its place, every link within it leads somewhere,
// and nothing runs or comes from elsewhere.
func TestP1_ReferencePage(t *testing.T) {
	d := newWorld(t)
	rec := d.serveGet("/v1/docs")
	page := rec.Body.String()
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(rec.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %v", rec.Code, rec.Header())
	}
	for _, v := range wire.Verbs() {
		if !strings.Contains(page, `<article id="`+v.Name+`">`) || !strings.Contains(page, "POST "+v.Procedure()) {
			t.Errorf("%s is not there", v.Name)
		}
	}
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]]++; ids[m[1]] > 1 {
			t.Errorf("the id %s stands twice", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] == 0 {
			t.Errorf("the link to #%s leads nowhere", m[1])
		}
	}
	for _, bad := range []string{"<script", "style=", "http://", "https://", "<no value>", "ZgotmplZ", "onload"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, zh := range []string{"接口参考", "请求", "应答", "错误"} {
		if !strings.Contains(page, zh) {
			t.Errorf("no %s", zh)
		}
	}
	// The examples are requests that are understood.
	for _, m := range regexp.MustCompile(`<pre><code>POST /anser\.v1\.\w+/(\w+)\n(.*)</code></pre>`).FindAllStringSubmatch(page, -1) {
		v, _ := wire.VerbOf(m[1])
		body := strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&amp;", "&").Replace(m[2])
		if err := wire.JSON.UnmarshalBody([]byte(body), v.NewRequest()); err != nil {
			t.Errorf("the example of %s: %v: %s", m[1], err, body)
		}
	}
	if css := d.serveGet("/v1/docs.css"); css.Code != 200 || !strings.Contains(css.Body.String(), "prefers-color-scheme: dark") {
		t.Errorf("%d", css.Code)
	}
}
