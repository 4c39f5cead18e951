package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"monban/server/web"
	"monban/server/web/webtest"
)

// First run: nobody gets in, no default account exists (RA-3); the console's code makes the first
// account once, within 15 minutes; that account can sign in and sees no names.
func TestSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(webtest.Memory)
		webtest.Sample(m, time.Now())
		h, err := web.New(web.Config{Site: "x", Zone: tokyo, Cost: cheap}, m.Sources())
		if err != nil {
			t.Fatal(err)
		}
		s := &site{T: t, h: h, mem: m}
		for _, path := range []string{"/", "/live", "/login"} {
			if res := s.get(path, ""); res.Header.Get("Location") != "/setup" {
				t.Errorf("%s before set-up: %s %s", path, res.Status, res.Header.Get("Location"))
			}
		}
		for _, name := range []string{"admin", "root", "monban"} {
			for _, password := range []string{"", "admin", "password", "monban"} {
				res := s.post("/login", "", url.Values{"name": {name}, "password": {password}})
				if cookie(res) != "" || res.StatusCode == http.StatusSeeOther {
					t.Errorf("%s/%s gets in", name, password)
				}
			}
		}
		code, hash := web.NewSetupCode()
		m.PutSetupCode(hash, time.Now())
		form := url.Values{"code": {"AAAA-BBBB-CCCC"}, "name": {"admin-1"}, "full_name": {"﨑山 健太"}, "password": {goodPassword}, "repeat": {goodPassword}}
		with := func(k, v string) url.Values {
			f := url.Values{}
			for key, val := range form {
				f[key] = val
			}
			f.Set(k, v)
			return f
		}
		time.Sleep(5 * time.Minute) // the address's bucket is full again
		s.status("wrong code", s.post("/setup", "", form), 422)
		form.Set("code", strings.ToLower(code))
		s.status("short password", s.post("/setup", "", with("password", "short")), 422)
		s.status("differing passwords", s.post("/setup", "", with("repeat", "something else")), 422)
		s.status("bad name", s.post("/setup", "", with("name", "髙橋")), 422)
		s.status("no name", s.post("/setup", "", with("full_name", " ")), 422)
		if len(m.Actions()) != 12 { // the twelve refused logins
			t.Errorf("leaves %v", s.kinds(0))
		}
		time.Sleep(11 * time.Minute)
		s.status("too old", s.post("/setup", "", form), 422)
		m.PutSetupCode(hash, time.Now())
		n := len(m.Actions())
		res := s.post("/setup", "", form)
		s.status("set-up", res, 303)
		if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionSetup}) {
			t.Errorf("leaves %v", got)
		}
		s.status("again", s.post("/setup", "", form), 403)
		res = s.post("/login", "", url.Values{"name": {"ADMIN-1"}, "password": {goodPassword}})
		s.status("login", res, 303)
		doc := text(t, s.get("/live", cookie(res)))
		if strings.Contains(doc, webtest.Takahashi.Name) || !strings.Contains(doc, "人物 #") {
			t.Error("the first administrator sees names")
		}
	})
}

// RA-3, RA-4: a good login and a bad one are one leaf each; whatever is wrong, the answer is the
// same; the cookie's token is not in the store.
func TestLogin(t *testing.T) {
	s := newSite(t, nil)
	on := true
	if err := s.mem.ChangeAccount(t.Context(), accountID(web.RoleReviewer), web.AccountChange{Suspended: &on}, web.Action{}); err != nil {
		t.Fatal(err)
	}
	var answers []string
	for _, c := range []struct{ name, password, target string }{
		{"csirt", "wrong", accountID(web.RoleCSIRT)}, {"nobody", goodPassword, ""}, {"reviewer", goodPassword, accountID(web.RoleReviewer)},
		{"", "", ""}, {"csirt", goodPassword + strings.Repeat(" ", 300), accountID(web.RoleCSIRT)},
	} {
		n := len(s.mem.Actions())
		res := s.post("/login", "", url.Values{"name": {c.name}, "password": {c.password}, "next": {"/log"}})
		s.status(c.name, res, 422)
		doc := strings.ReplaceAll(text(t, res), `value="`+c.name+`"`, "")
		answers = append(answers, regexp.MustCompile(`\d\d:\d\d:\d\d`).ReplaceAllString(doc, ""))
		if a := s.mem.Actions()[n:]; len(a) != 1 || a[0].Kind != web.ActionLoginFailed || a[0].Target != c.target || a[0].Actor != "" || cookie(res) != "" {
			t.Errorf("%q: leaves %+v", c.name, a)
		}
	}
	if len(slices.Compact(answers)) != 1 {
		t.Error("the answers tell what was wrong")
	}
	n := len(s.mem.Actions())
	res := s.post("/login", "", url.Values{"name": {"CSIRT"}, "password": {goodPassword}, "next": {"/log?result=denied"}})
	s.status("login", res, 303)
	if to := res.Header.Get("Location"); to != "/log?result=denied" {
		t.Errorf("goes to %s", to)
	}
	if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionLogin}) {
		t.Errorf("leaves %v", got)
	}
	token := strings.TrimPrefix(cookie(res), "monban_session=")
	sum := sha256.Sum256([]byte(token))
	if got := s.mem.SessionHashes(); len(got) != 1 || got[0] != base64.RawURLEncoding.EncodeToString(sum[:]) || strings.Contains(got[0], token) {
		t.Errorf("stored %v for token %s", got, token)
	}
	again := s.ask(request(http.MethodPost, "/login", cookie(res), url.Values{"name": {"csirt"}, "password": {goodPassword}}))
	if cookie(again) == cookie(res) || s.mem.SessionCount() != 1 {
		t.Error("a second login keeps the first token")
	}
	// Without the leaf there is no login.
	s.mem.FailAudit = errors.New("disk full")
	res = s.post("/login", "", url.Values{"name": {"csirt"}, "password": {goodPassword}})
	if s.status("login without a leaf", res, 500); cookie(res) != "" {
		t.Error("a session was given out")
	}
}

// RA-3: guesses are throttled per account and per address, say how long to wait, and are leaves.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		try := func(name, password, address string) *http.Response {
			r := request(http.MethodPost, "/login", "", url.Values{"name": {name}, "password": {password}})
			r.RemoteAddr = address + ":1"
			return s.ask(r)
		}
		for i := range 5 {
			s.status("try", try("csirt", "wrong", "192.0.2."+string(rune('1'+i))), 422)
		}
		n := len(s.mem.Actions())
		res := try("CSIRT", goodPassword, "192.0.2.99") // another address, other capitals, even the right password
		if s.status("sixth", res, 429); res.Header.Get("Retry-After") != "60" || !strings.Contains(text(t, res), "60秒後") {
			t.Errorf("Retry-After %q", res.Header.Get("Retry-After"))
		}
		if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionLoginThrottled}) {
			t.Errorf("leaves %v", got)
		}
		s.status("another account", try("auditor", goodPassword, "192.0.2.99"), 303)
		time.Sleep(time.Minute)
		s.status("after a minute", try("csirt", goodPassword, "192.0.2.99"), 303)
		s.status("the bucket is full again", try("csirt", "wrong", "192.0.2.99"), 422)
		// 1,000 guesses a minute from one address: few are looked at.
		looked := 0
		for range 1000 {
			if try("x"+time.Now().String(), "wrong", "198.51.100.1").StatusCode != 429 {
				looked++
			}
			time.Sleep(60 * time.Millisecond)
		}
		if looked > 20+10+1 {
			t.Errorf("%d of 1000 guesses were looked at", looked)
		}
	})
}

// Sessions end after 15 idle minutes and after 12 hours in any case; the page's own fetches are no
// activity.
func TestSessionExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		alive := func(c string) bool { return s.get("/me", c).StatusCode == 200 }
		c := s.login("csirt")
		for range 11 {
			time.Sleep(14 * time.Minute)
			if !alive(c) {
				t.Fatal("an active session ended")
			}
		}
		for range 3 {
			time.Sleep(5 * time.Minute)
			s.get("/live/fragment", c)
			s.get("/live?auto=1", c)
		}
		res := s.get("/me", c)
		if to := res.Header.Get("Location"); to != "/login?next=%2Fme&why=expired" {
			t.Errorf("an idle session lives on the page's own fetches: %s %s", res.Status, to)
		}
		if doc := text(t, s.get("/login?why=expired", "")); !strings.Contains(doc, "15分間") {
			t.Error("the login page does not say why")
		}
		s.status("fragment", s.get("/live/fragment", c), 401)

		c = s.login("csirt")
		for range 12 * 6 {
			time.Sleep(10*time.Minute - time.Second)
			if !alive(c) {
				t.Fatal("ended before 12 hours")
			}
		}
		time.Sleep(2 * time.Minute)
		if alive(c) {
			t.Error("lives longer than 12 hours")
		}
	})
}

// A session dies with its account, at once, and with a password change elsewhere.
func TestSessionDiesWithAccount(t *testing.T) {
	s := newSite(t, nil)
	boss, victim := s.login("ciso"), s.login("auditor")
	n := len(s.mem.Actions())
	path := "/accounts/" + accountID(web.RoleAuditor)
	s.status("no reason", s.post(path+"/suspend", boss, url.Values{"reason": {" "}}), 422)
	s.status("own account", s.post("/accounts/"+accountID(web.RoleCISO)+"/suspend", boss, url.Values{"reason": {"x"}}), 422)
	s.status("nobody", s.post("/accounts/NOBODY/suspend", boss, url.Values{"reason": {"x"}}), 404)
	s.status("suspend", s.post(path+"/suspend", boss, url.Values{"reason": {"退職"}}), 303)
	a := s.mem.Actions()[n:]
	if len(a) != 1 || a[0].Kind != web.ActionAccountSuspended || a[0].Reason != "退職" || a[0].Actor != accountID(web.RoleCISO) || a[0].Target != accountID(web.RoleAuditor) {
		t.Errorf("leaves %+v", a)
	}
	s.status("page of the suspended", s.get("/log", victim), 303)
	s.status("login of the suspended", s.post("/login", "", url.Values{"name": {"auditor"}, "password": {goodPassword}}), 422)
	s.status("resume", s.post(path+"/resume", boss, url.Values{"reason": {"復職"}}), 303)
	s.status("the old session stays dead", s.get("/log", victim), 303)
	s.status("login of the resumed", s.post("/login", "", url.Values{"name": {"auditor"}, "password": {goodPassword}}), 303)
	// A forgotten password: a new one, shown once, to be changed; the sessions end.
	victim, n = s.login("auditor"), len(s.mem.Actions())
	s.status("reset without a reason", s.post(path+"/reset", boss, nil), 422)
	s.status("reset of the own", s.post("/accounts/"+accountID(web.RoleCISO)+"/reset", boss, url.Values{"reason": {"x"}}), 422)
	s.status("reset of nobody", s.post("/accounts/NOBODY/reset", boss, url.Values{"reason": {"x"}}), 404)
	res := s.post(path+"/reset", boss, url.Values{"reason": {"本人の申出"}})
	m := regexp.MustCompile(`password-once mono">([a-z2-7-]{19})<`).FindStringSubmatch(text(t, res))
	if a := s.mem.Actions()[n:]; m == nil || len(a) != 1 || a[0].Kind != web.ActionPasswordReset || a[0].Reason != "本人の申出" {
		t.Fatalf("password %v, leaves %+v", m, a)
	}
	s.status("session after the reset", s.get("/log", victim), 303)
	s.status("old password", s.post("/login", "", url.Values{"name": {"auditor"}, "password": {goodPassword}}), 422)
	s.status("new password", s.post("/login", "", url.Values{"name": {"auditor"}, "password": {m[1]}}), 303)
	// Suspended behind the pages' back (another process): the next request sees it.
	victim = s.login("reviewer")
	on := true
	if err := s.mem.ChangeAccount(t.Context(), accountID(web.RoleReviewer), web.AccountChange{Suspended: &on}, web.Action{}); err != nil {
		t.Fatal(err)
	}
	s.status("suspended elsewhere", s.get("/log", victim), 303)
}

// A new account gets a password once, must change it before anything else, and then has its role.
func TestNewAccount(t *testing.T) {
	s := newSite(t, nil)
	boss := s.login("chief_security_officer")
	form := url.Values{"name": {"watanabe"}, "full_name": {"渡邉 さくら"}, "role": {"auditor"}, "until": {"2999-03-31"}}
	for k, v := range map[string]string{"name": "渡邉", "full_name": "a\x00b", "role": "none", "until": "2020-01-01"} {
		bad := url.Values{"name": form["name"], "full_name": form["full_name"], "role": form["role"], "until": form["until"]}
		bad.Set(k, v)
		s.status("bad "+k, s.post("/accounts", boss, bad), 422)
	}
	taken := url.Values{"name": {"CSIRT"}, "full_name": {"x"}, "role": {"auditor"}}
	s.status("taken name", s.post("/accounts", boss, taken), 422)
	n := len(s.mem.Actions())
	res := s.post("/accounts", boss, form)
	doc := text(t, res)
	s.status("create", res, 200)
	m := regexp.MustCompile(`password-once mono">([a-z2-7-]{19})<`).FindStringSubmatch(doc)
	if m == nil {
		t.Fatal("no password shown")
	}
	given := m[1]
	if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionAccountCreated, web.ActionRoleAsked}) {
		t.Errorf("leaves %v", got)
	}
	s.agreeAll("system_administrator")
	if strings.Contains(text(t, s.get("/accounts", boss)), given) || strings.Contains(s.log.String(), given) {
		t.Error("the password is shown or kept again")
	}
	res = s.post("/login", "", url.Values{"name": {"watanabe"}, "password": {given}})
	c := cookie(res)
	for _, path := range []string{"/", "/log", "/live"} {
		if res := s.get(path, c); res.Header.Get("Location") != "/me?why=must_change" {
			t.Errorf("%s with a given password: %s", path, res.Status)
		}
	}
	s.status("events", s.get("/events", c), 403)
	change := func(current, password, repeat string) *http.Response {
		return s.post("/me/password", c, url.Values{"current": {current}, "password": {password}, "repeat": {repeat}})
	}
	s.status("wrong current", change("x", goodPassword, goodPassword), 422)
	s.status("same", change(given, given, given), 422)
	s.status("short", change(given, "short", "short"), 422)
	other := s.post("/login", "", url.Values{"name": {"watanabe"}, "password": {given}})
	n = len(s.mem.Actions())
	s.status("change", change(given, goodPassword, goodPassword), 303)
	if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionPasswordChanged}) {
		t.Errorf("leaves %v", got)
	}
	s.status("log", s.get("/log", c), 200)
	s.status("the other session is gone", s.get("/me", cookie(other)), 303)
	s.status("the given password is gone", s.post("/login", "", url.Values{"name": {"watanabe"}, "password": {given}}), 422)
}

// agreeAll has another account agree to all that waits for a second person.
func (s *site) agreeAll(name string) {
	s.Helper()
	second := s.login(name)
	list, err := s.mem.OpenRequests(s.Context())
	if err != nil || len(list) == 0 {
		s.Fatalf("nothing waits: %v", err)
	}
	for _, q := range list {
		s.status("agree", s.post("/accounts/requests/"+q.ID+"/agree", second, nil), 303)
	}
}

// My page: one's own sessions can be ended, other people's cannot be named.
func TestRevoke(t *testing.T) {
	s := newSite(t, nil)
	mine, second, third, stranger := s.login("reception"), s.login("reception"), s.login("reception"), s.login("auditor")
	hash := func(cookie string) string {
		sum := sha256.Sum256([]byte(strings.TrimPrefix(cookie, "monban_session=")))
		return base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if doc := text(t, s.get("/me", mine)); strings.Count(doc, `name="session"`) != 3 || strings.Contains(doc, hash(stranger)) {
		t.Error("the list of sessions is wrong")
	}
	s.status("a stranger's", s.post("/me/sessions/revoke", mine, url.Values{"session": {hash(stranger)}}), 404)
	s.status("stranger lives", s.get("/me", stranger), 200)
	n := len(s.mem.Actions())
	s.status("one", s.post("/me/sessions/revoke", mine, url.Values{"session": {hash(second)}}), 303)
	if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionSessionRevoked}) {
		t.Errorf("leaves %v", got)
	}
	s.status("it is gone", s.get("/me", second), 303)
	s.status("others", s.post("/me/sessions/revoke", mine, url.Values{"session": {"others"}}), 303)
	s.status("third is gone", s.get("/me", third), 303)
	s.status("mine lives", s.get("/me", mine), 200)
	n = len(s.mem.Actions())
	res := s.post("/logout", mine, nil)
	if s.status("logout", res, 303); !slices.Equal(s.kinds(n), []web.ActionKind{web.ActionLogout}) {
		t.Errorf("leaves %v", s.kinds(n))
	}
	s.status("after logout", s.get("/me", mine), 303)
}

// The language is the account's choice, kept, and one leaf.
func TestLanguage(t *testing.T) {
	s := newSite(t, nil)
	c := s.login("reception")
	n := len(s.mem.Actions())
	res := s.post("/language", c, url.Values{"language": {"en"}, "back": {"/live?auto=1"}})
	if s.status("choose", res, 303); res.Header.Get("Location") != "/live?auto=1" || !slices.Equal(s.kinds(n), []web.ActionKind{web.ActionLanguageChanged}) {
		t.Errorf("%s, leaves %v", res.Header.Get("Location"), s.kinds(n))
	}
	if doc := text(t, s.get("/live", c)); !strings.Contains(doc, `<html lang="en">`) {
		t.Error("the choice is not kept")
	}
	s.status("nonsense", s.post("/language", c, url.Values{"language": {"xx"}}), 400)
	if res := s.post("/language", c, url.Values{"language": {"ja"}, "back": {"//evil.example"}}); res.Header.Get("Location") != "/" {
		t.Errorf("goes to %s", res.Header.Get("Location"))
	}
}

// An account that does not exist costs as much time as one whose password is wrong. A factor of five
// is far from what a check saved would make, and far from this machine's moods.
func TestUnknownAccountTakesAsLong(t *testing.T) {
	costly := web.Cost{Time: 1, Memory: 32 << 10, Threads: 1}
	s := newSite(t, func(c *web.Config) {
		c.Cost, c.Throttle = costly, web.Throttle{AccountBurst: 100, AccountEvery: time.Second, AddressBurst: 100, AddressEvery: time.Second}
	})
	phc, err := web.HashPassword(goodPassword, costly)
	if err != nil {
		t.Fatal(err)
	}
	s.mem.PutAccount(web.Account{ID: "K", Name: "known", PasswordHash: phc})
	median := func(name string) time.Duration {
		var took []time.Duration
		for range 7 {
			began := time.Now()
			s.post("/login", "", url.Values{"name": {name}, "password": {"wrong"}})
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[3]
	}
	if known, unknown := median("known"), median("nobody"); unknown < known/5 || known < unknown/5 {
		t.Errorf("known %v, unknown %v", known, unknown)
	}
}

// RA-2: whoever signs in before anybody has agreed to their role is told so.
func TestNoRoleYet(t *testing.T) {
	s := newSite(t, nil)
	phc, _ := web.HashPassword(goodPassword, cheap)
	s.mem.PutAccount(web.Account{ID: "WAITS", Name: "waits", FullName: "渡邉 待", PasswordHash: phc})
	res := s.get("/live", s.login("waits"))
	s.status("without a role", res, http.StatusForbidden)
	if page := text(t, res); !strings.Contains(page, "役割の承認を待っている") {
		t.Error("the page does not say that a role is waiting")
	}
}
