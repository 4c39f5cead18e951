package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

// RR-5, PR-1, RA-4: a pack is asked for with purpose and reason, after a fresh check of identity; its page shows how far it is, then its
// hash; taking it is a leaf too; names and what a person asks for only for who sees names.
func TestPackPages(t *testing.T) {
	s := newSite(t, nil)
	auditor := s.login("auditor")
	shows := func(path, lang string, words ...string) {
		t.Helper()
		doc := text(t, s.get(path, auditor+"; monban_language="+lang))
		for _, w := range words {
			if !strings.Contains(doc, w) {
				t.Errorf("%s in %s: no %q", path, lang, w)
			}
		}
	}
	shows("/verification", "en", `href="/verification/packs"`)
	shows("/verification/packs", "ja", "監査用", "日別", "本人への開示用", "作成済", "作成できず", "2025-04-01〜2026-03-31")
	shows("/verification/packs", "en", "Audit pack", "Pack of days", "Not made", "Person 1001")
	shows("/verification/packs?kind=person", "en", `name="person"`, "third parties are masked")
	shows("/verification/packs?kind=audit", "ja", `name="names"`, `name="use"`)
	shows("/verification/packs/RUNS", "en", "41 % of the records", `http-equiv="refresh"`)
	shows("/verification/packs/DONE", "ja", "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab", "書き出しを保存", "monban-verify")
	shows("/verification/packs/NAMED", "en", "names of people in clear")
	shows("/verification/packs/FAILED", "en", "could not be made", "the log has nothing of 2026-11-03")

	before := len(s.mem.Actions())
	good := func(change ...string) url.Values {
		v := url.Values{"kind": {"day"}, "from": {"2026-11-01"}, "to": {"2026-11-02"}, "use": {"audit"}, "reason": {"監査委員の依頼"}}
		for i := 0; i < len(change); i += 2 {
			v.Set(change[i], change[i+1])
		}
		return v
	}
	for kind, days := range map[string]int{"day": 1, "person": 3660} { // PR-3: a person's is of all that a pack may hold, not of one day
		var at []time.Time
		for _, m := range regexp.MustCompile(`type="date"[^>]* value="([0-9-]+)"`).FindAllStringSubmatch(text(t, s.get("/verification/packs?kind="+kind, auditor)), -1) {
			d, err := time.Parse(time.DateOnly, m[1])
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, d)
		}
		if len(at) != 2 || at[1].Sub(at[0]) != time.Duration(days-1)*24*time.Hour {
			t.Errorf("%s: offers %v", kind, at)
		}
	}
	doc := text(t, s.get("/verification/packs?kind=day", auditor))
	_, rest, _ := strings.Cut(doc, `<option value="`)
	use, _, ok := strings.Cut(rest, `"`)
	if !ok || use == "" {
		t.Fatal("no purpose can be chosen")
	}
	for _, bad := range []url.Values{
		good("use", "none"), good("use", use, "reason", " "), good("use", use, "from", "2026-11-31"), good("use", use, "to", "2026-10-31"), good("use", use, "to", "2036-12-31"),
		good("use", use, "kind", "person"), good("use", use, "kind", "person", "person", "9999"),
	} {
		s.status(bad.Encode(), s.post("/verification/packs", auditor, bad), http.StatusUnprocessableEntity)
	}
	s.status("no such kind", s.post("/verification/packs", auditor, good("use", use, "kind", "all")), http.StatusNotFound)
	s.mem.Packs.Busy = true
	s.status("busy", s.post("/verification/packs", auditor, good("use", use)), http.StatusUnprocessableEntity)
	s.mem.Packs.Busy = false
	if got := s.acts(before); len(got) != 0 {
		t.Errorf("a refused pack left %v", got)
	}
	res := s.post("/verification/packs", auditor, good("use", use, "kind", "person", "person", "1001"))
	s.status("a person's", res, http.StatusSeeOther)
	page := res.Header.Get("Location")
	shows(page, "en", "Made", "Person 1001", page+"/file")
	res = s.get(page+"/file", auditor)
	if got := text(t, res); !strings.HasPrefix(got, "PK") || !strings.Contains(res.Header.Get("Content-Disposition"), `filename="monban-person-2026-11-01.zip"`) {
		t.Errorf("%q %v", got, res.Header)
	}
	if got := s.acts(before); len(got) != 2 || got[0] != web.ActionPackMade || got[1] != web.ActionPackTaken {
		t.Errorf("leaves %v", got)
	}
	if a := s.mem.Actions(); a[len(a)-1].Target != "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab" {
		t.Errorf("the leaf of taking it names %q", a[len(a)-1].Target)
	}
	for _, path := range []string{page, page + "/file"} { // another's
		s.status("another's "+path, s.get(path, s.login("ciso")), http.StatusNotFound)
	}
	s.status("half a pack", s.get("/verification/packs/RUNS/file", auditor), http.StatusNotFound)
	s.status("who runs the machines", s.get("/verification/packs", s.login("system_administrator")), http.StatusForbidden)
}

// RR-5: a pack of a year takes longer on its way than a page may.
func TestLargePackOnASlowLine(t *testing.T) {
	s := newSite(t, nil)
	auditor := s.login("auditor")
	srv := httptest.NewUnstartedServer(s.h)
	srv.Config.WriteTimeout = 200 * time.Millisecond
	srv.Start()
	t.Cleanup(srv.Close)
	s.mem.Packs.Slow = 5 * srv.Config.WriteTimeout
	rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/verification/packs/DONE/file", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("Cookie", auditor)
	res, err := http.DefaultClient.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || !strings.HasPrefix(string(data), "PK") || int64(len(data)) != res.ContentLength {
		t.Errorf("%d bytes of %d: %v", len(data), res.ContentLength, err)
	}
}
