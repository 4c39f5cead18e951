package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/checkstate"
	"monban/server/logcheck"
)

// ownCache gives the test a cache directory of its own, and what lists the states in it.
func ownCache(t *testing.T) func() []string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, dir)
	}
	return func() []string {
		list, err := filepath.Glob(filepath.Join(dir, "monban-verify", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
}

// breakOff checks a bundle up to its first state and gives that state and its name, kept where the program keeps it.
func breakOff(t *testing.T, file string, every int64, keys ...note.Verifier) (state []byte, name string) {
	t.Helper()
	where, err := checkstate.Open("monban-verify", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = logcheck.CheckBundle(ctx, f, logcheck.Options{Keys: keys, Every: every, Save: func(n string, s []byte) {
		if state == nil {
			state, name = bytes.Clone(s), n
			where.Save(n, s)
		}
		stop()
	}})
	if state == nil || err == nil && every == 0 {
		t.Fatalf("was not broken off: %v, %d bytes of state", err, len(state))
	}
	return state, name
}

// forge changes a leaf of a bundle and mends the last line, as who hands it over can.
func forge(t *testing.T, text, old, now string) string {
	t.Helper()
	text = strings.Replace(text, old, now, 1)
	i := strings.LastIndex(text, "end ")
	sum := sha256.Sum256([]byte(text[:i]))
	return fmt.Sprintf("%send %d %x\n", text[:i], strings.Count(text[:i], "\n"), sum)
}

// EV-1: a check that was broken off goes on where it was when the auditor says so, and the page says on what it relies;
// memory does not grow with the log.
func TestResume(t *testing.T) {
	kept := ownCache(t)
	n := 200_000
	if testing.Short() {
		n = 140_000
	}
	m := made(t, n, 1000)
	file := write(t, filepath.Join(t.TempDir(), "log.monban"), m.out.String())
	m.out = bytes.Buffer{}
	state, name := breakOff(t, file, 0)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--lang", "en", file}, "", &out, &errs); code != 0 || strings.Contains(out.String(), "taken up again") {
		t.Errorf("exit %d: goes on without being asked to\n%s%s", code, out.String(), errs.String())
	}
	if list := kept(); len(list) != 0 {
		t.Errorf("a finished check left its state behind: %v", list)
	}
	where, err := checkstate.Open("monban-verify", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	where.Save(name, state)
	out.Reset()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if code := run(t.Context(), []string{"--lang", "en", "--resume", file}, "", &out, &errs); code != 0 ||
		!strings.Contains(out.String(), "taken up again") || !strings.Contains(out.String(), "were not checked this time: this relies on what an earlier check on this PC left") {
		t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d bytes are held after a check", grown)
	}
	out.Reset()
	if code := run(t.Context(), []string{"--lang", "en", "--resume", file}, "", &out, &errs); code != 0 || strings.Contains(out.String(), "taken up again") {
		t.Errorf("exit %d with nothing to go on from\n%s%s", code, out.String(), errs.String())
	}
}

// EV-1, I8: who hands over a bundle cannot say with it that it was checked: a state beside it is no state, with --resume
// or without.
func TestPlantedState(t *testing.T) {
	kept := ownCache(t)
	m := made(t, 500, 50)
	dir := t.TempDir()
	key := write(t, filepath.Join(dir, "log.vkey"), m.vkey)
	good := write(t, filepath.Join(dir, "good.monban"), m.out.String())
	v, err := note.NewVerifier(m.vkey)
	if err != nil {
		t.Fatal(err)
	}
	state, _ := breakOff(t, good, 10, v)
	for _, name := range kept() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	forged := forge(t, m.out.String(), `"test","schema":"7"`, `"test","schema":"8"`)
	bad := write(t, filepath.Join(dir, "bad.monban"), forged)
	var at struct{ At int64 }
	if err := json.Unmarshal(state, &at); err != nil {
		t.Fatal(err)
	}
	sum := func(text string) string {
		h := sha256.Sum256([]byte(text[:at.At]))
		return base64.StdEncoding.EncodeToString(h[:])
	}
	fits := bytes.Replace(state, []byte(sum(m.out.String())), []byte(sum(forged)), 1) // as who forges makes it
	if bytes.Equal(fits, state) {
		t.Fatal("the state holds no sum of what was read")
	}
	for _, file := range []string{good, bad} {
		state := state
		if file == bad {
			state = fits
		}
		write(t, file+".state", string(state))
		for _, args := range [][]string{{file}, {"--resume", file}} {
			want := 0
			if file == bad {
				want = 1
			}
			var out, errs bytes.Buffer
			if code := run(t.Context(), append([]string{"--lang", "en", "--key", key}, args...), "", &out, &errs); code != want || strings.Contains(out.String(), "taken up again") {
				t.Errorf("%v: exit %d, want %d\n%s%s", args, code, want, out.String(), errs.String())
			}
		}
		if got, err := os.ReadFile(file + ".state"); err != nil || !bytes.Equal(got, state) {
			t.Errorf("touched what is not its own: %v", err)
		}
	}
}

// EV-1, I8: a bundle that was replaced where it was checked already is refused, whatever its time says; so is a state
// that cannot be one.
func TestReplacedBundle(t *testing.T) {
	ownCache(t)
	m := made(t, 500, 50)
	file := write(t, filepath.Join(t.TempDir(), "log.monban"), m.out.String())
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	state, name := breakOff(t, file, 10)
	where, err := checkstate.Open("monban-verify", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	resume := func() (int, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"--lang", "en", "--resume", file}, "", &out, &errs)
		return code, out.String() + errs.String()
	}
	where.Save(name, state)
	write(t, file, forge(t, m.out.String(), `"test","schema":"7"`, `"test","schema":"8"`))
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if code, said := resume(); code != 2 || !strings.Contains(said, "not the one that was begun with") || strings.Count(said, "\n") != 1 {
		t.Errorf("exit %d for a bundle that was replaced\n%s", code, said)
	}
	write(t, file, m.out.String())
	for _, change := range [][2]string{
		{`"size":50,"edge"`, `"size":100,"edge"`},
		{`"lines":`, `"lines":1`},
		{`"at":`, `"at":1`},
		{`"at":`, `"at":-`},
		{`"held_next":0`, `"held_next":1`},
		{`"Leaves":`, `"Leaves":9`},
		{`"Signed":50`, `"Signed":500`},
		{`{`, `[`},
	} {
		text := strings.Replace(string(state), change[0], change[1], 1)
		if text == string(state) {
			t.Fatalf("no %s in %s", change[0], state)
		}
		where.Save(name, []byte(text))
		if code, said := resume(); code != 2 || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: exit %d\n%s", change[1], code, said)
		}
	}
	where.Save(name, state)
	if code, said := resume(); code != 0 || !strings.Contains(said, "taken up again") {
		t.Errorf("exit %d\n%s", code, said)
	}
}
