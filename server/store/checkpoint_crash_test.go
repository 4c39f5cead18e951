package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
	"monban/server/signer"
)

// lossy is a signer whose answer gets lost, before it has signed or after. It keeps what was signed, by size.
type lossy struct {
	signer.Signer
	before, after bool
	signed        map[string]string // origin/size → text
	t             *testing.T
}

func (l *lossy) SignCheckpoint(text string, proof tlog.TreeProof) ([]byte, error) {
	if l.before {
		return nil, fmt.Errorf("lost: %w", signer.ErrUnavailable)
	}
	out, err := l.Signer.SignCheckpoint(text, proof)
	if err != nil {
		return nil, err
	}
	lines := strings.SplitN(text, "\n", 3)
	key := lines[0] + "/" + lines[1]
	if was, there := l.signed[key]; there && was != text {
		l.t.Errorf("signed twice in two ways:\n%s%s", was, text)
	}
	l.signed[key] = text
	if l.after {
		return nil, fmt.Errorf("lost: %w", signer.ErrUnavailable)
	}
	return out, nil
}

// crash is a step from a leaf to its published checkpoint that fails: so that nothing came of it, or so that it did.
type crash struct {
	name string
	// fail makes the step fail for the store, until mend.
	fail func(c *crashing, t *testing.T)
	// unwritten: the leaves themselves are not committed.
	unwritten bool
	well      bool // SignNow succeeds: it ends after all was done
}

var crashes = []crash{
	{name: "commit failed, not stored", unwritten: true, well: true},
	{name: "commit failed, but stored", fail: func(c *crashing, _ *testing.T) { c.signer.before = true }}, // the process ended before it signed
	{name: "signing failed, not signed", fail: func(c *crashing, _ *testing.T) { c.signer.before = true }},
	{name: "signing failed, but signed", fail: func(c *crashing, _ *testing.T) { c.signer.after = true }},
	{name: "storing failed, not stored", fail: (*crashing).refuseRows},
	{name: "storing failed, but stored", fail: func(c *crashing, t *testing.T) { c.storeRow(t); c.refuseRows(t) }},
	{name: "anchor failed, not stored", fail: func(c *crashing, t *testing.T) { must(t, os.Mkdir(c.anchor()+".new", 0o700)) }},
	{name: "anchor failed, but stored", fail: func(c *crashing, t *testing.T) {
		must(t, os.WriteFile(c.anchor(), c.storeRow(t), 0o600))
		must(t, os.Mkdir(c.anchor()+".new", 0o700))
	}},
	{name: "stored everywhere", well: true},
}

// crashing is a site whose steps fail.
type crashing struct {
	*site
	store  *Store
	signer *lossy
	tr     *traffic
}

func (c *crashing) anchor() string { return c.path + ".anchor" }

func openCrashing(t *testing.T, s *site, signed map[string]string, tr *traffic) *crashing {
	t.Helper()
	c := &crashing{site: s, signer: &lossy{Signer: s.signer, signed: signed, t: t}, tr: tr}
	opt := s.options()
	opt.Signer = c.signer
	var err error
	c.store, err = Open(s.path, opt)
	must(t, err)
	return c
}

// refuseRows makes the database refuse checkpoints.
func (c *crashing) refuseRows(t *testing.T) {
	must(t, c.store.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.exec(`CREATE TEMP TRIGGER no_rows BEFORE INSERT ON main.checkpoint BEGIN SELECT RAISE(ABORT, 'refused'); END`)
		return err
	}))
}

// storeRow signs and stores the checkpoint as SignNow would, behind its back.
func (c *crashing) storeRow(t *testing.T) []byte {
	t.Helper()
	c.store.mu.Lock()
	tree := c.store.head
	c.store.mu.Unlock()
	old, _ := c.signer.LastCheckpoint()
	note, err := c.store.sign(t.Context(), &tree, old)
	must(t, err)
	must(t, c.store.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO checkpoint (size, note) VALUES (?, ?)`, tree.Size(), string(note))
		return err
	}))
	return note
}

func (c *crashing) mend(t *testing.T) {
	c.signer.before, c.signer.after = false, false
	if err := os.Remove(c.anchor() + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	must(t, c.store.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.exec(`DROP TRIGGER IF EXISTS temp.no_rows`)
		return err
	}))
}

// run writes an attempt and tries to publish, with the step failing.
func (c *crashing) run(t *testing.T, x *crash) {
	t.Helper()
	stopped := errors.New("stopped")
	err := c.store.Write(t.Context(), func(tx *Tx) error {
		was, seq := *c.tr, maps.Clone(c.tr.seq)
		err := c.tr.step(tx)
		if err == nil && x.unwritten {
			*c.tr, c.tr.seq = was, seq
			return stopped
		}
		return err
	})
	if x.unwritten != errors.Is(err, stopped) || err != nil && !x.unwritten {
		t.Fatalf("%s: write: %v", x.name, err)
	}
	if x.fail != nil {
		x.fail(c, t)
	}
	if err := c.store.SignNow(t.Context()); (err == nil) != x.well {
		t.Fatalf("%s: SignNow = %v", x.name, err)
	}
}

// image gives the site as a kill leaves it: its files as they are.
func (c *crashing) image(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(c.dir)))
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	}))
	must(t, os.RemoveAll(filepath.Join(dir, filepath.Base(c.anchor())+".new"))) // of the next start nobody stands in the way
	s := &site{dir: dir, path: filepath.Join(dir, filepath.Base(c.path)), rand: c.rand, zone: c.zone}
	s.reload(t)
	return s
}

// agrees demands that signer, database, anchor file and what is published stand at all leaves, and that the log verifies.
func (c *crashing) agrees(t *testing.T, what string) {
	t.Helper()
	if err := c.store.SignErr(); err != nil {
		t.Fatalf("%s: refuses to sign: %v", what, err)
	}
	if err := c.store.SignNow(t.Context()); err != nil {
		t.Fatalf("%s: SignNow = %v", what, err)
	}
	size := c.store.Size()
	if got, _ := c.signer.LastCheckpoint(); got != size {
		t.Errorf("%s: signed %d of %d leaves", what, got, size)
	}
	anchor, err := os.ReadFile(c.anchor())
	must(t, err)
	var row string
	must(t, c.store.Read(t.Context(), func(r *ReadTx) error {
		row, err = r.CheckpointAt(size)
		return err
	}))
	for where, text := range map[string]string{"published": c.store.Checkpoint(), "in the anchor file": string(anchor), "in the database": row} {
		p, err := entrylog.OpenCheckpoint([]byte(text), c.log)
		if err != nil || p.Size != size {
			t.Errorf("%s: %s are %d of %d leaves: %v", what, where, p.Size, size, err)
		}
	}
	wantClean(t, c.verify(t, true))
}

// EV-2, EV-3, I8: each step from a leaf's commit to its published checkpoint fails, once so that nothing came of it and once so that
// it did; the process goes on, or is killed and started again; and then, killed a second time, at each step again. Afterwards
// signer, database, anchor file and what is published agree on all leaves, the log verifies, and no size was signed in two ways.
func TestCheckpointCrashPoints(t *testing.T) {
	for i := range crashes {
		first := &crashes[i]
		t.Run(first.name, func(t *testing.T) {
			t.Parallel()
			signed, tr := map[string]string{}, newTraffic()
			c := openCrashing(t, newSite(t), signed, tr)
			must(t, c.store.Write(t.Context(), tr.step))
			must(t, c.store.SignNow(t.Context()))
			c.run(t, first)
			killed := c.image(t)
			left, leftSigned := *tr, maps.Clone(signed)
			left.seq = maps.Clone(tr.seq)
			c.mend(t)
			c.agrees(t, "goes on")
			must(t, c.store.Close())
			for j := range crashes {
				if testing.Short() && j != i {
					continue
				}
				second, tr := &crashes[j], left
				tr.seq = maps.Clone(left.seq)
				signed := maps.Clone(leftSigned) // what was signed in this life of the site
				c := openCrashing(t, (&crashing{site: killed}).image(t), signed, &tr)
				c.agrees(t, "killed")
				c.run(t, second)
				next := c.image(t)
				c.signer.before = true // nothing more is signed at its end
				must(t, c.store.Close())
				d := openCrashing(t, next, signed, &tr)
				d.agrees(t, "killed, then "+second.name+" and killed")
				must(t, d.store.Close())
			}
		})
	}
}
