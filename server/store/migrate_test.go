package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mattn/go-sqlite3"
)

// bareDB is a connection to an empty file without pragmas: migrate needs none.
func bareDB(t *testing.T) *sql.Conn {
	t.Helper()
	db := sql.OpenDB(connector{dsn: "file:" + filepath.Join(t.TempDir(), "m.db"), drv: &sqlite3.SQLiteDriver{}})
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	c, err := db.Conn(t.Context())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// countedDB is a database as the programs left it that numbered migrations by their place in the list.
func countedDB(t *testing.T, positions int) *sql.Conn {
	t.Helper()
	c := bareDB(t)
	all, err := listMigrations(migrations)
	must(t, err)
	for i, n := range byPosition[:positions] {
		at := slices.IndexFunc(all, func(m migration) bool { return m.number == n })
		if at < 0 {
			t.Fatalf("migration %04d of the old list is gone", n)
		}
		text, err := fs.ReadFile(migrations, all[at].name)
		must(t, err)
		_, err = c.ExecContext(t.Context(), fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT;", text, i+1, applicationID))
		must(t, err)
	}
	return c
}

// schemaOf is every table, index and trigger of a file, and its user_version.
func schemaOf(t *testing.T, c *sql.Conn) (map[string]schemaObject, schemaState) {
	t.Helper()
	objects, err := readSchema(t.Context(), c)
	must(t, err)
	st, err := readSchemaState(t.Context(), c)
	must(t, err)
	return objects, st
}

// A database of any place in the old list becomes what a new one is, and a second start changes nothing.
func TestMigrateCounted(t *testing.T) {
	fresh := bareDB(t)
	must(t, migrate(t.Context(), fresh, migrations, nil))
	want, wantState := schemaOf(t, fresh)
	all, err := listMigrations(migrations)
	must(t, err)
	if newest := all[len(all)-1].number; wantState.version != newest || wantState.counted || len(wantState.applied) != len(all) {
		t.Fatalf("a new database is %+v, want version %d and %d migrations", wantState, newest, len(all))
	}
	for positions := 1; positions <= len(byPosition); positions++ {
		c := countedDB(t, positions)
		for range 2 {
			must(t, migrate(t.Context(), c, migrations, nil))
			got, st := schemaOf(t, c)
			if !maps.Equal(got, want) {
				t.Fatalf("position %d: the schema differs from a new database's", positions)
			}
			if st.version != wantState.version || !slices.Equal(st.applied, wantState.applied) {
				t.Fatalf("position %d: became %+v, want %+v", positions, st, wantState)
			}
		}
	}
}

// numbered is a set of migrations, each making one table of its number.
func numbered(numbers ...int) fstest.MapFS {
	files := fstest.MapFS{}
	for _, n := range numbers {
		files[fmt.Sprintf("migrations/%04d_x.sql", n)] = &fstest.MapFile{Data: fmt.Appendf(nil, "CREATE TABLE t%d (a INTEGER) STRICT;", n)}
	}
	return files
}

// A file that comes into the middle of the list is run where it is missing, and none is run twice; the
// order in which a database saw them is kept, so that verify makes the same schema to compare with.
func TestMigrateInTheMiddle(t *testing.T) {
	c := bareDB(t)
	must(t, migrate(t.Context(), c, numbered(1, 2, 180), nil))
	must(t, migrate(t.Context(), c, numbered(1, 2, 150, 180, 210), nil))
	_, st := schemaOf(t, c)
	if want := []int64{1, 2, 180, 150, 210}; st.version != 210 || !slices.Equal(st.applied, want) {
		t.Errorf("applied %v at version %d, want %v at 210", st.applied, st.version, want)
	}
	other := bareDB(t)
	must(t, migrate(t.Context(), other, numbered(1, 2, 150, 180, 210), st.applied))
	if _, again := schemaOf(t, other); !slices.Equal(again.applied, st.applied) {
		t.Errorf("in the order %v: applied %v", st.applied, again.applied)
	}

	// on a database of the old list, whose version 15 is 0172 and not "fifteen files"
	files := fstest.MapFS{"migrations/0103_between.sql": &fstest.MapFile{Data: []byte("CREATE TABLE between_them (a INTEGER) STRICT;")}}
	must(t, fs.WalkDir(migrations, "migrations", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, err := fs.ReadFile(migrations, p)
			files[p] = &fstest.MapFile{Data: data}
			return err
		}
		return err
	}))
	for _, positions := range []int{5, 6, 15} {
		c := countedDB(t, positions)
		must(t, migrate(t.Context(), c, files, nil))
		got, st := schemaOf(t, c)
		if _, ok := got["between_them"]; !ok || len(st.applied) != len(files) {
			t.Errorf("position %d: %d of %d migrations, the one between made: %v", positions, len(st.applied), len(files), ok)
		}
	}
}

// Whatever a newer program made is refused, and nothing is changed by the attempt.
func TestMigrateRefuses(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		made, now fstest.MapFS
		spoil     string
		want      string
	}{
		"newer at the end":    {numbered(1, 2, 3), numbered(1, 2), "", "newer version"},
		"newer in the middle": {numbered(1, 2, 3), numbered(1, 3), "", "newer version"},
		"version alone":       {numbered(1, 2), numbered(1, 2), "PRAGMA user_version = 99", "newer version"},
		"version too low":     {numbered(1, 2), numbered(1, 2), "PRAGMA user_version = 1", "damaged"},
		"list emptied":        {numbered(1, 2), numbered(1, 2), "DELETE FROM schema_migration", "damaged"},
		"list dropped":        {numbered(1, 2, 180), numbered(1, 2, 180), "DROP TABLE schema_migration", "no list of its migrations"},
		"another program's":   {numbered(1), numbered(1), "PRAGMA application_id = 5", "another program"},
		"one number twice":    {numbered(1), fstest.MapFS{"migrations/0001_a.sql": {}, "migrations/0001_b.sql": {}}, "", "one number"},
		"a name without one":  {numbered(1), fstest.MapFS{"migrations/first.sql": {}}, "", "four digits"},
		"a step that fails":   {numbered(1), fstest.MapFS{"migrations/0001_x.sql": {}, "migrations/0002_x.sql": {Data: []byte("CREATE TABLE t2 (a); CREATE TABLE t1 (a);")}}, "", "0002_x.sql"},
	} {
		t.Run(name, func(t *testing.T) {
			db := bareDB(t)
			must(t, migrate(ctx, db, c.made, nil))
			if c.spoil != "" {
				_, err := db.ExecContext(ctx, c.spoil)
				must(t, err)
			}
			before, err := readSchema(ctx, db)
			must(t, err)
			err = migrate(ctx, db, c.now, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			after, err := readSchema(ctx, db)
			must(t, err)
			if !maps.Equal(before, after) {
				t.Error("the refused file was changed")
			}
		})
	}
}
