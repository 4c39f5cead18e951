package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"monban/server/web"
)

var alertProbes = []probe{
	{"GET /alerts", "/alerts", nil},
	{"POST /alerts/{id}/acknowledge", "/alerts/10001/acknowledge", url.Values{}},
	{"POST /alerts/channels/{channel}/test", "/alerts/channels/poc/test", url.Values{}},
	{"POST /alerts/silences", "/alerts/silences", url.Values{}},
	{"POST /alerts/silences/{id}/end", "/alerts/silences/11800/end", url.Values{}},
}

// RA-1: who gets through to the page of alerts and its acts.
func TestAlertRoutesMatrix(t *testing.T) { checkMatrix(t, alertProbes, "testdata/alerts.golden") }

// acts are the leaves since before that change something.
func (s *site) acts(before int) (out []web.ActionKind) {
	for _, k := range s.kinds(before) {
		if !strings.HasPrefix(string(k), "view_") {
			out = append(out, k)
		}
	}
	return out
}

// AL-3: acknowledging is one press and one leaf; a second officer is told that it has been done. Who may not know of duress finds
// no such alert, neither on the page nor by its number (AD-13).
func TestAlertsAreAcknowledged(t *testing.T) {
	s := newSite(t, nil)
	officer, admin := s.login("csirt"), s.login("system_administrator")
	before := len(s.mem.Actions())
	s.status("acknowledged", s.post("/alerts/10101/acknowledge", officer, nil), http.StatusSeeOther)
	s.status("again", s.post("/alerts/10101/acknowledge", admin, nil), http.StatusConflict)
	s.status("unknown", s.post("/alerts/9/acknowledge", officer, nil), http.StatusNotFound)
	s.status("duress", s.post("/alerts/10090/acknowledge", admin, nil), http.StatusNotFound)
	if got := s.acts(before); !slices.Equal(got, []web.ActionKind{web.ActionAlertAcknowledged}) {
		t.Errorf("leaves %v", got)
	}
	if page := text(t, s.get("/alerts", admin)); strings.Contains(page, "脅迫による暗証番号") || strings.Contains(page, "10090") {
		t.Error("the administrator reads of duress")
	}
	if page := text(t, s.get("/alerts", officer)); !strings.Contains(page, "脅迫による暗証番号") {
		t.Error("the officer does not read of duress")
	}
	s.status("an auditor", s.get("/alerts", s.login("auditor")), http.StatusForbidden)
}

// AL-3: a silence has a place, an end within eight hours and a reason; it is a leaf with the reason, and can be ended early.
func TestSilences(t *testing.T) {
	s := newSite(t, nil)
	officer := s.login("csirt")
	good := url.Values{"place": {"door/media-store"}, "kind": {"held_open"}, "hours": {"4"}, "reason": {"搬入のため"}}
	before := len(s.mem.Actions())
	for name, bad := range map[string]url.Values{
		"no place": {"place": {""}}, "another place": {"place": {"door/nowhere"}}, "no reason": {"reason": {" "}}, "nine hours": {"hours": {"9"}}, "no hours": {"hours": {""}},
		"no such kind": {"kind": {"fire"}}, "never silenced": {"kind": {"chain_fork"}}, "reason of control characters": {"reason": {"a\x1bb"}},
	} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		for k, v := range bad {
			form[k] = v
		}
		r := s.post("/alerts/silences", officer, form)
		s.status(name, r, http.StatusUnprocessableEntity)
		if page := text(t, r); !strings.Contains(page, `aria-invalid="true"`) {
			t.Errorf("%s: no field is at fault", name)
		}
	}
	if got := s.acts(before); len(got) != 0 {
		t.Fatalf("leaves %v", got)
	}
	s.status("silenced", s.post("/alerts/silences", officer, good), http.StatusSeeOther)
	acts := s.mem.Actions()
	if a := acts[len(acts)-1]; a.Kind != web.ActionAlertsSilenced || a.Target != "door/media-store" || a.Reason != "搬入のため" {
		t.Errorf("leaf %+v", a)
	}
	page := text(t, s.get("/alerts", officer))
	if !strings.Contains(page, "搬入のため") || !strings.Contains(page, "/alerts/silences/12001/end") {
		t.Error("the page does not show it")
	}
	if page := text(t, s.get("/alerts", s.login("system_administrator"))); strings.Contains(page, "搬入のため") {
		t.Error("the administrator reads the reason, which may name people")
	}
	s.status("ended", s.post("/alerts/silences/12001/end", officer, nil), http.StatusSeeOther)
	s.status("ended twice", s.post("/alerts/silences/12001/end", officer, nil), http.StatusForbidden)
	s.status("unknown", s.post("/alerts/silences/1/end", officer, nil), http.StatusNotFound)
}

// AL-3, RA-1: who is officer of one zone silences its doors, and a gateway only when it has no door of another zone; nor does this
// officer acknowledge what is not seen.
func TestSilencesOfOneZone(t *testing.T) {
	s := newSite(t, nil)
	media := s.mediaOnly("media", "", web.RoleCSIRT)
	form := url.Values{"place": {"gateway/gw-2"}, "kind": {""}, "hours": {"1"}, "reason": {"停電"}}
	s.status("a gateway that others share", s.post("/alerts/silences", media, form), http.StatusUnprocessableEntity)
	if page := text(t, s.get("/alerts", media)); strings.Contains(page, `value="gateway/gw-2"`) || !strings.Contains(page, `value="door/media-store"`) || !strings.Contains(page, "G-A41E") {
		t.Error("the page offers another gateway, or not the own door, or not the code")
	}
	form.Set("place", "door/media-store")
	s.status("the own door", s.post("/alerts/silences", media, form), http.StatusSeeOther)
	s.status("another zone's alert", s.post("/alerts/10101/acknowledge", media, nil), http.StatusNotFound)
	s.people(map[string]web.Account{"room": {Roles: []web.Assignment{{Role: web.RoleCSIRT, Zone: "server-room"}}}})
	form.Set("place", "gateway/gw-1")
	s.status("a gateway of the zone alone", s.post("/alerts/silences", s.login("room"), form), http.StatusSeeOther)
}

// More alerts that wait than fit on a page stand on the next.
func TestWaitingAlertsHavePages(t *testing.T) {
	s := newSite(t, nil)
	board := &s.mem.Alerts.Board
	for i := range 101 {
		a := board.Alerts[0]
		a.ID = fmt.Sprint(9000 - i)
		board.Alerts = append(board.Alerts, a)
	}
	officer := s.login("csirt")
	if page := text(t, s.get("/alerts", officer)); !strings.Contains(page, `href="/alerts?page=1"`) || strings.Contains(page, "/alerts/8900/") {
		t.Error("no second page")
	}
	if page := text(t, s.get("/alerts?page=1", officer)); !strings.Contains(page, "/alerts/8900/acknowledge") || !strings.Contains(page, `href="/alerts"`) || strings.Contains(page, "?page=2") {
		t.Error("the second page does not hold the oldest")
	}
	s.status("from any page", s.post("/alerts/8900/acknowledge", officer, nil), http.StatusSeeOther)
}

// The test button sends and says what came of it; the error of the other side is shown, as text.
func TestChannelTest(t *testing.T) {
	s := newSite(t, nil)
	admin := s.login("system_administrator")
	s.status("sent", s.post("/alerts/channels/siem/test", admin, nil), http.StatusSeeOther)
	s.status("unknown", s.post("/alerts/channels/fax/test", admin, nil), http.StatusNotFound)
	s.mem.Alerts.Fault = `mail: 550 <b>no such mailbox</b>`
	r := s.post("/alerts/channels/poc/test", admin, nil)
	s.status("failed", r, http.StatusBadGateway)
	if page := text(t, r); !strings.Contains(page, "550 &lt;b&gt;no such mailbox&lt;/b&gt;") {
		t.Error("the error is not shown")
	}
}

// The page of alerts in both languages, wide and narrow: axe finds nothing, nothing is cut off, and the keyboard alone
// acknowledges and silences.
func TestBrowserAlerts(t *testing.T) {
	b, _ := openBrowser(t, "csirt", "/alerts")
	for _, l := range looks() {
		b.take(l)
		for _, page := range []string{"alerts", "doors"} { // the self-test stands on the page of machines
			b.do(chromedp.Navigate(b.base + "/" + page))
			run(b, chromedp.Evaluate[bool](`(document.querySelectorAll("details").forEach(d => d.open = true), true)`))
			b.checkPage(l.of(page), true)
		}
	}
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/alerts"))
	b.tabTo("acknowledge", `document.activeElement.closest("form")?.action.endsWith("/acknowledge")`)
	b.key("\r")
	b.until("acknowledged", `location.search.includes("done=alert_acknowledged") && document.querySelector("[role=status]")`)
	b.tabTo("silence", `document.activeElement.tagName === "SUMMARY"`)
	b.key("\r")
	b.tabTo("the reason", `document.activeElement.id === "reason"`)
	b.key("空調工事")
	b.key("\r")
	b.until("silenced", `location.search.includes("done=alerts_silenced") && document.querySelector("[role=status]")`)
}
