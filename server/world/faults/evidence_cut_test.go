package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"monban/server/app"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/store"
)

// evidenceKind is one work on the evidence that the power may end at any step.
type evidenceKind struct {
	writer string
	share  int  // of cuts, in hundredths
	done   bool // the site is one whose disposal is through
	chain  int  // so many cuts in a row before it is brought to its end

	// after looks at the files as the next start finds them, before anybody does anything. ended: it was told that the work is through.
	after func(folder string, ended bool) error
	// finish brings the work to its end and looks again.
	finish func(folder string, ended bool) error
}

// EV-9, EV-3, I8, PR-3: the power goes at any moment of a disposal, a backup, a restore, or between leaf and checkpoint, on an ext4 of its own, also while the
// next start brings an earlier one to its end. Each time the log verifies with its openings (or the program says that a restore broke off), a key that is gone has
// its leaf, and the work can be repeated to its end; then nothing of the people is in any file of the site. MONBAN_CUTS=600 makes 320 cuts.
func TestPowerCutsInEvidence(t *testing.T) {
	cuts := count(t, "MONBAN_CUTS", 12)*8/15 + 2
	n := seed(t)
	due, done := filepath.Join(t.TempDir(), "due"), filepath.Join(t.TempDir(), "done")
	if err := makeEvidence(due, done); err != nil {
		t.Fatal(err)
	}
	if scanEvidence(due) == nil || scanEvidence(filepath.Join(due, "before")) == nil {
		t.Fatal("the scan finds nothing before a disposal: it would find nothing after it")
	}
	for i, k := range []evidenceKind{
		{writer: "disposal", share: 40, chain: 3, after: disposalAfter, finish: disposalFinish},
		{writer: "restore", share: 30, done: true, chain: 2, after: restoreAfter, finish: restoreFinish},
		{writer: "backup", share: 15, done: true, chain: 1, after: backupAfter, finish: backupFinish},
		{writer: "checkpoint", share: 15, done: true, chain: 20, after: nothingAfter, finish: checkpointFinish},
	} {
		t.Run(k.writer, func(t *testing.T) {
			t.Parallel() // each has a disk of its own: one's fsync must not save the other's data
			template := due
			if k.done {
				template = done
			}
			cutEvidence(t, k, template, cuts*k.share/100+1, n+uint64(i))
		})
	}
}

func cutEvidence(t *testing.T, k evidenceKind, template string, cuts int, seed uint64) {
	d := newDisk(t, 96<<20)
	rng := rand.New(rand.NewPCG(seed, 3))
	made, late, folders, row := 0, 0, 0, 0
	folder, span := "", 150*time.Millisecond
	var held []string
	for made < cuts {
		if late > 2*cuts+20 {
			t.Fatalf("SEED=%d: %d of %d cuts came after the work's end: they are no cuts", seed, late, late+made)
		}
		if folder == "" {
			folder, row, held = filepath.Join(d.folder, fmt.Sprint("f", folders)), 0, nil
			folders++
			if err := copyTree(folder, template); err != nil {
				t.Fatal(err)
			}
			syncDisk(t, d.folder)
		}
		p := startWriter(t, k.writer, folder)
		p.waitReady(t)
		begun, byItself := time.Now(), false
		select {
		case <-p.ended:
			span, byItself = time.Since(begun), true
		case <-time.After(time.Duration(rng.Int64N(int64(span)))):
		}
		p.stopCounting()
		d.cut()
		p.kill()
		d.remount()
		p.mu.Lock()
		lines := p.lines
		p.mu.Unlock()
		ended := len(lines) > 0 && lines[0] == "done"
		fail := func(err error) {
			if err != nil {
				t.Fatalf("SEED=%d cut %d (the %d. of this folder): %v\n%s", seed, made, row, err, p.stderr.String())
			}
		}
		if byItself && !ended { // an error of the product is no cut
			fail(errors.New("the writer ended by itself before the power went"))
		}
		if !ended && len(lines) > 0 { // checkpoints that somebody has seen
			note, err := checkpointIn(lines[len(lines)-1])
			fail(err)
			held = []string{filepath.Join(filepath.Dir(d.folder), "held")}
			fail(os.WriteFile(held[0], note, 0o600))
		}
		if ended {
			late++
			span = max(span*9/10, 5*time.Millisecond)
		} else {
			made++
			row++
			span = min(span*21/20, 2*time.Second)
		}
		if len(held) > 0 {
			fail(verifyEvidence(filepath.Join(folder, "data", "monban.db"), "", held))
		}
		fail(k.after(folder, ended))
		if !ended && row < k.chain && rng.IntN(3) > 0 {
			continue
		}
		fail(k.finish(folder, ended))
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		folder = ""
	}
	report(t, seed, "%d power cuts in the middle and %d after the end of %s, %d sites: each verified, repeated to its end, 0 names left", made, late, k.writer, folders)
}

// syncDisk makes everything on a file system durable.
func syncDisk(t *testing.T, folder string) {
	t.Helper()
	f, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
}

func dataOf(folder string) (data, database string) {
	data = filepath.Join(folder, "data")
	return data, filepath.Join(data, "monban.db")
}

// disposalAfter: the log verifies, and each key that is gone has its leaf (the leaf comes first).
func disposalAfter(folder string, ended bool) error {
	data, database := dataOf(folder)
	if err := verifyEvidence(database, "", nil); err != nil {
		return err
	}
	if ended {
		return errors.Join(scanEvidence(data), scanEvidence(filepath.Join(folder, "copy.json")))
	}
	return nil
}

func disposalFinish(folder string, _ bool) error {
	s, _, err := openEvidence(folder)
	if err != nil {
		return err
	}
	err = errors.Join(keysHaveLeaves(s), finishDisposal(s), s.Close())
	data, database := dataOf(folder)
	return errors.Join(err, verifyEvidence(database, "", nil), scanEvidence(data), scanEvidence(filepath.Join(folder, "copy.json")))
}

func keysHaveLeaves(s *app.Site) error {
	return s.Store.Read(context.Background(), func(r *store.ReadTx) error {
		runs, err := r.DisposalRuns()
		if err != nil {
			return err
		}
		for _, d := range runs {
			switch d.Class {
			case entrylog.ClassRegister, entrylog.ClassAction, entrylog.ClassViolation:
				gone := !s.Store.Keys().Has(keystore.Period{FiscalYear: d.Year, Class: d.Class})
				// Findings have no openings, as the program writes them, so of violation there never was a key.
				if begun := d.State == store.RunStarted || d.State == store.RunDone; gone && !begun && d.Class != entrylog.ClassViolation {
					return fmt.Errorf("run %s is %s, though its key is destroyed", d.ID, d.State)
				} else if d.State == store.RunDone && !gone {
					return fmt.Errorf("run %s is done, though its key is there", d.ID)
				}
			}
		}
		return nil
	})
}

// restoreAfter: the old database or the new one is in its place and verifies, or a restore broke off, which every command says.
func restoreAfter(folder string, ended bool) error {
	data, database := dataOf(folder)
	if !isThere(filepath.Join(data, "restore.ready")) {
		return errors.Join(verifyEvidence(database, "", nil), nothingAfter(folder, ended))
	}
	if ended {
		return errors.New("it said that the restore is through, and restore.ready is there")
	}
	if s, _, err := openEvidence(folder); err == nil {
		return errors.Join(errors.New("a site opened in the middle of a restore"), s.Close())
	}
	if n, err := app.Verify(context.Background(), app.VerifyOptions{Database: database, Openings: true, Out: os.Stderr}); err == nil && n > 0 {
		return fmt.Errorf("in the middle of a restore verify tells %d findings, not that a restore broke off", n)
	}
	return nil
}

func restoreFinish(folder string, ended bool) error {
	if !ended {
		if err := restoreOrResume(folder); err != nil {
			return err
		}
	}
	data, database := dataOf(folder) // before any start: what was restored lies there already as it will be served
	if err := errors.Join(verifyEvidence(database, "", nil), scanEvidence(data)); err != nil {
		return err
	}
	return nowServes(folder)
}

// nowServes opens the site as a start does; it verifies, signs, and nothing of the people is in it.
func nowServes(folder string) error {
	s, _, err := openEvidence(folder)
	if err != nil {
		return err
	}
	data, database := dataOf(folder)
	err = errors.Join(s.Store.SignErr(), finishDisposal(s), s.Store.SignNow(context.Background()), s.Close())
	return errors.Join(err, verifyEvidence(database, "", nil), scanEvidence(data), scanEvidence(filepath.Join(folder, "copy.json")))
}

// backupAfter: the site is what it was; what has the backup's name is a whole one.
func backupAfter(folder string, ended bool) error {
	data, database := dataOf(folder)
	out := filepath.Join(folder, "after")
	if there := isThere(out); ended && !there {
		return errors.New("LOST: it said that there is a backup")
	} else if there {
		if err := verifyEvidence(out, data, nil); err != nil {
			return err
		}
	}
	return verifyEvidence(database, "", nil)
}

func backupFinish(folder string, _ bool) error {
	data, _ := dataOf(folder)
	out := filepath.Join(folder, "after")
	if !isThere(out) {
		if err := backUp(folder); err != nil {
			return err
		}
	}
	return errors.Join(verifyEvidence(out, data, nil), scanEvidence(out), scanEvidence(data))
}

func nothingAfter(string, bool) error { return nil }

// checkpointFinish: the server starts, signs again, and the newest checkpoint that was seen is still true (looked at by the loop).
func checkpointFinish(folder string, _ bool) error { return nowServes(folder) }
