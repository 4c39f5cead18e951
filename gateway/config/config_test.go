package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSamplesLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("samples/*.toml")
	if err != nil || len(files) < 3 {
		t.Fatalf("samples: %v, %v", files, err)
	}
	for _, f := range files {
		if _, err := Load(f); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// Every file in invalid/ says in its first line what the error must hold. A release time for all doors at once is no key (DS-1).
func TestInvalidFilesAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/invalid/*.toml")
	if err != nil || len(files) < 40 {
		t.Fatalf("invalid: %d files, %v", len(files), err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := bytes.Cut(data, []byte("\n"))
		want, ok := strings.CutPrefix(string(first), "# want: ")
		if !ok {
			t.Fatalf("%s: no '# want:' line", f)
		}
		_, err = Load(f)
		if err == nil {
			t.Errorf("%s: accepted", f)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %q does not hold %q", f, err, want)
		}
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, f+":") {
				t.Errorf("%s: line %q does not name the file", f, line)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := Load("samples/minimal.toml")
	if err != nil {
		t.Fatal(err)
	}
	d := c.Doors[0]
	if c.AskTimeout.Std() != 400*time.Millisecond || c.Outbox.MaxMiB != 1024 || c.Log.Level != "info" ||
		d.ReleaseTime.Std() != 5*time.Second || d.OpenTime.Std() != 30*time.Second ||
		d.Debounce.Std() != 50*time.Millisecond || d.DurableWait.Std() != 2*time.Second ||
		d.PINWait.Std() != 10*time.Second || d.Readers[0].Keypad != "none" {
		t.Errorf("defaults: %+v", c)
	}
	if got, want := c.Path("outbox.db"), "/var/lib/monban/outbox.db"; got != want {
		t.Errorf("path %q, want %q", got, want)
	}
	// No control socket, panel or trace unless the file asks for it.
	if c.Sim != (Sim{}) {
		t.Errorf("something listens by default: %+v", c.Sim)
	}
}

func TestValidateReturnsEveryFault(t *testing.T) {
	t.Parallel()
	c := Config{Doors: []Door{{}}}
	err := c.Validate()
	for _, want := range []string{"gateway is", "site is", "server is", "identity_dir", "data_dir", "ask_timeout",
		"log.level", "door[0].id", "door[0].kind", "door[0].exit", "door[0].release_time"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no fault for %q in %v", want, err)
		}
	}
}

// FuzzParse: whatever the file holds, Parse returns, and what it accepts is valid and lists its
// faults by file otherwise.
func FuzzParse(f *testing.F) {
	for _, glob := range []string{"samples/*.toml", "testdata/invalid/*.toml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f.toml", data)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f.toml:") {
					t.Fatalf("line %q does not name the file", line)
				}
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted, but: %v", err)
		}
	})
}
