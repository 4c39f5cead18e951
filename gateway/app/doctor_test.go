package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
	"monban/gateway/config"
)

// AD-18: the gateway's doctor says BAD of a door that guards the server and that nobody could enter on this
// gateway alone; of other doors it says nothing.
func TestDoctorFindsLockout(t *testing.T) {
	base := func() (access.Rules, []config.Door) {
		card := func(n byte) access.Credential {
			return access.Credential{Key: access.Key{n}, Status: access.CredentialActive, HasPIN: true, PIN: access.Key{n, 1}}
		}
		return access.Rules{
			Persons: []access.Person{{ID: "p", Active: true}}, Credentials: []access.Credential{card(1), card(2), card(3)},
			Doors: []access.Door{{ID: "d", OfflineMode: access.OfflineCachedPIN, GuardsServer: true, Recovery: []access.Key{{1}, {2}}}},
		}, []config.Door{{ID: "d", Kind: "controlled"}}
	}
	for name, c := range map[string]struct {
		spoil func(r *access.Rules, d []config.Door)
		want  string // "" = fine, "-" = no line at all
	}{
		"fine":            {func(*access.Rules, []config.Door) {}, ""},
		"no cards":        {func(r *access.Rules, _ []config.Door) { r.Doors[0].Recovery = nil }, "0 of its 0 recovery cards"},
		"one lost":        {func(r *access.Rules, _ []config.Door) { r.Credentials[1].Status = access.CredentialLost }, "1 of its 2"},
		"nobody's card":   {func(r *access.Rules, _ []config.Door) { r.Credentials[0].Person = access.NoPerson }, "1 of its 2"},
		"person inactive": {func(r *access.Rules, _ []config.Door) { r.Persons[0].Active = false }, "0 of its 2"},
		"denies offline":  {func(r *access.Rules, _ []config.Door) { r.Doors[0].OfflineMode = access.OfflineDeny }, "offline mode is deny"},
		"guards nothing":  {func(r *access.Rules, _ []config.Door) { r.Doors[0].GuardsServer, r.Doors[0].Recovery = false, nil }, "-"},
		"observed":        {func(_ *access.Rules, d []config.Door) { d[0].Kind = "observe" }, "-"},
		"another's door":  {func(_ *access.Rules, d []config.Door) { d[0].ID = "e" }, "-"},
	} {
		r, doors := base()
		c.spoil(&r, doors)
		checks := lockout(&r, doors)
		switch {
		case c.want == "-":
			if len(checks) != 0 {
				t.Errorf("%s: %+v, want no line", name, checks)
			}
		case len(checks) != 1 || (checks[0].Err == nil) != (c.want == ""):
			t.Errorf("%s: %+v, want one line, BAD for %q", name, checks, c.want)
		case c.want != "" && !strings.Contains(checks[0].Err.Error(), c.want):
			t.Errorf("%s: %v, want %q", name, checks[0].Err, c.want)
		}
	}
}

// OP-2: between enrolment and its first start a gateway has no data directory yet, and the doctor finds nothing bad in that; a place where none can be
// made is bad.
func TestDoctorBeforeTheFirstStart(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, well := range map[string]bool{home: true, filepath.Join(home, "data"): true, filepath.Join(home, "not", "there"): false, file: false, filepath.Join(file, "data"): false} {
		for _, c := range []Check{checkData(dir), checkDisk(dir)} {
			if (c.Err == nil) != well {
				t.Errorf("%s: %s: %v", dir, c.Name, c.Err)
			}
		}
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// EV-7: a machine that wakes up in 1970 judges certificates by the last trusted time, at the first start
// of all by the day on which its own certificate was made; the server's word replaces both.
func TestTLSTime(t *testing.T) {
	const second = mono.Time(time.Second)
	made := time.UnixMilli(noonMS - 30*24*hourMS)
	a := &anchor{start: time.Unix(0, 0)}
	a.quality.Store(uint32(access.ClockNone))
	for _, c := range []struct {
		do   func()
		want int64
	}{
		{func() {}, made.UnixMilli()},
		{func() { a.notBefore(noonMS) }, noonMS + 1000},
		{func() { a.serverTime(noonMS+hourMS, second, second) }, noonMS + hourMS},
	} {
		c.do()
		if got := a.tlsTime(second, made); got.UnixMilli() != c.want {
			t.Errorf("certificates are judged at %v, want %v", got, time.UnixMilli(c.want))
		}
	}
	if got := a.tlsTime(second, time.Time{}); got.UnixMilli() != noonMS+hourMS {
		t.Errorf("without a certificate: %v", got)
	}
}
