package web_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"monban/server/web"
	"monban/server/web/webtest"
)

// peoplePages are the pages about people and rights, by the name of their picture.
var peoplePages = map[string]string{
	"people-ask": "/people", "people": "/people?purpose=x", "person": "/people/1001?purpose=x", "person-contractor": "/people/K-12?purpose=x", "person-new": "/people/+new?purpose=x", "person-edit": "/people/1001/edit?purpose=x",
	"card-new": "/people/1001/cards/+new?purpose=x", "pin": "/people/1001/cards/C-001/pin?purpose=x", "people-export": "/people/+export?purpose=x",
	"grants": "/grants", "grant-new": "/grants/+new?person=1001&purpose=x", "grant-new-any": "/grants/+new", "grant-change": "/grants/+change?id=1001/server-room/office",
	"proposals": "/proposals", "proposal": "/proposals/" + webtest.AttemptID(0x51),
	"denial": "/doors/server-room-1/last-denial",
}

// The pages about people in both languages at two widths: nothing is cut off, axe finds nothing, and the keyboard alone suspends a card.
func TestBrowserPeople(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := newBrowser(t)
	s := newSite(t, nil)
	phc, _ := web.HashPassword(goodPassword, cheap)
	s.mem.PutAccount(web.Account{ID: "OPERATOR", Name: "sakiyama", FullName: "﨑山 健太", PasswordHash: phc,
		Roles: []web.Assignment{{Role: web.RoleZoneManager}, {Role: web.RoleCISO}}})
	srv := httptest.NewServer(s.h)
	t.Cleanup(func() { s.h.Close(); srv.Close() })
	b.base = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	b.do(chromedp.EmulateViewport(1280, 800), chromedp.Navigate(b.base+"/people?purpose=x"))
	b.login("sakiyama")
	b.until("the list after login", `location.pathname === "/people" && document.readyState === "complete"`)
	for name, path := range peoplePages {
		for _, lang := range []string{"ja", "en"} {
			run(b, chromedp.Evaluate[bool](`(document.cookie = "monban_language=`+lang+`; path=/", true)`))
			for _, width := range []int64{1280, 390} {
				b.do(chromedp.EmulateViewport(width, 844), chromedp.Navigate(b.base+path))
				b.checkPage(fmt.Sprintf("%s-%s-%d", name, lang, width), width == 1280 && lang == "ja" || width == 390 && lang == "en")
			}
		}
	}

	for _, lang := range []string{"ja", "en"} { // what a form would do, and what is wrong with one
		run(b, chromedp.Evaluate[bool](`(document.cookie = "monban_language=`+lang+`; path=/", true)`))
		b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/grants/+new?person=1002&purpose=x"))
		fill := func(fields string) {
			run(b, chromedp.Evaluate[bool](`((f) => { for (const k in f) document.getElementById(k).value = f[k]; const form = document.getElementById("zone").form; form.noValidate = true; form.requestSubmit(); return true })(`+fields+`)`))
		}
		fill(`{zone: "server-room", schedule: "office", reason: "担当替え"}`)
		b.until("the last look", `document.querySelector("button[name=sure]") && document.readyState === "complete"`)
		b.checkPage("grant-sure-"+lang, true)
		b.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(b.base+"/grants/+new?person=1002&purpose=x"))
		fill(`{zone: "server-room", schedule: "office", valid_from: "2027-02-01", valid_until: "2027-01-31", basis: "123456789018"}`)
		b.until("the faults", `document.querySelectorAll(".fault").length >= 2 && document.readyState === "complete"`)
		b.checkPage("grant-faults-"+lang, true)
	}

	t.Run("by keyboard", func(t *testing.T) {
		b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(b.base+"/people/1001?purpose=x"))
		b.tabTo("the card's menu", `document.activeElement.matches("details.act summary") && document.activeElement.textContent.includes("C-001")`)
		b.key("\r")
		b.tabTo("the reason", `document.activeElement.id === "why-C-001"`)
		b.key("置き忘れ")
		b.tabTo("the button", `(document.activeElement.getAttribute("formaction") || "").endsWith("/suspend")`)
		b.key("\r")
		b.until("suspended", `location.search.includes("done=card_stopped") && document.readyState === "complete"`)
		if cards, _ := s.mem.RegistryCards(t.Context(), "1001"); cards[0].Status.String() != "suspended" {
			t.Errorf("the card is %s", cards[0].Status)
		}
	})
}

// checkPage takes a picture, and looks for what is cut off and, with axe, for what somebody cannot use.
func (b *browser) checkPage(name string, axe bool) {
	b.Helper()
	if os.Getenv("MONBAN_SCREENSHOTS") != "" {
		b.shot(name)
	}
	if over := run(b, chromedp.Evaluate[int](overflow)); over > 0 {
		b.Errorf("%s is %d px too wide", name, over)
	}
	if !axe {
		return
	}
	for _, v := range b.violations() {
		b.Errorf("%s: %s", name, v)
	}
}

// tabTo presses the tab key until the condition holds.
func (b *browser) tabTo(what, js string) {
	b.Helper()
	for range 80 {
		if run(b, chromedp.Evaluate[bool]("!!("+js+")")) {
			return
		}
		b.key("\t")
	}
	b.shot("failure")
	b.Fatalf("the keyboard does not reach %s", what)
}
