package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/web"
	"monban/server/web/webtest"
)

// RA-1: every route of the API is in its description, with its parameters and roles, and the reverse.
func TestAPIDocument(t *testing.T) {
	s := newAPISite(t, nil)
	table := map[string]web.APIRoute{}
	for _, r := range web.APITable() {
		table[r.Pattern] = r
	}
	ids := map[string]bool{}
	for _, o := range s.doc.Operations() {
		r, ok := table[o.Method+" "+o.Path]
		if !ok {
			t.Errorf("the document has %s %s, which is no route", o.Method, o.Path)
			continue
		}
		delete(table, r.Pattern)
		if q := slices.Sorted(maps.Keys(o.Parameters("query"))); !slices.Equal(q, slices.Sorted(slices.Values(r.Query))) {
			t.Errorf("%s: the document has the parameters %v, the route %v", r.Pattern, q, r.Query)
		}
		if !slices.Equal(o.Roles(), r.Roles) {
			t.Errorf("%s: the document has the roles %v, the route %v", r.Pattern, o.Roles(), r.Roles)
		}
		for name := range o.Parameters("path") {
			if !strings.Contains(o.Path, "{"+name+"}") {
				t.Errorf("%s: parameter %s is not in the path", r.Pattern, name)
			}
		}
		if ids[r.Pattern] {
			t.Errorf("%s twice", r.Pattern)
		}
		ids[r.Pattern] = true
	}
	for p := range table {
		t.Errorf("route %s is not in the document", p)
	}
	if len(ids) < 20 {
		t.Errorf("only %d operations", len(ids))
	}
	res := s.call(http.MethodGet, "/api/1/openapi.json", s.tokens["applicant"], "")
	onDisk, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, res); strings.TrimSpace(got) != strings.TrimSpace(string(onDisk)) {
		t.Error("what is served is not the document")
	}
}

// RA-1: every route of the API × {no token, a cookie alone, a revoked token, no role, each of the eleven roles}, against a golden
// table; every answer, good or bad, fits the document; the document's examples are what is asked.
func TestAPIMatrix(t *testing.T) {
	if underRace {
		t.Skip("one request at a time")
	}
	var got strings.Builder
	for _, pattern := range web.APITable() {
		method, _, _ := strings.Cut(pattern.Pattern, " ")
		columns := []string{"nobody", "cookie", "revoked", "no role"}
		for _, r := range web.Roles() {
			columns = append(columns, r.String())
		}
		s := newAPISite(t, nil)
		o := s.op(pattern.Pattern)
		path := example(o, "after")
		fmt.Fprintf(&got, "%s %s\n", method, o.Path)
		for _, c := range columns {
			if method == http.MethodPost {
				s = newAPISite(t, nil) // the one before may have changed something
			}
			body, err := o.Example()
			if err != nil {
				t.Fatal(err)
			}
			token, headers := s.tokens[c], []string(nil)
			switch c {
			case "cookie":
				headers = []string{"Cookie", s.login("csirt")}
			case "revoked":
				var hash [32]byte
				token, hash = web.NewToken()
				s.mem.PutToken(web.APIToken{ID: "R", Hash: hash, Account: accountID(web.RoleCSIRT), Roles: 1 << web.RoleCSIRT, Expires: time.Now().Add(time.Hour), Revoked: time.Now()})
			case "no role":
				s.mem.PutAccount(web.Account{ID: "NOROLE", Name: "norole", FullName: "x"})
				token = s.token("NOROLE", 1<<web.RoleCSIRT)
			}
			code, _ := s.checked(o, path, token, string(body), headers...)
			fmt.Fprintf(&got, "\t%-24s %d\n", c, code)
			if code == http.StatusOK || code == http.StatusCreated {
				if c == "cookie" || c == "nobody" || c == "revoked" || c == "no role" && len(pattern.Roles) > 0 {
					t.Errorf("%s: %s got in", pattern.Pattern, c)
				}
			}
		}
	}
	const golden = "testdata/api.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		for i, line := range strings.Split(got.String(), "\n") {
			if w := strings.Split(string(want), "\n"); i >= len(w) || w[i] != line {
				t.Errorf("line %d: %q differs from the golden table; look, then run with -update", i+1, line)
				break
			}
		}
	}
}

// RA-1, RA-4, PR-4: a system administrator is shown no name by the API; what shows names is a leaf, and without the leaf there is no answer.
func TestAPINames(t *testing.T) {
	s := newAPISite(t, nil)
	for _, r := range web.APITable() {
		if !strings.HasPrefix(r.Pattern, "GET ") {
			continue
		}
		o := s.op(r.Pattern)
		path := example(o, "after", "q", "purpose", "limit", "person", "day", "result")
		_, masked := s.checked(o, path, s.tokens["system_administrator"], "")
		for _, p := range webtest.AllPersons {
			if p.Name != ownName(web.RoleSystemAdmin) && strings.Contains(masked, p.Name) || strings.Contains(masked, p.Section) {
				t.Errorf("%s shows %s to the system administrator", path, p.Name)
			}
		}
		if code, _ := s.checked(o, path+"&q=x", s.tokens["system_administrator"], ""); strings.HasPrefix(o.Path, "/api/1/log") && code == http.StatusOK {
			t.Errorf("%s: a masked role may search", path)
		}
	}
	for pattern, kind := range map[string]web.ActionKind{"GET /api/1/log": web.ActionViewLog, "GET /api/1/log/{attempt}": web.ActionViewAttempt, "GET /api/1/findings": web.ActionViewFindings,
		"GET /api/1/people": web.ActionViewPeople, "GET /api/1/people/{person}": web.ActionViewPeople, "GET /api/1/grants": web.ActionViewGrants, "GET /api/1/groups": web.ActionViewGrants,
		"GET /api/1/contracts": web.ActionViewGrants, "GET /api/1/judge": web.ActionJudge, "GET /api/1/entrants": web.ActionJudge, "GET /api/1/commands": web.ActionViewCommands,
		"GET /api/1/commands/{id}": web.ActionViewCommands, "GET /api/1/proposals": web.ActionViewProposals, "GET /api/1/visits": web.ActionViewVisits} {
		o := s.op(pattern)
		n := len(s.mem.Actions())
		path := example(o, "after", "limit", "day", "result")
		if code, body := s.checked(o, path, s.tokens["csirt"], ""); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
		acts := s.mem.Actions()[n:]
		if len(acts) != 1 || acts[0].Kind != kind || acts[0].Token == "" || acts[0].Actor != accountID(web.RoleCSIRT) {
			t.Errorf("%s: leaves %+v, want one %s", pattern, acts, kind)
		}
		if strings.Contains(path, "purpose") && acts[0].Reason != "照会 第7号" {
			t.Errorf("%s: the purpose is not in the leaf: %+v", pattern, acts[0])
		}
		s.mem.FailAudit = fmt.Errorf("disk full")
		if code, body := s.checked(o, path, s.tokens["csirt"], ""); code != http.StatusInternalServerError || strings.Contains(body, "disk") {
			t.Errorf("%s without a log: %d %s", pattern, code, body)
		}
		s.mem.FailAudit = nil
	}
}

// PR-4: people are not looked for without a purpose; it may stand in a header.
func TestAPIPurpose(t *testing.T) {
	s := newAPISite(t, nil)
	for pattern, path := range map[string]string{"GET /api/1/people": "/api/1/people?x", "GET /api/1/people/{person}": "/api/1/people/1001?x", "GET /api/1/grants": "/api/1/grants?person=1001", "GET /api/1/log": "/api/1/log?q=a"} {
		path = strings.TrimSuffix(path, "?x")
		o := s.op(pattern)
		n := len(s.mem.Actions())
		code, body := s.checked(o, path, s.tokens["csirt"], "")
		if code != http.StatusBadRequest || !strings.Contains(body, `"field":"purpose"`) || len(s.mem.Actions()) != n {
			t.Errorf("%s without a purpose: %d %s", path, code, body)
		}
		if code, body = s.checked(o, path, s.tokens["csirt"], "", "Monban-Purpose", url.QueryEscape("監査 3")); code != http.StatusOK {
			t.Errorf("%s with the header: %d %s", path, code, body)
		}
		if a := s.mem.Actions(); a[len(a)-1].Reason != "監査 3" {
			t.Errorf("%s: leaf %+v", path, a[len(a)-1])
		}
		for _, bad := range []string{"%20", "%zz", strings.Repeat("a", 201), "%00"} {
			if code, _ := s.checked(o, path, s.tokens["csirt"], "", "Monban-Purpose", bad); code != http.StatusBadRequest {
				t.Errorf("purpose %q: %d", bad, code)
			}
		}
	}
}

// Pages of a list: whole, in order, nothing twice, also while the list grows; a cursor is not made up.
func TestAPIPages(t *testing.T) {
	s := newAPISite(t, nil)
	walk := func(pattern, query string, during func()) (ids []string) {
		o, after := s.op(pattern), ""
		for range 100 {
			path := o.Path + "?" + query + "&limit=2"
			if after != "" {
				path += "&after=" + url.QueryEscape(after)
			}
			code, body := s.checked(o, path, s.tokens["csirt"], "")
			var page struct {
				Items []struct{ ID, Day string }
				Next  *string
			}
			if err := json.Unmarshal([]byte(body), &page); err != nil || code != http.StatusOK {
				t.Fatalf("%s: %d %v %s", path, code, err, body)
			}
			for _, x := range page.Items {
				ids = append(ids, x.ID+x.Day)
			}
			if page.Next == nil {
				return ids
			}
			after = *page.Next
			if during != nil {
				during()
			}
		}
		t.Fatalf("%s does not end", pattern)
		return nil
	}
	if ids := walk("GET /api/1/people", "purpose=x", nil); !slices.Equal(ids, []string{"1001", "1002", "1003", "K-12"}) {
		t.Errorf("people %v", ids)
	}
	if ids := walk("GET /api/1/closed-days", "from=2026-12-01", nil); !slices.Equal(ids, []string{"2026-12-29", "2027-01-01"}) {
		t.Errorf("closed days %v", ids)
	}
	if ids := walk("GET /api/1/findings", "show=all", nil); !slices.Equal(ids, []string{"f-3", "f-2", "f-1", "f-0"}) {
		t.Errorf("findings %v", ids)
	}
	n := byte(0x20)
	ids := walk("GET /api/1/log", "", func() { // an attempt between any two pages
		a := s.mem.Day[0]
		n++
		a.ID = webtest.AttemptID(n)
		s.mem.Day = append([]web.Attempt{a}, s.mem.Day...)
	})
	var want []string
	for i := byte(9); i >= 2; i-- {
		want = append(want, webtest.AttemptID(i))
	}
	if !slices.Equal(ids, want) {
		t.Errorf("log while it grows: %v", ids)
	}
	o := s.op("GET /api/1/log")
	for _, bad := range []string{"x", "MS4", "LTEuYQ", "MC5h", "MS5ub25l", strings.Repeat("A", 400)} {
		if code, body := s.checked(o, "/api/1/log?after="+bad, s.tokens["csirt"], ""); code != http.StatusBadRequest || !strings.Contains(body, `"field":"after"`) {
			t.Errorf("cursor %s: %d %s", bad, code, body)
		}
	}
	for _, bad := range []string{"0", "-1", "501", "x", "1.5", ""} {
		if code, body := s.checked(o, "/api/1/log?limit="+bad, s.tokens["csirt"], ""); code != http.StatusBadRequest || !strings.Contains(body, `"field":"limit"`) {
			t.Errorf("limit %q: %d %s", bad, code, body)
		}
	}
}

// Times are RFC 3339 in the site's zone, reasons have a name and a sentence, both in the language that was asked for.
func TestAPIForm(t *testing.T) {
	s := newAPISite(t, nil)
	o := s.op("GET /api/1/log/{attempt}")
	path := "/api/1/log/" + webtest.AttemptID(8)
	_, ja := s.checked(o, path, s.tokens["csirt"], "")
	_, en := s.checked(o, path, s.tokens["csirt"], "", "Accept-Language", "en-GB,en;q=0.9")
	var a, b struct {
		At     string
		Reason struct{ Reason, Text string }
		Failed []struct{ Reason, Text string }
	}
	if json.Unmarshal([]byte(ja), &a) != nil || json.Unmarshal([]byte(en), &b) != nil {
		t.Fatal(ja, en)
	}
	if !strings.HasSuffix(a.At, noon().Format("-07:00")) || a.Reason.Reason != "outside_schedule" || len(a.Failed) != 2 || a.Reason.Text == b.Reason.Text || strings.ContainsAny(ja+en, "⟦⟧") {
		t.Errorf("attempt %+v %+v", a, b)
	}
	_, ja = s.checked(o, "/api/1/log/"+strings.Repeat("0", 32), s.tokens["csirt"], "")
	_, en = s.checked(o, "/api/1/log/"+strings.Repeat("0", 32), s.tokens["csirt"], "", "Accept-Language", "en")
	if !strings.Contains(ja, "見つかりません") || !strings.Contains(en, "Not found") || !strings.Contains(en, `"urn:monban:problem:not_found"`) {
		t.Errorf("problem %s %s", ja, en)
	}
}

// I3, UI honesty: a door whose gateway is not linked has no known state, and one without a lock is never said to be secured.
func TestAPIDoorStates(t *testing.T) {
	s := newAPISite(t, nil)
	_, body := s.checked(s.op("GET /api/1/doors"), "/api/1/doors", s.tokens["reception"], "")
	var doors struct {
		Items []struct {
			ID, Kind, State, Contact, Reader string
			Last                             *string `json:"last_state"`
		}
	}
	if err := json.Unmarshal([]byte(body), &doors); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range doors.Items {
		got[d.ID] = d.State + " " + d.Contact + " " + d.Reader + " " + *d.Last
	}
	want := map[string]string{"server-room-1": "secured closed ok secured", "server-room-2": "held_open open ok held_open", "media-store": "unknown unknown unknown watched"}
	if !maps.Equal(got, want) {
		t.Errorf("doors %v, want %v", got, want)
	}
	v := s.mem.View
	v.UpTo = time.Now().Add(-time.Hour) // nothing has been heard for an hour
	s.mem.SetView(v)
	if _, body = s.checked(s.op("GET /api/1/doors"), "/api/1/doors", s.tokens["reception"], ""); strings.Contains(body, `"state":"secured"`) || !strings.Contains(body, `"last_state":"secured"`) {
		t.Errorf("stale doors: %s", body)
	}
}

// RA-1: what a role may not list it does not get inside something else either; a role for one zone orders nothing at another's doors; a
// silent alert is shown to the security officer alone (AD-13).
func TestAPILimitsOfRoles(t *testing.T) {
	s := newAPISite(t, nil)
	o := s.op("GET /api/1/people/{person}")
	for role, want := range map[string]bool{"reception": false, "zone_manager": true, "auditor": true} {
		_, body := s.checked(o, "/api/1/people/1001?purpose=x", s.tokens[role], "")
		if got := !strings.Contains(body, `"grants":null`); got != want {
			t.Errorf("%s is shown grants: %v", role, got)
		}
	}
	s.mem.PutAccount(web.Account{ID: "MEDIA", Name: "media", FullName: "x", Roles: []web.Assignment{{Role: web.RoleZoneManager, Zone: "media-store"}}})
	media := s.token("MEDIA", 1<<web.RoleZoneManager)
	for _, c := range [][2]string{{"POST /api/1/commands", `{"door":"server-room-1","action":"self_test","reason":"x"}`}, {"POST /api/1/commands/{id}/agree", ""}, {"POST /api/1/commands/{id}/withdraw", ""}} {
		if code, body := s.checked(s.op(c[0]), example(s.op(c[0])), media, c[1]); code != http.StatusForbidden {
			t.Errorf("%s at another zone's door: %d %s", c[0], code, body)
		}
	}
	if code, body := s.checked(s.op("POST /api/1/commands"), "/api/1/commands", media, `{"door":"media-store","action":"self_test","reason":"x"}`); code != http.StatusCreated {
		t.Errorf("at the own zone's door: %d %s", code, body)
	}
	for _, role := range []string{"csirt", "zone_manager", "auditor", "system_administrator"} {
		s.checked(s.op("GET /api/1/findings"), "/api/1/findings", s.tokens[role], "")
		if got := s.mem.AskedFindings(); got.Duress != (role == "csirt") || got.Names != (role != "system_administrator") {
			t.Errorf("findings for %s asked as %+v", role, got)
		}
	}
}
