package app

import (
	"strings"
	"testing"
	"time"

	"monban/server/entrylog"
	"monban/server/setup"
	"monban/server/store"
	"monban/server/web"
)

// DS-11: how far a site is on its way is judged by what is there, beside a running server and without one alike.
func TestSetupSteps(t *testing.T) {
	cfg := testSite(t)
	look := func() map[string]setup.State {
		t.Helper()
		steps, err := SetupSteps(t.Context(), cfg, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]setup.State{}
		for _, s := range steps {
			out[s.Key] = s.State
		}
		return out
	}
	stopped := look()
	_, _, stop := running(t, cfg)
	beside := look()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]setup.State{"account": setup.Open, "pages": setup.Open, "door": setup.Done, "card": setup.Done, "swipe": setup.Open, "alert": setup.Open, "backup": setup.Open} {
		if stopped[key] != want || beside[key] != want {
			t.Errorf("step %s: %d in the stopped site, %d beside the server, want %d", key, stopped[key], beside[key], want)
		}
	}
	// What is done is seen.
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Store.Write(t.Context(), func(tx *store.Tx) error {
		for i, role := range []web.Role{web.RoleCISO, web.RoleSystemAdmin, web.RoleReception, web.RoleZoneManager} {
			id := string(rune('a' + i))
			err := tx.InsertAccount(store.Account{ID: id, Login: id, PasswordHash: "x", Roles: []store.RoleAssignment{{Role: role.String()}}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Backup(t.Context(), cfg, BackupOptions{Out: t.TempDir() + "/copy", Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := look(); got["account"] != setup.Done || got["backup"] != setup.Advice {
		t.Errorf("two administrators and a backup: %v", got)
	}
}

// OP-9, RA-4: a code made on the page is a leaf of the account that made it, with the reason in the opening and the code nowhere.
func TestGatewayInvitedByPage(t *testing.T) {
	cfg := testSite(t)
	a, _, stop := running(t, cfg)
	p := &startupPages{a: a}
	act := web.Action{At: time.Now(), Kind: web.ActionGatewayInvited, Actor: "acc-1", Target: "gw-1", Address: "192.0.2.7", Reason: "新しい機器"}
	if _, err := p.InviteGateway(t.Context(), "gw-77", time.Hour, false, act); err != web.ErrNotFound {
		t.Errorf("an unknown gateway: %v", err)
	}
	list, err := p.GatewayInvites(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("%v %v", list, err)
	}
	code, err := p.InviteGateway(t.Context(), list[0].ID, time.Hour, false, act)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ConfirmGateway(t.Context(), list[0].ID, "ABCD-EFGH-JKLM-NPQR", act); err != web.ErrNotCome {
		t.Errorf("nobody came, and: %v", err)
	}
	if list, err = p.GatewayInvites(t.Context()); err != nil || list[0].State != "invited" || list[0].Until.Before(act.At.Add(59*time.Minute)) {
		t.Errorf("%+v %v", list, err)
	}
	var leaf entrylog.Action
	var opening entrylog.Opening
	until(t, "the leaf", func() bool {
		err := a.site.Store.Read(t.Context(), func(r *store.ReadTx) error {
			size, err := r.LogSize()
			for i := size - 1; err == nil && i >= 0; i-- {
				l, lerr := r.Leaf(i)
				if lerr != nil {
					return lerr
				}
				if l.Kind != entrylog.KindAction {
					continue
				}
				if strings.Contains(string(l.Body), code) {
					t.Error("the code is in the log")
				}
				x, err := entrylog.Parse(l.Body)
				if err != nil {
					return err
				}
				if y := x.Action; y.Verb == "gateway_invited" {
					leaf = y
					opening, err = r.Opening(i)
					return err
				}
			}
			return err
		})
		return err == nil && leaf.Verb != ""
	})
	if leaf.Account != "acc-1" || leaf.From != "lan" || leaf.Target != "gateway" || leaf.ID != list[0].ID || !leaf.Reason {
		t.Errorf("leaf %+v", leaf)
	}
	if !strings.Contains(opening.Text, "新しい機器") || opening.Address != "192.0.2.7" {
		t.Errorf("opening %+v", opening)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
