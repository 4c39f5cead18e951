package signer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Remote is a Signer whose log, policy and command keys are held by another process. The key of
// RoleLink is here: an answer must not wait for two processes, and it only speaks for this server.
type Remote struct {
	socket string
	link   *Local
	public map[Role]note.Verifier

	mu    sync.Mutex
	conn  net.Conn       // mu; nil while there is none
	in    *bufio.Scanner // mu
	last  response       // mu; Size and Root of the last checkpoint signed, as far as known
	stale bool           // mu; last may be old: an answer was lost
}

// OpenRemote opens link.key and all public halves in dir and asks the signer at socket for the last
// checkpoint. It fails when the signer does not answer: a server that cannot compare its database with
// what was signed must not begin (EV-3).
func OpenRemote(dir, socket string) (*Remote, error) {
	link, err := Open(dir, nil, RoleLink)
	if err != nil {
		return nil, err
	}
	r := &Remote{socket: socket, link: link, public: map[Role]note.Verifier{}, stale: true}
	for _, role := range Roles() {
		text, err := readPrivate(filepath.Join(dir, string(role)+".vkey"))
		if err != nil {
			return nil, err
		}
		if r.public[role], err = note.NewVerifier(text); err != nil {
			return nil, fmt.Errorf("public key of %s: %w", role, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refresh(); err != nil {
		return nil, fmt.Errorf("%w (is `monban-server signer` running?)", err)
	}
	return r, nil
}

// Close ends the connection.
func (r *Remote) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
	return nil
}

func (r *Remote) drop() {
	if r.conn != nil {
		_ = r.conn.Close() // nothing is under way on it
	}
	r.conn, r.in, r.stale = nil, nil, true
}

// refresh learns what was signed last. Call with mu held.
func (r *Remote) refresh() error {
	last, err := r.call(&request{Op: opLast})
	if err != nil {
		return err
	}
	r.last, r.stale = *last, false
	return nil
}

// call sends one request and waits for its answer; a connection that the signer has closed since is
// made anew once. Call with mu held.
func (r *Remote) call(q *request) (*response, error) {
	var failed error
	for range 2 {
		fresh := r.conn == nil
		out, err := r.exchange(q)
		if err == nil {
			return out, r.refusal(out)
		}
		r.drop()
		failed = fmt.Errorf("%w: %s: %w", ErrUnavailable, r.socket, err)
		if fresh {
			break
		}
	}
	return nil, failed
}

func (r *Remote) exchange(q *request) (*response, error) {
	if r.conn == nil {
		c, err := net.DialTimeout("unix", r.socket, frameTime)
		if err != nil {
			return nil, err
		}
		r.conn, r.in = c, bufio.NewScanner(c)
		r.in.Buffer(make([]byte, 4096), maxFrame)
	}
	b, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	if err := r.conn.SetDeadline(time.Now().Add(frameTime)); err != nil {
		return nil, err
	}
	if _, err := r.conn.Write(append(b, '\n')); err != nil {
		return nil, err
	}
	if !r.in.Scan() {
		return nil, errors.Join(errors.New("it closed the connection"), r.in.Err())
	}
	var out response
	if err := json.Unmarshal(r.in.Bytes(), &out); err != nil {
		return nil, fmt.Errorf("its answer cannot be read: %w", err)
	}
	return &out, nil
}

func (r *Remote) refusal(out *response) error {
	if out.Error == "" {
		return nil
	}
	if known := refusals()[out.Kind]; known != nil {
		return fmt.Errorf("signer: %w (%s)", known, out.Error)
	}
	return errors.New("signer: " + out.Error)
}

// Verifier gives a role's public half.
func (r *Remote) Verifier(role Role) (note.Verifier, error) {
	v, ok := r.public[role]
	if !ok {
		return nil, fmt.Errorf("%s: %w", role, ErrNoRole)
	}
	return v, nil
}

// LastCheckpoint gives what SignCheckpoint must extend, as far as this process knows. After a lost
// answer it asks; when nobody answers, the old one is given and signing fails too.
func (r *Remote) LastCheckpoint() (size int64, root tlog.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stale {
		_ = r.refresh() // the next request says why
	}
	return r.last.Size, r.last.Root
}

// SignCheckpoint has a checkpoint signed. ErrUnavailable means "unknown": it may have been signed, and
// LastCheckpoint asks before the next try.
func (r *Remote) SignCheckpoint(text string, proof tlog.TreeProof) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, err := r.call(&request{Op: opCheckpoint, Text: text, Proof: proof})
	if err != nil {
		return nil, err
	}
	// The signer's word is not taken for it: what it signed must open with the log's public key.
	if _, err := note.Open(out.Signed, note.VerifierList(r.public[RoleLog])); err != nil {
		return nil, fmt.Errorf("signer: its checkpoint does not open with this site's log key: %w", err)
	}
	r.stale = true // the next LastCheckpoint asks, one round trip each half second
	return out.Signed, nil
}

// Approve shows the signer who asked for a command and who ordered it.
func (r *Remote) Approve(e Evidence) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.call(&request{Op: opApprove, Evidence: &e})
	return err
}

// Sign signs text for a role other than log and root and returns the whole note.
func (r *Remote) Sign(role Role, text string) ([]byte, error) {
	s, err := r.NoteSigner(role)
	if err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", s.Name(), err)
	}
	if _, err := note.Open(signed, note.VerifierList(r.public[role])); err != nil {
		return nil, fmt.Errorf("sign as %s: the note would not open: %w", s.Name(), err)
	}
	return signed, nil
}

// NoteSigner gives a note.Signer of a role; that of RoleLink signs in this process.
func (r *Remote) NoteSigner(role Role) (note.Signer, error) {
	if role == RoleLink {
		return r.link.NoteSigner(role)
	}
	if _, ok := r.public[role]; !ok || role == RoleLog {
		return nil, fmt.Errorf("%s: %w", role, ErrNoRole)
	}
	return remoteSigner{r, role}, nil
}

type remoteSigner struct {
	remote *Remote
	role   Role
}

func (s remoteSigner) Name() string    { return s.remote.public[s.role].Name() }
func (s remoteSigner) KeyHash() uint32 { return s.remote.public[s.role].KeyHash() }

func (s remoteSigner) Sign(msg []byte) ([]byte, error) {
	s.remote.mu.Lock()
	defer s.remote.mu.Unlock()
	out, err := s.remote.call(&request{Op: opSign, Role: s.role, Text: string(msg)})
	if err != nil {
		return nil, err
	}
	if !s.remote.public[s.role].Verify(msg, out.Signed) {
		return nil, fmt.Errorf("signer: its signature does not verify with this site's %s key", s.role)
	}
	return out.Signed, nil
}
