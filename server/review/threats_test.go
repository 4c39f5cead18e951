package review

import (
	"errors"
	"strings"
	"testing"
)

// A10: an edit makes a new version, what was found before keeps the name that it had, and nothing half-right is kept.
func TestThreatsHaveVersions(t *testing.T) {
	names := func(all string) map[Threat]ThreatName {
		out := map[Threat]ThreatName{}
		for _, x := range Threats() {
			out[x] = ThreatName{JA: all}
		}
		return out
	}
	var none ThreatCatalogue
	if none.At(5).Number != 0 || none.Newest().Number != 0 {
		t.Error("a site that has said nothing has a version")
	}
	one, changed, err := none.Changed(names("不正アクセス・内部不正"), 1000)
	if err != nil || !changed || len(none.Versions) != 0 {
		t.Fatal(err, changed)
	}
	if _, changed, err := one.Changed(names("不正アクセス・内部不正"), 1500); changed || err != nil {
		t.Errorf("the same again: %v %v", changed, err)
	}
	later := names("故意の脅威")
	later[DeviceFault] = ThreatName{"過失・故障", "Error and failure"}
	two, changed, err := one.Changed(later, 2000)
	if err != nil || !changed {
		t.Fatal(err, changed)
	}
	text, err := two.Text()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseThreats(text)
	if err != nil {
		t.Fatal(err)
	}
	for ms, want := range map[int64]string{999: "", 1000: "不正アクセス・内部不正", 1999: "不正アクセス・内部不正", 2000: "過失・故障", 9000: "過失・故障"} {
		if v := read.At(ms); v.Names[DeviceFault].JA != want {
			t.Errorf("at %d: version %d, %q, want %q", ms, v.Number, v.Names[DeviceFault].JA, want)
		}
	}
	if n := later[DeviceFault]; n.In("en") != "Error and failure" || n.In("ja") != "過失・故障" || later[Habit].In("en") != "故意の脅威" {
		t.Error("names by language")
	}
	back, _, err := two.Changed(names("三"), 10) // the clock went back
	if err != nil || back.At(2000).Number != 3 || back.At(1500).Number != 1 {
		t.Errorf("%+v %v", back, err)
	}
	short := names("x")
	delete(short, Denial)
	long := names("x")
	long[Denial] = ThreatName{JA: strings.Repeat("長", threatNameMost+1)}
	more := names("x")
	more["weather"] = ThreatName{JA: "天候"}
	blank := names("x")
	blank[Denial] = ThreatName{JA: " "}
	for name, bad := range map[string]map[Threat]ThreatName{"none": nil, "one is missing": short, "too long": long, "an unknown one": more, "blank": blank} {
		if _, _, err := one.Changed(bad, 3000); !errors.Is(err, ErrThreats) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"{", `{"versions":[{"number":2}]}`, `{"versions":[{"number":1}]}`} {
		if c, err := ParseThreats(bad); err == nil || len(c.Versions) != 0 {
			t.Errorf("%s was read", bad)
		}
	}
	for _, e := range Catalogue() {
		if one.Newest().Names[e.Threat].JA == "" {
			t.Errorf("%s is of a threat that has no name", e.Kind)
		}
	}
}
