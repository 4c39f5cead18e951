package app

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// screen is where serve prints.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// running starts a server; stop ends it and gives Run's error.
func running(t *testing.T, cfg *config.Config) (a *App, out *screen, stop func() error) {
	t.Helper()
	out = &screen{}
	a, err := New(t.Context(), cfg, quiet, out)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	t.Cleanup(func() { _ = stop() }) // a second call gives the first one's error
	return a, out, stop
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

var codeLine = regexp.MustCompile(`administrator \(15 minutes\): (\S+)\n`)

func setupCode(t *testing.T, out *screen) string {
	t.Helper()
	until(t, "set-up code", func() bool { return codeLine.MatchString(out.String()) })
	return codeLine.FindStringSubmatch(out.String())[1]
}

// RA-3, RA-4: the first start prints a code, the code makes the first administrator once, each view is
// a leaf, and the next start prints no code. A restart before that prints a new code. Nothing runs on
// after the end.
func TestServe(t *testing.T) {
	cfg := testSite(t)
	before := runtime.NumGoroutine()

	_, out, stop := running(t, cfg)
	first := setupCode(t, out)
	if err := stop(); err != nil {
		t.Fatalf("stopped: %v", err)
	}
	a, out, stop := running(t, cfg)
	second := setupCode(t, out)
	if first == second {
		t.Error("the same code after a restart")
	}
	base := "http://" + a.listener.Addr().String()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	do := func(method, path string, form url.Values) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	const password = "correct horse battery staple"
	form := url.Values{"code": {"AAAA-AAAA-AAAA"}, "name": {"takahashi"}, "full_name": {"髙橋 健一"}, "password": {password}, "repeat": {password}, "again": {password}}
	for _, code := range []string{"AAAA-AAAA-AAAA", first} { // a code ends with the start that printed it
		form.Set("code", code)
		if status, body := do(http.MethodPost, "/setup", form); status != http.StatusUnprocessableEntity || strings.Contains(body, "/me") {
			t.Errorf("a code that is wrong or of an earlier start: %d", status)
		}
	}
	form.Set("code", second)
	status, body := do(http.MethodPost, "/setup", form)
	if status != http.StatusOK {
		t.Fatalf("set-up: %d: %.300s", status, body)
	}
	do(http.MethodPost, "/login", url.Values{"name": {"takahashi"}, "password": {password}})
	for _, page := range []string{"/live", "/log", "/findings", "/doors", "/me"} {
		if status, body := do(http.MethodGet, page, nil); status != http.StatusOK {
			t.Errorf("%s: %d: %.200s", page, status, body)
		}
	}
	verbs := map[string]bool{}
	for _, x := range actions(t, a.site.Store) {
		verbs[x.Verb] = true
	}
	if !verbs[string(web.ActionSetup)] {
		t.Errorf("no leaf of the set-up: %v", verbs)
	}
	// A finding of the link becomes a leaf although serve ends at once.
	size := a.site.Store.Size()
	listening{a}.Finding(access.GatewayID("gw-1"), link.Finding{Kind: link.FindingClone}, time.Now())
	if err := stop(); err != nil {
		t.Errorf("stopped: %v", err)
	}
	if a.site.Store.Size() == size {
		t.Error("the finding was lost at the end")
	}
	_, out, stop = running(t, cfg)
	until(t, "pages", func() bool {
		c, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(base + "/login") //nolint:noctx // a probe of a port that is gone
		if err == nil {
			_ = c.Body.Close()
		}
		return true
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if codeLine.MatchString(out.String()) {
		t.Error("a code although there is an account")
	}
	until(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before+3 })
}

// A part that breaks ends serve with an error that names it.
func TestServeEndsWhenAPartBreaks(t *testing.T) {
	cfg := testSite(t)
	a, out, _ := running(t, cfg)
	setupCode(t, out)
	if err := a.listener.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the lock is given back", func() bool {
		s, err := OpenSite(cfg, time.Now(), quiet)
		if err != nil {
			return false
		}
		return s.Close() == nil
	})
}

func TestServeRefuses(t *testing.T) {
	cfg := testSite(t)
	a, _, stop := running(t, cfg)
	other := *cfg
	other.HTTP.Listen = a.listener.Addr().String()
	_, err := New(t.Context(), &other, quiet, io.Discard)
	wantLine(t, err, other.HTTP.Listen)
	other.HTTP.Listen = "127.0.0.1:0"
	_, err = New(t.Context(), &other, quiet, io.Discard)
	wantLine(t, err, "another monban-server")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a port that is in use
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	other.Metrics.Listen = taken.Addr().String()
	_, err = New(t.Context(), &other, quiet, io.Discard)
	wantLine(t, err, "metrics.listen")
	other = *cfg
	other.HTTP.TLSCert, other.HTTP.TLSKey = filepath.Join(cfg.CA.Dir, "root.crt"), filepath.Join(cfg.CA.Dir, "server.key")
	_, err = New(t.Context(), &other, quiet, io.Discard)
	wantLine(t, err, "root.crt", "server.key")
	withSite(t, cfg, func(*Site) {}) // every failed start gave everything back
}

func TestThrottle(t *testing.T) {
	got := throttle(config.Login{Tries: 3, Window: config.D(3 * time.Minute), Lockout: config.D(30 * time.Minute)})
	if got.AccountBurst != 3 || got.AccountEvery != 10*time.Minute || got.AddressBurst != 12 {
		t.Errorf("%+v", got)
	}
}

func TestVerify(t *testing.T) {
	cfg := testSite(t)
	verify := func(db string) (int, string, error) {
		var out bytes.Buffer
		n, err := Verify(t.Context(), VerifyOptions{Database: db, Keys: cfg.DataDir, Openings: true, Out: &out, Progress: io.Discard})
		return n, out.String(), err
	}
	db := cfg.Path(databaseFile)
	if n, out, err := verify(db); n != 0 || err != nil || !strings.Contains(out, "everything fits") {
		t.Fatalf("clean: %d findings, %v\n%s", n, err, out)
	}
	clean, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	// Leaves are changed where the database is closed.
	copied := filepath.Join(t.TempDir(), "copy.db")
	bad := bytes.ReplaceAll(clean, []byte(`"kind":"system"`), []byte(`"kind":"systex"`))
	if bytes.Equal(clean, bad) {
		t.Fatal("no leaf in the file")
	}
	if err := os.WriteFile(copied, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, out, err := verify(copied); err != nil || n == 0 || !strings.Contains(out, "log_leaf") {
		t.Errorf("damaged: %d findings, %v\n%s", n, err, out)
	}
	if err := os.WriteFile(copied, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = verify(copied)
	wantLine(t, err, "copy.db")
	_, err = Verify(t.Context(), VerifyOptions{Database: copied, Out: io.Discard})
	wantLine(t, err, "public log key", "--keys")
}

func TestDoctor(t *testing.T) {
	cfg := testSite(t)
	path := filepath.Join(t.TempDir(), "server.toml")
	text := "site = \"test-city\"\ntime_zone = \"Asia/Tokyo\"\ndata_dir = \"" + cfg.DataDir + "\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := func(now time.Time) map[string]string {
		out := map[string]string{}
		for _, c := range Doctor(t.Context(), path, now) {
			if c.Err != nil {
				out[strings.Fields(c.Name)[0]+" "+strings.Join(strings.Fields(c.Name)[1:min(2, len(strings.Fields(c.Name)))], "")] = c.Err.Error()
			}
		}
		return out
	}
	got := bad(time.Now())
	if len(got) != 4 || !strings.Contains(got["copies of"], "set-up is not finished") || !strings.Contains(got["gateway gw-1"], "gateway add") || !strings.Contains(got["accounts "], "set-up code") {
		t.Errorf("new site: %v", got)
	}
	if got := bad(time.Now().Add(-2 * time.Minute)); !strings.Contains(got["clock "], "newest entry") {
		t.Errorf("clock behind: %v", got)
	}
	// The root's key lies on the machine: nobody has to do anything, a server that was off for a year included.
	if got := bad(time.Now().AddDate(0, 11, 20)); got["certificates "] != "" {
		t.Errorf("renewed by itself: %v", got)
	}
	// The root's key is offline: said 90 and 60 days before, a fault 30 days before.
	if err := os.Remove(filepath.Join(cfg.DataDir, "ca", "root.key")); err != nil {
		t.Fatal(err)
	}
	start := time.Now().AddDate(0, 11, 20) // of the issuing certificate that the line above has made
	for _, c := range []struct {
		left int
		note string
		bad  bool
	}{{95, "days left", false}, {85, "plan it", false}, {55, "do it now", false}, {25, "", true}} {
		at := start.AddDate(0, 0, 365-c.left)
		for _, k := range Doctor(t.Context(), path, at) {
			if k.Name == "certificates" && ((k.Err != nil) != c.bad || !strings.Contains(k.Note, c.note) || c.bad && !strings.Contains(k.Err.Error(), "ca renew")) {
				t.Errorf("%d days left: %q, %v", c.left, k.Note, k.Err)
			}
		}
	}
	if err := os.Remove(cfg.Path(databaseFile)); err != nil {
		t.Fatal(err)
	}
	if list := Doctor(t.Context(), path, time.Now()); len(list) != 2 || list[1].Err == nil {
		t.Errorf("without a database: %v", list)
	}
	if list := Doctor(t.Context(), path+"x", time.Now()); len(list) != 1 || list[0].Err == nil {
		t.Errorf("without a configuration: %v", list)
	}
}

func TestDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	o := DemoOptions{Dir: dir, HTTP: "127.0.0.1:8080", MQTT: "127.0.0.1:8883", Now: time.Now(), Log: quiet, Out: io.Discard}
	if err := WriteDemo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if _, err := config.Load(filepath.Join(dir, "server.toml")); err != nil {
		t.Error(err)
	}
	for name, want := range map[string][]string{
		"gw-1.toml":  {`gateway = "gw-1"`, `site = "demo-city"`, `server = "tls://127.0.0.1:8883"`, `id = "server-room-1"`, `keypad = "burst4"`, `side = "exit"`},
		"gw-2.toml":  {`gateway = "gw-2"`, `id = "media-store-1"`, `kind = "observe"`, `exit = "handle"`, `keypad = "none"`},
		"cards.toml": {`label = "﨑山 直子 (PIN 1357)"`, "fc = 123", "cn = 4568", "未登録"},
	} {
		for _, w := range want {
			if !strings.Contains(read(name), w) {
				t.Errorf("%s has no %s:\n%s", name, w, read(name))
			}
		}
	}
	// Again: the site and its log stay, ports may change.
	key := read("server/site-keys.json")
	o.MQTT = "127.0.0.1:9993"
	if err := WriteDemo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if read("server/site-keys.json") != key || !strings.Contains(read("gw-1.toml"), "9993") {
		t.Error("the second run made another site, or kept the old port")
	}
	// One that broke off is made anew, identities too: the old ones belong to no site.
	cert := read("gw-1-identity/ca.crt")
	if err := os.Remove(filepath.Join(dir, demoFile)); err != nil {
		t.Fatal(err)
	}
	if err := WriteDemo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if read("gw-1-identity/ca.crt") == cert || read("gw-1-identity/ca.crt") != read("server/ca/root.crt") {
		t.Error("a gateway has the identity of the site that was thrown away")
	}
	// A folder that is not a demo's is left alone.
	o.Dir = t.TempDir()
	precious := filepath.Join(o.Dir, "server.toml")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantLine(t, WriteDemo(t.Context(), o), o.Dir)
	if b, err := os.ReadFile(precious); err != nil || string(b) != "precious" {
		t.Errorf("overwritten: %q, %v", b, err)
	}
}

// EV-2, D18: with a signer of its own the server never has the log's key, checkpoints pause while the signer is away, and
// signing goes on by itself when it is back.
func TestSignerApart(t *testing.T) {
	cfg := testSite(t)
	cfg.Signer = config.Signer{Socket: filepath.Join(t.TempDir(), "s"), KeysDir: filepath.Join(t.TempDir(), "signer")}
	if err := SplitSigner(cfg); err != nil {
		t.Fatal(err)
	}
	_, err := New(t.Context(), cfg, quiet, io.Discard)
	wantLine(t, err, "monban-server signer", cfg.Signer.Socket)
	start := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- RunSigner(ctx, cfg, quiet) }()
		until(t, "the signer's socket", func() bool { _, err := os.Stat(cfg.Signer.Socket); return err == nil })
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	end := start()
	a, _, stop := running(t, cfg)
	log := a.site.Store
	leaf := func() {
		t.Helper()
		if err := log.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.AppendSystem(entrylog.System{Name: entrylog.SystemGap, AtMS: time.Now().UnixMilli(), Values: []string{"gw-1", "00", "1", "00"}}, nil)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	signed := func() bool { return strings.Contains(log.Checkpoint(), "\n"+strconv.FormatInt(log.Size(), 10)+"\n") }
	until(t, "a checkpoint of the start", signed)
	end()
	leaf()
	time.Sleep(1200 * time.Millisecond) // two tries
	if log.SignErr() != nil || signed() {
		t.Errorf("without its signer: signed %v, %v", signed(), log.SignErr())
	}
	end = start()
	until(t, "a checkpoint after the signer came back", signed)
	if err := stop(); err != nil {
		t.Error(err)
	}
	end()
}
