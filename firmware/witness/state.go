package witness

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Why a checkpoint is not cosigned.
var (
	// ErrFork says that the log showed something that contradicts what it showed before. Both notes are kept: they are
	// the evidence.
	ErrFork = errors.New("witness: the log contradicts the checkpoint that this witness holds")
	// ErrOld says that the proof does not begin at the held size; nothing is wrong with the log.
	ErrOld = errors.New("witness: the proof does not begin at the checkpoint that this witness holds")
	// ErrNote says that the note is not one of the log.
	ErrNote = errors.New("witness: not a checkpoint of the log")
)

// State is what a witness remembers. The zero State has seen nothing.
type State struct {
	Note    string // the newest checkpoint it took, with its own cosignature; "" = none
	Refused string // the first checkpoint that contradicted Note, with the log's signature; "" = none
}

// Point is a checkpoint taken apart.
type Point struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// Parse takes a checkpoint's text apart: exactly three lines, as this log writes it.
func Parse(text string) (p Point, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] == "" {
		return p, ErrNote
	}
	p.Origin = lines[0]
	if p.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || p.Size < 0 || strconv.FormatInt(p.Size, 10) != lines[1] {
		return p, ErrNote
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(p.Root) || strings.ContainsRune(lines[2], '\r') { // a decoder passes over it, so there would be two texts of one checkpoint
		return p, ErrNote
	}
	copy(p.Root[:], root)
	return p, nil
}

// Open checks a checkpoint's signature by the log. Further signature lines may stand beside it.
func Open(signed string, log note.Verifier) (p Point, text string, err error) {
	n, err := note.Open([]byte(signed), note.VerifierList(log))
	if err != nil {
		return p, "", fmt.Errorf("%w: %w", ErrNote, err)
	}
	if p, err = Parse(n.Text); err != nil {
		return p, "", err
	}
	if p.Origin != log.Name() {
		return p, "", ErrNote
	}
	return p, n.Text, nil
}

// Held takes the remembered checkpoint apart; zero when there is none or it cannot be read.
func (s State) Held() Point {
	text, _, ok := strings.Cut(s.Note, "\n\n")
	if !ok {
		return Point{}
	}
	p, err := Parse(text + "\n")
	if err != nil {
		return Point{}
	}
	return p
}

// Take looks at a checkpoint with the proof that it extends the one of old leaves. When all is well it gives the state
// with the cosigned checkpoint: the caller writes it to the disk, and only then shows it to anybody (else a crash in
// between would let this witness cosign two pasts). seconds is the time, Unix seconds.
//
// A log with another origin than the held one is another log: log is the key that a note signed by the offline root
// names, so no one who has only the log's keys can make one. It is taken from its beginning.
//
// With ErrFork the state keeps the contradicting note; it goes on refusing until a checkpoint comes that extends what is held.
func (s State) Take(c *Cosigner, log note.Verifier, signed string, old int64, proof tlog.TreeProof, seconds uint64) (State, error) {
	p, text, err := Open(signed, log)
	if err != nil {
		return s, err
	}
	held := s.Held()
	if held.Origin != p.Origin {
		held = Point{Origin: p.Origin}
	}
	fork := func() (State, error) {
		if s.Refused == "" {
			s.Refused, err = LogLineOnly(signed, log)
		}
		return s, errors.Join(ErrFork, err)
	}
	switch {
	case p.Size < held.Size:
		return s, ErrOld // an older checkpoint, which may have been on its way
	case p.Size == held.Size && held.Size > 0:
		if p.Root != held.Root {
			return fork()
		}
		return s, nil
	case old != held.Size:
		return s, ErrOld
	case held.Size > 0:
		if tlog.CheckTree(proof, p.Size, p.Root, held.Size, held.Root) != nil {
			return fork()
		}
	}
	own, err := LogLineOnly(signed, log)
	if err != nil {
		return s, err
	}
	s.Note = own + c.Line(text, seconds)
	return s, nil
}
