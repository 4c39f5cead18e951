package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
)

// A migration is known by the number that its file's name begins with. The table schema_migration says
// which a database has seen and in which order, and user_version is the highest of them, which alone
// would not do: a file with a lower number may come to the program after one with a higher.
type migration struct {
	number int64
	name   string // path within the files
}

const migrationTable = `CREATE TABLE schema_migration (
  seq    INTEGER PRIMARY KEY CHECK (seq > 0),
  number INTEGER NOT NULL UNIQUE CHECK (number > 0)
) STRICT`

// byPosition are the migrations of the programs that counted: there user_version was a place in this
// list. It never changes.
var byPosition = [...]int64{1, 2, 3, 100, 101, 102, 120, 121, 140, 141, 150, 160, 170, 171, 172}

// listMigrations gives the files in the order of their numbers.
func listMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var out []migration
	for _, name := range names {
		base := path.Base(name)
		if len(base) < 6 || base[4] != '_' {
			return nil, fmt.Errorf("migration %s: its name does not begin with four digits and _", name)
		}
		n, err := strconv.ParseUint(base[:4], 10, 32)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("migration %s: its name does not begin with four digits above 0000", name)
		}
		if len(out) > 0 && out[len(out)-1].number == int64(n) {
			return nil, fmt.Errorf("migrations %s and %s have one number: give the later one its own", out[len(out)-1].name, name)
		}
		out = append(out, migration{int64(n), name})
	}
	return out, nil
}

// rowQueryer is a connection or a transaction.
type rowQueryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// schemaState is what a file says of its own schema.
type schemaState struct {
	empty   bool    // nothing was ever written into it
	counted bool    // by a program that counted: it has no table schema_migration yet
	version int64   // PRAGMA user_version
	applied []int64 // in the order in which they were applied
}

func readSchemaState(ctx context.Context, q rowQueryer) (st schemaState, err error) {
	var appID, objects, listed int64
	for _, read := range [...]struct {
		sql string
		to  *int64
	}{
		{"PRAGMA application_id", &appID}, {"PRAGMA user_version", &st.version},
		{"SELECT count(*) FROM sqlite_master", &objects},
		{"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migration'", &listed},
	} {
		if err := q.QueryRowContext(ctx, read.sql).Scan(read.to); err != nil {
			return st, err
		}
	}
	st.empty = appID == 0 && st.version == 0 && objects == 0
	switch {
	case st.empty:
		return st, nil
	case appID != applicationID:
		return st, errors.New("is a database of another program")
	case listed == 0:
		st.counted = true
		if st.version < 1 || st.version > int64(len(byPosition)) {
			return st, fmt.Errorf("has schema %d and no list of its migrations: it was written by a newer version, or is damaged", st.version)
		}
		st.applied = byPosition[:st.version:st.version]
		return st, nil
	}
	rows, err := q.QueryContext(ctx, "SELECT number FROM schema_migration ORDER BY seq")
	if err != nil {
		return st, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return st, err
		}
		st.applied = append(st.applied, n)
	}
	return st, rows.Err()
}

// known refuses a schema that this program cannot have made or continued.
func (st schemaState) known(all []migration) error {
	newest := int64(0)
	if len(all) > 0 {
		newest = all[len(all)-1].number
	}
	for _, n := range st.applied {
		if !slices.ContainsFunc(all, func(m migration) bool { return m.number == n }) {
			return fmt.Errorf("has migration %04d, which this program (schema %d) does not know: it was written by a newer version", n, newest)
		}
	}
	if st.counted || st.empty {
		return nil
	}
	if st.version > newest {
		return fmt.Errorf("has schema %d, this program knows %d: it was written by a newer version", st.version, newest)
	}
	if have := slices.Max(append(slices.Clone(st.applied), 0)); st.version != have {
		return fmt.Errorf("has schema %d, but its list of migrations ends at %d: it is damaged", st.version, have)
	}
	return nil
}

// migrate runs the migrations that the file has not seen, each in a transaction of its own: a crash
// between two leaves a file that the next start continues. order says in which order to run them, nil
// means by number; verify gives that of the database it compares with.
func migrate(ctx context.Context, c *sql.Conn, files fs.FS, order []int64) error {
	all, err := listMigrations(files)
	if err != nil {
		return err
	}
	st, err := readSchemaState(ctx, c)
	if err != nil {
		return err
	}
	if err := st.known(all); err != nil {
		return err
	}
	if st.empty || st.counted {
		if err := listApplied(ctx, c, st.applied); err != nil {
			return fmt.Errorf("list of migrations: %w", err)
		}
	}
	if order != nil {
		slices.SortStableFunc(all, func(a, b migration) int {
			return slices.Index(order, a.number) - slices.Index(order, b.number)
		})
	}
	top := slices.Max(append(slices.Clone(st.applied), 0))
	for _, m := range all {
		if slices.Contains(st.applied, m.number) {
			continue
		}
		text, err := fs.ReadFile(files, m.name)
		if err != nil {
			return err
		}
		top = max(top, m.number)
		steps := fmt.Sprintf("%s\nINSERT INTO schema_migration (number) VALUES (%d); PRAGMA user_version = %d;", text, m.number, top)
		if err := inTransaction(ctx, c, steps); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return nil
}

// listApplied makes the table of migrations in a file that has none.
func listApplied(ctx context.Context, c *sql.Conn, applied []int64) error {
	steps := migrationTable + ";"
	for _, n := range applied {
		steps += fmt.Sprintf("\nINSERT INTO schema_migration (number) VALUES (%d);", n)
	}
	steps += fmt.Sprintf("\nPRAGMA user_version = %d; PRAGMA application_id = %d;", slices.Max(append(slices.Clone(applied), 0)), applicationID)
	return inTransaction(ctx, c, steps)
}

func inTransaction(ctx context.Context, c *sql.Conn, steps string) error {
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE;\n"+steps+"\nCOMMIT;"); err != nil {
		_, undo := c.ExecContext(ctx, "ROLLBACK")
		return errors.Join(err, undo)
	}
	return nil
}

// checkSchema demands that a file has seen every migration of this program and no other, and gives
// their order. It changes nothing.
func checkSchema(ctx context.Context, q rowQueryer) ([]int64, error) {
	all, err := listMigrations(migrations)
	if err != nil {
		return nil, err
	}
	st, err := readSchemaState(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := st.known(all); err != nil {
		return nil, err
	}
	if st.counted || len(st.applied) != len(all) {
		return nil, fmt.Errorf("has %d of the %d migrations that this program checks: start the server once, which applies the others", len(st.applied), len(all))
	}
	return st.applied, nil
}

// Known reports by nil that this program can serve the database at path as it is: it knows each migration that was applied there. It only reads.
func Known(ctx context.Context, path string) error {
	all, err := listMigrations(migrations)
	if err != nil {
		return err
	}
	db := openPool(path, true, 1)
	defer func() { _ = db.Close() }() // read-only
	st, err := readSchemaState(ctx, db)
	if err == nil {
		err = st.known(all)
	}
	if err != nil {
		return fmt.Errorf("database %s: %w", path, oneLine(err))
	}
	return nil
}

// Upgrade brings the schema of the closed database at path up to date, as Open does, and gives the numbers of the migrations that it had
// not seen. It is for a copy: nothing is compared with a signer.
func Upgrade(ctx context.Context, path string) (applied []int64, err error) {
	db := openPool(path, false, 1)
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, oneLine(err))
	}
	defer c.Close()
	before, err := readSchemaState(ctx, c)
	if err == nil {
		err = migrate(ctx, c, migrations, nil)
	}
	var after schemaState
	if err == nil {
		after, err = readSchemaState(ctx, c)
	}
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, oneLine(err))
	}
	for _, n := range after.applied {
		if !slices.Contains(before.applied, n) {
			applied = append(applied, n)
		}
	}
	return applied, nil
}
