package slot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"monban/firmware/update"
)

// Names in the folder of a Store.
const (
	stateFile   = "state"
	trustFile   = "trust"
	programsDir = "programs"
)

// piece is how much of a program is written at a time.
const piece = 64 << 10

// Store is the folder. It belongs to the gateway's user.
type Store struct {
	Dir string
	// Step is called before each thing that is written; nil = nobody looks. Tests take the power away there.
	Step func()
}

func (s *Store) step() {
	if s.Step != nil {
		s.Step()
	}
}

// State reads what is remembered; the zero State when there is nothing yet.
func (s *Store) State() (State, error) {
	path := filepath.Join(s.Dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	st, err := parse(string(data))
	if err != nil {
		return State{}, fmt.Errorf("%s: %w", path, err)
	}
	return st, nil
}

// Release is what Stage needs to know.
type Release struct {
	Folder fs.FS
	Path   string // of the program in it
	Clock  update.Clock
	Own    int64  // number of the machine's own program
	Root   string // file of the root, for the first time
	Linked bool   // the link is up
	Again  bool   // also one that did not get well before
}

// ErrNothingNew says that the release is no newer than what runs, or is waiting already, or did not get well before.
var ErrNothingNew = errors.New("nothing new")

// Check says whether Stage would take a release, and gives the program and its file. It writes nothing but trust: that keeps whatever was
// signed well.
func (s *Store) Check(r Release) (Program, update.File, error) {
	if err := os.MkdirAll(filepath.Join(s.Dir, programsDir), 0o700); err != nil {
		return Program{}, update.File{}, err
	}
	st, err := s.State()
	if err != nil {
		return Program{}, update.File{}, err
	}
	return s.check(r, st)
}

func (s *Store) check(r Release, st State) (Program, update.File, error) {
	trust, err := s.trust(r.Root)
	if err != nil {
		return Program{}, update.File{}, err
	}
	before := trust.Bytes()
	l, trust, err := trust.Check(r.Folder, r.Clock)
	if after := trust.Bytes(); !bytes.Equal(after, before) { // what was good is remembered, whatever becomes of the rest
		if err2 := s.write(trustFile, after); err2 != nil {
			return Program{}, update.File{}, errors.Join(err, err2)
		}
	}
	if err != nil {
		return Program{}, update.File{}, err
	}
	f, err := l.Find(r.Path)
	if err != nil {
		return Program{}, update.File{}, err
	}
	p := Program{l.Number, l.Version, f.Size, f.Sum}
	switch {
	case p.Number <= max(st.Floor, st.Held.Number, r.Own):
		return p, f, fmt.Errorf("version %s runs already, or a newer one: %w", p.Version, ErrNothingNew)
	case p == st.Next:
		return p, f, fmt.Errorf("version %s waits already or is being tried: %w", p.Version, ErrNothingNew)
	case p == st.Failed && !r.Again:
		return p, f, fmt.Errorf("version %s did not get well when it was tried: %w; --again tries it once more", p.Version, ErrNothingNew)
	case st.Next.Number != 0 && st.Tried:
		return p, f, fmt.Errorf("version %s is being tried: wait ten minutes", st.Next.Version)
	}
	return p, f, nil
}

// Stage checks a release and puts its program where the next start tries it. Programs change only when everything is good; trust keeps
// whatever was signed well.
func (s *Store) Stage(r Release) (Program, error) {
	if err := os.MkdirAll(filepath.Join(s.Dir, programsDir), 0o700); err != nil {
		return Program{}, err
	}
	s.sweep()
	st, err := s.State()
	if err != nil {
		return Program{}, err
	}
	p, f, err := s.check(r, st)
	if err != nil {
		return p, err
	}
	if err := s.fetch(r.Folder, f); err != nil {
		return Program{}, err
	}
	st.Next, st.Tried, st.Linked = p, false, r.Linked
	return p, s.save(st)
}

func (s *Store) trust(root string) (update.Trust, error) {
	path := filepath.Join(s.Dir, trustFile)
	data, err := os.ReadFile(path)
	if err == nil {
		t, err := update.ParseTrust(data)
		if err != nil {
			return t, fmt.Errorf("%s: %w", path, err)
		}
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return update.Trust{}, err
	}
	if data, err = os.ReadFile(root); err != nil {
		return update.Trust{}, fmt.Errorf("keys of releases: %w: put the root there, which comes another way than the releases", err)
	}
	t, err := update.Begin(data)
	if err != nil {
		return t, fmt.Errorf("%s: %w", root, err)
	}
	return t, nil
}

// fetch copies the program, and gives it its name only when all of it is there and is what was signed.
func (s *Store) fetch(folder fs.FS, f update.File) error {
	path := s.path(f.Sum)
	s.step()
	// What was cut off may be written by nobody, its owner neither.
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return err
	}
	err = update.Copy(stepping{s, out}, folder, f)
	if err == nil {
		s.step()
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	s.step()
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	s.step()
	return syncFolder(filepath.Dir(path))
}

type stepping struct {
	s *Store
	w io.Writer
}

func (w stepping) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		w.s.step()
		var m int
		m, err = w.w.Write(p[n:min(n+piece, len(p))])
		n += m
	}
	return n, err
}

// Choose says what to start and remembers it. The file is open, read to its end and the one that was signed; nil = the machine's own program.
func (s *Store) Choose(own int64) (Choice, *os.File, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return Choice{}, nil, err
	}
	st, err := s.State()
	if err != nil {
		return Choice{}, nil, err
	}
	next, c, err := st.Start(own)
	if err != nil {
		return Choice{}, nil, err
	}
	if next != st {
		if err := s.save(next); err != nil {
			return Choice{}, nil, err
		}
	}
	s.clean(next)
	if c.Number == 0 {
		return c, nil, nil
	}
	f, err := s.open(c.Program)
	if err != nil && c.Trial { // damaged on its way to the disk's end: the one before runs
		next, again, err2 := next.Start(own)
		if err2 == nil {
			err2 = s.save(next)
		}
		if err2 != nil {
			return Choice{}, nil, errors.Join(err, err2)
		}
		if c = again; c.Number == 0 {
			return c, nil, nil
		}
		f, err = s.open(c.Program)
	}
	if err != nil {
		return Choice{}, nil, fmt.Errorf("%w; doors stay locked: install the newest package", err)
	}
	return c, f, nil
}

func (s *Store) open(p Program) (*os.File, error) {
	f, err := os.Open(s.path(p.Sum))
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, p.Size+1))
	if err == nil && (n != p.Size || hex.EncodeToString(h.Sum(nil)) != p.Sum) {
		err = fmt.Errorf("%s: is not the program that was signed: the memory card may be worn out", f.Name())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Drop remembers that a trial is over that was cut short, as the next Choose would; the number is that of its program, 0 = there was none.
func (s *Store) Drop() (int64, error) {
	st, err := s.State()
	if err != nil {
		return 0, err
	}
	st, number := st.Drop()
	if number == 0 {
		return 0, nil
	}
	return number, s.save(st)
}

// Well remembers that the program on trial is good.
func (s *Store) Well(number int64) error {
	st, err := s.State()
	if err != nil {
		return err
	}
	if st, err = st.Well(number); err != nil {
		return err
	}
	if err := s.save(st); err != nil {
		return err
	}
	s.clean(st)
	return nil
}

func (s *Store) path(sum string) string { return filepath.Join(s.Dir, programsDir, sum) }

// clean removes programs that nobody starts any more. What it cannot remove takes space and nothing else.
func (s *Store) clean(st State) {
	names, err := os.ReadDir(filepath.Join(s.Dir, programsDir))
	if err != nil {
		return
	}
	for _, n := range names {
		if n.Name() != st.Held.Sum && n.Name() != st.Next.Sum && !strings.HasSuffix(n.Name(), ".new") { // which is being written
			s.step()
			_ = os.Remove(filepath.Join(s.Dir, programsDir, n.Name()))
		}
	}
}

// sweep removes copies that were cut off; what it cannot remove takes space and nothing else.
func (s *Store) sweep() {
	left, err := filepath.Glob(filepath.Join(s.Dir, programsDir, "*.new"))
	if err != nil {
		return
	}
	for _, path := range left {
		s.step()
		_ = os.Remove(path)
	}
}

func (s *Store) save(st State) error { return s.write(stateFile, []byte(st.text())) }

// write replaces a file, whole or not at all, over a power cut.
func (s *Store) write(name string, data []byte) error {
	path := filepath.Join(s.Dir, name)
	s.step()
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	s.step()
	_, err = f.Write(data)
	if err == nil {
		s.step()
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.step()
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	s.step()
	return syncFolder(s.Dir)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
