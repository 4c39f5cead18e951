package outbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// errFault is a panic or memory fault inside bbolt: the mapped file is damaged or its disk is gone.
var errFault = errors.New("fault while reading the mapped file")

// guard runs fn so that neither a panic nor a fault on the mapped file ends the process. Whatever fn
// held may be left as it was; the caller must take the file for lost until it has been scanned.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errFault, r)
		}
	}()
	return fn()
}

func (o *Outbox) options() *bbolt.Options {
	// NoFreelistSync and the map type keep commits small and fast after a large trim; NoSync is
	// never set: an append is durable when Update has returned.
	return &bbolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType}
}

// open leaves o with an open, verified file, or returns an error. Open calls it, and Run after a
// failed write; nobody else touches the file meanwhile.
func (o *Outbox) open() (err error) {
	if err := o.lock(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			o.unlock()
		}
	}()
	// Crash points 1, 2, 5 and 6 leave a half-made file under this name; it holds nothing that is not
	// also in the file itself.
	if err := os.Remove(o.newPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var notices []Notice
	s, err := scanFile(o.cfg.Path, o.cfg.Gateway, nil)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := o.build(nil, "new"); err != nil {
			return fmt.Errorf("create %s: %w", o.cfg.Path, err)
		}
		notices = append(notices, Notice{Kind: NoticeEpoch})
	case err != nil:
		return err
	case s.fault != nil:
		n, err := o.salvage(s)
		if err != nil {
			return fmt.Errorf("save what is whole of %s (%w): %w", o.cfg.Path, s.fault, err)
		}
		notices = append(notices, n)
	case s.doubt:
		notices = append(notices, Notice{Kind: NoticeDoubt, Err: errPage})
	}
	if len(notices) > 0 && notices[0].Kind != NoticeDoubt {
		if s, err = scanFile(o.cfg.Path, o.cfg.Gateway, nil); err != nil || s.fault != nil {
			return fmt.Errorf("new file: %w", errors.Join(err, s.fault))
		}
	}
	var db *bbolt.DB
	if err := guard(func() (err error) {
		db, err = bbolt.Open(o.cfg.Path, 0o600, o.options())
		return err
	}); err != nil {
		return err
	}
	o.adopt(db, s)
	if s.doubt {
		// The last commit may be missing, and with it a record that somebody relied on. Numbering on in
		// the old epoch could give its number to another record, so a new epoch begins.
		p := o.plan()
		if err := p.mint("meta"); err != nil {
			return errors.Join(err, o.closeDB())
		}
		if err := o.write(p.store); err != nil {
			return errors.Join(err, o.closeDB())
		}
		o.publish(p)
	}
	for _, n := range notices {
		n.Epoch = o.Stat().Current
		o.notify(n)
	}
	return nil
}

// adopt takes over an open database and what its scan has found.
func (o *Outbox) adopt(db *bbolt.DB, s scan) {
	o.dbMu.Lock()
	o.db = db
	o.dbMu.Unlock()
	o.stateMu.Lock()
	defer o.stateMu.Unlock()
	o.epochs = s.epochs
	o.pins = map[[32]byte]uint8{}
	o.trusted = int64(s.state[keyTrusted])
	o.reset = int64(s.state[keyPINReset])
	for k, v := range s.state {
		if raw, ok := cutPIN(k); ok {
			o.pins[raw] = uint8(min(v, 255))
		}
	}
	o.latched = false
	o.measure(db)
}

// build makes a file under a temporary name, complete and synced, and puts it in place: crash
// points 1 to 4. fill writes what is saved of an older file and may be nil.
func (o *Outbox) build(fill func(db *bbolt.DB) (plan, error), why string) error {
	name := o.newPath()
	var db *bbolt.DB
	err := guard(func() (err error) {
		if db, err = bbolt.Open(name, 0o600, o.options()); err != nil {
			return err
		}
		p := plan{cfg: o.cfg}
		if err := db.Update(createBuckets); err != nil {
			return err
		}
		if fill != nil {
			if p, err = fill(db); err != nil {
				return err
			}
		}
		if err := p.mint(why); err != nil {
			return err
		}
		return db.Update(p.store) // crash point 2: complete, not in place
	})
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	if o.cfg.Reserve > 0 {
		if err := reserve(name, o.cfg.Reserve); err != nil {
			o.cfg.Log.Warn("disk space for the outbox is not reserved", "err", err)
		}
	}
	if err := os.Rename(name, o.cfg.Path); err != nil { // crash point 3: in place, folder not synced
		return err
	}
	return syncDir(filepath.Dir(o.cfg.Path)) // crash point 4: in place for good
}

func createBuckets(tx *bbolt.Tx) error {
	for _, name := range []string{bucketEpochs, bucketState} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// salvage copies the whole prefix of every epoch out of a damaged file, keeps the damaged file under
// another name, and begins a new epoch that links to the end of the prefix.
func (o *Outbox) salvage(s scan) (Notice, error) {
	aside := o.cfg.Path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000")
	var saved uint64
	fill := func(db *bbolt.DB) (plan, error) {
		p := plan{cfg: o.cfg, epochs: s.epochs, state: s.state, dirty: map[int]bool{}}
		for i := range p.epochs {
			p.epochs[i].index = uint32(i)
			p.dirty[i] = true
		}
		var pending []savedRow
		flush := func() error {
			err := db.Update(func(tx *bbolt.Tx) error { return putRows(tx, pending) })
			saved += uint64(len(pending))
			pending = pending[:0]
			return err
		}
		// crash point 5: part of the rows copied; the next start begins again
		if _, err := scanFile(o.cfg.Path, o.cfg.Gateway, func(e epochRow, r row) error {
			pending = append(pending, savedRow{epoch: e.epoch, seq: r.rec.Seq, bytes: appendRow(nil, r)})
			if len(pending) < batchLimit {
				return nil
			}
			return flush()
		}); err != nil {
			return plan{}, err
		}
		if err := flush(); err != nil {
			return plan{}, err
		}
		// A second name for the damaged file: it stays, whatever happens next. Crash point 6: the
		// damaged file has two names, the next start saves again under a third.
		return p, os.Link(o.cfg.Path, aside)
	}
	err := o.build(fill, "damaged")
	return Notice{Kind: NoticeDamaged, Saved: saved, Aside: aside, Err: s.fault}, err
}

// closeDB closes the file and gives up the lock. bbolt may hang after a fault in the middle of a
// transaction, so it gets two seconds; the file then stays locked and the outbox stays latched.
func (o *Outbox) closeDB() error {
	o.dbMu.Lock()
	db := o.db
	o.db = nil
	o.dbMu.Unlock()
	if db == nil {
		o.unlock()
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- guard(db.Close) }() // ends when Close does; owned by nobody after a hang
	select {
	case err := <-done:
		o.unlock()
		return err
	case <-time.After(2 * time.Second):
		return errors.New("closing the outbox hangs")
	}
}

// retryOpen closes and reopens the file after a failed write until it is whole again or ctx ends.
// Meanwhile every append is refused, so no door opens on a record that may not exist.
func (o *Outbox) retryOpen(ctx context.Context) {
	for {
		if err := o.closeDB(); err != nil {
			o.cfg.Log.Error("close outbox", "err", err)
		}
		err := o.open()
		if err == nil {
			o.notify(Notice{Kind: NoticeReopened, Epoch: o.Stat().Current})
			o.tellChanged()
			return
		}
		o.cfg.Log.Error("reopen outbox", "err", err)
		if o.cfg.Turned != nil { // a disk that fails is no loop that hangs: a reset would mend nothing
			o.cfg.Turned()
		}
		wait := time.NewTimer(reopenWait)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				wait.Stop()
				return
			case <-wait.C:
				waiting = false
			case <-o.wake:
				o.drain() // refuses: latched
			}
		}
	}
}

func (o *Outbox) newPath() string { return o.cfg.Path + ".new" }

// lockWait is how long a start waits for the lock, lockStep how often it tries.
const (
	lockWait = time.Second
	lockStep = 20 * time.Millisecond
)

// lock keeps a second gateway process away from the file: a scan of a file that somebody else is
// writing would look like damage.
func (o *Outbox) lock() error {
	if o.lockFile != nil {
		return nil
	}
	f, err := os.OpenFile(o.cfg.Path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	// Somebody who starts a process while the file is closed holds the lock for the moment between fork and exec; a
	// gateway that was killed holds it until the kernel has taken it apart.
	for wait := time.Duration(0); ; wait += lockStep {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil || wait >= lockWait {
			break
		}
		time.Sleep(lockStep)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s is in use by another process: %w", o.cfg.Path, err), f.Close())
	}
	o.lockFile = f
	return nil
}

func (o *Outbox) unlock() {
	if o.lockFile != nil {
		_ = o.lockFile.Close() // closing gives up the lock; nothing was written to it
		o.lockFile = nil
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func indexKey(i uint32) []byte { return binary.BigEndian.AppendUint32(nil, i) }
