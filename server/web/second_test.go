package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"monban/server/factor"
	"monban/server/web"
)

// secretOf reads the secret off the set-up page, as a person without a camera does.
func (s *site) secretOf(page string) []byte {
	s.Helper()
	m := regexp.MustCompile(`mono secret">([A-Z2-7 ]+)<`).FindStringSubmatch(page)
	if m == nil {
		s.Fatalf("no secret on the page: %.300s", page)
	}
	secret, err := decodeSecret(m[1])
	if err != nil {
		s.Fatal(err)
	}
	return secret
}

// enrolTOTP sets one-time codes up on the pages and gives the secret and the recovery codes.
func (s *site) enrolTOTP(cookie string) (secret []byte, codes []string) {
	s.Helper()
	s.status("begin", s.post("/me/factors/totp", cookie, nil), 303)
	secret = s.secretOf(text(s, s.get("/me/factors/totp", cookie)))
	res := s.post("/me/factors/totp/confirm", cookie, url.Values{"code": {factor.Code(secret, factor.Step(time.Now()))}})
	page := text(s, res)
	s.status("confirm", res, 200)
	for _, m := range regexp.MustCompile(`<li>([a-z2-7-]{19})</li>`).FindAllStringSubmatch(page, -1) {
		codes = append(codes, m[1])
	}
	if len(codes) != factor.RecoveryCodes {
		s.Fatalf("%d recovery codes on the page", len(codes))
	}
	return secret, codes
}

// half gives the cookie of a login whose password was right.
func (s *site) half(name string) string {
	s.Helper()
	res := s.post("/login", "", url.Values{"name": {name}, "password": {goodPassword}, "next": {"/log"}})
	if res.StatusCode != 303 || res.Header.Get("Location") != "/login/second" || cookie(res) != "" {
		s.Fatalf("the password alone: %s → %s, session %q", res.Status, res.Header.Get("Location"), cookie(res))
	}
	return named(res, "monban_second")
}

func named(res *http.Response, name string) string {
	for _, c := range res.Cookies() {
		if c.Name == name {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// RA-3, RA-4: the password alone opens nothing once there are one-time codes; a code works once, whichever session
// uses it; each outcome is one leaf without a secret.
func TestOneTimeCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		n := len(s.mem.Actions())
		mine := s.login("csirt")
		secret, _ := s.enrolTOTP(mine)
		if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionLogin, web.ActionTOTPSet, web.ActionCodesMade}) {
			t.Errorf("leaves %v", got)
		}
		n = len(s.mem.Actions())
		code := func() string { return factor.Code(secret, factor.Step(time.Now())) }
		set := code()
		half := s.half("csirt")
		for _, path := range []string{"/log", "/me", "/me/factors", "/step-up"} {
			if res := s.get(path, half); res.StatusCode != 303 || !strings.HasPrefix(res.Header.Get("Location"), "/login") {
				t.Errorf("%s half signed in: %s → %s", path, res.Status, res.Header.Get("Location"))
			}
		}
		try := func(half, code string) *http.Response {
			return s.post("/login/second", half, url.Values{"code": {code}})
		}
		s.status("the code that was typed at set-up", try(half, set), 422)
		time.Sleep(factor.Period)
		s.status("a wrong code", try(half, "000000"), 422)
		first := code()
		res := try(half, first)
		if s.status("the right code", res, 303); res.Header.Get("Location") != "/log" || cookie(res) == "" {
			t.Errorf("→ %s", res.Header.Get("Location"))
		}
		s.status("a page", s.get("/log", cookie(res)), 200)
		s.status("the half way is over", try(half, first), 422)
		other := s.half("csirt")
		s.status("the same code in another login", try(other, first), 422)
		time.Sleep(factor.Period)
		s.status("the next code", try(other, code()), 303)
		want := []web.ActionKind{web.ActionSecondFailed, web.ActionSecondFailed, web.ActionLogin, web.ActionViewLog, web.ActionSecondFailed, web.ActionLogin}
		if got := s.kinds(n); !slices.Equal(got, want) {
			t.Errorf("leaves %v, want %v", got, want)
		}
		for _, a := range s.mem.Actions() {
			for _, secretText := range []string{first, factor.Text(secret), strings.ReplaceAll(factor.Text(secret), " ", ""), goodPassword} {
				if strings.Contains(a.Reason+a.Filter+a.Target, secretText) {
					t.Errorf("leaf %s holds a secret", a.Kind)
				}
			}
		}
		if strings.Contains(s.log.String(), first) || strings.Contains(s.log.String(), goodPassword) {
			t.Error("the journal holds a secret")
		}
		// Five minutes are enough to fetch a phone, not more.
		late := s.half("csirt")
		time.Sleep(5*time.Minute + time.Second)
		s.status("too late", try(late, code()), 422)
	})
}

// RA-3: guesses of codes are few: five a password, and then slowly, whatever half-way logins there are.
func TestCodeGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(c *web.Config) {
			c.Throttle = web.Throttle{AccountBurst: 5, AccountEvery: time.Minute, AddressBurst: 1e6, AddressEvery: time.Second}
		})
		secret, _ := s.enrolTOTP(s.login("csirt"))
		half := s.half("csirt")
		for i := range 5 {
			res := s.post("/login/second", half, url.Values{"code": {"000000"}})
			if s.status("a guess", res, 422); (i == 4) != strings.Contains(text(t, res), "最初から") {
				t.Errorf("guess %d: the page does not fit", i+1)
			}
		}
		n := len(s.mem.Actions())
		time.Sleep(time.Minute) // the password's bucket has one more; the codes' has none
		res := s.post("/login/second", s.half("csirt"), url.Values{"code": {factor.Code(secret, factor.Step(time.Now()))}})
		if s.status("the sixth, though right", res, 429); !slices.Contains(s.kinds(n), web.ActionLoginThrottled) {
			t.Errorf("leaves %v", s.kinds(n))
		}
		looked := 0
		for range 24 * 60 {
			time.Sleep(time.Minute)
			if s.post("/login/second", s.half("csirt"), url.Values{"code": {"000000"}}).StatusCode != 429 {
				looked++
			}
		}
		if looked > 24*60/4+5 {
			t.Errorf("%d guesses a day are looked at", looked)
		}
	})
}

// RA-3: a recovery code lets in once, leads to the page where a new factor is made, and opens no more than that.
func TestRecoveryCodes(t *testing.T) {
	s := newSite(t, nil)
	mine := s.login("csirt")
	_, codes := s.enrolTOTP(mine)
	n := len(s.mem.Actions())
	use := func(code string) *http.Response {
		return s.post("/login/second", s.half("csirt"), url.Values{"code": {code}})
	}
	res := use(strings.ToUpper(codes[0]))
	if s.status("a recovery code", res, 303); res.Header.Get("Location") != "/me/factors?why=recovery" {
		t.Errorf("→ %s", res.Header.Get("Location"))
	}
	s.status("the same again", use(codes[0]), 422)
	if got, want := s.kinds(n), []web.ActionKind{web.ActionCodeUsed, web.ActionLogin, web.ActionSecondFailed}; !slices.Equal(got, want) {
		t.Errorf("leaves %v, want %v", got, want)
	}
	c := cookie(res)
	// D28: it is no factor of a fresh check: no door opens by it, but a new phone can be set up.
	if res := s.ordered(c, "server-room-1", "remote_unlock"); res.Header.Get("Location") != "/step-up?next=%2Fcommands" {
		t.Errorf("unlock by a recovery code: %s → %s", res.Status, res.Header.Get("Location"))
	}
	if len(s.commands()) != 0 {
		t.Error("a command was filed")
	}
	s.status("step up by a recovery code", s.post("/step-up", c, url.Values{"password": {goodPassword}, "code": {codes[1]}}), 422)
	s.status("a new secret", s.post("/me/factors/totp", c, nil), 303)
	fresh := s.post("/me/factors/codes", c, nil)
	s.status("new codes", fresh, 200)
	s.status("a code of the old set", use(codes[2]), 422)
	// Another account's code is none.
	other, _ := s.enrolTOTP(s.login("auditor"))
	_ = other
	m := regexp.MustCompile(`<li>([a-z2-7-]{19})</li>`).FindStringSubmatch(text(t, fresh))
	res = s.post("/login", "", url.Values{"name": {"auditor"}, "password": {goodPassword}})
	s.status("another account's recovery code", s.post("/login/second", named(res, "monban_second"), url.Values{"code": {m[1]}}), 422)
}

// RA-3: where a role needs a second factor, nothing but its set-up is open until there is one, on every route.
func TestSecondFactorIsForced(t *testing.T) {
	s := newSite(t, func(c *web.Config) {
		c.SecondFactor = 1<<web.RoleCSIRT | 1<<web.RoleSystemAdmin
		c.Throttle = web.Throttle{AccountBurst: 1e6, AccountEvery: time.Second, AddressBurst: 1e6, AddressEvery: time.Second}
	})
	c := s.login("csirt")
	open := map[string]bool{
		"GET /static/{file...}": true, "GET /setup": true, "POST /setup": true, "GET /login": true, "POST /login": true, "GET /login/second": true,
		"POST /login/second": true, "POST /login/passkey/options": true, "POST /login/passkey": true, "GET /login/provider": true, "GET /login/provider/back": true,
		"POST /login/provider": true, "POST /language": true, "POST /logout": true, "GET /step-up": true, "POST /step-up": true, "GET /me/factors": true,
		"POST /me/factors/passkeys/options": true, "POST /me/factors/passkeys": true, "POST /me/factors/totp": true, "GET /me/factors/totp": true,
		"GET /me/factors/totp/code.svg": true, "POST /me/factors/totp/confirm": true,
		"POST /login/desk": true, "GET /login/desk": true, "GET /login/desk/stage": true, "POST /login/desk/done": true,
		"POST /step-up/desk": true, "GET /step-up/desk": true, "GET /step-up/desk/stage": true, "POST /step-up/desk/done": true,
	}
	for _, p := range probes {
		if open[p.pattern] || strings.HasPrefix(p.pattern, "(") {
			continue
		}
		method := http.MethodGet
		if p.form != nil {
			method = http.MethodPost
		}
		res := s.ask(request(method, p.path, c, p.form))
		if res.StatusCode != 403 && res.Header.Get("Location") != "/me/factors" {
			t.Errorf("%s without a second factor: %s → %s", p.pattern, res.Status, res.Header.Get("Location"))
		}
	}
	if page := text(t, s.get("/me/factors", c)); !strings.Contains(page, "二段階目の確認が必要です") || strings.Contains(page, `href="/live"`) {
		t.Error("the page does not say why, or leads elsewhere")
	}
	s.enrolTOTP(c)
	s.status("the log afterwards", s.get("/log", c), 200)
	s.status("a role without the rule", s.get("/log", s.login("auditor")), 200)
	// The last one stays.
	res := s.post("/me/factors/totp/delete", c, url.Values{"reason": {"x"}})
	if s.status("removing the last", res, 422); !strings.Contains(text(t, res), "最後の") {
		t.Error("the page does not say why")
	}
	s.status("without a reason", s.post("/me/factors/totp/delete", c, nil), 422)
}

// D28: what a desk left open must not do needs a fresh check, once for a review session, by what the account has.
func TestStepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(c *web.Config) { c.PasswordStepUp = false })
		c := s.login("csirt")
		if res := s.ordered(c, "server-room-2", "remote_unlock"); res.Header.Get("Location") != "/step-up?next=%2Fcommands" {
			t.Errorf("with a password alone: %s → %s", res.Status, res.Header.Get("Location"))
		}
		if page := text(t, s.get("/commands", c)); strings.Contains(page, `action="/commands"`) || !strings.Contains(page, `href="/step-up?next=/commands"`) {
			t.Error("the page offers what it will refuse")
		}
		res := s.post("/step-up", c, url.Values{"password": {goodPassword}, "next": {"/commands"}})
		s.status("the password again", res, 303) // good for one's own factors
		if res := s.ordered(c, "server-room-2", "remote_unlock"); res.StatusCode != 303 || len(s.commands()) != 0 {
			t.Error("the password alone orders a door")
		}
		secret, _ := s.enrolTOTP(c)
		s.status("with password and code just now", s.ordered(c, "server-room-2", "remote_unlock"), 303)
		if len(s.commands()) != 1 {
			t.Fatal("nothing was ordered")
		}
		time.Sleep(14 * time.Minute)
		s.get("/me", c)
		s.ordered(c, "server-room-1", "remote_unlock")
		if len(s.commands()) != 2 {
			t.Error("asked twice in one review session")
		}
		time.Sleep(2 * time.Minute)
		s.ordered(c, "server-room-1", "remote_unlock")
		if len(s.commands()) != 2 {
			t.Error("a fresh check holds for ever")
		}
		n := len(s.mem.Actions())
		code := factor.Code(secret, factor.Step(time.Now()))
		for name, f := range map[string]url.Values{"no code": {"password": {goodPassword}}, "no password": {"code": {code}},
			"wrong password": {"password": {"x"}, "code": {code}}, "wrong code": {"password": {goodPassword}, "code": {"000000"}}} {
			s.status(name, s.post("/step-up", c, f), 422)
		}
		res = s.post("/step-up", c, url.Values{"password": {goodPassword}, "code": {code}, "next": {"//evil.example"}})
		if s.status("both", res, 303); res.Header.Get("Location") != "/" {
			t.Errorf("leads to %s", res.Header.Get("Location"))
		}
		want := []web.ActionKind{web.ActionStepUpFailed, web.ActionStepUpFailed, web.ActionStepUpFailed, web.ActionStepUpFailed, web.ActionStepUp}
		if got := s.kinds(n); !slices.Equal(got, want) {
			t.Errorf("leaves %v, want %v", got, want)
		}
		s.ordered(c, "server-room-1", "remote_unlock")
		if len(s.commands()) != 3 {
			t.Error("a fresh check counts for nothing")
		}
		time.Sleep(time.Hour)
		for range 5 {
			s.post("/login", "", nil)
		}
		// It belongs to one session.
		s.status("the session", s.get("/me", c), 303)
	})
}

// RA-3: every route that opens doors or changes accounts asks for a fresh check.
func TestStepUpRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		cookies := map[string]string{"/commands": s.login("csirt"), "/accounts": s.login("ciso"), "/me/factors": s.login("csirt")}
		time.Sleep(14 * time.Minute)
		for _, c := range cookies {
			s.get("/me", c)
		}
		time.Sleep(2 * time.Minute)
		for _, p := range probes {
			if p.form == nil || strings.HasSuffix(p.path, "/withdraw") || strings.HasSuffix(p.path, "/sessions/end") || strings.HasSuffix(p.path, "/confirm") && strings.HasPrefix(p.path, "/commands") {
				continue
			}
			for back, c := range cookies {
				if !strings.HasPrefix(p.path, back) {
					continue
				}
				res := s.post(p.path, c, p.form)
				if to := res.Header.Get("Location"); to != "/step-up?next="+url.QueryEscape(back) {
					t.Errorf("%s: %s → %s", p.pattern, res.Status, to)
				}
			}
		}
	})
}

// The picture of the secret is never stored, and only its owner sees it, while it is being set up.
func TestQRCode(t *testing.T) {
	s := newSite(t, nil)
	c, stranger := s.login("csirt"), s.login("csirt")
	s.status("before", s.get("/me/factors/totp/code.svg", c), 404)
	s.post("/me/factors/totp", c, nil)
	res := s.get("/me/factors/totp/code.svg", c)
	if s.status("picture", res, 200); res.Header.Get("Content-Type") != "image/svg+xml" || res.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(text(t, res), "<svg") {
		t.Errorf("headers %v", res.Header)
	}
	s.status("another session of the same account", s.get("/me/factors/totp/code.svg", stranger), 404)
	s.status("a wrong code", s.post("/me/factors/totp/confirm", c, url.Values{"code": {"000000"}}), 422)
	if _, err := s.mem.TOTP(t.Context(), accountID(web.RoleCSIRT)); err == nil {
		t.Error("a secret nobody confirmed counts")
	}
}

// RA-2: rights are given by two; whoever asks or gets them is not the second; taking away takes one.
func TestFourEyesRoles(t *testing.T) {
	s := newSite(t, nil)
	boss, admin := s.login("ciso"), s.login("system_administrator")
	target := accountID(web.RoleApplicant)
	path := "/accounts/" + target
	n := len(s.mem.Actions())
	ask := func(c, path string, role string) *http.Response {
		return s.post(path+"/roles", c, url.Values{"role": {role}, "reason": {"異動"}, "zone": {"server-room"}})
	}
	s.status("to oneself", ask(boss, "/accounts/"+accountID(web.RoleCISO), "auditor"), 422)
	s.status("no such role", ask(boss, path, "emperor"), 422)
	s.status("no reason", s.post(path+"/roles", boss, url.Values{"role": {"auditor"}}), 422)
	s.status("nobody", ask(boss, "/accounts/NOBODY", "auditor"), 404)
	s.status("asked", ask(boss, path, "auditor"), 303)
	list, _ := s.mem.OpenRequests(t.Context())
	if len(list) != 1 {
		t.Fatalf("%d requests", len(list))
	}
	roles := func() int {
		a, _ := s.mem.AccountByID(t.Context(), target)
		return len(a.Roles)
	}
	agree := "/accounts/requests/" + list[0].ID + "/agree"
	res := s.post(agree, boss, nil)
	if s.status("by the same", res, 422); !strings.Contains(text(t, res), "承認できません") || roles() != 1 {
		t.Error("given by one person")
	}
	s.status("by a second", s.post(agree, admin, nil), 303)
	if roles() != 2 {
		t.Error("not given by two")
	}
	s.status("again", s.post(agree, admin, nil), 422)
	want := []web.ActionKind{web.ActionRoleAsked, web.ActionRoleGranted}
	if got := s.kinds(n); !slices.Equal(got, want) {
		t.Errorf("leaves %v, want %v", got, want)
	}
	if a := s.mem.Actions()[n+1]; a.Actor != accountID(web.RoleSystemAdmin) || a.Target != target || a.Reason != "異動" || !strings.Contains(a.Filter, "auditor") {
		t.Errorf("leaf %+v", a)
	}
	m := regexp.MustCompile(`<option value="(auditor server-room \d+)">`).FindStringSubmatch(text(t, s.get("/accounts", boss)))
	if m == nil {
		t.Fatal("the page does not offer to take the role away")
	}
	s.status("taken away by one", s.post(path+"/roles/remove", boss, url.Values{"role": {m[1]}, "reason": {"終了"}}), 303)
	a, _ := s.mem.AccountByID(t.Context(), target)
	if len(a.Roles) != 2 || a.Roles[1].Until.IsZero() || a.Roles[1].Until.After(time.Now()) { // it ends and stays in the list (RA-2)
		t.Errorf("not ended: %+v", a.Roles)
	}
	if strings.Contains(text(t, s.get("/accounts", boss)), m[1]) {
		t.Error("still offered")
	}
	// A lost phone: by two persons, and the sessions end.
	victim := s.login("applicant")
	s.enrolTOTP(victim)
	s.status("reset asked", s.post(path+"/factors", boss, url.Values{"reason": {"紛失"}}), 303)
	s.status("still protected", s.get("/me", victim), 200)
	s.agreeAll("system_administrator")
	s.status("its session", s.get("/me", victim), 303)
	s.status("its login needs no code", s.get("/me", s.login("applicant")), 200)
}

// D28: a form of an act that adds rights asks before anybody types, and comes back to itself; an act that is sent all the same asks, and
// nothing is done.
func TestRightsAskWhoIsThere(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.PasswordStepUp = false })
	keeper := s.login("zone_manager")
	want := func(next string) string { return "/step-up?" + url.Values{"next": {next}}.Encode() }
	for path, next := range map[string]string{"/people/+new?purpose=x": "/people/+new?purpose=x", "/grants/+new": "/grants/+new"} {
		if to := s.get(path, keeper).Header.Get("Location"); to != want(next) {
			t.Errorf("%s leads to %q", path, to)
		}
	}
	n := len(s.mem.Actions())
	for path, next := range map[string]string{"/visits/visit-2026-00001/approve": "/visits/visit-2026-00001", "/permits/permit-2026-00005/approve": "/applications", "/grants": "/grants", "/people/1001/start": "/people"} {
		if to := s.post(path, keeper, url.Values{"reason": {"x"}}).Header.Get("Location"); to != want(next) {
			t.Errorf("%s leads to %q", path, to)
		}
	}
	if got := len(s.mem.Actions()); got != n {
		t.Errorf("%d acts without a check", got-n)
	}
}
