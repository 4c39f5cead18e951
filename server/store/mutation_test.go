package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"monban/server/entrylog"
)

var mutationSeed = flag.Uint64("mutation-seed", 0, "seed of the mutation tests; 0 = from the clock")

func testSeed(t *testing.T) *rand.Rand {
	seed := *mutationSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-mutation-seed=%d", seed)
	return rand.New(seeded(seed))
}

// coveredRow is a line of the table in docs/log-format.md.
type coveredRow struct {
	table    string
	key      []string // columns that make the key, joined by "/"
	columns  []string
	openings bool
}

// covered reads what verify promises to cover out of the document.
func covered(t *testing.T) []coveredRow {
	t.Helper()
	text, err := os.ReadFile("../../docs/log-format.md")
	must(t, err)
	_, rest, ok := strings.Cut(string(text), "<!-- covered:")
	if !ok {
		t.Fatal("docs/log-format.md has no table of covered columns")
	}
	var out []coveredRow
	for _, line := range strings.Split(rest, "\n")[3:] {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			break
		}
		out = append(out, coveredRow{
			table: strings.TrimSpace(cells[0]), key: strings.Split(strings.TrimSpace(cells[1]), "/"),
			columns: strings.Fields(cells[2]), openings: strings.TrimSpace(cells[3]) == "openings",
		})
	}
	return out
}

// template is a closed database of some 300 leaves that the mutation tests copy.
func template(t *testing.T) (*site, []byte) {
	t.Helper()
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 60)
	must(t, st.Close())
	if _, err := os.Stat(s.path + "-wal"); err == nil {
		t.Fatal("closing left a WAL behind")
	}
	wantClean(t, s.verify(t, true))
	data, err := os.ReadFile(s.path)
	must(t, err)
	return s, data
}

// rawDB opens a copy of the database without any of the store's protection.
func rawDB(t *testing.T, path string) *sql.DB {
	t.Helper()
	db := sql.OpenDB(connector{dsn: "file:" + path + "?_foreign_keys=off&_synchronous=OFF", drv: &sqlite3.SQLiteDriver{}})
	db.SetMaxOpenConns(1)
	rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'trigger'`)
	must(t, err)
	var triggers []string
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		triggers = append(triggers, name)
	}
	must(t, rows.Err())
	must(t, rows.Close())
	for _, name := range triggers {
		_, err := db.Exec("DROP TRIGGER " + name)
		must(t, err)
	}
	return db
}

// TestCoveredColumns: the document's table and the schema name the same columns, so a new column of
// a log table is either covered or says that it is not.
func TestCoveredColumns(t *testing.T) {
	s, _ := template(t)
	db := rawDB(t, s.path)
	defer db.Close()
	doc := map[string]bool{}
	tables := map[string]bool{}
	for _, c := range covered(t) {
		tables[c.table] = true
		for _, col := range c.columns {
			doc[c.table+"."+col] = true
		}
	}
	for table := range tables {
		rows, err := db.Query(`SELECT name FROM pragma_table_info(?)`, table)
		must(t, err)
		for rows.Next() {
			var col string
			must(t, rows.Scan(&col))
			if !doc[table+"."+col] {
				t.Errorf("docs/log-format.md does not list column %s of %s", col, table)
			}
			delete(doc, table+"."+col)
		}
		must(t, rows.Close())
	}
	for col := range doc {
		t.Errorf("docs/log-format.md lists %s, which does not exist", col)
	}
}

// mutated gives another value of the same type.
func mutated(r *rand.Rand, v any) any {
	switch x := v.(type) {
	case nil:
		b := make([]byte, 16)
		binary.BigEndian.PutUint64(b, r.Uint64())
		return b
	case int64:
		switch r.IntN(3) {
		case 0:
			return x + 1 + int64(r.IntN(5))
		case 1:
			return x ^ 1<<r.IntN(20)
		}
		return int64(r.IntN(1 << 20))
	case []byte:
		b := bytes.Clone(x)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return b
	case string:
		b := []byte(x)
		if len(b) == 0 {
			return "x"
		}
		i := r.IntN(len(b))
		if r.IntN(4) == 0 {
			return string(b[:i]) + string(b[i+1:])
		}
		b[i] = "abcdefgh0123456789_-"[r.IntN(20)]
		return string(b)
	}
	return nil
}

// enum columns have a CHECK; a change must be to another allowed word.
func enumValues(table, column string) []any {
	switch table + "." + column {
	case "log_leaf.kind":
		return []any{"record", "decision", "action", "system"}
	case "opening.class":
		return []any{"register", "action", "violation", "system"}
	case "finding.severity":
		return []any{"low", "medium", "high"}
	case "finding.status":
		return []any{"open", "in_review", "closed"}
	case "coverage.state":
		return []any{"alive", "dead"}
	case "policy_version.part":
		return []any{"rules", "modes", "state"}
	}
	return nil
}

func keyText(values []any) string {
	var parts []string
	for _, v := range values {
		if b, ok := v.([]byte); ok {
			parts = append(parts, fmt.Sprintf("%x", b))
			continue
		}
		parts = append(parts, fmt.Sprint(v))
	}
	return strings.Join(parts, "/")
}

func same(a, b any) bool {
	x, ok := a.([]byte)
	y, ok2 := b.([]byte)
	if ok && ok2 {
		return bytes.Equal(x, y)
	}
	return !ok && !ok2 && a == b
}

// change changes one column of one random row and returns the row's key before and after; false when
// a constraint refused it.
func change(t *testing.T, db *sql.DB, r *rand.Rand, c coveredRow, column string) (before, after string, ok bool) {
	t.Helper()
	var n int
	must(t, db.QueryRow(`SELECT count(*) FROM `+c.table).Scan(&n))
	dest := make([]any, len(c.key)+1)
	ptrs := make([]any, len(dest))
	for i := range dest {
		ptrs[i] = &dest[i]
	}
	must(t, db.QueryRow(`SELECT `+strings.Join(c.key, ", ")+`, `+column+` FROM `+c.table+` ORDER BY 1, 2 LIMIT 1 OFFSET ?`, r.IntN(n)).Scan(ptrs...))
	old := dest[len(c.key)]
	to := mutated(r, old)
	if old == nil && column != "attempt" && column != "person_ref" {
		to = int64(r.IntN(300)) + 1
	}
	if all := enumValues(c.table, column); all != nil {
		to = all[r.IntN(len(all))]
	}
	if same(old, to) {
		return "", "", false
	}
	where := make([]string, len(c.key))
	args := []any{to}
	for i, k := range c.key {
		where[i] = k + " = ?"
		args = append(args, dest[i])
	}
	_, err := db.Exec(`UPDATE `+c.table+` SET `+column+` = ? WHERE `+strings.Join(where, " AND "), args...)
	var refused sqlite3.Error
	if errors.As(err, &refused) && refused.Code == sqlite3.ErrConstraint {
		return "", "", false
	}
	must(t, err)
	before = keyText(dest[:len(c.key)])
	for i, k := range c.key {
		if k == column {
			dest[i] = to
		}
	}
	return before, keyText(dest[:len(c.key)]), true
}

// EV-1, I8: whatever covered column of whatever row is changed behind the store's back, verify names
// table and key.
func TestMutatedColumns(t *testing.T) {
	t.Parallel()
	s, _ := template(t)
	must(t, rawDB(t, s.path).Close()) // the triggers are dropped once, not before each change
	data, err := os.ReadFile(s.path)
	must(t, err)
	r := testSeed(t)
	rows := covered(t)
	var columns int
	for _, c := range rows {
		columns += len(c.columns)
	}
	per := max(20, 1000/columns+1)
	if testing.Short() {
		per = 2
	}
	total := 0
	for _, c := range rows {
		for _, column := range c.columns {
			for done, tries := 0, 0; done < per; tries++ {
				if tries > 40*per {
					t.Fatalf("%s.%s: constraints refuse every change", c.table, column)
				}
				must(t, os.WriteFile(s.path, data, 0o600))
				db := rawDB(t, s.path)
				before, after, ok := change(t, db, r, c, column)
				must(t, db.Close())
				if !ok {
					continue
				}
				done++
				total++
				res, err := VerifyFile(context.Background(), s.path, s.verifyOptions(c.openings))
				if err != nil {
					t.Errorf("%s %s: %s changed: verify could not check: %v", c.table, before, column, err)
				} else if !namesRow(res, c.table, before, after) {
					t.Errorf("%s %s (now %s): %s changed: verify does not name it, but %v", c.table, before, after, column, firstOf(res))
				}
			}
		}
	}
	t.Logf("%d changes of %d columns", total, columns)
}

// namesRow reports whether a finding names the row by its key before or after the change.
func namesRow(res entrylog.Result, table, before, after string) bool {
	for _, f := range res.Findings {
		if f.Table == table && (f.Key == before || f.Key == after) {
			return true
		}
	}
	return false
}

func firstOf(res entrylog.Result) []string {
	var out []string
	for _, f := range res.Findings {
		if f.Table != "sqlite_master" && len(out) < 5 {
			out = append(out, f.String())
		}
	}
	return out
}
