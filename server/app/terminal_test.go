package app

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/factor"
	"monban/server/store"
	"monban/server/web"
)

const terminalPassword = "correct horse 門番 staple"

// putAccount writes an account with that password; change says what is otherwise.
func putAccount(t *testing.T, s *Site, login string, change func(a *store.Account)) {
	t.Helper()
	phc := ok(web.HashPassword(terminalPassword, web.Cost{Time: 1, Memory: 64, Threads: 1}))(t)
	a := store.Account{ID: "A-" + login, Login: login, FullName: login, Language: "ja", PasswordHash: phc, Roles: []store.RoleAssignment{{Role: "ciso"}}}
	if change != nil {
		change(&a)
	}
	err := s.Store.Write(t.Context(), func(tx *store.Tx) error { return errors.Join(tx.InsertAccount(a), tx.SetRoles(a.ID, a.Roles)) })
	if err != nil {
		t.Fatal(err)
	}
}

// proveAs is a command at a terminal by an account.
func proveAs(t *testing.T, s *Site, as AsOnPage, login, password, code string, now time.Time) (Operator, error) {
	t.Helper()
	return s.Prove(t.Context(), as, web.TerminalAnswers{
		Account: login, Address: "terminal of root", Password: func() (string, error) { return password, nil }, Code: func() (string, error) { return code, nil },
	}, func() time.Time { return now })
}

// acted are the action leaves from an index on.
func acted(t *testing.T, s *Site, from int64) (out []entrylog.Action) {
	t.Helper()
	err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
		list, err := r.ActionLeaves(from, 1000)
		for _, l := range list {
			a, err := entrylog.ParseAction(l.Body)
			if err != nil {
				return err
			}
			out = append(out, a)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// RA-2, EV-8, D28: at the command line, too, a disposal takes two accounts of two persons, each proved; the leaves name the accounts, and the log verifies.
func TestTwoPersonsAtTheTerminal(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		putAccount(t, s, "hayashi", func(a *store.Account) { a.Person = "p-hayashi" })
		putAccount(t, s, "mori", nil)
		putAccount(t, s, "hayashi2", func(a *store.Account) { a.Person = "p-hayashi" })
		r := retainer(s)
		as := func(page AsOnPage, login string) Operator {
			return ok(proveAs(t, s, page, login, terminalPassword, "", disposalDay))(t)
		}
		size := s.Store.Size()
		id := ok(r.Ask(t.Context(), entrylog.ClassRegister, 2021, "満了", as(AsDisposalAsked, "hayashi")))(t)
		for _, same := range []string{"hayashi", "hayashi2"} {
			if err := r.Approve(t.Context(), id, "確認", false, as(AsDisposalDecided, same)); !errors.Is(err, web.ErrSamePerson) {
				t.Errorf("%s approved what the same person had asked for: %v", same, err)
			}
		}
		if err := r.Approve(t.Context(), id, "確認", false, as(AsDisposalDecided, "Mori")); err != nil {
			t.Fatal(err)
		}
		words := 0
		for _, a := range acted(t, s, size) {
			if a.From != "cli" || a.Account == "" {
				t.Errorf("leaf %s of account %q from %s", a.Verb, a.Account, a.From)
			}
			want := map[string]string{"disposal_asked": "A-hayashi", "disposal_approved": "A-mori"}[a.Verb]
			if want != "" {
				if words++; a.Account != want {
					t.Errorf("%s by %s, want %s", a.Verb, a.Account, want)
				}
			}
		}
		if d := runState(t, s, id); words != 2 || d.AskedBy != "A-hayashi" || d.ApprovedBy != "A-mori" {
			t.Errorf("%d leaves, run %+v", words, d)
		}
		if done, err := r.CarryOut(t.Context()); err != nil || len(done) != 1 {
			t.Fatalf("carried out: %v, %v", done, err)
		}

		// Whoever only types a name is none of two.
		name := Operator{Name: "加藤"}
		hold := ok(r.PlaceHold(t.Context(), entrylog.ClassAction, 2021, 2021, "2032-03-31", "訴訟", name))(t)
		record := hex.EncodeToString(make([]byte, 16))
		size = s.Store.Size()
		_, asked := r.Ask(t.Context(), entrylog.ClassViolation, 2021, "満了", name)
		_, released := r.ReleaseHold(t.Context(), hold, "終結", name)
		_, restricted := r.Restrict(t.Context(), record, "申出", name)
		for what, err := range map[string]error{
			"asked": asked, "released": released, "restricted": restricted, "approved": r.Approve(t.Context(), id, "確認", false, name),
			"decided": r.Decide(t.Context(), "request-00001", "R13-1", true, "認容", name),
		} {
			if !errors.Is(err, errNoAccount) {
				t.Errorf("a typed name %s: %v", what, err)
			}
		}
		if s.Store.Size() != size {
			t.Error("a typed name left leaves")
		}
	})
	verified(t, cfg)
}

// D28, RA-3: at the command line an account gives what the page would ask it for, or nothing is done and a leaf says who failed. What was typed is in no error.
func TestTerminalProof(t *testing.T) {
	cfg := testConfig(t)
	cfg.Login = config.Login{Tries: 5, Window: config.D(5 * time.Minute), Lockout: config.D(15 * time.Minute), SecondFactorRoles: []string{"ciso"}}
	if err := CreateSite(cfg, time.Now(), quiet); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC)
	secret := factor.NewSecret()
	withSite(t, cfg, func(s *Site) {
		f := factors{store: s.Store, key: s.Keys.Derive("monban one-time codes")}
		withCodes := func(login string, change func(a *store.Account)) {
			putAccount(t, s, login, change)
			if err := f.SetTOTP(t.Context(), "A-"+login, web.TOTP{Secret: secret, Created: now}, web.Action{Kind: web.ActionTOTPSet, Actor: "A-" + login, Target: "A-" + login, At: now}); err != nil {
				t.Fatal(err)
			}
		}
		withCodes("good", nil)
		withCodes("repeats", nil)
		withCodes("suspended", func(a *store.Account) { a.Suspended = true })
		withCodes("auditor", func(a *store.Account) { a.Roles[0].Role = "auditor" })
		withCodes("zone", func(a *store.Account) { a.Roles[0].Zone = "server-room" })
		withCodes("over", func(a *store.Account) { a.Roles[0].UntilMS = now.UnixMilli() })
		withCodes("given", func(a *store.Account) { a.MustChange = true })
		putAccount(t, s, "plain", nil)
		putAccount(t, s, "provider", func(a *store.Account) { a.Source = web.SourceProvider })
		putAccount(t, s, "directory", func(a *store.Account) { a.Source = web.SourceDirectory })
		putAccount(t, s, "passkey", nil)
		if err := f.AddPasskey(t.Context(), web.Passkey{Credential: []byte{1}, Account: "A-passkey", Name: "key", RP: "localhost", Data: []byte("{}"), Created: now}, web.Action{Kind: web.ActionPasskeyAdded, At: now}); err != nil {
			t.Fatal(err)
		}
		code := factor.Code(secret, factor.Step(now))
		wrong := "000000"
		if wrong == code {
			wrong = "111111"
		}
		if _, err := proveAs(t, s, AsDisposalDecided, "repeats", terminalPassword, code, now); err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			name, login, password, code string
			want                        error
			verb                        string // of the leaf that says so, "" = none
		}{
			{"right", "good", terminalPassword, code, nil, "step_up"},
			{"wrong password", "good", "wrong horse staple", code, web.ErrTerminalWrong, "login_failed"},
			{"empty password", "good", "", code, web.ErrTerminalWrong, "login_failed"},
			{"wrong code", "good", terminalPassword, wrong, web.ErrTerminalWrong, "second_failed"},
			{"no code", "good", terminalPassword, "", web.ErrTerminalWrong, "second_failed"},
			{"a code twice", "repeats", terminalPassword, code, web.ErrTerminalWrong, "second_failed"},
			{"nobody", "nobody", terminalPassword, code, web.ErrTerminalWrong, "login_failed"},
			{"suspended", "suspended", terminalPassword, code, web.ErrTerminalWrong, "login_failed"},
			{"another role", "auditor", terminalPassword, code, web.ErrTerminalRole, ""},
			{"a role for a zone", "zone", terminalPassword, code, web.ErrTerminalRole, ""},
			{"a role that is over", "over", terminalPassword, code, web.ErrTerminalRole, ""},
			{"a password that was given out", "given", terminalPassword, code, web.ErrTerminalPage, ""},
			{"no second factor", "plain", terminalPassword, code, web.ErrTerminalPage, ""},
			{"a provider's", "provider", terminalPassword, code, web.ErrTerminalPage, ""},
			{"the directory's, and there is none", "directory", terminalPassword, code, web.ErrTerminalWrong, "login_failed"},
			{"only a passkey", "passkey", terminalPassword, code, web.ErrTerminalPage, ""},
		} {
			size := s.Store.Size()
			by, err := proveAs(t, s, AsDisposalDecided, x.login, x.password, x.code, now)
			if !errors.Is(err, x.want) || (err == nil) != (by.Account == "A-"+x.login) {
				t.Errorf("%s: %+v, %v, want %v", x.name, by, err, x.want)
			}
			if err != nil && (x.password != "" && strings.Contains(err.Error(), x.password) || x.code != "" && strings.Contains(err.Error(), x.code)) {
				t.Errorf("%s: what was typed is in %q", x.name, err)
			}
			got := acted(t, s, size)
			if x.verb == "" && len(got) != 0 || x.verb != "" && (len(got) != 1 || got[0].Verb != x.verb || got[0].From != "cli" || (got[0].Result == "ok") != (x.want == nil)) {
				t.Errorf("%s: leaves %+v, want %q", x.name, got, x.verb)
			}
		}
		for _, page := range []AsOnPage{"POST /nowhere", "GET /retention", "POST /login", "POST /me/data"} { // a route that asks nobody proves nobody
			if _, err := proveAs(t, s, page, "good", terminalPassword, code, now); err == nil {
				t.Errorf("%s proved somebody", page)
			}
		}
	})
	verified(t, cfg)
}

// D28: an account without a second factor, whose roles need none, is not proved by its password alone, as on the page; but for demos.
func TestTerminalPasswordAlone(t *testing.T) {
	cfg := testSite(t)
	for _, demo := range []bool{false, true} {
		cfg.Login.PasswordStepUp = demo
		withSite(t, cfg, func(s *Site) {
			if !demo {
				putAccount(t, s, "plain", nil)
			}
			if _, err := proveAs(t, s, AsHoldReleased, "plain", terminalPassword, "", disposalDay); (err == nil) != demo || err != nil && !errors.Is(err, web.ErrTerminalPage) {
				t.Errorf("demo %v: %v", demo, err)
			}
		})
	}
}

// D28: tries at the command line are counted across commands, as each is a process of its own; a clock that is put back gives none.
func TestTerminalLocksOut(t *testing.T) {
	cfg := testSite(t)
	cfg.Login.Tries, cfg.Login.Window, cfg.Login.Lockout = 3, config.D(5*time.Minute), config.D(15*time.Minute)
	at := disposalDay
	try := func(login, password string) (err error) {
		withSite(t, cfg, func(s *Site) { _, err = proveAs(t, s, AsDisposalDecided, login, password, "", at) })
		return err
	}
	withSite(t, cfg, func(s *Site) { putAccount(t, s, "mori", nil); putAccount(t, s, "hayashi", nil) })
	for range 3 {
		if err := try("mori", "guess guess guess"); !errors.Is(err, web.ErrTerminalWrong) {
			t.Fatalf("a guess: %v", err)
		}
		at = at.Add(time.Second)
	}
	locked := func() bool {
		err := try("MORI", terminalPassword)
		if err != nil && !strings.Contains(err.Error(), "too many tries") {
			t.Fatal(err)
		}
		return err != nil
	}
	if !locked() {
		t.Fatal("after three guesses the right password was taken")
	}
	if err := try("hayashi", terminalPassword); err != nil {
		t.Errorf("another account is locked out too: %v", err)
	}
	if at = at.Add(19 * time.Minute); !locked() { // one more each 4 × 15 min ÷ 3
		t.Error("a try came back too soon")
	}
	if at = at.Add(-48 * time.Hour); !locked() {
		t.Error("a clock that was put back gave tries")
	}
	withSite(t, cfg, func(s *Site) {
		if got := acted(t, s, 0); !slices.ContainsFunc(got, func(a entrylog.Action) bool {
			return a.Verb == "login_throttled" && a.From == "cli" && a.ID == "A-mori" && a.Result == "refused"
		}) {
			t.Errorf("no leaf says that an account was locked out: %+v", got)
		}
	})
	at = at.Add(2 * time.Minute)
	if locked() {
		t.Error("the account stays locked out")
	}
	for range 3 {
		if try("mori", "guess guess guess"); locked() { // each right one gives the tries back
			t.Fatal("a right password did not give the tries back")
		}
	}
}

// D28: a directory that cannot be asked takes no try of the account, and the error says why.
func TestTerminalDirectoryAway(t *testing.T) {
	cfg := testConfig(t)
	cfg.Login = config.Login{Tries: 3, Window: config.D(5 * time.Minute), Lockout: config.D(15 * time.Minute)}
	if err := CreateSite(cfg, time.Now(), quiet); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "bind")
	if err := os.WriteFile(secret, []byte("bind-word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.LDAP = config.LDAP{URL: "ldap://127.0.0.1:1", BindDN: "cn=x", PasswordFile: secret, Base: "dc=x", Filter: "(uid={name})"}
	now := time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC)
	withSite(t, cfg, func(s *Site) {
		putAccount(t, s, "mori", func(a *store.Account) { a.Source = web.SourceDirectory })
		for range 5 {
			_, err := proveAs(t, s, AsDisposalDecided, "mori", terminalPassword, "", now)
			if err == nil || !strings.Contains(err.Error(), "could not be asked: ") || strings.Contains(err.Error(), terminalPassword) || strings.Contains(err.Error(), "bind-word") {
				t.Fatalf("a directory that is away: %v", err)
			}
		}
	})
}

// RA-2, ADR 0102: what a typed name asked for or approved before is one of two persons no more, and can be withdrawn or asked for anew; what had begun comes to its
// end, and its leaves verify as before.
func TestTypedNamesOfBefore(t *testing.T) {
	cfg := siteOf2021(t)
	var attempt [16]byte
	copy(attempt[:], "att-old000003")
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		r := retainer(s)
		old := []Operator{{Name: "加藤"}, {Name: "佐藤"}}
		// before is a run as the program of before wrote it.
		before := func(id string, class entrylog.Class, state string) {
			err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
				idx, err := old[0].leaf(tx, "disposal_asked", "disposal", id+":"+string(class)+":2021", "満了", disposalDay)
				if err != nil {
					return err
				}
				d := store.DisposalRun{ID: id, Class: class, Year: 2021, State: state, AskedBy: old[0].word(), AskedMS: disposalDay.UnixMilli(), AskedIdx: idx, Started: -1, Done: -1}
				if state == store.RunApproved {
					if _, err := old[1].leaf(tx, "disposal_approved", "disposal", id, "確認", disposalDay); err != nil {
						return err
					}
					d.ApprovedBy, d.ApprovedMS = old[1].word(), d.AskedMS
				}
				return tx.AddDisposalRun(d)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		begun, approved, asked := "disposal-2030-00001", "disposal-2030-00002", "disposal-2030-00003"
		before(begun, entrylog.ClassRegister, store.RunApproved)
		sc := ok(s.Store.DisposalScope(t.Context(), entrylog.ClassRegister, 2021))(t)
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.StartDisposal(begun, sc, "key", false, disposalDay.UnixMilli())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		before(approved, entrylog.ClassViolation, store.RunApproved)
		before(asked, entrylog.ClassAction, store.RunAsked)
		size := s.Store.Size()
		if err := r.Approve(t.Context(), asked, "確認", false, sato); !errors.Is(err, web.ErrTyped) || s.Store.Size() != size {
			t.Errorf("approved what a typed name had asked for: %v", err)
		}
		if err := retained(r.Approve(t.Context(), asked, "確認", false, sato)); !errors.Is(err, web.ErrTyped) {
			t.Errorf("the page is told: %v", err)
		}
		done, err := r.CarryOut(t.Context())
		if !errors.Is(err, web.ErrTyped) || len(done) != 1 || done[0].ID != begun {
			t.Errorf("carried out %v, %v", done, err)
		}
		// The page and the plan say so, and the night goes on without an error.
		book := ok((&retainPages{r}).RetentionBook(t.Context()))(t)
		said := ""
		if err := r.PrintRuns(t.Context(), func(line string) { said += line + "\n" }); err != nil {
			t.Fatal(err)
		}
		for _, x := range book.Runs {
			if want := x.ID == approved || x.ID == asked; (x.State == "void") != want {
				t.Errorf("the page shows %s as %s", x.ID, x.State)
			}
		}
		if strings.Count(said, "void: ") != 2 {
			t.Errorf("the plan says\n%s", said)
		}
		if note, err := r.nightly(t.Context(), disposalDay); err != nil || !strings.Contains(note, approved+": not carried out") || strings.Contains(note, asked) {
			t.Errorf("the night says %q, %v", note, err)
		}
		for _, id := range []string{approved, asked} {
			if err := r.Approve(t.Context(), id, "やり直し", true, old[0]); err != nil {
				t.Errorf("withdraw %s: %v", id, err)
			}
		}
		approve2021(t, r, entrylog.ClassViolation)
		if done, err := r.CarryOut(t.Context()); err != nil || len(done) != 1 {
			t.Errorf("asked for anew: %v, %v", done, err)
		}

		hold := ok(r.PlaceHold(t.Context(), entrylog.ClassAction, 2021, 2021, "2032-03-31", "訴訟", kato))(t)
		err = s.Store.Write(t.Context(), func(tx *store.Tx) error {
			h, err := tx.Hold(hold)
			h.State, h.AskedBy, h.AskedMS = store.HoldReleaseAsked, old[0].word(), disposalDay.UnixMilli()
			return errors.Join(err, tx.PutHold(h))
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{false, true} {
			if released, err := r.ReleaseHold(t.Context(), hold, "終結", []Operator{kato, sato}[i]); err != nil || released != want {
				t.Errorf("release %d: %v, %v", i, released, err)
			}
		}
	})
	verified(t, cfg)

	cfg = testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		r := retainer(s)
		old := Operator{Name: "加藤"}
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error { _, err := r.restrict(tx, attempt, "申出", old); return err })
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Decide(t.Context(), "request-00001", "R13-5", true, "認容", sato); !errors.Is(err, web.ErrTyped) {
			t.Errorf("decided what a typed name had asked for: %v", err)
		}
		id := ok(r.Restrict(t.Context(), hex.EncodeToString(attempt[:]), "本人の申出", kato))(t)
		if _, err := r.Restrict(t.Context(), hex.EncodeToString(attempt[:]), "本人の申出", sato); id != "request-00001" || !errors.Is(err, web.ErrExists) {
			t.Errorf("asked for anew as %s, then %v", id, err)
		}
		if err := r.Decide(t.Context(), id, "R13-5", true, "認容", kato); !errors.Is(err, web.ErrSamePerson) {
			t.Errorf("decided by the one who asked anew: %v", err)
		}
		if err := r.Decide(t.Context(), id, "R13-5", true, "認容", sato); err != nil {
			t.Error(err)
		}
	})
	verified(t, cfg)
}
