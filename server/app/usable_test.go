package app

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"monban/server/directory"
	"monban/server/store"
	"monban/server/visit"
)

// openingsOfActions are the files that read openings past usable, and of what. Requests of PR-3 are about attempts; these read what people did at the pages,
// or look at the suspension themselves.
var openingsOfActions = map[string]string{
	"alerts_pages.go": "why a silence", "commands.go": "why a remote command", "retain_pages.go": "why a hold", "case_concern.go": "whom a case concerns, which nobody is shown", "review.go": "why a day was signed", "rights_past.go": "acts on rights",
	"search.go": "asks Restricted first", "retain_request.go": "usable itself",
}

// PR-3: whatever page or paper reads the opening of an attempt does so through usable.
func TestOpeningsGoThroughUsable(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	reads := regexp.MustCompile(`\.Opening\([a-z]`)
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(reads.FindAll(data, -1)); n > 0 && openingsOfActions[name] == "" {
			t.Errorf("%s reads an opening %d times past usable: a record whose use is suspended would show", name, n)
		} else if n > 0 {
			found++
		}
	}
	if found != len(openingsOfActions) {
		t.Errorf("%d files of the list read openings, want %d", found, len(openingsOfActions))
	}
}

// PR-3: purposes and corrections do not know whose a record is whose use is suspended.
func TestSuspendedIsNotRead(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 3)
		id := [16]byte{}
		copy(id[:], "att-old000001")
		word := hex.EncodeToString(id[:])
		read := func() (person directory.PersonID, entry bool) {
			t.Helper()
			err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
				dir, err := tx.Directory()
				if err != nil {
					return err
				}
				site := &visit.Site{Dir: &dir, Zone: cfg.Location()}
				x, err := (&visitTx{Tx: tx, site: site}).rowToCorrect(word)
				if err != nil {
					return err
				}
				person = x.Person
				_, _, err = entryOf(tx.Reader, site, word)
				if entry = err == nil; errors.Is(err, store.ErrNotFound) {
					err = nil
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return person, entry
		}
		if person, entry := read(); person != "old000001" || !entry {
			t.Fatalf("before: %q, %v", person, entry)
		}
		ok(retainer(s).Restrict(t.Context(), word, "本人の申出", kato))(t)
		if person, entry := read(); person != "" || entry {
			t.Errorf("suspended: %q, %v", person, entry)
		}
	})
}
