package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"monban/server/web"
)

// packPaths are the pages of packs that a browser looks at.
var packPaths = []struct{ name, path string }{
	{"packs", "/verification/packs"}, {"pack-audit", "/verification/packs?kind=audit"}, {"pack-person", "/verification/packs?kind=person"},
	{"pack-runs", "/verification/packs/RUNS"}, {"pack-done", "/verification/packs/DONE"}, {"pack-named", "/verification/packs/NAMED"}, {"pack-failed", "/verification/packs/FAILED"},
}

// RR-5: packs in both languages, wide and narrow: axe finds nothing and nothing is cut off. One is asked for with the keyboard alone, and its
// hash is there.
func TestBrowserPacks(t *testing.T) {
	b, s := openBrowser(t, "auditor", "/verification/packs")
	for _, l := range looks() {
		b.take(l)
		for _, p := range packPaths {
			b.do(chromedp.Navigate(b.base + p.path))
			b.checkPage(l.of(p.name), p.name != "pack-runs") // which reloads by itself until the file is there: axe takes every timed reload for a fault
		}
	}
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+"/verification/packs?kind=audit"))
	for i := 0; run(b, chromedp.Evaluate[string](`document.activeElement.id`)) != "reason"; i++ {
		if i > 60 {
			t.Fatal("the keyboard does not reach the reason")
		}
		b.key("\t")
	}
	b.key("監査のため")
	b.key("\r")
	b.until("the hash", `location.pathname.startsWith("/verification/packs/") && document.querySelector("dd.mono").textContent.length === 64`)
	if a := s.mem.Actions(); a[len(a)-1].Kind != web.ActionPackMade || a[len(a)-1].Reason != "監査のため" {
		t.Errorf("the last act is %+v", a[len(a)-1])
	}
}
