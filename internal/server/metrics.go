package server

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/anser-im/anser/internal/im"
)

// metrics makes the registry of /metrics. Packages count for themselves, in plain
// numbers; the collector reads them when it is asked, so that counting costs nothing
// and two servers in one process do not share a number.
func (s *Server) metrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{s},
	)
	return r
}

// A metric is one line of the table below.
type metric struct {
	name, help, takes string
	labels            []string
	desc              *prometheus.Desc
	kind              prometheus.ValueType
}

// described are all metrics, in the order of the table, for the page that lists them.
var described []metric

func define(kind prometheus.ValueType, takes, name, help string, labels []string) metric {
	m := metric{name: "anser_" + name, help: help, takes: takes, labels: labels, kind: kind}
	m.desc = prometheus.NewDesc(m.name, help, labels, nil)
	described = append(described, m)
	return m
}

func counter(name, help string, labels ...string) metric {
	return define(prometheus.CounterValue, "counter", name, help, labels)
}

func gauge(name, help string, labels ...string) metric {
	return define(prometheus.GaugeValue, "gauge", name, help, labels)
}

func histogram(name, help string) metric {
	return define(prometheus.UntypedValue, "histogram", name, help, nil)
}

func (m metric) value(v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
}

// All there is.
var (
	mInfo  = gauge("build_info", "1; the labels tell the build.", "version", "revision", "go")
	mReady = gauge("ready", "1 while sends are taken.")

	mSends     = counter("sends_total", "Messages that were acknowledged: durable, retries among them.")
	mRefusals  = counter("refusals_total", "Sends that were refused, by kind of error.", "kind")
	mPushed    = counter("events_pushed_total", "Events put into the outboxes of sessions as they happened.")
	mFed       = counter("events_fed_total", "Events read from the store for sessions that were behind.")
	mDelivered = counter("events_delivered_total", "Events given to links.")
	mAcks      = counter("push_acks_total", "Acknowledgements of pushes, by clients.")
	mDropped   = counter("events_dropped_total", "Signals, status messages and hints dropped, as a session was behind.")
	mVerbs     = counter("verbs_total", "What else users did.", "verb")
	mEpochs    = counter("epochs_total", "New epochs, because a client held what this store never had: files were put back.")
	mSwept     = counter("swept_rows_total", "Rows removed because their time was over.")

	mSessions = gauge("sessions", "Signed-in devices now, by door.", "door")
	mDetached = gauge("sessions_detached", "Sessions without a link that may be resumed.")
	mLogins   = counter("logins_total", "Logins, by outcome.", "outcome")
	mResumes  = counter("resumes_total", "Sessions that came back, by whether they had missed too much for it.", "outcome")
	mEnds     = counter("sessions_ended_total", "Sessions that the server ended, by code.", "code")
	mHashes   = counter("password_hashes_total", "Passwords that were hashed.")
	mWaiting  = gauge("unauthenticated_connections", "Connections that have not signed in yet.")

	mOutbox = gauge("outbox_bytes", "Events waiting in outboxes.")
	mQueue  = gauge("outbox_events", "Events waiting in outboxes.")
	mBehind = gauge("behind_sessions", "Sessions that are fed from the store in some conversation, being behind.")
	mFell   = counter("behind_total", "Events that did not go into an outbox but were left to be fed.")
	mSyncs  = counter("behind_syncs_total", "Sessions told to sync, because they missed too much.")

	mConnections = gauge("connections", "Open connections, by door and transport.", "door", "transport")
	mAccepted    = counter("connections_total", "Connections that were accepted.")
	mRefused     = counter("connections_refused_total", "Connections that were refused before a byte was read.")
	mStalled     = counter("connections_stalled_total", "Connections closed because the peer took no byte.")
	mCrowded     = counter("connections_crowded_total", "Connections closed because they were slow to sign in and their place was needed.")
	mEnded       = counter("native_ended_total", "Native links that ended, by reason.", "reason")
	mBytesIn     = counter("received_bytes_total", "Bytes read from sockets.")
	mBytesOut    = counter("sent_bytes_total", "Bytes written to sockets.")
	mWrites      = counter("socket_writes_total", "System calls for that.")
	mFramesIn    = counter("native_frames_received_total", "Frames of the native protocol.")
	mFramesOut   = counter("native_frames_sent_total", "Frames of the native protocol.")
	mRequests    = counter("native_requests_total", "Requests (REQ) of the native protocol.")
	mLines       = counter("line_lines_total", "Lines read at the line door.")
	mCalls       = counter("api_calls_total", "Calls of the HTTP API, by protocol (connect, grpc, grpcweb) and outcome (OK, or a kind of error).", "protocol", "outcome")
	mInFlight    = gauge("api_calls", "Calls of the HTTP API now.")
	mCallBytes   = counter("api_received_bytes_total", "Bytes of the bodies of these calls.")

	mOps        = counter("store_operations_total", "Operations that were committed.")
	mCommits    = counter("store_commits_total", "Commits, each synced once.")
	mRows       = counter("store_rows_total", "Rows written.")
	mWritten    = counter("store_bytes_total", "Bytes of these rows.")
	mDuplicates = counter("store_duplicates_total", "Sends that had been stored before.")
	mTurnedBack = counter("store_turned_back_total", "Operations decided on an older state, that were tried again.")
	mQueued     = gauge("store_queue_operations", "Operations that wait for a commit.")
	mQueueBytes = gauge("store_queue_bytes", "Their weight.")
	mPending    = gauge("store_commit_pending_seconds", "Age of the oldest commit under way.")
	mReadOnly   = gauge("store_read_only", "1 while there is too little room on the disk.")
	mHeads      = gauge("store_heads", "Conversations in memory.")
	mDisk       = gauge("store_disk_bytes", "Size of the store's files.")

	mCommitTime = histogram("store_commit_seconds", "How long commits took, the sync included.")
	mBatch      = histogram("store_commit_operations", "Operations in a commit.")
)

// batchBounds are those of store.Stats.BatchOps.
var batchBounds = []float64{1, 4, 16, 64, 256, 1024}

// collector reads everything's counters.
type collector struct{ s *Server }

// Describe sends nothing: which labels there are is known when they are collected.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.s
	put := func(m metric, v float64, labels ...string) { out <- m.value(v, labels...) }
	v := ReadVersion()
	put(mInfo, 1, v.Release, v.Revision, v.Go)
	put(mReady, boolean(s.Health().Ready))

	k := s.core.Stats()
	put(mSends, float64(k.Sends))
	for _, kind := range im.Kinds() {
		put(mRefusals, float64(k.Refusals[kind]), kind.String())
	}
	put(mPushed, float64(k.Pushed))
	put(mFed, float64(k.Fed))
	put(mDelivered, float64(k.Delivered))
	put(mAcks, float64(k.Acks))
	put(mDropped, float64(k.Dropped))
	for _, door := range []string{"native", "line"} { // 0 is told too
		k.Sessions[door] += 0
	}
	for door, n := range k.Sessions {
		put(mSessions, float64(n), door)
	}
	put(mDetached, float64(k.Detached))
	put(mLogins, float64(k.Logins), "ok")
	put(mLogins, float64(k.LoginsRefused), "refused")
	put(mResumes, float64(k.Resumed), "ok")
	put(mResumes, float64(k.ResumeRefused), "refused")
	for code, n := range k.Ends {
		put(mEnds, float64(n), strconv.Itoa(int(code)))
	}
	if s.accounts != nil {
		put(mHashes, float64(s.accounts.Hashes()))
	}
	put(mWaiting, float64(s.keeper.Waiting()))
	put(mOutbox, float64(k.Outboxes))
	put(mQueue, float64(k.Queued))
	put(mBehind, float64(k.Behind))
	put(mFell, float64(k.BehindTotal))
	put(mSyncs, float64(k.Syncs))
	c.verbs(put)
	c.doors(put)
	c.store(out, put)
}

func (c *collector) verbs(put func(metric, float64, ...string)) {
	v := c.s.core.VerbCounts()
	put(mVerbs, float64(v.Syncs), "sync")
	put(mVerbs, float64(v.Pages), "page")
	put(mVerbs, float64(v.Reads), "read")
	put(mVerbs, float64(v.Edits), "edit")
	put(mVerbs, float64(v.Recalls), "recall")
	put(mVerbs, float64(v.Memberships), "membership")
	put(mEpochs, float64(v.Epochs))
	put(mSwept, float64(v.Swept))
}

func (c *collector) doors(put func(metric, float64, ...string)) {
	g, n := c.s.gate.Stats(), c.s.native.Stats()
	put(mConnections, float64(n.Connections.TCP), "native", "tcp")
	put(mConnections, float64(n.Connections.TLS), "native", "tls")
	put(mConnections, float64(n.Connections.WebSocket), "native", "websocket")
	put(mAccepted, float64(g.Accepted))
	put(mRefused, float64(g.Refused))
	put(mStalled, float64(g.Stalled))
	put(mCrowded, float64(g.Crowded))
	put(mBytesIn, float64(g.ReadIn))
	put(mBytesOut, float64(g.Written))
	put(mWrites, float64(g.Writes))
	put(mFramesIn, float64(n.FramesIn))
	put(mFramesOut, float64(n.FramesOut))
	put(mRequests, float64(n.Requests))
	for reason, count := range n.Ended {
		put(mEnded, float64(count), reason)
	}
	api := c.s.http.Stats()
	for protocol, outcomes := range api.Calls {
		for outcome, count := range outcomes {
			put(mCalls, float64(count), protocol, outcome)
		}
	}
	put(mInFlight, float64(api.InFlight))
	put(mCallBytes, float64(api.Received))
	if c.s.line != nil {
		l := c.s.line.Stats()
		put(mConnections, float64(l.Live), "line", "tcp")
		put(mLines, float64(l.Lines))
	}
}

func (c *collector) store(out chan<- prometheus.Metric, put func(metric, float64, ...string)) {
	st, h := c.s.store.Stats(), c.s.store.Health()
	put(mOps, float64(st.Ops))
	put(mCommits, float64(st.Commits))
	put(mRows, float64(st.Rows))
	put(mWritten, float64(st.Bytes))
	put(mDuplicates, float64(st.Duplicates))
	put(mTurnedBack, float64(st.TurnedBack))
	put(mQueued, float64(st.Queued))
	put(mQueueBytes, float64(st.QueuedBytes))
	put(mPending, h.Pending.Seconds())
	put(mReadOnly, boolean(h.ReadOnly))
	put(mHeads, float64(st.Heads))
	put(mDisk, float64(st.DiskBytes))
	buckets(out, mCommitTime.desc, st.CommitSeconds, st.CommitCounts)
	buckets(out, mBatch.desc, batchBounds, st.BatchOps)
}

// buckets turns counts between bounds into Prometheus' running sums. The sum of the
// values is not counted; it is estimated from the bounds.
func buckets(out chan<- prometheus.Metric, desc *prometheus.Desc, bounds []float64, counts []uint64) {
	if len(counts) != len(bounds)+1 {
		return
	}
	sums, total, sum, lower := map[float64]uint64{}, uint64(0), 0.0, 0.0
	for i, b := range bounds {
		total += counts[i]
		sum += float64(counts[i]) * (lower + b) / 2
		sums[b], lower = total, b
	}
	last := counts[len(bounds)]
	total += last
	sum += float64(last) * lower
	out <- prometheus.MustNewConstHistogram(desc, total, sum, sums)
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
