package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"monban/server/web"
	"monban/server/web/webtest"
)

// skip skips loudly; where CI=true a skip is a failure, or the check would quietly be dead.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("NOT CHECKED: " + why)
}

// browser is one tab of a Chromium that talks to nobody but us.
type browser struct {
	*testing.T
	ctx   context.Context
	base  string
	axe   string
	shots string

	presses int // of keys
	looked  int // pages, by looks
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	if os.Getenv("MONBAN_BROWSER") == "" {
		t.Skip("runs in `make browser`")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		skip(t, "no chromium")
	}
	axe, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		skip(t, "no axe-core: run `npm ci --ignore-scripts` in server/web")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "ja"), chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	t.Cleanup(cancel)
	ctx, cancelExec := chromedp.NewExecAllocator(ctx, opts...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(func() { cancelTab(); cancelExec() })
	b := &browser{T: t, ctx: ctx, axe: string(axe), shots: os.Getenv("MONBAN_SCREENSHOTS")}
	if b.shots == "" {
		b.shots = t.TempDir()
	}
	if err := os.MkdirAll(b.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.shot("failure")
		b.Fatalf("%v; see %s", err, filepath.Join(b.shots, "failure.png"))
	}
}

func run[T any](b *browser, a chromedp.Action[T]) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, a)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// until polls a condition in the page, also across a navigation.
func (b *browser) until(what, js string) {
	b.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			b.shot("failure")
			b.Fatalf("%s: not seen (%v); see %s", what, err, filepath.Join(b.shots, "failure.png"))
		}
		time.Sleep(30 * time.Millisecond) // a real browser: poll
	}
}

func (b *browser) shot(name string) {
	b.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(b.shots, name+".png"), png, 0o644)
	}
	if err != nil {
		b.Errorf("screenshot %s: %v", name, err)
	}
}

// violations runs axe-core over the page.
func (b *browser) violations() (out []string) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](b.axe+";true")(ctx, t)
		return err
	}))
	result := run(b, chromedp.Evaluate[string](`axe.run({runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}})
		.then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.target.join(" ") + ": " + n.failureSummary)}))))`,
		chromedp.EvalAwaitPromise))
	var found []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(result), &found); err != nil {
		b.Fatal(err)
	}
	for _, v := range found {
		out = append(out, v.ID+": "+v.Help+"\n\t"+strings.Join(v.Nodes, "\n\t"))
	}
	return out
}

const overflow = `document.documentElement.scrollWidth - document.documentElement.clientWidth`

func (b *browser) key(keys string) {
	b.Helper()
	b.presses += len([]rune(keys))
	b.do(chromedp.KeyEvent(keys))
}

// login signs in with the keyboard alone, from a page that asks for it.
func (b *browser) login(name string) {
	b.Helper()
	for i := 0; run(b, chromedp.Evaluate[string](`document.activeElement.id`)) != "name"; i++ {
		if i > 12 {
			b.Fatal("the keyboard does not reach the account name")
		}
		b.key("\t")
	}
	b.key(name)
	b.key("\t")
	b.key(goodPassword)
	b.key("\r")
}

func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := newBrowser(t)
	s := newSite(t, nil)
	phc, _ := web.HashPassword(goodPassword, cheap)
	s.mem.PutAccount(web.Account{ID: "OPERATOR", Name: "sakiyama", FullName: "﨑山 健太", PasswordHash: phc,
		Roles: []web.Assignment{{Role: web.RoleCSIRT}, {Role: web.RoleCISO}, {Role: web.RoleZoneManager}}})
	s.mem.PutAccount(web.Account{ID: "GONE", Name: "katsuragi", FullName: "葛\U000E0100城 蓮", PasswordHash: phc, Suspended: true, SuspendedWhy: "人事異動(4月1日付)",
		Roles: []web.Assignment{{Role: web.RoleZoneManager, Zone: "server-room", Until: time.Date(2027, 4, 1, 0, 0, 0, 0, tokyo)}}, LastLogin: noon().Add(-50 * time.Hour)})
	srv := httptest.NewServer(s.h)
	t.Cleanup(func() { s.h.Close(); srv.Close() })
	b.base = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)

	b.do(chromedp.EmulateViewport(1280, 800), chromedp.Navigate(b.base+"/log"))
	b.key("\t")
	if got := run(b, chromedp.Evaluate[string](`document.activeElement.className + " " + (document.activeElement.getBoundingClientRect().top >= 0)`)); got != "skip true" {
		t.Errorf("the first Tab reaches %q, want the visible skip link", got)
	}
	b.login("sakiyama")
	b.until("the log after login", `location.pathname === "/log" && document.readyState === "complete"`)

	paths := map[string]string{"live": "/live", "log": "/log", "attempt": "/log/" + webtest.AttemptID(7), "denied": "/log/" + webtest.AttemptID(8),
		"findings": "/findings?show=closed&kind=held_open", "doors": "/doors", "startup": "/startup", "verification": "/verification?leaf=7", "door-papers": "/doors/server-room-1/papers?extension=4321", "accounts": "/accounts", "me": "/me", "tokens": "/me/tokens", "forbidden": "/nowhere", "missing": "/log/" + strings.Repeat("0", 32),
		"log-empty": "/log?result=granted", "commands": "/commands", "privacy": "/privacy", "judge": "/judge?door=server-room-1&person=1001&purpose=x", "judge-who": "/judge?door=server-room-1",
		"register": "/register?zone=server-room&all=1", "present": "/present?zone=server-room",
		"case": "/findings/f-2", "reviews": "/review?zone=server-room", "review": "/review/server-room/" + ago(1), "calendar": "/review/calendar?zone=server-room"}
	look := func(name, path string, widths ...int64) {
		for _, lang := range []string{"ja", "en"} {
			for _, width := range widths {
				b.do(chromedp.EmulateViewport(width, 844))
				b.language(lang)
				run(b, chromedp.Evaluate[bool](`window.isOld = true`))
				b.do(chromedp.Navigate(b.base + path))
				b.until(name+" to be there", `!window.isOld && document.readyState === "complete"`)
				if width == 390 || width == 1280 {
					b.shot(fmt.Sprintf("%s-%s-%d", name, lang, width))
				}
				if over := run(b, chromedp.Evaluate[int](overflow)); over > 0 {
					t.Errorf("%s %s is %d px too wide at %d px", name, lang, over, width)
				}
				if got := run(b, chromedp.Evaluate[string](`document.documentElement.lang`)); got != lang {
					t.Errorf("%s is in %q, want %q", name, got, lang)
				}
				if width == 360 {
					continue
				}
				for _, v := range b.violations() {
					t.Errorf("%s %s %d px: %s", name, lang, width, v)
				}
			}
		}
	}
	for name, path := range paths {
		look(name, path, 1280, 390, 360)
	}

	t.Run("on paper", func(t *testing.T) { // an A4 sheet holds the whole width of the register
		media := func(m string) {
			b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
				_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: m})
				return err
			}))
		}
		b.do(chromedp.EmulateViewport(1031, 700)) // 273 mm at 96 dpi
		media("print")
		b.do(chromedp.Navigate(b.base + "/register?zone=server-room&all=1"))
		b.shot("register-paper")
		if over := run(b, chromedp.Evaluate[int](overflow)); over > 0 {
			t.Errorf("the register is %d px wider than the paper", over)
		}
		media("")
	})

	t.Run("menu on a phone", func(t *testing.T) { // a phone shows the page first; by keyboard alone, script or not
		b.scripts(false)
		b.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(b.base+"/log"))
		state := func() string {
			return run(b, chromedp.Evaluate[string](`getComputedStyle(document.getElementById("menu")).display + " " + (document.querySelector("h1").getBoundingClientRect().top < 300)`))
		}
		if got := state(); got != "none true" {
			t.Errorf("before: %q, want the menu shut and the heading near the top", got)
		}
		b.tabOn("a.menu")
		b.key("\r")
		b.until("the open menu", `getComputedStyle(document.getElementById("menu")).display === "block"`)
		b.shot("menu-390")
		b.scripts(true) // axe needs them
		for _, v := range b.violations() {
			t.Errorf("the open menu: %s", v)
		}
		b.tabOn("#menu a[href='/findings']")
		b.key("\r")
		b.until("the findings", `location.pathname === "/findings" && document.readyState === "complete"`)
		if got := state(); got != "none true" {
			t.Errorf("after: %q, want the menu shut", got)
		}
		b.do(chromedp.EmulateViewport(1280, 844))
		if got := run(b, chromedp.Evaluate[string](`["a.menu", "a.menu-shut", "#menu"].map(s => getComputedStyle(document.querySelector(s)).display).join(" ")`)); got != "none none block" {
			t.Errorf("on a desktop menu, shut and pages are %q, want the pages alone", got)
		}
	})

	t.Run("planted fault", func(t *testing.T) {
		b.do(chromedp.Navigate(b.base + "/log"))
		run(b, chromedp.Evaluate[bool](`(() => { const p = document.querySelector(".summary"); p.style.color = "#ccc"; p.style.background = "#fff"; return true })()`))
		if v := b.violations(); len(v) == 0 || !strings.HasPrefix(v[0], "color-contrast") {
			t.Errorf("axe does not see a planted contrast fault: %v", v)
		}
	})

	t.Run("live", func(t *testing.T) {
		b.do(chromedp.EmulateViewport(1280, 800), chromedp.Navigate(b.base+"/live"))
		run(b, chromedp.Evaluate[bool](`(document.querySelector("#live-recent a").focus(), true)`))
		href := run(b, chromedp.Evaluate[string](`document.activeElement.getAttribute("href")`))
		v := s.mem.View
		v.UpTo = time.Now()
		who := webtest.Kamiya
		v.Recent = append([]web.Event{{At: time.Now(), Leaf: 10499, Event: "entry", Who: who, DoorName: "新しい扉"}}, v.Recent...)
		s.mem.SetView(v)
		s.mem.Grow(1, "record")
		s.h.Notify()
		b.until("the new event on the page", `document.getElementById("live-recent").textContent.includes("新しい扉")`)
		if got := run(b, chromedp.Evaluate[string](`document.activeElement.getAttribute("href") || ""`)); got != href {
			t.Errorf("after the update the keyboard is at %q, want %q", got, href)
		}
		for _, x := range b.violations() {
			t.Errorf("after an update: %s", x)
		}
	})

	t.Run("masked", func(t *testing.T) {
		run(b, chromedp.Evaluate[bool](`(document.querySelector("form[action='/logout'] button").click(), true)`))
		b.until("the login page", `location.pathname === "/login" && document.readyState === "complete"`)
		look("login", "/login", 1280, 390, 360)
		look("login-desk", "/login/desk", 1280, 390)
		b.do(chromedp.EmulateViewport(1280, 800), chromedp.Navigate(b.base+"/login"))
		b.login("system_administrator")
		b.until("home", `location.pathname === "/live" && document.readyState === "complete"`)
		look("masked-log", "/log", 1280, 390)
		look("masked-live", "/live", 1280)
		look("desks", "/desks", 1280, 390)
		look("updates", "/updates", 1280, 390)
		look("sessions-of", "/accounts/"+accountID(web.RoleApplicant)+"/sessions", 390)
		look("step-up-desk", "/step-up/desk", 390)
	})

	t.Run("without script", func(t *testing.T) {
		b.scripts(false)
		b.do(chromedp.Navigate(b.base + "/live"))
		if got := run(b, chromedp.Evaluate[int](`document.querySelectorAll("noscript meta[http-equiv=refresh]").length`)); got != 1 {
			t.Errorf("%d meta refreshes without script, want 1", got)
		}
		b.scripts(true)
	})
}

// language chooses the pages' language. A script's cookie may come to the network later than the navigation that follows it.
func (b *browser) language(lang string) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCookie, network.SetCookieParams{Name: "monban_language", Value: lang, URL: b.base + "/"})
		return err
	}))
}

// scripts switches the page's own scripts on or off.
func (b *browser) scripts(on bool) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

// First run, in both languages.
func TestBrowserSetup(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := newBrowser(t)
	mem := new(webtest.Memory)
	h, err := web.New(web.Config{Site: "多賀城デモ市役所", Zone: tokyo, ZoneName: "Asia/Tokyo", Cost: cheap}, mem.Sources())
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(func() { h.Close(); srv.Close() })
	b.base = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	for _, lang := range []string{"ja", "en"} {
		for _, width := range []int64{1280, 390} {
			b.do(chromedp.EmulateViewport(width, 844), chromedp.Navigate(b.base+"/"))
			run(b, chromedp.Evaluate[bool](`(document.cookie = "monban_language=`+lang+`; path=/", window.isOld = true)`))
			b.do(chromedp.Navigate(b.base + "/setup"))
			run(b, chromedp.Evaluate[bool](`(document.querySelector("form[action='/setup']").noValidate = true, document.querySelector("form[action='/setup'] button").click(), true)`))
			b.until("the faults", `document.querySelectorAll(".fault").length >= 3 && document.readyState === "complete"`)
			b.shot(fmt.Sprintf("setup-%s-%d", lang, width))
			for _, v := range b.violations() {
				t.Errorf("%s %d px: %s", lang, width, v)
			}
		}
	}
}
