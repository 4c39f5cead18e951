package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

var tokenForm = regexp.MustCompile(`mbn_[A-Za-z0-9_-]{43}`)

// today is a day that a token can end on.
func today() string { return time.Now().In(tokyo).Format("2006-01-02") }

// steppedUp signs in and proves identity again.
func (s *apiSite) steppedUp(name string) string {
	s.Helper()
	cookie := s.login(name)
	s.status("step-up", s.post("/step-up", cookie, url.Values{"password": {goodPassword}, "next": {"/me/tokens"}}), http.StatusSeeOther)
	return cookie
}

// RA-1, RA-4: a token is made with a fresh check of identity, shown once, stored as a hash, and ends when it is revoked; each is a leaf.
func TestToken(t *testing.T) {
	s := newAPISite(t, nil)
	form := url.Values{"name": {"在室表示板"}, "until": {today()}, "role": {"csirt"}}
	strict := newAPISite(t, func(c *web.Config) { c.PasswordStepUp = false })
	res := strict.post("/me/tokens", strict.login("csirt"), form)
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/step-up") {
		t.Fatalf("without a fresh check: %s", res.Status)
	}
	cookie := s.steppedUp("csirt")
	n := len(s.mem.Actions())
	res = s.post("/me/tokens", cookie, form)
	page := text(t, res)
	token := tokenForm.FindString(page)
	if res.StatusCode != http.StatusCreated || token == "" || strings.Count(page, token) != 1 {
		t.Fatalf("%s: %q\n%s", res.Status, token, page)
	}
	for _, f := range checkPage(page) {
		t.Error(f)
	}
	if strings.Contains(text(t, s.get("/me/tokens", cookie)), token) {
		t.Error("the token is shown again")
	}
	if k := s.kinds(n); len(k) != 1 || k[0] != web.ActionTokenMade {
		t.Errorf("leaves %v", k)
	}
	list, _ := s.mem.AccountTokens(t.Context(), accountID(web.RoleCSIRT))
	made := list[0]
	if made.Name != "在室表示板" || made.Orders || made.Roles != 1<<web.RoleCSIRT || strings.Contains(string(made.Hash[:]), token) {
		t.Errorf("stored %+v", made)
	}
	// The first use of the day is a leaf, the second is not.
	n = len(s.mem.Actions())
	for range 2 {
		s.status("me", s.call(http.MethodGet, "/api/1/me", token, ""), http.StatusOK)
	}
	if k := s.kinds(n); len(k) != 1 || k[0] != web.ActionTokenUsed {
		t.Errorf("leaves of use %v", k)
	}
	// Only the own ones can be revoked.
	s.status("another's", s.post("/me/tokens/"+made.ID+"/revoke", s.login("auditor"), nil), http.StatusNotFound)
	s.status("revoke", s.post("/me/tokens/"+made.ID+"/revoke", s.login("csirt"), nil), http.StatusSeeOther)
	s.status("twice", s.post("/me/tokens/"+made.ID+"/revoke", s.login("csirt"), nil), http.StatusNotFound)
	s.status("revoked", s.call(http.MethodGet, "/api/1/me", token, ""), http.StatusUnauthorized)
	if log := s.log.String(); strings.Contains(log, "mbn_") {
		t.Errorf("a token in the machine's log: %s", log)
	}
}

// What a token can be made with: never more than the account, never beyond the fiscal year; one that orders ends with a shift.
func TestTokenLimits(t *testing.T) {
	s := newAPISite(t, nil)
	cookie := s.steppedUp("zone_manager")
	end := time.Now().In(tokyo)
	if end.Month() >= time.April {
		end = end.AddDate(1, 0, 0)
	}
	march := time.Date(end.Year(), time.March, 31, 0, 0, 0, 0, tokyo)
	good := func() url.Values {
		return url.Values{"name": {"x"}, "until": {march.Format("2006-01-02")}, "role": {"zone_manager"}}
	}
	for what, change := range map[string]struct {
		key, value string
		want       int
	}{
		"no name": {"name", " ", 422}, "long name": {"name", strings.Repeat("字", 65), 422}, "control": {"name", "a\x00b", 422}, "past": {"until", "2020-01-01", 422},
		"after the fiscal year": {"until", march.AddDate(0, 0, 1).Format("2006-01-02"), 422}, "no day": {"until", "soon", 422}, "no role": {"role", "", 400},
		"another role": {"role", "csirt", 400}, "nothing": {"role", "none", 400}, "last day": {"until", march.Format("2006-01-02"), 201},
	} {
		f := good()
		f.Set(change.key, change.value)
		s.status(what, s.post("/me/tokens", cookie, f), change.want)
	}
	f := good()
	f.Del("role")
	s.status("without roles", s.post("/me/tokens", cookie, f), 422)
	f = good()
	f.Set("orders", "yes")
	f.Set("name", "orders")
	s.status("orders", s.post("/me/tokens", cookie, f), 201)
	list, _ := s.mem.AccountTokens(t.Context(), accountID(web.RoleZoneManager))
	for _, k := range list {
		if k.Orders && time.Until(k.Expires) > web.DefaultAbsolute {
			t.Errorf("a token that orders lives until %v", k.Expires)
		}
		if k.Name == "x" && !k.Expires.Equal(march.AddDate(0, 0, 1)) {
			t.Errorf("a token until the last day ends %v", k.Expires)
		}
	}
}

// RA-1, RA-3: a token is dead with its account, and can do what token and account both may, now.
func TestTokenFollowsAccount(t *testing.T) {
	s := newAPISite(t, nil)
	id := accountID(web.RoleCSIRT)
	roles := func(token string) string {
		res := s.call(http.MethodGet, "/api/1/me", token, "")
		var me struct{ Roles []string }
		if err := json.Unmarshal([]byte(text(t, res)), &me); err != nil {
			t.Fatal(err)
		}
		return strings.Join(me.Roles, " ")
	}
	a, _ := s.mem.AccountByID(t.Context(), id)
	a.Roles = append(a.Roles, web.Assignment{Role: web.RoleAuditor}, web.Assignment{Role: web.RoleReception, Until: time.Now().Add(-time.Second)})
	s.mem.PutAccount(a)
	token := s.token(id, 1<<web.RoleCSIRT|1<<web.RoleReception|1<<web.RoleCISO)
	if got := roles(token); got != "csirt" {
		t.Errorf("roles in force %q, want those of both", got)
	}
	s.status("log", s.call(http.MethodGet, "/api/1/log", token, ""), http.StatusOK)
	a.Roles = a.Roles[1:] // taken away meanwhile
	s.mem.PutAccount(a)
	s.status("role gone", s.call(http.MethodGet, "/api/1/log", token, ""), http.StatusForbidden)
	a.Roles, a.MustChange = []web.Assignment{{Role: web.RoleCSIRT}}, true
	s.mem.PutAccount(a)
	s.status("password given out by somebody else", s.call(http.MethodGet, "/api/1/me", token, ""), http.StatusForbidden)
	a.MustChange = false
	s.mem.PutAccount(a)
	s.status("again", s.call(http.MethodGet, "/api/1/me", token, ""), http.StatusOK)
	a.Suspended = true // by whatever way, the token's own row untouched
	s.mem.PutAccount(a)
	s.status("suspended", s.call(http.MethodGet, "/api/1/me", token, ""), http.StatusUnauthorized)
	a.Suspended = false
	s.mem.PutAccount(a)
	// A pause of the account ends the token for good, and so does a password that somebody else gave out.
	for _, c := range []web.AccountChange{{Suspended: new(bool)}, {MustChange: new(bool)}} {
		token = s.token(id, 1<<web.RoleCSIRT)
		on, off := c, c
		yes := true
		if c.Suspended != nil {
			on.Suspended = &yes
		} else {
			on.MustChange = &yes
		}
		for i, change := range []web.AccountChange{on, off} {
			if err := s.mem.ChangeAccount(t.Context(), id, change, web.Action{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			s.status([]string{"suspended or reset", "and back"}[i], s.call(http.MethodGet, "/api/1/me", token, ""), http.StatusUnauthorized)
		}
	}
}

// RA-3: a role that takes a second factor takes it of programs' accounts too.
func TestTokenNeedsSecondFactor(t *testing.T) {
	s := newAPISite(t, func(c *web.Config) { c.SecondFactor = 1 << web.RoleCSIRT })
	s.status("csirt", s.call(http.MethodGet, "/api/1/me", s.tokens["csirt"], ""), http.StatusForbidden)
	s.status("auditor", s.call(http.MethodGet, "/api/1/me", s.tokens["auditor"], ""), http.StatusOK)
}
