package packs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Every length around a piece's comes back; a changed byte, a file cut off or prolonged at any piece, and pieces in another order do not.
func TestSealedFile(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	open := func(data []byte) ([]byte, error) {
		return io.ReadAll(must(newOpener(bytes.NewReader(data), key))(t))
	}
	for _, n := range []int{0, 1, piece - 1, piece, piece + 1, 3 * piece, 3*piece + 5} {
		plain := make([]byte, n)
		rand.NewChaCha8([32]byte{byte(n)}).Read(plain)
		var file bytes.Buffer
		w := must(newSealer(&file, key))(t)
		for rest := plain; ; rest = rest[min(len(rest), 10_007):] {
			must(w.Write(rest[:min(len(rest), 10_007)]))(t)
			if len(rest) <= 10_007 {
				break
			}
		}
		if err := w.Close(); err != nil || w.size != int64(n) {
			t.Fatal(err, w.size)
		}
		sealed := file.Bytes()
		if got, err := open(sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %v, %d come back", n, err, len(got))
		}
		const step = piece + 16
		bad := map[string][]byte{"a byte more": append(bytes.Clone(sealed), 0), "empty": {}}
		if n == 0 {
			bad = map[string][]byte{"empty": {}}
		}
		for at := 0; at < len(sealed); at += step {
			x := bytes.Clone(sealed)
			x[at] ^= 1
			bad[fmt.Sprintf("byte %d changed", at)] = x
			if at > 0 {
				bad[fmt.Sprintf("cut off at piece %d", at/step)] = sealed[:at]
			}
		}
		if len(sealed) > 2*step {
			bad["two pieces swapped"] = append(append(bytes.Clone(sealed[step:2*step]), sealed[:step]...), sealed[2*step:]...)
		}
		for what, data := range bad {
			if _, err := open(data); err == nil {
				t.Errorf("%d bytes: opens with %s", n, what)
			}
		}
	}
}

// bench is a spool whose packs a test makes.
type bench struct {
	t     *testing.T
	dir   string
	now   time.Time
	begun chan Job
	goOn  chan error
	s     *Spool
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "packs"), now: time.Unix(1_795_000_000, 0), begun: make(chan Job, 20), goOn: make(chan error, 20)}
	b.open()
	return b
}

func (b *bench) open() {
	b.t.Helper()
	b.s = must(Open(b.dir, [32]byte{1}, b.make, func() time.Time { return b.now }, quiet))(b.t)
	b.t.Cleanup(b.s.Close)
}

func (b *bench) make(ctx context.Context, j Job, w io.Writer, progress func(done, of int)) (string, error) {
	if _, err := fmt.Fprintf(w, "begun, and of %s", j.Person); err != nil {
		return "", err
	}
	progress(3, 7)
	b.begun <- j
	select {
	case err := <-b.goOn:
		if err != nil {
			return "", err
		}
	case <-ctx.Done():
		return "", ctx.Err()
	}
	_, err := io.WriteString(w, ", to the end")
	return "5d41402abc4b2a76b9719d911017c592", err
}

func (b *bench) until(what string, ok func(Job) bool) Job {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if list := b.s.Jobs("a-1"); len(list) > 0 && ok(list[0]) {
			return list[0]
		}
	}
	b.t.Fatalf("not %s: %+v", what, b.s.Jobs("a-1"))
	return Job{}
}

func (b *bench) read(account, id string) (string, error) {
	r, _, err := b.s.Read(account, id)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

var ask = Job{Account: "a-1", Kind: "person", First: "2026-11-01", Last: "2026-11-26", Person: "p-takahashi", Names: true, Reason: "髙橋さんの開示請求", Use: "disclosure"}

// RR-5, OP-9: a job that a restart breaks off is begun again with all that was asked; one that was done stays, with its hash; nobody else
// gets it; nothing on the disk can be read; after a day it is gone.
func TestJobs(t *testing.T) {
	b := newBench(t)
	id := must(b.s.Start(ask))(t)
	<-b.begun
	if j := b.until("under way", func(j Job) bool { return j.Parts == 7 }); j.State != Running || j.Part != 3 {
		t.Errorf("%+v", j)
	}
	if _, err := b.read("a-1", id); !errors.Is(err, ErrNone) {
		t.Errorf("half a pack is handed out: %v", err)
	}
	for range 2 * mostTries { // an orderly end is no fault of the job
		b.s.Close()
		b.open()
		if j := <-b.begun; j.ID != id || j.Person != ask.Person || j.Reason != ask.Reason || !j.Names || j.Use != ask.Use {
			t.Fatalf("begun again as %+v", j)
		}
	}
	b.goOn <- nil
	j := b.until("done", func(j Job) bool { return j.State == Done })
	if j.Sum == "" || j.Size == 0 || j.Key != nil {
		t.Errorf("%+v", j)
	}
	const want = "begun, and of p-takahashi, to the end"
	b.s.Close()
	b.open()
	for range 2 {
		if got, err := b.read("a-1", id); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	for _, other := range []string{"a-2", ""} {
		if _, err := b.read(other, id); !errors.Is(err, ErrNone) {
			t.Errorf("account %q: %v", other, err)
		}
	}
	for _, name := range must(filepath.Glob(filepath.Join(b.dir, "*")))(t) {
		data := must(os.ReadFile(name))(t)
		for _, clear := range []string{"takahashi", "髙橋", "開示", "to the end", "disclosure"} {
			if strings.Contains(string(data), clear) {
				t.Errorf("%s says %q in clear", name, clear)
			}
		}
		if info := must(os.Stat(name))(t); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, info.Mode())
		}
	}
	b.now = b.now.Add(KeptFor - time.Second)
	if _, err := b.read("a-1", id); err != nil {
		t.Error("gone too early", err)
	}
	b.now = b.now.Add(time.Second)
	b.s.Sweep()
	if left := must(os.ReadDir(b.dir))(t); len(left) != 0 || len(b.s.Jobs("a-1")) != 0 {
		t.Errorf("left after a day: %v", left)
	}
}

// A pack that fails says why and leaves no file; one that takes the server down each time is given up; a spool of another key, as after the
// keys were made anew, begins empty; what was made before a disposal goes.
func TestJobsThatEndOtherwise(t *testing.T) {
	b := newBench(t)
	must(b.s.Start(ask))(t)
	<-b.begun
	b.goOn <- errors.New("export: the log has nothing of these days")
	if j := b.until("failed", func(j Job) bool { return j.State == Failed }); j.Fault != "export: the log has nothing of these days" {
		t.Errorf("%+v", j)
	}
	if left := must(filepath.Glob(filepath.Join(b.dir, "*.pack")))(t); len(left) != 0 {
		t.Errorf("left: %v", left)
	}

	b.now = b.now.Add(time.Minute)
	id := must(b.s.Start(ask))(t)
	<-b.begun
	kept := map[string][]byte{} // as a kill leaves them while the job runs
	for _, name := range must(filepath.Glob(filepath.Join(b.dir, id+".*")))(t) {
		kept[name] = must(os.ReadFile(name))(t)
	}
	kill := func() {
		b.s.Close()
		for name, data := range kept {
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b.open()
	}
	for try := 1; try < mostTries; try++ {
		kill()
		<-b.begun
		kept[filepath.Join(b.dir, id+".job")] = must(os.ReadFile(filepath.Join(b.dir, id+".job")))(t)
	}
	kill()
	if j := b.until("given up", func(j Job) bool { return j.State == Failed }); j.Fault != "it was broken off each time" {
		t.Errorf("%+v", j)
	}

	b.now = b.now.Add(time.Minute)
	id = must(b.s.Start(ask))(t)
	<-b.begun
	b.goOn <- nil
	b.until("done", func(j Job) bool { return j.State == Done })
	b.s.DropMadeBefore(b.now)
	if _, err := b.read("a-1", id); err != nil {
		t.Error(err)
	}
	b.s.DropMadeBefore(b.now.Add(time.Second))
	if _, err := b.read("a-1", id); !errors.Is(err, ErrNone) {
		t.Errorf("still there after a disposal: %v", err)
	}
	id = must(b.s.Start(ask))(t)
	<-b.begun
	b.goOn <- nil
	b.until("done", func(j Job) bool { return j.State == Done })
	b.now = b.now.Add(-time.Hour) // the clock was ahead and is set
	b.s.DropMadeBefore(b.now.Add(-time.Minute))
	if _, err := b.read("a-1", id); !errors.Is(err, ErrNone) {
		t.Errorf("still there though the clock went back: %v", err)
	}
	b.s.Close()
	if err := os.WriteFile(filepath.Join(b.dir, "NEITHER.pack"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := must(Open(b.dir, [32]byte{2}, b.make, func() time.Time { return b.now }, quiet))(t)
	other.Close()
	if left := must(os.ReadDir(b.dir))(t); len(left) != 0 {
		t.Errorf("left for another key: %v", left)
	}
}

// Nobody fills the spool for the others.
func TestLimits(t *testing.T) {
	b := newBench(t)
	for range maxWaitingEach {
		must(b.s.Start(ask))(t)
	}
	if _, err := b.s.Start(ask); !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v", err)
	}
	other := ask
	other.Account = "a-2"
	must(b.s.Start(other))(t)
	b.s.Close()
	if _, err := b.s.Start(other); !errors.Is(err, ErrBusy) {
		t.Errorf("begun after the end: %v", err)
	}
}

// I4: a pack leaves the log its room: none is begun on a full disk, and one that fills it ends with its reason and takes its file away.
func TestRoomForTheLog(t *testing.T) {
	b := newBench(t)
	room := uint64(Reserve - 1)
	b.s.free = func(string) (uint64, error) { return room, nil }
	if _, err := b.s.Start(ask); !errors.Is(err, ErrNoRoom) || !strings.Contains(err.Error(), "1023 MiB") {
		t.Errorf("begun on a full disk: %v", err)
	}
	room = Reserve
	must(b.s.Start(ask))(t)
	<-b.begun
	room = 0
	b.goOn <- nil
	if j := b.until("failed", func(j Job) bool { return j.State == Failed }); !strings.Contains(j.Fault, ErrNoRoom.Error()) {
		t.Errorf("%+v", j)
	}
	if left := must(filepath.Glob(filepath.Join(b.dir, "*.pack")))(t); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
