package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"testing"

	"github.com/mattn/go-sqlite3"
)

// dump hashes every row of the covered tables as a program would read them.
func dump(t *testing.T, path string, rows []coveredRow) ([32]byte, error) {
	t.Helper()
	db := sql.OpenDB(connector{dsn: "file:" + path + "?mode=ro", drv: &sqlite3.SQLiteDriver{}})
	defer db.Close()
	h := sha256.New()
	done := map[string]bool{}
	for _, c := range rows {
		if done[c.table] {
			continue
		}
		done[c.table] = true
		res, err := db.Query(`SELECT * FROM ` + c.table)
		if err != nil {
			return [32]byte{}, err
		}
		cols, err := res.Columns()
		if err != nil {
			return [32]byte{}, err
		}
		values := make([]any, len(cols))
		ptrs := make([]any, len(cols))
		for i := range values {
			ptrs[i] = &values[i]
		}
		for res.Next() {
			if err := res.Scan(ptrs...); err != nil {
				return [32]byte{}, err
			}
			fmt.Fprintf(h, "%s %q\n", c.table, values)
		}
		if err := res.Err(); err != nil {
			return [32]byte{}, err
		}
	}
	return [32]byte(h.Sum(nil)), nil
}

// EV-1, I8: one flipped byte anywhere in the closed file is found by verify, or the file cannot be
// read, or it changes nothing that can be read.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	s, data := template(t)
	r := testSeed(t)
	rows := covered(t)
	want, err := dump(t, s.path, rows)
	must(t, err)
	n := 1000
	if testing.Short() {
		n = 100
	}
	var found, refused, harmless, structure int
	for range n {
		at, bit := r.IntN(len(data)), byte(1+r.IntN(255))
		data[at] ^= bit
		must(t, os.WriteFile(s.path, data, 0o600))
		data[at] ^= bit
		res, err := VerifyFile(context.Background(), s.path, s.verifyOptions(true))
		switch {
		case err != nil:
			refused++
		case !res.Clean():
			found++
		default:
			got, err := dump(t, s.path, rows)
			if err != nil || got != want {
				t.Errorf("byte %d ^ %#02x: verify is clean, the dump differs (%v)", at, bit, err)
			}
			harmless++
			opt := s.verifyOptions(false)
			opt.Structure = true
			if res, err := VerifyFile(context.Background(), s.path, opt); err != nil || !res.Clean() {
				structure++ // an index no longer finds what its table holds
			}
		}
		os.Remove(s.path + "-wal") // left by a reader that could not clean up
		os.Remove(s.path + "-shm")
	}
	t.Logf("%d flips in %d bytes: %d found, %d refused, %d harmless to the rows, %d of those found by the structure check",
		n, len(data), found, refused, harmless, structure)
	if structure == 0 && !testing.Short() {
		t.Error("the structure check found nothing: is it on?")
	}
	if found == 0 || found+refused < n/4 {
		t.Errorf("only %d of %d flips mattered: the test does not test", found+refused, n)
	}
}
