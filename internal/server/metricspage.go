package server

import (
	"bytes"
	"fmt"
	"strings"
)

// metricsPage is docs/METRICS.md.
func metricsPage() []byte {
	var b bytes.Buffer
	b.WriteString(`# Metrics

<!-- Made by "go generate ./internal/server" from internal/server/metrics.go. Change that, not this page. -->

` + "`GET /metrics`" + ` on the admin listener (http://127.0.0.1:7309) answers in the format of Prometheus, besides what
Go programs commonly tell (` + "`go_*`, `process_*`" + `). It needs the admin token:

` + "```yaml" + `
scrape_configs:
  - job_name: anser
    authorization: {credentials_file: /var/lib/anser/admin-token}
    static_configs: [{targets: ["127.0.0.1:7309"]}]
` + "```" + `

or ` + "`open_metrics: true`" + `. What to watch first:

- ` + "`anser_ready == 0`" + `: sends are refused. ` + "`/readyz`" + ` says why.
- ` + "`anser_store_commit_seconds`" + `: every acknowledgement waits for one. Its 99th percentile is the disk's.
- ` + "`anser_refusals_total`" + ` by kind: Busy means overload, Limited a client that sends too fast, Internal a bug.
- ` + "`anser_behind_sessions`, `anser_outbox_bytes`" + `: receivers that are slower than what is sent to them.
- ` + "`anser_unauthenticated_connections`, `anser_connections_crowded_total`" + `: somebody opens connections and does not sign in.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
`)
	for _, m := range described {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.takes, strings.Join(m.labels, ", "), cell(m.help))
	}
	return b.Bytes()
}
