package web_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/server/web"
	"monban/server/web/webtest"
)

const (
	goodPassword = "correct horse battery staple"
	host         = "monban.test"
)

// tokyo is the site's zone, in which it is always day.
var tokyo = webtest.Zone()

// cheap makes a password check take no time in tests.
var cheap = web.Cost{Time: 1, Memory: 64, Threads: 1}

// site is a handler over sources in memory, with one account for each role.
type site struct {
	*testing.T
	h   *web.Handler
	mem *webtest.Memory
	log *strings.Builder
}

func newSite(t *testing.T, change func(*web.Config)) *site {
	t.Helper()
	s := &site{T: t, mem: new(webtest.Memory), log: new(strings.Builder)}
	webtest.Sample(s.mem, noon())
	s.mem.Grow(10, "record")
	phc, err := web.HashPassword(goodPassword, cheap)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range web.Roles() {
		s.mem.PutAccount(web.Account{ID: accountID(r), Name: r.String(), FullName: webtest.AllPersons[i%7].Name, PasswordHash: phc,
			Roles: []web.Assignment{{Role: r}}, Created: time.Now().Add(-time.Hour)})
	}
	cfg := web.Config{Site: "多賀城デモ市役所", Zone: tokyo, ZoneName: "Asia/Tokyo", Cost: cheap, MaskKey: make([]byte, 32), PasswordStepUp: true,
		Log: slog.New(slog.NewTextHandler(s.log, nil))}
	if change != nil {
		change(&cfg)
	}
	if s.h, err = web.New(cfg, s.mem.Sources()); err != nil {
		t.Fatal(err)
	}
	return s
}

// noon is a moment of today after which the sample morning does not cross midnight: now, see webtest.Zone.
func noon() time.Time { return time.Now().In(tokyo) }

func accountID(r web.Role) string {
	return strings.ToUpper(strings.ReplaceAll(r.String(), "_", "")) + "0"
}

// ask sends one request and gives the answer.
func (s *site) ask(r *http.Request) *http.Response {
	s.Helper()
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w.Result()
}

func request(method, path, cookie string, form url.Values) *http.Request {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "http://"+host+path, body)
	r.RemoteAddr = "192.0.2.7:40000"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method != http.MethodGet {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return r
}

func (s *site) get(path, cookie string) *http.Response {
	s.Helper()
	return s.ask(request(http.MethodGet, path, cookie, nil))
}

func (s *site) post(path, cookie string, form url.Values) *http.Response {
	s.Helper()
	if form == nil {
		form = url.Values{}
	}
	return s.ask(request(http.MethodPost, path, cookie, form))
}

// login signs in and returns the Cookie header.
func (s *site) login(name string) string {
	s.Helper()
	res := s.post("/login", "", url.Values{"name": {name}, "password": {goodPassword}})
	if res.StatusCode != http.StatusSeeOther {
		s.Fatalf("login of %s: %s: %s", name, res.Status, text(s, res))
	}
	return cookie(res)
}

func cookie(res *http.Response) string {
	for _, c := range res.Cookies() {
		if strings.HasSuffix(c.Name, "monban_session") {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

func text(t interface{ Fatal(...any) }, res *http.Response) string {
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// kinds lists the kinds of the action leaves written since the first n.
func (s *site) kinds(n int) (out []web.ActionKind) {
	for _, a := range s.mem.Actions()[n:] {
		out = append(out, a.Kind)
	}
	return out
}

func (s *site) status(what string, res *http.Response, want int) {
	s.Helper()
	if res.StatusCode != want {
		s.Errorf("%s: %s, want %d", what, res.Status, want)
	}
}
