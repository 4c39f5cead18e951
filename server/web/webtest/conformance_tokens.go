package webtest

import (
	"errors"
	"time"

	"monban/server/web"
)

// checkTokens: found by hash whatever its state, revoked once, its day of use noted once, and ended for good with what
// the account was made with (RA-1, RA-4).
func checkTokens(t T, s Fresh) {
	t.Helper()
	ctx, now, first, act := withAccount(t, s)
	_, hash := web.NewToken()
	if _, err := s.TokenByHash(ctx, hash); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("no token: %v, want ErrNotFound", err)
	}
	want := web.APIToken{ID: "T1", Hash: hash, Account: first.ID, Name: "在室表示板 𠮷", Roles: 1<<web.RoleAuditor | 1<<web.RoleCSIRT, Orders: true,
		Created: now.Truncate(time.Millisecond), Expires: now.Add(time.Hour).Truncate(time.Millisecond)}
	n := s.Leaves()
	if err := s.CreateToken(ctx, want, act); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateToken(ctx, want, act); !errors.Is(err, web.ErrExists) {
		t.Errorf("twice: %v, want ErrExists", err)
	}
	if s.Leaves() != n+1 {
		t.Errorf("%d leaves of making one", s.Leaves()-n)
	}
	got, err := s.TokenByHash(ctx, hash)
	if err != nil || got.ID != want.ID || got.Account != want.Account || got.Name != want.Name || got.Roles != want.Roles || !got.Orders || got.Hash != hash ||
		!got.Created.Equal(want.Created) || !got.Expires.Equal(want.Expires) || got.UsedDay != "" || !got.Revoked.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
	for range 2 {
		if err := s.UseToken(ctx, "T1", "2026-11-24", act); err != nil {
			t.Fatal(err)
		}
	}
	if s.Leaves() != n+2 {
		t.Errorf("%d leaves of a day's use, want 1", s.Leaves()-n-1)
	}
	if got, _ = s.TokenByHash(ctx, hash); got.UsedDay != "2026-11-24" {
		t.Errorf("day of use %q", got.UsedDay)
	}
	for _, c := range [][2]string{{"OTHER", "T1"}, {first.ID, "T2"}} {
		if err := s.RevokeToken(ctx, c[0], c[1], act); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("revoke %v: %v, want ErrNotFound", c, err)
		}
	}
	if err := s.RevokeToken(ctx, first.ID, "T1", act); err != nil {
		t.Fatal(err)
	}
	if err := s.RevokeToken(ctx, first.ID, "T1", act); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("revoked twice: %v, want ErrNotFound", err)
	}
	if s.Leaves() != n+3 {
		t.Errorf("%d leaves in all, want 3", s.Leaves()-n)
	}
	checkTokensEnd(t, s, first, act)
}

func checkTokensEnd(t T, s Fresh, first web.Account, act web.Action) {
	t.Helper()
	ctx, yes := t.Context(), true
	for i, c := range []web.AccountChange{{LastLogin: &act.At}, {Suspended: &yes}, {MustChange: &yes}} {
		_, hash := web.NewToken()
		id := "E" + string(rune('0'+i))
		if err := s.CreateToken(ctx, web.APIToken{ID: id, Hash: hash, Account: first.ID, Name: id, Roles: 1, Created: act.At.Add(time.Duration(i) * time.Second), Expires: act.At.Add(time.Hour)}, act); err != nil {
			t.Fatal(err)
		}
		if err := s.ChangeAccount(ctx, first.ID, c, act); err != nil {
			t.Fatal(err)
		}
		x, err := s.TokenByHash(ctx, hash)
		if ended := !x.Revoked.IsZero(); err != nil || ended != (i > 0) {
			t.Errorf("change %d of the account: token ended %v, %v", i, ended, err)
		}
	}
	list, err := s.AccountTokens(ctx, first.ID)
	if err != nil || len(list) != 4 || list[0].ID != "E2" {
		t.Errorf("tokens of the account: %+v, %v", list, err)
	}
	if list, err := s.AccountTokens(ctx, "OTHER"); err != nil || len(list) != 0 {
		t.Errorf("tokens of another account: %+v, %v", list, err)
	}
}
