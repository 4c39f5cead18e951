package world

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// signatures are the four signature operations that one badge cannot do without: the question is signed and verified,
// and so is the answer. They depend on the processor and not on the disk.
type signatures struct {
	signer note.Signer
	known  note.Verifiers
	text   string
}

func newSignatures() (*signatures, error) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "bench")
	if err != nil {
		return nil, fmt.Errorf("key for the signatures' floor: %w", err)
	}
	s := &signatures{text: fmt.Sprintf("%0600d\n", 0)} // as long as a question
	if s.signer, err = note.NewSigner(skey); err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	s.known = note.VerifierList(v)
	return s, nil
}

// once measures all four, each after a pause of its own as between the stations of a badge, and adds them up.
func (s *signatures) once(pause time.Duration) (sum time.Duration, err error) {
	for range 2 {
		start := time.Now()
		signed, err := note.Sign(&note.Note{Text: s.text}, s.signer)
		if err != nil {
			return 0, fmt.Errorf("signatures' floor: %w", err)
		}
		sum += time.Since(start)
		if pause > 0 {
			time.Sleep(pause)
		}
		start = time.Now()
		n, err := note.Open(signed, s.known)
		if err != nil || n.Text != s.text {
			return 0, errors.Join(errors.New("signatures' floor: a signature does not verify"), err)
		}
		sum += time.Since(start)
		if pause > 0 {
			time.Sleep(pause)
		}
	}
	return sum, nil
}
