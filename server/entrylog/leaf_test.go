package entrylog

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write vectors that do not exist yet; existing ones are never changed")

var sampleHash = Hash{0xab, 0xcd, 31: 0x01}

func samples() map[string]interface {
	Append([]byte) ([]byte, error)
} {
	return map[string]interface {
		Append([]byte) ([]byte, error)
	}{
		"record": &Record{AtMS: 1795392000123, FromMS: 1795391999980, ToMS: 1795392000020, Chain: sampleHash, Judged: "no_grant",
			Mismatch: true, Commit: sampleHash, Body: []byte(`{"record":1,"gateway":"g1"}`)},
		"record_plain": &Record{AtMS: 1, Chain: sampleHash, Body: []byte(`{}`)},
		"decision": &Decision{Ask: [16]byte{1}, Attempt: [16]byte{2}, Gateway: "g1", Door: "north", Side: "enter", Outcome: "denied",
			Reason: "no_grant", Failed: []string{"no_grant", "assurance_low"}, Policy: 42, AtMS: 1795392000000, Assurance: "uid_only", Commit: sampleHash},
		"decision_granted": &Decision{Ask: [16]byte{1}, Attempt: [16]byte{2}, Gateway: "g1", Door: "north", Side: "exit", Outcome: "granted",
			Reason: "granted", AtMS: -5},
		"action": &Action{Account: "ABCDEF234567", Verb: "grant_added", Target: "grant", From: "lan", Result: "ok", Reason: true,
			AtMS: 1795392000000, Commit: sampleHash},
		"action_zone":    &Action{Verb: "lockdown_on", Target: "zone", ID: "system-room", From: "cli", Result: "ok", AtMS: 1},
		"system_genesis": &System{Name: SystemGenesis, Values: []string{"monban/0a1b2c3d", "Asia/Tokyo"}, AtMS: 1795392000000},
		"system_finding": &System{Name: SystemFinding, Values: []string{"held_open", "medium", "g1", "north", "", "17", ""}, AtMS: 2},
		"system_succession": &System{Name: SystemSuccession, Values: []string{"monban/0a1b2c3d", "monban/ffffffff", "4900", strings.Repeat("ab", 32), "5000", strings.Repeat("cd", 32), strings.Repeat("ef", 68),
			"4900", "5000", "1795392000000", "disk_failed"}, AtMS: 3},
		"system_policy":             &System{Name: SystemPolicy, Values: []string{"g1", "rules", "42", strings.Repeat("ab", 32)}, AtMS: 4},
		"system_keys":               &System{Name: SystemKeys, Values: []string{"3", strings.Repeat("ab", 32)}, AtMS: 5},
		"system_checkpoint_context": &System{Name: SystemContext, Values: []string{"v0.1", "300"}, AtMS: 6},
		"system_coverage":           &System{Name: SystemCoverage, Values: []string{"g1", "1795392000000", "1795392060000", "silent", "1795391999000"}, AtMS: 7},
		"system_gap":                &System{Name: SystemGap, Values: []string{"g1", "2", "99", strings.Repeat("ab", 32)}, AtMS: 8},
		"system_quarantine":         &System{Name: SystemQuarantine, Values: []string{"g1", "2", "100", strings.Repeat("ab", 32)}, AtMS: 9},
		"system_cosigned":           &System{Name: SystemCosigned, Values: []string{"g1/witness", "2026-11-24", "monban/0a1b2c3d", "4096", strings.Repeat("ab", 32)}, AtMS: 10},
		"system_disposal_started":   &System{Name: SystemDisposalStarted, Values: []string{"disposal-2030-00001", "register", "2026", "2", "2", "destroyed", "key", "ABCDEF234567", "BCDEFG234567"}, AtMS: 11},
		"system_disposal_range":     &System{Name: SystemDisposalRange, Values: []string{"17", "3:2/2:1"}, AtMS: 12},
		"system_disposal_chain":     &System{Name: SystemDisposalChain, Values: []string{"17", "g1", "2", "1", "2", strings.Repeat("ab", 32), "4"}, AtMS: 13},
		"system_disposal_done":      &System{Name: SystemDisposalDone, Values: []string{"17", "register", "2026", "9", "1"}, AtMS: 14},
		"system_erased":             &System{Name: SystemErased, Values: []string{"5", "erasure-00001"}, AtMS: 15},
		"opening": &Opening{Person: "s0001", Name: "葛󠄀城 髙橋 神谷 𠮷田 𩸽", Section: "情報政策課", Category: "staff", Purpose: "保守 \"A\"\n\\2",
			Masked: "****4567", Private: []byte{0, 1, 2, 255}, PrivateSalt: []byte{9}, Inputs: []byte("in")},
		"opening_empty": &Opening{},
	}
}

// D15: each kind has its own encoder and a published vector. Vectors are added, never changed.
func TestVectors(t *testing.T) {
	for name, v := range samples() {
		got, err := v.Append(nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		path := filepath.Join("testdata", "v1", name+".json")
		want, err := os.ReadFile(path)
		if os.IsNotExist(err) && *update {
			if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.TrimSuffix(string(want), "\n"), string(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func parseAny(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte(`{"opening":`)) {
		o, err := ParseOpening(b)
		if err != nil {
			return nil, err
		}
		return o.Append(nil)
	}
	p, err := Parse(b)
	if err != nil {
		return nil, err
	}
	switch p.Kind {
	case KindRecord:
		return p.Record.Append(nil)
	case KindDecision:
		return p.Decision.Append(nil)
	case KindAction:
		return p.Action.Append(nil)
	}
	return p.System.Append(nil)
}

// The parsers accept exactly what the encoders write: whatever byte of a leaf is changed, dropped or
// doubled, either the parser refuses or it reads something else, whose encoding is those bytes.
func TestParsersAreStrict(t *testing.T) {
	for name, v := range samples() {
		good, err := v.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseAny(good); err != nil || !bytes.Equal(again, good) {
			t.Errorf("%s: round trip gives %q, %v", name, again, err)
		}
		for i := range good {
			var variants [][]byte
			for _, c := range []byte("0a\"{} \\,+\x00\xff") {
				b := bytes.Clone(good)
				b[i] = c
				variants = append(variants, b)
			}
			variants = append(variants, append(bytes.Clone(good[:i]), good[i+1:]...), append(bytes.Clone(good[:i+1]), good[i:]...), good[:i])
			for _, b := range variants {
				if again, err := parseAny(b); err == nil && !bytes.Equal(again, b) {
					t.Errorf("%s: %q is accepted and reads as %q", name, b, again)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range samples() {
		b, err := v.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, err := parseAny(b); err == nil && !bytes.Equal(again, b) {
			t.Errorf("%q is accepted and reads as %q", b, again)
		}
	})
}

func TestOpeningRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Opening{
			Person: rapid.String().Draw(t, "person"), Name: rapid.String().Draw(t, "name"), Text: rapid.String().Draw(t, "text"),
			Private: rapid.SliceOfN(rapid.Byte(), 1, 80).Draw(t, "private"),
		}
		b, err := o.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseOpening(b)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if d := cmp.Diff(o, got); d != "" {
			t.Fatal(d)
		}
	})
}

// PR-2: nothing but machine words fits into a leaf, and no id of a person's things.
func TestLeavesTakeNoNames(t *testing.T) {
	for _, v := range []interface {
		Append([]byte) ([]byte, error)
	}{
		&Decision{Door: "サーバ室"}, &Decision{Gateway: "a b"}, &Decision{Failed: []string{"x\""}},
		&Action{Verb: "x", ID: "髙橋"}, &Action{Verb: "x", Target: "person", ID: "s0001"}, &Action{Verb: "x", Target: "card", ID: "1"},
		&Action{}, &System{Name: "nonsense"}, &System{Name: SystemFinding, Values: []string{"a"}},
		&System{Name: SystemKeys, Values: []string{"1", "﨑山"}}, &Record{Body: []byte("x")}, &Record{FromMS: 2, ToMS: 1, Body: []byte("{}")},
		&Record{Body: []byte("{\n}")}, &Opening{Name: "\xff"},
	} {
		if b, err := v.Append(nil); err == nil {
			t.Errorf("%+v was written as %s", v, b)
		}
	}
}

// PR-2: two openings of one person have commitments that share nothing.
func TestCommitIsSalted(t *testing.T) {
	b := []byte(`{"opening":1}`)
	if Commit([32]byte{1}, b) == Commit([32]byte{2}, b) {
		t.Error("the salt does not make the commitment")
	}
}
