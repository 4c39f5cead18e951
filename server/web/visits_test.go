package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/web"
)

// people gives accounts with persons of the directory behind them: name of the account → role and person.
func (s *site) people(list map[string]web.Account) {
	s.Helper()
	phc, err := web.HashPassword(goodPassword, cheap)
	if err != nil {
		s.Fatal(err)
	}
	for name, a := range list {
		a.ID, a.Name, a.FullName, a.PasswordHash = strings.ToUpper(name), name, name, phc
		s.mem.PutAccount(a)
	}
}

func roles(r ...web.Role) (out []web.Assignment) {
	for _, x := range r {
		out = append(out, web.Assignment{Role: x})
	}
	return out
}

// newHall is a site whose zone manager, clerk and applicant are people of the directory.
func newHall(t *testing.T) *site {
	t.Helper()
	s := newSite(t, nil)
	s.people(map[string]web.Account{
		"manager": {Person: "1001", Roles: roles(web.RoleZoneManager)}, "asker": {Person: "1002", Roles: roles(web.RoleApplicant)},
		"office": {Person: "1003", Roles: roles(web.RoleCISO)}, "clerk": {Person: "1005", Roles: roles(web.RoleReception)},
	})
	return s
}

// stamp is a moment around now; the hour after midnight, before which noon lies, has no say in it.
func stamp(d time.Duration) string { return time.Now().Add(d).In(tokyo).Format("2006-01-02T15:04") }

// audit is an application for a meeting of one visitor, from now on.
func audit() url.Values {
	return url.Values{"type": {"meeting"}, "purpose": {"監査の予備調査"}, "system": {"文書管理"}, "zones": {"server-room"}, "kind": {"inspector"}, "company": {"北浜監査法人"},
		"guests": {"﨑田 蓮、サキタ レン"}, "section": {"総務課"}, "attendee": {"1001"}, "from": {stamp(-time.Minute)}, "until": {stamp(2 * time.Hour)}}
}

func with(v url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for k, x := range v {
		out[k] = slices.Clone(x)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

// goes posts a form that is accepted and gives the path it leads to, without the query.
func (s *site) goes(what, path, cookie string, form url.Values) string {
	s.Helper()
	res := s.post(path, cookie, form)
	if res.StatusCode != http.StatusSeeOther {
		s.Fatalf("%s: %s\n%s", what, res.Status, faults(text(s, res)))
	}
	to, _, _ := strings.Cut(res.Header.Get("Location"), "?")
	return to
}

// faults are the sentences of a page about what was wrong.
func faults(doc string) (out []string) {
	z := html.NewTokenizer(strings.NewReader(doc))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return out
		}
		tok := z.Token()
		for _, a := range tok.Attr {
			if kind == html.StartTagToken && a.Key == "class" && (a.Val == "fault" || a.Val == "fault-line") {
				for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
					if words := strings.TrimSpace(string(z.Text())); kind == html.TextToken && words != "" {
						out = append(out, words)
						break
					}
				}
			}
		}
	}
}

// approved applies for a visit and has it approved; it gives the visit's path.
func (s *site) approved(form url.Values) string {
	s.Helper()
	at := s.goes("apply", "/applications/new", s.login("asker"), form)
	s.goes("approve", at+"/approve", s.login("office"), url.Values{})
	return at
}

func (s *site) visit(path string) visit.View {
	s.Helper()
	x, err := s.mem.Desk.VisitByID(s.Context(), strings.TrimPrefix(path, "/visits/"))
	if err != nil {
		s.Fatal(err)
	}
	return x
}

// received takes the guests of a visit in: identity, conditions, badges.
func (s *site) received(at, cookie string, badges ...string) *http.Response {
	s.Helper()
	seen, lend := url.Values{}, url.Values{"carrier": {"1001"}}
	for i, b := range badges {
		seen.Set("guest"+strconv.Itoa(i+1), "company_card")
		lend.Set("badge"+strconv.Itoa(i+1), b)
	}
	s.goes("identity", at+"/receive/identity", cookie, seen)
	s.goes("conditions", at+"/receive/conditions", cookie, url.Values{"conditions": {"yes"}, "version": {"2"}})
	return s.post(at+"/receive/badges", cookie, lend)
}

// VE-1, RA-2: who applied approves nothing, also with another account of the same person; a missing purpose is asked for at
// its field and nothing is applied; what a rule refuses leaves a trace.
func TestApplicationNeedsAnother(t *testing.T) {
	s := newHall(t)
	s.people(map[string]web.Account{"second": {Person: "1001", Roles: roles(web.RoleZoneManager)}})
	manager := s.login("manager")
	before, _ := s.mem.Desk.OpenVisits(t.Context())
	for _, missing := range []string{"purpose", "system", "zones", "guests", "section", "attendee", "from", "until", "type"} {
		form := audit()
		form.Del(missing)
		res := s.post("/applications/new", manager, form)
		s.status("without "+missing, res, http.StatusUnprocessableEntity)
		if doc := text(t, res); len(faults(doc)) != 1 || !strings.Contains(doc, `id="apply-`+missing+`-error"`) {
			t.Errorf("without %s: %v, want one fault at the field", missing, faults(doc))
		}
	}
	if after, _ := s.mem.Desk.OpenVisits(t.Context()); len(after) != len(before) {
		t.Errorf("%d visits after refused applications, want %d", len(after), len(before))
	}
	at := s.goes("apply", "/applications/new", manager, audit())
	leaves := len(s.mem.Actions())
	s.status("the applicant", s.post(at+"/approve", manager, nil), http.StatusForbidden)
	s.status("the applicant's other account", s.post(at+"/approve", s.login("second"), nil), http.StatusForbidden)
	s.status("a clerk", s.post(at+"/approve", s.login("clerk"), nil), http.StatusForbidden)
	if x := s.visit(at); x.State != visit.Applied {
		t.Fatalf("state %s", x.State)
	}
	refused := 0
	for _, k := range s.kinds(leaves) {
		if k == web.ActionVisitRefused {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d leaves of refusals, want 2", refused)
	}
	s.goes("another", at+"/approve", s.login("office"), url.Values{"note": {"確認済"}})
	if x := s.visit(at); x.State != visit.Approved || x.Decided.Account != "OFFICE" {
		t.Errorf("after approval: %+v", x.Decided)
	}
	s.status("twice", s.post(at+"/approve", s.login("office"), nil), http.StatusConflict)
}

// RA-1: a role for one zone approves for that zone and those around it only.
func TestApproveByZone(t *testing.T) {
	s := newHall(t)
	s.people(map[string]web.Account{"media": {Person: "1004", Roles: []web.Assignment{{Role: web.RoleZoneManager, Zone: "media-store"}}}})
	at := s.goes("apply", "/applications/new", s.login("asker"), audit())
	s.status("another zone's manager", s.post(at+"/approve", s.login("media"), nil), http.StatusNotFound)
	at = s.goes("apply", "/applications/new", s.login("asker"), with(audit(), "zones", "media-store"))
	s.goes("the zone's manager", at+"/approve", s.login("media"), nil)
}

// VE-3, VE-5, VE-6, VE-11: the four steps; what is missing is asked for where it is missing; two guests, one of them on the
// escort's badge; one press takes a badge back and the last one closes the visit.
func TestReception(t *testing.T) {
	s := newHall(t)
	at := s.approved(with(audit(), "guests", "﨑田 蓮、サキタ レン\n髙城 花,タカギ ハナ"))
	clerk := s.login("clerk")
	step := func() string {
		doc := text(t, s.get(at+"/receive", clerk))
		for id, n := range map[string]string{"/receive/identity": "2", "/receive/conditions": "3", "/receive/badges": "4"} {
			if strings.Contains(doc, `action="`+at+id) {
				return n
			}
		}
		return ""
	}
	if doc := text(t, s.get(at+"/receive", clerk)); strings.Contains(doc, "type=\"number\"") || strings.Contains(doc, "type=\"file\"") {
		t.Error("step 2 has a field for a number or a copy") // VE-5
	}
	s.status("nobody here", s.post(at+"/receive/identity", clerk, url.Values{}), http.StatusUnprocessableEntity)
	s.status("an unknown kind", s.post(at+"/receive/identity", clerk, url.Values{"guest1": {"number_1234"}}), http.StatusBadRequest)
	s.goes("badges first", at+"/receive/badges", clerk, url.Values{"badge1": {"103"}}) // back to step 2
	if x := s.visit(at); x.State != visit.Approved {
		t.Fatalf("state %s", x.State)
	}
	s.goes("identity", at+"/receive/identity", clerk, url.Values{"guest1": {"company_card"}, "guest2": {"passport"}})
	if got := step(); got != "3" {
		t.Fatalf("step %q, want 3", got)
	}
	s.status("not accepted", s.post(at+"/receive/conditions", clerk, url.Values{"version": {"2"}}), http.StatusUnprocessableEntity)
	s.status("an older version", s.post(at+"/receive/conditions", clerk, url.Values{"version": {"1"}, "conditions": {"yes"}}), http.StatusUnprocessableEntity)
	s.status("an unknown exception", s.post(at+"/receive/conditions", clerk, url.Values{"version": {"2"}, "conditions": {"yes"}, "what1": {"phone"}, "exception1": {"X-1"}}), http.StatusUnprocessableEntity)
	s.goes("conditions", at+"/receive/conditions", clerk, url.Values{"version": {"2"}, "conditions": {"yes"}, "whose": {"2"}, "what1": {"phone"}, "personal1": {"yes"}, "outside1": {"yes"}})
	if got := step(); got != "4" { // it is kept: whoever is interrupted goes on
		t.Fatalf("step %q, want 4", got)
	}
	if doc := text(t, s.get(at+"/receive", s.login("reception"))); !strings.Contains(doc, "/receive/identity") {
		t.Error("another clerk goes on with what they have not seen")
	}
	lend := url.Values{"carrier": {"1002"}, "badge1": {"103"}, "badge2": {"104"}}
	s.status("a badge that is out", s.post(at+"/receive/badges", clerk, with(lend, "badge1", "101")), http.StatusUnprocessableEntity)
	s.status("a temporary card", s.post(at+"/receive/badges", clerk, with(lend, "badge1", "仮-1")), http.StatusUnprocessableEntity)
	s.status("an escort who may not", s.post(at+"/receive/badges", clerk, with(lend, "carrier", "1003")), http.StatusUnprocessableEntity)
	res := s.post(at+"/receive/badges", clerk, with(lend, "carrier", "サキヤマ", "badge2", "999"))
	s.status("the second badge is none", res, http.StatusUnprocessableEntity)
	if doc := text(t, res); !strings.Contains(doc, `id="four-badge2-error"`) || strings.Contains(doc, `name="badge1"`) {
		t.Error("the fault is not at the badge of who is left")
	}
	s.goes("the rest", at+"/receive/badges", clerk, url.Values{"carrier": {"1002 﨑山 美咲"}, "badge2": {"104"}})
	x := s.visit(at)
	if g := x.Guests; !g[0].Here() || !g[1].Here() || g[0].Identity != visit.CompanyCard || g[1].Identity != visit.Passport || g[0].Checked.Account != "CLERK" || g[0].Conditions != 2 ||
		g[0].Escort != "1002" || g[1].Card || x.Carrier() != "1002" || x.Party() != 2 || len(g[0].Declared) != 0 || len(g[1].Declared) != 1 {
		t.Fatalf("received: %+v", x)
	}
	day := text(t, s.get("/visits", clerk))
	for _, want := range []string{"﨑田 蓮", "髙城 花", "付添あり", "名札 103", "携帯電話"} {
		if !strings.Contains(day, want) {
			t.Errorf("the day's list does not say %s", want)
		}
	}
	s.goes("a new escort", at+"/handover", clerk, url.Values{"carrier": {"1001"}})
	s.status("lost without a word", s.post("/visits/return", clerk, url.Values{"badge": {"B-3"}, "lost": {"yes"}}), http.StatusBadRequest)
	s.goes("one badge back", "/visits/return", clerk, url.Values{"badge": {"B-3"}})
	s.status("twice", s.post("/visits/return", clerk, url.Values{"badge": {"B-3"}}), http.StatusConflict)
	s.goes("the other, by its label", "/visits/return", clerk, url.Values{"badge": {"104"}})
	if x := s.visit(at); x.State != visit.Closed {
		t.Errorf("state %s after the last badge", x.State)
	}
}

// VE-6: conditions that change between the steps are asked for again.
func TestNewConditionsAreAskedFor(t *testing.T) {
	s := newHall(t)
	at := s.approved(audit())
	clerk := s.login("clerk")
	s.goes("identity", at+"/receive/identity", clerk, url.Values{"guest1": {"company_card"}})
	s.goes("conditions", at+"/receive/conditions", clerk, url.Values{"version": {"2"}, "conditions": {"yes"}})
	dir := *s.mem.Desk.Site.Dir
	dir.Zones = slices.Clone(dir.Zones)
	for i := range dir.Zones {
		if dir.Zones[i].ID == "server-room" {
			dir.Zones[i].Conditions = 3
		}
	}
	dir.Conditions = append(slices.Clone(dir.Conditions), directory.Conditions{Version: 3, Text: "改めた遵守事項"})
	s.mem.Desk.Site.Dir = &dir
	res := s.post(at+"/receive/badges", clerk, url.Values{"carrier": {"1001"}, "badge1": {"103"}})
	s.status("the old version", res, http.StatusUnprocessableEntity)
	if doc := text(t, res); !strings.Contains(doc, "改めた遵守事項") || !strings.Contains(doc, "/receive/conditions") {
		t.Error("the new conditions are not shown")
	}
}

// VE-7: what a guest looks at names nobody but the guest and the attendee, and leads nowhere.
func TestSlipShowsOneVisitor(t *testing.T) {
	s := newHall(t)
	clerk := s.login("clerk")
	doc := text(t, s.get("/visits/visit-2026-00002/slip/1", clerk))
	if !strings.Contains(doc, "神崎 花") || !strings.Contains(doc, "101") || !strings.Contains(doc, "名札を見えるところに") {
		t.Error("the slip does not show its guest, badge or conditions")
	}
	for _, other := range []string{"高城 蓮", "𠮷田 誠", "大崎 海斗", "葛", "clerk"} {
		if strings.Contains(doc, other) {
			t.Errorf("the slip shows %s", other)
		}
	}
	z := html.NewTokenizer(strings.NewReader(doc))
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		tok := z.Token()
		for _, a := range tok.Attr {
			if tok.Data == "a" && a.Key == "href" && !strings.HasPrefix(a.Val, "#") {
				t.Errorf("the slip has a link to %s", a.Val)
			}
		}
	}
	for _, path := range []string{"/visits/visit-2026-00002/slip/2", "/visits/visit-2026-00002/slip/0", "/visits/none/slip/1"} {
		s.status(path, s.get(path, clerk), http.StatusNotFound)
	}
}

// VE-9: a window may cross midnight; its end is moved by another person than the applicant.
func TestNightWindow(t *testing.T) {
	s := newHall(t)
	evening := noon().In(tokyo).AddDate(0, 0, 1)
	from := time.Date(evening.Year(), evening.Month(), evening.Day(), 22, 0, 0, 0, tokyo)
	form := with(audit(), "from", from.Format("2006-01-02T15:04"), "until", from.Add(7*time.Hour).Format("2006-01-02T15:04"))
	at := s.goes("apply", "/applications/new", s.login("manager"), form)
	s.goes("approve", at+"/approve", s.login("office"), nil)
	longer := url.Values{"until": {from.Add(8 * time.Hour).Format("2006-01-02T15:04")}, "note": {"作業の遅れ"}}
	s.status("the applicant", s.post(at+"/extend", s.login("manager"), longer), http.StatusForbidden)
	s.status("without a reason", s.post(at+"/extend", s.login("office"), with(longer, "note", "")), http.StatusUnprocessableEntity)
	s.goes("another", at+"/extend", s.login("office"), longer)
	if x := s.visit(at); x.UntilMS != from.Add(8*time.Hour).UnixMilli() {
		t.Errorf("ends at %v", time.UnixMilli(x.UntilMS))
	}
	if doc := text(t, s.get(at, s.login("clerk"))); !strings.Contains(doc, "22:00") || !strings.Contains(doc, "06:00") {
		t.Error("the page does not show the window")
	}
	s.status("too early", s.received(at, s.login("clerk"), "103"), http.StatusUnprocessableEntity)
}

// VE-12: urgent receipt by phone, confirmed by the named approver and not by who wrote it down; a substitute on the day; people
// of a standing permit.
func TestUrgentAndStanding(t *testing.T) {
	s := newHall(t)
	clerk := s.login("clerk")
	form := with(audit(), "approver", "1001")
	s.status("who records approves", s.post("/visits/urgent", clerk, with(form, "approver", "1005")), http.StatusForbidden)
	s.status("nobody approved", s.post("/visits/urgent", clerk, with(form, "approver", "")), http.StatusUnprocessableEntity)
	at := strings.TrimSuffix(s.goes("urgent", "/visits/urgent", clerk, form), "/receive")
	if x := s.visit(at); x.State != visit.Approved || x.Oral == nil || x.Oral.Approver != "1001" || len(x.Owed) == 0 {
		t.Fatalf("urgent: %+v", x)
	}
	s.goes("a substitute", at+"/worker", clerk, url.Values{"guest": {"1"}, "name": {"\U00020BB7田 花"}, "note": {"急病"}})
	s.status("the recorder", s.post(at+"/oral", clerk, nil), http.StatusForbidden)
	s.goes("the approver", at+"/oral", s.login("manager"), nil)
	if x := s.visit(at); !x.Oral.Confirmed.Done() || !x.Guests[0].Replaced.Done() || x.Guests[1].Name != "\U00020BB7田 花" || !x.Guests[1].Substitute {
		t.Errorf("confirmed: %+v", x)
	}
	to := s.goes("a standing permit", "/permits/permit-2026-00005/receive", clerk, nil)
	if x := s.visit(strings.TrimSuffix(to, "/receive")); x.Permit != "permit-2026-00005" || x.State != visit.Approved {
		t.Errorf("by permit: %+v", x)
	}
	permit := url.Values{"days": {"mon", "tue"}, "from": {"22:00"}, "to": {"05:00"}, "first": {noon().Format("2006-01-02")}, "last": {directory.DateOf(noon()).FiscalYearEnd().String()}}
	for k, v := range with(audit(), "type", "cleaning", "zones", "media-store") {
		if k != "from" && k != "until" {
			permit[k] = v
		}
	}
	asker := s.login("asker")
	s.status("without days", s.post("/applications/permit", asker, with(permit, "days", "x")), http.StatusUnprocessableEntity)
	s.goes("permit", "/applications/permit", asker, permit)
	list, _ := s.mem.Desk.Permits(t.Context())
	id := list[len(list)-1].ID
	if id == "permit-2026-00005" {
		id = list[0].ID
	}
	s.status("the applicant", s.post("/permits/"+id+"/approve", asker, nil), http.StatusForbidden)
	s.goes("granted", "/permits/"+id+"/approve", s.login("manager"), nil)
	s.goes("ended by the applicant", "/permits/"+id+"/end", asker, nil)
}

// VE-5: an Individual Number is refused in free text and warned about in a contract's number; hostile text is no HTML.
func TestVisitText(t *testing.T) {
	s := newHall(t)
	asker := s.login("asker")
	for what, text := range map[string]string{"my number": "点検 123456789018", "control character": "点検\x00", "turned writing": "点検\u202e", "too long": strings.Repeat("点", 501)} {
		s.status(what, s.post("/applications/new", asker, with(audit(), "purpose", text)), http.StatusUnprocessableEntity)
	}
	at := s.goes("markup", "/applications/new", asker, with(audit(), "purpose", `<script>alert(1)</script>`))
	if doc := text(t, s.get(at, asker)); strings.Contains(doc, "<script>alert") {
		t.Error("a purpose became markup")
	}
}

// RA-1: an applicant sees the own visits and no others, a system administrator none; an auditor reads and changes nothing.
func TestWhoSeesVisits(t *testing.T) {
	s := newHall(t)
	s.people(map[string]web.Account{"other": {Person: "1004", Roles: roles(web.RoleApplicant)}})
	at := s.goes("apply", "/applications/new", s.login("asker"), audit())
	other := s.login("other")
	s.status("of somebody else", s.get(at, other), http.StatusNotFound)
	s.status("withdraw of somebody else", s.post(at+"/withdraw", other, nil), http.StatusNotFound)
	if doc := text(t, s.get("/applications", other)); strings.Contains(doc, "監査の予備調査") || strings.Contains(doc, "﨑田") {
		t.Error("an applicant sees somebody else's application")
	}
	if doc := text(t, s.get("/applications", s.login("asker"))); !strings.Contains(doc, "監査の予備調査") {
		t.Error("an applicant does not see the own application")
	}
	auditor := s.login("auditor")
	s.status("an auditor reads", s.get(at, auditor), http.StatusOK)
	if doc := text(t, s.get(at, auditor)); strings.Contains(doc, `action="`+at) {
		t.Error("an auditor is shown a step")
	}
	for _, path := range []string{"/visits", at, "/applications", "/visits/receive"} {
		s.status("system administrator "+path, s.get(path, s.login("system_administrator")), http.StatusForbidden)
	}
	s.goes("withdrawn", at+"/withdraw", s.login("asker"), url.Values{})
}

// EQ-2: what a zone does not allow is refused at step 3, while the guest can still carry it to the locker.
func TestBringInRefused(t *testing.T) {
	s := newHall(t)
	s.mem.Desk.Site.Settings.BringIn = map[access.ZoneID]visit.BringIn{"server-room": visit.BringInDeny}
	at := s.approved(audit())
	clerk := s.login("clerk")
	s.goes("identity", at+"/receive/identity", clerk, url.Values{"guest1": {"company_card"}})
	form := url.Values{"version": {"2"}, "conditions": {"yes"}, "what1": {"camera"}}
	res := s.post(at+"/receive/conditions", clerk, form)
	s.status("a camera", res, http.StatusUnprocessableEntity)
	if doc := text(t, res); !strings.Contains(doc, `id="three-what1-error"`) {
		t.Error("the fault is not at the thing")
	}
	s.goes("in the locker", at+"/receive/conditions", clerk, with(form, "outside1", "yes"))
}
