package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/signer"
)

// I4: every pooled connection commits to the disk, not only the first one.
func TestPragmasOnEveryConnection(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	db := openPool(s.path, false, 8)
	defer db.Close()
	for _, pool := range []*sql.DB{db, st.read} {
		var held []*sql.Conn
		for range pool.Stats().MaxOpenConnections - boolInt(pool == st.read) {
			c, err := pool.Conn(t.Context())
			must(t, err)
			held = append(held, c)
			for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
				var got string
				must(t, c.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
				if got != want {
					t.Errorf("connection %d: %s = %s, want %s", len(held), pragma, got, want)
				}
			}
		}
		for _, c := range held {
			must(t, c.Close())
		}
	}
	// and the assertion itself can fail
	weak := sql.OpenDB(connector{dsn: "file:" + s.path + "?_synchronous=NORMAL&_foreign_keys=on", drv: &sqlite3.SQLiteDriver{ConnectHook: assertPragmas}})
	defer weak.Close()
	if err := weak.Ping(); err == nil || !strings.Contains(err.Error(), "synchronous") {
		t.Errorf("a connection with synchronous=NORMAL: %v, want a refusal", err)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestOpenRefusals(t *testing.T) {
	s := newSite(t)
	must(t, s.open(t).Close())
	for name, spoil := range map[string]func(path string){
		"text":          func(p string) { must(t, os.WriteFile(p, []byte(strings.Repeat("not a database\n", 500)), 0o600)) },
		"newer schema":  func(p string) { rawExec(t, p, `PRAGMA user_version = 99`) },
		"other program": func(p string) { rawExec(t, p, `PRAGMA application_id = 5`) },
		"truncated": func(p string) {
			must(t, os.Truncate(p, 8192))
		},
		"directory": func(p string) { must(t, os.Remove(p)); must(t, os.Mkdir(p, 0o700)) },
		"damaged newest leaf": func(p string) {
			rawExec(t, p, `DROP TRIGGER log_leaf_no_update; UPDATE log_leaf SET body = x'7b7d'`)
		},
	} {
		data, err := os.ReadFile(s.path)
		must(t, err)
		path := filepath.Join(t.TempDir(), "copy.db")
		must(t, os.WriteFile(path, data, 0o600))
		spoil(path)
		st, err := Open(path, s.options())
		if err == nil {
			st.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q: want one line naming the file", name, err)
		}
	}
}

func rawExec(t *testing.T, path, text string) {
	t.Helper()
	db := sql.OpenDB(connector{dsn: "file:" + path, drv: &sqlite3.SQLiteDriver{}})
	defer db.Close()
	_, err := db.Exec(text)
	must(t, err)
}

// A log table refuses UPDATE and DELETE as long as its triggers are there (EV-1).
func TestAppendOnlyTriggers(t *testing.T) {
	s, _ := template(t)
	db := sql.OpenDB(connector{dsn: "file:" + s.path, drv: &sqlite3.SQLiteDriver{}})
	defer db.Close()
	for _, c := range covered(t) {
		if _, err := db.Exec(`DELETE FROM ` + c.table); err == nil {
			t.Errorf("DELETE FROM %s went through", c.table)
		}
	}
	for _, q := range []string{
		`UPDATE log_leaf SET body = x'7b7d'`, `UPDATE opening SET class = 'system'`, `UPDATE checkpoint SET note = ''`, `UPDATE record SET idx = 1`,
		`UPDATE attempt SET day = '2026-01-01'`, `UPDATE gateway_chain SET watermark = 0`, `UPDATE finding SET severity = 'low'`,
	} {
		if _, err := db.Exec(q); err == nil {
			t.Errorf("%s went through", q)
		}
	}
}

// One bad operation of a batch costs the others nothing, and leaves nothing of itself.
func TestBatchWithFailure(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	bad := errors.New("no")
	var wg sync.WaitGroup
	started, hold := make(chan struct{}), make(chan struct{})
	wg.Go(func() { // keeps the writer busy until all are queued
		must(t, st.Write(t.Context(), func(*Tx) error { close(started); <-hold; return nil }))
	})
	<-started
	results := make([]error, 40)
	for i := range results {
		wg.Go(func() {
			results[i] = st.Write(t.Context(), func(tx *Tx) error {
				if _, err := tx.AppendDecision(decision(i, monday), person(i)); err != nil {
					return err
				}
				if i == 17 {
					return bad
				}
				return nil
			})
		})
	}
	queued := func() int {
		st.turns.mu.Lock()
		defer st.turns.mu.Unlock()
		return len(st.turns.waiting)
	}
	for queued() < len(results) { // all are queued, or the test times out
		time.Sleep(time.Millisecond)
	}
	close(hold)
	wg.Wait()
	for i, err := range results {
		if want := map[bool]error{true: bad}[i == 17]; !errors.Is(err, want) {
			t.Errorf("write %d = %v, want %v", i, err, want)
		}
	}
	if got := st.Size(); got != 1+39 {
		t.Errorf("%d leaves, want genesis and 39 decisions", got)
	}
	must(t, st.SignNow(t.Context()))
	must(t, st.Close())
	wantClean(t, s.verify(t, true))
}

// A panic in one write is that write's error: those who share its transaction commit, and the turn goes on.
func TestPanicInWrite(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	err := st.Write(t.Context(), func(tx *Tx) error {
		if _, err := tx.AppendDecision(decision(1, monday), person(1)); err != nil {
			return err
		}
		panic("authority")
	})
	if err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("a panicking write gave %v", err)
	}
	if got := st.Size(); got != 1 {
		t.Errorf("%d leaves after a panic, want the genesis leaf alone", got)
	}
	s.fill(t, st, 3)
	must(t, st.Close())
	wantClean(t, s.verify(t, true))
}

// A write whose goroutine ends in its middle latches the store; nobody who waits is left waiting.
func TestGoexitInWriteLatches(t *testing.T) {
	st := newSite(t).open(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = st.Write(t.Context(), func(*Tx) error { runtime.Goexit(); return nil })
	})
	wg.Wait()
	if err := st.Write(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrLatched) {
		t.Errorf("after a write that ended in its middle: %v, want ErrLatched", err)
	}
}

// Writers and two closers at once: every write either commits or gets ErrClosed, and all come back.
func TestCloseWhileWriting(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	var wg sync.WaitGroup
	var committed atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				err := st.Write(context.Background(), func(tx *Tx) error {
					_, err := tx.AppendDecision(decision(1+i*100_000+n, monday), person(i))
					return err
				})
				if errors.Is(err, ErrClosed) {
					return
				}
				must(t, err)
				committed.Add(1)
			}
		})
	}
	for committed.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	for range 2 {
		wg.Go(func() { must(t, st.Close()) })
	}
	wg.Wait()
	wantClean(t, s.verify(t, true))
	if got := st.Size(); got != 1+committed.Load() {
		t.Errorf("%d leaves for %d writes that reported success", got, committed.Load())
	}
}

// A failed statement fails the operation also when its author forgets to look.
func TestIgnoredExecError(t *testing.T) {
	st := newSite(t).open(t)
	err := st.Write(t.Context(), func(tx *Tx) error {
		tx.exec(`INSERT INTO person (id, name, category, active) VALUES ('a', 'x', 'nonsense', 1)`)
		return nil
	})
	if err == nil {
		t.Error("the transaction committed after a failed statement")
	}
	must(t, st.Write(t.Context(), func(tx *Tx) error { return tx.SetSetting("a", "b") }))
}

// After an I/O error nothing is written any more; a reopened store goes on where the disk stands.
func TestLatch(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 5)
	size := st.Size()
	io := sqlite3.Error{Code: sqlite3.ErrIoErr}
	err := st.Write(t.Context(), func(tx *Tx) error {
		if _, err := tx.AppendDecision(decision(900, monday), nil); err != nil {
			return err
		}
		return fmt.Errorf("insert: %w", io)
	})
	if !errors.Is(err, ErrLatched) {
		t.Errorf("write with an I/O error = %v, want ErrLatched", err)
	}
	select {
	case <-st.Failed():
	default:
		t.Error("Failed is not closed")
	}
	if err := st.Write(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrLatched) {
		t.Errorf("next write = %v, want ErrLatched", err)
	}
	must(t, st.Close())
	if err := st.Write(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("write after Close = %v, want ErrClosed", err)
	}
	again := s.open(t)
	if again.Size() != size {
		t.Errorf("%d leaves after reopening, want %d", again.Size(), size)
	}
}

// I2, I3: a record is taken once, in order, linked to the one before.
func TestRecordOrder(t *testing.T) {
	st := newSite(t).open(t)
	tr := newTraffic()
	for _, seq := range []uint64{0, 2, 7} {
		tr.seq["g1"] = seq - 1 // of the record before, so the next is seq
		if seq == 0 {
			tr.seq["g1"] = 1
		}
		err := st.Write(t.Context(), func(tx *Tx) error { _, err := tr.record(tx, "g1", door.EventBoot, [16]byte{}, monday, nil); return err })
		if !errors.Is(err, ErrNotNext) {
			t.Errorf("record %d as the first = %v, want ErrNotNext", tr.seq["g1"]+1, err)
		}
	}
	tr.seq["g1"] = 0
	for range 3 {
		must(t, st.Write(t.Context(), func(tx *Tx) error { _, err := tr.record(tx, "g1", door.EventBoot, [16]byte{}, monday, nil); return err }))
	}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		w, h, err := r.Chain("g1", tr.epoch["g1"])
		must(t, err)
		last, _, err := r.RecordHash("g1", tr.epoch["g1"], 3)
		must(t, err)
		if w != 3 || h != last || h == (entrylog.Hash{}) {
			t.Errorf("chain stands at %d %x, record 3 has %x", w, h, last)
		}
		prev, idx, err := r.RecordHash("g1", tr.epoch["g1"], 2)
		must(t, err)
		l, err := r.Leaf(idx + 1)
		must(t, err)
		rec, err := entrylog.ParseRecord(l.Body)
		must(t, err)
		if entrylog.Hash(wire.ChainHash(wire.Hash(prev), rec.Body)) != last { // the gateway's own function
			t.Error("record 3 is not linked to record 2 as the gateway links it")
		}
		return nil
	}))
}

// EV-3: a database that is behind or different from the last checkpoint is not signed.
func TestAnchor(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 20)
	must(t, st.Close())
	old, err := os.ReadFile(s.path)
	must(t, err)

	st = s.open(t) // equal: goes on
	must(t, st.SignErr())
	s.fill2(t, st, 5)
	must(t, st.Close())
	st = s.open(t)
	must(t, st.SignErr())
	if st.Checkpoint() == "" {
		t.Error("no checkpoint is published after reopening")
	}
	must(t, st.Close())

	restored := func(prepare func(o *Options)) *Store {
		must(t, os.WriteFile(s.path, old, 0o600))
		o := s.options()
		prepare(&o)
		st, err := Open(s.path, o)
		must(t, err)
		t.Cleanup(func() { st.Close() })
		return st
	}
	// yesterday's database: known by the signer, and by the anchor file alone
	for name, prepare := range map[string]func(*Options){
		"signer":          func(*Options) {},
		"anchor file":     func(o *Options) { o.Signer = nil },
		"no anchor there": func(o *Options) { o.Signer, o.Anchor = nil, filepath.Join(s.dir, "none") },
	} {
		st := restored(prepare)
		if err := st.SignErr(); !errors.Is(err, ErrHead) {
			t.Errorf("%s: restored database: SignErr = %v, want ErrHead", name, err)
		}
		// doors go on: decisions are still written
		must(t, st.Write(t.Context(), func(tx *Tx) error { _, err := tx.AppendDecision(decision(5000, monday), nil); return err }))
		if err := st.SignNow(t.Context()); st.opt.Signer != nil && err == nil || st.Checkpoint() != "" {
			t.Errorf("%s: SignNow = %v, checkpoint %q on a restored database", name, err, st.Checkpoint())
		}
		must(t, st.Close())
	}
}

// fill2 adds decisions with other ids than fill.
func (s *site) fill2(tb testing.TB, st *Store, n int) {
	tb.Helper()
	for i := range n {
		must(tb, st.Write(tb.Context(), func(tx *Tx) error { _, err := tx.AppendDecision(decision(1000+i, monday), nil); return err }))
	}
	must(tb, st.SignNow(tb.Context()))
}

// A leaf is covered by a published checkpoint within a second, without anybody asking.
func TestCheckpointWithinASecond(t *testing.T) {
	s := newSite(t)
	published := make(chan struct{}, 8)
	o := s.options()
	o.CheckpointEvery = 0
	o.Checkpointed = func() { published <- struct{}{} }
	st, err := Open(s.path, o)
	must(t, err)
	defer st.Close()
	must(t, st.Write(t.Context(), func(tx *Tx) error { _, err := tx.AppendDecision(decision(1, monday), nil); return err }))
	select {
	case <-published:
	case <-time.After(5 * time.Second): // five times the promise, for a busy machine
		t.Fatal("no checkpoint")
	}
	c, err := entrylog.OpenCheckpoint([]byte(st.Checkpoint()), s.log)
	must(t, err)
	if c.Size != st.Size() {
		t.Errorf("checkpoint of %d leaves, the log has %d", c.Size, st.Size())
	}
	anchor, err := os.ReadFile(s.path + ".anchor")
	must(t, err)
	if string(anchor) != st.Checkpoint() {
		t.Error("the anchor file is not the published checkpoint")
	}
}

// Another log key, another time zone: refused with the reason.
func TestOpenAsAnother(t *testing.T) {
	s := newSite(t)
	must(t, s.open(t).Close())
	o := s.options()
	o.Zone = time.UTC
	if _, err := Open(s.path, o); err == nil || !strings.Contains(err.Error(), "Asia/Tokyo") {
		t.Errorf("another zone: %v", err)
	}
	must(t, signer.Create(s.dir+"/other", "hall", s.rand))
	sg, err := signer.Open(s.dir+"/other", nil)
	must(t, err)
	o = s.options()
	o.Log, _ = sg.Verifier(signer.RoleLog)
	if _, err := Open(s.path, o); err == nil {
		t.Error("another log key: opened")
	}
	if _, err := VerifyFile(context.Background(), s.path, VerifyOptions{Log: o.Log}); err == nil {
		t.Error("another log key: verified")
	}
}

func TestAccountsSessionsSettings(t *testing.T) {
	st := newSite(t).open(t)
	a := Account{ID: "ACCT1", Login: "Hanako", FullName: "髙橋 花子", PasswordHash: "$argon2id$x", CreatedMS: 1,
		Roles: []RoleAssignment{{Role: "auditor", FromMS: 1}, {Role: "zone_manager", Zone: "room", FromMS: 2, UntilMS: 3, Deputy: true}}}
	must(t, st.Write(t.Context(), func(tx *Tx) error { return tx.InsertAccount(a) }))
	if err := st.Write(t.Context(), func(tx *Tx) error { b := a; b.ID = "ACCT2"; b.Login = "hanako"; return tx.InsertAccount(b) }); !errors.Is(err, ErrExists) {
		t.Errorf("same login in other case: %v, want ErrExists", err)
	}
	now := time.UnixMilli(monday)
	code := [32]byte{7}
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		return errors.Join(tx.SaveSession(Session{TokenHash: "t1", Account: "ACCT1", ExpiresMS: monday + 1}),
			tx.SaveSession(Session{TokenHash: "t2", Account: "ACCT1", ExpiresMS: monday}), tx.InsertSetupCode(code, now.Add(time.Minute)))
	}))
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		got, err := r.AccountByLogin("HANAKO")
		must(t, err)
		if got.ID != a.ID || got.FullName != a.FullName || len(got.Roles) != 2 || got.Roles[1] != a.Roles[1] {
			t.Errorf("account %+v", got)
		}
		if _, err := r.Session("t2", monday); !errors.Is(err, ErrNotFound) {
			t.Errorf("expired session: %v", err)
		}
		if _, err := r.AccountByID("none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no account: %v", err)
		}
		return nil
	}))
	use := func() error {
		return st.Write(t.Context(), func(tx *Tx) error { return tx.UseSetupCode(code, now) })
	}
	must(t, use())
	if err := use(); !errors.Is(err, ErrNotFound) {
		t.Errorf("set-up code used twice: %v", err)
	}
}

// entrylog has its own two hash functions, because it imports nothing of ours; they are wire's.
func TestSameHashes(t *testing.T) {
	body := []byte(`{"opening":1}`)
	if entrylog.Commit([32]byte{3}, body) != entrylog.Hash(wire.Commit([32]byte{3}, body)) {
		t.Error("Commit differs from wire.Commit")
	}
	if entrylog.Link(entrylog.Hash{4}, body) != entrylog.Hash(wire.ChainHash(wire.Hash{4}, body)) {
		t.Error("Link differs from wire.ChainHash")
	}
}
