package web_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"monban/server/muster"
)

// OP-7: a browser without a server opens the copy from a file with the code, shows names as they are and who is uncertain, and nothing with
// another code; a copy that has ended shows nothing.
func TestBrowserMusterCopy(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := newBrowser(t)
	now := time.Now()
	code := muster.CodeOf(make([]byte, 32), now)
	list := &muster.List{Site: "多賀城デモ市役所", Notes: []string{"gw-2"}, Zones: []muster.Zone{{Name: "サーバ室", Inside: []muster.Person{
		{Name: "𠮷田 太郎", Of: "情報システム課", Category: "職員 staff", Since: "11-26 09:12", Door: "正面扉", Numbers: []string{"gw-1 0123-4567"}},
		{Name: "<b>葛\U000E0100城</b>", Of: "東北システム保守", Uncertain: true},
	}}}}
	open := func(made, until time.Time) {
		t.Helper()
		file, err := muster.Make(list, code, made, until)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "copy.html")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		b.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate("file://"+path))
	}
	open(now, now.Add(time.Hour))
	if got := run(b, chromedp.Evaluate[string](`document.querySelector("main").textContent`)); got != "" {
		t.Errorf("before the code the page shows %q", got)
	}
	b.do(chromedp.SendKeys("#code", "WRONGCODE\r"))
	b.until("the refusal", `document.getElementById("say").textContent.includes("code is wrong")`)
	run(b, chromedp.Evaluate[bool](`(document.getElementById("code").value = "", true)`))
	b.do(chromedp.SendKeys("#code", code+"\r"))
	b.until("the list", `document.querySelector("td")`)
	for _, want := range []string{"𠮷田 太郎", "<b>葛\U000E0100城</b>", "0123-4567", "not confirmed", "gw-2"} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if !run(b, chromedp.Evaluate[bool](`document.querySelector("main").textContent.includes(`+string(text)+`)`)) {
			t.Errorf("the list does not say %q", want)
		}
	}
	if os.Getenv("MONBAN_SCREENSHOTS") != "" {
		b.shot("muster-copy")
	}
	open(now.Add(-2*time.Hour), now.Add(-time.Hour))
	b.do(chromedp.SendKeys("#code", code+"\r"))
	b.until("the end", `document.getElementById("say").textContent.includes("has ended") && !document.querySelector("td")`)
}
