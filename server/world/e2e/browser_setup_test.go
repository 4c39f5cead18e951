package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cookies "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"monban/server/factor"
)

const setupPass = "むらさきの 橋を 渡る 朝"

var setupCodeShown = regexp.MustCompile(`Set-up code for the first administrator \(\d+ minutes\): (\S+)`)

// wizard is a person at a keyboard in front of a real server: no mouse, and nothing is asked of the server but by its pages.
type wizard struct {
	*site
	ctx     context.Context
	base    string
	lang    string
	shots   string            // "" = no pictures
	secrets map[string]string // of one-time codes, by account
	steps   map[string]int64  // the newest that was used
}

func newWizard(t *testing.T, s *site, lang string) *wizard {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no chromium")
		}
		t.Skip("NOT CHECKED: no chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "ja"), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("ignore-certificate-errors", true)) // the certificate of the pages is of this test
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancelExec := chromedp.NewExecAllocator(ctx, opts...)
	ctx, cancelTab := chromedp.NewContext(ctx)
	t.Cleanup(func() { cancelTab(); cancelExec() })
	w := &wizard{site: s, ctx: ctx, lang: lang, base: fmt.Sprintf("http://localhost:%d", s.http), shots: os.Getenv("MONBAN_SCREENSHOTS"), secrets: map[string]string{}, steps: map[string]int64{}}
	w.do(chromedp.EmulateViewport(1280, 844))
	return w
}

func (w *wizard) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		w.fail("%v", err)
	}
}

func (w *wizard) fail(format string, args ...any) {
	w.t.Helper()
	where, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`location.href + "\n" + (document.querySelector("main") || document.body).innerText.slice(0, 3000)`))
	w.t.Fatalf(format+"\non %s", append(args, where)...)
}

func asked[T any](w *wizard, js string) T {
	w.t.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		w.fail("%s: %v", js, err)
	}
	return v
}

// sees waits until a condition holds on a page that has loaded.
func (w *wizard) sees(what, js string) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ok, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](`document.readyState === "complete" && !!(`+js+`)`))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			w.fail("%s: not seen (%v)", what, err)
		}
		time.Sleep(20 * time.Millisecond) // a real browser: poll
	}
}

func (w *wizard) at(path string) {
	w.t.Helper()
	w.sees(path, `location.pathname.match(new RegExp("^`+path+`$"))`)
}

func (w *wizard) key(keys string) { w.t.Helper(); w.do(chromedp.KeyEvent(keys)) }

// reach presses Tab until the element has the keyboard. It goes forward only, and round once.
func (w *wizard) reach(selector string) {
	w.t.Helper()
	for range 160 {
		if asked[bool](w, "document.activeElement.matches(`"+selector+"`)") {
			return
		}
		w.key(kb.Tab)
	}
	w.fail("the keyboard does not reach %s", selector)
}

// press reaches a link or button and presses Enter.
func (w *wizard) press(selector string) {
	w.t.Helper()
	w.reach(selector)
	asked[bool](w, `window.isOld = true`)
	w.key(kb.Enter)
	w.sees("the next page after "+selector, `!window.isOld`)
}

// field is one field of a form and what is typed, or chosen with the arrow keys, in it.
type field struct{ name, value string }

// fill goes through a form from field to field and sends it with Enter.
func (w *wizard) fill(form string, fields ...field) {
	w.t.Helper()
	for _, f := range fields {
		w.reach(form + ` [name="` + f.name + `"]`)
		if asked[string](w, `document.activeElement.tagName`) == "SELECT" {
			for i := 0; asked[string](w, `document.activeElement.value`) != f.value; i++ {
				if i > 40 {
					w.fail("no choice %q of %s", f.value, f.name)
				}
				w.key(kb.ArrowDown)
			}
			continue
		}
		w.key(f.value)
		if got := asked[string](w, `document.activeElement.value`); got != f.value {
			w.fail("%s holds %q, want %q", f.name, got, f.value)
		}
	}
	w.press(form + ` button[type="submit"]`)
}

// look takes a picture of a page at both widths, when pictures are wanted, and finds what is cut off.
func (w *wizard) look(name string) {
	w.t.Helper()
	for _, width := range []int64{390, 1280} {
		w.do(chromedp.EmulateViewport(width, 844))
		if over := asked[int](w, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
			w.t.Errorf("%s %s is %d px too wide at %d px", name, w.lang, over, width)
		}
		if w.shots == "" {
			continue
		}
		png, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(w.shots, fmt.Sprintf("setup-%s-%s-%d.png", name, w.lang, width)), png, 0o644)
		}
		if err != nil {
			w.t.Error(err)
		}
	}
}

// open goes to an address, as one types it or follows it from a bookmark.
func (w *wizard) open(path string) {
	w.t.Helper()
	w.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cookies.SetCookie, cookies.SetCookieParams{Name: "monban_language", Value: w.lang, URL: w.base + "/"})
		return err
	}), chromedp.Navigate(w.base+path))
	w.sees(path, `location.href !== "about:blank"`)
}

// state of a step on the page: the word of its tag.
func (w *wizard) state(step int) string {
	w.t.Helper()
	return asked[string](w, fmt.Sprintf(`document.querySelectorAll(".startup-steps > li")[%d].querySelector(".tag").textContent.trim()`, step-1))
}

// signIn signs in, makes a one-time code when the account has none yet, and ends on a page that only such an account sees.
func (w *wizard) signIn(name, password string) {
	w.t.Helper()
	w.open("/startup")
	w.fill("form[action='/login']", field{"name", name}, field{"password", password})
	for range 4 { // the pages ask for one thing after the other
		switch asked[string](w, `location.pathname`) {
		case "/login/second":
			w.fill("form[action='/login/second']", field{"code", w.code(name)})
		case "/me": // a password that another gave out
			w.fill("form[action='/me/password']", field{"current", password}, field{"password", setupPass}, field{"repeat", setupPass})
		default:
			if w.secrets[name] == "" {
				w.makeFactor(name)
			}
		}
		if w.open("/startup"); w.secrets[name] != "" && asked[string](w, `location.pathname`) == "/startup" {
			return
		}
	}
	w.at("/startup")
}

// code is the next one of an account's phone: one that was used is not taken again, and a phone may be half a minute ahead.
func (w *wizard) code(name string) string {
	w.t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(w.secrets[name], " ", ""))
	if err != nil {
		w.t.Fatal(err)
	}
	w.steps[name] = max(time.Now().Unix()/30, w.steps[name]+1)
	return factor.Code(secret, w.steps[name])
}

func (w *wizard) makeFactor(name string) {
	w.t.Helper()
	w.open("/me/factors")
	w.press("form[action='/me/factors/totp'] button")
	w.at("/me/factors/totp")
	w.look("totp")
	w.secrets[name] = asked[string](w, `document.querySelector(".secret").textContent`)
	w.fill("form[action='/me/factors/totp/confirm']", field{"code", w.code(name)})
	w.sees("the codes for an emergency", `document.querySelector("ul.codes")`)
}

// DS-11, OP-9, OP-10: from an empty machine to a guarded door by the pages, by keyboard alone, with the names that people here have,
// and over a server that is killed in the middle: from the set-up code to a doctor that finds nothing.
func TestBrowserFirstDoor(t *testing.T) {
	if os.Getenv("MONBAN_BROWSER") == "" {
		t.Skip("runs in `make browser`")
	}
	for _, lang := range []string{"ja", "en"} {
		t.Run(lang, func(t *testing.T) { firstDoor(t, lang) })
	}
}

func firstDoor(t *testing.T, lang string) {
	s := emptySite(t)
	w := newWizard(t, s, lang)
	begun := time.Now()

	// 1: the first administrator, and a second person.
	s.startServer()
	code := ""
	s.until(10*time.Second, "the set-up code", func() bool {
		m := setupCodeShown.FindSubmatch(s.logs.Bytes())
		if m != nil {
			code = string(m[1])
		}
		return m != nil
	})
	w.open("/setup")
	w.look("code")
	w.fill("form[action='/setup']", field{"code", code}, field{"name", "takahashi"}, field{"full_name", "髙橋 花子"}, field{"password", setupPass}, field{"repeat", setupPass})
	w.at("/login")
	w.signIn("takahashi", setupPass)
	w.look("startup-empty")
	w.press(".startup-steps a[href='/accounts']")
	w.at("/accounts")
	w.fill("form[action='/accounts']", field{"full_name", "﨑山 健太"}, field{"name", "sakiyama"}, field{"role", "ciso"})
	given := asked[string](w, `document.querySelector(".password-once").textContent`)
	if !asked[bool](w, `document.body.textContent.includes("﨑山 健太") && document.body.textContent.includes("髙橋 花子")`) {
		w.fail("a name is not as it was typed")
	}
	w.press("form[action='/logout'] button")
	w.signIn("sakiyama", given)

	// 2: whose the papers are.
	w.press("main a[href='/reports/organisation']")
	w.fill("form[action='/reports/organisation']", field{"name", "多賀城市"}, field{"name_en", "Tagajo City"}, field{"section", "情報政策課"}, field{"phone", "022-368-1141"}, field{"reason", "設置"})
	w.look("organisation")
	w.open("/reports/forms")
	w.fill("form[method=post][action='/reports/forms']", field{"name", "入退室管理簿"}, field{"reason", "様式第3号のまま"})

	// 6 and 7: gateway, zone and door.
	w.open("/startup")
	w.fill("form[action='/startup/door']", field{"gateway", "gw-1"}, field{"gateway_name", "機械室前 ゲートウェイ"}, field{"zone", "room"}, field{"zone_name", "渡邉記念館 サーバ室"},
		field{"level", "1"}, field{"door", "d1"}, field{"door_name", "サーバ室 扉"}, field{"kind", "controlled"}, field{"exit", "reader"})
	w.at("/import/.*")
	w.look("import")
	w.fill("main form[action^='/import/']", field{"reason", "最初の扉"})
	w.open("/startup")
	if !asked[bool](w, `document.body.textContent.includes("機械室前 ゲートウェイ")`) {
		w.fail("the gateway is not on the page")
	}
	w.look("startup-door")

	// The server is killed, and the way goes on where it was, without a new sign-in.
	s.server.kill()
	s.startServer()
	w.open("/startup")
	w.at("/startup")
	w.gatewayJoins()

	// 8: two people, their cards and rights.
	for i, p := range []struct{ id, name, kana string }{{"1001", "𠮷田 太郎", "ヨシダ タロウ"}, {"1002", "渡邉 次郎", "ワタナベ ジロウ"}} {
		w.open("/people/+new?purpose=setup")
		w.fill("main form[action='/people']", field{"id", p.id}, field{"name", p.name}, field{"kana", p.kana}, field{"section", "情報政策課"}, field{"reason", "登録"})
		w.sees("a last look or the person", `true`)
		w.confirm()
		w.open("/people/" + p.id + "/cards/+new?purpose=setup")
		w.fill("main form[action$='/cards']", field{"id", "C-" + p.id}, field{"format", "H10301"}, field{"facility", "123"}, field{"number", fmt.Sprint(4567 + i)}, field{"reason", "貸与"})
		w.open("/grants/+new?purpose=setup&person=" + p.id)
		w.fill("main form[action='/grants']", field{"zone", "room"}, field{"schedule", "always"}, field{"reason", "職務"})
		w.confirm()
		w.open("/people/" + p.id + "?purpose=setup")
		if !asked[bool](w, `document.body.textContent.includes("`+p.name+`")`) {
			w.fail("%s is not as it was typed", p.name)
		}
	}

	// 9: the card opens the door.
	s.startGateway("gw-1")
	s.linked("gw-1")
	if _, err := s.tell("gw-1", "bits d1 enter 10111101100010001110101110"); err != nil {
		t.Fatal(err)
	}
	s.until(10*time.Second, "the lock moves", func() bool { return s.released("gw-1", "d1") > 0 })
	s.drained("gw-1")

	// 2, 3, 4, 10 and 11: a paper, then what the configuration says: TLS, alerts, backups; and two copies of the key.
	w.open("/reports?report=entry_register")
	w.fill("main form[method=post][action='/reports']", field{"reason", "様式の確認"})
	w.at("/reports/.*")
	s.until(30*time.Second, "the paper", func() bool {
		w.open(strings.TrimPrefix(asked[string](w, `location.href`), w.base))
		return asked[bool](w, `!!document.querySelector("main a[href$='/0']")`)
	})
	s.server.stop(t)
	arrived := s.finish()
	s.startServer()
	w.base = fmt.Sprintf("https://localhost:%d", s.http)
	w.signIn("takahashi", setupPass)
	w.press("main a[href='/alerts']")
	w.press("form[action$='/test'] button")
	w.look("alerts")
	s.until(15*time.Second, "the test message", func() bool { return arrived.Load() > 0 })
	s.run("backup", "--config", s.path("server.toml"), "--out", s.path("backup-now"))
	s.linked("gw-1")
	w.open("/startup")
	w.look("startup-done")
	done := map[string]string{"ja": "完了", "en": "done"}[lang]
	for step, name := range []string{"account", "forms", "pages", "keys", "clock", "gateway", "door", "card", "swipe", "alert", "backup", "doctor"} {
		if got := w.state(step + 1); !strings.HasPrefix(got, done) {
			if name == "clock" { // of the machine that runs the test
				continue
			}
			t.Errorf("step %d %s is %q: %s", step+1, name, got, asked[string](w, fmt.Sprintf(`document.querySelectorAll(".startup-steps > li")[%d].innerText`, step)))
		}
	}
	s.gateways["gw-1"].stop(t)
	s.server.stop(t)
	if out, err := s.try("doctor", "--config", s.path("server.toml")); err != nil {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	s.run("verify", "--openings", s.path("server/monban.db"))
	t.Logf("%s: from the set-up code to the doctor in %s", lang, time.Since(begun).Round(time.Second))
}

// confirm presses on through a last look, where there is one.
func (w *wizard) confirm() {
	w.t.Helper()
	if asked[bool](w, `!!document.querySelector("main form button[name=sure]")`) {
		w.press("main form button[name=sure]")
	}
}

// gatewayJoins makes a code on the page, types it at the gateway, and types the gateway's fingerprint on the page.
func (w *wizard) gatewayJoins() {
	w.t.Helper()
	w.reach(".gateway details summary")
	w.key(kb.Enter)
	w.fill("form[action='/startup/gateways/gw-1/invite']", field{"reason", "新設"})
	code := asked[string](w, `document.querySelector(".startup-secret").textContent`)
	w.look("startup-code")
	shown := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		out, err := w.enrol(w.enrolPort, code, w.path("gw-1-identity"), func(f string) { shown <- f })
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		ended <- err
	}()
	select {
	case f := <-shown:
		w.open("/startup")
		w.fill("form[action='/startup/gateways/gw-1/confirm']", field{"fingerprint", f})
	case err := <-ended:
		w.fail("enrol: %v", err)
	case <-w.ctx.Done():
		w.fail("no fingerprint")
	}
	select {
	case err := <-ended:
		if err != nil {
			w.fail("enrol: %v", err)
		}
	case <-w.ctx.Done():
		w.fail("the gateway has no identity")
	}
}

// emptySite is a machine with the programs and a configuration that has only what must be said.
func emptySite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), http: freePort(t), mqtt: freePort(t), enrolPort: freePort(t), gateways: map[string]*process{}, logs: &lockedBuffer{}}
	s.write("server.toml", fmt.Sprintf("site = \"e2e\"\ntime_zone = \"Asia/Tokyo\"\ndata_dir = %q\n\n[mqtt]\nlisten = \"127.0.0.1:%d\"\n\n[http]\nlisten = \"127.0.0.1:%d\"\n\n[ca]\nnames = [\"127.0.0.1\"]\n\n[enrol]\nlisten = \"127.0.0.1:%d\"\n",
		s.path("server"), s.mqtt, s.http, s.enrolPort))
	s.run("setup", "--config", s.path("server.toml"))
	if err := os.MkdirAll(s.path("gw-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("gw-1.toml", fmt.Sprintf("gateway = \"gw-1\"\nsite = \"e2e\"\nserver = \"tls://127.0.0.1:%d\"\nenrol_server = \"127.0.0.1:%d\"\nidentity_dir = %q\ndata_dir = %q\n\n%s",
		s.mqtt, s.enrolPort, s.path("gw-1-identity"), s.path("gw-1"), doorSpec{"d1", "gw-1", "reader"}.toml()))
	t.Cleanup(func() {
		for _, p := range s.gateways {
			p.kill()
		}
		if s.server != nil {
			s.server.kill()
		}
		if t.Failed() {
			tail := s.logs.Bytes()
			t.Logf("last output of the processes:\n%s", tail[max(0, len(tail)-4000):])
		}
	})
	return s
}

// finish writes what the last steps ask for into the configuration, and makes the copies of the key. The count is of messages that arrived.
func (s *site) finish() *atomic.Int32 {
	s.t.Helper()
	var arrived atomic.Int32
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { arrived.Add(1); w.WriteHeader(http.StatusNoContent) }))
	s.t.Cleanup(hook.Close)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	s.write("hook.pem", block("CERTIFICATE", hook.Certificate().Raw))
	s.write("hook.secret", "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	cert, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("pages.pem", block("CERTIFICATE", cert))
	s.write("pages.key", block("PRIVATE KEY", der))
	for _, dir := range []string{"stick-1", "stick-2", "backups"} {
		if err := os.Mkdir(s.path(dir), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	s.run("backup", "key", "--out", s.path("backup.key"))
	s.run("backup", "place", "--config", s.path("server.toml"), "--same-disk", "test", s.path("backups"))
	text, err := os.ReadFile(s.path("server.toml"))
	if err != nil {
		s.t.Fatal(err)
	}
	conf := strings.Replace(string(text), "[http]\n", fmt.Sprintf("[http]\ntls_cert = %q\ntls_key = %q\n", s.path("pages.pem"), s.path("pages.key")), 1)
	conf += fmt.Sprintf("\n[backup]\ndir = %q\nrecipients = %q\n\n[alerts]\nhours = [\"chat\"]\noff_hours = [\"chat\"]\n\n[[alerts.channel]]\nname = \"chat\"\ntype = \"webhook\"\nduress = true\nurl = %q\nca_file = %q\nsecret_file = %q\n",
		s.path("backups"), s.path("backup.key.pub"), hook.URL, s.path("hook.pem"), s.path("hook.secret"))
	s.write("server.toml", conf)
	for _, dir := range []string{"stick-1", "stick-2"} {
		s.run("keys", "copy", "--config", s.path("server.toml"), "--to", s.path(dir))
	}
	return &arrived
}
