package web_test

import (
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
	{"zone-new", "/zones/new"}, {"schedule-new", "/schedules/new"}, {"group-new", "/groups/new"}, {"group-edit", "/groups/ops/edit"}, {"contract-new", "/contracts/new"}, {"exception-edit", "/exceptions/EX-03/edit"},
	{"thresholds", "/thresholds"}, {"threats", "/findings/threats"}, {"threshold-preview", "/thresholds/preview/DONE"}, {"condition-new", "/conditions/new"}, {"conditions", "/conditions"}, {"recertify", "/recertify"}, {"round", "/recertify/server-room-2026-11-01"}, {"renewals", "/renewals"},
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
	b, s := openBrowser(t, "ciso", "/zones")
	for _, l := range looks() {
		b.take(l)
		for _, p := range rulePaths {
			b.do(chromedp.Navigate(b.base + p.path))
			b.checkPage(l.of(p.name), true)
		}
		for _, f := range ruleForms {
			b.do(chromedp.Navigate(b.base + f.path))
			run(b, chromedp.Evaluate[bool](`(() => { document.querySelectorAll(".rule-form").forEach(f => f.noValidate = true); `+f.before+`; document.querySelector("button[name=do][value=check]").click(); return true })()`))
			b.until(f.name, `document.readyState === "complete" && `+f.seen)
			b.checkPage(l.of(f.name), true)
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
