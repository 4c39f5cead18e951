package ca

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// InviteLife is how long a code holds unless the operator says otherwise; MostInviteLife is for a
	// visit to a distant site.
	InviteLife     = 15 * time.Minute
	MostInviteLife = 24 * time.Hour
	// mostWrong ends an invite: 2^128 codes cannot be tried, but who tries should be noticed.
	mostWrong = 10

	inviteDir  = "invites"
	secretSize = 16 // of a code: what only the invited gateway knows
	pinSize    = 10 // of a code: the beginning of SHA-256 of the root certificate, so that the gateway knows the server
)

// Invite is one gateway's place to be filled. It is a file, since the command that invites runs in another
// process than the server that is asked (as with the deny list); a lock file orders the two.
type Invite struct {
	Gateway  string    `json:"gateway"`
	CodeHash string    `json:"code_hash"` // SHA-256 of the secret part, hex
	Until    time.Time `json:"until"`
	Replace  bool      `json:"replace"` // refuse every earlier certificate of the gateway when the new one is given
	Wrong    int       `json:"wrong"`
	// Request is what the first gateway with the right code asked for; another one is refused.
	Request   *Request `json:"request,omitempty"`
	Confirmed bool     `json:"confirmed"` // a person has compared the fingerprints
	Granted   bool     `json:"granted"`
}

// Request is a gateway's wish for an identity: its public keys, and their fingerprint for people.
type Request struct {
	CSR         []byte `json:"csr"` // DER
	NoteKey     string `json:"note_key"`
	Fingerprint string `json:"fingerprint"`
}

// Event is something an operator or a gateway did to identities, to become a leaf of the log (RA-4).
type Event struct {
	Verb    string `json:"verb"`             // gateway_invited, gateway_confirmed, gateway_denied, gateway_enrolled, gateway_renewed, root_change_begun, root_change_ended
	Target  string `json:"target,omitempty"` // "" = gateway
	Gateway string `json:"gateway"`
	By
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// By is who did it: a user of the operating system, or an account on a page with the address it came from; neither is the gateway
// itself.
type By struct {
	User    string `json:"user"`
	Account string `json:"account,omitempty"`
	Address string `json:"address,omitempty"`
}

// Refusals of an enrolment; each is one word on the wire.
var (
	ErrWrongCode   = errors.New("wrong_code")
	ErrUsedCode    = errors.New("used_code")
	ErrExpiredCode = errors.New("expired_code")
	ErrNoInvite    = errors.New("no_invite")
	ErrBadRequest  = errors.New("bad_request")
	ErrUnknown     = errors.New("unknown_gateway")
	ErrRefused     = errors.New("refused")
)

// Refusals of a confirmation; they add no words of their own.
var (
	ErrNotCome = silent("no gateway to confirm")
	ErrOther   = silent("another gateway")
)

// silent is an error that can be asked for and adds no words where it is wrapped.
type silent string

func (silent) Error() string { return "" }

func codeText(b []byte) string {
	s := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
	var out strings.Builder
	for i, c := range s {
		if i > 0 && i%6 == 0 {
			out.WriteByte('-')
		}
		out.WriteRune(c)
	}
	return out.String()
}

// Fingerprint of a gateway's public keys, as both sides print it: 80 bits, which nobody finds a second
// pair for while an invite lasts.
func Fingerprint(csr []byte, noteKey string) string {
	h := sha256.New()
	h.Write(csr)
	h.Write([]byte(noteKey))
	s := base32.StdEncoding.EncodeToString(h.Sum(nil)[:10])
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:16]
}

// invites runs fn on the invite of a gateway (nil when there is none) with the folder locked, and
// keeps what fn leaves there; nil removes it.
func (c *CA) invites(id string, fn func(*Invite) (*Invite, error)) error {
	dir := filepath.Join(c.dir, inviteDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	path := filepath.Join(dir, id+".json")
	var old *Invite
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return short(path, err)
	default:
		old = new(Invite)
		if err := json.Unmarshal(data, old); err != nil {
			return fmt.Errorf("%s: is damaged; invite the gateway again", path)
		}
	}
	next, failed := fn(old)
	if next == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return short(path, err)
		}
		return failed
	}
	now, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if bytes.Equal(now, data) {
		return failed
	}
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return short(tmp, err)
	}
	if err := writeNew(tmp, now); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return short(path, err)
	}
	return errors.Join(syncDir(dir), failed)
}

func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, short(path, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(short(path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing gives the lock back
}

// Invite makes a code for the gateway id, valid for life. It replaces an invite that is there. The
// code is shown once; only its hash is kept.
func (c *CA) Invite(id string, by By, reason string, life time.Duration, replace bool, now time.Time) (code string, err error) {
	if !validName(id) || id == ServerName {
		return "", fmt.Errorf("invite: gateway %q is not 1 to 32 characters of a-z, 0-9 and - (and not %s)", id, ServerName)
	}
	if life <= 0 || life > MostInviteLife {
		return "", fmt.Errorf("invite %s: a code holds up to %v, not %v", id, MostInviteLife, life)
	}
	secret := make([]byte, secretSize)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("invite %s: %w", id, err)
	}
	sum := sha256.Sum256(secret)
	err = c.invites(id, func(*Invite) (*Invite, error) {
		return &Invite{Gateway: id, CodeHash: hex.EncodeToString(sum[:]), Until: now.Add(life).UTC(), Replace: replace}, nil
	})
	if err != nil {
		return "", fmt.Errorf("invite %s: %w", id, err)
	}
	pin := sha256.Sum256(c.held().root.Raw)
	return codeText(append(secret, pin[:pinSize]...)), c.Note(Event{Verb: "gateway_invited", Gateway: id, By: by, Reason: reason, At: now})
}

// Invites lists what is open.
func (c *CA) Invites() ([]Invite, error) {
	names, err := filepath.Glob(filepath.Join(c.dir, inviteDir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []Invite
	for _, name := range names {
		var in Invite
		data, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(data, &in)
		}
		if err != nil {
			return nil, short(name, err)
		}
		out = append(out, in)
	}
	return out, nil
}

// Confirm says that a person has compared the fingerprint that the gateway shows with the one that
// arrived here. Another fingerprint ends the invite: somebody else has the code.
func (c *CA) Confirm(id, fingerprint string, by By, now time.Time) error {
	if !validName(id) {
		return fmt.Errorf("confirm: %q is no gateway's name", id)
	}
	err := c.invites(id, func(in *Invite) (*Invite, error) {
		switch {
		case in == nil:
			return nil, fmt.Errorf("%wthere is no invite for it", ErrNotCome)
		case in.Request == nil:
			return in, fmt.Errorf("%wno gateway has come with its code yet", ErrNotCome)
		case now.After(in.Until):
			return in, fmt.Errorf("%wits code has expired: invite it again", ErrNotCome)
		case !strings.EqualFold(strings.TrimSpace(fingerprint), in.Request.Fingerprint):
			return nil, fmt.Errorf("%wanother gateway came with this code; the invite has been withdrawn: invite it again and keep the code to yourself", ErrOther)
		}
		in.Confirmed = true
		return in, nil
	})
	if err != nil {
		return fmt.Errorf("confirm %s: %w", id, err)
	}
	return c.Note(Event{Verb: "gateway_confirmed", Gateway: id, By: by, At: now})
}

// claim takes a gateway's request under its code. It gives the invite as it stands afterwards.
func (c *CA) claim(id string, secret []byte, r Request, now time.Time) (Invite, error) {
	var out Invite
	sum := sha256.Sum256(secret)
	err := c.invites(id, func(in *Invite) (*Invite, error) {
		switch {
		case in == nil:
			return nil, ErrNoInvite
		case in.Wrong >= mostWrong:
			return in, ErrExpiredCode
		case subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(in.CodeHash)) != 1:
			in.Wrong++
			return in, ErrWrongCode
		case now.After(in.Until):
			return in, ErrExpiredCode
		case in.Request != nil && (!bytes.Equal(in.Request.CSR, r.CSR) || in.Request.NoteKey != r.NoteKey):
			return in, ErrUsedCode
		}
		in.Request = &r
		out = *in
		return in, nil
	})
	return out, err
}

// granted notes that the identity was given. The same request is answered again until the code ends,
// since the answer may have been lost.
func (c *CA) granted(id string) error {
	return c.invites(id, func(in *Invite) (*Invite, error) {
		if in != nil {
			in.Granted = true
		}
		return in, nil
	})
}

// maxReason bounds an event's reason, in bytes: what the log would refuse must not stand in the way of
// every later event.
const maxReason = 2000

// plain makes text that any leaf takes: valid UTF-8 without control characters, of bounded length.
func plain(s string) string {
	if len(s) > maxReason {
		s = s[:maxReason]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// Note spools an event for the server, which makes a leaf of it.
func (c *CA) Note(e Event) error {
	e.User, e.Reason = plain(e.User), plain(e.Reason)
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	unlock, err := c.spoolLock()
	if err != nil {
		return err
	}
	defer unlock()
	path := filepath.Join(c.dir, inviteDir, "events")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return short(path, err)
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

func (c *CA) spoolLock() (func(), error) {
	dir := filepath.Join(c.dir, inviteDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return lockFile(filepath.Join(dir, "events.lock"))
}

// Drain hands the spooled events to log and forgets them when it has returned nil. After a crash between the
// two an event is logged twice, never not at all. A line that a power cut tore is skipped.
func (c *CA) Drain(log func([]Event) error) error {
	if err := c.finishDenials(); err != nil {
		return err
	}
	path := filepath.Join(c.dir, inviteDir, "events")
	if st, err := os.Stat(path); err != nil || st.Size() == 0 {
		return nil // nothing there: no lock is taken each second
	}
	unlock, err := c.spoolLock()
	if err != nil {
		return err
	}
	defer unlock()
	data, err := os.ReadFile(path)
	if err != nil {
		return short(path, err)
	}
	var events []Event
	for line := range bytes.Lines(data) {
		var e Event
		if json.Unmarshal(line, &e) == nil {
			events = append(events, e)
		}
	}
	if err := log(events); err != nil {
		return err
	}
	return os.Truncate(path, 0)
}
