package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

// fakeProvider answers what a test says.
type fakeProvider struct {
	who   web.Identity
	err   error
	asked []web.ProviderAttempt
	fresh bool
	down  error
}

func (f *fakeProvider) Label() string { return "職員ポータル" }

func (f *fakeProvider) Start(_ context.Context, a web.ProviderAttempt, fresh bool) (string, error) {
	f.asked, f.fresh = append(f.asked, a), fresh
	return "https://idp.test/auth?state=" + a.State, f.down
}

func (f *fakeProvider) Finish(_ context.Context, code string, a web.ProviderAttempt) (web.Identity, error) {
	if code != "good" || a != f.asked[len(f.asked)-1] {
		return web.Identity{}, errors.New("another question")
	}
	return f.who, f.err
}

func (s *site) source(name, source string) {
	s.Helper()
	if err := s.mem.ChangeAccount(s.Context(), name, web.AccountChange{Source: &source}, web.Action{}); err != nil {
		s.Fatal(err)
	}
}

// begin goes to the provider and gives the state and the cookie.
func (s *site) begin(p *fakeProvider, query, session string) (state, c string) {
	s.Helper()
	res := s.get("/login/provider"+query, session)
	if res.StatusCode != 303 || !strings.HasPrefix(res.Header.Get("Location"), "https://idp.test/auth") {
		s.Fatalf("to the provider: %s → %s", res.Status, res.Header.Get("Location"))
	}
	return p.asked[len(p.asked)-1].State, named(res, "monban_provider")
}

func (s *site) back(state, code, cookies string) *http.Response {
	s.Helper()
	return s.post("/login/provider", cookies, url.Values{"state": {state}, "code": {code}})
}

// RA-3: a provider lets in whom it names, if it is an account that signs in this way; it never makes one, gives no
// right, and the answer counts once, in the browser that asked.
func TestProvider(t *testing.T) {
	p := &fakeProvider{who: web.Identity{Issuer: "https://idp.test", Subject: "s-1", Login: "CSIRT"}}
	s := newSite(t, func(c *web.Config) {
		c.Provider = p
		c.Throttle = web.Throttle{AccountBurst: 1e6, AccountEvery: time.Second, AddressBurst: 1e6, AddressEvery: time.Second}
	})
	csirt := accountID(web.RoleCSIRT)
	state, c := s.begin(p, "?next=/log", "")
	s.status("an account with a password here", s.back(state, "good", c), 422)
	s.source(csirt, web.SourceProvider)
	n := len(s.mem.Actions())

	state, c = s.begin(p, "?next=/log", "")
	page := text(t, s.get("/login/provider/back?code=good&state="+state, c))
	if !strings.Contains(page, `value="`+state+`"`) || !strings.Contains(page, `action="/login/provider"`) || len(s.kinds(n)) != 0 {
		t.Error("coming back changes something, or leads nowhere")
	}
	for what, x := range map[string][3]string{
		"another state": {"other", "good", c}, "no state": {"", "good", c}, "another browser": {state, "good", ""}, "another code": {state, "bad", c},
	} {
		state2, c2 := s.begin(p, "", "")
		if x[2] == c {
			x[2] = c2
		}
		if x[0] == state {
			x[0] = state2
		}
		if res := s.back(x[0], x[1], x[2]); res.StatusCode != 422 || cookie(res) != "" {
			t.Errorf("%s: %s", what, res.Status)
		}
	}
	state, c = s.begin(p, "?next=/log", "")
	n = len(s.mem.Actions())
	res := s.back(state, "good", c)
	if s.status("the right one", res, 303); res.Header.Get("Location") != "/log" || cookie(res) == "" {
		t.Errorf("→ %s", res.Header.Get("Location"))
	}
	if got, want := s.kinds(n), []web.ActionKind{web.ActionIdentityLinked, web.ActionLogin}; !slices.Equal(got, want) {
		t.Errorf("leaves %v, want %v", got, want)
	}
	s.status("the same answer again", s.back(state, "good", c), 422)
	again := func() *http.Response {
		state, c := s.begin(p, "", "")
		return s.back(state, "good", c)
	}
	// The subject counts from now on, not the name.
	p.who.Login = "somebody-else"
	s.status("under a new name", again(), 303)
	p.who = web.Identity{Issuer: "https://idp.test", Subject: "s-2", Login: "csirt"}
	s.status("another subject with the old name", again(), 422)
	p.who = web.Identity{Issuer: "https://idp.test", Subject: "s-3", Login: "newcomer"}
	before, _ := s.mem.ListAccounts(t.Context())
	s.status("nobody's name", again(), 422)
	if after, _ := s.mem.ListAccounts(t.Context()); len(after) != len(before) {
		t.Error("an account was made")
	}
	for what, who := range map[string]web.Identity{"nobody": {}, "no subject": {Issuer: "https://idp.test", Login: "csirt"}, "no issuer": {Subject: "s-1", Login: "csirt"}} {
		p.who = who
		s.status(what, again(), 422)
	}
	p.who = web.Identity{Issuer: "https://idp.test", Subject: "s-1"}
	on := true
	if err := s.mem.ChangeAccount(t.Context(), csirt, web.AccountChange{Suspended: &on}, web.Action{}); err != nil {
		t.Fatal(err)
	}
	s.status("a suspended account", again(), 422)
	s.status("its old password", s.post("/login", "", url.Values{"name": {"csirt"}, "password": {goodPassword}}), 422)
	p.down = errors.New("away")
	if res := s.get("/login/provider", ""); res.StatusCode != 422 || named(res, "monban_provider") != "" {
		t.Errorf("a provider that is away: %s", res.Status)
	}
}

// RA-3, D28: a second factor here is asked for unless the provider says that it asked; a fresh check by the provider
// has to be fresh and of the same account.
func TestProviderFactors(t *testing.T) {
	p := &fakeProvider{who: web.Identity{Issuer: "https://idp.test", Subject: "s-1", Login: "csirt"}}
	s := newSite(t, func(c *web.Config) { c.Provider, c.SecondFactor, c.PasswordStepUp = p, 1<<web.RoleCSIRT, false })
	s.source(accountID(web.RoleCSIRT), web.SourceProvider)
	login := func() *http.Response {
		state, c := s.begin(p, "", "")
		return s.back(state, "good", c)
	}
	if res := s.get("/log", cookie(login())); res.Header.Get("Location") != "/me/factors" {
		t.Errorf("without a second factor: %s → %s", res.Status, res.Header.Get("Location"))
	}
	p.who.Strong = true
	c := cookie(login())
	s.status("with the provider's", s.get("/log", c), 200)
	p.who.Strong = false
	plain := cookie(login())
	order := func() string { return s.ordered(plain, "server-room-2", "remote_unlock").Header.Get("Location") }
	if order(); len(s.commands()) != 0 {
		t.Error("a plain sign-in orders a door")
	}
	step := func() *http.Response {
		state, c := s.begin(p, "?for=step-up&next=/commands", plain)
		if !p.fresh {
			t.Error("the provider is not asked to check again")
		}
		return s.back(state, "good", plain+"; "+c)
	}
	p.who.At = time.Time{}
	s.status("it does not say when", step(), 422)
	p.who.At = time.Now().Add(-6 * time.Minute)
	s.status("long ago", step(), 422)
	p.who.At = time.Now()
	p.who.Subject = "s-9"
	s.status("somebody else", step(), 422)
	p.who.Subject = "s-1"
	n := len(s.mem.Actions())
	if res := step(); res.Header.Get("Location") != "/commands" || !slices.Equal(s.kinds(n), []web.ActionKind{web.ActionStepUp}) {
		t.Errorf("→ %s, leaves %v", res.Header.Get("Location"), s.kinds(n))
	}
}

type fakeDirectory struct {
	passwords map[string]string
	err       error
	asked     int
}

func (f *fakeDirectory) Verify(_ context.Context, name, password string) (bool, error) {
	f.asked++
	return f.err == nil && f.passwords[name] == password, f.err // a name it does not know, and "", is yes: as bad as can be
}

// RA-3: an account of the directory signs in by its password there and by no other; no password of an account of ours
// goes there, an empty one neither; a directory that is away lets nobody in.
func TestDirectory(t *testing.T) {
	dir := &fakeDirectory{passwords: map[string]string{"auditor": "directory password"}}
	s := newSite(t, func(c *web.Config) {
		c.Directory = dir
		c.Throttle = web.Throttle{AccountBurst: 1e6, AccountEvery: time.Second, AddressBurst: 1e6, AddressEvery: time.Second}
	})
	s.source(accountID(web.RoleAuditor), web.SourceDirectory)
	try := func(name, password string) *http.Response {
		return s.post("/login", "", url.Values{"name": {name}, "password": {password}})
	}
	s.status("an account of ours, wrong password", try("csirt", "wrong"), 422)
	s.status("nobody", try("nobody", ""), 422)
	if dir.asked != 0 {
		t.Error("the directory learns passwords of others")
	}
	s.status("the old password here", try("auditor", goodPassword), 422)
	asked := dir.asked
	delete(dir.passwords, "auditor")
	if s.status("an empty password", try("auditor", ""), 422); dir.asked != asked {
		t.Error("an empty password went to the directory")
	}
	dir.passwords["auditor"] = "directory password"
	res := try("auditor", "directory password")
	s.status("right", res, 303)
	c := cookie(res)
	s.status("a page", s.get("/log", c), 200)
	s.status("its password is not changed here", s.post("/me/password", c, url.Values{"current": {"directory password"}, "password": {goodPassword}, "repeat": {goodPassword}}), 403)
	dir.err = errors.New("away")
	n := len(s.mem.Actions())
	res = try("auditor", "directory password")
	if s.status("away", res, 422); !strings.Contains(text(t, res), "接続できません") || cookie(res) != "" {
		t.Error("the page does not say that the directory is away")
	}
	if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionLoginFailed}) {
		t.Errorf("leaves %v", got)
	}
	// Back to a password here: shown once, the old one of the directory is worth nothing.
	dir.err = nil
	boss := s.login("ciso")
	res = s.post("/accounts/"+accountID(web.RoleAuditor)+"/source", boss, url.Values{"source": {""}, "reason": {"移行中止"}})
	if s.status("source", res, 200); !strings.Contains(text(t, res), "password-once") {
		t.Error("no password is given out")
	}
	s.status("the directory's password", try("auditor", "directory password"), 422)
	s.status("a source that is not there", s.post("/accounts/"+accountID(web.RoleAuditor)+"/source", boss, url.Values{"source": {"oidc"}, "reason": {"x"}}), 400)
}
