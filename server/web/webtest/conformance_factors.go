package webtest

import (
	"context"
	"errors"
	"slices"
	"time"

	"monban/server/web"
)

func withAccount(t T, s Fresh) (context.Context, time.Time, web.Account, web.Action) {
	t.Helper()
	now, first, act := sample()
	if err := s.CreateAccount(t.Context(), first, act); err != nil {
		t.Fatal(err)
	}
	return t.Context(), now, first, act
}

// factorOf reads whether the account has a second factor.
func factorOf(t T, s Fresh, id string) bool {
	t.Helper()
	a, err := s.AccountByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.ListAccounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if x.ID == id && x.SecondFactor != a.SecondFactor {
			t.Errorf("list and account disagree about the second factor of %s", id)
		}
	}
	return a.SecondFactor
}

func checkPasskeys(t T, s Fresh) {
	t.Helper()
	ctx, now, first, act := withAccount(t, s)
	p := web.Passkey{Credential: []byte{1, 2}, Account: first.ID, Name: "窓口PC", RP: "x", Data: []byte("{}"), SignCount: 5, Created: now}
	if factorOf(t, s, first.ID) {
		t.Errorf("a second factor before there is one")
	}
	if err := s.AddPasskey(ctx, p, act); err != nil {
		t.Fatal(err)
	}
	if err := s.AddPasskey(ctx, p, act); !errors.Is(err, web.ErrExists) {
		t.Errorf("the same again: %v, want ErrExists", err)
	}
	if !factorOf(t, s, first.ID) {
		t.Errorf("no second factor in spite of a passkey")
	}
	// A counter that does not grow is refused; one that stays 0 is an authenticator that counts nothing.
	for _, c := range []struct {
		count uint32
		want  error
	}{{5, web.ErrUsed}, {4, web.ErrUsed}, {0, web.ErrUsed}, {6, nil}, {6, web.ErrUsed}, {100, nil}} {
		if err := s.UsePasskey(ctx, p.Credential, []byte("{}"), c.count, now); !errors.Is(err, c.want) {
			t.Errorf("counter %d: %v, want %v", c.count, err, c.want)
		}
	}
	zero := p
	zero.Credential, zero.SignCount, zero.Created = []byte{3}, 0, now.Add(time.Second)
	if err := s.AddPasskey(ctx, zero, act); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.UsePasskey(ctx, zero.Credential, []byte("{}"), 0, now); err != nil {
			t.Errorf("an authenticator without a counter: %v", err)
		}
	}
	if list, err := s.Passkeys(ctx, first.ID); err != nil || len(list) != 2 || list[0].Name != p.Name || list[0].SignCount != 100 || list[0].Used.IsZero() {
		t.Errorf("list %+v, %v", list, err)
	}
	if err := s.DeletePasskey(ctx, "another", p.Credential, act); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("removed by another: %v, want ErrNotFound", err)
	}
	if err := s.DeletePasskey(ctx, first.ID, zero.Credential, act); err != nil {
		t.Fatal(err)
	}
	if err := s.StopPasskey(ctx, p.Credential, act); err != nil {
		t.Fatal(err)
	}
	if err := s.UsePasskey(ctx, p.Credential, []byte("{}"), 200, now); !errors.Is(err, web.ErrUsed) {
		t.Errorf("a stopped passkey: %v, want ErrUsed", err)
	}
	if got, err := s.PasskeyByCredential(ctx, p.Credential); err != nil || !got.Stopped {
		t.Errorf("stopped: %+v, %v", got, err)
	}
	if factorOf(t, s, first.ID) {
		t.Errorf("a stopped passkey counts as a second factor")
	}
	if s.Leaves() != 5 { // account, two added, one removed, one stopped
		t.Errorf("%d leaves, want 5", s.Leaves())
	}
}

func checkCodes(t T, s Fresh) {
	t.Helper()
	ctx, now, first, act := withAccount(t, s)
	secret := []byte("12345678901234567890")
	if _, err := s.TOTP(ctx, first.ID); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("no secret: %v, want ErrNotFound", err)
	}
	if err := s.UseTOTP(ctx, first.ID, 1, now); !errors.Is(err, web.ErrUsed) {
		t.Errorf("a code without a secret: %v, want ErrUsed", err)
	}
	if err := s.SetTOTP(ctx, first.ID, web.TOTP{Secret: secret, LastStep: 10, Created: now}, act); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		step int64
		want error
	}{{10, web.ErrUsed}, {9, web.ErrUsed}, {11, nil}, {11, web.ErrUsed}, {12, nil}} {
		if err := s.UseTOTP(ctx, first.ID, c.step, now); !errors.Is(err, c.want) {
			t.Errorf("step %d: %v, want %v", c.step, err, c.want)
		}
	}
	if got, err := s.TOTP(ctx, first.ID); err != nil || !slices.Equal(got.Secret, secret) || got.LastStep != 12 || !factorOf(t, s, first.ID) {
		t.Errorf("secret %v, %v", got, err)
	}
	if err := s.DeleteTOTP(ctx, first.ID, act); err != nil || factorOf(t, s, first.ID) {
		t.Errorf("removed: %v", err)
	}
	if err := s.DeleteTOTP(ctx, first.ID, act); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("removed again: %v, want ErrNotFound", err)
	}
	codes := [][32]byte{{1}, {2}, {3}}
	if err := s.SetRecoveryCodes(ctx, first.ID, codes, act); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		account string
		code    [32]byte
		want    error
	}{{"another", codes[0], web.ErrNotFound}, {first.ID, [32]byte{9}, web.ErrNotFound}, {first.ID, codes[0], nil}, {first.ID, codes[0], web.ErrNotFound}} {
		if err := s.UseRecoveryCode(ctx, c.account, c.code, now, act); !errors.Is(err, c.want) {
			t.Errorf("code %v of %s: %v, want %v", c.code[0], c.account, err, c.want)
		}
	}
	if n, err := s.RecoveryCodesLeft(ctx, first.ID); err != nil || n != 2 {
		t.Errorf("%d left, %v; want 2", n, err)
	}
	if err := s.SetRecoveryCodes(ctx, first.ID, [][32]byte{{7}}, act); err != nil {
		t.Fatal(err)
	}
	if err := s.UseRecoveryCode(ctx, first.ID, codes[1], now, act); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a code of the old set: %v, want ErrNotFound", err)
	}
	if s.Leaves() != 6 { // account, secret, removal, two sets, one use; nothing refused
		t.Errorf("%d leaves, want 6", s.Leaves())
	}
}

func checkIdentities(t T, s Fresh) {
	t.Helper()
	ctx, _, first, act := withAccount(t, s)
	const issuer = "https://idp.test"
	if _, err := s.ExternalAccount(ctx, issuer, "s1"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("not linked: %v, want ErrNotFound", err)
	}
	if err := s.LinkExternal(ctx, issuer, "s1", first.ID, act); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string][2]string{"the subject again": {"s1", "OTHER"}, "the account again": {"s2", first.ID}} {
		if err := s.LinkExternal(ctx, issuer, x[0], x[1], act); !errors.Is(err, web.ErrExists) {
			t.Errorf("%s: %v, want ErrExists", name, err)
		}
	}
	if got, err := s.ExternalAccount(ctx, issuer, "s1"); err != nil || got != first.ID {
		t.Errorf("linked to %q, %v", got, err)
	}
	source := web.SourceProvider
	if err := s.ChangeAccount(ctx, first.ID, web.AccountChange{Source: &source}, act); err != nil {
		t.Fatal(err)
	}
	if a, err := s.AccountByID(ctx, first.ID); err != nil || a.Source != source {
		t.Errorf("source %q, %v", a.Source, err)
	}
	if _, err := s.ExternalAccount(ctx, issuer, "s1"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("the link outlives a change of source: %v", err)
	}
}

// checkRequests: RA-2.
func checkRequests(t T, s Fresh) {
	t.Helper()
	ctx, now, first, act := withAccount(t, s)
	add := func(id string, roles ...web.Assignment) {
		t.Helper()
		if err := s.CreateAccount(ctx, web.Account{ID: id, Name: id, FullName: id, PasswordHash: "x", Roles: roles, Created: now}, act); err != nil {
			t.Fatal(err)
		}
	}
	alone := act
	alone.Kind = web.ActionRoleGrantedAlone
	ask := func(id, by, account string) bool {
		t.Helper()
		done, err := s.AskRequest(ctx, web.AccountRequest{ID: id, Kind: web.RequestRole, Account: account, AskedBy: by, Asked: now, Why: "異動",
			Role: web.Assignment{Role: web.RoleAuditor, From: now.Truncate(time.Millisecond)}}, act, alone)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	add("SECOND")
	if !ask("Q1", first.ID, "SECOND") {
		t.Errorf("at set-up, with nobody else, the role waits for nobody")
	}
	add("FOURTH", web.Assignment{Role: web.RoleCISO, From: now.Add(-time.Hour).Truncate(time.Millisecond)})
	if other, err := s.AccountByID(ctx, "FOURTH"); err != nil || s.RemoveRole(ctx, "FOURTH", other.Roles[0], act) != nil {
		t.Fatalf("%+v, %v", other, err)
	}
	add("FIFTH")
	if ask("Q0", first.ID, "FIFTH") {
		t.Errorf("whoever takes the roles of all others away grants alone")
	}
	if err := s.WithdrawRequest(ctx, "Q0", act); err != nil {
		t.Fatal(err)
	}
	add("GONE", web.Assignment{Role: web.RoleCISO, Until: now.Add(-time.Hour)})
	on := true
	if err := s.ChangeAccount(ctx, "GONE", web.AccountChange{Suspended: &on}, act); err != nil {
		t.Fatal(err)
	}
	add("THIRD")
	if ask("Q2", first.ID, "THIRD") {
		t.Errorf("whoever suspends all others grants alone")
	}
	if a, err := s.AccountByID(ctx, "THIRD"); err != nil || len(a.Roles) != 0 {
		t.Errorf("before a second person: %+v, %v", a.Roles, err)
	}
	agree := func(id, actor string) error {
		a := act
		a.Actor = actor
		_, err := s.AgreeRequest(ctx, id, a)
		return err
	}
	for name, c := range map[string]struct {
		id, actor string
		want      error
	}{"the asking one": {"Q2", first.ID, web.ErrSamePerson}, "the one it is for": {"Q2", "THIRD", web.ErrSamePerson}, "nobody": {"Q2", "", web.ErrSamePerson},
		"no such request": {"Q9", "GONE", web.ErrNotFound}} {
		if err := agree(c.id, c.actor); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if list, err := s.OpenRequests(ctx); err != nil || len(list) != 1 || list[0].Account != "THIRD" || list[0].Why != "異動" || list[0].Role.Role != web.RoleAuditor {
		t.Errorf("open: %+v, %v", list, err)
	}
	for id, person := range map[string]string{"TWIN": "1001", "TWIN2": "1001"} {
		if err := s.CreateAccount(ctx, web.Account{ID: id, Name: id, FullName: id, Person: person, PasswordHash: "x", Created: now}, act); err != nil {
			t.Fatal(err)
		}
	}
	if ask("Q7", "TWIN", "THIRD") || ask("Q8", first.ID, "TWIN") {
		t.Errorf("granted alone")
	}
	for name, id := range map[string]string{"another account of the asking one": "Q7", "another account of the one it is for": "Q8"} {
		if err := agree(id, "TWIN2"); !errors.Is(err, web.ErrSamePerson) {
			t.Errorf("%s: %v, want ErrSamePerson", name, err)
		}
		if err := s.WithdrawRequest(ctx, id, act); err != nil {
			t.Fatal(err)
		}
	}
	if err := agree("Q2", "GONE"); err != nil {
		t.Fatal(err)
	}
	if err := agree("Q2", "SECOND"); !errors.Is(err, web.ErrTooLate) {
		t.Errorf("agreed twice: %v, want ErrTooLate", err)
	}
	a, err := s.AccountByID(ctx, "THIRD")
	if err != nil || len(a.Roles) != 1 || a.Roles[0].Role != web.RoleAuditor {
		t.Fatalf("after a second person: %+v, %v", a.Roles, err)
	}
	if err := s.RemoveRole(ctx, "THIRD", a.Roles[0], act); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveRole(ctx, "THIRD", a.Roles[0], act); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("removed again: %v, want ErrNotFound", err)
	}
	if a, err := s.AccountByID(ctx, "THIRD"); err != nil || len(a.Roles) != 1 || a.Roles[0].Until.IsZero() || a.Roles[0].Until.After(act.At) {
		t.Errorf("after removal the role has ended: %+v, %v", a.Roles, err)
	}
	// All second factors of somebody go, by two persons.
	if err := s.AddPasskey(ctx, web.Passkey{Credential: []byte{9}, Account: "THIRD", Name: "x", RP: "x", Data: []byte("{}"), Created: now}, act); err != nil {
		t.Fatal(err)
	}
	if done, err := s.AskRequest(ctx, web.AccountRequest{ID: "Q3", Kind: web.RequestFactors, Account: "THIRD", AskedBy: first.ID, Asked: now, Why: "紛失"}, act, alone); err != nil || done {
		t.Fatalf("%v %v", done, err)
	}
	if err := agree("Q3", "SECOND"); err != nil || factorOf(t, s, "THIRD") {
		t.Errorf("factors after the reset: %v", err)
	}
	if ask("Q4", first.ID, "THIRD") {
		t.Errorf("granted alone")
	}
	if err := s.WithdrawRequest(ctx, "Q4", act); err != nil {
		t.Fatal(err)
	}
	if err := agree("Q4", "SECOND"); !errors.Is(err, web.ErrTooLate) {
		t.Errorf("agreed after the withdrawal: %v, want ErrTooLate", err)
	}
	if _, err := s.AskRequest(ctx, web.AccountRequest{ID: "Q5", Kind: web.RequestRole, Account: "NOBODY", AskedBy: first.ID, Asked: now}, act, alone); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("for nobody: %v, want ErrNotFound", err)
	}
}
