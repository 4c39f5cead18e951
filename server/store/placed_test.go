package store

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"monban/server/entrylog"
)

// goesWith are the words of the last column of docs/personal-data.md.
var goesWith = []string{"register", "action", "violation", "directory", "request", "time", "account", "hand", "log", "nobody"}

// EV-8, EV-9: each table of the schema says what of people is in it and when it goes; a table that is new has to say so too.
func TestEveryTableIsPlaced(t *testing.T) {
	doc, err := os.ReadFile("../../docs/personal-data.md")
	if err != nil {
		t.Fatal(err)
	}
	placed := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z_]+) \| ([^|]+) \| ([a-z ]+) \|$`).FindAllStringSubmatch(string(doc), -1) {
		if m[1] == "table" {
			continue
		}
		if placed[m[1]] != "" {
			t.Errorf("table %s has two rows", m[1])
		}
		placed[m[1]] = m[3]
		for word := range strings.FieldsSeq(m[3]) {
			if !slices.Contains(goesWith, word) {
				t.Errorf("table %s goes with %q: want one of %v", m[1], word, goesWith)
			}
		}
		if holds := m[2] != "nobody"; holds && m[3] == "nobody" && !strings.HasPrefix(m[2], "account") {
			t.Errorf("table %s holds %s, and goes with nobody", m[1], m[2])
		}
	}
	var tables []string
	must(t, newSite(t).open(t).Read(t.Context(), func(r *ReadTx) error {
		rows, err := r.query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'schema_migration'`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			tables = append(tables, name)
		}
		return rows.Err()
	}))
	if len(tables) < 60 {
		t.Fatalf("the schema has %d tables only: %v", len(tables), tables)
	}
	for _, name := range tables {
		if placed[name] == "" {
			t.Errorf("docs/personal-data.md has no row for table %s: what of people is in it, and when does it go?", name)
		}
		delete(placed, name)
	}
	for name := range placed {
		t.Errorf("docs/personal-data.md has a row for %s, which is no table", name)
	}
}

// PR-3: each table that holds something of people says in which list of a person's pack it is, or why it is in none.
func TestEveryTableIsHanded(t *testing.T) {
	doc, err := os.ReadFile("../../docs/personal-data.md")
	if err != nil {
		t.Fatal(err)
	}
	all, handed, _ := strings.Cut(string(doc), "## What the person gets")
	said := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z_ ]+) \| ([^|]+) \|$`).FindAllStringSubmatch(handed, -1) {
		if !strings.Contains(m[2], "`") && !strings.HasPrefix(m[2], "none: ") && m[1] != "tables" {
			t.Errorf("%s is in no list, and nothing says why", m[1])
		}
		for table := range strings.FieldsSeq(m[1]) {
			said[table]++
		}
	}
	tables := 0
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z_]+) \| ([^|]+) \| ([a-z ]+) \|$`).FindAllStringSubmatch(all, -1) {
		if m[1] == "table" || strings.HasPrefix(m[2], "nobody") || m[3] == "nobody" && m[1] != "role_assignment" && m[1] != "day_view" {
			continue
		}
		if tables++; said[m[1]] != 1 {
			t.Errorf("%s holds %q of people and stands %d times in what the person gets", m[1], m[2], said[m[1]])
		}
	}
	if tables < 30 {
		t.Errorf("%d tables only", tables)
	}
}

// EV-8, EV-9: a run of class action takes what was asked for accounts and decided in its year, nothing of another year and nothing that waits.
func TestDisposalTakesAccountRequests(t *testing.T) {
	s, st, _ := twoYears(t, 20)
	closeMatters(t, st)
	at := map[string]int64{"old": monday, "new": monday + april*60_000 + 1, "waits": 0}
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		for id, ms := range at {
			q := AccountRequest{ID: id, Kind: "factors", Account: "a1", Why: "髙橋の端末", AskedBy: "a2", AskedMS: monday, State: "asked"}
			if err := tx.InsertAccountRequest(q); err != nil {
				return err
			}
			if ms == 0 {
				continue
			}
			if err := tx.DecideAccountRequest(id, "agreed", "a3", ms); err != nil {
				return err
			}
		}
		return nil
	}))
	year := entrylog.FiscalYear(monday, st.opt.Zone)
	approved(t, st, "disposal-2030-00001", entrylog.ClassAction, year)
	dispose(t, s, st, "disposal-2030-00001", entrylog.ClassAction, year, 1000, nil)
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		for id := range at {
			_, err := r.AccountRequest(id)
			if gone := err != nil; gone != (id == "old") {
				t.Errorf("request %s: %v", id, err)
			}
		}
		return nil
	}))
}
