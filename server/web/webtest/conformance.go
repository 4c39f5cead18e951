package webtest

import (
	"context"
	"errors"
	"time"

	"monban/server/web"
)

// Stores is what Conformance runs against.
type Stores interface {
	web.Setup
	web.Accounts
	web.Sessions
	web.Audit
	web.Live
	web.Factors
	web.Requests
	web.Tokens
}

// T is the part of *testing.T that the checks need.
type T interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Fresh is an empty store under test.
type Fresh struct {
	Stores
	Code   func(hash [32]byte, made time.Time) // puts a set-up code into the store
	Leaves func() int                          // counts the action leaves written so far
}

// Conformance lists the checks of what web's pages rely on, by name. Each wants an empty store.
func Conformance() map[string]func(T, Fresh) {
	return map[string]func(T, Fresh){"setup": checkSetup, "accounts": checkAccounts, "sessions": checkSessions, "live": checkLive,
		"passkeys": checkPasskeys, "codes": checkCodes, "identities": checkIdentities, "requests": checkRequests, "tokens": checkTokens}
}

func sample() (now time.Time, first web.Account, act web.Action) {
	now = time.Now()
	first = web.Account{ID: "AAAAAAAAAAAAAAAAAAAAAAAAAA", Name: "Sakiyama", FullName: "﨑山 健太", PasswordHash: "$argon2id$x",
		Roles: []web.Assignment{{Role: web.RoleSystemAdmin}}, Created: now}
	act = web.Action{At: now, Kind: web.ActionSetup, Actor: first.ID, Target: first.ID, Address: "192.0.2.1"}
	return now, first, act
}

func checkSetup(t T, s Fresh) {
	t.Helper()
	ctx := t.Context()
	now, first, act := sample()
	if needed, err := s.SetupNeeded(ctx); err != nil || !needed {
		t.Fatalf("empty store: set-up needed %v, %v", needed, err)
	}
	secret, hash := web.NewSetupCode()
	if web.HashSetupCode(secret) != hash {
		t.Fatal("code and hash differ")
	}
	s.Code(hash, now)
	for name, try := range map[string]struct {
		hash [32]byte
		at   time.Time
	}{"wrong": {web.HashSetupCode("AAAA-AAAA-AAAA"), now}, "zero": {[32]byte{}, now}, "too old": {hash, now.Add(web.SetupCodeLife + time.Second)}} {
		if err := s.RedeemSetupCode(ctx, try.hash, try.at, first, act); !errors.Is(err, web.ErrSetupCode) {
			t.Errorf("%s code: %v, want ErrSetupCode", name, err)
		}
	}
	if s.Leaves() != 0 {
		t.Errorf("%d leaves after refused codes, want 0", s.Leaves())
	}
	if err := s.RedeemSetupCode(ctx, hash, now.Add(time.Minute), first, act); err != nil {
		t.Fatal(err)
	}
	second := first
	second.ID, second.Name = "BBBBBBBBBBBBBBBBBBBBBBBBBB", "other"
	if err := s.RedeemSetupCode(ctx, hash, now.Add(time.Minute), second, act); !errors.Is(err, web.ErrSetupCode) {
		t.Errorf("second use: %v, want ErrSetupCode", err)
	}
	if needed, err := s.SetupNeeded(ctx); err != nil || needed {
		t.Errorf("set-up still needed %v, %v", needed, err)
	}
	if s.Leaves() != 1 {
		t.Errorf("%d leaves, want 1", s.Leaves())
	}
}

func checkAccounts(t T, s Fresh) {
	t.Helper()
	ctx := t.Context()
	_, first, act := sample()
	if _, err := s.AccountByID(ctx, first.ID); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("unknown id: %v, want ErrNotFound", err)
	}
	if _, err := s.AccountByName(ctx, "sakiyama"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("unknown name: %v, want ErrNotFound", err)
	}
	if err := s.CreateAccount(ctx, first, act); err != nil {
		t.Fatal(err)
	}
	twin := first
	twin.ID, twin.Name = "CCCCCCCCCCCCCCCCCCCCCCCCCC", "SAKIYAMA"
	if err := s.CreateAccount(ctx, twin, act); !errors.Is(err, web.ErrExists) {
		t.Errorf("same name in capitals: %v, want ErrExists", err)
	}
	got, err := s.AccountByName(ctx, "sakiYAMA")
	if err != nil || got.ID != first.ID || got.FullName != first.FullName || len(got.Roles) != 1 || got.Roles[0].Role != web.RoleSystemAdmin {
		t.Errorf("by name: %+v, %v", got, err)
	}
	on, why := true, "退職"
	if err := s.ChangeAccount(ctx, first.ID, web.AccountChange{Suspended: &on, SuspendedWhy: &why}, act); err != nil {
		t.Fatal(err)
	}
	got, err = s.AccountByID(ctx, first.ID)
	if err != nil || !got.Suspended || got.SuspendedWhy != why || got.PasswordHash != first.PasswordHash {
		t.Errorf("after suspension: %+v, %v", got, err)
	}
	if err := s.ChangeAccount(ctx, "nobody", web.AccountChange{Suspended: &on}, act); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("change of nobody: %v, want ErrNotFound", err)
	}
	if list, err := s.ListAccounts(ctx); err != nil || len(list) != 1 {
		t.Errorf("list: %d, %v", len(list), err)
	}
	if s.Leaves() != 2 { // RA-4: the creation and the change, and nothing refused
		t.Errorf("%d leaves, want 2", s.Leaves())
	}
}

func checkSessions(t T, s Fresh) {
	t.Helper()
	ctx := t.Context()
	now, first, act := sample()
	if err := s.CreateAccount(ctx, first, act); err != nil {
		t.Fatal(err)
	}
	mk := func(hash string, age, left time.Duration) web.Session {
		return web.Session{TokenHash: hash, Account: first.ID, Data: []byte(`{"x":1}`), Created: now.Add(-age), Seen: now, Expires: now.Add(left),
			Address: "192.0.2.1", Agent: "test"}
	}
	for _, x := range []web.Session{mk("one", time.Hour, time.Hour), mk("two", time.Minute, time.Hour), mk("old", 2*time.Hour, -time.Second)} {
		if err := s.SaveSession(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.FindSession(ctx, "one"); err != nil || string(got.Data) != `{"x":1}` || got.Account != first.ID {
		t.Errorf("find: %+v, %v", got, err)
	}
	for _, hash := range []string{"old", "none"} {
		if _, err := s.FindSession(ctx, hash); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", hash, err)
		}
	}
	list, err := s.AccountSessions(ctx, first.ID)
	if err != nil || len(list) != 2 || list[0].TokenHash != "two" {
		t.Errorf("list: %+v, %v; want two, one", list, err)
	}
	again := mk("one", time.Hour, time.Hour)
	again.Data = []byte(`{"x":2}`)
	if err := s.SaveSession(ctx, again); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.FindSession(ctx, "one"); string(got.Data) != `{"x":2}` {
		t.Errorf("replaced session holds %s", got.Data)
	}
	if err := s.DeleteAccountSessions(ctx, first.ID, "two"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.FindSession(ctx, "one"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("one lives: %v", err)
	}
	if _, err := s.FindSession(ctx, "two"); err != nil {
		t.Errorf("two was to be spared: %v", err)
	}
	for range 2 { // the second finds nothing, and that is no error
		if err := s.DeleteSession(ctx, "two"); err != nil {
			t.Fatal(err)
		}
	}
}

func checkLive(t T, s Fresh) {
	t.Helper()
	ctx := t.Context()
	size, err := s.LogSize(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.LiveFrom(ctx, size, 10)
	if err != nil || len(got) != 0 {
		t.Errorf("beyond the end: %v, %v", got, err)
	}
	if got, err = s.LiveFrom(ctx, 0, 3); err != nil || len(got) > 3 {
		t.Errorf("limit 3: %d, %v", len(got), err)
	}
	for i, e := range got {
		if e.Index != uint64(i) {
			t.Errorf("event %d has index %d", i, e.Index)
		}
	}
}
