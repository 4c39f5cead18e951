package web_test

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/web"
	"monban/server/web/webtest"
)

// deskPages are the lists of the desk and what stands in each about the server room, once busyDesk has been there.
var deskPages = []struct {
	path    string
	markers []string
}{
	{"/visits", []string{"空調機の点検", "𠮷田 誠", "神崎 花", "消火器の交換"}},
	{"/applications", []string{"見積りの下見", "消火器の交換"}},
	{"/temporary", []string{"﨑山 美咲"}},
	{"/stopped", []string{"C-1", "机の上にない"}},
	{"/equipment", []string{"ディスク交換"}},
	{"/ledgers", []string{"サーバ室 正鍵", "扉の点検", "神崎 花", "﨑山 美咲"}},
	{"/emergency", []string{"地震による漏水"}},
	{"/dues", []string{"消火器の交換", "髙橋 健一"}},
}

// busyDesk makes one of everything that the desk keeps, all of it about the server room.
func busyDesk(s *site) {
	s.Helper()
	clerk, asker := s.login("clerk"), s.login("asker")
	s.proved(clerk)
	entered := time.Now().Add(-time.Hour)
	s.mem.Desk.Own = map[directory.PersonID][]visit.OwnEntry{"1002": {{Attempt: webtest.AttemptID(0x91), AtMS: entered.UnixMilli(), Door: "server-room-1", Zone: "server-room", Side: access.SideEnter, Granted: true, Passed: true, NoExit: true}}}
	s.goes("temporary card", "/temporary", clerk, url.Values{"person": {"1002"}, "identity": {"driving_licence"}, "badge": {"仮-1"}})
	s.goes("stop", "/stopped", clerk, url.Values{"card": {"C-1"}, "reason": {"机の上にない"}})
	s.goes("carry", "/equipment", clerk, url.Values{"direction": {"in"}, "zone": {"server-room"}, "doors": {"server-room-1"}, "purpose": {"ディスク交換"}, "attendee": {"1001"}, "impact": {"none"}, "checker": {"1002"}})
	s.goes("key", "/ledgers/keys", clerk, url.Values{"key": {"KEY-1"}, "person": {"1001"}, "purpose": {"扉の点検"}})
	s.goes("emergency", "/emergency", clerk, url.Values{"zones": {"server-room"}, "persons": {"1001"}, "hours": {"2"}, "reason": {"地震による漏水"}})
	s.goes("exit", "/me/own/exit", asker, url.Values{"attempt": {webtest.AttemptID(0x91)}, "left": {entered.Add(30 * time.Minute).In(tokyo).Format("2006-01-02T15:04")}})
}

// RA-1: a role for one zone sees of the desk what is of that zone, whatever the role; one for another zone sees none of it, nor a
// single visit by its address, nor through a program's token. Who holds the role for the whole site sees all.
func TestDeskListsByZone(t *testing.T) {
	s := newHall(t)
	busyDesk(s)
	// The words are there to be seen at all.
	all := s.login("office")
	for _, p := range deskPages {
		doc := text(t, s.get(p.path, all))
		for _, m := range p.markers {
			if !strings.Contains(doc, m) {
				t.Errorf("%s for the whole site: no %s; nothing is tested", p.path, m)
			}
		}
	}
	visits, _ := s.mem.Desk.OpenVisits(t.Context())
	readers := []web.Role{web.RoleCISO, web.RoleChiefSecurity, web.RoleZoneManager, web.RoleSectionManager, web.RoleReception, web.RoleReviewer, web.RoleAuditor, web.RoleCSIRT}
	for _, r := range readers {
		for _, zone := range []access.ZoneID{"server-room", "media-store"} {
			name := r.String() + " of " + string(zone)
			s.people(map[string]web.Account{name: {Roles: []web.Assignment{{Role: r, Zone: zone}}}})
			cookie := s.login(name)
			for _, p := range deskPages {
				res := s.get(p.path, cookie)
				s.status(name+" "+p.path, res, http.StatusOK)
				doc := text(t, res)
				for _, m := range p.markers {
					if got, want := strings.Contains(withoutChoices(doc), m), zone == "server-room"; got != want {
						t.Errorf("%s: %s shows %s: %v, want %v", name, p.path, m, got, want)
					}
				}
			}
			want := http.StatusNotFound
			if zone == "server-room" {
				want = http.StatusOK
			}
			s.status(name+" one visit", s.get("/visits/"+visits[0].ID, cookie), want)
			if r == web.RoleReception {
				s.status(name+" receive", s.get("/visits/"+visits[0].ID+"/receive", cookie), want)
				s.status(name+" slip", s.get("/visits/"+visits[0].ID+"/slip/1", cookie), want)
				doc := text(t, s.get("/visits/receive", cookie))
				if got := strings.Contains(doc, "空調機の点検"); got != (want == http.StatusOK) {
					t.Errorf("%s: the list of who is expected shows the server room's: %v", name, got)
				}
			}
		}
	}
}

// withoutChoices leaves out what a form offers to choose from: people whom one may name in it are no rows of a list.
func withoutChoices(doc string) string {
	for _, tag := range []string{"datalist", "select"} {
		for {
			_, rest, found := strings.Cut(doc, "<"+tag)
			if !found {
				break
			}
			_, after, _ := strings.Cut(rest, "</"+tag+">")
			doc = doc[:len(doc)-len(rest)-len(tag)-1] + after
		}
	}
	return doc
}

// RA-1, AD-14, AD-17: nor does a role of another zone act on what it does not see. The guard who stopped a card sees it, whatever it opens.
func TestDeskActsByZone(t *testing.T) {
	s := newHall(t)
	busyDesk(s)
	media := s.mediaOnly("media", "1004", web.RoleZoneManager)
	guard := s.mediaOnly("guard", "1003", web.RoleReception)
	stopped, _ := s.mem.Desk.Suspensions(t.Context())
	emergencies, _ := s.mem.Desk.Emergencies(t.Context())
	for _, path := range []string{"/stopped/" + stopped[0].ID + "/ask", "/stopped/" + stopped[0].ID + "/revoke", "/emergency/" + emergencies[0].ID + "/end", "/emergency/" + emergencies[0].ID + "/report"} {
		for who, cookie := range map[string]string{"manager": media, "guard": guard} {
			s.status(who+" "+path, s.post(path, cookie, url.Values{"note": {"x"}, "report": {"x"}}), http.StatusNotFound)
		}
	}
	s.goes("a lost card at night", "/stopped", guard, url.Values{"card": {"C-2"}, "reason": {"本人から電話"}})
	if doc := text(t, s.get("/stopped", guard)); !strings.Contains(doc, "本人から電話") || strings.Contains(doc, "机の上にない") {
		t.Error("the guard does not see exactly the card that they stopped")
	}
	visits, _ := s.mem.Desk.OpenVisits(t.Context())
	for _, x := range visits {
		for _, act := range []string{"/approve", "/refuse", "/oral", "/left", "/close", "/handover", "/receive/identity"} {
			cookie := cmp.Or(map[string]string{"/approve": media, "/refuse": media, "/oral": media}[act], guard)
			s.proved(cookie)
			s.status(act, s.post("/visits/"+x.ID+act, cookie, url.Values{"note": {"x"}, "guest": {"1"}}), http.StatusNotFound)
		}
	}
}
