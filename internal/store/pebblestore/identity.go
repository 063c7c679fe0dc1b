package pebblestore

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/anser-im/anser/internal/im"
)

// A store whose files were put back from a copy has clients that hold numbers it has
// not given yet. It has to take a new epoch before it gives one of them again. What
// `cp`, `tar` or `rsync` put back is told by a file that is made anew at each opening
// and known to the database by what a copy cannot carry: its inode and when that was
// made. (A snapshot of a whole disk carries both: there the clients' Sync tokens tell.)

// identityFile is that file, identityNew its name while it is made.
const (
	identityFile = "IDENTITY"
	identityNew  = "IDENTITY.new"
)

// checkIdentity gives the store a new epoch if its files are not those that it was
// last opened on, and makes them known anew. It does nothing where the system does
// not tell files apart, and for file systems of tests.
func (db *DB) checkIdentity(w *writer, there bool) error {
	if db.cfg.FS != nil || identityOf(db.cfg.Dir) == "" {
		return nil
	}
	file, fresh := filepath.Join(db.cfg.Dir, identityFile), filepath.Join(db.cfg.Dir, identityNew)
	was := identityOf(file)
	known, ok, err := get(db.peb, keyIdentity(nil))
	if err != nil {
		return err
	}
	b := db.peb.NewBatch()
	defer b.Close()
	if there && ok && !names(known, was) {
		w.meta.epoch = im.NewEpoch()
		db.epoch.Store(&w.meta.epoch)
		b.Set(keyMeta(nil), appendMeta(nil, &w.meta), nil)
		db.log.Warn("the files of the store were put back from a copy or moved: clients begin anew", "dir", db.cfg.Dir, "epoch", w.meta.epoch.String())
		was = ""
	}

	// Known before it has its name: cut off in between, either is taken.
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString("Made anew at each opening of the store; see docs/UPGRADING.md.\n")
		if err == nil {
			err = f.Sync()
		}
		if e := f.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		return errIdentity(db.cfg.Dir, err)
	}
	b.Set(keyIdentity(nil), append(append([]byte(identityOf(fresh)), '\n'), was...), nil)
	if err := db.peb.Apply(b, pebble.Sync); err != nil {
		return errIdentity(db.cfg.Dir, err)
	}
	if err := os.Rename(fresh, file); err != nil {
		return errIdentity(db.cfg.Dir, err)
	}
	if err := syncDir(db.fs, db.cfg.Dir); err != nil {
		return errIdentity(db.cfg.Dir, err)
	}
	return nil
}

// names says whether file is a line of known; "" is not.
func names(known []byte, file string) bool {
	return file != "" && slices.Contains(strings.Split(string(known), "\n"), file)
}

func errIdentity(dir string, err error) error {
	return im.Wrap(im.Unavailable, err, "the file that tells copies of the store in "+dir+" apart cannot be written: "+err.Error())
}
