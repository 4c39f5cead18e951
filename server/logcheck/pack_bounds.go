package logcheck

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A pack may come from anybody: what its check unpacks is bounded by the file's own size, before anything is unpacked. Ours shrink to a tenth.
const (
	maxPackGrows = 200       // times the size of the zip
	minPackBound = 256 << 20 // bytes that any pack may unpack to
)

// bounded looks whether the entries lie side by side and the listed files unpack to no more than such a file can hold.
func (c *packCheck) bounded(size int64) error {
	type span struct{ from, to int64 }
	var all []span
	for _, f := range c.files {
		from, err := f.DataOffset()
		if err != nil {
			return err
		}
		n := int64(f.CompressedSize64)
		if n < 0 || from+n < from || from+n > size {
			return errors.New("an entry reaches beyond the end of the file")
		}
		if n > 0 {
			all = append(all, span{from, from + n})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(all); i++ {
		if all[i].from < all[i-1].to {
			return errors.New("entries lie over each other: no program that packs files writes such")
		}
	}
	return nil
}

// fits looks whether the files that the MANIFEST lists may be unpacked at all.
func (c *packCheck) fits(size int64) error {
	left := max(minPackBound, maxPackGrows*size)
	for _, f := range c.listed {
		if f.Size < 0 || f.Size > left {
			return fmt.Errorf("lists files that are more than %d times as large as the pack: nothing of them was unpacked", maxPackGrows)
		}
		left -= f.Size
	}
	return nil
}

// tellEvery is after how many unpacked bytes the check of a pack tells how far it is.
const tellEvery = 1 << 20

// packFileReader reads a file of a pack, tells how far the check is, in bytes of the zip, and ends when it should stop.
type packFileReader struct {
	ctx  context.Context // of the check; lives as long as this value
	in   io.Reader
	c    *packCheck
	z    *zip.File
	n    int64 // unpacked
	told int64
}

func (r *packFileReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.in.Read(b)
	r.n += int64(n)
	if tell := r.c.opt.Progress; tell != nil && r.n-r.told >= tellEvery {
		r.told = r.n
		share := float64(r.n) / float64(max(r.z.UncompressedSize64, 1))
		tell(r.c.done+int64(share*float64(r.z.CompressedSize64)), 0)
	}
	return n, err
}
