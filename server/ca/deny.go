package ca

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The two append-only text files of the deny list: every serial issued, and every serial refused.
// One line each: serial TAB gateway TAB time (RFC 3339).
const (
	issuedFile = "issued.txt"
	deniedFile = "denied.txt"
	// denyCheck is how often a running server looks whether another process (`gateway deny`)
	// added to the list. One stat(2) a second costs nothing and refuses a device within a second.
	denyCheck = time.Second
)

// denyList is the set of refused serials. Both files are re-read when they change, because the
// command that denies runs in another process than the server that refuses.
type denyList struct {
	dir     string
	lenient bool // set by open

	mu      sync.Mutex
	denied  map[string]string // serial → gateway
	looked  time.Time
	size    int64
	modTime time.Time
}

// open reads the list. Strictly, a line that cannot be read is an error; else it is passed over, since to refuse more
// must be possible then too.
func (d *denyList) open(dir string, strict bool) error {
	d.dir = dir
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lenient = !strict
	return d.reload()
}

// reload reads the denied file whole. Called with mu held.
func (d *denyList) reload() error {
	path := filepath.Join(d.dir, deniedFile)
	entries, err := readList(path, !d.lenient)
	if err != nil {
		return err
	}
	next := make(map[string]string, len(entries))
	for _, e := range entries {
		next[e.serial] = e.gateway
	}
	d.denied = next
	if st, err := os.Stat(path); err == nil {
		d.size, d.modTime = st.Size(), st.ModTime()
	}
	return nil
}

// Denied reports whether the certificate with this serial (lower-case hex) is refused. If the list
// cannot be read, what was known before still counts; an unreadable file at start-up is an error of
// Open.
func (c *CA) Denied(serial string) bool {
	d := &c.deny
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.looked) >= denyCheck {
		d.looked = now
		st, err := os.Stat(filepath.Join(d.dir, deniedFile))
		if err == nil && (st.Size() != d.size || !st.ModTime().Equal(d.modTime)) {
			_ = d.reload() // a damaged line keeps the old list: serials are only ever added
		}
	}
	_, ok := d.denied[strings.ToLower(serial)]
	return ok
}

// DenyGateway refuses every certificate ever issued to the gateway and returns how many there are.
// A running server refuses new connections within a second; the broker's check ends living ones.
func (c *CA) DenyGateway(id string, now time.Time) (int, error) {
	issued, err := readList(filepath.Join(c.dir, issuedFile), !c.deny.lenient)
	if err != nil {
		return 0, fmt.Errorf("deny gateway %s: %w", id, err)
	}
	d := &c.deny
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, e := range issued {
		if e.gateway != id {
			continue
		}
		n++
		if _, done := d.denied[e.serial]; done {
			continue
		}
		if err := appendLine(filepath.Join(d.dir, deniedFile), e.serial, id, now); err != nil {
			return n, fmt.Errorf("deny gateway %s: %w", id, err)
		}
		d.denied[e.serial] = id
	}
	if n == 0 {
		return 0, fmt.Errorf("deny gateway %s: no certificate was issued to it", id)
	}
	return n, nil
}

// wasIssued reports whether this serial was issued to this gateway.
func (c *CA) wasIssued(serial, id string) bool {
	c.deny.mu.Lock()
	defer c.deny.mu.Unlock()
	issued, err := readList(filepath.Join(c.dir, issuedFile), true)
	if err != nil {
		return false // fail locked: a list that cannot be read knows nobody
	}
	for _, e := range issued {
		if e.serial == serial && e.gateway == id {
			return true
		}
	}
	return false
}

func (d *denyList) noteIssued(serial, id string, notAfter time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return appendLine(filepath.Join(d.dir, issuedFile), serial, id, notAfter)
}

type listEntry struct{ serial, gateway string }

// readList reads one of the two lists; strict refuses a line that is not one, else it is passed over.
func readList(path string, strict bool) ([]listEntry, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, short(path, err)
	}
	var out []listEntry
	sc := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; sc.Scan(); n++ {
		f := strings.Split(sc.Text(), "\t")
		if len(f) != 3 || f[0] == "" || strings.Trim(f[0], "0123456789abcdef") != "" {
			if !strict {
				continue
			}
			// A torn last line of a power cut is refused as well: a person must look, because a
			// serial dropped here would be a device let in again.
			return nil, fmt.Errorf("%s:%d: is not serial TAB gateway TAB time", path, n)
		}
		out = append(out, listEntry{f[0], f[1]})
	}
	if err := sc.Err(); err != nil {
		return nil, short(path, err)
	}
	return out, nil
}

func appendLine(path, serial, gateway string, at time.Time) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return short(path, err)
	}
	line := fmt.Sprintf("%s\t%s\t%s\n", serial, gateway, at.UTC().Format(time.RFC3339))
	if torn(f) { // by a power cut: the new line must stand on its own
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return short(path, err)
	}
	return nil
}

// torn reports whether a file's last line has no end.
func torn(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], st.Size()-1)
	return err == nil && last[0] != '\n'
}
