package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
	"monban/server/signer"
)

// ErrHead says that database and anchor file, or database and signer, do not agree about the past:
// the database was restored, rolled back or changed. Nothing is signed and nothing acknowledged
// until a person has decided (EV-3); doors go on deciding.
var ErrHead = errors.New("the database is not what was last signed")

// Checkpoint is the newest published checkpoint note, "" when there is none or nothing is signed.
func (s *Store) Checkpoint() string {
	if p := s.checkpoint.Load(); p != nil {
		return *p
	}
	return ""
}

// SignErr says why nothing is signed; nil when all is well. While it is not nil no ack may be sent.
func (s *Store) SignErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signErr
}

func (s *Store) refuseToSign(err error) {
	s.mu.Lock()
	first := s.signErr == nil || s.signLater
	if first {
		s.signErr, s.signLater = err, false
	}
	s.mu.Unlock()
	none := ""
	s.checkpoint.Store(&none)
	if first {
		s.opt.Logger.LogAttrs(context.Background(), slog.LevelError, "nothing is signed and nothing acknowledged any more",
			slog.String("database", s.path), slog.String("error", err.Error()))
	}
}

// compareAnchor compares the database with the anchor file and with the signer at start: equal or
// ahead and consistent is well, anything else refuses to sign.
func (s *Store) compareAnchor() {
	if err := s.compareHeads(); err != nil {
		s.refuseToSign(fmt.Errorf("%w: %w", ErrHead, err))
	}
}

func (s *Store) compareHeads() error {
	r := Reader{q: s.conn}
	newest, stored, err := r.newestCheckpoint(s.since)
	if err != nil {
		return err
	}
	if s.opt.Signer != nil {
		size, root := s.opt.Signer.LastCheckpoint()
		if err := s.compare(r, "the signer", size, root); err != nil {
			return err
		}
	}
	if s.opt.Log == nil {
		return nil
	}
	if stored > 0 {
		c, err := entrylog.OpenCheckpoint([]byte(newest), s.opt.Log)
		if err != nil {
			return fmt.Errorf("newest stored checkpoint: %w", err)
		}
		if err := s.compare(r, "the newest stored checkpoint", c.Size, c.Root); err != nil {
			return err
		}
	}
	data, err := os.ReadFile(s.opt.Anchor)
	if errors.Is(err, fs.ErrNotExist) {
		if stored > 1 { // with one, the crash may have come between storing it and writing the file
			return fmt.Errorf("anchor file %s is missing, the database has %d checkpoints", s.opt.Anchor, stored)
		}
		if stored == 1 {
			s.publishCheckpoint(newest)
			s.unfinished = true
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("anchor file: %w", err)
	}
	c, err := entrylog.OpenCheckpoint(data, s.opt.Log)
	if err != nil {
		return fmt.Errorf("anchor file %s: %w", s.opt.Anchor, err)
	}
	if err := s.compare(r, "the anchor file", c.Size, c.Root); err != nil {
		return err
	}
	if stored > 0 {
		s.publishCheckpoint(newest)
		s.unfinished = c.Size < s.publishedSize()
	}
	return nil
}

// compare checks that the database extends the tree of that size and root.
func (s *Store) compare(r Reader, who string, size int64, root tlog.Hash) error {
	if size > s.tree.Size() {
		return fmt.Errorf("%s knows %d leaves, the database has %d: it is behind", who, size, s.tree.Size())
	}
	if size == 0 {
		return nil
	}
	t, err := entrylog.Load(size, r.hashes)
	if err != nil {
		return err
	}
	if t.Root() != root {
		return fmt.Errorf("%s knows another tree of %d leaves: the log was changed", who, size)
	}
	return nil
}

func (s *Store) publishCheckpoint(note string) { s.checkpoint.Store(&note) }

// publishedSize is how many leaves the published checkpoint has; -1 when there is none.
func (s *Store) publishedSize() int64 {
	_, rest, _ := strings.Cut(s.Checkpoint(), "\n")
	line, _, _ := strings.Cut(rest, "\n")
	size, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return -1
	}
	return size
}

// newestCheckpoint gives the newest stored note of more than above leaves and how many of them there are (at
// most 2 are counted).
func (r Reader) newestCheckpoint(above int64) (note string, count int, err error) {
	rows, err := r.query(`SELECT note FROM checkpoint WHERE size > ? ORDER BY size DESC LIMIT 2`, above)
	if err != nil {
		return "", 0, fmt.Errorf("read checkpoints: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return "", 0, fmt.Errorf("read checkpoints: %w", err)
		}
		if count == 0 {
			note = n
		}
		count++
	}
	return note, count, rows.Err()
}

// signRetry is the pause before signing is tried again on a full disk.
const signRetry = time.Second

// diskFull reports whether an error says only that there is no space: what was there before is untouched, and
// the same is worth trying again.
func diskFull(err error) bool {
	var e sqlite3.Error
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.As(err, &e) && e.Code == sqlite3.ErrFull
}

// wake tells the checkpointer that there is something to sign.
func (s *Store) wake() {
	select {
	case s.dirty <- struct{}{}:
	default: // it knows
	}
}

// checkpointer signs at most checkpointEvery after a leaf. It waits after the first leaf, so that a
// busy second costs one signature and three fsyncs, not hundreds.
func (s *Store) checkpointer() {
	defer close(s.ended)
	var again <-chan time.Time // not nil while a full disk keeps us from signing
	for {
		wait := s.opt.CheckpointEvery
		select {
		case <-s.quit:
			s.signIfPossible()
			return
		case <-again:
			wait = 0
		case <-s.dirty:
		}
		t := time.NewTimer(wait)
		select {
		case <-s.quit:
			t.Stop()
			s.signIfPossible()
			return
		case <-t.C:
			again = nil
			if s.signIfPossible() {
				again = time.After(signRetry)
			}
		}
	}
}

// signIfPossible reports whether it has to be tried again: after a full disk, and when the signer did not
// answer, which is no reason to stop acknowledging; the older checkpoint stays true. After any other
// failure nothing is signed until the next start has compared database, signer and anchor file.
func (s *Store) signIfPossible() (again bool) {
	err := s.SignNow(context.Background())
	switch {
	case err == nil:
		return false
	case errors.Is(err, signer.ErrUnavailable):
		s.opt.Logger.LogAttrs(context.Background(), slog.LevelWarn, "checkpoint not signed, trying again", slog.String("error", err.Error()))
		return true
	case diskFull(err):
		s.mu.Lock()
		first := s.signErr == nil
		if first {
			s.signErr, s.signLater = err, true
		}
		again := s.signLater
		s.mu.Unlock()
		if first {
			s.opt.Logger.LogAttrs(context.Background(), slog.LevelError, "nothing is signed and nothing acknowledged until there is disk space",
				slog.String("database", s.path), slog.String("error", err.Error()))
		}
		return again
	case s.SignErr() == nil || s.later():
		s.refuseToSign(err)
	}
	return false
}

// later reports whether signing only waits for disk space.
func (s *Store) later() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signLater
}

// SignNow signs, stores and publishes a checkpoint of everything committed. It does nothing without
// a signer or a new leaf.
func (s *Store) SignNow(ctx context.Context) error {
	if s.opt.Signer == nil {
		return nil
	}
	s.signing.Lock()
	defer s.signing.Unlock()
	later := s.later()
	if err := s.SignErr(); err != nil && !later {
		return err
	}
	s.mu.Lock()
	tree := s.head // 1. committed: leaves, rows and tree hashes are on the disk
	s.mu.Unlock()
	old, _ := s.opt.Signer.LastCheckpoint()
	// Signed is not enough: when the signer's answer was lost, or storing failed, an older checkpoint is what others see.
	if tree.Size() == old && tree.Size() == s.publishedSize() && !s.unfinished && !later {
		return nil
	}
	note, err := s.sign(ctx, &tree, old)
	if err != nil {
		return err
	}
	// crash point 4: signed, nowhere stored. The signer knows the size; the leaves are committed, so
	// the next start signs the same tree or a longer one.
	err = s.submit(ctx, func(tx *Tx) error { // 3. stored in the database …
		_, err := tx.exec(`INSERT INTO checkpoint (size, note) VALUES (?, ?) ON CONFLICT (size) DO NOTHING`, tree.Size(), string(note))
		return err
	})
	if err != nil {
		return fmt.Errorf("store checkpoint: %w", err)
	}
	// crash point 5: in the database, not in the anchor file; the database is ahead, which is well.
	if err := replaceFile(s.opt.Anchor, note); err != nil { // … and outside it
		return fmt.Errorf("write anchor file: %w", err)
	}
	// crash point 6: stored twice, told to nobody; published at the next start.
	s.publishCheckpoint(string(note)) // 4. published
	s.unfinished = false
	s.mu.Lock()
	if s.signLater {
		s.signErr, s.signLater = nil, false
	}
	s.mu.Unlock()
	if s.opt.Checkpointed != nil {
		s.opt.Checkpointed()
	}
	return nil
}

// sign proves to the signer that the tree extends what it signed last, and has it sign.
func (s *Store) sign(ctx context.Context, tree *entrylog.Tree, old int64) ([]byte, error) {
	origin := ""
	if s.opt.Log != nil {
		origin = s.opt.Log.Name()
	}
	text := entrylog.Checkpoint{Origin: origin, Size: tree.Size(), Root: tree.Root()}.Text()
	var proof tlog.TreeProof
	if old < tree.Size() {
		err := s.Read(ctx, func(r *ReadTx) (err error) {
			proof, err = entrylog.ProveTree(tree.Size(), old, r.hashes)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("prove checkpoint: %w", err)
		}
	}
	return s.opt.Signer.SignCheckpoint(text, proof) // 2. signed
}

// ProveLeaf gives a leaf's bytes and the proof that it stands in the log's tree of that size.
func (r Reader) ProveLeaf(size, idx int64) (body []byte, proof tlog.RecordProof, err error) {
	leaf, err := r.Leaf(idx)
	if err != nil {
		return nil, nil, err
	}
	proof, err = entrylog.ProveRecord(size, idx, r.hashes)
	if err != nil {
		return nil, nil, fmt.Errorf("prove leaf %d: %w", idx, err)
	}
	return leaf.Body, proof, nil
}

// replaceFile writes data beside path, makes it durable and swaps it in.
func replaceFile(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
