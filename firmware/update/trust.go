package update

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
)

// future is how far a signed number may lie ahead of a clock that is trusted, s. Without this bound whoever has a key for an hour could
// raise the floor beyond every later release.
const future = 24 * 60 * 60

// mostRoots is how many roots one release may bring.
const mostRoots = 1000

// Clock is the time as whoever asks knows it.
type Clock struct {
	Now  int64 // s since 1970; when not Sure, the latest time that is certainly over
	Sure bool
}

// Trust is what a machine remembers of the releases before: it is kept in a file and never becomes less.
type Trust struct {
	root  *Root
	note  []byte // the root, signed
	list  int64  // number of the newest list that was good, 0 = none
	sum   string // of that list
	stamp int64  // number of the newest stamp that was good, 0 = none
}

// Begin makes trust from a root that came another way than the releases: it need not be the first one.
func Begin(signed []byte) (Trust, error) {
	r, err := openRoot(signed, nil)
	if err != nil {
		return Trust{}, err
	}
	return Trust{root: r, note: bytes.Clone(signed)}, nil
}

// openRoot reads a root that holds by itself and, when there is one, by the root before.
func openRoot(signed []byte, before *Root) (*Root, error) {
	if len(signed) > mostRoot {
		return nil, fmt.Errorf("root: has more than %d bytes", mostRoot)
	}
	text, body := "", signed
	if before != nil {
		var err error
		if text, err = before.Holders[RoleRoot].open("root "+strconv.FormatInt(before.Number+1, 10), RoleRoot, signed); err != nil {
			return nil, err
		}
	} else {
		// The first one can only be checked by what it says itself. It is believed because of the way it came.
		at := bytes.LastIndex(signed, []byte("\n\n"))
		if at < 0 {
			return nil, errors.New("root: is no signed root")
		}
		text = string(body[:at+1])
	}
	r, err := ParseRoot(text)
	if err != nil {
		return nil, err
	}
	if _, err := r.Holders[RoleRoot].open("root "+strconv.FormatInt(r.Number, 10), RoleRoot, signed); err != nil {
		return nil, err
	}
	if before != nil && r.Number != before.Number+1 {
		return nil, fmt.Errorf("root %d: another one follows root %d", r.Number, before.Number)
	}
	return r, nil
}

const trustHead = "monban trust 1"

// Bytes is the form in a file.
func (t *Trust) Bytes() []byte {
	sum := t.sum
	if sum == "" {
		sum = "-"
	}
	body := fmt.Appendf(nil, "%s\nlist %d %s\nstamp %d\n%s", trustHead, t.list, sum, t.stamp, t.note)
	return fmt.Appendf(body, "%s\n", sumOf(body))
}

// ParseTrust reads that form. Damage is an error: trust that has become less would let old releases in.
func ParseTrust(data []byte) (Trust, error) {
	bad := func() (Trust, error) {
		return Trust{}, errors.New("is damaged: put back a copy, or begin anew with the root as at the first time")
	}
	const tail = 2*sha256.Size + 1
	if len(data) < tail || len(data) > mostRoot+1024 {
		return bad()
	}
	body, end := data[:len(data)-tail], data[len(data)-tail:]
	if string(end) != sumOf(body)+"\n" {
		return bad()
	}
	part := bytes.SplitN(body, []byte("\n"), 4)
	if len(part) != 4 || string(part[0]) != trustHead {
		return bad()
	}
	t, err := Begin(part[3])
	if err != nil {
		return Trust{}, err
	}
	if _, err := fmt.Sscanf(string(part[1])+" "+string(part[2]), "list %d %s stamp %d", &t.list, &t.sum, &t.stamp); err != nil {
		return bad()
	}
	if t.sum == "-" {
		t.sum = ""
	}
	if !bytes.Equal(t.Bytes(), data) {
		return bad()
	}
	return t, nil
}

// Root is the root in force.
func (t *Trust) Root() *Root { return t.root }

// Floor is the number of the newest list that was good; 0 = none.
func (t *Trust) Floor() int64 { return t.list }

// Check says whether the release in a folder may be used, and gives its list and what is to be remembered from now on. It reads the signed
// texts only. Roots that were followed are to be remembered also when something after them is bad. Errors are one line: what is wrong, and what to do.
func (t *Trust) Check(folder fs.FS, clock Clock) (*List, Trust, error) {
	next := *t
	if err := next.roots(folder); err != nil {
		return nil, next, err
	}
	now := max(clock.Now, next.list, next.stamp) // what was signed was signed before now
	if now >= next.root.Expires {
		return nil, next, fmt.Errorf("root %d: expired on %s: ask for a release with a newer root", next.root.Number, dayOf(next.root.Expires))
	}
	data, err := read(folder, StampFile, mostStamp)
	if err != nil {
		return nil, next, err
	}
	text, err := next.root.Holders[RoleStamp].open(StampFile, RoleStamp, data)
	if err != nil {
		return nil, next, err
	}
	s, err := parseStamp(text)
	if err != nil {
		return nil, next, err
	}
	switch {
	case s.Number < next.stamp || s.List < next.list:
		return nil, next, fmt.Errorf("%s: is older than one that was used here: an old release brings old faults back", StampFile)
	case s.List == next.list && next.sum != "" && s.Sum != next.sum:
		return nil, next, fmt.Errorf("%s: names another list of number %d than the one that was used here: ask who makes the releases", StampFile, s.List)
	case now >= s.Expires:
		return nil, next, fmt.Errorf("%s: expired on %s: ask for a new stamp, or a newer release", StampFile, dayOf(s.Expires))
	case clock.Sure && (s.Number > clock.Now+future || s.List > clock.Now+future): // not now: else each stamp would let the next be a day later
		return nil, next, fmt.Errorf("%s: is from the future: set this machine's clock, or do not use this release", StampFile)
	case s.Size > mostList:
		return nil, next, fmt.Errorf("%s: names a list of more than %d bytes", StampFile, mostList)
	}
	if data, err = read(folder, ListFile, s.Size); err != nil {
		return nil, next, err
	}
	if sumOf(data) != s.Sum {
		return nil, next, fmt.Errorf("%s: is not the list that %s names: copy the release again", ListFile, StampFile)
	}
	if text, err = next.root.Holders[RoleRelease].open(ListFile, RoleRelease, data); err != nil {
		return nil, next, err
	}
	l, err := ParseList(text)
	switch {
	case err != nil:
		return nil, next, err
	case l.Number != s.List:
		return nil, next, fmt.Errorf("%s: has number %d, and %s says %d", ListFile, l.Number, StampFile, s.List)
	case now >= l.Expires:
		return nil, next, fmt.Errorf("%s: expired on %s: ask for a newer release", ListFile, dayOf(l.Expires))
	case s.Number >= l.Expires: // the one bound without a clock: those who sign lists set it, and who has the stamp's key alone cannot move it
		return nil, next, fmt.Errorf("%s: was signed after %s has expired: do not use this release", StampFile, ListFile)
	}
	next.list, next.sum, next.stamp = l.Number, s.Sum, s.Number
	return l, next, nil
}

// roots follows the chain of roots that the folder brings.
func (t *Trust) roots(folder fs.FS) error {
	for range mostRoots {
		name := RootFolder + "/" + strconv.FormatInt(t.root.Number+1, 10)
		data, err := read(folder, name, mostRoot)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := openRoot(data, t.root)
		if err != nil {
			return err
		}
		if !slices.Equal(r.Holders[RoleStamp].Keys, t.root.Holders[RoleStamp].Keys) {
			t.stamp = 0 // what a lost key has signed with a number of years ahead must not bar the new one
		}
		t.root, t.note = r, data
	}
	return fmt.Errorf("%s: more than %d roots", RootFolder, mostRoots)
}

// read gives a whole file that nobody has vouched for yet, if it has at most so many bytes.
func read(folder fs.FS, name string, most int64) ([]byte, error) {
	st, err := fs.Stat(folder, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: is missing: this is no release, or it was not signed: %w", name, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is no file", name)
	}
	f, err := folder.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1)) // a file may have no end
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: has more than %d bytes", name, most)
	}
	return data, nil
}

// Copy writes a file of a checked release to w. What it has written may be used only when it returns nil: bytes are counted and hashed on
// their way, so that what was looked at is what arrives.
func Copy(w io.Writer, folder fs.FS, f File) error {
	st, err := fs.Stat(folder, f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: is missing: copy the release again", f.Path)
	case err != nil:
		return fmt.Errorf("%s: %w", f.Path, err)
	case !st.Mode().IsRegular():
		return fmt.Errorf("%s: is neither a file nor a folder", f.Path)
	}
	in, err := folder.Open(f.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(in, f.Size+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	if n != f.Size || hex.EncodeToString(h.Sum(nil)) != f.Sum {
		return fmt.Errorf("%s: is not the file that was signed: copy the release again, and ask if it happens twice", f.Path)
	}
	return nil
}
