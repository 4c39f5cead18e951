package entrylog

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Tree is the right edge of an RFC 6962 tree: all that appending needs. The zero Tree is empty. A
// Tree is a plain value; copying it is how a transaction gets one of its own.
type Tree struct {
	size int64
	edge [63]Hash // edge[l] is the root of the complete subtree of 2^l leaves, meaningful when bit l of size is set
}

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// LeafHash is the RFC 6962 hash of a leaf body: SHA-256(0x00 ‖ body).
func LeafHash(body []byte) Hash {
	var small [1024]byte
	buf := append(small[:0], 0)
	buf = append(buf, body...)
	return sha256.Sum256(buf)
}

// Append adds a leaf with this hash and appends to dst what has to be stored with it: its own hash
// and the roots of the subtrees it completes, lowest first, 32 bytes each. Those are the hashes of
// tlog.StoredHashes for this leaf, so the concatenation over all leaves is tlog's stored-hash order.
func (t *Tree) Append(dst []byte, leaf Hash) (index int64, stored []byte) {
	index = t.size
	dst = append(dst, leaf[:]...)
	h, l := leaf, 0
	for ; t.size>>l&1 == 1; l++ {
		h = tlog.NodeHash(t.edge[l], h)
		dst = append(dst, h[:]...)
	}
	t.edge[l] = h
	t.size++
	return index, dst
}

// Root is the tree's root hash; that of an empty tree is the SHA-256 of nothing.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	l := bits.TrailingZeros64(uint64(t.size))
	h := t.edge[l]
	for l++; t.size>>l != 0; l++ {
		if t.size>>l&1 == 1 {
			h = tlog.NodeHash(t.edge[l], h)
		}
	}
	return h
}

// Edge gives the roots of the complete subtrees that the tree consists of, lowest first: with the size, all of
// it that appending needs.
func (t *Tree) Edge() []Hash {
	var out []Hash
	for l := 0; t.size>>l != 0; l++ {
		if t.size>>l&1 == 1 {
			out = append(out, t.edge[l])
		}
	}
	return out
}

// TreeOf is the inverse of Edge: the tree of that size with this edge. Nothing says yet that the edge is that of a
// log; the next checkpoint does, because its root covers it.
func TreeOf(size int64, edge []Hash) (Tree, error) {
	if size < 0 || len(edge) != bits.OnesCount64(uint64(size)) {
		return Tree{}, fmt.Errorf("tree of size %d: an edge of %d hashes", size, len(edge))
	}
	t := Tree{size: size}
	for l := 0; size>>l != 0; l++ {
		if size>>l&1 == 1 {
			t.edge[l], edge = edge[0], edge[1:]
		}
	}
	return t, nil
}

// StoredBytes is how many bytes of hashes are stored with leaf index: 32 × (1 + the number of
// subtrees it completes).
func StoredBytes(index int64) int {
	return 32 * (1 + bits.TrailingZeros64(uint64(index)+1))
}

// BlobReader gives the stored hashes of one leaf (what Append returned for it).
type BlobReader func(index int64) ([]byte, error)

// Load rebuilds the right edge of a tree of the given size from stored hashes.
func Load(size int64, read BlobReader) (Tree, error) {
	t := Tree{size: size}
	if size < 0 {
		return Tree{}, fmt.Errorf("tree of negative size %d", size)
	}
	for l := 0; size>>l != 0; l++ {
		if size>>l&1 == 0 {
			continue
		}
		last := size>>l<<l - 1 // the leaf that completed this subtree
		h, err := storedHash(read, last, l)
		if err != nil {
			return Tree{}, err
		}
		t.edge[l] = h
	}
	return t, nil
}

func storedHash(read BlobReader, leaf int64, level int) (h Hash, err error) {
	blob, err := read(leaf)
	if err != nil {
		return h, fmt.Errorf("hashes of leaf %d: %w", leaf, err)
	}
	if len(blob) != StoredBytes(leaf) {
		return h, fmt.Errorf("hashes of leaf %d: %d bytes, want %d", leaf, len(blob), StoredBytes(leaf))
	}
	copy(h[:], blob[32*level:])
	return h, nil
}

// Hashes adapts stored blobs to tlog's hash reader.
func Hashes(read BlobReader) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			level, n := tlog.SplitStoredHashIndex(x)
			h, err := storedHash(read, (n+1)<<level-1, level)
			if err != nil {
				return nil, err
			}
			out[i] = h
		}
		return out, nil
	})
}

// ProveRecord proves that leaf index is in the tree of the given size.
func ProveRecord(size, index int64, read BlobReader) (tlog.RecordProof, error) {
	return tlog.ProveRecord(size, index, Hashes(read))
}

// ProveTree proves that the tree of size old is a prefix of the tree of the given size. old = 0
// needs no proof and gives an empty one.
func ProveTree(size, old int64, read BlobReader) (tlog.TreeProof, error) {
	if old == 0 {
		return nil, nil
	}
	return tlog.ProveTree(size, old, Hashes(read))
}

// CheckRecord checks an inclusion proof.
func CheckRecord(p tlog.RecordProof, size int64, root Hash, index int64, leaf Hash) error {
	return tlog.CheckRecord(p, size, root, index, leaf)
}

// CheckTree checks a consistency proof. Every tree extends the empty one.
func CheckTree(p tlog.TreeProof, size int64, root Hash, old int64, oldRoot Hash) error {
	if old == 0 {
		if len(p) != 0 {
			return fmt.Errorf("a proof from the empty tree must be empty")
		}
		return nil
	}
	return tlog.CheckTree(p, size, root, old, oldRoot)
}
