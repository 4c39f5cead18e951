package web_test

import (
	"flag"
	"fmt"
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

var update = flag.Bool("update", false, "rewrite golden files")

// probe is how one line of the route table is tried.
type probe struct {
	pattern, path string
	form          url.Values
}

var probes = []probe{
	{"GET /static/{file...}", "/static/app.css", nil},
	{"GET /setup", "/setup", nil},
	{"POST /setup", "/setup", url.Values{}},
	{"GET /login", "/login", nil},
	{"POST /login", "/login", url.Values{"name": {"x"}, "password": {"x"}}},
	{"GET /login/second", "/login/second", nil},
	{"POST /login/second", "/login/second", url.Values{"code": {"123456"}}},
	{"POST /login/passkey/options", "/login/passkey/options", url.Values{}},
	{"POST /login/passkey", "/login/passkey", url.Values{"credential": {"{}"}}},
	{"POST /login/desk", "/login/desk", url.Values{}},
	{"GET /login/desk", "/login/desk", nil},
	{"GET /login/desk/stage", "/login/desk/stage", nil},
	{"POST /login/desk/done", "/login/desk/done", url.Values{}},
	{"GET /login/provider", "/login/provider", nil},
	{"GET /login/provider/back", "/login/provider/back?code=x&state=y", nil},
	{"POST /login/provider", "/login/provider", url.Values{"code": {"x"}, "state": {"y"}}},
	{"POST /language", "/language", url.Values{"language": {"ja"}}},
	{"POST /logout", "/logout", url.Values{}},
	{"GET /{$}", "/", nil},
	{"GET /live", "/live", nil},
	{"GET /live/fragment", "/live/fragment", nil},
	{"GET /events", "/events?from=bad", nil}, // 400 for those who may: a stream would not end
	{"GET /log", "/log", nil},
	{"GET /log/{attempt}", "/log/" + webtest.AttemptID(9), nil},
	{"GET /register", "/register?zone=server-room", nil},
	{"GET /present", "/present?zone=server-room", nil},
	{"GET /review", "/review?zone=server-room", nil},
	{"POST /review", "/review", url.Values{"zone": {"server-room"}}},
	{"POST /review/month", "/review/month", url.Values{"zone": {"server-room"}, "month": {"2026-10"}}},
	{"GET /review/calendar", "/review/calendar?zone=server-room", nil},
	{"POST /review/rule", "/review/rule", url.Values{"zone": {"server-room"}, "two": {"yes"}, "reason": {"x"}}},
	{"GET /review/{zone}/{day}/addition", "/review/server-room/2026-11-24/addition", nil},
	{"GET /review/{zone}/{day}/reconcile", "/review/server-room/2026-11-24/reconcile", nil},
	{"POST /review/{zone}/{day}/reconcile", "/review/server-room/2026-11-24/reconcile", url.Values{}},
	{"GET /review/{zone}/{day}/correct", "/review/server-room/2026-11-24/correct", nil},
	{"POST /review/{zone}/{day}/correct", "/review/server-room/2026-11-24/correct", url.Values{"row": {"x"}}},
	{"POST /review/{zone}/{day}/exits/{id}", "/review/server-room/2026-11-24/exits/x", url.Values{}},
	{"POST /corrections/{zone}/{id}", "/corrections/server-room/x", url.Values{"do": {"accept"}}},
	{"GET /review/{zone}/{day}", "/review/server-room/2026-11-24", nil},
	{"POST /review/{zone}/{day}", "/review/server-room/2026-11-24", url.Values{"act": {"day_signed"}}},
	{"GET /findings", "/findings", nil},
	{"GET /incidents", "/incidents", nil},
	{"POST /incidents", "/incidents", url.Values{"title": {"x"}}},
	{"GET /incidents/{id}", "/incidents/incident-2026-00001", nil},
	{"POST /incidents/{id}", "/incidents/incident-2026-00001", url.Values{"do": {"note"}, "text": {"x"}}},
	{"POST /incidents/{id}/bundle", "/incidents/incident-2026-00001/bundle", url.Values{}},
	{"GET /me/data", "/me/data", nil},
	{"POST /me/data", "/me/data", url.Values{"want": {"x"}}},
	{"POST /me/data/{id}/withdraw", "/me/data/data_request-2026-00001/withdraw", url.Values{"seen": {"1"}}},
	{"GET /data-requests", "/data-requests", nil},
	{"POST /data-requests", "/data-requests", url.Values{"want": {"x"}}},
	{"GET /data-requests/{id}", "/data-requests/data_request-2026-00001", nil},
	{"POST /data-requests/{id}", "/data-requests/data_request-2026-00001", url.Values{"do": {"decide"}}},
	{"GET /findings/{id}", "/findings/f-2", nil},
	{"POST /findings/{id}", "/findings/f-2", url.Values{"act": {"finding_taken"}}},
	{"GET /doors", "/doors", nil},
	{"GET /doors/{door}/last-denial", "/doors/server-room-1/last-denial", nil},
	{"GET /startup", "/startup", nil},
	{"GET /updates", "/updates", nil},
	{"POST /updates/stop", "/updates/stop", url.Values{"reason": {"x"}}},
	{"POST /updates/resume", "/updates/resume", url.Values{"reason": {"x"}}},
	{"GET /verification", "/verification", nil},
	{"POST /verification/check", "/verification/check", url.Values{}},
	{"GET /verification/checkpoint", "/verification/checkpoint", nil},
	{"POST /verification/proof", "/verification/proof", url.Values{"leaf": {"7"}, "reason": {"x"}}},
	{"GET /verification/packs", "/verification/packs", nil},
	{"POST /verification/packs", "/verification/packs", url.Values{"kind": {"day"}, "use": {"x"}, "reason": {"x"}}},
	{"GET /verification/packs/{job}", "/verification/packs/DONE", nil},
	{"GET /verification/packs/{job}/file", "/verification/packs/DONE/file", nil},
	{"GET /doors/{door}/papers", "/doors/server-room-1/papers?extension=1234", nil},
	{"POST /startup/door", "/startup/door", url.Values{"zone": {"x"}}},
	{"POST /startup/gateways/{gateway}/invite", "/startup/gateways/gw-9/invite", url.Values{"life": {"15"}, "reason": {"x"}}},
	{"POST /startup/gateways/{gateway}/confirm", "/startup/gateways/gw-9/confirm", url.Values{"fingerprint": {"x"}}},
	{"GET /commands", "/commands", nil},
	{"POST /commands", "/commands", url.Values{"door": {"server-room-1"}, "action": {"remote_unlock"}}},
	{"POST /commands/{id}/agree", "/commands/" + webtest.AttemptID(7) + "/agree", url.Values{}},
	{"POST /commands/{id}/withdraw", "/commands/" + webtest.AttemptID(7) + "/withdraw", url.Values{}},
	{"POST /commands/{id}/confirm", "/commands/" + webtest.AttemptID(7) + "/confirm", url.Values{}},
	{"GET /privacy", "/privacy", nil},
	{"POST /privacy", "/privacy", url.Values{}},
	{"POST /privacy/{use}/end", "/privacy/attendance/end", url.Values{}},
	{"GET /retention", "/retention", nil},
	{"GET /retention/{run}", "/retention/disposal-2026-00001", nil},
	{"POST /retention/rules", "/retention/rules", url.Values{}},
	{"POST /retention/disposals", "/retention/disposals", url.Values{}},
	{"POST /retention/disposals/{run}", "/retention/disposals/disposal-2026-00001", url.Values{}},
	{"POST /retention/holds", "/retention/holds", url.Values{}},
	{"POST /retention/holds/{hold}", "/retention/holds/hold-00001", url.Values{}},
	{"GET /people", "/people?purpose=x", nil},
	{"POST /people", "/people", url.Values{"purpose": {"x"}}},
	{"GET /people/+new", "/people/+new?purpose=x", nil},
	{"GET /people/+export", "/people/+export?purpose=x", nil},
	{"POST /people/+export", "/people/+export?purpose=x", url.Values{}},
	{"GET /people/{person}", "/people/1001?purpose=x", nil},
	{"POST /people/{person}", "/people/1001", url.Values{"purpose": {"x"}}},
	{"GET /people/{person}/edit", "/people/1001/edit?purpose=x", nil},
	{"POST /people/{person}/stop", "/people/1001/stop", url.Values{"purpose": {"x"}}},
	{"POST /people/{person}/start", "/people/1001/start", url.Values{"purpose": {"x"}}},
	{"POST /people/{person}/forgive", "/people/1001/forgive", url.Values{"purpose": {"x"}}},
	{"POST /people/{person}/cards/{card}/lift", "/people/1001/cards/C-001/lift", url.Values{"purpose": {"x"}}},
	{"GET /people/{person}/cards/+new", "/people/1001/cards/+new?purpose=x", nil},
	{"POST /people/{person}/cards", "/people/1001/cards", url.Values{"purpose": {"x"}}},
	{"POST /people/{person}/cards/{card}/suspend", "/people/1001/cards/C-001/suspend", url.Values{"purpose": {"x"}}},
	{"POST /people/{person}/cards/{card}/lost", "/people/1001/cards/C-001/lost", url.Values{"purpose": {"x"}}},
	{"POST /people/{person}/cards/{card}/reactivate", "/people/1001/cards/C-001/reactivate", url.Values{"purpose": {"x"}}},
	{"GET /people/{person}/cards/{card}/pin", "/people/1001/cards/C-001/pin?purpose=x", nil},
	{"POST /people/{person}/cards/{card}/pin", "/people/1001/cards/C-001/pin", url.Values{"purpose": {"x"}}},
	{"GET /grants", "/grants", nil},
	{"POST /grants", "/grants", url.Values{}},
	{"GET /grants/+new", "/grants/+new", nil},
	{"GET /grants/+change", "/grants/+change?id=1001/server-room/office", nil},
	{"POST /grants/+change", "/grants/+change", url.Values{"id": {"1001/server-room/office"}}},
	{"POST /grants/+end", "/grants/+end", url.Values{"id": {"1001/server-room/office"}}},
	{"GET /proposals", "/proposals", nil},
	{"GET /proposals/{id}", "/proposals/" + webtest.AttemptID(0x51), nil},
	{"POST /proposals/{id}/confirm", "/proposals/" + webtest.AttemptID(0x77) + "/confirm", url.Values{}},
	{"POST /proposals/{id}/withdraw", "/proposals/" + webtest.AttemptID(0x51) + "/withdraw", url.Values{}},
	{"GET /judge", "/judge?door=server-room-1", nil},
	{"GET /accounts", "/accounts", nil},
	{"POST /accounts", "/accounts", url.Values{}},
	{"POST /accounts/{id}/suspend", "/accounts/" + accountID(web.RoleApplicant) + "/suspend", url.Values{}},
	{"POST /accounts/{id}/resume", "/accounts/" + accountID(web.RoleApplicant) + "/resume", url.Values{}},
	{"POST /accounts/{id}/reset", "/accounts/" + accountID(web.RoleApplicant) + "/reset", url.Values{}},
	{"POST /accounts/{id}/roles", "/accounts/" + accountID(web.RoleApplicant) + "/roles", url.Values{}},
	{"POST /accounts/{id}/roles/remove", "/accounts/" + accountID(web.RoleApplicant) + "/roles/remove", url.Values{}},
	{"POST /accounts/{id}/factors", "/accounts/" + accountID(web.RoleApplicant) + "/factors", url.Values{}},
	{"POST /accounts/{id}/person", "/accounts/" + accountID(web.RoleApplicant) + "/person", url.Values{}},
	{"GET /accounts/{id}/sessions", "/accounts/" + accountID(web.RoleApplicant) + "/sessions", nil},
	{"POST /accounts/{id}/sessions/end", "/accounts/" + accountID(web.RoleApplicant) + "/sessions/end", url.Values{"session": {"x"}}},
	{"GET /desks", "/desks", nil},
	{"POST /desks", "/desks", url.Values{}},
	{"POST /desks/{desk}/remove", "/desks/none/remove", url.Values{}},
	{"POST /desks/{desk}/bind", "/desks/none/bind", url.Values{}},
	{"POST /desks/{desk}/unbind", "/desks/none/unbind", url.Values{"browser": {"x"}}},
	{"POST /accounts/{id}/source", "/accounts/" + accountID(web.RoleApplicant) + "/source", url.Values{}},
	{"POST /accounts/requests/{id}/agree", "/accounts/requests/NONE/agree", url.Values{}},
	{"POST /accounts/requests/{id}/withdraw", "/accounts/requests/NONE/withdraw", url.Values{}},
	{"GET /step-up", "/step-up", nil},
	{"POST /step-up", "/step-up", url.Values{"password": {"x"}}},
	{"POST /step-up/passkey/options", "/step-up/passkey/options", url.Values{}},
	{"POST /step-up/desk", "/step-up/desk", url.Values{}},
	{"GET /step-up/desk", "/step-up/desk", nil},
	{"GET /step-up/desk/stage", "/step-up/desk/stage", nil},
	{"POST /step-up/desk/done", "/step-up/desk/done", url.Values{}},
	{"POST /step-up/passkey", "/step-up/passkey", url.Values{"credential": {"{}"}}},
	{"GET /me/factors", "/me/factors", nil},
	{"POST /me/factors/passkeys/options", "/me/factors/passkeys/options", url.Values{}},
	{"POST /me/factors/passkeys", "/me/factors/passkeys", url.Values{"credential": {"{}"}}},
	{"POST /me/factors/passkeys/{id}/delete", "/me/factors/passkeys/AAAA/delete", url.Values{"reason": {"x"}}},
	{"POST /me/factors/totp", "/me/factors/totp", url.Values{}},
	{"GET /me/factors/totp", "/me/factors/totp", nil},
	{"GET /me/factors/totp/code.svg", "/me/factors/totp/code.svg", nil},
	{"POST /me/factors/totp/confirm", "/me/factors/totp/confirm", url.Values{"code": {"1"}}},
	{"POST /me/factors/totp/delete", "/me/factors/totp/delete", url.Values{"reason": {"x"}}},
	{"POST /me/factors/codes", "/me/factors/codes", url.Values{}},
	{"GET /me/tokens", "/me/tokens", nil},
	{"POST /me/tokens", "/me/tokens", url.Values{"name": {"x"}}},
	{"POST /me/tokens/{id}/revoke", "/me/tokens/NONE/revoke", url.Values{}},
	{"GET /me", "/me", nil},
	{"POST /me/password", "/me/password", url.Values{}},
	{"POST /me/sessions/revoke", "/me/sessions/revoke", url.Values{"session": {"none"}}},
	{"(unlisted)", "/admin", nil},
	{"(unlisted)", "/api/doors/server-room-1/unlock", url.Values{}},
	{"(other method)", "/live", url.Values{}},
}

// RA-1: every route × {nobody, expired session, no role, suspended, each of the eleven roles}
// against a golden table. What is not in the table is 403 for everybody.
func TestRouteMatrix(t *testing.T) {
	checkMatrix(t, probes, "testdata/routes.golden")
}

func checkMatrix(t *testing.T, list []probe, golden string) {
	if underRace {
		t.Skip("one request at a time")
	}
	t.Helper()
	s := newSite(t, func(c *web.Config) {
		c.Throttle = web.Throttle{AccountBurst: 1e6, AccountEvery: time.Second, AddressBurst: 1e6, AddressEvery: time.Second}
	})
	phc, _ := web.HashPassword(goodPassword, cheap)
	s.mem.PutAccount(web.Account{ID: "NOROLE", Name: "norole", FullName: "x", PasswordHash: phc})
	s.mem.PutAccount(web.Account{ID: "OLD", Name: "old", FullName: "x", PasswordHash: phc,
		Roles: []web.Assignment{{Role: web.RoleCSIRT, Until: time.Now().Add(-time.Minute)}, {Role: web.RoleAuditor, From: time.Now().Add(time.Hour)}}})
	type column struct {
		name  string
		login string // "" = nobody
	}
	columns := []column{{"nobody", ""}, {"expired", "expired"}, {"no role", "norole"}, {"role not in force", "old"}}
	for _, r := range web.Roles() {
		columns = append(columns, column{r.String(), r.String()})
	}
	var got strings.Builder
	for _, p := range list {
		method := http.MethodGet
		if p.form != nil {
			method = http.MethodPost
		}
		fmt.Fprintf(&got, "%s %s\n", method, p.path)
		for _, c := range columns {
			cookie := ""
			switch c.login {
			case "":
			case "expired":
				cookie = "monban_session=" + strings.Repeat("A", 43)
			default:
				cookie = s.login(c.login)
			}
			res := s.ask(request(method, p.path, cookie, p.form))
			to := ""
			if at := res.Header.Get("Location"); at != "" {
				to = " → " + at
			}
			fmt.Fprintf(&got, "\t%-24s %d%s\n", c.name, res.StatusCode, to)
		}
	}
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

// RA-1: a route without a probe fails the build, so the golden table is whole.
func TestEveryRouteIsProbed(t *testing.T) {
	probed := map[string]bool{}
	for _, p := range slices.Concat(probes, visitProbes, alertProbes) {
		probed[p.pattern] = true
	}
	for _, pattern := range web.Patterns() {
		if strings.Contains(pattern, "/api/") {
			continue // TestAPIMatrix goes through the whole table
		}
		if !probed[pattern] {
			t.Errorf("route %q has no line in the matrix", pattern)
		}
		delete(probed, pattern)
	}
	for p := range probed {
		if !strings.HasPrefix(p, "(") {
			t.Errorf("probe of %q, which is no route", p)
		}
	}
}

// Cross-site requests: what a browser says about where a request came from decides.
func TestCrossSite(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login("csirt")
	for _, c := range []struct {
		site, origin string
		want         int
	}{
		{"cross-site", "https://evil.example", 403},
		{"same-site", "http://other." + host, 403},
		{"", "https://evil.example", 403},
		{"", "null", 403},
		{"same-origin", "http://" + host, 303},
		{"none", "", 303},
		{"", "http://" + host, 303},
		{"", "", 303}, // no browser: no cookie of somebody else either
	} {
		r := request(http.MethodPost, "/language", cookie, url.Values{"language": {"en"}})
		r.Header.Del("Sec-Fetch-Site")
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		res := s.ask(r)
		s.status(fmt.Sprintf("site %q origin %q", c.site, c.origin), res, c.want)
	}
}

// Security headers stand on every answer, refusals and static files too.
func TestHeaders(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login("zone_manager")
	want := map[string]string{
		"Content-Security-Policy":    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control":              "no-store",
	}
	for _, path := range []string{"/live", "/log", "/login", "/nowhere", "/log/zzz", "/static/app.css", "/static/none.css", "/live/../live", "/"} {
		for _, c := range []string{"", cookie} {
			res := s.get(path, c)
			for k, v := range want {
				if k == "Cache-Control" && path == "/static/app.css" {
					v = "no-cache"
				}
				if got := strings.Join(res.Header.Values(k), "|"); got != v {
					t.Errorf("%s (%s): %s = %q, want %q", path, res.Status, k, got, v)
				}
			}
		}
	}
	res := s.post("/login", "", url.Values{"name": {"csirt"}, "password": {goodPassword}})
	for _, c := range res.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("session cookie %v", c)
		}
	}
	tls := newSite(t, func(c *web.Config) { c.TLS = true })
	res = tls.post("/login", "", url.Values{"name": {"csirt"}, "password": {goodPassword}})
	if c := res.Cookies(); len(c) != 1 || !c[0].Secure || c[0].Name != "__Host-monban_session" {
		t.Errorf("over TLS: cookies %v", c)
	}
}

// A body larger than the limit is refused before anything is done with it.
func TestBodyLimit(t *testing.T) {
	s := newSite(t, nil)
	res := s.post("/login", "", url.Values{"name": {"csirt"}, "password": {strings.Repeat("x", 1<<20)}})
	s.status("1 MiB", res, http.StatusRequestEntityTooLarge)
	if len(s.mem.Actions()) != 0 {
		t.Error("something was done")
	}
}

// GET changes nothing but adding leaves about views, of which the download of a pack is one.
func TestGetChangesNothing(t *testing.T) {
	if underRace {
		t.Skip("one request at a time")
	}
	s := newSite(t, nil)
	cookies := map[string]string{}
	for _, r := range web.Roles() {
		cookies[r.String()] = s.login(r.String())
	}
	accounts, _ := s.mem.ListAccounts(t.Context())
	before, sessions, leaves := fmt.Sprint(accounts), fmt.Sprint(s.mem.SessionHashes()), len(s.mem.Actions())
	for _, p := range slices.Concat(probes, visitProbes, alertProbes) {
		if p.form == nil {
			for _, c := range cookies {
				s.get(p.path, c)
			}
		}
	}
	accounts, _ = s.mem.ListAccounts(t.Context())
	if fmt.Sprint(accounts) != before || fmt.Sprint(s.mem.SessionHashes()) != sessions {
		t.Error("a GET changed accounts or sessions")
	}
	for _, k := range s.kinds(leaves) {
		if !strings.HasPrefix(string(k), "view_") && k != web.ActionPackTaken {
			t.Errorf("a GET wrote a leaf %q", k)
		}
	}
}
