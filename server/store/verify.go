package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
	"monban/server/timestamp"
)

// VerifyOptions of a verification.
type VerifyOptions struct {
	Log note.Verifier // public half of the log key; required
	// Before are the keys of logs that this one follows, in any order: the leaves before a succession
	// were signed with them.
	Before []note.Verifier
	// Keys, when given, has every opening decrypted and compared with its leaf's commitment, as far as
	// its key is still there. Without it, openings are checked for presence, year and class only.
	Keys *keystore.KeyStore
	// Restored says that the log may end as one of those in Before: a backup older than a succession.
	Restored bool
	// Structure adds SQLite's own integrity check: that every index holds what its table holds. Pages
	// find rows through indexes, so a row can be hidden there and nowhere else.
	Structure bool
	// Held are checkpoints that others hold, their signatures checked: the log must be the one they name.
	Held []logcheck.Held
	// Stamps says whose time stamps are believed; nil = each is checked with the certificate that it brings along.
	Stamps *timestamp.Trust
	// Progress is told now and then how many of the leaves were checked; nil = nobody is.
	Progress func(done, of int64)
	// State gives the saved state of that name to go on from, nil data when there is none; Save takes one every Every leaves
	// (0 = 65,536), at the next checkpoint that fits. Either may be nil. The name is in the report (Report.StateName).
	State func(name string) ([]byte, error)
	Save  func(name string, data []byte)
	Every int64
}

// VerifyFile checks a database file that no server needs to run on. An error means that the check
// could not be carried out (exit 2); what was found is in the result.
func VerifyFile(ctx context.Context, path string, opt VerifyOptions) (entrylog.Result, error) {
	rep, err := ReportOnFile(ctx, path, opt)
	return *rep.Result, err
}

// ReportOnFile is VerifyFile with all that a page of plain words says of it. The report is never nil.
func ReportOnFile(ctx context.Context, path string, opt VerifyOptions) (*logcheck.Report, error) {
	db := openPool(path, true, 1)
	defer db.Close() // read-only: nothing is lost by an error here
	rep, err := verifyDB(ctx, db, opt)
	if err != nil {
		return rep, fmt.Errorf("verify %s: %w", path, oneLine(err))
	}
	return rep, nil
}

// Verify checks the open database as it was committed when the check began.
func (s *Store) Verify(ctx context.Context, opt VerifyOptions) (entrylog.Result, error) {
	rep, err := verifyDB(ctx, s.read, opt)
	if err != nil {
		return *rep.Result, fmt.Errorf("verify %s: %w", s.path, oneLine(err))
	}
	return *rep.Result, nil
}

func verifyDB(ctx context.Context, db *sql.DB, opt VerifyOptions) (rep *logcheck.Report, err error) {
	res := &entrylog.Result{}
	rep = &logcheck.Report{Result: res, Database: &logcheck.Database{Decrypted: opt.Keys != nil, Structure: opt.Structure}}
	if opt.Log == nil {
		return rep, errors.New("no public log key given")
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return rep, err
	}
	defer tx.Rollback() // a read has nothing to commit
	if err := verifySchema(ctx, tx, res); err != nil {
		return rep, err
	}
	zone, fault, err := logZone(ctx, tx, opt.Log, opt.Before)
	if err != nil {
		return rep, err
	}
	if fault != "" {
		res.Findings = append(res.Findings, entrylog.Finding{Table: "log_leaf", Key: "0", What: fault + "; nothing after it could be judged"})
		return rep, nil
	}
	if err := errors.Join(cosignedHeld(ctx, tx, &opt, res), stampsHeld(ctx, tx, &opt, res)); err != nil {
		return rep, err
	}
	if err := tx.QueryRowContext(ctx, `SELECT max(idx) + 1 FROM log_leaf`).Scan(&rep.Head.Log); err != nil {
		return rep, err
	}
	c, err := newCheck(ctx, tx, opt, zone, rep)
	defer c.close()
	if err != nil {
		return rep, err
	}
	if err := c.run(); err != nil {
		return rep, err
	}
	c.report()
	if opt.Structure {
		return rep, integrityCheck(ctx, tx, res)
	}
	return rep, nil
}

func integrityCheck(ctx context.Context, tx *sql.Tx, res *entrylog.Result) error {
	rows, err := tx.QueryContext(ctx, `PRAGMA integrity_check`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			res.Add("sqlite", "integrity_check", "%s", line)
		}
	}
	return rows.Err()
}

// logZone reads the time zone out of the genesis leaf, which the tree covers like every other. A genesis
// leaf that is gone or is not what was hashed is a finding, and nothing else can be judged without it:
// then fault says so and zone is nil. A log of another key is an error: it could not be checked.
func logZone(ctx context.Context, tx *sql.Tx, log note.Verifier, before []note.Verifier) (zone *time.Location, fault string, err error) {
	var body, hashes []byte
	err = tx.QueryRowContext(ctx, `SELECT body, hashes FROM log_leaf WHERE idx = 0`).Scan(&body, &hashes)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "the genesis leaf is missing", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("genesis leaf: %w", err)
	}
	if h := entrylog.LeafHash(body); len(hashes) < len(h) || string(hashes[:len(h)]) != string(h[:]) {
		return nil, "the genesis leaf is not the one that was hashed", nil
	}
	g, err := entrylog.ParseSystem(body)
	if err != nil || g.Name != entrylog.SystemGenesis {
		return nil, "the log does not begin with a genesis leaf", nil
	}
	if o := g.Value("origin"); (&logcheck.Keys{Log: log, Before: before}).Of(o) == nil {
		return nil, "", fmt.Errorf("the log is %q, the given key is that of %q", o, log.Name())
	}
	if zone, err = time.LoadLocation(g.Value("zone")); err != nil {
		return nil, "", fmt.Errorf("genesis leaf: %w", err)
	}
	return zone, "", nil
}

type schemaObject struct{ kind, name, text string }

func readSchema(ctx context.Context, q interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}) (map[string]schemaObject, error) {
	rows, err := q.QueryContext(ctx, `SELECT type, name, coalesce(sql, '') FROM sqlite_master`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]schemaObject{}
	for rows.Next() {
		var o schemaObject
		if err := rows.Scan(&o.kind, &o.name, &o.text); err != nil {
			return nil, err
		}
		out[o.name] = o
	}
	return out, rows.Err()
}

// verifySchema compares tables, indexes and triggers with those this program makes: a missing
// trigger is how somebody with the file begins.
func verifySchema(ctx context.Context, tx *sql.Tx, res *entrylog.Result) error {
	order, err := checkSchema(ctx, tx)
	if err != nil {
		return err
	}
	want, err := madeSchema(ctx, order)
	if err != nil {
		return err
	}
	got, err := readSchema(ctx, tx)
	if err != nil {
		return err
	}
	for name, w := range want {
		g, ok := got[name]
		switch {
		case !ok:
			res.Add("sqlite_master", name, "the %s is missing", w.kind)
		case g != w:
			res.Add("sqlite_master", name, "the %s is not the one this program makes", w.kind)
		}
	}
	for name, g := range got {
		if _, ok := want[name]; !ok {
			res.Add("sqlite_master", name, "the %s is not one this program makes", g.kind)
		}
	}
	return nil
}

// madeSchemas holds what the migrations make, by the order in which they were applied: a process that verifies
// many files makes it once. The maps in it are only read.
var madeSchemas sync.Map // string → map[string]schemaObject

// madeSchema returns the schema that this program's migrations make in the given order.
func madeSchema(ctx context.Context, order []int64) (map[string]schemaObject, error) {
	key := fmt.Sprint(order)
	if known, ok := madeSchemas.Load(key); ok {
		return known.(map[string]schemaObject), nil
	}
	mem := sql.OpenDB(connector{dsn: "file::memory:", drv: &sqlite3.SQLiteDriver{}})
	defer mem.Close() // in memory
	mem.SetMaxOpenConns(1)
	fresh, err := mem.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer fresh.Close()
	if err := migrate(ctx, fresh, migrations, order); err != nil {
		return nil, err
	}
	made, err := readSchema(ctx, fresh)
	if err != nil {
		return nil, err
	}
	madeSchemas.Store(key, made)
	return made, nil
}
