package logcheck

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"monban/server/entrylog"
)

// A bundle is a log, or a part of one, in a file of lines that anybody can read: docs/log-format.md, Bundles. Each
// line is a word, a space and what belongs to it; the first is the head, the last says how many lines there were and
// what their SHA-256 is.
const (
	lineHead       = "monban-bundle"
	lineKey        = "key"     // public key of a log
	lineWitness    = "witness" // public key of a witness
	lineEdge       = "edge"    // root of a complete subtree of the leaves before the part
	lineLeaf       = "leaf"    // index, hash, body
	lineHash       = "hash"    // index, hash: a leaf without its body
	lineOpening    = "opening" // salt, text: of the leaf before it
	lineErased     = "erased"  // the opening of the leaf before it is gone
	lineNoKey      = "nokey"   // fiscal year: the key of that opening is missing, and no leaf says that it was destroyed
	lineCheckpoint = "checkpoint"
	lineCosigned   = "cosigned" // size, checkpoint with cosignatures
	lineStamp      = "stamp"    // size, checkpoint, nonce of the request, answer of a time-stamping authority
	lineEnd        = "end"
)

// BundleHead is the first line of a bundle.
type BundleHead struct {
	Version  int    `json:"version"` // 4 with openings whose key is missing, 3 with time stamps, else 2; 1 had no cosignatures either
	From     int64  `json:"from"`    // first leaf
	To       int64  `json:"to"`      // one past the last leaf whose body is here
	Size     int64  `json:"size"`    // one past the last leaf of which anything is here
	Log      int64  `json:"log"`     // leaves of the log when the bundle was made
	Origin   string `json:"origin"`  // of the log that signs at From
	Openings bool   `json:"openings"`
	MadeMS   int64  `json:"made_ms"` // UTC ms
	Software string `json:"software"`
}

func (h *BundleHead) check() error {
	if h.Version < 1 || h.Version > 4 {
		return fmt.Errorf("bundle of version %d, this program knows 1 to 4", h.Version)
	}
	if h.From < 0 || h.To <= h.From || h.Size < h.To || h.Log < h.Size || h.Origin == "" {
		return errors.New("the bundle's head contradicts itself")
	}
	return nil
}

// Writer writes a bundle line by line; memory holds none of it.
type Writer struct {
	out     *bufio.Writer
	sum     hash.Hash
	lines   int64
	buf     []byte
	version int
}

// NewWriter begins a bundle. keys are those of the logs, the newest log's first; witnesses those of who cosigned. A head of version 3 lets it have time
// stamps, one of version 4 also openings whose key is missing; any other is written as version 2, which older programs read.
func NewWriter(w io.Writer, head BundleHead, keys, witnesses []string, edge []entrylog.Hash) (*Writer, error) {
	if head.Version != 3 && head.Version != 4 {
		head.Version = 2
	}
	if err := head.check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	b := &Writer{out: bufio.NewWriterSize(w, 1<<16), sum: sha256.New(), version: head.Version}
	err = b.line(lineHead, string(text))
	for _, k := range keys {
		err = errors.Join(err, b.line(lineKey, k))
	}
	for _, k := range witnesses {
		err = errors.Join(err, b.line(lineWitness, k))
	}
	for _, h := range edge {
		err = errors.Join(err, b.line(lineEdge, hex.EncodeToString(h[:])))
	}
	return b, err
}

func (b *Writer) line(word, rest string) error { return b.parts(word, []byte(rest)) }

func (b *Writer) parts(word string, rest ...[]byte) error {
	b.buf = append(b.buf[:0], word...)
	for _, r := range rest {
		b.buf = append(append(b.buf, ' '), r...)
	}
	if bytes.IndexByte(b.buf, '\n') >= 0 {
		return fmt.Errorf("bundle: a %s with a line break", word)
	}
	b.buf = append(b.buf, '\n')
	b.lines++
	b.sum.Write(b.buf)
	_, err := b.out.Write(b.buf)
	return err
}

// Leaf writes a leaf with its hash.
func (b *Writer) Leaf(idx int64, h entrylog.Hash, body []byte) error {
	return b.parts(lineLeaf, strconv.AppendInt(nil, idx, 10), []byte(hex.EncodeToString(h[:])), body)
}

// Hash writes the hash of a leaf whose body does not come with it.
func (b *Writer) Hash(idx int64, h entrylog.Hash) error {
	return b.parts(lineHash, strconv.AppendInt(nil, idx, 10), []byte(hex.EncodeToString(h[:])))
}

// Opening writes the opening of the leaf before.
func (b *Writer) Opening(salt [32]byte, raw []byte) error {
	return b.parts(lineOpening, []byte(hex.EncodeToString(salt[:])), raw)
}

// Erased says that the opening of the leaf before is gone.
func (b *Writer) Erased() error { return b.parts(lineErased) }

// NoKey says that the opening of the leaf before cannot be read, since its key is missing: nothing vouches for its having been erased.
func (b *Writer) NoKey(year int) error {
	if b.version < 4 {
		return errors.New("bundle: an opening without its key needs version 4")
	}
	return b.parts(lineNoKey, strconv.AppendInt(nil, int64(year), 10))
}

// Checkpoint writes a signed checkpoint of the leaves before it.
func (b *Writer) Checkpoint(size int64, signed string) error {
	return b.parts(lineCheckpoint, strconv.AppendInt(nil, size, 10), []byte(base64.StdEncoding.EncodeToString([]byte(signed))))
}

// Cosigned writes a checkpoint of the leaves before it with the cosignatures of witnesses, whose keys were given.
func (b *Writer) Cosigned(size int64, signed string) error {
	return b.parts(lineCosigned, strconv.AppendInt(nil, size, 10), []byte(base64.StdEncoding.EncodeToString([]byte(signed))))
}

// Close writes the last line and gives the SHA-256 of the lines before it, in hex. It does not close what it writes to.
func (b *Writer) Close() (sum string, err error) {
	sum = hex.EncodeToString(b.sum.Sum(nil))
	if _, err := fmt.Fprintf(b.out, "%s %d %s\n", lineEnd, b.lines, sum); err != nil {
		return "", err
	}
	return sum, b.out.Flush()
}

// maxLine bounds a line of a bundle: a leaf with its hash, or an opening, and what stands around them.
const maxLine = 64 << 10

// IsBundle reports whether a file that begins so is a bundle.
func IsBundle(begin []byte) bool { return bytes.HasPrefix(begin, []byte(lineHead+" {")) }

// bundleReader reads the lines of a bundle and keeps the sum.
type bundleReader struct {
	in    *bufio.Reader
	sum   hash.Hash
	lines int64 // read, the end not counted
	at    int64 // bytes read
}

func (r *bundleReader) next() (word string, rest []byte, err error) {
	line, err := r.in.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the bundle is cut off: its last line is missing")
		}
		return "", nil, fmt.Errorf("line %d: %w", r.lines+1, err)
	}
	w, rest, _ := bytes.Cut(line[:len(line)-1], []byte(" "))
	if string(w) != lineEnd {
		r.sum.Write(line)
		r.lines++
	}
	r.at += int64(len(line))
	return string(w), rest, nil
}

// end checks the last line, whose rest is given, and that nothing follows.
func (r *bundleReader) end(rest []byte) (sum string, err error) {
	sum = hex.EncodeToString(r.sum.Sum(nil))
	if want := fmt.Sprintf("%d %s", r.lines, sum); string(rest) != want {
		return sum, errors.New("the bundle's own hash does not fit: the file was damaged or changed after it was made")
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return sum, errors.New("something stands behind the bundle's last line")
	}
	return sum, nil
}

// ReadHead reads the first lines of a bundle: the head, and the public keys it came with.
func ReadHead(in io.Reader) (head BundleHead, keys []string, err error) {
	r := &bundleReader{in: bufio.NewReaderSize(in, maxLine), sum: sha256.New()}
	b, err := r.begin()
	return b.head, b.keys, err
}

// bundleBegin are the lines before the first leaf.
type bundleBegin struct {
	head            BundleHead
	keys, witnesses []string
	edge            []entrylog.Hash
}

// maxKeys bounds the keys of each kind that a bundle or proof brings.
const maxKeys = 1000

// begin reads up to the first line that is not of the beginning, which is not taken.
func (r *bundleReader) begin() (b bundleBegin, err error) {
	word, rest, err := r.next()
	if err != nil {
		return b, err
	}
	if word != lineHead {
		return b, errors.New("not a bundle of monban")
	}
	dec := json.NewDecoder(bytes.NewReader(rest))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b.head); err != nil {
		return b, fmt.Errorf("the bundle's head: %w", err)
	}
	if err := b.head.check(); err != nil {
		return b, err
	}
	for {
		first, err := r.in.Peek(len(lineEdge))
		if err != nil || string(first) != lineEdge && string(first) != lineKey+" " && string(first) != lineWitness[:len(lineEdge)] {
			return b, nil // what is wrong shows at the next line
		}
		word, rest, err := r.next()
		switch {
		case err != nil:
			return b, err
		case word == lineKey && len(b.keys) < maxKeys:
			b.keys = append(b.keys, string(rest))
		case word == lineWitness && len(b.witnesses) < maxKeys:
			b.witnesses = append(b.witnesses, string(rest))
		case word == lineEdge && len(b.edge) < 63:
			h, err := parseHash(rest)
			if err != nil {
				return b, err
			}
			b.edge = append(b.edge, h)
		default:
			return b, fmt.Errorf("line %d: does not belong at the beginning of a bundle", r.lines)
		}
	}
}

func parseHash(b []byte) (h entrylog.Hash, err error) {
	if len(b) != 2*len(h) {
		return h, errors.New("a hash that is none")
	}
	_, err = hex.Decode(h[:], b)
	return h, err
}

func parseIndex(b []byte) (int64, error) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != string(b) {
		return 0, fmt.Errorf("%q is no number of a leaf", b)
	}
	return n, nil
}
