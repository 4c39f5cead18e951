package packs

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A sealed file is pieces of piece bytes, each encrypted under the file's own key with its number as nonce; the last one, which may be
// empty, says so in its nonce: a file that was cut off, or whose pieces were moved, does not open.
const piece = 64 << 10

var errSealed = errors.New("packs: the file was changed or cut off")

func pieceNonce(n uint64, last bool) (nonce [12]byte) {
	binary.BigEndian.PutUint64(nonce[4:], n)
	if last {
		nonce[0] = 1
	}
	return nonce
}

func pieceCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("packs: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealer encrypts what is written. It holds one piece.
type sealer struct {
	w    io.Writer
	aead cipher.AEAD
	buf  []byte
	n    uint64
	size int64 // bytes taken
}

func newSealer(w io.Writer, key []byte) (*sealer, error) {
	aead, err := pieceCipher(key)
	return &sealer{w: w, aead: aead, buf: make([]byte, 0, piece)}, err
}

func (s *sealer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if len(s.buf) == piece {
			if err := s.flush(false); err != nil {
				return n, err
			}
		}
		k := min(len(p), piece-len(s.buf))
		s.buf = append(s.buf, p[:k]...)
		p, n, s.size = p[k:], n+k, s.size+int64(k)
	}
	return n, nil
}

func (s *sealer) flush(last bool) error {
	nonce := pieceNonce(s.n, last)
	_, err := s.w.Write(s.aead.Seal(nil, nonce[:], s.buf, nil))
	s.n, s.buf = s.n+1, s.buf[:0]
	return err
}

// Close writes the last piece. It does not close what is written to.
func (s *sealer) Close() error { return s.flush(true) }

// opener decrypts what a sealer wrote.
type opener struct {
	r    io.Reader
	aead cipher.AEAD
	in   []byte // one piece as it lies
	out  []byte // not given yet
	num  uint64
	done bool
}

func newOpener(r io.Reader, key []byte) (*opener, error) {
	aead, err := pieceCipher(key)
	return &opener{r: r, aead: aead, in: make([]byte, piece+16)}, err
}

func (o *opener) Read(p []byte) (int, error) {
	for len(o.out) == 0 {
		if o.done {
			if n, _ := o.r.Read(o.in[:1]); n > 0 {
				return 0, errSealed // something stands behind the last piece
			}
			return 0, io.EOF
		}
		n, err := io.ReadFull(o.r, o.in)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			if errors.Is(err, io.EOF) {
				err = errSealed // the last piece is missing
			}
			return 0, err
		}
		nonce := pieceNonce(o.num, false)
		if o.out, err = o.aead.Open(nil, nonce[:], o.in[:n], nil); err != nil {
			nonce = pieceNonce(o.num, true)
			if o.out, err = o.aead.Open(nil, nonce[:], o.in[:n], nil); err != nil {
				return 0, errSealed
			}
			o.done = true
		} else if n < len(o.in) {
			return 0, errSealed // only the last piece may be short
		}
		o.num++
	}
	n := copy(p, o.out)
	o.out = o.out[n:]
	return n, nil
}
