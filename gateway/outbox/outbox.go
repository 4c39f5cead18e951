// Package outbox is the gateway's durable queue of records: every record is on stable storage, in an
// unbroken chain of hashes, before anything acts on it (I1), stays until the server has acknowledged
// it (I2), and cannot be changed or lost without being noticed (I3).
//
// One goroutine (Run) numbers the records of all doors and commits them in groups (D19). It is
// the only package that knows bbolt. DESIGN.md beside this file has the layout of the file, the
// crash points and what each failure leads to. It never decides what happens at a door: whoever
// appended a record learns through Done whether it is durable, and treats every error as "not".
package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"monban/firmware/access"
	"monban/firmware/wire"
)

// Errors that callers branch on. Each of them means: not durable, so no door moves for it (I1).
var (
	// ErrFull: the file has reached its cap with records the server has not acknowledged (D20).
	ErrFull = errors.New("outbox is full")
	// ErrLatched: a write failed before; nothing is accepted until the file has been read again.
	ErrLatched = errors.New("outbox is latched after a failed write")
	// ErrBusy: more than queueLimit appends are waiting.
	ErrBusy = errors.New("outbox queue is full")
	// ErrClosed: the outbox is closed or closing.
	ErrClosed = errors.New("outbox is closed")
	// ErrTooLarge: a record longer than maxBody or a private part longer than maxPrivate.
	ErrTooLarge = errors.New("record is too large")
	// ErrUnknown: no such epoch or sequence number is kept.
	ErrUnknown = errors.New("no such record")
	// ErrFork: the hash named by the server is not the one of our chain.
	ErrFork = errors.New("hash differs from our chain")
)

const (
	// queueLimit bounds the appends that wait for one commit: 4,096 records are a minute of 68
	// reads a second, far more than readers can deliver.
	queueLimit = 4096
	// batchLimit is the most records of one commit, so that a commit stays short.
	batchLimit = 1000
	// trimStep is the most records that one commit deletes; larger steps make commits slow.
	trimStep = 1000
	// maxBody and maxPrivate bound one record; 64 of the usual ones fit into one batch.
	maxBody    = 4 << 10
	maxPrivate = 1 << 10
	// reopenWait is the pause between attempts to reopen after a failed write.
	reopenWait = time.Second
	// agePause is how often the age of acknowledged records is looked at.
	agePause = time.Minute
)

// Defaults of Config (D20).
const (
	DefaultMaxBytes  = 1 << 30
	DefaultKeepAcked = 1_000_000
	DefaultKeepFor   = 30 * 24 * time.Hour
)

// Config is what New needs. Zero limits mean the defaults.
type Config struct {
	Path      string            // the file; its folder must exist
	Gateway   access.GatewayID  // written into every record
	Stamp     func() wire.Stamp // this moment, for the outbox's own records
	Rand      io.Reader         // epochs and salts; nil = crypto/rand
	Log       *slog.Logger      // nil = none
	Notify    func(Notice)      // called on the outbox's goroutine or in Open; must not block; may be nil
	MaxBytes  int64             // cap of the file
	KeepAcked uint64            // acknowledged records kept at most
	KeepFor   time.Duration     // acknowledged records kept at most so long
	Reserve   int64             // bytes of disk reserved at creation, beyond the file's size; 0 = none
	// Commit wraps every write transaction; nil runs it. Tests use it to fail a commit before or
	// after it happened.
	Commit func(commit func() error) error
	// Turned is called after each turn of Run, at least once a minute while no write hangs; nil = nobody watches.
	Turned func()
}

// NoticeKind names something that an operator or the entry log has to hear of.
type NoticeKind uint8

// Notices.
const (
	NoticeNone     NoticeKind = iota
	NoticeLevel               // Level changed: 80 % warns, 95 % is critical, 100 % refuses
	NoticeLatched             // a write failed; doors that need a record stay locked until NoticeReopened
	NoticeReopened            // the file was read again and accepts records
	NoticeDamaged             // the file was damaged; its whole prefix was saved, a new epoch has begun
	NoticeDoubt               // a spoilt meta page: the last commit may be missing, a new epoch has begun
	NoticeEpoch               // a new epoch has begun (also at creation)
)

// String gives the kind's stable name.
func (k NoticeKind) String() string {
	names := [...]string{"none", "level", "latched", "reopened", "damaged", "doubt", "epoch"}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Notice is one such event.
type Notice struct {
	Kind  NoticeKind
	Level Level
	Epoch wire.Epoch // the current epoch after the event
	Saved uint64     // NoticeDamaged: records saved
	Aside string     // NoticeDamaged: where the damaged file lies
	Err   error
}

// Level says how full the file is.
type Level uint8

// Levels; the zero one is fine.
const (
	LevelOK       Level = iota
	LevelWarn           // ≥ 80 %
	LevelCritical       // ≥ 95 %
	LevelFull           // appends are refused
)

// String gives the level's stable name.
func (l Level) String() string { return [...]string{"ok", "warn", "critical", "full"}[l&3] }

// Entry is one record to be made durable. Gateway, Epoch, Seq and GCommit of the record are set here.
type Entry struct {
	Record  wire.Record
	Private []byte    // sealed private part (wire.SealPrivate); empty = none
	PIN     PINUpdate // stored in the same transaction
	// Done is called exactly once, from the outbox's goroutine or from Append itself. It must not
	// block and must not call back into the outbox.
	Done func(Result)
}

// PINUpdate sets the count of wrong PINs of one card; the zero update changes nothing.
type PINUpdate struct {
	Set    bool
	Key    access.Key // the token; only its SHA-256 is stored
	Failed uint8      // 0 forgets the card
}

// Result says what became of an Entry. The record is durable only if Err is nil; an error means
// "unknown", never "absent".
type Result struct {
	Epoch wire.Epoch
	Seq   uint64
	Err   error
}

// Stat is a snapshot for the uplink and the status page. Epoch … Acked describe the epoch that is to
// be sent next, which is an older one until its last record is acknowledged.
type Stat struct {
	Epoch    wire.Epoch
	Tail     uint64    // first seq still kept; Head+1 when none is
	Head     uint64    // last durable seq, 0 = none
	HeadHash wire.Hash // chain hash at Head
	Acked    uint64
	Current  wire.Epoch // the epoch in which records are numbered now
	Pending  uint64     // unacknowledged records over all epochs that are sent
	Used     int64      // bytes in use
	Cap      int64      // bytes at which appends are refused
	Level    Level
	Latched  bool
}

// Outbox is one gateway's queue. Its methods may be called from any goroutine.
type Outbox struct {
	cfg Config

	// queue is filled by the callers and emptied by Run.
	queueMu sync.Mutex
	queue   []op
	closed  bool
	wake    chan struct{} // capacity 1

	changed chan struct{} // capacity 1, see Changed

	// dbMu guards db against being closed while it is read; only Run's goroutine and Close write it.
	dbMu sync.RWMutex
	db   *bbolt.DB // nil while latched or closed

	// stateMu guards what the callers may look at; only Run's goroutine and Open write it.
	stateMu sync.RWMutex
	epochs  []epochRow // oldest first; the last is the current one
	pins    map[[32]byte]uint8
	reset   int64 // number of the newest PIN reset taken
	trusted int64
	used    int64
	level   Level
	latched bool

	nextAge  time.Time // Run's goroutine only
	recalled bool      // Run's goroutine only; older epochs are offered again since the last new ack
	lockFile *os.File  // open, Run and Close only
}

// op is one thing for Run's goroutine to do.
type op struct {
	kind  opKind
	entry Entry
	epoch wire.Epoch
	seq   uint64
	hash  wire.Hash
	wall  int64
	back  bool // wall may go back
	why   string
	pins  []PINUpdate
	done  func(error)
}

type opKind uint8

const (
	opAppend opKind = iota
	opAck
	opTrusted
	opNewEpoch
	opSuspect // a read met damage
	opRecall  // the server knows less than it had acknowledged
	opResetPINs
)

// Open opens or creates the outbox: it walks the whole chain, saves what can be saved of a damaged
// file, and mints a new epoch where one is due. It returns an error only when there is no usable
// file at all; the gateway then grants nothing on its own (I1).
func Open(cfg Config) (*Outbox, error) {
	if cfg.Path == "" || cfg.Gateway == "" || cfg.Stamp == nil {
		return nil, errors.New("open outbox: path, gateway and stamp are needed")
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.KeepAcked == 0 {
		cfg.KeepAcked = DefaultKeepAcked
	}
	if cfg.KeepFor == 0 {
		cfg.KeepFor = DefaultKeepFor
	}
	if cfg.Commit == nil {
		cfg.Commit = func(commit func() error) error { return commit() }
	}
	o := &Outbox{
		cfg:     cfg,
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}, 1),
	}
	if err := o.open(); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	return o, nil
}

// Append queues e and returns at once. e.Done tells when it is durable or that it is not.
func (o *Outbox) Append(e Entry) {
	if err := o.push(op{kind: opAppend, entry: e}); err != nil && e.Done != nil {
		e.Done(Result{Err: err}) // fail secure: no record, so nothing moves for it
	}
}

// Acked queues the server's acknowledgement: everything of epoch up to seq, whose chain hash is
// hash, is committed there. done, which may be nil, gets ErrUnknown or ErrFork when it does not fit
// our chain; nothing is then trimmed. An older ack than the last is ignored.
func (o *Outbox) Acked(epoch wire.Epoch, seq uint64, hash wire.Hash, done func(error)) {
	o.pushOr(op{kind: opAck, epoch: epoch, seq: seq, hash: hash, done: done})
}

// SaveTrusted stores the last trusted wall time, UTC milliseconds (D12). It never goes back.
func (o *Outbox) SaveTrusted(wallMS int64, done func(error)) {
	o.pushOr(op{kind: opTrusted, wall: wallMS, done: done})
}

// CorrectTrusted stores the server's signed time, UTC milliseconds > 0, as the last trusted one. It may
// go back: what was trusted before came of a clock that was wrong, and would keep the true time untrusted
// for ever (D12).
func (o *Outbox) CorrectTrusted(wallMS int64, done func(error)) {
	o.pushOr(op{kind: opTrusted, wall: wallMS, back: true, done: done})
}

// ResetPINs sets the counts of wrong PINs that an officer's reset leaves and stores its number, UTC milliseconds, in one
// transaction (AD-13). A number not above the one stored changes nothing: a reset is taken once.
func (o *Outbox) ResetPINs(number int64, counts []PINUpdate, done func(error)) {
	o.pushOr(op{kind: opResetPINs, wall: number, pins: counts, done: done})
}

// PINReset is the number of the newest reset that was taken, 0 = none yet.
func (o *Outbox) PINReset() int64 {
	o.stateMu.RLock()
	defer o.stateMu.RUnlock()
	return o.reset
}

// NewEpoch begins a new epoch, because the server knows records that this file does not hold (a
// rolled back or cloned card). why is a word of [a-z]{1,20}. The epoch that was being sent is kept
// aside: its unacknowledged records share numbers with others, so they are not sent.
func (o *Outbox) NewEpoch(why string, done func(error)) {
	o.pushOr(op{kind: opNewEpoch, why: why, done: done})
}

func (o *Outbox) pushOr(p op) {
	if err := o.push(p); err != nil && p.done != nil {
		p.done(err)
	}
}

func (o *Outbox) push(p op) error {
	o.queueMu.Lock()
	defer o.queueMu.Unlock()
	switch {
	case o.closed:
		return ErrClosed
	case len(o.queue) >= queueLimit:
		return ErrBusy
	}
	o.queue = append(o.queue, p)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil
}

// Changed receives something after Stat has changed. One value may stand for many changes; there is
// one receiver, the uplink.
func (o *Outbox) Changed() <-chan struct{} { return o.changed }

// Stat returns the present state.
func (o *Outbox) Stat() Stat {
	o.stateMu.RLock()
	defer o.stateMu.RUnlock()
	s := Stat{Used: o.used, Cap: o.cfg.MaxBytes, Level: o.level, Latched: o.latched}
	if len(o.epochs) == 0 {
		return s
	}
	row := o.epochs[sendingOf(o.epochs)]
	s.Epoch, s.Tail, s.Head, s.HeadHash, s.Acked = row.epoch, row.tail, row.head, row.headHash, row.acked
	s.Current = o.epochs[len(o.epochs)-1].epoch
	for _, r := range o.epochs {
		if !r.aside {
			s.Pending += r.head - r.acked
		}
	}
	return s
}

// sendingOf is the index of the oldest epoch that still has something to send.
func sendingOf(epochs []epochRow) int {
	for i, r := range epochs {
		if !r.aside && r.acked < r.head {
			return i
		}
	}
	return len(epochs) - 1
}

// PINFailed is the number of wrong PINs in a row given with the card of this token.
func (o *Outbox) PINFailed(key access.Key) uint8 {
	o.stateMu.RLock()
	defer o.stateMu.RUnlock()
	return o.pins[pinKey(key)]
}

// Trusted is the last trusted wall time, UTC milliseconds; 0 = none yet.
func (o *Outbox) Trusted() int64 {
	o.stateMu.RLock()
	defer o.stateMu.RUnlock()
	return o.trusted
}

// Run does all writing until ctx ends, then commits what is queued and returns. Appends wait until
// it runs.
func (o *Outbox) Run(ctx context.Context) {
	age := time.NewTicker(agePause)
	defer age.Stop()
	for {
		select {
		case <-ctx.Done():
			o.queueMu.Lock()
			o.closed = true
			o.queueMu.Unlock()
			for o.work() {
			}
			return
		case <-o.wake:
		case <-age.C:
		}
		for o.work() && ctx.Err() == nil {
		}
		if o.isLatched() {
			o.retryOpen(ctx)
		}
		if o.cfg.Turned != nil {
			o.cfg.Turned()
		}
	}
}

// Close closes the file. Call it after Run has returned; appends are refused from then on.
func (o *Outbox) Close() error {
	o.queueMu.Lock()
	o.closed = true
	rest := o.queue
	o.queue = nil
	o.queueMu.Unlock()
	refuse(rest, ErrClosed)
	return o.closeDB()
}

func (o *Outbox) isLatched() bool {
	o.stateMu.RLock()
	defer o.stateMu.RUnlock()
	return o.latched
}

func (o *Outbox) notify(n Notice) {
	if o.cfg.Notify != nil {
		o.cfg.Notify(n)
	}
}

func (o *Outbox) tellChanged() {
	select {
	case o.changed <- struct{}{}:
	default:
	}
}
