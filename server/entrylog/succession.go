package entrylog

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Succession says that a log ends and another one takes over, because the database was restored from a
// backup: leaves that others may have seen are gone, and signing another tree of the same size would be a
// second truth (I8). The leaf stands at index Size; the new log's tree begins with the restored leaves.
type Succession struct {
	Origin string // of the log that begins with this leaf
	Before string // of the log that ends: the last one that signed

	Size int64 // leaves restored
	Root Hash  // their root

	// Known is the newest checkpoint of the old log that anybody could show, a signed note; "" when
	// nothing was ever signed.
	Known string

	SinceMS int64  // server time of the last restored leaf, UTC ms
	AtMS    int64  // when it was restored, UTC ms
	Why     string // a word
}

// knownCheckpoint takes Known apart; zero values when there is none.
func (s *Succession) knownCheckpoint() (c Checkpoint, sig []byte, err error) {
	if s.Known == "" {
		return Checkpoint{}, nil, nil
	}
	text, err := SignedText([]byte(s.Known))
	if err != nil {
		return c, nil, fmt.Errorf("succession: last known checkpoint: %w", err)
	}
	if c, err = ParseCheckpointText(text); err != nil {
		return c, nil, fmt.Errorf("succession: last known checkpoint: %w", err)
	}
	if err := OwnSignature([]byte(s.Known)); err != nil {
		return c, nil, fmt.Errorf("succession: last known checkpoint: %w", err)
	}
	line := strings.TrimSuffix(s.Known[len(text)+1:], "\n")
	sig, err = base64.StdEncoding.Strict().DecodeString(line[strings.LastIndexByte(line, ' ')+1:])
	return c, sig, err
}

// KnownCheckpoint is where the old log is known to have ended; an error when nothing is known. Its signature is not checked here.
func (s *Succession) KnownCheckpoint() (Checkpoint, error) {
	c, _, err := s.knownCheckpoint()
	if err == nil && s.Known == "" {
		err = errors.New("succession: no checkpoint of the old log is known")
	}
	return c, err
}

// Lost is the range of indices of the old log that the restored database does not hold, as far as is
// known: from ≤ index < to. It is empty when nothing is known to be lost.
func (s *Succession) Lost() (from, to int64) {
	c, _, err := s.knownCheckpoint()
	if err != nil {
		return s.Size, s.Size
	}
	return s.Size, max(s.Size, c.Size)
}

// Leaf gives the system leaf. Who restored and the reason in words belong into its opening.
func (s *Succession) Leaf() (System, error) {
	c, sig, err := s.knownCheckpoint()
	if err != nil {
		return System{}, err
	}
	if c.Origin != s.Before && s.Known != "" {
		return System{}, fmt.Errorf("succession: the last known checkpoint is of %q, not of %q", c.Origin, s.Before)
	}
	from, to := s.Lost()
	root := ""
	if s.Known != "" {
		root = HexText(c.Root[:])
	}
	num := func(n int64) string { return strconv.FormatInt(n, 10) }
	return System{Name: SystemSuccession, AtMS: s.AtMS, Values: []string{
		s.Origin, s.Before, num(s.Size), HexText(s.Root[:]), num(c.Size), root, hex.EncodeToString(sig),
		num(from), num(to), num(s.SinceMS), s.Why,
	}}, nil
}

// SuccessionOf reads a succession leaf; the note of Known is put together again and not yet verified.
func SuccessionOf(y *System) (Succession, error) {
	s := Succession{Origin: y.Value("origin"), Before: y.Value("before"), Why: y.Value("why"), AtMS: y.AtMS}
	size, ok1 := y.Int("size")
	known, ok2 := y.Int("known")
	from, ok3 := y.Int("from")
	to, ok4 := y.Int("to")
	since, ok5 := y.Int("since")
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || size < 1 || known < 0 || !y.Hex("root", s.Root[:]) || s.Origin == "" || s.Before == "" {
		return Succession{}, errors.New("succession leaf: a number, root or origin is not one")
	}
	s.Size, s.SinceMS = size, since
	if known > 0 {
		c := Checkpoint{Origin: s.Before, Size: known}
		sig, err := hex.DecodeString(y.Value("known_sig"))
		if err != nil || len(sig) < 5 || !y.Hex("known_root", c.Root[:]) {
			return Succession{}, errors.New("succession leaf: the last known checkpoint is not one")
		}
		s.Known = fmt.Sprintf("%s\n— %s %s\n", c.Text(), s.Before, base64.StdEncoding.EncodeToString(sig))
	}
	if f, t := s.Lost(); f != from || t != to {
		return Succession{}, fmt.Errorf("succession leaf: names %d to %d as lost, its checkpoints say %d to %d", from, to, f, t)
	}
	if again, err := s.Leaf(); err != nil {
		return Succession{}, err
	} else if again.Value("known_root") != y.Value("known_root") || again.Value("known_sig") != y.Value("known_sig") {
		return Succession{}, errors.New("succession leaf: the last known checkpoint is not one")
	}
	return s, nil
}

// Check verifies a succession that stands at index idx after leaves of this root. before is the key of
// the log that ends, nil when it is not at hand: then its checkpoint cannot be checked.
func (s *Succession) Check(idx int64, root Hash, before note.Verifier) error {
	if s.Size != idx || s.Root != root {
		return fmt.Errorf("succession leaf: names %d leaves and another root than the %d before it have", s.Size, idx)
	}
	if s.Known == "" {
		return nil
	}
	if before == nil {
		return fmt.Errorf("succession leaf: the public key of %s is not at hand", s.Before)
	}
	c, err := OpenCheckpoint([]byte(s.Known), before)
	if err != nil {
		return fmt.Errorf("succession leaf: last known checkpoint: %w", err)
	}
	if c.Size == s.Size && c.Root != s.Root {
		return errors.New("succession leaf: the restored leaves are not those that the old log signed")
	}
	return nil
}
