package web_test

import (
	"fmt"
	"net"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"monban/server/web"
	"monban/server/web/webtest"
)

// VR-10, VR-11: a normal morning, from the sign-in page to the day's signature, takes at most 6 presses of the mouse and, with a passkey, not
// one of the keyboard; then a week of quiet days is one press. Every page of the review's work is looked at in turn.
func TestBrowserReview(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := newBrowser(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.base = fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	s := newSite(t, func(c *web.Config) {
		c.PublicURL, c.PasswordStepUp, c.SecondFactor = b.base, false, 1<<web.RoleZoneManager
	})
	srv := httptest.NewUnstartedServer(s.h)
	_ = srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	t.Cleanup(func() { s.h.Close(); srv.Close() })
	cdpCall(b, webauthn.Enable, webauthn.EnableParams{})
	b.authenticator()

	// Once, on the first day: the account gets its passkey.
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/login"))
	b.fill("#name", "zone_manager")
	b.fill("#password", goodPassword)
	b.click("form[action='/login'] button")
	b.at("/me/factors")
	b.fill("#passkey-name", "執務室PC")
	b.click("form[data-passkey=create] button")
	b.until("recovery codes", `document.querySelectorAll("ul.codes li").length === 10`)
	b.do(chromedp.Navigate(b.base + "/me/factors"))
	b.click("form[action='/logout'] button")
	b.at("/login")

	// A normal morning.
	presses, typed := 0, b.presses
	press := func(selector string) {
		t.Helper()
		b.until(selector, `document.readyState === "complete" && document.querySelector(`+"`"+selector+"`"+`)`)
		presses++
		b.click(selector)
	}
	b.do(chromedp.Navigate(b.base + "/login"))
	press("form[data-passkey=get] button")
	b.at("/review")
	day := "/review/server-room/" + ago(1)
	press("a[href='" + day + "']")
	b.at(day)
	if run(b, chromedp.Evaluate[bool](`!document.querySelector(".sign form")`)) {
		press(".sign .notice a") // a fresh check of identity, once a session
		b.at("/step-up")
		press("form[data-passkey=get] button")
		b.at(day)
	}
	press(".sign form button")
	b.until("signed", `location.pathname === "/review" && location.search.includes("done=day_signed") && document.readyState === "complete"`)
	if presses > 6 || b.presses != typed {
		t.Errorf("a morning took %d presses and %d keys, want at most 6 and none", presses, b.presses-typed)
	}
	n := presses
	press("form[method=post][action='/review'] button")
	b.until("quiet days signed", `!document.querySelector("form[action='/review'] input[name=from]") && document.readyState === "complete"`)
	if presses != n+1 {
		t.Errorf("quiet days took %d presses", presses-n)
	}

	// Each page, in turn.
	add := func(path string, form url.Values) {
		t.Helper()
		res := s.post(path, s.login("csirt"), form)
		if res.StatusCode != 303 {
			t.Fatalf("%s: %d", path, res.StatusCode)
		}
	}
	add("/outages", url.Values{"door": {"server-room-1"}, "ticket": {"修-12"}, "owner": {"設備係"}, "from": {local(0)}, "until": {local(72 * time.Hour)}, "why": {"読取部の故障"}})
	add("/outages/paper", url.Values{"no": {"入-00001-03"}, "door": {"server-room-1"}, "name": {"𠮷田 誠"}, "purpose": {"定期点検"}, "in": {local(-2 * time.Hour)}})
	add("/outages/drills", url.Values{"disaster": {"yes"}, "until": {local(3 * time.Hour)}, "why": {"地震"}})
	for _, p := range []struct{ name, path string }{
		{"review-list", "/review"}, {"review-day", "/review/server-room/" + ago(3)}, {"review-signed", day}, {"review-correct", day + "/correct?row=" + webtest.AttemptID(7)}, {"review-addition", day + "/addition"},
		{"reconcile", day + "/reconcile"}, {"findings-queue", "/findings"}, {"case-work", "/findings/f-2"}, {"outages", "/outages"}, {"blank", "/outages/blank?from=41"}, {"present-now", "/present?zone=server-room"},
	} {
		b.looks(p.name, p.path)
	}
	b.do(chromedp.Navigate(b.base + "/me"))
	b.click("form[action='/logout'] button")
	b.at("/login")
	b.fill("#name", "csirt")
	b.fill("#password", goodPassword)
	b.click("form[action='/login'] button")
	b.until("signed in", `location.pathname !== "/login" && document.readyState === "complete"`)
	b.looks("incidents", "/incidents?finding=10402")
	b.looks("incident", "/incidents/incident-2026-00001")

	// By keyboard: to the form, a line of the timeline, and it stands there.
	b.do(chromedp.Navigate(b.base + "/incidents/incident-2026-00001"))
	b.tabOn("main details summary")
	b.key("\r")
	b.tabOn("#note-text")
	b.key("keyboard")
	b.tabOn("main details[open] button")
	b.key("\r")
	b.until("written", `location.search.includes("done=incident_moved") && document.body.textContent.includes("keyboard")`)
}
