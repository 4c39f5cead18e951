package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

func (s *site) ordered(cookie, where, action string) *http.Response {
	s.Helper()
	return s.post("/commands", cookie, url.Values{"door": {where}, "action": {action}, "reason": {"点検業者を入れるため"}})
}

func (s *site) commands() []web.Command {
	s.Helper()
	list, err := s.mem.Orders.ListCommands(s.Context(), true, 100)
	if err != nil {
		s.Fatal(err)
	}
	return list
}

// RA-2, D27: where a door takes two, the one who asks can neither agree nor make it happen; a second account can,
// once. Each step is a leaf.
func TestFourEyesUnlock(t *testing.T) {
	s := newSite(t, nil)
	guard, officer, chief := s.login("reception"), s.login("csirt"), s.login("ciso")
	before := len(s.mem.Actions())
	s.status("ask", s.ordered(guard, "server-room-1", "remote_unlock"), http.StatusSeeOther)
	c := s.commands()[0]
	if c.State != web.CommandAsked || c.AgreedBy != "" {
		t.Fatalf("after one person: %+v", c)
	}
	agree := url.Values{}
	s.status("the same person", s.post("/commands/"+c.ID+"/agree", guard, agree), http.StatusConflict)
	if got := s.commands()[0]; got.State != web.CommandAsked {
		t.Fatalf("after a refusal: %+v", got)
	}
	s.status("another person", s.post("/commands/"+c.ID+"/agree", officer, agree), http.StatusSeeOther)
	if got := s.commands()[0]; got.State != web.CommandDone || got.AgreedBy != accountID(web.RoleCSIRT) {
		t.Fatalf("after two persons: %+v", got)
	}
	s.status("a third person", s.post("/commands/"+c.ID+"/agree", chief, agree), http.StatusConflict)
	if got := s.kinds(before); !slices.Equal(got, []web.ActionKind{web.ActionUnlockAsked, web.ActionCommandOrdered}) {
		t.Errorf("leaves %v", got)
	}
	page := text(t, s.get("/commands?said="+c.ID, officer))
	for _, want := range []string{"点検業者を入れるため", "Done", "完了"} {
		if strings.Contains(page, want) != (want != "Done") {
			t.Errorf("page and %q", want)
		}
	}
	masked := text(t, s.get("/commands", s.login("system_administrator")))
	if strings.Contains(masked, "点検業者") {
		t.Error("a system administrator reads the reason")
	}
}

// RA-2: a door for one person: done at once, another confirms afterwards.
func TestOnePersonIsConfirmed(t *testing.T) {
	s := newSite(t, nil)
	guard, officer := s.login("reception"), s.login("csirt")
	s.status("ask", s.ordered(guard, "server-room-2", "remote_unlock"), http.StatusSeeOther)
	c := s.commands()[0]
	if c.State != web.CommandDone || !c.Confirm {
		t.Fatalf("%+v", c)
	}
	s.status("confirmed by the same", s.post("/commands/"+c.ID+"/confirm", guard, nil), http.StatusConflict)
	s.status("confirmed", s.post("/commands/"+c.ID+"/confirm", officer, nil), http.StatusSeeOther)
	if got := s.commands()[0]; got.Confirm || got.ConfirmedBy != accountID(web.RoleCSIRT) {
		t.Errorf("%+v", got)
	}
}

// What is refused before anything is asked: no reason, no password, no role for it, no role for the zone, a door
// without lock, an unknown door or action.
func TestOrderRefusals(t *testing.T) {
	s := newSite(t, nil)
	phc, err := web.HashPassword(goodPassword, cheap)
	if err != nil {
		t.Fatal(err)
	}
	s.mem.PutAccount(web.Account{ID: "OTHERZONE", Name: "other", FullName: "x", PasswordHash: phc,
		Roles: []web.Assignment{{Role: web.RoleZoneManager, Zone: "media-store"}}, Created: time.Now()})
	guard, admin, elsewhere := s.login("reception"), s.login("system_administrator"), s.login("other")
	for _, c := range []struct {
		what, cookie, door, action string
		want                       int
	}{
		{"an administrator unlocks", admin, "server-room-1", "remote_unlock", http.StatusForbidden},
		{"an administrator re-arms", admin, "server-room-1", "rearm", http.StatusForbidden},
		{"a role for another zone", elsewhere, "server-room-1", "remote_unlock", http.StatusForbidden},
		{"a door without a lock", guard, "media-store", "remote_unlock", http.StatusConflict},
		{"an unknown door", guard, "nowhere", "remote_unlock", http.StatusNotFound},
		{"an unknown action", guard, "server-room-1", "lockdown", http.StatusBadRequest},
		{"no action", guard, "server-room-1", "none", http.StatusBadRequest},
	} {
		s.status(c.what, s.ordered(c.cookie, c.door, c.action), c.want)
	}
	s.status("no reason", s.post("/commands", guard, url.Values{"door": {"server-room-1"}, "action": {"rearm"}}), http.StatusUnprocessableEntity)
	if n := len(s.commands()); n != 0 {
		t.Errorf("%d commands in spite of it", n)
	}
	s.status("an administrator tests", s.ordered(admin, "server-room-1", "self_test"), http.StatusSeeOther)
	s.status("a guard re-arms", s.ordered(guard, "server-room-1", "rearm"), http.StatusSeeOther)
}

// Each result reads as a sentence in both languages, a self-test's parts too.
func TestCommandResultsInWords(t *testing.T) {
	s := newSite(t, nil)
	officer := s.login("csirt")
	for state := web.CommandAsked; state.String() != "unclear"; state++ {
		s.mem.Orders.PutCommand(web.Command{ID: "x" + state.String(), DoorName: "扉", State: state, Action: 1, Asked: time.Now(), Detail: "fire_on"})
	}
	s.mem.Orders.PutCommand(web.Command{ID: "test", DoorName: "扉", State: web.CommandDone, Action: 3, Asked: time.Now(), Detail: "failed.contact.outbox.new_part"})
	page := text(t, s.get("/commands", officer))
	for _, want := range []string{"火災信号が続いています", "扉の開閉検知、記録領域、new_part", "結果不明", "返事なし", "扉が拒否", "未送信", "二人目の承認待ち"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
