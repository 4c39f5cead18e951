package wire

import "crypto/sha256"

// ChainHash is h_i = SHA-256(0x00 ‖ h_{i-1} ‖ body_i). The first record of an epoch follows the zero
// hash.
func ChainHash(prev Hash, body []byte) Hash {
	h := sha256.New()
	var head [1 + len(prev)]byte
	copy(head[1:], prev[:])
	h.Write(head[:])
	h.Write(body)
	var out Hash
	h.Sum(out[:0])
	return out
}

// Commit is SHA-256("monban/1" ‖ salt ‖ opening): the log keeps it, the data lies beside the log and
// can be erased (evidence: commitments).
func Commit(salt [32]byte, opening []byte) Hash {
	h := sha256.New()
	const label = "monban/1"
	var head [len(label) + len(salt)]byte
	copy(head[:], label)
	copy(head[len(label):], salt[:])
	h.Write(head[:])
	h.Write(opening)
	var out Hash
	h.Sum(out[:0])
	return out
}
