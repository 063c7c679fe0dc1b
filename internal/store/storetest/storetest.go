// Package storetest holds stores to the promises of package store: what is
// acknowledged stays, numbers have no gaps and are given once, retries find the
// first, readers see durable states only. A store's package calls Run with a
// function that opens it; what the store can be put through (a power cut, a sync
// that hangs) it offers by the fields of Opened; a test of what it cannot is skipped,
// unless its package says by name that there is no such thing in that store.
package storetest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/anser-im/anser/internal/im"
	"github.com/anser-im/anser/internal/store"
)

// Store is a store that can be closed. Close carries out or refuses what is queued.
type Store interface {
	store.Store
	Close() error
}

// Options say how a store is to be opened, empty.
type Options struct {
	Clock    func() time.Time // nil = time.Now
	QueueOps int              // operations that may wait; 0 = the store's default
	Unsafe   bool             // without any sync: the control, which must lose. A store that cannot returns a nil Store
	Small    bool             // small buffers, so that files are written and replaced often
}

// Opened is a store and what can be done to it. Fields other than Store may be nil.
type Opened struct {
	Store Store

	// Reopen closes the store and opens it again on its data.
	Reopen func() Store

	// Crash opens a second store on what a power cut at this moment would leave: what
	// was synced, and of the rest what rng says. It is called while the first is at
	// work, and leaves it alone; the caller closes both.
	Crash func(rng *rand.Rand) Opened

	// OnSync has f called before and after every sync, by whoever syncs; nil ends it.
	OnSync func(f func())

	// Stall makes syncs wait until release is called.
	Stall func() (release func())

	// FailReadOnly makes the store believe that its disk is nearly full, or no longer.
	// It takes effect before it returns.
	FailReadOnly func(on bool)

	// Dump is every byte that would be found in the store: keys and values.
	Dump func() []byte

	// SkipTo makes seq the number of conv's newest message, without there being one, and
	// reopens the store.
	SkipTo func(conv im.ConvID, seq im.Seq) Store
}

// Open opens an empty store for one test, which closes it.
type Open func(t testing.TB, o Options) Opened

// Run runs the suite but for the tests named in without: those of what this kind of
// store does not have, such as a power cut of one in memory.
func Run(t *testing.T, open Open, without ...string) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Order", testOrder},
		{"Racing", testRacing},
		{"Linear", testLinear},
		{"LaneOrder", testLaneOrder},
		{"FirstMessages", testFirstMessages},
		{"Retry", testRetry},
		{"RetryThroughTime", testRetryThroughTime},
		{"RetryOfChange", testRetryOfChange},
		{"RetryOfGroup", testRetryOfGroup},
		{"Kept", testKept},
		{"OtherContent", testOtherContent},
		{"FailedLeavesNothing", testFailedLeavesNothing},
		{"Guard", testGuard},
		{"Blocks", testBlocks},
		{"Page", testPage},
		{"PagesJoin", testPagesJoin},
		{"PageBytes", testPageBytes},
		{"Heads", testHeads},
		{"ReadCursor", testReadCursor},
		{"ReadRace", testReadRace},
		{"Unread", testUnread},
		{"Settings", testSettings},
		{"Gone", testGone},
		{"GoneBounded", testGoneBounded},
		{"ReadClears", testReadClears},
		{"SentFor", testSentFor},
		{"OwnAfterCrash", testOwnAfterCrash},
		{"Directed", testDirected},
		{"DirectedBounded", testDirectedBounded},
		{"Notes", testNotes},
		{"NotesBounded", testNotesBounded},
		{"Timers", testTimers},
		{"NextExpiry", testNextExpiry},
		{"IndexCleaned", testIndexCleaned},
		{"Nicks", testNicks},
		{"MuteGuard", testMuteGuard},
		{"Marks", testMarks},
		{"CostOfSize", testCostOfSize},
		{"Withdrawn", testWithdrawn},
		{"Delivered", testDelivered},
		{"Mentions", testMentions},
		{"Change", testChange},
		{"ChangeRace", testChangeRace},
		{"RecallRace", testRecallRace},
		{"FormerBodies", testFormerBodies},
		{"ChangeLog", testChangeLog},
		{"Reactions", testReactions},
		{"ReactionRace", testReactionRace},
		{"Expansion", testExpansion},
		{"Pins", testPins},
		{"Replies", testReplies},
		{"ThreadOrder", testThreadOrder},
		{"Delete", testDelete},
		{"DeletedForGood", testDeletedForGood},
		{"Formers", testFormers},
		{"Burning", testBurning},
		{"RetryOfParts", testRetryOfParts},
		{"SweptParts", testSweptParts},
		{"CostOfParts", testCostOfParts},
		{"Lines", testLines},
		{"LinesBounded", testLinesBounded},
		{"Visibility", testVisibility},
		{"GroupLife", testGroupLife},
		{"LargeGroup", testLargeGroup},
		{"Bodies", testBodies},
		{"ClientIDs", testClientIDs},
		{"LargeNumbers", testLargeNumbers},
		{"Records", testRecords},
		{"Cursors", testCursors},
		{"QueueFull", testQueueFull},
		{"ReadOnly", testReadOnly},
		{"Close", testClose},
		{"Cost", testCost},
		{"Sweep", testSweep},
		{"NumbersNeverReused", testNumbersNeverReused},
		{"Epoch", testEpoch},
		{"Time", testTime},
		{"DurableClamp", testDurableClamp},
		{"CrashAnywhere", testCrashAnywhere},
		{"UnsafeLoses", testUnsafeLoses},
		{"History", testHistory},
	} {
		if i := slices.Index(without, test.name); i >= 0 {
			without = slices.Delete(slices.Clone(without), i, i+1)
			continue
		}
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
	if len(without) > 0 {
		t.Errorf("no such test: %q", without)
	}
}
