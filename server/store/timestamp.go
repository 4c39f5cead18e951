package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/timestamp"
)

// Leaf of a stamp's import: its id is SIZE/SHA-256 of note ‖ LF ‖ nonce in hex ‖ LF ‖ answer.
const (
	stampVerb   = "timestamp_imported"
	stampTarget = "checkpoint"
)

// StampRequest is what a time-stamping authority was asked for.
type StampRequest struct {
	Size  int64
	Note  string // signed checkpoint
	Nonce []byte
	AtMS  int64 // UTC ms
}

// Stamp is a time stamp of another house on a checkpoint (EV-10).
type Stamp struct {
	Idx        int64 // leaf of its import
	Size       int64
	Note       string // signed checkpoint
	Nonce      []byte
	Answer     []byte // as it came
	StampMS    int64  // time in it, the authority's clock, UTC ms
	ReceivedMS int64  // this server's clock, UTC ms
	Authority  string // subject of its certificate
	Policy     string
}

func (s *Stamp) leafID() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%x\n%s", s.Note, s.Nonce, s.Answer)
	return fmt.Sprintf("%d/%s", s.Size, hex.EncodeToString(h.Sum(nil)))
}

// ErrStampTime says that a stamp's time is not between the checkpoint's newest leaf and its receipt.
var ErrStampTime = errors.New("the time stamp's time does not fit")

// PutStampRequest keeps what is asked for. Asked for again, the newest nonce counts.
func (tx *Tx) PutStampRequest(q StampRequest) error {
	sum := sha256.Sum256([]byte(q.Note))
	_, err := tx.exec(`INSERT INTO timestamp_request (imprint, size, note, nonce, at_ms) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (imprint) DO UPDATE SET nonce = excluded.nonce, at_ms = excluded.at_ms`, sum[:], q.Size, q.Note, q.Nonce, q.AtMS)
	if err != nil {
		return fmt.Errorf("store request for a time stamp: %w", err)
	}
	return nil
}

// StampRequest gives the request whose note has that SHA-256; ErrNotFound.
func (r Reader) StampRequest(imprint [32]byte) (q StampRequest, err error) {
	err = r.row(`SELECT size, note, nonce, at_ms FROM timestamp_request WHERE imprint = ?`, imprint[:]).Scan(&q.Size, &q.Note, &q.Nonce, &q.AtMS)
	if errors.Is(err, sql.ErrNoRows) {
		return q, ErrNotFound
	}
	if err != nil {
		return q, fmt.Errorf("read request for a time stamp: %w", err)
	}
	return q, nil
}

// PutStamp keeps the answer to a request after checking it, with the leaf that commits to it; the request is then answered. The
// stamp must not be older than the checkpoint's newest leaf nor of a time to come, by more than clocks may differ.
func (tx *Tx) PutStamp(q StampRequest, answer []byte, trust *timestamp.Trust, now time.Time) (s Stamp, err error) {
	got, err := timestamp.Check(answer, []byte(q.Note), q.Nonce, trust)
	if err != nil {
		return s, err
	}
	leaf, err := tx.Leaf(q.Size - 1)
	if err != nil {
		return s, err
	}
	newest, err := leafTime(leaf.Body)
	if err != nil {
		return s, err
	}
	switch slack := CosignatureAhead; {
	case got.Time.Before(newest.Add(-slack)):
		return s, fmt.Errorf("%w: %s is before the checkpoint's newest entry (%s): one of the clocks is wrong", ErrStampTime, got.Time.Format(time.RFC3339), newest.UTC().Format(time.RFC3339))
	case got.Time.After(now.Add(slack)):
		return s, fmt.Errorf("%w: %s is still to come by this server's clock: set the clock, then import again", ErrStampTime, got.Time.Format(time.RFC3339))
	}
	s = Stamp{Size: q.Size, Note: q.Note, Nonce: q.Nonce, Answer: answer, StampMS: got.Time.UnixMilli(), ReceivedMS: now.UnixMilli(), Authority: got.Authority, Policy: got.Policy}
	a := entrylog.Action{Verb: stampVerb, Target: stampTarget, ID: s.leafID(), From: "cli", Result: "ok", AtMS: s.ReceivedMS}
	if s.Idx, err = tx.AppendAction(a, nil); err != nil {
		return s, fmt.Errorf("store time stamp: %w", err)
	}
	_, err = tx.exec(`INSERT INTO timestamp (idx, size, note, nonce, answer, stamp_ms, received_ms, authority, policy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.Idx, s.Size, s.Note, s.Nonce, s.Answer, s.StampMS, s.ReceivedMS, s.Authority, s.Policy)
	if err == nil {
		sum := sha256.Sum256([]byte(q.Note))
		_, err = tx.exec(`DELETE FROM timestamp_request WHERE imprint = ?`, sum[:])
	}
	if err != nil {
		return s, fmt.Errorf("store time stamp: %w", err)
	}
	return s, nil
}

// leafTime is the server's time of a leaf; of one that was disposed of the zero time.
func leafTime(body []byte) (time.Time, error) {
	l, err := entrylog.Parse(body)
	if err != nil {
		return time.Time{}, nil //nolint:nilerr // a body that was dropped has no time: nothing to compare with
	}
	return time.UnixMilli(l.AtMS()), nil
}

const stampColumns = `idx, size, note, nonce, answer, stamp_ms, received_ms, authority, policy`

func scanStamp(rows *sql.Rows) (s Stamp, err error) {
	err = rows.Scan(&s.Idx, &s.Size, &s.Note, &s.Nonce, &s.Answer, &s.StampMS, &s.ReceivedMS, &s.Authority, &s.Policy)
	return s, err
}

// Stamps lists the newest time stamps, at most limit.
func (r Reader) Stamps(limit int) (out []Stamp, err error) {
	rows, err := r.query(`SELECT `+stampColumns+` FROM timestamp ORDER BY idx DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read time stamps: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		s, err := scanStamp(rows)
		if err != nil {
			return nil, fmt.Errorf("read time stamps: %w", err)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// stampsHeld checks each stamp by itself and has the log compared with its checkpoint. Whose it is is asked only when the caller
// says whom it trusts.
func stampsHeld(ctx context.Context, tx *sql.Tx, opt *VerifyOptions, res *entrylog.Result) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+stampColumns+` FROM timestamp ORDER BY idx`)
	if err != nil {
		return err
	}
	defer rows.Close()
	keys := logcheck.Keys{Log: opt.Log, Before: opt.Before}
	for rows.Next() {
		s, err := scanStamp(rows)
		if err != nil {
			return err
		}
		name := key(s.Idx)
		held, err := logcheck.OpenHeld(&keys, []logcheck.NamedNote{{Name: "time stamp " + name, Signed: s.Note}})
		if err != nil {
			res.Add("timestamp", name, "%v", err)
			continue
		}
		got, err := timestamp.Check(s.Answer, []byte(s.Note), s.Nonce, opt.Stamps)
		switch {
		case err != nil:
			res.Add("timestamp", name, "%v", err)
			continue
		case held[0].Checkpoint.Size != s.Size || got.Time.UnixMilli() != s.StampMS || got.Authority != s.Authority || got.Policy != s.Policy:
			res.Add("timestamp", name, "is not what its stamp says")
		case s.StampMS > s.ReceivedMS+CosignatureAhead.Milliseconds():
			res.Add("timestamp", name, "was received before it was made")
		}
		h := held[0] // of an earlier log too: what that has lost is passed over there
		h.Own, h.Stamp = true, &logcheck.Stamped{Size: s.Size, AtMS: s.StampMS, Authority: s.Authority, Trusted: opt.Stamps != nil}
		opt.Held = append(opt.Held, h)
	}
	return rows.Err()
}

// openStamps opens the cursor over the rows to which leaves commit.
func (c *check) openStamps() (err error) {
	c.stamps, err = openCursor(c, `SELECT `+stampColumns+` FROM timestamp`, `idx`,
		func(r *sql.Rows) (int64, stamped, error) {
			s, err := scanStamp(r)
			return s.Idx, stamped{s.leafID(), s.ReceivedMS}, err
		}, c.at.Stamps)
	return err
}

// stamped is what a leaf says of the row of a stamp.
type stamped struct {
	id string
	at int64
}

// stampRow compares the row with its leaf.
func (c *check) stampRow(idx int64, l *entrylog.Action) error {
	if l.Verb != stampVerb || l.Target != stampTarget {
		return nil
	}
	row, found, err := c.stamps.take(idx, c.strayStamp)
	switch {
	case err != nil:
		return err
	case !found:
		c.res.Add("timestamp", key(idx), "is missing: leaf %d says that a time stamp was imported", idx)
	case row != stamped{l.ID, l.AtMS}:
		c.res.Add("timestamp", key(idx), "is not what the leaf says")
	}
	return nil
}

func (c *check) strayStamp(idx int64, _ stamped) {
	if !c.log.Gone(idx) {
		c.res.Add("timestamp", key(idx), "follows from no leaf")
	}
}
