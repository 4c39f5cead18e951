package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"monban/server/entrylog"
)

// successionKey is the setting that says at which leaf the last succession stands. It only saves a walk
// through the log: what counts is the leaf, and verify finds all of them by itself.
const successionKey = "log_succession"

// origin gives the name of the log that signs now, first being that of the genesis leaf, and sets since.
func (s *Store) origin(r Reader, first string) (string, error) {
	text, err := r.Setting(successionKey)
	if errors.Is(err, ErrNotFound) {
		return first, nil
	}
	if err != nil {
		return "", err
	}
	idx, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return "", fmt.Errorf("setting %s: %w", successionKey, err)
	}
	leaf, err := r.Leaf(idx)
	if err != nil {
		return "", fmt.Errorf("succession leaf %d: %w", idx, err)
	}
	y, err := entrylog.ParseSystem(leaf.Body)
	if err != nil || y.Name != entrylog.SystemSuccession {
		return "", fmt.Errorf("leaf %d is no succession leaf", idx)
	}
	s.since = idx
	return y.Value("origin"), nil
}

// LogMark is eight hexadecimal digits that tell this log from those that it follows and from the one that another restored copy
// became: of the hash of its succession leaf, or of its genesis leaf while it follows none.
func (r Reader) LogMark() (string, error) {
	idx := int64(0)
	text, err := r.Setting(successionKey)
	if err == nil {
		idx, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("setting %s: %w", successionKey, err)
	}
	leaf, err := r.Leaf(idx)
	if err != nil {
		return "", fmt.Errorf("first leaf %d of the log: %w", idx, err)
	}
	sum := sha256.Sum256(leaf.Body)
	return hex.EncodeToString(sum[:4]), nil
}

// SuccessionOf finds the succession by which a log ended, by that log's origin; ErrNotFound. It looks through the log's system leaves.
func (r Reader) SuccessionOf(before string) (y entrylog.Succession, err error) {
	rows, err := r.query(`SELECT body FROM log_leaf WHERE kind = 'system' AND instr(body, ?) > 0 ORDER BY idx DESC`, []byte(entrylog.SystemSuccession))
	if err != nil {
		return y, fmt.Errorf("read successions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return y, fmt.Errorf("read successions: %w", err)
		}
		leaf, err := entrylog.ParseSystem(body)
		if err != nil || leaf.Name != entrylog.SystemSuccession {
			continue // the word stood in another leaf
		}
		if y, err = entrylog.SuccessionOf(&leaf); err != nil || y.Before == before {
			return y, err
		}
	}
	if err := rows.Err(); err != nil {
		return y, fmt.Errorf("read successions: %w", err)
	}
	return entrylog.Succession{}, ErrNotFound
}

// Head is where a log ends.
type Head struct {
	Size       int64
	Root       entrylog.Hash
	Checkpoint string // newest stored checkpoint note, "" when there is none
	LastMS     int64  // server time of the newest leaf, UTC ms
}

// HeadOf gives where the log of a database file ends that no server uses, or a copy of one.
func HeadOf(ctx context.Context, path string) (Head, error) {
	s := &Store{read: openPool(path, true, 2)} // a second one prepares statements
	defer s.closePools()                       // read-only
	h, err := s.Head(ctx)
	if err != nil {
		return h, fmt.Errorf("database %s: %w", path, oneLine(err))
	}
	return h, nil
}

// Head gives where the committed log ends.
func (s *Store) Head(ctx context.Context) (h Head, err error) {
	err = s.Read(ctx, func(r *ReadTx) error {
		if h.Size, err = r.LogSize(); err != nil {
			return err
		}
		tree, err := entrylog.Load(h.Size, r.hashes)
		if err != nil {
			return err
		}
		h.Root = tree.Root()
		if h.Checkpoint, _, err = r.newestCheckpoint(-1); err != nil {
			return err
		}
		leaf, err := r.Leaf(h.Size - 1) // there is a genesis leaf at least
		if err != nil {
			return err
		}
		p, err := entrylog.Parse(leaf.Body)
		h.LastMS = p.AtMS()
		return err
	})
	return h, err
}

// Succeed ends the log of the database at path, which no server uses, and begins the next one with a
// succession leaf (D22). next is told where the restored log ends and gives the leaf, what it commits
// to, and what else is written in the same transaction (may be nil). Nothing is signed here: that does the
// next Open, with the new log's key. Interrupted, it has either happened or not.
func Succeed(ctx context.Context, path string, opt Options, next func(Head) (entrylog.Succession, *entrylog.Opening, func(*Tx) error, error)) error {
	opt.Signer, opt.Log = nil, nil // the old log signs nothing any more
	s, err := Open(path, opt)
	if err != nil {
		return err
	}
	err = s.succeed(ctx, next)
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("database %s: succession: %w", path, oneLine(err))
	}
	return nil
}

func (s *Store) succeed(ctx context.Context, next func(Head) (entrylog.Succession, *entrylog.Opening, func(*Tx) error, error)) error {
	h, err := s.Head(ctx)
	if err != nil {
		return err
	}
	to, opening, also, err := next(h)
	if err != nil {
		return err
	}
	leaf, err := to.Leaf()
	if err != nil {
		return err
	}
	return s.Write(ctx, func(tx *Tx) error {
		if tx.tree.Size() != to.Size || tx.tree.Root() != to.Root {
			return errors.New("the log is not the one that was looked at")
		}
		idx, err := tx.AppendSystem(leaf, opening)
		if err != nil {
			return err
		}
		if err := tx.SetSetting(successionKey, strconv.FormatInt(idx, 10)); err != nil {
			return err
		}
		if err := tx.endSessions(); err != nil {
			return err
		}
		if also == nil {
			return nil
		}
		return also(tx)
	})
}

// endSessions ends everybody's: one that was ended after the backup would be good again.
func (tx *Tx) endSessions() error {
	_, err := tx.exec(`DELETE FROM session`)
	return err
}
