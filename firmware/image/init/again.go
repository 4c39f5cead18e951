package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A file again.txt beside a release stands for --again, which nobody can type here: a release whose trial was cut short, by a power cut too, is
// tried once more. It is not signed: who has a good release in hand may install it. Once for each file: it stays on the stick, and a release that
// hangs until the watchdog resets the machine would else be tried at each start, for ever.
//
// At the door: what is refused here leaves the program of before running; the lock is secured at its start and released by its rules alone.
const (
	again      = "again.txt"
	againUsed  = "/data/again" // what was tried once more; nobody's but ours
	mostAgain  = 64            // lines of it; the oldest goes
	mostSigned = 1 << 20       // bytes of a list; the gateway's own check has the same bound or a lower one
)

// retry is one release and one again.txt: the file made anew, at another time, is another one.
type retry struct {
	release int64 // its number, s since 1970
	written int64 // modification time of the file, s since 1970
}

// retryOf reads the number of the release in dir and the time of the file. Nothing is checked: a wrong number can only spend or spare the retry
// of a release that the gateway refuses.
func retryOf(dir, file string) (retry, error) {
	st, err := os.Stat(file)
	if err != nil {
		return retry{}, err
	}
	f, err := os.Open(filepath.Join(dir, "MANIFEST"))
	if err != nil {
		return retry{}, err
	}
	defer func() { _ = f.Close() }() // only read
	for s := bufio.NewScanner(io.LimitReader(f, mostSigned)); s.Scan(); {
		r := retry{written: st.ModTime().Unix()}
		if n, err := fmt.Sscanf(s.Text(), "number %d", &r.release); n == 1 && err == nil {
			return r, nil
		}
	}
	return retry{}, errors.New("MANIFEST: has no line with its number: copy the release again")
}

// retries is the file of what was tried once more.
type retries string

func (p retries) read() ([]retry, error) {
	data, err := os.ReadFile(string(p))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []retry
	for _, line := range strings.SplitAfter(string(data), "\n") {
		if line == "" {
			continue
		}
		var r retry
		if _, err := fmt.Sscanf(line, "%d %d\n", &r.release, &r.written); err != nil || line != r.line() {
			return nil, fmt.Errorf("%s: is damaged: nothing is tried once more; a newer release, or a new card", string(p))
		}
		out = append(out, r)
	}
	return out, nil
}

func (r retry) line() string { return fmt.Sprintf("%d %d\n", r.release, r.written) }

// write replaces the file, whole or not at all, over a power cut.
func (p retries) write(all []retry) error {
	var text strings.Builder
	for _, r := range all {
		text.WriteString(r.line())
	}
	f, err := os.OpenFile(string(p)+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.WriteString(text.String()); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(string(p)+".new", string(p)); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(string(p)))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// once has try try r, unless that was done before. It is written down first: a power cut in between spends the retry, and the file made anew
// gives another. What try refuses was not tried, and is not written down.
func (p retries) once(r retry, try func() error) error {
	before, err := p.read()
	if err != nil {
		return err
	}
	for _, b := range before {
		if b == r {
			return fmt.Errorf("release %d was tried once more with this file already: a newer release, or make the file anew", r.release)
		}
	}
	all := append(before[max(0, len(before)+1-mostAgain):len(before):len(before)], r)
	if err := p.write(all); err != nil {
		return fmt.Errorf("%w: nothing is tried once more", err)
	}
	if err := try(); err != nil {
		return errors.Join(err, p.write(before))
	}
	return nil
}
