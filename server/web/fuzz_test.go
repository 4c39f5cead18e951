package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"monban/server/web"
)

// FuzzRequest: any method, address, cookie and form that somebody without a session sends gets an answer, never one of
// the 500s, and never a page that names people (RA-4, I9).
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/", "", "")
	f.Add("POST", "/login", "__Host-session=00", "name=a&password=b")
	f.Add("POST", "/setup", "session=%zz; lang=ja", "code=1234&name=")
	f.Add("GET", "/log?day=2026-11-24&skip=-1&result=granted&q=%E9%AB%99", "lang=xx", "")
	f.Add("GET", "/attempt/00112233445566778899aabbccddeeff", "", "")
	var once sync.Once
	var s *site
	f.Fuzz(func(t *testing.T, method, path, cookie, form string) {
		once.Do(func() { s = newSite(t, nil) })
		r, err := http.NewRequest(method, "http://"+host+"/"+strings.TrimPrefix(path, "/"), strings.NewReader(form))
		if err != nil {
			return
		}
		r.RemoteAddr = "127.0.0.1:1"
		r.Header["Cookie"] = []string{cookie}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %q: %d", method, path, w.Code)
		}
		if strings.Contains(w.Body.String(), "髙橋") {
			t.Errorf("%s %q: names people", method, path)
		}
	})
}

// FuzzPasswordHash: a stored hash of any text is compared or refused, in bounded time and memory.
func FuzzPasswordHash(f *testing.F) {
	if phc, err := web.HashPassword("a long enough word", cheap); err == nil {
		f.Add(phc)
	}
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, phc string) {
		if len(phc) > 200 || strings.Contains(phc, "m=") && !strings.Contains(phc, "m=64,t=1,p=1$") {
			return // what costs time by design
		}
		if web.VerifyPassword(phc, "another") {
			t.Errorf("%q fits", phc)
		}
	})
}
