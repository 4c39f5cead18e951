package entrylog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is a statement about the log: it has Size leaves and this root. Text is its C2SP
// tlog-checkpoint form: exactly three lines, never an extension line (EV-2).
type Checkpoint struct {
	Origin string // monban/<8 hex of the log key's hash>
	Size   int64
	Root   Hash
}

// Text gives the three lines that are signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// ParseCheckpointText is the strict inverse of Text. Extension lines are refused: this log never
// writes one, and nobody should think it did.
func ParseCheckpointText(text string) (Checkpoint, error) {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("checkpoint: want exactly three lines")
	}
	c := Checkpoint{Origin: strings.TrimSuffix(lines[0], "\n")}
	if c.Origin == "" {
		return Checkpoint{}, errors.New("checkpoint: no origin")
	}
	s := scan{b: []byte(strings.TrimSuffix(lines[1], "\n"))}
	c.Size = s.int()
	if err := s.end(); err != nil || c.Size < 0 {
		return Checkpoint{}, errors.New("checkpoint: the size is not a plain number")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(lines[2], "\n"))
	if err != nil || len(root) != len(c.Root) || strings.ContainsRune(lines[2], '\r') { // a decoder passes over it
		return Checkpoint{}, errors.New("checkpoint: the root is not 32 bytes of base64")
	}
	copy(c.Root[:], root)
	return c, nil
}

// OpenCheckpoint verifies a signed checkpoint note: a signature by the log's key, and the key's name
// as the origin. Cosignatures by others may stand beside it.
func OpenCheckpoint(signed []byte, log note.Verifier) (Checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList(log))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := ParseCheckpointText(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != log.Name() {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin %q is not the log %q", c.Origin, log.Name())
	}
	return c, nil
}

// OwnSignature checks that a note carries exactly one signature line, strictly encoded: the form in
// which this log stores its checkpoints. OpenCheckpoint alone accepts further lines, which would be
// bytes that nobody vouches for.
func OwnSignature(signed []byte) error {
	_, sigs, ok := bytes.Cut(signed, []byte("\n\n"))
	if !ok {
		return errors.New("checkpoint: not a signed note")
	}
	line, rest, ok := bytes.Cut(sigs, []byte("\n"))
	if !ok || len(rest) != 0 {
		return errors.New("checkpoint: more than one signature line")
	}
	if i := bytes.LastIndexByte(line, ' '); i < 0 {
		return errors.New("checkpoint: malformed signature line")
	} else if _, err := base64.StdEncoding.Strict().DecodeString(string(line[i+1:])); err != nil {
		return errors.New("checkpoint: the signature is not canonical base64")
	}
	return nil
}

// SignedText gives the text part of a signed note without verifying anything.
func SignedText(signed []byte) (string, error) {
	i := bytes.Index(signed, []byte("\n\n"))
	if i < 0 {
		return "", errors.New("not a signed note")
	}
	return string(signed[:i+1]), nil
}
