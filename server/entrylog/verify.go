package entrylog

import (
	"bytes"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// Finding is one thing that verify found wrong. Table and Key name the row.
type Finding struct {
	Table string
	Key   string
	What  string
}

// String gives "table key: what".
func (f Finding) String() string { return f.Table + " " + f.Key + ": " + f.What }

// Result is what a verification came to. No findings means that every check passed.
type Result struct {
	Findings    []Finding // in the order found, at most MaxFindings
	More        int       // further findings that were only counted
	Leaves      int64
	Checkpoints int64
	Openings    int64 // openings decrypted and checked against their commitments
	Erased      int64 // openings whose key is no longer in the key store
	Successions []Succession
}

// MaxFindings bounds Result.Findings: nobody reads more, and a destroyed table must not fill memory.
const MaxFindings = 1000

// Clean reports whether nothing was found.
func (r *Result) Clean() bool { return len(r.Findings) == 0 }

// Add notes a finding.
func (r *Result) Add(table, key, format string, args ...any) {
	if len(r.Findings) >= MaxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{Table: table, Key: key, What: fmt.Sprintf(format, args...)})
}

// Verifier checks leaves and checkpoints in the order of the log: leaf hash from body, stored tree
// hashes, and every checkpoint's signature, root and so its consistency with the one before.
//
// Two trees run along: one over the bodies as they are and one over the leaf hashes as they were
// stored. They are the same until something was changed; then the one that a checkpoint confirms
// tells which of the two it was.
type Verifier struct {
	log    note.Verifier
	result *Result

	bodies Tree
	stored Tree
	split  bool  // bodies and stored differ
	broken int64 // index of the first missing leaf, -1 = none: roots above cannot be checked
	next   int64
	buf    []byte
	buf2   []byte
}

// NewVerifier checks against the log's public key and reports into r.
func NewVerifier(log note.Verifier, r *Result) *Verifier {
	return &Verifier{log: log, result: r, broken: -1}
}

// Follow has the checkpoints that come now checked against the key of the log that took over here.
func (v *Verifier) Follow(log note.Verifier) { v.log = log }

// Root is the root of the leaves taken so far, as far as checkpoints have told which bodies are the
// logged ones; ok is false when a leaf is missing or changed.
func (v *Verifier) Root() (root Hash, ok bool) { return v.bodies.Root(), v.broken < 0 && !v.split }

// Next is the index the next leaf must have.
func (v *Verifier) Next() int64 { return v.next }

// Missing reports whether a leaf was missing so far.
func (v *Verifier) Missing() bool { return v.broken >= 0 }

// Leaf takes the next leaf row. hashes are the stored hashes of the row.
func (v *Verifier) Leaf(idx int64, kind Kind, body, hashes []byte) {
	key := fmt.Sprint
	if idx != v.next {
		v.result.Add("log_leaf", key(v.next), "is missing; the next leaf is %d", idx)
		if v.broken < 0 {
			v.broken = v.next
		}
	}
	v.next = idx + 1
	v.result.Leaves++
	if k, err := KindOf(body); err != nil || k != kind {
		v.result.Add("log_leaf", key(idx), "kind column says %q, the body %q", kind, k)
	}
	h := LeafHash(body)
	if len(hashes) != StoredBytes(idx) {
		v.result.Add("log_leaf", key(idx), "has %d bytes of hashes, want %d", len(hashes), StoredBytes(idx))
		hashes = nil
	}
	var own Hash
	if hashes != nil {
		copy(own[:], hashes)
		if own != h {
			v.result.Add("log_leaf", key(idx), "the body does not have its stored hash")
		}
	} else {
		own = h
	}
	if v.broken >= 0 {
		return
	}
	if !v.split && own == h {
		_, v.buf = v.bodies.Append(v.buf[:0], h)
		if hashes != nil && !bytes.Equal(v.buf, hashes) {
			v.result.Add("log_leaf", key(idx), "a stored hash of a subtree is wrong")
		}
		return
	}
	if !v.split {
		v.split, v.stored = true, v.bodies
	}
	_, v.buf = v.bodies.Append(v.buf[:0], h)
	_, v.buf2 = v.stored.Append(v.buf2[:0], own)
	if hashes != nil && !bytes.Equal(v.buf[32:], hashes[32:]) && !bytes.Equal(v.buf2[32:], hashes[32:]) {
		v.result.Add("log_leaf", key(idx), "a stored hash of a subtree is wrong")
	}
}

// Checkpoint takes a stored checkpoint once size leaves were taken; sizes rise.
func (v *Verifier) Checkpoint(size int64, signed string) {
	key := fmt.Sprint(size)
	v.result.Checkpoints++
	c, err := OpenCheckpoint([]byte(signed), v.log)
	if err == nil {
		err = OwnSignature([]byte(signed))
	}
	if err != nil {
		v.result.Add("checkpoint", key, "%v", err)
		return
	}
	if c.Size != size {
		v.result.Add("checkpoint", key, "is a checkpoint of size %d", c.Size)
		return
	}
	switch {
	case v.broken >= 0 && v.broken < size:
		v.result.Add("checkpoint", key, "cannot be checked: leaf %d is missing", v.broken)
	case size != v.next:
		v.result.Add("checkpoint", key, "is beyond the %d leaves of the log", v.next)
	case c.Root == v.bodies.Root():
		v.split = false
	case v.split && c.Root == v.stored.Root():
		v.bodies, v.split = v.stored, false
	default:
		v.result.Add("checkpoint", key, "the tree of the leaves before it has another root")
	}
}
