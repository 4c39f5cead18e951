package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// This file reads a bbolt file without bbolt. bbolt trusts its data pages: opened on a damaged file
// it may panic in a goroutine of its own, recurse without end or hand out wrong rows. So the
// file is first walked here, every offset checked against its page, every page counted once; only a
// file that passes is opened. Salvage reads through the same walker.
//
// Format: pages of pageSize bytes with a 16-byte head (id u64, flags u16, count u16, overflow u32), in
// the byte order of the machine, which is little-endian on every machine we build for.

// errPage says that the file's structure is damaged.
var errPage = errors.New("damaged page")

const (
	pageHead      = 16
	flagBranch    = 1
	flagLeaf      = 2
	metaMagic     = 0xED0CDAED
	metaVersion   = 2
	metaLen       = 64
	elementLen    = 16
	bucketElement = 1 // flag of a leaf element that is a bucket
	maxDepth      = 32
)

// pages reads one file.
type pages struct {
	r        io.ReaderAt
	pageSize int64
	root     uint64
	high     uint64 // first page number beyond the used part
	spoilt   bool   // one of the two meta pages is not valid: the last commit may be missing
	seen     []uint64
}

// openPages reads both meta pages and takes the newer valid one.
func openPages(r io.ReaderAt, size int64) (*pages, error) {
	// The second meta page lies at the page size, which only a meta page tells: try the sizes in use.
	var first, second []byte
	var step int64
	for _, s := range []int64{4096, 16384, 65536, 8192, 32768} {
		a, errA := readMeta(r, 0, s)
		b, errB := readMeta(r, s, s)
		if errA == nil || errB == nil {
			step = s
			if errA == nil {
				first = a
			}
			if errB == nil {
				second = b
			}
			break
		}
	}
	if step == 0 {
		return nil, fmt.Errorf("%w: no valid meta page", errPage)
	}
	p := &pages{r: r, pageSize: step, spoilt: first == nil || second == nil}
	meta := first
	if first == nil || second != nil && binary.LittleEndian.Uint64(second[48:]) > binary.LittleEndian.Uint64(first[48:]) {
		meta = second
	}
	p.root = binary.LittleEndian.Uint64(meta[16:])
	p.high = binary.LittleEndian.Uint64(meta[40:])
	if p.high > uint64(size/step) {
		return nil, fmt.Errorf("%w: %d pages used, file has %d", errPage, p.high, size/step)
	}
	p.seen = make([]uint64, p.high/64+1)
	return p, nil
}

// readMeta reads and checks the meta page at offset off of a file with pages of size bytes.
func readMeta(r io.ReaderAt, off, size int64) ([]byte, error) {
	b := make([]byte, pageHead+metaLen)
	if _, err := r.ReadAt(b, off); err != nil {
		return nil, err
	}
	m := b[pageHead:]
	h := fnv.New64a()
	_, _ = h.Write(m[:metaLen-8])
	if binary.LittleEndian.Uint32(m) != metaMagic || binary.LittleEndian.Uint32(m[4:]) != metaVersion ||
		int64(binary.LittleEndian.Uint32(m[8:])) != size || binary.LittleEndian.Uint64(m[metaLen-8:]) != h.Sum64() {
		return nil, errPage
	}
	// Commits take the two pages in turn. One that lies in the other's place was written there by a fault: over the
	// newest commit, whose records would be missing in silence.
	if binary.LittleEndian.Uint64(m[48:])%2 != uint64(off/size) {
		return nil, errPage
	}
	return m, nil
}

// page reads page id whole, with its overflow pages, and counts them as used.
func (p *pages) page(id uint64) ([]byte, error) {
	if id < 2 || id >= p.high {
		return nil, fmt.Errorf("%w: page %d of %d", errPage, id, p.high)
	}
	head := make([]byte, pageHead)
	if _, err := p.r.ReadAt(head, int64(id)*p.pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	over := uint64(binary.LittleEndian.Uint32(head[12:]))
	if binary.LittleEndian.Uint64(head) != id || id+over >= p.high {
		return nil, fmt.Errorf("%w: head of page %d", errPage, id)
	}
	for i := id; i <= id+over; i++ {
		if p.seen[i/64]&(1<<(i%64)) != 0 {
			return nil, fmt.Errorf("%w: page %d used twice", errPage, i)
		}
		p.seen[i/64] |= 1 << (i % 64)
	}
	b := make([]byte, int64(over+1)*p.pageSize)
	if _, err := p.r.ReadAt(b, int64(id)*p.pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return b, nil
}

// element is one entry of a page.
type element struct {
	flags      uint32
	key, value []byte // leaf
	child      uint64 // branch
}

// elements takes a page apart; every offset is checked, and so is the order of the keys.
func elements(b []byte) (kind uint16, list []element, err error) {
	kind = binary.LittleEndian.Uint16(b[8:])
	count := int(binary.LittleEndian.Uint16(b[10:]))
	if kind != flagBranch && kind != flagLeaf {
		return 0, nil, fmt.Errorf("%w: kind %d", errPage, kind)
	}
	if pageHead+count*elementLen > len(b) || kind == flagBranch && count == 0 {
		return 0, nil, fmt.Errorf("%w: %d elements", errPage, count)
	}
	list = make([]element, count)
	for i := range list {
		at := pageHead + i*elementLen
		e := b[at:]
		var pos, ksize, vsize uint64
		if kind == flagBranch {
			pos, ksize = uint64(binary.LittleEndian.Uint32(e)), uint64(binary.LittleEndian.Uint32(e[4:]))
			list[i].child = binary.LittleEndian.Uint64(e[8:])
		} else {
			list[i].flags = binary.LittleEndian.Uint32(e)
			pos, ksize = uint64(binary.LittleEndian.Uint32(e[4:])), uint64(binary.LittleEndian.Uint32(e[8:]))
			vsize = uint64(binary.LittleEndian.Uint32(e[12:]))
		}
		start := uint64(at) + pos
		if start < uint64(pageHead+count*elementLen) || start+ksize+vsize > uint64(len(b)) {
			return 0, nil, fmt.Errorf("%w: element %d outside its page", errPage, i)
		}
		list[i].key = b[start : start+ksize]
		list[i].value = b[start+ksize : start+ksize+vsize]
		if i > 0 && bytes.Compare(list[i-1].key, list[i].key) >= 0 {
			return 0, nil, fmt.Errorf("%w: keys out of order", errPage)
		}
	}
	return kind, list, nil
}

// walk visits the leaf elements below page id in order; keys must lie in [low, limit), a nil limit
// is none. It stops at the first error, of the file or of visit.
func (p *pages) walk(id uint64, low, limit []byte, depth int, visit func(element) error) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: too deep", errPage)
	}
	b, err := p.page(id)
	if err != nil {
		return err
	}
	return p.walkPage(b, low, limit, depth, visit)
}

func (p *pages) walkPage(b, low, limit []byte, depth int, visit func(element) error) error {
	kind, list, err := elements(b)
	if err != nil {
		return err
	}
	for i, e := range list {
		if bytes.Compare(e.key, low) < 0 || limit != nil && bytes.Compare(e.key, limit) >= 0 {
			return fmt.Errorf("%w: key outside its branch", errPage)
		}
		if kind == flagLeaf {
			if err := visit(e); err != nil {
				return err
			}
			continue
		}
		upper := limit
		if i+1 < len(list) {
			upper = list[i+1].key
		}
		if err := p.walk(e.child, e.key, upper, depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}

// bucket visits the pairs of one top-level bucket, given its leaf element.
func (p *pages) bucket(e element, visit func(key, value []byte) error) error {
	if e.flags != bucketElement || len(e.value) < 16 {
		return fmt.Errorf("%w: not a bucket", errPage)
	}
	leaf := func(e element) error {
		if e.flags != 0 {
			return fmt.Errorf("%w: bucket where a value belongs", errPage)
		}
		return visit(e.key, e.value)
	}
	if root := binary.LittleEndian.Uint64(e.value); root != 0 {
		return p.walk(root, nil, nil, 0, leaf)
	}
	inline := e.value[16:]
	if len(inline) < pageHead || binary.LittleEndian.Uint16(inline[8:]) != flagLeaf {
		return fmt.Errorf("%w: inline bucket", errPage)
	}
	return p.walkPage(inline, nil, nil, 0, leaf)
}
