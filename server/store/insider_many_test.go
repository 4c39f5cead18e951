package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"monban/server/entrylog"
)

// edits is an insider's handle on the file: triggers are gone, foreign keys off.
type edits struct {
	t    *testing.T
	db   *sql.DB
	rnd  *rand.Rand
	size int64
}

type rawLeaf struct {
	kind string
	body []byte
}

func (e *edits) exec(text string, args ...any) {
	e.t.Helper()
	_, err := e.db.Exec(text, args...)
	must(e.t, err)
}

func (e *edits) leaf() int64 { return e.rnd.Int64N(e.size) }

func (e *edits) read() []rawLeaf {
	e.t.Helper()
	rows, err := e.db.Query(`SELECT kind, body FROM log_leaf ORDER BY idx`)
	must(e.t, err)
	defer rows.Close()
	var out []rawLeaf
	for rows.Next() {
		var l rawLeaf
		must(e.t, rows.Scan(&l.kind, &l.body))
		out = append(out, l)
	}
	must(e.t, rows.Err())
	return out
}

// rehash writes the leaves anew with a tree that fits them, and a record's chain hashes stay as they are.
func (e *edits) rehash(leaves []rawLeaf) {
	e.t.Helper()
	e.exec(`DELETE FROM log_leaf`)
	var tree entrylog.Tree
	tx, err := e.db.Begin()
	must(e.t, err)
	for i, l := range leaves {
		_, hashes := tree.Append(nil, entrylog.LeafHash(l.body))
		_, err := tx.Exec(`INSERT INTO log_leaf (idx, kind, body, hashes) VALUES (?, ?, ?, ?)`, i, l.kind, l.body, hashes)
		must(e.t, err)
	}
	must(e.t, tx.Commit())
}

// bend changes one digit of the body at random, so that it stays a leaf of its kind most times.
func (e *edits) bend(b []byte) []byte {
	b = slices.Clone(b)
	for {
		i := e.rnd.IntN(len(b))
		if b[i] >= '0' && b[i] <= '9' {
			b[i] = '0' + (b[i]-'0'+1+byte(e.rnd.IntN(9)))%10
			return b
		}
	}
}

// shiftUp makes room at idx, bodies and stored hashes alike.
func (e *edits) shiftUp(idx int64) {
	e.exec(`UPDATE log_leaf SET idx = idx + 1000000000 WHERE idx >= ?`, idx)
	e.exec(`UPDATE log_leaf SET idx = idx - 999999999 WHERE idx >= 1000000000`)
}

// Goal 25, I8, EV-1: edits of the database at random, without the log key, in the five classes: deleted,
// edited, inserted into the past, swapped, the whole tree hashed again. Verify names each.
// MONBAN_INSIDER sets how many of each class.
func TestInsiderMany(t *testing.T) {
	each := 8
	if v := os.Getenv("MONBAN_INSIDER"); v != "" {
		var err error
		each, err = strconv.Atoi(v)
		must(t, err)
	}
	s, data := template(t)
	rnd := testSeed(t)
	classes := []struct {
		name string
		do   func(e *edits) string // what was done
	}{
		{"delete", func(e *edits) string {
			if e.rnd.IntN(3) == 0 { // a row that people read
				tables := [][2]string{{"record", "idx"}, {"attempt", "first_idx"}, {"attempt_leaf", "idx"}, {"opening", "idx"}, {"finding", "idx"},
					{"quarantine", "idx"}, {"coverage", "idx"}, {"policy_version", "idx"}, {"", ""}}
				table, column := "", ""
				if x := tables[e.rnd.IntN(len(tables))]; x[0] == "" { // the newest leaves
					idx := e.size - 1 - e.rnd.Int64N(20)
					e.exec(`DELETE FROM log_leaf WHERE idx >= ?`, idx)
					return fmt.Sprintf("leaves from %d", idx)
				} else {
					table, column = x[0], x[1]
				}
				var n int64
				must(e.t, e.db.QueryRow(`SELECT count(*) FROM `+table).Scan(&n))
				e.exec(`DELETE FROM `+table+` WHERE `+column+` = (SELECT `+column+` FROM `+table+` ORDER BY `+column+` LIMIT 1 OFFSET ?)`, e.rnd.Int64N(n))
				return "a row of " + table
			}
			idx := e.leaf()
			e.exec(`DELETE FROM log_leaf WHERE idx = ?`, idx)
			return fmt.Sprintf("leaf %d", idx)
		}},
		{"edit", func(e *edits) string {
			idx := e.leaf()
			var body []byte
			must(e.t, e.db.QueryRow(`SELECT body FROM log_leaf WHERE idx = ?`, idx).Scan(&body))
			body = e.bend(body)
			e.exec(`UPDATE log_leaf SET body = ? WHERE idx = ?`, body, idx)
			if e.rnd.IntN(2) == 0 { // with its own hash put right
				h := entrylog.LeafHash(body)
				e.exec(`UPDATE log_leaf SET hashes = CAST(? || substr(hashes, 33) AS BLOB) WHERE idx = ?`, h[:], idx)
			}
			return fmt.Sprintf("leaf %d", idx)
		}},
		{"insert", func(e *edits) string {
			idx, from := 1+e.rnd.Int64N(e.size-1), e.leaf()
			e.exec(`CREATE TEMP TABLE l AS SELECT kind, body, hashes FROM log_leaf WHERE idx = ?`, from)
			e.shiftUp(idx)
			e.exec(`INSERT INTO log_leaf (idx, kind, body, hashes) SELECT ?, kind, body, hashes FROM l`, idx)
			return fmt.Sprintf("leaf %d again at %d", from, idx)
		}},
		{"swap", func(e *edits) string {
			a, b := e.leaf(), e.leaf()
			for {
				var same bool
				must(e.t, e.db.QueryRow(`SELECT (SELECT body FROM log_leaf WHERE idx = ?) = (SELECT body FROM log_leaf WHERE idx = ?)`, a, b).Scan(&same))
				if !same {
					break
				}
				b = e.leaf()
			}
			e.exec(`UPDATE log_leaf SET idx = 1000000000 WHERE idx = ?`, a)
			e.exec(`UPDATE log_leaf SET idx = ? WHERE idx = ?`, a, b)
			e.exec(`UPDATE log_leaf SET idx = ? WHERE idx = 1000000000`, b)
			return fmt.Sprintf("leaves %d and %d", a, b)
		}},
		{"hash again", func(e *edits) string {
			l := e.read()
			i := e.rnd.IntN(len(l) - 1)
			what := ""
			switch e.rnd.IntN(3) {
			case 0:
				l[i].body, what = e.bend(l[i].body), "edited"
			case 1:
				l, what = slices.Delete(l, i, i+1), "deleted"
			default:
				l, what = slices.Insert(l, i+1, l[e.rnd.IntN(len(l))]), "inserted"
			}
			e.rehash(l)
			return fmt.Sprintf("%s at %d, all hashed again", what, i)
		}},
	}
	found := 0
	for n := range each {
		for _, c := range classes {
			must(t, os.WriteFile(s.path, data, 0o600))
			db := rawDB(t, s.path)
			e := &edits{t: t, db: db, rnd: rnd}
			must(t, db.QueryRow(`SELECT count(*) FROM log_leaf`).Scan(&e.size))
			what := c.do(e)
			must(t, db.Close())
			res, err := VerifyFile(context.Background(), s.path, s.verifyOptions(false))
			if err != nil { // e.g. the genesis leaf names another log: nothing is clean then, and it says so (exit 2)
				found++
				continue
			}
			if res.Clean() {
				t.Errorf("%s %d: %s: not found", c.name, n, what)
				continue
			}
			found++
			for _, f := range res.Findings {
				if f.Table == "" || f.Key == "" || strings.Contains(f.String(), "\n") {
					t.Errorf("%s: a finding names no row: %q", what, f)
				}
			}
		}
	}
	t.Logf("%d edits in %d classes, %d found", each*len(classes), len(classes), found)
}
