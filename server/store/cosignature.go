package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/firmware/witness"
	"monban/server/entrylog"
	"monban/server/logcheck"
)

// Cosignature is a checkpoint that a witness has cosigned.
type Cosignature struct {
	Witness string // name of its key
	VKey    string
	Origin  string
	Size    int64
	AtMS    int64 // time in the cosignature, the witness's own clock, UTC ms
	Note    string

	// ReceivedMS is when this server was first shown the note, by its own clock, UTC ms; 0 = before that was kept. What is
	// newest and how old it is goes by this: a witness whose clock is wrong must not pass for one that is there.
	ReceivedMS int64
}

// CosignatureAhead is how far the time in a cosignature may lie behind its receipt: what clocks may differ by.
const CosignatureAhead = 5 * time.Minute

// maxSeconds is the last second of the year 9999; beyond it times have no date.
const maxSeconds = 253402300799

// day is the date of the cosignature, UTC: of each one row stays.
func (c *Cosignature) day() string { return time.UnixMilli(c.AtMS).UTC().Format(time.DateOnly) }

// ErrWitness says that what a witness shows is not a cosigned checkpoint.
var ErrWitness = errors.New("not a checkpoint of this log with the witness's cosignature")

// ErrWitnessClock says that a cosignature is of a time to come.
var ErrWitnessClock = errors.New("the cosignature is of a time to come: set the witness's clock")

// OpenCosigned checks a witness's note: the log's signature by the key of its origin, and the cosignature.
func OpenCosigned(vkey, signed string, keyOf func(origin string) note.Verifier) (c Cosignature, root tlog.Hash, err error) {
	v, err := witness.NewVerifier(vkey)
	if err != nil {
		return c, root, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	seconds, ok := v.Seconds(signed)
	if !ok {
		return c, root, ErrWitness
	}
	text, err := entrylog.SignedText([]byte(signed))
	if err != nil {
		return c, root, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	p, err := entrylog.ParseCheckpointText(text)
	if err != nil {
		return c, root, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	log := keyOf(p.Origin)
	if log == nil {
		return c, root, fmt.Errorf("%w: it is of log %s", ErrWitness, p.Origin)
	}
	if _, err := entrylog.OpenCheckpoint([]byte(signed), log); err != nil {
		return c, root, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	return Cosignature{Witness: v.Name(), VKey: vkey, Origin: p.Origin, Size: p.Size, AtMS: int64(min(seconds, maxSeconds)) * 1000, Note: signed}, p.Root, nil
}

// PutCosignature keeps what a witness holds, the newest of each day. Its signatures have been checked. One of a time to
// come, compared with its receipt, is ErrWitnessClock and is not kept.
func (tx *Tx) PutCosignature(c Cosignature) error {
	if c.ReceivedMS <= 0 {
		return errors.New("store cosignature: without the time of its receipt")
	}
	if c.ahead() {
		return ErrWitnessClock
	}
	_, err := tx.exec(`INSERT INTO cosignature (witness, day, origin, size, at_ms, vkey, note, received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (witness, day, origin) DO UPDATE SET size = excluded.size, at_ms = excluded.at_ms, vkey = excluded.vkey, note = excluded.note, received_ms = excluded.received_ms
		WHERE cosignature.idx < 0 AND (excluded.size > cosignature.size OR excluded.size = cosignature.size AND excluded.at_ms > cosignature.at_ms)`,
		c.Witness, c.day(), c.Origin, c.Size, c.AtMS, c.VKey, c.Note, c.ReceivedMS)
	if err != nil {
		return fmt.Errorf("store cosignature: %w", err)
	}
	return nil
}

func (c *Cosignature) ahead() bool { return c.AtMS > c.ReceivedMS+CosignatureAhead.Milliseconds() }

// Cosignatures lists what is kept of witnesses, the newest by their receipt first, at most limit; of one witness when it is named.
func (r Reader) Cosignatures(name string, limit int) ([]Cosignature, error) {
	rows, err := r.query(`SELECT witness, vkey, origin, size, at_ms, note, received_ms FROM cosignature WHERE ? = '' OR witness = ? ORDER BY received_ms DESC, size DESC, witness LIMIT ?`, name, name, limit)
	if err != nil {
		return nil, fmt.Errorf("read cosignatures: %w", err)
	}
	return scanCosignatures(rows)
}

func scanCosignatures(rows *sql.Rows) (out []Cosignature, err error) {
	defer rows.Close()
	for rows.Next() {
		var c Cosignature
		if err := rows.Scan(&c.Witness, &c.VKey, &c.Origin, &c.Size, &c.AtMS, &c.Note, &c.ReceivedMS); err != nil {
			return nil, fmt.Errorf("read cosignatures: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// Extends compares the log with a checkpoint that this log's key has signed; who says where it comes from, for the error.
// ErrHead says what does not fit: the database has fewer leaves, or others.
func (s *Store) Extends(ctx context.Context, who string, size int64, root tlog.Hash) error {
	return s.Read(ctx, func(r *ReadTx) error {
		have, err := r.LogSize()
		if err != nil {
			return err
		}
		if size > have {
			return fmt.Errorf("%w: %s holds a checkpoint of %d leaves, the database has %d: it is behind", ErrHead, who, size, have)
		}
		t, err := entrylog.Load(size, r.hashes)
		if err != nil {
			return err
		}
		if t.Root() != root {
			return fmt.Errorf("%w: %s holds another tree of %d leaves: the log was changed", ErrHead, who, size)
		}
		return nil
	})
}

// Beyond compares the log with a checkpoint that a witness holds and that this log's key has signed. When the log does not
// extend it, the database was taken back or changed: nothing is signed and nothing acknowledged any more (EV-3), as after a
// start behind the anchor file. It reports what does not fit.
func (s *Store) Beyond(ctx context.Context, who string, size int64, root tlog.Hash) error {
	err := s.Extends(ctx, who, size, root)
	if errors.Is(err, ErrHead) {
		s.refuseToSign(err)
	}
	return err
}

// ProveSince gives the newest published checkpoint with the proof that it extends the tree of old leaves. ok is false when it
// has no more leaves than those, or nothing is signed.
func (s *Store) ProveSince(ctx context.Context, origin string, old int64) (signed string, proof tlog.TreeProof, ok bool, err error) {
	signed = s.Checkpoint()
	if signed == "" {
		return "", nil, false, nil
	}
	text, err := entrylog.SignedText([]byte(signed))
	if err != nil {
		return "", nil, false, err
	}
	c, err := entrylog.ParseCheckpointText(text)
	if err != nil {
		return "", nil, false, err
	}
	if c.Origin != origin {
		old = 0 // it holds one of a log that this one follows
	}
	if c.Size <= old {
		return "", nil, false, nil
	}
	err = s.Read(ctx, func(r *ReadTx) error {
		proof, err = entrylog.ProveTree(c.Size, old, r.hashes)
		return err
	})
	if err != nil {
		return "", nil, false, fmt.Errorf("prove to a witness: %w", err)
	}
	return signed, proof, true, nil
}

// ErrBehind says that somebody has seen more leaves of this log than it has.
var ErrBehind = errors.New("has fewer leaves than were shown")

// ProveFrom gives the newest published checkpoint with its size, and the proof that it extends the tree of old leaves: nil when old
// is 0 or its own size. ErrBehind when it has fewer than those; the reason when nothing is signed.
func (s *Store) ProveFrom(ctx context.Context, old int64) (signed string, size int64, proof tlog.TreeProof, err error) {
	if err := s.SignErr(); err != nil {
		return "", 0, nil, err
	}
	if signed = s.Checkpoint(); signed == "" {
		return "", 0, nil, ErrNotSigned
	}
	text, err := entrylog.SignedText([]byte(signed))
	if err != nil {
		return "", 0, nil, err
	}
	c, err := entrylog.ParseCheckpointText(text)
	if err != nil {
		return "", 0, nil, err
	}
	if old > c.Size {
		return "", 0, nil, fmt.Errorf("%w: %d of %d", ErrBehind, c.Size, old)
	}
	if old == c.Size {
		return signed, c.Size, nil, nil
	}
	err = s.Read(ctx, func(r *ReadTx) error {
		proof, err = entrylog.ProveTree(c.Size, old, r.hashes)
		return err
	})
	return signed, c.Size, proof, err
}

// Contradicted stops signing and acknowledging (EV-3): a witness that is believed, though its word is not signed, says that it has
// seen another log than this one, or more of it.
func (s *Store) Contradicted(cause error) { s.refuseToSign(fmt.Errorf("%w: %w", ErrHead, cause)) }

// CheckpointAt gives the stored checkpoint of exactly this many leaves; ErrNotFound.
func (r Reader) CheckpointAt(size int64) (note string, err error) {
	err = r.row(`SELECT note FROM checkpoint WHERE size = ?`, size).Scan(&note)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read checkpoint: %w", err)
	}
	return note, nil
}

// RootAt is the root of the tree of the first size leaves.
func (r Reader) RootAt(size int64) (root tlog.Hash, err error) {
	t, err := entrylog.Load(size, r.hashes)
	if err != nil {
		return root, err
	}
	return t.Root(), nil
}

// NewestCheckpoint is the size of the newest stored checkpoint; 0 = there is none.
func (r Reader) NewestCheckpoint() (size int64, err error) {
	if err = r.row(`SELECT coalesce(max(size), 0) FROM checkpoint`).Scan(&size); err != nil {
		return 0, fmt.Errorf("read checkpoint: %w", err)
	}
	return size, nil
}

// cosignedHeld has the log compared with what witnesses hold of it: the rows say what it was when they were written. A
// row whose signatures do not hold, or that says otherwise than its note, is a finding. Rows taken out are not: whoever
// audits asks the witnesses.
func cosignedHeld(ctx context.Context, tx *sql.Tx, opt *VerifyOptions, res *entrylog.Result) error {
	rows, err := tx.QueryContext(ctx, `SELECT day, witness, vkey, origin, size, at_ms, note, received_ms FROM cosignature ORDER BY origin, size`)
	if err != nil {
		return err
	}
	defer rows.Close()
	keys := logcheck.Keys{Log: opt.Log, Before: opt.Before}
	for rows.Next() {
		var day string
		var c Cosignature
		if err := rows.Scan(&day, &c.Witness, &c.VKey, &c.Origin, &c.Size, &c.AtMS, &c.Note, &c.ReceivedMS); err != nil {
			return err
		}
		name := c.Witness + "/" + day + "/" + c.Origin
		want, root, err := OpenCosigned(c.VKey, c.Note, keys.Of)
		want.ReceivedMS = c.ReceivedMS // this server's own word
		switch {
		case err != nil:
			res.Add("cosignature", name, "%v", err)
		case want != c || day != c.day():
			res.Add("cosignature", name, "is not what its note says")
		case c.ReceivedMS != 0 && c.ahead():
			res.Add("cosignature", name, "was received before it was made")
		default: // of an earlier log too: what that has lost is passed over there
			opt.Held = append(opt.Held, logcheck.Held{Name: "witness " + c.Witness, Own: true, Checkpoint: entrylog.Checkpoint{Origin: c.Origin, Size: c.Size, Root: root}})
		}
	}
	return rows.Err()
}
