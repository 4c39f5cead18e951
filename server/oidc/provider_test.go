package oidc_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"monban/server/oidc"
)

// RA-3: the whole way to another project's provider and back: its login form, its code, its keys.
func TestAgainstAProvider(t *testing.T) {
	old := slog.Default()
	t.Cleanup(func() { slog.SetDefault(old) }) // the example's server sets it
	const back = "http://localhost:1/login/provider/back"
	storage.RegisterClients(storage.WebClient("monban", "secret", back))
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	issuer := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/"
	handler = exampleop.SetupServer(issuer, storage.NewStorage(storage.NewUserStore(issuer)), slog.New(slog.DiscardHandler), false)

	p, err := oidc.New(oidc.Config{Issuer: issuer, ClientID: "monban", Secret: "secret", Redirect: back, Claim: "preferred_username"})
	if err != nil {
		t.Fatal(err)
	}
	a := oidc.Attempt{State: "state-7", Nonce: "nonce-7", Verifier: strings.Repeat("x", 50)}
	to, err := p.Start(t.Context(), a, true)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), back) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := browser.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	m := regexp.MustCompile(`name="id" value="([^"]+)"`).FindSubmatch(page)
	if m == nil {
		t.Fatalf("no login form at %s: %.500s", res.Request.URL, page)
	}
	form := url.Values{"id": {string(m[1])}, "username": {"test-user@localhost"}, "password": {"verysecure"}}
	res, err = browser.PostForm(res.Request.URL.Scheme+"://"+res.Request.URL.Host+"/login/username", form)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	u, err := res.Location()
	if err != nil {
		t.Fatalf("%s, %v", res.Status, err)
	}
	code := u.Query().Get("code")
	if !strings.HasPrefix(u.String(), back) || u.Query().Get("state") != a.State || code == "" {
		t.Fatalf("came back to %s", u)
	}
	who, err := p.Finish(t.Context(), code, a)
	if err != nil || who.Subject != "id1" || !strings.HasPrefix(who.Login, "test-user") || who.Issuer != issuer {
		t.Errorf("%+v, %v", who, err)
	}
	if _, err := p.Finish(t.Context(), code, a); err == nil {
		t.Error("a code is good twice")
	}
}
