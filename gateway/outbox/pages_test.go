package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// build makes a page of 4,096 bytes: leaf elements from pairs, or branch elements from children.
func build(id uint64, kind uint16, keys []string, children []uint64) []byte {
	b := make([]byte, 4096)
	binary.LittleEndian.PutUint64(b, id)
	binary.LittleEndian.PutUint16(b[8:], kind)
	binary.LittleEndian.PutUint16(b[10:], uint16(len(keys)))
	at := pageHead + len(keys)*elementLen
	for i, k := range keys {
		e := b[pageHead+i*elementLen:]
		pos := uint32(at - pageHead - i*elementLen)
		if kind == flagLeaf {
			binary.LittleEndian.PutUint32(e[4:], pos)
			binary.LittleEndian.PutUint32(e[8:], uint32(len(k)))
		} else {
			binary.LittleEndian.PutUint32(e, pos)
			binary.LittleEndian.PutUint32(e[4:], uint32(len(k)))
			binary.LittleEndian.PutUint64(e[8:], children[i])
		}
		at += copy(b[at:], k)
	}
	return b
}

// The walker ends on every file: cycles, pages used twice, keys out of order or outside their branch,
// and elements outside their page are damage, not endless work.
func TestWalkerRefuses(t *testing.T) {
	t.Parallel()
	leaf := func(id uint64, keys ...string) []byte { return build(id, flagLeaf, keys, nil) }
	branch := func(id uint64, keys []string, children ...uint64) []byte {
		return build(id, flagBranch, keys, children)
	}
	outside := leaf(2, "a")
	binary.LittleEndian.PutUint32(outside[pageHead+12:], 4096)
	overlong := leaf(2, "a")
	binary.LittleEndian.PutUint32(overlong[12:], 9)
	for name, x := range map[string]struct {
		pages [][]byte // from page 2 on
		keys  int      // visited; -1 = damage
	}{
		"leaf":               {[][]byte{leaf(2, "a", "b")}, 2},
		"branch":             {[][]byte{branch(2, []string{"a", "c"}, 3, 4), leaf(3, "a", "b"), leaf(4, "c")}, 3},
		"cycle to itself":    {[][]byte{branch(2, []string{"a"}, 2)}, -1},
		"cycle":              {[][]byte{branch(2, []string{"a"}, 3), branch(3, []string{"a"}, 2)}, -1},
		"empty leaf twice":   {[][]byte{branch(2, []string{"a", "b"}, 3, 3), leaf(3)}, -1},
		"order":              {[][]byte{leaf(2, "b", "a")}, -1},
		"same key twice":     {[][]byte{leaf(2, "a", "a")}, -1},
		"branch order":       {[][]byte{branch(2, []string{"b", "a"}, 3, 4), leaf(3), leaf(4)}, -1},
		"below its branch":   {[][]byte{branch(2, []string{"b"}, 3), leaf(3, "a")}, -1},
		"beyond its branch":  {[][]byte{branch(2, []string{"a", "c"}, 3, 4), leaf(3, "a", "c"), leaf(4)}, -1},
		"child out of range": {[][]byte{branch(2, []string{"a"}, 77)}, -1},
		"child is meta":      {[][]byte{branch(2, []string{"a"}, 0)}, -1},
		"empty branch":       {[][]byte{branch(2, nil)}, -1},
		"wrong id":           {[][]byte{leaf(3, "a")}, -1},
		"free list page":     {[][]byte{build(2, 0x10, nil, nil)}, -1},
		"element outside":    {[][]byte{outside}, -1},
		"too many overflow":  {[][]byte{overlong}, -1},
	} {
		file := bytes.Join(append([][]byte{make([]byte, 8192)}, x.pages...), nil)
		high := uint64(len(file) / 4096)
		p := &pages{r: bytes.NewReader(file), pageSize: 4096, high: high, seen: make([]uint64, high/64+1)}
		n := 0
		err := p.walk(2, nil, nil, 0, func(element) error { n++; return nil })
		if x.keys < 0 != errors.Is(err, errPage) || x.keys >= 0 && n != x.keys {
			t.Errorf("%s: %d keys, %v", name, n, err)
		}
	}
}
