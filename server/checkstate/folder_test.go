package checkstate

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// EV-1, EV-8: a state is there until its check ends or Kept is over; a kill while one is written leaves the one before, and what it left goes.
func TestStatesAreNotKeptForEver(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	now := time.Now()
	f, err := Open("program", now)
	if err != nil {
		t.Fatal(err)
	}
	load := func(name, want string) {
		t.Helper()
		if data, err := f.Load(name); err != nil || string(data) != want {
			t.Fatalf("%s: %q, %v; want %q", name, data, err, want)
		}
	}
	load("a", "")
	f.Save("a", []byte("first"))
	load("a", "first")
	// Killed between writing and renaming.
	torn := filepath.Join(f.dir, "a.1234")
	if err := os.WriteFile(torn, []byte("sec"), 0o600); err != nil {
		t.Fatal(err)
	}
	load("a", "first")
	f.Save("b", []byte("other"))
	f.Save("b", []byte("another"))
	f.Drop("") // no state has that name
	age := func(name string, d time.Duration) {
		t.Helper()
		if err := os.Chtimes(filepath.Join(f.dir, name), now.Add(-d), now.Add(-d)); err != nil {
			t.Fatal(err)
		}
	}
	there := func(want ...string) {
		t.Helper()
		if f, err = Open("program", now); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(f.dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v are there, want %v", got, want)
		}
	}
	there("a.1234", "a.state", "b.state") // another check may be writing
	age("a.1234", halfWritten+time.Minute)
	age("a.state", Kept-time.Minute)
	age("b.state", Kept+time.Minute)
	there("a.state")
	load("a", "first")
	st, err := os.Stat(filepath.Join(f.dir, "a.state"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("a state is for everybody to read: %v, %v", st.Mode(), err)
	}
	f.Drop("a")
	there()
	Folder{}.Save("a", []byte("x"))
	if data, err := (Folder{}).Load("a"); data != nil || err != nil {
		t.Errorf("the zero folder has a state: %q, %v", data, err)
	}
}
