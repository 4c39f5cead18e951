package signer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// OldLogKeys gives the verifiers of the logs that this site's log has followed, from the files
// log-<8 hex>.vkey of a directory of keys.
func OldLogKeys(dir string) ([]note.Verifier, error) {
	names, err := filepath.Glob(filepath.Join(dir, "log-*.vkey"))
	if err != nil {
		return nil, fmt.Errorf("public keys of earlier logs: %w", err)
	}
	var out []note.Verifier
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("public keys of earlier logs: %w", err)
		}
		v, err := note.NewVerifier(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fmt.Errorf("public keys of earlier logs: %s: %w", name, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// OldLogFile is the name of the file that keeps the public key of a log which has ended.
func OldLogFile(origin string) string {
	return "log-" + strings.TrimPrefix(origin, "monban/") + ".vkey"
}

// Succeed prepares the end of the log that is signed with dir's key and the beginning of another: it writes
// log.key, log.vkey, the old log's public key and signed.json into the existing directory next, from
// where they are moved over those in dir. The new log's first checkpoint must extend the tree of
// that size and root. Floors of policies are kept. It returns the new log's verifier.
//
// The old private key is overwritten by that move: the old log can then never grow again.
func (l *Local) Succeed(next string, size int64, root tlog.Hash, rand io.Reader) (note.Verifier, error) {
	if size < 1 {
		return nil, errors.New("succeed log: there is nothing to follow")
	}
	old, err := l.VerifierKey(RoleLog)
	if err != nil {
		return nil, err
	}
	skey, vkey, err := GenerateLogKey(rand)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	state := lastSigned{Size: size, Root: root, Policies: l.last.Policies}
	data, err := state.encode()
	l.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("succeed log: %w", err)
	}
	for name, text := range map[string]string{
		string(RoleLog) + ".key": skey, string(RoleLog) + ".vkey": vkey, stateFile: string(data),
		OldLogFile(l.keys[RoleLog].signer.Name()): old,
	} {
		if err := createFile(filepath.Join(next, name), text+"\n"); err != nil {
			return nil, err
		}
	}
	return note.NewVerifier(vkey)
}

// PolicyFloor is the highest manifest version that was signed for any gateway.
func (l *Local) PolicyFloor() (version uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.last.Policies {
		version = max(version, v)
	}
	return version
}
