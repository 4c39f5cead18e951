package web_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// look is a language and a width in px in which a page is looked at.
type look struct {
	lang  string
	width int64
}

// looks are wide in Japanese and narrow in English; for eyes all four.
func looks() []look {
	out := []look{{"ja", 1280}, {"en", 390}}
	if os.Getenv("MONBAN_SCREENSHOTS") != "" {
		out = append(out, look{"ja", 390}, look{"en", 1280})
	}
	return out
}

// of names the picture of a page.
func (l look) of(page string) string { return fmt.Sprintf("%s-%s-%d", page, l.lang, l.width) }

// take makes the browser look so from now on.
func (b *browser) take(l look) {
	b.do(chromedp.EmulateViewport(l.width, 844))
	b.language(l.lang)
}

// openBrowser starts a site and a browser in which an account has signed in and come to a page.
func openBrowser(t *testing.T, account, path string) (*browser, *site) {
	t.Helper()
	if testing.Short() {
		t.Skip("short")
	}
	b, s := newBrowser(t), newSite(t, nil)
	srv := httptest.NewServer(s.h)
	t.Cleanup(func() { s.h.Close(); srv.Close() })
	b.base = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	b.do(chromedp.EmulateViewport(1280, 844), chromedp.Navigate(b.base+path))
	b.login(account)
	b.at(path)
	return b, s
}
