package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/gateway/config"
)

var update = flag.Bool("update", false, "rewrite golden files")

const (
	statusNow = 1_795_678_805_000 // 2026-11-26 16:40:05 in Tokyo
	dayOfMS   = 24 * 60 * 60 * 1000
)

// wellStanding is a gateway at which nothing needs a person.
func wellStanding() standing {
	return standing{
		Format: statusFormat, Gateway: "gw-1", Site: "hq", Software: "1.2.3", TimeZone: "Asia/Tokyo", PID: 7, Machine: "m", WrittenMS: statusNow, RanNS: int64(time.Hour),
		StartedMS: statusNow - 3*dayOfMS, Before: "clean", Linked: true, LinkedMS: statusNow - dayOfMS, Clock: "server", Heard: true, AheadMS: -340,
		Policy: 41, Rules: 12, PolicyMS: statusNow - 1000, AgeMS: 1000, Pending: 2, OldestMS: statusNow - 2000, Used: 3 << 20, Cap: 1 << 30, Level: "ok",
		Watchdog: "armed", Systemd: true, CertFromMS: statusNow - 100*dayOfMS, CertToMS: statusNow + 200*dayOfMS, Renews: true,
		Doors: []doorStanding{
			{ID: "server-room", Known: true, State: "secured", Contact: "closed", Mode: "normal", Alone: access.OfflineCachedPIN, MaxAgeMS: dayOfMS,
				Readers: []readerStanding{{Side: "enter"}, {Side: "exit"}}},
			{ID: "loading-bay", Observed: true, Known: true, State: "open", Contact: "open", Mode: "lockdown", Readers: []readerStanding{{Side: "enter"}}},
		},
	}
}

func beside(age time.Duration) witnessed {
	return witnessed{"m", time.Hour + age, func(pid int) bool { return pid == 7 }}
}

// The report in both languages, well and with all that can be said of a bad one.
func TestStatusText(t *testing.T) {
	bad := wellStanding()
	bad.Linked, bad.Clock, bad.Heard, bad.Before, bad.Pending, bad.OldestMS, bad.Level, bad.Used = false, "floor", false, "unclean", 90_000, statusNow-3*dayOfMS, "critical", 980<<20
	bad.AgeMS, bad.PolicyMS, bad.Watchdog, bad.Systemd, bad.CertToMS, bad.Renews = 2*dayOfMS, statusNow-2*dayOfMS, "failed", false, statusNow+5*dayOfMS, false
	bad.Doors[0].State, bad.Doors[0].Tampered, bad.Doors[0].Faulty, bad.Doors[0].Readers[1].Lost, bad.Doors[0].Contact = "held_open", true, true, true, "unknown"
	bad.Doors[1].Contact = "none"
	for name, s := range map[string]standing{"well": wellStanding(), "bad": bad} {
		for _, lang := range []string{"ja", "en"} {
			got, calls := s.text(beside(2*time.Second), lang == "ja")
			if (calls == 0) != (name == "well") {
				t.Errorf("%s: %d things need a person", name, calls)
			}
			path := filepath.Join("testdata", "status-"+name+"-"+lang+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || string(want) != got {
				t.Errorf("%s (%v): got\n%s", path, err, got)
			}
		}
	}
}

// Each thing that is not well is one line that calls for a person, in both languages, and nothing else is.
func TestStatusCalls(t *testing.T) {
	for name, k := range map[string]struct {
		spoil func(*standing)
		see   witnessed
		ja    string
		en    string
	}{
		"restarted":    {func(s *standing) { s.Machine = "older" }, beside(0), "再起動", "started again"},
		"clock back":   {func(*standing) {}, beside(-time.Minute), "再起動", "started again"},
		"stopped":      {func(s *standing) { s.Stopped = true }, beside(0), "停止しました", "told to stop"},
		"dead":         {func(s *standing) { s.PID = 8 }, beside(time.Second), "プロセスがありません", "process is gone"},
		"old":          {func(*standing) {}, beside(2 * time.Minute), "2分0秒前", "2 min 0 s old"},
		"link":         {func(s *standing) { s.Linked = false }, beside(0), "サーバと通信していません", "server is not heard"},
		"clock":        {func(s *standing) { s.Clock, s.Heard = "none", false }, beside(0), "時計が信頼できません", "clock is not trusted"},
		"clock aside":  {func(s *standing) { s.AheadMS = -61_000 }, beside(0), "1分以上", "more than a minute"},
		"no policy":    {func(s *standing) { s.Policy = 0 }, beside(0), "規則がまだありません", "no policy yet"},
		"old policy":   {func(s *standing) { s.AgeMS = dayOfMS }, beside(0), "規則が古くなり", "policy is too old"},
		"stuck":        {func(s *standing) { s.OldestMS = statusNow - 700_000 }, beside(0), "送られていません", "Records are stuck"},
		"little room":  {func(s *standing) { s.Level = "warn" }, beside(0), "残り少なくなって", "runs out"},
		"latched":      {func(s *standing) { s.Latched = true }, beside(0), "書き込めません", "cannot be written"},
		"certificate":  {func(s *standing) { s.CertToMS = statusNow + 20*dayOfMS }, beside(0), "まもなく", "ends soon"},
		"ended":        {func(s *standing) { s.CertToMS = statusNow - 1 }, beside(0), "期限が切れて", "has ended"},
		"watchdog":     {func(s *standing) { s.Watchdog = "failed" }, beside(0), "ウォッチドッグが使えません", "could not be had"},
		"still":        {func(s *standing) { s.Still = "lock server-room" }, beside(0), "lock server-room", "Loops stand still"},
		"held open":    {func(s *standing) { s.Doors[0].State = "held_open" }, beside(0), "現地", "held open. Go and look"},
		"forced":       {func(s *standing) { s.Doors[0].State = "forced" }, beside(0), "現地", "Go and look"},
		"released":     {func(s *standing) { s.Doors[0].State = "released" }, beside(0), "現地", "Go and look"},
		"faulted":      {func(s *standing) { s.Doors[1].State = "faulted" }, beside(0), "loading-bay", "out of order"},
		"contact":      {func(s *standing) { s.Doors[0].Contact = "unknown" }, beside(0), "接点", "contact cannot be read"},
		"reader":       {func(s *standing) { s.Doors[0].Readers[1].Lost = true }, beside(0), "(出口)", "reader (exit)"},
		"tamper":       {func(s *standing) { s.Doors[0].Tampered = true }, beside(0), "開封を検知", "tampering was seen"},
		"line":         {func(s *standing) { s.Doors[0].Faulty = true }, beside(0), "異常", "in trouble"},
		"unlooked":     {func(s *standing) { s.Doors[0] = doorStanding{ID: "server-room"} }, beside(0), "", ""}, // it has only just started
		"link blinked": {func(s *standing) { s.Linked, s.LinkedMS = false, statusNow-30_000 }, beside(0), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := wellStanding()
			k.spoil(&s)
			for lang, want := range map[string]string{"ja": k.ja, "en": k.en} {
				text, calls := s.text(k.see, lang == "ja")
				var called []string
				for l := range strings.Lines(text) {
					if strings.HasPrefix(l, "! ") {
						called = append(called, l)
					}
				}
				if want == "" {
					if calls != 0 || len(called) != 0 {
						t.Errorf("calls for a person: %q", called)
					}
					continue
				}
				if calls != 1 || len(called) != 1 || !strings.Contains(called[0], want) {
					t.Errorf("%s: %d calls: %q, want one with %q", lang, calls, called, want)
				}
			}
		})
	}
}

// A file that is not there, damaged or of another version is an error of one line that says what to do.
func TestStatusWithoutAFile(t *testing.T) {
	cfg := config.Config{DataDir: t.TempDir()}
	for _, text := range []string{"", "{", `{"v":99}`} {
		if text != "" {
			if err := os.WriteFile(cfg.Path(statusFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out strings.Builder
		if err := PrintStatus(&out, cfg, "en"); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "start") || out.Len() > 0 {
			t.Errorf("%q: %v, %q", text, err, out.String())
		}
	}
}

// identityFor makes what a gateway has from its server.
func identityFor(t *testing.T) string {
	t.Helper()
	s, ca := newTrustSite(t), newAuthority(t, time.Now().Add(-time.Minute))
	cert, key := ca.pair(t, "gw-1")
	s.put("ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw}))
	s.put("tls.pem", append([]byte(cert), key...))
	skey, _, err := note.GenerateKey(rand.Reader, wire.GatewayKeyName("hall", "gw-1"))
	if err != nil {
		t.Fatal(err)
	}
	s.put("note.key", []byte(skey))
	k := versionedKey{1, []byte(strings.Repeat("k", 32))}
	sym, err := json.Marshal(symmetricFile{k, k, k, k})
	if err != nil {
		t.Fatal(err)
	}
	s.put("symmetric.json", sym)
	return s.dir
}

// PR-2: a gateway that runs keeps the file for its owner alone; another process prints from it what happens at the door, without
// any digit of a card or PIN; after the end it says that the gateway was told to stop.
func TestStatusOfARunningGateway(t *testing.T) {
	cfg, err := config.Parse("gateway.toml", []byte(`gateway = "gw-1"
site = "hall"
server = "tls://127.0.0.1:1"
identity_dir = "`+identityFor(t)+`"
data_dir = "`+filepath.Join(t.TempDir(), "data")+`"

[[door]]
id = "server-room"
kind = "controlled"
exit = "button"

[[door.reader]]
side = "enter"
type = "wiegand"
formats = ["H10301"]
keypad = "burst4"
`))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{Config: cfg, Sim: true, Version: "1.2.3", Log: slog.New(slog.DiscardHandler), Out: &strings.Builder{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	wait := func(wants ...string) string {
		t.Helper()
		text := ""
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			var out strings.Builder
			if err := PrintStatus(&out, cfg, "en"); err != nil && out.Len() == 0 {
				continue // not written yet
			}
			text = out.String()
			missing := false
			for _, w := range wants {
				missing = missing || !strings.Contains(text, w)
			}
			if !missing {
				return text
			}
		}
		t.Fatalf("it never says %q:\n%s", wants, text)
		return ""
	}
	do := func(line string) {
		t.Helper()
		if _, err := a.sim.Do(line); err != nil {
			t.Fatal(err)
		}
	}
	text := wait("Gateway hall / gw-1", "link to the server: down", "There is no policy yet", "13 days left", "software: 1.2.3", "[server-room]", "state: locked", "contact: closed", "readers: entry online")
	if strings.Contains(text, "process") || strings.Contains(text, "told to stop") {
		t.Errorf("a gateway that runs:\n%s", text)
	}
	do("badge server-room enter H10301 123 45678 PIN 4826")
	do("force server-room")
	do("reader server-room enter lost")
	do("tamper server-room on")
	wait("forced. Go and look", "contact: open", "reader (entry) does not answer", "tampering was seen")
	data, err := os.ReadFile(cfg.Path(statusFile))
	if err != nil {
		t.Fatal(err)
	}
	// Times and the id of the machine's start hold any four digits now and then.
	kept := regexp.MustCompile(`\d{9,}|"machine":\s*"[^"]*"`).ReplaceAllString(string(data), "")
	for _, no := range []string{"45678", "4826"} {
		if strings.Contains(kept, no) || strings.Contains(text, no) {
			t.Errorf("the file holds %s: %s", no, data)
		}
	}
	if info, err := os.Stat(cfg.Path(statusFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if both := a.statusText(); !strings.Contains(both.JA, "[server-room]") || !strings.Contains(both.EN, "[server-room]") || strings.Contains(both.EN, "process") {
		t.Errorf("for the tablet: %+v", both)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	wait("The gateway was told to stop")
}
