package web_test

import (
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/web"
	"monban/server/web/webtest"
)

// apiSite is a site with a token for each role.
type apiSite struct {
	*site
	doc    *webtest.Document
	tokens map[string]string // by role
}

func newAPISite(t *testing.T, change func(*web.Config)) *apiSite {
	t.Helper()
	s := &apiSite{site: newSite(t, func(c *web.Config) {
		c.Throttle = web.Throttle{AccountBurst: 1e6, AccountEvery: time.Second, AddressBurst: 1e6, AddressEvery: time.Second}
		if change != nil {
			change(c)
		}
	}), tokens: map[string]string{}}
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if s.doc, err = webtest.ParseDocument(text); err != nil {
		t.Fatal(err)
	}
	for _, r := range web.Roles() {
		s.tokens[r.String()] = s.token(accountID(r), 1<<r)
	}
	s.mem.Orders.PutCommand(web.Command{ID: webtest.AttemptID(7), Door: "server-room-1", DoorName: "サーバ室 正面", Enter: "server-room", Action: door.CommandUnlock,
		State: web.CommandAsked, Asked: time.Now(), AskedBy: accountID(web.RoleReception), Why: "業者の立会い"})
	return s
}

// token stores a token and gives it.
func (s *apiSite) token(account string, roles web.RoleSet) string {
	token, hash := web.NewToken()
	s.mem.PutToken(web.APIToken{ID: "T" + account, Hash: hash, Account: account, Name: "試験", Roles: roles, Orders: true,
		Created: time.Now(), Expires: time.Now().Add(time.Hour), UsedDay: time.Now().In(tokyo).Format("2006-01-02")})
	return token
}

// call asks the API; body "" = none.
func (s *apiSite) call(method, path, token, body string, headers ...string) *http.Response {
	s.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, "http://"+host+path, in)
	r.RemoteAddr = "192.0.2.9:40000"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept-Language", "ja")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.ask(r)
}

// checked asks as an operation of the document and compares the answer with it. It gives status and body.
func (s *apiSite) checked(o webtest.Operation, path, token, body string, headers ...string) (int, string) {
	s.Helper()
	res := s.call(o.Method, path, token, body, headers...)
	text := text(s, res)
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		s.Errorf("%s %s: content type: %v", o.Method, path, err)
	}
	if err := o.Check(res.StatusCode, kind, []byte(text)); err != nil {
		s.Errorf("%s: %v\n%.300s", path, err, text)
	}
	for header, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if res.Header.Get(header) != want {
			s.Errorf("%s %s: %s %q", o.Method, path, header, res.Header.Get(header))
		}
	}
	if len(res.Cookies()) != 0 {
		s.Errorf("%s %s sets a cookie", o.Method, path)
	}
	return res.StatusCode, text
}

// op finds an operation of the document.
func (s *apiSite) op(pattern string) webtest.Operation {
	s.Helper()
	for _, o := range s.doc.Operations() {
		if o.Method+" "+o.Path == pattern {
			return o
		}
	}
	s.Fatalf("the document has no %s", pattern)
	return webtest.Operation{}
}

// example is the address of an operation with the document's examples; after and q come from elsewhere.
func example(o webtest.Operation, without ...string) string {
	path := o.Path
	for name, v := range o.Parameters("path") {
		path = strings.ReplaceAll(path, "{"+name+"}", v)
	}
	q := url.Values{}
	for name, v := range o.Parameters("query") {
		q.Set(name, v)
	}
	for _, name := range without {
		q.Del(name)
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}
