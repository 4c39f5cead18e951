package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"monban/server/entrylog"
	"monban/server/keystore"
)

// ReadHashed reads body and sealed opening of every leaf of a database and hashes each once, on one
// thread: the floor that a verification is measured against. It checks nothing.
func ReadHashed(ctx context.Context, path string) (leaves int64, err error) {
	db := openPool(path, true, 1)
	defer db.Close() // read-only: nothing is lost by an error here
	rows, err := db.QueryContext(ctx, `SELECT l.idx, l.body, o.row_key, o.ciphertext FROM log_leaf l LEFT JOIN opening o ON o.idx = l.idx ORDER BY l.idx`)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	defer rows.Close()
	var idx int64
	var body, rowKey, ciphertext sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&idx, &body, &rowKey, &ciphertext); err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		sha256.Sum256(body)
		if ciphertext != nil {
			sha256.Sum256(ciphertext)
		}
		leaves++
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return leaves, nil
}

// AppendMeter measures what the tree costs: the same rows into the log and into a plain table of a
// second database. It makes both databases itself and never opens one that is there: its leaves are
// of nobody.
type AppendMeter struct {
	chained, plain *Store
	bodies         [][]byte
	sealed         []keystore.Sealed
	next           int64 // plain's
}

// NewAppendMeter makes the databases path and path+".plain", and one batch of decisions with sealed
// openings.
func NewAppendMeter(path string, opt Options, batch int) (*AppendMeter, error) {
	m := &AppendMeter{next: 1}
	for _, p := range []string{path, path + ".plain"} {
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: is there already", p)
		}
	}
	if err := m.rows(opt.Keys, batch); err != nil {
		return nil, err
	}
	var err error
	if m.chained, err = Open(path, opt); err != nil {
		return nil, err
	}
	opt.Signer, opt.Log = nil, nil
	if m.plain, err = Open(path+".plain", opt); err != nil {
		return nil, errors.Join(err, m.chained.Close())
	}
	err = m.plain.Write(context.Background(), func(tx *Tx) error {
		_, err1 := tx.exec(`CREATE TABLE plain_leaf (idx INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL) STRICT`)
		_, err2 := tx.exec(`CREATE TABLE plain_opening (idx INTEGER PRIMARY KEY REFERENCES plain_leaf (idx), fiscal_year INTEGER NOT NULL,
			class TEXT NOT NULL, row_key BLOB NOT NULL, ciphertext BLOB NOT NULL, person_ref BLOB) STRICT`)
		return errors.Join(err1, err2)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("plain table: %w", err), m.Close())
	}
	return m, nil
}

func (m *AppendMeter) rows(keys *keystore.KeyStore, batch int) error {
	for i := range batch {
		d := entrylog.Decision{
			Gateway: "g-0000", Door: "d-0000", Side: "enter", Outcome: "granted", Reason: "granted", Policy: 7,
			AtMS: time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC).UnixMilli() + int64(i), Assurance: "uid_only",
		}
		d.Ask = sha256Prefix("ask", i)
		d.Attempt = sha256Prefix("attempt", i)
		o := &entrylog.Opening{
			Person: fmt.Sprintf("p%04d", i), Name: "髙橋 健一", Section: "情報政策課", Category: "staff", Masked: "****4567",
			Private: make([]byte, 60), Inputs: make([]byte, 150),
		}
		commit, sealed, err := keys.Seal(keystore.Period{FiscalYear: 2026, Class: entrylog.ClassOf(entrylog.KindDecision, "")}, o)
		if err != nil {
			return fmt.Errorf("seal a row: %w", err)
		}
		d.Commit = commit
		body, err := d.Append(nil)
		if err != nil {
			return fmt.Errorf("encode a row: %w", err)
		}
		m.bodies, m.sealed = append(m.bodies, body), append(m.sealed, sealed)
	}
	return nil
}

func sha256Prefix(word string, i int) (out [16]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", word, i))
	copy(out[:], sum[:])
	return out
}

// Chained commits n batches to the log: tree, stored hashes, checkpoints as they fall due.
func (m *AppendMeter) Chained(ctx context.Context, n int) error {
	for range n {
		err := m.chained.Write(ctx, func(tx *Tx) error {
			for i := range m.bodies {
				if _, err := tx.append(entrylog.KindDecision, m.bodies[i], &m.sealed[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Plain commits n batches of the same rows without any of that.
func (m *AppendMeter) Plain(ctx context.Context, n int) error {
	const (
		insertPlain        = `INSERT INTO plain_leaf (idx, kind, body) VALUES (?, ?, ?)`
		insertPlainOpening = `INSERT INTO plain_opening (idx, fiscal_year, class, row_key, ciphertext, person_ref) VALUES (?, ?, ?, ?, ?, ?)`
	)
	for range n {
		first := m.next
		err := m.plain.Write(ctx, func(tx *Tx) error {
			m.next = first // Write may run this again
			for i, body := range m.bodies {
				if _, err := tx.exec(insertPlain, m.next, string(entrylog.KindDecision), body); err != nil {
					return err
				}
				x := &m.sealed[i]
				var ref any
				if x.PersonRef != nil {
					ref = x.PersonRef
				}
				if _, err := tx.exec(insertPlainOpening, m.next, x.Period.FiscalYear, string(x.Period.Class), x.RowKey, x.Ciphertext, ref); err != nil {
					return err
				}
				m.next++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Close closes both databases.
func (m *AppendMeter) Close() error { return errors.Join(m.chained.Close(), m.plain.Close()) }
