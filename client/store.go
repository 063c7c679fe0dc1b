package client

// Store keeps what the client must not forget: how far each conversation has been
// delivered, the messages that wait to be sent, and what was learnt of networks. It is
// small: some 50 bytes a conversation, and the outbox; and what Options.Keep asks for.
//
// NewMemStore and OpenFileStore are two. Write your own over your database to keep a
// message and the mark that says it was delivered in one transaction: then none is
// ever shown twice or missing, whatever happens. A table of two columns is enough:
//
//	func (s *sqlStore) Begin() (client.Tx, error) { tx, err := s.db.Begin(); return &sqlTx{tx}, err }
//
//	Options.OnEvents = func(tx client.Tx, events []client.Event) error {
//		return insertMessages(tx.(*sqlTx).Tx, events)
//	}
//
// A store belongs to one client at a time. Its methods may be called from any
// goroutine.
type Store interface {
	// Load calls each with every key and its value, in any order, which it may not
	// keep. It is called once, before any Begin.
	Load(each func(key string, value []byte) error) error

	// Begin starts a transaction. A store that can have only one at a time waits here;
	// then OnEvents must not call Send with another than SendIn.
	Begin() (Tx, error)
}

// Tx is one transaction of a Store, used by one goroutine at a time and ended once.
type Tx interface {
	// Set gives key a value, which it may not keep a reference to. Keys are at most 512
	// bytes of UTF-8. Those that begin with "app/" are the application's own.
	Set(key string, value []byte) error

	// Delete removes key, if it is there.
	Delete(key string) error

	// Commit makes all of it permanent at once: when it returns, neither a crash nor a
	// power cut undoes it. After an error none of it may be there.
	Commit() error

	// Rollback forgets it. After Commit it does nothing.
	Rollback()
}

// Keys of the store. A new version of this package reads what older ones wrote.
const (
	keyEpoch    = "epoch"  // the server's epoch under which the cursors hold
	keyToken    = "sync"   // where the next Sync goes on
	keyUser     = "user"   // whose store this is
	keyDevice   = "device" // the device id, if the server gave it
	keySkew     = "skew"   // our clock less the server's, milliseconds in decimal
	keyConv     = "c/"     // + address: a conv record
	keyOut      = "o/"     // + 16 hex digits: an outbox record; their order is the sends'
	keyNet      = "n/"     // + network label: a search record
	keyGone     = "g/"     // + address: what the user deleted for himself
	keyDue      = "x/"     // + address, 0 and 16 hex digits: when a message goes away, 8 bytes
	keyKept     = "m/"     // the same: a message that is kept here
	keyLocal    = "f/"     // the same: the application's fields of it, JSON
	keyInserted = "i/"     // + address, 0 and id: a message that the application inserted, JSON
)
