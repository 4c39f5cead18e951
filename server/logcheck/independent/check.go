// Package independent checks a bundle with golang.org/x/mod/sumdb/note and tlog alone. It shares no code with what writes
// the log and with the check that monban ships, so that a mistake in those cannot hide itself: tests hold the two
// against each other. It is also the program of a hundred lines that docs/log-format.md says somebody can write.
package independent

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// hashes are tlog's stored hashes, by their number.
type hashes []tlog.Hash

func (h *hashes) ReadHashes(numbers []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(numbers))
	for i, n := range numbers {
		if n < 0 || n >= int64(len(*h)) {
			return nil, errors.New("no such hash")
		}
		out[i] = (*h)[n]
	}
	return out, nil
}

// Log is what Check read: enough to make proofs from, by tlog alone.
type Log struct {
	Leaves int64
	stored hashes
	points []tlog.Tree
}

// Check reads a bundle of a whole log, of one key, and checks each leaf's hash, each checkpoint's signature and root, and that
// each checkpoint's tree extends the one before, by a consistency proof.
func Check(r io.Reader, vkey string) (*Log, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	var l Log
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		word, rest, _ := strings.Cut(in.Text(), " ")
		switch word {
		case "leaf":
			err = l.leaf(rest)
		case "checkpoint":
			err = l.checkpoint(rest, v)
		case "edge", "hash":
			err = errors.New("not a bundle of a whole log")
		}
		if err != nil {
			return nil, fmt.Errorf("after %d leaves: %w", l.Leaves, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	if len(l.points) == 0 || l.points[len(l.points)-1].N != l.Leaves {
		return nil, errors.New("no checkpoint covers the last leaves")
	}
	return &l, nil
}

func (l *Log) leaf(rest string) error {
	part := strings.SplitN(rest, " ", 3)
	if len(part) != 3 || part[0] != strconv.FormatInt(l.Leaves, 10) {
		return errors.New("a leaf is missing or out of order")
	}
	want, err := hex.DecodeString(part[1])
	h := tlog.RecordHash([]byte(part[2]))
	if err != nil || string(want) != string(h[:]) {
		return errors.New("a leaf does not have its hash")
	}
	more, err := tlog.StoredHashesForRecordHash(l.Leaves, h, &l.stored)
	if err != nil {
		return err
	}
	l.stored = append(l.stored, more...)
	l.Leaves++
	return nil
}

func (l *Log) checkpoint(rest string, v note.Verifier) error {
	_, text, _ := strings.Cut(rest, " ")
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	n, err := note.Open(raw, note.VerifierList(v))
	if err != nil {
		return err
	}
	line := strings.Split(n.Text, "\n")
	if len(line) != 4 || line[0] != v.Name() || line[1] != strconv.FormatInt(l.Leaves, 10) {
		return errors.New("a checkpoint of another log or size")
	}
	root, err := tlog.TreeHash(l.Leaves, &l.stored)
	if err != nil || root.String() != line[2] {
		return errors.New("a checkpoint with another root")
	}
	if len(l.points) > 0 {
		old := l.points[len(l.points)-1]
		p, err := tlog.ProveTree(l.Leaves, old.N, &l.stored)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(p, l.Leaves, root, old.N, old.Hash); err != nil {
			return err
		}
	}
	l.points = append(l.points, tlog.Tree{N: l.Leaves, Hash: root})
	return nil
}

// Included checks with tlog that a leaf is in the tree of a checkpoint, by a proof that somebody else made.
func (l *Log) Included(size, idx int64, body []byte, proof tlog.RecordProof) error {
	root, err := tlog.TreeHash(size, &l.stored)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, size, root, idx, tlog.RecordHash(body))
}

// Extends checks with tlog that the tree of size leaves extends that of old ones, by a proof that somebody else made.
func (l *Log) Extends(size, old int64, proof tlog.TreeProof) error {
	root, err := tlog.TreeHash(size, &l.stored)
	if err != nil {
		return err
	}
	before, err := tlog.TreeHash(old, &l.stored)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, size, root, old, before)
}

// CheckProof checks a proof of one record, of one key, and gives the record.
func CheckProof(text, vkey string) (leaf []byte, err error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	begin, signed, _ := strings.Cut(text, "\n\n")
	line := strings.Split(begin, "\n")
	if len(line) < 3 || line[0] != "c2sp.org/tlog-proof@v1" {
		return nil, errors.New("not a proof")
	}
	extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line[1], "extra "))
	if err != nil {
		return nil, err
	}
	for l := range strings.Lines(string(extra)) {
		if body, ok := strings.CutPrefix(l, "leaf "); ok {
			leaf = []byte(strings.TrimSuffix(body, "\n"))
		}
	}
	idx, err := strconv.ParseInt(strings.TrimPrefix(line[2], "index "), 10, 64)
	if err != nil {
		return nil, err
	}
	var proof tlog.RecordProof
	for _, l := range line[3:] {
		h, err := tlog.ParseHash(l)
		if err != nil {
			return nil, err
		}
		proof = append(proof, h)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		return nil, err
	}
	point := strings.Split(n.Text, "\n")
	if len(point) != 4 || point[0] != v.Name() {
		return nil, errors.New("a checkpoint of another log")
	}
	size, err := strconv.ParseInt(point[1], 10, 64)
	if err != nil {
		return nil, err
	}
	root, err := tlog.ParseHash(point[2])
	if err != nil {
		return nil, err
	}
	return leaf, tlog.CheckRecord(proof, size, root, idx, tlog.RecordHash(leaf))
}
