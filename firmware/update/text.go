package update

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Names in the folder of a release.
const (
	RootFolder = "root"     // of the roots, named by their numbers
	StampFile  = "STAMP"    // the stamp
	ListFile   = "MANIFEST" // the list
)

// The most bytes of each signed text: more is not read.
const (
	mostRoot  = 64 << 10
	mostStamp = 16 << 10
	mostList  = 4 << 20
	mostFiles = 10_000
)

const (
	rootHead  = "monban root"
	stampHead = "monban stamp"
	listHead  = "monban bundle"
)

var errFormat = errors.New("is of another format; this program is too old for it")

// Root says who has the roles.
type Root struct {
	Number  int64 // 1 for the first, each later one higher by 1
	Expires int64 // s since 1970 UTC, the beginning of a day
	Holders map[Role]Holders
}

// Text is what is signed.
func (r *Root) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s 1\nnumber %d\nexpires %s\n", rootHead, r.Number, dayOf(r.Expires))
	for _, role := range roles {
		h := r.Holders[role]
		fmt.Fprintf(&b, "%s %d %s\n", role, h.Threshold, strings.Join(h.Keys, " "))
	}
	return b.String()
}

// ParseRoot reads a root's text, which somebody has vouched for.
func ParseRoot(text string) (*Root, error) {
	l := textLines("root", text)
	if s, err := l.next(rootHead); err != nil || s != "1" {
		return nil, fmt.Errorf("root: %w", errFormat)
	}
	r := &Root{Holders: map[Role]Holders{}}
	var err error
	if r.Number, err = l.number("number"); err != nil {
		return nil, err
	}
	if r.Expires, err = l.day("expires"); err != nil {
		return nil, err
	}
	for _, role := range roles {
		s, err := l.next(role.String())
		if err != nil {
			return nil, err
		}
		part := strings.Split(s, " ")
		n, err := strconv.Atoi(part[0])
		h := Holders{n, part[1:]}
		if err == nil {
			err = h.check()
		}
		if err != nil {
			return nil, l.bad(err.Error())
		}
		r.Holders[role] = h
	}
	if r.Text() != text {
		return nil, errors.New("root: is not written as this program writes it")
	}
	return r, nil
}

// Stamp says which list is the present one.
type Stamp struct {
	Number  int64  // s since 1970 when it was signed: a later one is higher
	Expires int64  // s since 1970 UTC, the beginning of a day
	List    int64  // the list's number
	Size    int64  // of the signed list, in bytes
	Sum     string // its SHA-256, 64 hex digits
}

// Text is what is signed.
func (s *Stamp) Text() string {
	return fmt.Sprintf("%s 1\nnumber %d\nexpires %s\nlist %d\nsize %d\nsum %s\n", stampHead, s.Number, dayOf(s.Expires), s.List, s.Size, s.Sum)
}

// StampOf makes the stamp of a signed list.
func StampOf(signed []byte, list *List, number, expires int64) *Stamp {
	return &Stamp{number, expires, list.Number, int64(len(signed)), sumOf(signed)}
}

func parseStamp(text string) (*Stamp, error) {
	l := textLines(StampFile, text)
	if s, err := l.next(stampHead); err != nil || s != "1" {
		return nil, fmt.Errorf("%s: %w", StampFile, errFormat)
	}
	s := &Stamp{}
	var err error
	for _, f := range []struct {
		word string
		to   *int64
	}{{"number", &s.Number}, {"expires", &s.Expires}, {"list", &s.List}, {"size", &s.Size}} {
		read := l.number
		if f.word == "expires" {
			read = l.day
		}
		if *f.to, err = read(f.word); err != nil {
			return nil, err
		}
	}
	if s.Sum, err = l.next("sum"); err != nil {
		return nil, err
	}
	if !isSum(s.Sum) || s.Text() != text {
		return nil, fmt.Errorf("%s: is not written as this program writes it", StampFile)
	}
	return s, nil
}

// List is what a release holds.
type List struct {
	Version string // as the packages have it
	Number  int64  // time of the commit in s since 1970: a later release has a higher one
	Expires int64  // s since 1970 UTC, the beginning of a day
	Files   []File
}

// File is one line of the list.
type File struct {
	Path string // slash path below the folder
	Size int64
	Sum  string // SHA-256, 64 hex digits
}

// Text is what is signed.
func (i *List) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s 2\nversion %s\nnumber %d\nexpires %s\n", listHead, i.Version, i.Number, dayOf(i.Expires))
	for _, f := range i.Files {
		fmt.Fprintf(&b, "%s %d %s\n", f.Sum, f.Size, f.Path)
	}
	return b.String()
}

// ParseList reads a list's text strictly, which somebody has vouched for: what this program would not write is an error.
func ParseList(text string) (*List, error) {
	l := textLines(ListFile, text)
	if s, err := l.next(listHead); err != nil || s != "2" {
		return nil, fmt.Errorf("%s: %w", ListFile, errFormat)
	}
	i := &List{}
	var err error
	if i.Version, err = l.next("version"); err != nil {
		return nil, err
	}
	if i.Number, err = l.number("number"); err != nil {
		return nil, err
	}
	if i.Expires, err = l.day("expires"); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, line := range l.rest {
		l.at++
		part := strings.SplitN(line, " ", 3)
		if len(part) != 3 || len(i.Files) == mostFiles {
			return nil, l.bad("is not one of a file")
		}
		f := File{Path: part[2], Sum: part[0]}
		f.Size, err = strconv.ParseInt(part[1], 10, 64)
		if err != nil || f.Size < 0 || !isSum(f.Sum) || !fs.ValidPath(f.Path) || f.Path == "." || Signed(f.Path) || seen[f.Path] {
			return nil, l.bad("is not one of a file")
		}
		seen[f.Path] = true
		i.Files = append(i.Files, f)
	}
	if i.Text() != text || strings.Contains(i.Version, " ") {
		return nil, fmt.Errorf("%s: is not written as this program writes it", ListFile)
	}
	return i, nil
}

// Signed reports whether a path is one of the signed texts, which no list names.
func Signed(path string) bool {
	return path == ListFile || path == StampFile || strings.HasPrefix(path, RootFolder+"/")
}

// Find gives the file of a path.
func (i *List) Find(path string) (File, error) {
	for _, f := range i.Files {
		if f.Path == path {
			return f, nil
		}
	}
	return File{}, fmt.Errorf("%s: version %s has no such file: this release is not for this machine", path, i.Version)
}

func isSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && strings.ToLower(s) == s
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
