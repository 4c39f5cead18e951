package web_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserPictures makes the README's pictures (make pictures): the upper part of four pages as a zone manager sees them.
func TestBrowserPictures(t *testing.T) {
	dir := os.Getenv("MONBAN_PICTURES")
	if dir == "" {
		t.Skip("only for make pictures")
	}
	b, _ := openBrowser(t, "zone_manager", "/log")
	for name, p := range map[string]struct{ lang, path string }{
		"live-en": {"en", "/live"}, "log-ja": {"ja", "/log"}, "review-ja": {"ja", "/review/server-room/" + ago(1)}, "judge-en": {"en", "/judge?door=server-room-1&person=1001&purpose=x"},
	} {
		b.take(look{p.lang, 1280})
		b.do(chromedp.EmulateViewport(1280, 860))
		b.do(chromedp.Navigate(b.base + p.path))
		b.until(name, `document.readyState === "complete"`)
		picture := run(b, chromedp.CaptureScreenshot())
		if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
