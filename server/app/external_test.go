package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/config"
	"monban/server/ldap"
	"monban/server/store"
	"monban/server/web"
)

type fakeDirectory struct {
	people map[string]ldap.Entry
	err    error
}

func (f fakeDirectory) Find(_ context.Context, name string) (ldap.Entry, error) {
	if f.err != nil {
		return ldap.Entry{}, f.err
	}
	e, ok := f.people[name]
	if !ok {
		return e, ldap.ErrNotFound
	}
	return e, nil
}

// RA-3: the directory's synchronisation suspends and lists; it deletes nothing, gives no right, and does nothing on
// half an answer or when nearly everybody would be gone.
func TestSyncSuspendsAndLists(t *testing.T) {
	s := emptyStore(t)
	now := time.Now()
	add := func(id, source string, roles ...string) {
		t.Helper()
		err := s.Write(t.Context(), func(tx *store.Tx) error {
			a := store.Account{ID: id, Login: id, FullName: "渡邉 " + id, Source: source, CreatedMS: 1}
			for _, r := range roles {
				a.Roles = append(a.Roles, store.RoleAssignment{Role: r})
			}
			return errors.Join(tx.InsertAccount(a), tx.SaveSession(store.Session{TokenHash: "of-" + id, Account: id, ExpiresMS: now.Add(time.Hour).UnixMilli()}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add("stays", web.SourceDirectory, "reception")
	add("moved", web.SourceDirectory, "csirt")
	add("left", web.SourceDirectory, "auditor")
	add("off", web.SourceDirectory)
	add("local", web.SourceHere, "system_administrator")
	dir := fakeDirectory{people: map[string]ldap.Entry{"stays": {Roles: []string{"reception"}}, "moved": {Roles: []string{"reception"}}, "off": {Disabled: true}}}
	o := SyncOptions{Now: now, Table: []config.LDAPGroup{{DN: "g1", Role: "reception"}, {DN: "g2", Role: "csirt"}}}
	account := func(id string) (out store.Account, sessions int) {
		t.Helper()
		err := s.Read(t.Context(), func(r *store.ReadTx) (err error) {
			if out, err = r.AccountByID(id); err != nil {
				return err
			}
			list, err := r.AccountSessions(id, now.UnixMilli())
			sessions = len(list)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out, sessions
	}
	untouched := func(what string) {
		t.Helper()
		for _, id := range []string{"stays", "moved", "left", "off", "local"} {
			if a, n := account(id); a.Suspended || n != 1 {
				t.Errorf("%s: %s suspended %v, %d sessions", what, id, a.Suspended, n)
			}
		}
	}
	away := dir
	away.err = errors.New("directory is away")
	if _, err := syncAccounts(t.Context(), s, away, o); err == nil {
		t.Error("a directory that is away says yes")
	}
	untouched("directory away")
	if _, err := syncAccounts(t.Context(), s, fakeDirectory{}, o); err == nil || !strings.Contains(err.Error(), "4 of 4") {
		t.Errorf("everybody gone: %v", err)
	}
	untouched("everybody gone")
	dry := o
	dry.DryRun = true
	if lines, err := syncAccounts(t.Context(), s, dir, dry); err != nil || len(lines) != 3 {
		t.Errorf("dry run: %v, %v", lines, err)
	}
	untouched("dry run")

	before := len(actions(t, s))
	lines, err := syncAccounts(t.Context(), s, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]SyncLine{
		"moved": {Login: "moved", Missing: []string{"reception"}, Extra: []string{"csirt"}},
		"left":  {Login: "left", Suspended: true, Why: "not in the directory"},
		"off":   {Login: "off", Suspended: true, Why: "disabled in the directory"},
	}
	for _, l := range lines {
		w := want[l.Login]
		if l.Suspended != w.Suspended || l.Why != w.Why || !slices.Equal(l.Missing, w.Missing) || !slices.Equal(l.Extra, w.Extra) {
			t.Errorf("%+v, want %+v", l, w)
		}
		delete(want, l.Login)
	}
	if len(want) != 0 {
		t.Errorf("not listed: %v", want)
	}
	for id, suspended := range map[string]bool{"stays": false, "moved": false, "left": true, "off": true, "local": false} {
		a, sessions := account(id)
		if a.Suspended != suspended || (sessions == 0) != suspended {
			t.Errorf("%s: suspended %v, %d sessions", id, a.Suspended, sessions)
		}
		if id == "moved" && (len(a.Roles) != 1 || a.Roles[0].Role != "csirt") {
			t.Errorf("the directory gave or took a role: %+v", a.Roles)
		}
	}
	got := actions(t, s)[before:]
	if len(got) != 2 || got[0].Verb != string(web.ActionAccountSuspended) || !got[0].Reason { // RA-4
		t.Errorf("leaves %+v", got)
	}
	if lines, err := syncAccounts(t.Context(), s, dir, o); err != nil || len(lines) != 1 {
		t.Errorf("again: %v, %v", lines, err)
	}
}

// EV-3, RA-3: the database alone holds no secret of one-time codes, and one account's does not open as another's.
func TestSealedSecrets(t *testing.T) {
	s := emptyStore(t)
	f := factors{store: s, key: [32]byte{1}}
	secret := []byte("a secret of 20 bytes")
	if err := f.SetTOTP(t.Context(), "A", web.TOTP{Secret: secret, Created: time.Now()}, web.Action{At: time.Now(), Kind: web.ActionTOTPSet, Actor: "A", Target: "A"}); err != nil {
		t.Fatal(err)
	}
	var row store.TOTP
	err := s.Write(t.Context(), func(tx *store.Tx) (err error) {
		if row, err = tx.TOTP("A"); err != nil {
			return err
		}
		moved := row
		moved.Account = "B"
		return tx.SetTOTP(moved)
	})
	if err != nil || contains(row.Secret, string(secret)) {
		t.Fatalf("in the database: %q, %v", row.Secret, err)
	}
	if got, err := f.TOTP(t.Context(), "A"); err != nil || string(got.Secret) != string(secret) {
		t.Errorf("%q, %v", got.Secret, err)
	}
	if _, err := f.TOTP(t.Context(), "B"); err == nil {
		t.Error("one account's secret opens as another's")
	}
	if _, err := (factors{store: s, key: [32]byte{2}}).TOTP(t.Context(), "A"); err == nil {
		t.Error("it opens with another key")
	}
}

// Files of secrets and certificates: an error says which and nothing of what is in it.
func TestExternalFiles(t *testing.T) {
	dir := t.TempDir()
	empty, good := filepath.Join(dir, "empty"), filepath.Join(dir, "good")
	for path, text := range map[string]string{empty: "\n", good: "p@ss word\r\nmore\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := secretFile(good); err != nil || got != "p@ss word" {
		t.Errorf("%q, %v", got, err)
	}
	for _, path := range []string{empty, filepath.Join(dir, "none")} {
		if _, err := secretFile(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := rootsOf(good); err == nil || strings.Contains(err.Error(), "p@ss") {
		t.Errorf("no certificate: %v", err)
	}
	cfg := config.Default().LDAP
	if d, err := openDirectory(cfg); d != nil || err != nil {
		t.Errorf("none configured: %v, %v", d, err)
	}
	if p, err := openProvider(config.Default().OIDC, ""); p != nil || err != nil {
		t.Errorf("none configured: %v, %v", p, err)
	}
	cfg.URL, cfg.BindDN, cfg.Base, cfg.PasswordFile = "ldaps://dc1", "a", "b", good
	if d, err := openDirectory(cfg); d == nil || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := TryDirectory(t.Context(), &config.Config{}, "x", ""); err == nil {
		t.Error("a try without a directory")
	}
}
