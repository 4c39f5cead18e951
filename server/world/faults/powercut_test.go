package faults

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// cutsPerFolder is how many cuts one folder goes through before a new one is begun: creation is hit too, and
// verification stays short.
const cutsPerFolder = 25

// DS-8, I1–I4, I8: the power goes at a random moment while the product's own outbox, store and policy cache write
// to an ext4 of their own; after the restart everything is there that was reported durable before the
// power went, chains and tree verify, nothing was signed that is now denied.
// MONBAN_CUTS asks for so many cuts in all; half hit the outbox, half the store, and a tenth more the policy cache, and as many the site's keys.
func TestPowerCuts(t *testing.T) {
	cuts := count(t, "MONBAN_CUTS", 12)
	n := seed(t)
	for i, c := range []struct {
		ledger ledger
		cuts   int
	}{
		{newOutboxLedger(), (cuts + 1) / 2},
		{newStoreLedger(), (cuts + 1) / 2},
		{newPolicyLedger(), cuts/10 + 1},
		{&keysLedger{}, cuts/10 + 1},
	} {
		t.Run(c.ledger.writer(), func(t *testing.T) {
			t.Parallel() // each has a disk of its own: one's fsync must not save the other's data
			cutLoop(t, c.ledger, c.cuts, n+uint64(i))
		})
	}
}

func cutLoop(t *testing.T, l ledger, cuts int, seed uint64) {
	d := newDisk(t, 64<<20)
	rng := rand.New(rand.NewPCG(seed, 1))
	told, compared, folders := 0, 0, 0
	folder := ""
	for c := range cuts {
		if c%cutsPerFolder == 0 || folder == "" {
			folder = newFolder(t, d, folder, folders)
			folders++
			l.forget()
		}
		p := startWriter(t, l.writer(), folder)
		p.waitSome(t, rng)
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		ready := p.stopCounting()
		d.cut()
		p.kill()
		d.remount()
		if !ready && !isSetUp(folder) {
			folder = newFolder(t, d, folder, folders) // nobody was told that it is set up
			folders++
			l.forget()
			continue
		}
		if ready {
			markSetUp(t, d, folder)
		}
		n, err := p.tell(l)
		if err == nil {
			told += n
			n, err = l.check(folder)
			compared += n
		}
		if err != nil {
			t.Fatalf("SEED=%d cut %d: %v", seed, c, err)
		}
	}
	if told < cuts/4 {
		t.Errorf("only %d things were reported durable in %d cuts: the writer hardly worked", told, cuts)
	}
	report(t, seed, "%d power cuts, %d reports of durability before them, %d comparisons after, 0 lost", cuts, told, compared)
}

// I1, I4: the same with every fsync 50 ms late, through a FUSE layer above the ext4. "Only what was read before the
// cut counts" would also excuse a report that comes a millisecond too early: here it comes 50 ms too early.
func TestPowerCutsUnderSlowSync(t *testing.T) {
	cuts := count(t, "MONBAN_CUTS", 12)/40 + 1
	n := seed(t)
	for i, l := range []ledger{newOutboxLedger(), newStoreLedger()} {
		t.Run(l.writer(), func(t *testing.T) {
			t.Parallel()
			slowCuts(t, l, cuts, n+uint64(i))
		})
	}
}

func slowCuts(t *testing.T, l ledger, cuts int, seed uint64) {
	d := newDisk(t, 64<<20)
	rng := rand.New(rand.NewPCG(seed, 7))
	dir := filepath.Dir(d.folder)
	if err := os.Mkdir(filepath.Join(dir, "mnt"), 0o700); err != nil {
		t.Fatal(err)
	}
	folder := newFolder(t, d, "", 0)
	p := startWriter(t, l.writer(), folder) // sets the folder up, at full speed
	p.waitReady(t)
	p.kill()
	if _, err := p.tell(l); err != nil {
		t.Fatal(err)
	}
	markSetUp(t, d, folder)
	told, compared := 0, 0
	for c := range cuts {
		layer := startLayer(t, dir)
		t.Cleanup(layer.stop) // once more does no harm; the disk cannot be unmounted below it
		if got := layer.ask("delay 50"); got != "delayed" {
			layer.stop()
			t.Fatalf("the layer answers %q", got)
		}
		p := startWriter(t, l.writer(), filepath.Join(layer.mnt, filepath.Base(folder)))
		p.waitWorking(t)
		time.Sleep(time.Duration(100+rng.IntN(300)) * time.Millisecond)
		p.stopCounting()
		d.cut()
		p.kill()
		layer.stop()
		d.remount()
		n, err := p.tell(l)
		if err == nil {
			told += n
			n, err = l.check(folder)
			compared += n
		}
		if err != nil {
			t.Fatalf("SEED=%d cut %d: %v", seed, c, err)
		}
	}
	if told < cuts {
		t.Errorf("only %d things were reported durable in %d cuts: the writer hardly worked", told, cuts)
	}
	report(t, seed, "%d power cuts, each fsync 50ms late, %d reports of durability before them, %d comparisons after, 0 lost", cuts, told, compared)
}

// newFolder removes the old folder and makes the next, durably.
func newFolder(t *testing.T, d *disk, old string, n int) string {
	t.Helper()
	if old != "" {
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(d.folder, "f"+strconv.Itoa(n))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	syncFolder(t, d.folder)
	return folder
}

// markSetUp notes in the folder that its writer once said it was ready.
func markSetUp(t *testing.T, d *disk, folder string) {
	t.Helper()
	if isSetUp(folder) {
		return
	}
	if err := os.WriteFile(filepath.Join(folder, "ready"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	syncFolder(t, folder)
	syncFolder(t, d.folder)
}

func isSetUp(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "ready"))
	return err == nil
}

func syncFolder(t *testing.T, folder string) {
	t.Helper()
	f, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}
