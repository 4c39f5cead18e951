package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/keystore"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// applicationID marks the file as ours (SQLite header, "monb").
	applicationID = 0x6d6f6e62
	// minSQLite: older ones can lose a WAL reset race between connections.
	minSQLite = 3051003
	// checkpointEvery is half the promised second from a leaf to its checkpoint (a page shows what is signed), so
	// that signing and two fsyncs fit into the other half.
	checkpointEvery = 500 * time.Millisecond
)

// Errors that callers branch on.
var (
	ErrNotFound = errors.New("not found")
	ErrClosed   = errors.New("store is closed")
	// ErrLatched says that an I/O error came before: what was being written may or may not be on the
	// disk. Close, open again and verify.
	ErrLatched = errors.New("store has latched after an I/O error")
	// ErrTrial says that nothing is written, signed or acknowledged, because a new version is tried on this database (Options.Trial).
	ErrTrial = errors.New("a new version is being tried: nothing is written until it is kept")
	// ErrNotNext says that a record does not follow on the watermark of its chain.
	ErrNotNext = errors.New("record does not follow on the watermark")
)

// Signer is what the store needs of server/signer.
type Signer interface {
	SignCheckpoint(text string, proof tlog.TreeProof) ([]byte, error)
	LastCheckpoint() (size int64, root tlog.Hash)
}

// Options of Open. Zone and Keys are required.
type Options struct {
	Zone *time.Location     // the site's; days and fiscal years are counted in it. Fixed with the first leaf.
	Keys *keystore.KeyStore // where openings are sealed

	Terms directory.Terms // numbers of the rules that the site has set; every directory that is read carries them

	// Signer and Log sign and verify checkpoints. Without a Signer nothing is signed and Checkpoint
	// stays empty; Log alone lets the start-up comparison run.
	Signer Signer
	Log    note.Verifier
	Anchor string // file beside which the database's head is compared at start; "" = path + ".anchor"

	// Trial opens it for looking only: after the migrations nothing is written, signed or acknowledged (ErrTrial), so that the copy from before
	// them can be put back and nothing is lost. Doors decide by what their gateways hold meanwhile.
	Trial bool

	CheckpointEvery time.Duration // from a leaf to its checkpoint; 0 = 500 ms
	Readers         int           // reads at the same time; 0 = 4
	Rand            io.Reader     // nil = crypto/rand
	Logger          *slog.Logger  // nil = none
	Checkpointed    func()        // called after each published checkpoint; may be nil, must not block
}

// Store is the open database.
type Store struct {
	path string
	opt  Options
	fold attempt.Fold

	write *sql.DB // one connection, held by conn
	conn  *writeConn
	read  *sql.DB
	stmts sync.Map // query → *sql.Stmt of the read pool
	// A statement is prepared on a connection of its own. If readers could hold all, and each prepared one, all would wait for ever:
	// reads has a place for each reader, and the pool beyond them a connection for the one that prepares and one for a verification.
	reads     chan struct{} // nil = one reader at a time
	preparing sync.Mutex

	turns  turns
	quit   chan struct{} // closed by Close
	dirty  chan struct{} // wakes the checkpointer
	ended  chan struct{} // closed by the checkpointer goroutine when it has ended
	failed chan struct{} // closed when the store latches
	once   sync.Once

	// owned by whoever has the turn
	tree    entrylog.Tree
	chains  map[chainKey]chainState // committed
	latched error
	since   int64 // leaf from which on the log's present key signs: its succession; -1 = from the first

	mu        sync.Mutex
	head      entrylog.Tree // mu; copy of the committed tree
	signErr   error         // mu; why nothing is signed
	signLater bool          // mu; only because the disk is full: it is tried again

	size       atomic.Int64
	checkpoint atomic.Pointer[string]
	signing    sync.Mutex // one checkpoint at a time
	unfinished bool       // signing; a crash left the newest stored checkpoint out of the anchor file
}

// connector opens connections and asserts on each what the promises rest on.
type connector struct {
	dsn string
	drv *sqlite3.SQLiteDriver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.drv.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.drv }

// busyTimeoutMS is how long a connection waits for a lock.
const busyTimeoutMS = 5000

func openPool(path string, readOnly bool, conns int) *sql.DB {
	q := url.Values{}
	q.Set("_foreign_keys", "on")
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", "FULL")
	q.Set("_busy_timeout", strconv.Itoa(busyTimeoutMS))
	q.Set("_txlock", "immediate")
	if readOnly {
		q.Set("mode", "ro")
		q.Set("_query_only", "on")
		q.Set("_txlock", "deferred")
	}
	dsn := (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
	db := sql.OpenDB(connector{dsn: dsn, drv: &sqlite3.SQLiteDriver{ConnectHook: assertPragmas}})
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db
}

// assertPragmas refuses a connection on which a commit would not mean "on the disk".
func assertPragmas(c *sqlite3.SQLiteConn) error {
	for _, p := range [...]struct{ name, want string }{
		{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"},
	} {
		got, err := pragma(c, p.name)
		if err != nil {
			return err
		}
		if got != p.want {
			return fmt.Errorf("PRAGMA %s is %q, want %q", p.name, got, p.want)
		}
	}
	// The WAL file shrinks to 64 MiB after a burst, some 100,000 decisions. 16 MiB of page cache keep
	// the inner pages of the indexes in memory for years of entries, those of random ids (before ADR 0088, and of commands) too.
	// What is deleted is written over (EV-9). The log is copied into the file each 4,000 pages, some 800 lone decisions, instead of each
	// 1,000: the pages at the ends of the tables are copied a quarter as often, and fewer than one decision in a hundred waits for it.
	_, err := c.Exec("PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384; PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 4000", nil)
	return err
}

func pragma(c *sqlite3.SQLiteConn, name string) (string, error) {
	rows, err := c.Query("PRAGMA "+name, nil)
	if err != nil {
		return "", fmt.Errorf("read PRAGMA %s: %w", name, err)
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return "", fmt.Errorf("read PRAGMA %s: %w", name, err)
	}
	return fmt.Sprint(row[0]), nil
}

// Open opens or creates the database at path, brings its schema up to date and starts the checkpointer.
// Every error is one line that names path.
func Open(path string, opt Options) (*Store, error) {
	s, err := open(path, opt)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, oneLine(err))
	}
	return s, nil
}

func oneLine(err error) error {
	if strings.Contains(err.Error(), "\n") {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return err
}

func open(path string, opt Options) (*Store, error) {
	if opt.Zone == nil || opt.Keys == nil {
		return nil, errors.New("no time zone or no key store given")
	}
	if _, n, _ := sqlite3.Version(); n < minSQLite {
		return nil, fmt.Errorf("this program was built with SQLite %d, which is older than %d", n, minSQLite)
	}
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Anchor == "" {
		opt.Anchor = path + ".anchor"
	}
	if opt.CheckpointEvery == 0 {
		opt.CheckpointEvery = checkpointEvery
	}
	if opt.Readers == 0 {
		opt.Readers = 4
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	s := &Store{
		path: path, opt: opt, fold: attempt.Fold{Zone: opt.Zone},
		quit: make(chan struct{}), dirty: make(chan struct{}, 1), ended: make(chan struct{}), failed: make(chan struct{}),
		chains: map[chainKey]chainState{}, since: -1,
	}
	if err := s.start(); err != nil {
		s.closePools()
		return nil, err
	}
	go s.checkpointer() // ends in Close
	return s, nil
}

// createPrivate makes an empty file that only its owner can read; SQLite would make it 0644.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return errors.New("is not a file")
		}
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// start opens the pools, migrates and loads what the writer needs.
func (s *Store) start() error {
	ctx := context.Background()
	s.write = openPool(s.path, false, 1)
	c, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	s.conn = &writeConn{conn: c, stmts: map[string]*sql.Stmt{}}
	if err := migrate(ctx, c, migrations, nil); err != nil {
		return err
	}
	s.read = openPool(s.path, true, s.opt.Readers+2)
	s.reads = make(chan struct{}, s.opt.Readers)
	if err := s.read.PingContext(ctx); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	s.compareAnchor()
	switch {
	case s.opt.Trial: // a trial signs nothing
		if s.SignErr() == nil {
			s.refuseToSign(ErrTrial)
		}
	case s.unfinished || s.publishedSize() < s.tree.Size(): // what a crash left half done need not wait for the next leaf
		s.wake()
	}
	return nil
}

// load reads the right edge and checks the end of the log; an empty one gets its genesis leaf.
func (s *Store) load() error {
	r := Reader{q: s.conn}
	size, err := r.LogSize()
	if err != nil {
		return err
	}
	if s.tree, err = entrylog.Load(size, r.hashes); err != nil {
		return err
	}
	if size == 0 {
		if err := s.genesis(); err != nil {
			return fmt.Errorf("write genesis leaf: %w", err)
		}
	}
	first, err := r.Leaf(0)
	if err != nil {
		return fmt.Errorf("read genesis leaf: %w", err)
	}
	g, err := entrylog.ParseSystem(first.Body)
	if err != nil || g.Name != entrylog.SystemGenesis {
		return fmt.Errorf("the log does not begin with a genesis leaf")
	}
	if z := g.Value("zone"); z != s.opt.Zone.String() {
		return fmt.Errorf("the log counts days in %s, not in %s", z, s.opt.Zone)
	}
	origin, err := s.origin(r, g.Value("origin"))
	if err != nil {
		return err
	}
	if s.opt.Log != nil && origin != s.opt.Log.Name() {
		return fmt.Errorf("the log is %q, the log key signs %q", origin, s.opt.Log.Name())
	}
	if err := s.checkTail(r); err != nil {
		return err
	}
	s.publishHead()
	return nil
}

func (s *Store) genesis() error {
	origin := ""
	if s.opt.Log != nil {
		origin = s.opt.Log.Name()
	}
	return s.submit(context.Background(), func(tx *Tx) error {
		_, err := tx.AppendSystem(entrylog.System{
			Name: entrylog.SystemGenesis, Values: []string{origin, s.opt.Zone.String()}, AtMS: time.Now().UnixMilli(),
		}, nil)
		return err
	})
}

// tailLeaves is how many of the newest leaves are re-hashed at start: the ones a torn write could
// have hit. `verify` does all of them.
const tailLeaves = 64

func (s *Store) checkTail(r Reader) error {
	size := s.tree.Size()
	for idx := max(0, size-tailLeaves); idx < size; idx++ {
		l, err := r.Leaf(idx)
		if err != nil {
			return err
		}
		h, err := r.hashes(idx)
		if err != nil {
			return err
		}
		if _, gone := entrylog.DroppedBy(l.Body); gone {
			continue
		}
		if got := entrylog.LeafHash(l.Body); string(got[:]) != string(h[:32]) {
			return fmt.Errorf("leaf %d is damaged: its body does not have its stored hash", idx)
		}
	}
	return nil
}

func (s *Store) closePools() {
	if s.conn != nil {
		s.conn.close()
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			db.Close() // both pools are idle here; closing reports nothing that matters
		}
	}
}

// Close signs what is not yet signed, ends the checkpointer and closes the file. Writes that are
// queued are still committed; later ones get ErrClosed.
func (s *Store) Close() error {
	s.once.Do(func() { // who calls while it is being closed waits until it is
		s.turns.mu.Lock()
		s.turns.closing = true
		s.turns.mu.Unlock()
		close(s.quit)
		<-s.ended
		s.shut()
		s.closePools()
	})
	return nil
}

// Size is the number of committed leaves.
func (s *Store) Size() int64 { return s.size.Load() }

// Failed is closed when the writer has latched (ErrLatched).
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Zone is the site's time zone.
func (s *Store) Zone() *time.Location { return s.opt.Zone }

// Keys is the key store that openings are sealed in.
func (s *Store) Keys() *keystore.KeyStore { return s.opt.Keys }

// publishHead shows the committed tree to other goroutines. Called by who has the turn only.
func (s *Store) publishHead() {
	s.mu.Lock()
	s.head = s.tree
	s.mu.Unlock()
	s.size.Store(s.tree.Size())
}

// QuickCheck runs SQLite's own structural check on the read pool: for a scheduled job.
func (s *Store) QuickCheck(ctx context.Context) error {
	var result string
	if err := s.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return fmt.Errorf("database %s: quick_check: %w", s.path, err)
	}
	if result != "ok" {
		return fmt.Errorf("database %s: quick_check: %s", s.path, result)
	}
	return nil
}
