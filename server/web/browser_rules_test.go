package web_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"monban/server/web"
)

// rulePaths are the pages of rules that a browser looks at.
var rulePaths = []struct{ name, path string }{
	{"zones", "/zones"}, {"zone", "/zones/server-room"}, {"zone-below", "/zones/media-store"}, {"zone-edit", "/zones/server-room/edit"},
	{"schedules", "/schedules"}, {"schedule", "/schedules/office"}, {"schedule-edit", "/schedules/office/edit"}, {"closed", "/closed-days"},
	{"import", "/import"}, {"import-check", "/import/DRAFT"},
	{"rehearse", "/rehearse"}, {"rehearsal", "/rehearse/DONE"},
	{"groups", "/groups"}, {"contracts", "/contracts"}, {"contract-edit", "/contracts/K-2026-3/edit"}, {"exceptions", "/exceptions"}, {"exception-new", "/exceptions/new?subject=zone&subject_id=media-store&what=escort"},
	{"conditions", "/conditions"}, {"recertify", "/recertify"}, {"round", "/recertify/server-room-2026-11-01"}, {"renewals", "/renewals"},
}

// ruleForms are forms that are sent: the page, what is done there first, and how the answer is known.
var ruleForms = []struct{ name, path, before, seen string }{
	{"zone-check", "/zones/server-room/edit", "", `document.querySelector(".rule-changes")`},
	{"schedule-check", "/schedules/office/edit", "", `document.querySelector("[aria-labelledby=days-heading] time")`},
	{"zone-fault", "/zones/server-room/edit", `document.querySelector("#f-pin_always").value = "no"; document.querySelector("#f-name").value = ""`, `document.querySelector(".fault")`},
}

// Every page of rules in both languages, wide and narrow: axe finds nothing and nothing is cut off. A whole change is made
// with the keyboard alone.
func TestBrowserRules(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := newBrowser(t)
	s := newSite(t, nil)
	srv := httptest.NewServer(s.h)
	t.Cleanup(func() { s.h.Close(); srv.Close() })
	b.base = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/zones"))
	b.login("ciso")
	b.until("the zones", `location.pathname === "/zones" && document.readyState === "complete"`)
	check := func(name, lang string, width int64) {
		if os.Getenv("MONBAN_SCREENSHOTS") != "" {
			b.shot(fmt.Sprintf("%s-%s-%d", name, lang, width))
		}
		if over := run(b, chromedp.Evaluate[int](overflow)); over > 0 {
			t.Errorf("%s %s is %d px too wide at %d px", name, lang, over, width)
		}
		for _, v := range b.violations() {
			t.Errorf("%s %s %d px: %s", name, lang, width, v)
		}
	}
	looks := []struct {
		lang  string
		width int64
	}{{"ja", 1280}, {"en", 390}}
	if os.Getenv("MONBAN_SCREENSHOTS") != "" { // all four, for eyes
		looks = append(looks, looks[0], looks[1])
		looks[2].width, looks[3].width = 390, 1280
	}
	for _, l := range looks {
		b.do(chromedp.EmulateViewport(l.width, 844))
		run(b, chromedp.Evaluate[bool](`(document.cookie = "monban_language=`+l.lang+`; path=/", true)`))
		for _, p := range rulePaths {
			b.do(chromedp.Navigate(b.base + p.path))
			check(p.name, l.lang, l.width)
		}
		for _, f := range ruleForms {
			b.do(chromedp.Navigate(b.base + f.path))
			run(b, chromedp.Evaluate[bool](`(() => { document.querySelectorAll(".rule-form").forEach(f => f.noValidate = true); `+f.before+`; document.querySelector("button[name=do][value=check]").click(); return true })()`))
			b.until(f.name, `document.readyState === "complete" && `+f.seen)
			check(f.name, l.lang, l.width)
		}
	}

	// By keyboard: to the name, through the form, look, give a reason, save.
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/zones/server-room/edit"))
	reach := func(what, js string) {
		t.Helper()
		for i := 0; !run(b, chromedp.Evaluate[bool]("!!("+js+")")); i++ {
			if i > 80 {
				b.shot("failure")
				t.Fatalf("the keyboard does not reach %s", what)
			}
			b.key("\t")
		}
	}
	reach("the button", `document.activeElement.value === "check"`)
	b.key("\r")
	b.until("what it does", `document.readyState === "complete" && document.querySelector(".rule-changes")`)
	reach("the reason", `document.activeElement.id === "f-reason"`)
	b.key("第13条の改正のため")
	b.key("\r")
	b.until("saved", `location.search.includes("done=rule_proposed") && document.querySelector("[role=status]")`)
	if n := len(s.mem.Actions()); s.mem.Actions()[n-1].Kind != web.ActionRuleChanged || s.mem.Actions()[n-1].Reason != "第13条の改正のため" {
		t.Errorf("the last act is %+v", s.mem.Actions()[n-1])
	}
}
