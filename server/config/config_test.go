package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSamplesLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/samples/*.toml")
	if err != nil || len(files) < 3 {
		t.Fatalf("samples: %v, %v", files, err)
	}
	for _, f := range files {
		if _, err := Load(f); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// Every file in invalid/ says in its first line what the error must hold.
func TestInvalidFilesAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/invalid/*.toml")
	if err != nil || len(files) < 20 {
		t.Fatalf("invalid: %d files, %v", len(files), err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := bytes.Cut(data, []byte("\n"))
		want, ok := strings.CutPrefix(string(first), "# want: ")
		if !ok {
			t.Fatalf("%s: no '# want:' line", f)
		}
		_, err = Load(f)
		if err == nil {
			t.Errorf("%s: accepted", f)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %q does not hold %q", f, err, want)
		}
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, f+":") {
				t.Errorf("%s: line %q does not name the file", f, line)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got, err := Parse("x", []byte("site='s'\ntime_zone='Asia/Tokyo'\ndata_dir='d'\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Site: "s", TimeZone: "Asia/Tokyo", DataDir: "d",
		MQTT: MQTT{Listen: "127.0.0.1:8883", MaxGateways: 400, RuntimeDir: "d/run"},
		HTTP: HTTP{Listen: "127.0.0.1:8080"},
		CA:   CA{Dir: "d/ca", DeviceValidity: D(336 * time.Hour)},
		Ask:  Ask{Timeout: D(400 * time.Millisecond)},
		Login: Login{Tries: 5, Window: D(15 * time.Minute), Lockout: D(15 * time.Minute),
			DeskAssurance: "card_auth", SecondFactorRoles: []string{"ciso", "chief_security_officer", "zone_manager", "auditor", "system_administrator", "csirt"}},
		Session: Session{Idle: D(15 * time.Minute), Absolute: D(12 * time.Hour), StepUp: D(15 * time.Minute)},
		OIDC:    OIDC{Claim: "preferred_username"},
		LDAP:    LDAP{Filter: "(&(objectClass=user)(sAMAccountName={name}))", SyncEvery: D(time.Hour)},
		Log:     Log{Level: "info", Format: "json"},
		Alerts:  Alerts{Open: "08:30", Close: "17:15", DigestAt: "08:30", CanaryAt: "07:00", CanaryBy: "08:15", Group: D(5 * time.Minute), Acknowledge: D(10 * time.Minute), Burst: 20},
		Backup:  Backup{At: "02:30", Keep: 14},
		Updates: Updates{Settle: D(15 * time.Minute), Limit: D(time.Hour)},
		Report:  Report{DayAt: "06:30"},
		Muster:  Muster{Every: D(time.Minute), Keep: D(4 * time.Hour)},
		Review: Review{
			Window: D(10 * time.Minute), UnknownCards: 3, CardRefusals: 5, DoorRefusals: 10, ScanCards: 5, ScanDoors: 4, Flood: 10,
			OverstayLevel1: D(12 * time.Hour), OverstayLevel2: D(12 * time.Hour), OverstayLevel3: D(12 * time.Hour), AloneLevel3: D(4 * time.Hour),
			EscortWithin: D(time.Minute), FirstUse: D(180 * 24 * time.Hour), WarmUp: D(30 * 24 * time.Hour), UsualFrom: "07:00", UsualUntil: "20:00",
			OfflineAfter: D(time.Minute),
		},
		Rights: Rights{RecertifyMonths: 6, RecertifyDays: 30, RecertifyLapse: "suspend", PINTries: 5, AssuranceLevel1: "uid_only", AssuranceLevel2: "uid_only", AssuranceLevel3: "uid_only"},
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Error(d)
	}
	if got.Location().String() != "Asia/Tokyo" || got.Path("keys", "x") != "d/keys/x" || got.Level() != 0 {
		t.Errorf("derived: %v %v %v", got.Location(), got.Path("keys", "x"), got.Level())
	}
}

func TestValidateReturnsEveryFault(t *testing.T) {
	t.Parallel()
	var c Config
	err := c.Validate()
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("no joined error: %v", err)
	}
	if n := len(joined.Unwrap()); n < 12 {
		t.Errorf("zero Config: %d faults, want at least 12:\n%v", n, err)
	}
}

// AL-4: a webhook goes in clear to this machine alone, not to a name that looks like it.
func TestWebhooksInClearStayHere(t *testing.T) {
	t.Parallel()
	for at, ok := range map[string]bool{
		"https://chat.example/hook": true, "http://127.0.0.1:9/x": true, "http://127.9.9.9/": true, "http://[::1]:9/": true, "http://localhost/x": true,
		"http://127.evil.example/x": false, "http://127.0.0.1.evil.example/": false, "http://chat.example/": false, "http://10.0.0.1/": false, "http:///x": false, "127.0.0.1": false,
	} {
		if webURL(at) != ok {
			t.Errorf("%q: taken %v", at, !ok)
		}
	}
}

// D30: the page listener is on loopback or has TLS.
func TestPlainHTTPOnlyOnLoopback(t *testing.T) {
	t.Parallel()
	for addr, ok := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:1": true, "[::1]:8080": true, "localhost:8080": true, "127.0.0.1:0": true,
		"[::ffff:127.0.0.1]:80": true,
		"0.0.0.0:8080":          false, "[::]:8080": false, "10.0.0.1:80": false, "localhost.example:80": false, ":80": false, "": false,
		"127.0.0.1.example:80": false, "127.0.0.1": false,
	} {
		for _, tls := range []bool{false, true} {
			h := HTTP{Listen: addr}
			if tls {
				h.TLSCert, h.TLSKey = "c", "k"
			}
			var f faults
			h.validate(&f)
			if !tls && (len(f) == 0) != ok {
				t.Errorf("listen %q without TLS: faults %v, want accepted=%v", addr, f, ok)
			}
			if tls && ok && len(f) != 0 {
				t.Errorf("listen %q with TLS: %v", addr, f)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, glob := range []string{"testdata/samples/*.toml", "testdata/invalid/*.toml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f.toml", data)
		if err != nil {
			if c != nil {
				t.Fatal("a configuration beside an error")
			}
			return
		}
		if c.Validate() != nil || c.Site == "" || c.DataDir == "" || c.Location() == nil {
			t.Fatalf("accepted but not valid: %+v", c)
		}
		if c.HTTP.TLSCert == "" && !loopback(c.HTTP.Listen) {
			t.Fatalf("plain HTTP beyond loopback accepted: %q", c.HTTP.Listen)
		}
		if (c.MQTT.Listen == "") == (c.MQTT.BrokerURL == "") {
			t.Fatalf("broker is neither or both: %+v", c.MQTT)
		}
	})
}
