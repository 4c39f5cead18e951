package ca

import (
	"bufio"
	"bytes"
	"encoding/json"
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
	// added to the list. Five stat(2) a second cost nothing, and a stolen device is refused at once.
	denyCheck = 200 * time.Millisecond
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
	err     error // why the newest list cannot be known; new connections are refused meanwhile
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

// Denied reports whether the certificate with this serial (lower-case hex) is on the list. If the list cannot be read now, what was
// known before still counts here, so that no living connection ends for it; new ones ask admits.
func (c *CA) Denied(serial string) bool {
	d := &c.deny
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look(time.Now())
	_, ok := d.denied[strings.ToLower(serial)]
	return ok
}

// ListErr says why the list of refused certificates cannot be read now, nil when it can. A denial by a command may be in what
// cannot be read, so until it is mended no gateway comes in anew.
func (c *CA) ListErr() error {
	d := &c.deny
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look(time.Now())
	return d.err
}

// admits is for new connections: an error for a certificate on the list, and for each gateway's while the list cannot be read.
func (c *CA) admits(name, serial string) error {
	if c.Denied(serial) {
		return fmt.Errorf("%s: %w", name, ErrDenied)
	}
	if name == ServerName {
		return nil // the server's own, which no command denies: without it nothing is told any more
	}
	if err := c.ListErr(); err != nil {
		return fmt.Errorf("%s: the list of refused certificates cannot be read: %w", name, err)
	}
	return nil
}

// look reads the list again when it has changed, at most once in denyCheck. Called with mu held.
func (d *denyList) look(now time.Time) {
	if now.Sub(d.looked) < denyCheck {
		return
	}
	d.looked = now
	path := filepath.Join(d.dir, deniedFile)
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(d.denied) == 0:
		d.err = nil
		return
	case err != nil:
		d.err = short(path, err)
		return
	case d.err == nil && st.Size() == d.size && st.ModTime().Equal(d.modTime):
		return
	}
	if d.err = d.reload(); d.err == nil {
		return
	}
	// Serials are only ever added: what can be read of a damaged list counts too.
	more, err := readList(path, false)
	if err != nil {
		return
	}
	for _, e := range more {
		d.denied[e.serial] = e.gateway
	}
}

// DenyGateway refuses every certificate ever issued to the gateway and returns how many there are.
// A running server refuses new connections within denyCheck; the broker's check ends living ones.
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
		return 0, fmt.Errorf("deny gateway %s: %w", id, ErrNoCertificate)
	}
	return n, nil
}

// ErrNoCertificate: there is nothing to deny.
var ErrNoCertificate = errors.New("no certificate was issued to it")

// Refuse withdraws the gateway's invite and denies every certificate it ever had; it gives how many. The
// invite first: a code that still holds would give the refused device a new certificate.
func (c *CA) Refuse(id, user, reason string, now time.Time) (int, error) {
	if !validName(id) {
		return 0, fmt.Errorf("deny: %q is no gateway's name", id)
	}
	return c.refuse(Event{Verb: "gateway_denied", Gateway: id, By: By{User: user}, Reason: reason, At: now}, true)
}

// refuse denies, and spools the event. What is to be done is written down first, so that the server finishes it, with its leaf,
// when this process dies on the way (finishDenials):
//
//	crash point 1: written down, nothing denied → denied and logged by the server
//	crash point 2: denied, no event             → logged by the server
//	crash point 3: event spooled, mark there    → logged twice
func (c *CA) refuse(e Event, withdraw bool) (int, error) {
	unlock, err := c.denialLock()
	if err != nil {
		return 0, fmt.Errorf("deny %s: %w", e.Gateway, err)
	}
	defer unlock()
	mark := filepath.Join(c.dir, inviteDir, e.Gateway+denyingMark)
	line, err := json.Marshal(denying{e, withdraw})
	if err != nil {
		return 0, err
	}
	if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, short(mark, err)
	}
	if err := errors.Join(writeNew(mark, line), syncDir(filepath.Dir(mark))); err != nil {
		return 0, fmt.Errorf("deny %s: %w", e.Gateway, err)
	}
	return c.finishDenial(mark, denying{e, withdraw})
}

// denyingMark ends the name of the file that says that a denial is under way; before it stands the gateway.
const denyingMark = ".denying"

type denying struct {
	Event    Event `json:"event"`
	Withdraw bool  `json:"withdraw"` // the invite too
}

func (c *CA) denialLock() (func(), error) {
	dir := filepath.Join(c.dir, inviteDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return lockFile(filepath.Join(dir, "denying.lock"))
}

func (c *CA) finishDenial(mark string, d denying) (int, error) {
	invited := false
	if d.Withdraw {
		if err := c.invites(d.Event.Gateway, func(in *Invite) (*Invite, error) { invited = in != nil; return nil, nil }); err != nil {
			return 0, fmt.Errorf("deny %s: %w", d.Event.Gateway, err)
		}
	}
	n, err := c.DenyGateway(d.Event.Gateway, d.Event.At)
	switch {
	case err == nil:
	case !errors.Is(err, ErrNoCertificate):
		return n, err // the mark stays: the server tries again
	case !invited:
		return 0, errors.Join(err, os.Remove(mark))
	}
	if err := c.Note(d.Event); err != nil {
		return n, err
	}
	return n, os.Remove(mark)
}

// finishDenials ends what a process that died has begun.
func (c *CA) finishDenials() error {
	marks, err := filepath.Glob(filepath.Join(c.dir, inviteDir, "*"+denyingMark))
	if err != nil || len(marks) == 0 {
		return err
	}
	unlock, err := c.denialLock() // whoever is at it right now ends first
	if err != nil {
		return err
	}
	defer unlock()
	for _, mark := range marks {
		data, err := os.ReadFile(mark)
		if errors.Is(err, fs.ErrNotExist) {
			continue // ended meanwhile
		}
		if err != nil {
			return short(mark, err)
		}
		var d denying
		if err := json.Unmarshal(data, &d); err != nil || !validName(d.Event.Gateway) {
			// Torn by a power cut before anything was denied; who ordered it was told of no success.
			if err := os.Remove(mark); err != nil {
				return short(mark, err)
			}
			continue
		}
		if _, err := c.finishDenial(mark, d); err != nil && !errors.Is(err, ErrNoCertificate) {
			return err
		}
	}
	return nil
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
