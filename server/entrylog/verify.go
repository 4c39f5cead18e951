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
	Dropped     int64 // leaves whose bodies were disposed of
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
	sure   int64 // leaves below it are what a checkpoint signed
	alone  bool  // each leaf comes with its own hash, not with those of subtrees
	buf    []byte
	buf2   []byte
}

// NewVerifier checks against the log's public key and reports into r.
func NewVerifier(log note.Verifier, r *Result) *Verifier {
	return &Verifier{log: log, result: r, broken: -1}
}

// VerifierFrom checks a part of a log: what comes is added to the tree of what stands before it, which the next
// checkpoint covers. Each leaf has its own hash with it and those of no subtrees.
func VerifierFrom(log note.Verifier, r *Result, before Tree) *Verifier {
	return &Verifier{log: log, result: r, broken: -1, alone: true, bodies: before, next: before.Size(), sure: before.Size()}
}

// VerifierOn goes on with the check of a whole log, whose leaves have the hashes of subtrees with them, behind the leaves of
// before: all of those were taken, and a checkpoint that fits has confirmed them.
func VerifierOn(log note.Verifier, r *Result, before Tree) *Verifier {
	v := VerifierFrom(log, r, before)
	v.alone = false
	return v
}

// Sure is the number of leaves, from the beginning, that the newest checkpoint that fits has confirmed.
func (v *Verifier) Sure() int64 { return v.sure }

// Tree is the tree of the leaves taken so far; ok is as for Root.
func (v *Verifier) Tree() (t Tree, ok bool) { return v.bodies, v.broken < 0 && !v.split }

// Hash takes the hash of the next leaf in place of its body.
func (v *Verifier) Hash(idx int64, h Hash) {
	if idx != v.next {
		v.missing(idx)
	}
	v.next = idx + 1
	if v.broken >= 0 {
		return
	}
	_, v.buf = v.bodies.Append(v.buf[:0], h)
	if v.split {
		_, v.buf = v.stored.Append(v.buf[:0], h)
	}
}

// Dropped takes a leaf whose body was disposed of: its stored hashes stand for it.
func (v *Verifier) Dropped(idx int64, hashes []byte) {
	if len(hashes) != StoredBytes(idx) {
		v.result.Add("log_leaf", fmt.Sprint(idx), "has %d bytes of hashes, want %d", len(hashes), StoredBytes(idx))
		hashes = append(append([]byte{}, hashes...), make([]byte, StoredBytes(idx))...)[:StoredBytes(idx)]
	}
	v.result.Leaves++
	whole := v.broken < 0 && !v.split && idx == v.next
	v.Hash(idx, Hash(hashes[:32]))
	if whole && !bytes.Equal(v.buf, hashes) {
		v.result.Add("log_leaf", fmt.Sprint(idx), "a stored hash of a subtree is wrong")
	}
}

func (v *Verifier) missing(idx int64) {
	v.result.Add("log_leaf", fmt.Sprint(v.next), "is missing; the next leaf is %d", idx)
	if v.broken < 0 {
		v.broken = v.next
	}
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
		v.missing(idx)
	}
	v.next = idx + 1
	v.result.Leaves++
	if k, err := KindOf(body); err != nil || k != kind {
		v.result.Add("log_leaf", key(idx), "kind column says %q, the body %q", kind, k)
	}
	h := LeafHash(body)
	want := StoredBytes(idx)
	if v.alone {
		want = len(h)
	}
	if len(hashes) != want {
		v.result.Add("log_leaf", key(idx), "has %d bytes of hashes, want %d", len(hashes), want)
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
	if v.alone {
		hashes = nil // none of subtrees to compare
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
		v.split, v.sure = false, size
	case v.split && c.Root == v.stored.Root():
		v.bodies, v.split, v.sure = v.stored, false, size
	default:
		v.result.Add("checkpoint", key, "the tree of the leaves before it has another root: a leaf from %d to %d is not the one that was signed", v.sure, size-1)
	}
}
